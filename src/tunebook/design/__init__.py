"""From a question to the page: factors to runs, resources, estimates."""
