"""Cautions about the data that the runs were trained on: repeated examples, empty answers, splits that overlap."""

from __future__ import annotations

from tunebook.analysis.collect.source import Source
from tunebook.analysis.findings.finding import Finding
from tunebook.tools.data_record import data_flaws

__all__ = ["state_data"]


def state_data(source: Source) -> list[Finding]:
    """One caution per flaw, as `check` reports it."""
    return [Finding("caution", f"{flaw[:1].upper()}{flaw[1:]}.") for flaw in data_flaws(source.experiment, source.plan)]
