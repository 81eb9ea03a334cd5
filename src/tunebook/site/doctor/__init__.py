"""Examines an installation, a machine and a cluster: each fact is a value, with what to do about it."""
