"""Sentences that the statistics support, and recommendations for what to do next."""
