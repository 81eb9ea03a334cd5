"""What prepares models and what evaluates them: one module a tool, found through entry points."""
