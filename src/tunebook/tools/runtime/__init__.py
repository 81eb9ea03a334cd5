"""Modules that run inside jobs. They import nothing else of tunebook."""
