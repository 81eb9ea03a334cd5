"""The tools that prepare models and those that evaluate them: one package per tool, found through entry points."""
