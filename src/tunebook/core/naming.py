"""Directory names: short, of what varies, and never the same for two runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
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
_LONGEST = 200  # file systems allow 255 bytes; SLURM and our suffixes want some of them


def is_one_component(name: str) -> bool:
    """Whether a name can be a directory's, a job's and a column's: letters, digits and ``. _ + = @ , -``."""
    return bool(_COMPONENT.fullmatch(name)) and name not in {".", ".."} and len(name.encode()) <= _LONGEST


def as_component(text: str) -> str:
    """The text with a dash for every character that a name cannot hold."""
    return _NOT_IN_NAMES.sub("-", text)


def short_model_name(name: str) -> str:
    """The last part of a model's name, less ``-Instruct``: ``meta-llama/Llama-3.2-1B-Instruct`` → ``Llama-3.2-1B``."""
    return re.sub(r"-instruct$", "", PurePosixPath(name).name, flags=re.IGNORECASE)


def run_directories(plan: Plan) -> Mapping[str, str]:
    """Run name to the name of its directory, for every run of the plan."""
    several = len({run.model for run in plan.fine_tuned}) > 1
    models = _short_models(plan)
    labels = run_labels(plan)
    names: dict[str, str] = {}
    for run in plan.runs:
        if run.type is RunType.CONTROL:
            names[run.name] = f"{models[run.model]}_base"
        elif run.type is RunType.EVAL_ONLY:
            names[run.name] = run.name
        else:
            parts = [models[run.model]] if several else []
            names[run.name] = "_".join([*parts, *labels[run.name]]) or run.name
    return names


def run_labels(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    """Name of a fine-tuned run to ``rank8``, ``lr1e-5``: what varies, in the table's order."""
    labels = [_labels(plan, parameter) for parameter in _varied(plan)]
    return {run.name: tuple(label[run.name] for label in labels) for run in plan.fine_tuned}


def _short_models(plan: Plan) -> Mapping[str, str]:
    """Model to its short name; two models of the plan that would share it (base and ``-Instruct``) keep their own."""
    models = dict.fromkeys(run.model for run in plan.runs)
    short = {model: short_model_name(model) for model in models}
    counts = Counter(name.lower() for name in short.values())
    return {model: name if counts[name.lower()] == 1 else PurePosixPath(model).name for model, name in short.items()}


def _varied(plan: Plan) -> list[Parameter]:
    """The parameters that differ between fine-tuned runs, compared as values."""
    keys = [parameter for parameter in plan.parameters if parameter.key in plan.columns]
    return [
        parameter
        for parameter in keys
        if len({_value(plan.setting(run, parameter.key)) for run in plan.fine_tuned}) > 1
    ]


def _value(written: Written | None) -> object:
    return None if written is None else written.value


def _labels(plan: Plan, parameter: Parameter) -> dict[str, str]:
    """Run name to ``rank8``: values are written as the plan writes them first, prompts are numbered."""
    first: dict[object, str] = {}
    labels = {}
    for run in plan.fine_tuned:
        written = plan.setting(run, parameter.key)
        value = _value(written)
        if value not in first:
            first[value] = _unlike(_text(parameter, written, len(first)), first.values())
        labels[run.name] = f"{parameter.short}{first[value]}"
    return labels


def _unlike(text: str, taken: Iterable[str]) -> str:
    """The text, or ``text-2`` where another value is written alike: two files of one name in two directories."""
    lowered = {other.lower() for other in taken}
    candidates = (text, *(f"{text}-{number}" for number in range(2, len(lowered) + 2)))
    return next(candidate for candidate in candidates if candidate.lower() not in lowered)


def _text(parameter: Parameter, written: Written | None, number: int) -> str:
    if parameter.kind is Kind.LITERAL:
        return str(number + 1)
    if written is None:
        return "-default"
    if parameter.kind is Kind.ALPHA and isinstance(written.value, str):
        return written.value.replace("*", "x")
    if isinstance(written.value, tuple):
        return as_component("+".join(written.value))
    return as_component(PurePosixPath(written.text).stem) if parameter.key == "dataset" else written.text


def directory_problems(plan: Plan) -> list[Problem]:
    """Runs that would share a directory, and directory names that no file system or script should see."""
    problems: list[Problem] = []
    owners: dict[str, Run] = {}
    names = run_directories(plan)
    for run in plan.runs:
        name = names[run.name]
        if not is_one_component(name):
            hint = "use letters, digits and . _ + = @ , - only, at most 200 bytes"
            problems.append(Problem(f"run `{run.name}` would get the directory `{name}`", plan.file, run.line, hint))
        other = owners.setdefault(name.lower(), run)
        if other is not run and other.name != run.name:
            message = f"runs `{other.name}` (line {other.line}) and `{run.name}` would share the directory `{name}/`"
            problems.append(Problem(message, plan.file, run.line, _how_to_tell_apart(plan, run, other)))
    return problems


def _how_to_tell_apart(plan: Plan, run: Run, other: Run) -> str:
    if run.type is RunType.CONTROL and other.type is RunType.CONTROL:
        return "a base model is evaluated once: remove one of the two controls"
    if run.type is not other.type:
        return "give one of them another name"
    without = [p.column for p in plan.parameters if p.short and p.key not in plan.columns]
    return "give them different values in a parameter column, for example " + ", ".join(["Seed", *without][:4])
