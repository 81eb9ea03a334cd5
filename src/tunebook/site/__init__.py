"""The site: what this machine and its cluster say of themselves, and whether the settings in force fit them."""
