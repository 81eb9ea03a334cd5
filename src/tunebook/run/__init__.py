"""Submitting jobs in dependency order, and watching them to their end."""
