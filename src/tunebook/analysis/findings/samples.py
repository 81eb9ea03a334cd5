"""The finding about samples that all runs failed on, and that fine-tuning fixed or broke."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.statistics.cases import SampleChanges
from tunebook.analysis.statistics.measure_results import MeasureResults
from tunebook.analysis.wording import plural

__all__ = ["state_samples"]


def state_samples(results: MeasureResults) -> Iterator[Finding]:
    """How many samples all runs failed on, and how many fine-tuning fixed and broke."""
    changes = results.changes
    if changes is None or len(results.table.finals) < 2:  # noqa: PLR2004  a single run has nothing in common
        return
    sentences = [_failed(results.table.task, changes)]
    if changes.fixed or changes.broken:
        fixed = plural(len(changes.fixed), "sample")
        sentences.append(f"Fine-tuning fixed {fixed} and broke {len(changes.broken)}, each in at least one run.")
    elif changes.has_base and len(changes.all_wrong) < len(changes.common):
        sentences.append("Fine-tuning fixed no sample and broke none.")
    yield Finding("samples", " ".join(sentences))


def _failed(task: str, changes: SampleChanges) -> str:
    wrong, count = len(changes.all_wrong), len(changes.common)
    if count == 0:
        return f"No sample of {task} was answered by every run."
    if wrong == count:
        return f"No run answered any of the {plural(count, 'sample')} of {task} correctly."
    if wrong == 0:
        return f"At least one run answered each of the {plural(count, 'sample')} of {task} correctly."
    return f"All runs failed on {wrong} of the {plural(count, 'sample')} of {task}."
