"""All findings about one measure of one task, in the order in which a report shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tunebook.analysis.findings.cautions import state_cautions
from tunebook.analysis.findings.factors import state_effects, state_seeds
from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.findings.runs import state_base, state_best, state_costs, state_epochs, state_samples
from tunebook.analysis.statistics.measure_results import MeasureResults

__all__ = ["state_findings"]

_PARTS = (
    state_base,
    state_best,
    state_effects,
    state_seeds,
    state_epochs,
    state_costs,
    state_samples,
    state_cautions,
)


def state_findings(results: MeasureResults) -> Iterator[Finding]:
    """The findings with their task, the comparison with the base model first."""
    for part in _PARTS:
        for finding in part(results):
            yield replace(finding, task=results.table.task)
