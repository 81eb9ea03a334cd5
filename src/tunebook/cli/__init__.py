"""The command line, one file per verb: parse the arguments, call the API, render."""
