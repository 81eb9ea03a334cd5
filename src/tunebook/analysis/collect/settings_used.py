"""Collects the settings with which a sweep's jobs ran, as their records have them."""

from __future__ import annotations

from collections.abc import Iterable

from tunebook.analysis.collect.recorded_jobs import RecordedJob
from tunebook.analysis.records import SettingUsed

__all__ = ["settings_used"]


def settings_used(jobs: Iterable[RecordedJob]) -> tuple[SettingUsed, ...]:
    """Each setting once, in the order of the records, with every value that a run had."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for job in jobs:
        for recorded in job.record.settings:
            sources = found.setdefault((recorded.group, recorded.name), {})
            sources.setdefault(recorded.value, recorded.source)
    return tuple(SettingUsed(group, name, sources) for (group, name), sources in found.items())
