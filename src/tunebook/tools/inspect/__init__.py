"""The evaluation tool ``inspect-ai``: from the evaluation matrix to scripts and jobs."""
