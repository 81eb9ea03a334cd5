"""Figures of an analysis: one Vega-Lite specification each, for paper, page and notebook."""
