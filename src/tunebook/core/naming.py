"""Names of run directories: short, made of the parameters that vary, and never the same for two runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Mapping
from pathlib import PurePosixPath

from tunebook.core.parameters import Kind, Parameter, Written
from tunebook.core.plan import Plan, Run, RunType
from tunebook.errors import Problem

__all__ = [
    "as_component",
    "directory_problems",
    "is_one_component",
    "run_directories",
    "run_labels",
    "short_model_name",
]

_COMPONENT = re.compile(r"[\w+=@,][\w.+=@,-]*")
_NOT_IN_NAMES = re.compile(r"[^\w.+=@,-]")
_MOST_BYTES = 200  # file systems allow 255 bytes; SLURM and our suffixes need some of them


def is_one_component(name: str) -> bool:
    """Whether a directory, a job or a column can have this name: letters, digits and ``. _ + = @ , -``."""
    return bool(_COMPONENT.fullmatch(name)) and name not in {".", ".."} and len(name.encode()) <= _MOST_BYTES


def as_component(text: str) -> str:
    """The text with a dash for every character that is not allowed in a name."""
    return _NOT_IN_NAMES.sub("-", text)


def short_model_name(name: str) -> str:
    """The last part of a model's name, less ``-Instruct``: ``meta-llama/Llama-3.2-1B-Instruct`` → ``Llama-3.2-1B``."""
    return re.sub(r"-instruct$", "", PurePosixPath(name).name, flags=re.IGNORECASE)


def run_directories(plan: Plan) -> Mapping[str, str]:
    """Run name to the name of its directory, for every run of the plan."""
    return plan.memo.once("directories", lambda: _run_directories(plan))


def _run_directories(plan: Plan) -> Mapping[str, str]:
    has_several_models = len({run.model for run in plan.fine_tuned}) > 1
    models = _short_models(plan)
    labels = run_labels(plan)
    names: dict[str, str] = {}
    for run in plan.runs:
        if run.type is RunType.CONTROL:
            names[run.name] = f"{models[run.model]}_base"
        elif run.type is RunType.EVAL_ONLY:
            names[run.name] = run.name
        else:
            parts = list(labels[run.name])
            if has_several_models:
                parts.insert(0, models[run.model])
            names[run.name] = "_".join(parts) or run.name
    return names


def run_labels(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    """Name of a fine-tuned run to its labels such as ``rank8``, ``lr1e-5``, in the order of the parameter table."""
    labels: dict[str, tuple[str, ...]] = {run.name: () for run in plan.fine_tuned}
    for parameter in plan.parameters.rows:
        if parameter.key not in plan.columns:
            continue
        values = {_value(plan.setting(run, parameter.key)) for run in plan.fine_tuned}
        if len(values) > 1:
            for name, label in _labels(plan, parameter).items():
                labels[name] += (label,)
    return labels


def _short_models(plan: Plan) -> Mapping[str, str]:
    """Model to its short name; models of the plan that would share it (base and ``-Instruct``) keep the long one."""
    short = {run.model: short_model_name(run.model) for run in plan.runs}
    counts = Counter(name.lower() for name in short.values())
    for model, name in short.items():
        if counts[name.lower()] > 1:
            short[model] = PurePosixPath(model).name
    return short


def _value(written: Written | None) -> object:
    return None if written is None else written.value


def _labels(plan: Plan, parameter: Parameter) -> dict[str, str]:
    """Run name to a label such as ``rank8``: a value as the plan writes it first; prompts are numbered."""
    texts: dict[object, str] = {}
    labels = {}
    for run in plan.fine_tuned:
        written = plan.setting(run, parameter.key)
        value = _value(written)
        if value not in texts:
            text = _text(parameter, written, len(texts) + 1)
            texts[value] = _distinct(text, {other.lower() for other in texts.values()})
        labels[run.name] = f"{parameter.short}{texts[value]}"
    return labels


def _distinct(text: str, taken: Container[str]) -> str:
    """The text, or ``text-2`` if another value has it: two directories may hold data files of the same name."""
    candidate, number = text, 1
    while candidate.lower() in taken:
        number += 1
        candidate = f"{text}-{number}"
    return candidate


def _text(parameter: Parameter, written: Written | None, number: int) -> str:
    if parameter.kind is Kind.LITERAL:
        return str(number)
    if written is None:
        return "-default"
    if parameter.kind is Kind.ALPHA and isinstance(written.value, str):
        return written.value.replace("*", "x")
    if isinstance(written.value, tuple):
        return as_component("+".join(written.value))
    if parameter.key == "dataset":
        return as_component(PurePosixPath(written.text).stem)
    return written.text


def directory_problems(plan: Plan) -> list[Problem]:
    """Runs that would share a directory, and directory names that are not safe in paths and scripts."""
    problems: list[Problem] = []
    owners: dict[str, Run] = {}
    names = run_directories(plan)
    for run in plan.runs:
        name = names[run.name]
        if not is_one_component(name):
            hint = f"use only letters, digits and . _ + = @ , - and at most {_MOST_BYTES} bytes"
            problems.append(Problem(f"run `{run.name}` would get the directory `{name}`", plan.file, run.line, hint))
        other = owners.setdefault(name.lower(), run)
        if other.name != run.name:
            message = f"runs `{other.name}` (line {other.line}) and `{run.name}` would share the directory `{name}/`"
            problems.append(Problem(message, plan.file, run.line, _how_to_tell_apart(plan, run, other)))
    return problems


def _how_to_tell_apart(plan: Plan, run: Run, other: Run) -> str:
    if run.type is RunType.CONTROL and other.type is RunType.CONTROL:
        return "a base model is evaluated once: remove one of the two controls"
    if run.type is not other.type:
        return "rename one of them"
    columns = [parameter.column for parameter in plan.parameters.varying if parameter.key not in plan.columns]
    return "give them different values in a parameter column, for example " + ", ".join(["Seed", *columns][:4])
