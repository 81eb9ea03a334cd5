"""Figures of an analysis: one Vega-Lite specification each, for paper, HTML report and notebook."""
