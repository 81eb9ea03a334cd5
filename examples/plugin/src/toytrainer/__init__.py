"""A training tool for tunebook, as an example: its "training" copies the model and invents a loss."""
