"""The evaluation tool ``lm-eval``: lm-evaluation-harness."""
