"""The command line: one verb a file; parse the arguments, call the API, render."""
