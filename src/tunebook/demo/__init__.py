"""The demo: a complete small experiment on a real model, for a machine without GPU, cluster or account."""
