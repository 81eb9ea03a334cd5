"""The report: its content as one value, and the outputs that are made from it."""
