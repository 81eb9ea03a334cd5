"""Collects an experiment's facts: its design, trainings, evaluations and samples, and what differs from the plan."""
