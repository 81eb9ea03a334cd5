"""Deep checks: the process in which they compute, and what the checks of several tools share."""
