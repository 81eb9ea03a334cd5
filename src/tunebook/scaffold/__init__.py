"""Turns a plan into files: blueprint, reconciling with the disk, verification, log, summary."""
