"""Detects what this machine and its cluster offer, and verifies that the site settings fit."""
