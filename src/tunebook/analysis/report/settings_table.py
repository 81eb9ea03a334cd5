"""The report's table of the settings with which the jobs ran."""

from __future__ import annotations

from tunebook.analysis.records import SettingUsed
from tunebook.analysis.report import cells
from tunebook.analysis.report.content import Block, Cell, Column, Section, Table, Text
from tunebook.analysis.values import Analysis

__all__ = ["settings_section"]

_MOST_VALUES = 6
_NOTE = "Each value with the line, the default or the rule that it came from, as it was when the jobs were submitted."


def settings_section(analysis: Analysis) -> Section:
    """One row per setting."""
    columns = (
        Column("group", "Of", lambda setting: cells.text(setting.group), has_filter=True),
        Column("name", "Setting", lambda setting: cells.text(setting.name)),
        Column("value", "Value", _value, is_long=True),
        Column("source", "Source", _source, is_long=True),
    )
    block: Block = Text("No job has recorded its settings yet.")
    if analysis.settings:
        block = Table.of("settings", "Settings in effect", columns, analysis.settings, note=_NOTE, is_folded=True)
    return Section("settings", "Settings in effect", (block,), short="Settings")


def _value(setting: SettingUsed) -> Cell:
    values = [value or "(none)" for value in setting.values]
    text = ", ".join(values[:_MOST_VALUES])
    if len(values) > _MOST_VALUES:
        text += f" and {len(values) - _MOST_VALUES} more"
    return cells.text(text)


def _source(setting: SettingUsed) -> Cell:
    """Where the value comes from; of several values, that of the first one."""
    first = next(iter(setting.values.values()))
    if len(setting.values) > 1:
        return cells.text(f"{first} and others; varies between runs")
    return cells.text(first)
