"""Submits jobs in the order of their needs, and watches them to their end."""
