"""Collects the settings with which a sweep's jobs ran, as their records have them."""

from __future__ import annotations

from collections.abc import Iterable

from tunebook.analysis.collect.source import Source
from tunebook.analysis.records import RunRecord, SettingUsed
from tunebook.artifacts.provenance import read_provenance

__all__ = ["settings_used"]


def settings_used(source: Source, runs: Iterable[RunRecord]) -> tuple[SettingUsed, ...]:
    """Each setting once, in the order of the records, with every value that a run had."""
    scaffolded = {facts.job.name for facts in source.jobs}
    found: dict[tuple[str, str], SettingUsed] = {}
    for run in runs:
        for job in read_provenance(source.experiment / run.directory):
            if job.job not in scaffolded:
                continue  # of a task that the plan has no more
            for recorded in job.settings:
                setting = found.setdefault((recorded.group, recorded.name), SettingUsed(recorded.group, recorded.name))
                setting.values.setdefault(recorded.value, recorded.source)
    return tuple(found.values())
