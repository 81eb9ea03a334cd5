"""From a question to the plan: factors to runs, resources, estimates, updates."""
