"""SLURM: its programs and words, its arrays, its accounting, and its description of a cluster."""
