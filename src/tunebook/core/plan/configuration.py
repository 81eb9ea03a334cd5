"""``## Configuration``: the parameters that are the same for all runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

from tunebook.core.markdown import Bullet, fact_line
from tunebook.core.parameters import Kind, Parameter, Written
from tunebook.core.plan.parameter_values import read_value, value_text
from tunebook.core.plan.section import Section, SectionReader, Writing
from tunebook.core.plan.values import Plan

__all__ = ["ConfigurationSection"]

_REMARKS = {"notes", "note", "optimizer notes"}
_UNSET = {"none", "null", "unset", "auto", "default"}
# Written first: what a reader looks for. The others follow in the order of the table.
_FIRST = ("recipe", "gpus", "epochs", "batch_size", "packed", "lora_rank", "lora_alpha", "lr")


class ConfigurationSection(Section):
    """One bullet per parameter.

    A parameter with a column in the runs table may be listed here (``Batch sizes: 4, 8``); such a list sets nothing.
    """

    title = "Configuration"

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        settings: dict[str, Written] = {}
        listed: dict[str, tuple[Written, ...]] = {}
        for bullet in source.bullets:
            parameter = _find_parameter(bullet, source)
            if parameter is None:
                continue
            if parameter.key in settings or parameter.key in listed:
                source.problem(f"`{bullet.name}` is given twice", bullet.line)
            elif parameter.key in plan.columns and parameter.kind is not Kind.LITERAL:
                listed[parameter.key] = _read_list(bullet, parameter, source)
            else:
                written = _read_setting(bullet, parameter, source)
                if written is not None:
                    settings[parameter.key] = written
        return replace(plan, configuration=MappingProxyType(settings), listed=MappingProxyType(listed))

    def write(self, target: Writing) -> Iterator[str]:
        plan = target.plan
        in_table = [parameter.key for parameter in plan.parameters.rows]
        for key in dict.fromkeys((*_FIRST, *in_table)):
            written = plan.configuration.get(key)
            if written is not None:
                parameter = plan.parameters.by_key(key)
                yield fact_line(parameter.column, value_text(parameter, written))


def _find_parameter(bullet: Bullet, source: SectionReader) -> Parameter | None:
    """The parameter that a bullet names; an unknown name is a problem, a nested or nameless bullet stays unread."""
    if bullet.depth > 0 or not bullet.name:
        return None
    parameter = source.parameters.by_column(bullet.name)
    is_known = parameter is not None or bullet.key in _REMARKS
    if is_known or source.parameters.is_complete:
        source.take(bullet)
    if not is_known and source.parameters.is_complete:
        hint = source.parameters.suggest(bullet.name)
        source.problem(f"unknown configuration `{bullet.name}`", bullet.line, hint)
    return parameter


def _read_setting(bullet: Bullet, parameter: Parameter, source: SectionReader) -> Written | None:
    """The value of a bullet; ``None`` if it is unset or cannot be read."""
    if parameter.kind is Kind.LITERAL:
        if bullet.code is None:
            return read_value(parameter, bullet.value, source)
        code = bullet.code.raw.removesuffix("\n")
        return Written(code, code, bullet.line)
    if bullet.value.is_empty or bullet.value.text.lower() in _UNSET:
        return None
    return read_value(parameter, bullet.value, source)


def _read_list(bullet: Bullet, parameter: Parameter, source: SectionReader) -> tuple[Written, ...]:
    """Values separated by commas; a text without any readable value is a remark such as ``see the table``."""
    if parameter.kind is Kind.LIST:
        hint = "remove the bullet: its commas separate the members of one value"
        source.problem(f"`{bullet.name}` is a column of the runs table too", bullet.line, hint)
        return ()
    parts = [part.strip() for part in bullet.value.text.split(",")]
    values = []
    for part in parts:
        try:
            values.append(Written(parameter.convert(part), part, bullet.line))
        except ValueError:
            if len(parts) > 1:
                source.problem(f"`{part}` in {bullet.name} is not {parameter.allowed}", bullet.line)
    return tuple(values)
