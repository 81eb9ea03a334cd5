"""Readers of the files that jobs leave behind: one reader per kind of file."""
