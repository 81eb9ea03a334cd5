"""From a plan to files: blueprint, reconciling with the disk, verification, log, summary."""
