"""What an installation, a machine and a cluster are fit for: each fact as a value, with what to do about it."""
