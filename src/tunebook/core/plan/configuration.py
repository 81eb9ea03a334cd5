"""``## Configuration``: the parameters that are the same for all runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from tunebook.core.jobs import Stage
from tunebook.core.markdown import Bullet, fact_line, name_key
from tunebook.core.parameters import Kind, Parameter, ParameterTable, Written
from tunebook.core.plan.parameter_values import is_nothing, read_value, value_text
from tunebook.core.plan.remarks import is_harmless
from tunebook.core.plan.section import Section, SectionReader, Writing
from tunebook.core.plan.values import Plan

__all__ = ["ConfigurationSection"]

_DEFAULT = {"unset", "auto", "default"}
# Defaults that "none" may mean: no weight decay is not the default of 0.01.
_NONE = (None, 0, 1, "")
# Written first: what a reader looks for. The others follow in the order of the table.
_FIRST = ("recipe", "gpus", "epochs", "batch_size", "packed", "lora_rank", "lora_alpha", "lr")
_STAGES = {
    "evaluation": Stage.EVALUATION,
    "evaluations": Stage.EVALUATION,
    "eval": Stage.EVALUATION,
    "inference": Stage.EVALUATION,
    "generation": Stage.EVALUATION,
    "training": Stage.PREPARATION,
    "finetuning": Stage.PREPARATION,
    "fine-tuning": Stage.PREPARATION,
}
# Lines of an older template that tunebook decides elsewhere, and that change no result.
_WITHOUT_EFFECT = {
    "scorer": "the task's script decides how answers are scored",
    "scorers": "the task's script decides how answers are scored",
    "checkpoint directory": "set `Output directory base` in claude.local.md instead",
    "output directory": "set `Output directory base` in claude.local.md instead",
    "naming pattern": "tunebook names the directories of checkpoints",
    "output example": "tunebook names the directories of checkpoints",
}
_ELSEWHERE = {
    "model": "write it in the column `Model` of `## All Runs`",
    "epochs to evaluate": "write it in `## Evaluation Plan`",
}


@dataclass
class _Found:
    """The settings that were read, and the first place of each."""

    settings: dict[str, Written] = field(default_factory=dict)
    listed: dict[str, tuple[Written, ...]] = field(default_factory=dict)
    first: dict[str, Bullet] = field(default_factory=dict)


class ConfigurationSection(Section):
    """One setting per parameter, in any spelling, in the section itself or below a heading or a label.

    Below ``### Evaluation``, a name is that of an evaluation's setting: ``Seed`` is the evaluation's. A parameter with
    a column in the runs table may be listed here (``Batch sizes: 4, 8``); such a list sets nothing.
    """

    title = "Configuration"
    aliases = (
        "configurations",
        "training configuration",
        "evaluation configuration",
        "shared configuration",
        "common configuration",
        "experiment configuration",
        "hyperparameters",
        "settings",
    )
    decides = True
    has_settings = True
    remarks = frozenset({"optimizer notes"})

    def known_names(self, parameters: ParameterTable) -> Sequence[str]:
        return [parameter.column for parameter in parameters]

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        found = _Found()
        for_evaluation: list[tuple[Bullet, Parameter]] = []
        for bullet in source.bullets:
            parameter = _find_parameter(bullet, source)
            if parameter is None or _is_for_some_runs(bullet, parameter, source, plan):
                continue
            source.take(bullet)
            if _stage(bullet) is Stage.EVALUATION and parameter.stage is not Stage.EVALUATION:
                for_evaluation.append((bullet, parameter))
            else:
                _read(bullet, parameter, source, plan, found)
        for bullet, parameter in for_evaluation:
            _read_shared(bullet, parameter, source, plan, found)
        return replace(plan, configuration=MappingProxyType(found.settings), listed=MappingProxyType(found.listed))

    def write(self, target: Writing) -> Iterator[str]:
        plan = target.plan
        in_table = [parameter.key for parameter in plan.parameters.rows]
        for key in dict.fromkeys((*_FIRST, *in_table)):
            written = plan.configuration.get(key)
            if written is not None:
                parameter = plan.parameters.by_key(key)
                yield fact_line(parameter.column, value_text(parameter, written))


def _report_unknown(bullet: Bullet, source: SectionReader) -> None:
    place = " ".join((*bullet.groups[-1:], bullet.key))
    without_effect = _WITHOUT_EFFECT.get(bullet.key) or _WITHOUT_EFFECT.get(place)
    if without_effect:
        source.warn(f"`{bullet.name}` has no effect", bullet.line, without_effect)
    else:
        hint = _ELSEWHERE.get(bullet.key) or source.parameters.suggest(bullet.name)
        source.problem(f"unknown configuration `{bullet.name}`", bullet.line, hint)


def _stage(bullet: Bullet) -> Stage | None:
    """The stage that the nearest heading or label above names."""
    for group in reversed(bullet.groups):
        for word in group.split():
            if word in _STAGES:
                return _STAGES[word]
    return None


def _find_parameter(bullet: Bullet, source: SectionReader) -> Parameter | None:
    """The parameter that a bullet names.

    A nameless bullet, and an unknown one while the parameters are not complete, stay unread. A label with bullets below
    it needs no value.
    """
    if not bullet.name:
        if _is_label(bullet.value.text, source):
            source.take(bullet)
        return None
    name = re.sub(r"^eval ", "evaluation ", bullet.key)
    parameter = source.parameters.by_column(name)
    if _stage(bullet) is Stage.EVALUATION:
        parameter = source.parameters.by_column(f"evaluation {name}") or parameter
    if parameter is None and not bullet.value.raw and _is_label(bullet.name, source):
        source.take(bullet)
    elif parameter is None and source.parameters.is_complete:
        source.take(bullet)
        _report_unknown(bullet, source)
    elif parameter and _is_other_stage(bullet, parameter):
        source.take(bullet)
        message = f"`{bullet.name}` is a setting of the evaluation, but is below `{bullet.groups[-1]}`"
        source.problem(message, bullet.line, f"write `{parameter.column}`, or move it below `### Evaluation`")
        return None
    return parameter


def _is_for_some_runs(bullet: Bullet, parameter: Parameter, source: SectionReader, plan: Plan) -> bool:
    """Records a setting that a remark, or a run's name above it, restricts: the configuration is for all runs."""
    names = {name_key(name) for run in plan.runs for name in (run.name, run.model)}
    above = [group for group in bullet.groups if group in names]
    if bullet.remark and not is_harmless(bullet.remark):
        above.append(bullet.remark)
    if not above:
        return False
    source.take(bullet)
    source.unreadable(parameter.key)
    message = f"`{bullet.name}` is given for `{above[-1]}`, but `{ConfigurationSection.title}` is for all runs"
    source.problem(message, bullet.line, f"add a column `{parameter.column}` to `## All Runs` if runs differ in it")
    return True


def _is_label(name: str, source: SectionReader) -> bool:
    """Whether bullets are below this one."""
    key = " ".join(name.lower().split())
    return any(key in bullet.groups for bullet in source.bullets)


def _is_other_stage(bullet: Bullet, parameter: Parameter) -> bool:
    """Whether a setting of the evaluation is among those of the training, without "evaluation" in its name."""
    is_named = bullet.key.startswith(("eval ", "evaluation "))
    return _stage(bullet) is Stage.PREPARATION and parameter.stage is Stage.EVALUATION and not is_named


def _read(bullet: Bullet, parameter: Parameter, source: SectionReader, plan: Plan, found: _Found) -> None:
    first = found.first.setdefault(parameter.key, bullet)
    if parameter.key in plan.columns and parameter.kind is not Kind.LITERAL:
        listed = _read_list(bullet, parameter, source)
        before = found.listed.setdefault(parameter.key, listed)
        is_same = [item.value for item in before] == [item.value for item in listed]
    else:
        written = _read_setting(bullet, parameter, source)
        if first is bullet and written is not None:
            found.settings[parameter.key] = written
        is_same = _value(found.settings.get(parameter.key)) == _value(written)
    if first is not bullet and not is_same and not source.is_unreadable(parameter.key):
        source.report_twice(bullet.name, first.value, bullet.value)


def _value(written: Written | None) -> object:
    return None if written is None else written.value


def _read_shared(bullet: Bullet, parameter: Parameter, source: SectionReader, plan: Plan, found: _Found) -> None:
    """A setting of the training below ``Evaluation``: an error unless it is a prompt, which both stages share."""
    if parameter.kind is not Kind.LITERAL:
        message = f"`{bullet.name}` is not a setting of the evaluation, but is below `{bullet.groups[-1]}`"
        names = [row.column for row in source.parameters.of_stage(Stage.EVALUATION)]
        source.problem(message, bullet.line, f"settings of the evaluation: {', '.join(names)}")
        return
    if parameter.key not in found.first and plan.fine_tuned:
        message = f"`{bullet.name}` is given for the evaluation only, but training and evaluation share it"
        source.problem(message, bullet.line, "write it outside of the evaluation's settings")
        return
    _read(bullet, parameter, source, plan, found)


def _read_setting(bullet: Bullet, parameter: Parameter, source: SectionReader) -> Written | None:
    """The value of a bullet; ``None`` if it is unset or cannot be read."""
    if not bullet.value.raw and (bullet.code is None or parameter.kind is not Kind.LITERAL):
        hint = 'write `""` for an empty text' if parameter.kind is Kind.LITERAL else "write `-` for the default"
        source.problem(f"{bullet.name} has no value", bullet.line, hint)
        source.unreadable(parameter.key)
        return None
    if parameter.kind is Kind.LITERAL:
        if bullet.code is None or bullet.value.raw:
            return read_value(parameter, bullet.value, source)
        source.take_code(bullet.code)
        code = bullet.code.raw.removesuffix("\n")
        return Written(code, code, bullet.line)
    text = bullet.value.text.lower()
    if text in {"none", "null", "empty"} and (parameter.default is True or parameter.default not in _NONE):
        hint = f"the default is {parameter.default_text}: write `-` for it, or the value that is meant"
        source.problem(f"{bullet.name} is `{bullet.value.text}`, which may mean the default or not", bullet.line, hint)
        source.unreadable(parameter.key)
        return None
    if is_nothing(bullet.value) or text in _DEFAULT:
        return None
    return read_value(parameter, bullet.value, source)


def _read_list(bullet: Bullet, parameter: Parameter, source: SectionReader) -> tuple[Written, ...]:
    """Values separated by commas; a text without a digit is a remark such as ``see the table``."""
    if parameter.kind is Kind.LIST:
        hint = "remove the bullet: its commas separate the members of one value"
        source.problem(f"`{bullet.name}` is a column of the runs table too", bullet.line, hint)
        return ()
    text = bullet.value.text
    parts = [part.strip() for part in text.split(",")]
    is_remark = len(parts) == 1 and not any(character.isdigit() for character in text)
    values = []
    for part in parts:
        try:
            values.append(Written(parameter.convert(part), part, bullet.line))
        except ValueError:
            if not is_remark:
                source.problem(f"`{part}` in {bullet.name} is not {parameter.allowed}", bullet.line)
    return tuple(values)
