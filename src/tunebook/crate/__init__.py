"""An experiment as an RO-Crate: which files are in it, what it says of them, and how it is written."""
