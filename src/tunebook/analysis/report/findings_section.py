"""The report's findings: what was detected, what was not, and the cautions, each once."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.formatting import capitalized, percent_text, plural
from tunebook.analysis.report.content import Block, Entries, Entry, Section, Style, Text
from tunebook.analysis.values import Analysis

__all__ = ["finding_entries", "findings_sections"]


def finding_entries(analysis: Analysis) -> tuple[Entry, ...]:
    """Every finding with its verdict, but hypotheses, which have a table of their own."""
    has_tasks = len(analysis.tasks) > 1
    elsewhere = {"caution", "hypothesis"}
    return tuple(_entry(finding, has_tasks=has_tasks) for finding in _once(analysis) if finding.kind not in elsewhere)


def _once(analysis: Analysis) -> Iterator[Finding]:
    """The findings without those that say the same as an earlier one, as cautions of several tasks may."""
    said = set()
    for finding in analysis.findings:
        if finding.text not in said:
            said.add(finding.text)
            yield finding


def _entry(finding: Finding, *, has_tasks: bool) -> Entry:
    tags = []
    if finding.significant is not None:
        tags = ["significant after correction"] if finding.significant else ["not detected"]
    if has_tasks and finding.task and finding.kind != "caution":
        tags.append(finding.task)
    return Entry(finding.text, tag=" · ".join(tags), significant=finding.significant)


def findings_sections(analysis: Analysis, entries: tuple[Entry, ...]) -> Iterator[Section]:
    """The findings with those that were not detected folded, and the cautions."""
    if not entries:
        yield Section("findings", "Findings", (Text("No findings yet: no evaluation has a log that counts."),))
    else:
        yield Section("findings", "Findings", tuple(_blocks(analysis, entries)))
    cautions = [_entry(finding, has_tasks=False) for finding in _once(analysis) if finding.kind == "caution"]
    if cautions:
        yield Section("cautions", "Cautions", (Entries(tuple(cautions)),))


def _blocks(analysis: Analysis, entries: tuple[Entry, ...]) -> Iterator[Block]:
    found = tuple(entry for entry in entries if entry.significant is not False)
    missed = tuple(entry for entry in entries if entry.significant is False)
    if found:
        yield Entries(found)
    else:
        yield Text("No difference and no effect was detected.")
    if missed:
        yield Entries(missed, fold=capitalized(f"{plural(len(missed), 'test')} that detected no difference"))
    level = f"{1 - analysis.level:.2g}"
    note = (
        f"Intervals are {percent_text(analysis.level)} confidence intervals. A difference is called significant if its "
        f"p-value, corrected for the number of tests by Holm's method, is below {level}. “Not detected” does not mean "
        "that there is no difference: the intervals show how large it may be."
    )
    yield Text(note, Style.NOTE)
