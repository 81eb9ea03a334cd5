"""Changes single values of ``setup_finetune.yaml`` and nothing else: comments and order stay."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from tunebook.core.parameters import suggestion
from tunebook.core.paths import expanded
from tunebook.errors import PlanError, Problem, UsageError
from tunebook.tools.base import Shrunk
from tunebook.tools.finetuning.setup import Setup
from tunebook.tools.finetuning.setup_file import SetupFile
from tunebook.tools.runtime.yaml_reading import compose_yaml

__all__ = ["set_values", "smaller_batch"]

_DATA_KEYS = frozenset(("input_dir_base", "input_formatting", "dataset_label", "dataset_ext"))

Form = SetupFile[Any]


def set_values(
    form: Form,
    text: str,
    assignments: Sequence[str],
    *,
    file: str,
    experiment: Path,
    own_paths: Callable[[Any, Mapping[str, str]], Mapping[str, str]] | None = None,
) -> str:
    """The text with each ``key=value`` put in; the result is read back, so that nothing wrong is ever written.

    Args:
        form: of the tool's setup file.
        experiment: the directory that relative paths are relative to.
        own_paths: the settings and the assignments by key to further paths that must exist, each with what it is.

    Raises:
        UsageError: an assignment without ``=``, without effect, with an unknown key, or with a missing path.
        PlanError: the file, or the new value, cannot be read.
    """
    before = None
    with suppress(PlanError):  # an assignment may correct what is wrong in the file
        before = form.read(text, file=file)
    given: dict[str, str] = {}
    for assignment in assignments:
        key, value = _parts(form, assignment)
        if key in given:
            raise UsageError(f"--set {assignment}: {key} is given twice", hint=f"remove this or --set {given[key]}")
        given[key] = assignment
        text = _replace(form, text, key, _scalar(form, key, value))
    after = form.read(text, file=file)
    paths = _paths(after, given)
    if own_paths is not None:
        paths |= own_paths(after, given)
    problems = [*_without_effect(form, before, after, given), *_missing_paths(paths, experiment)]
    if problems:
        raise UsageError(problems)
    return text


def _parts(form: Form, assignment: str) -> tuple[str, str]:
    name, separator, value = assignment.partition("=")
    key = form.key(name.strip())
    if not separator:
        raise UsageError(f"--set {assignment}: write key=value")
    if key in form.keys:
        return key, value
    hint = suggestion(key, form.keys)
    if key == "dataset":
        hint = "set the parts of its path: input_dir_base, input_formatting, dataset_label, dataset_ext"
    raise UsageError(f"--set {assignment}: unknown key `{key}`", hint=hint)


def _without_effect(form: Form, before: Setup | None, after: Setup, given: Mapping[str, str]) -> Iterator[Problem]:
    """Values that the file has already, and settings of adapters where there are none."""
    for key, assignment in given.items():
        if before is not None and before.values[key] == after.values[key]:
            hint = "remove it: without --set, the files are derived from the settings as they are"
            yield Problem(f"--set {assignment} has no effect: the file has this value already", hint=hint)
        elif form.by_key[key].lora_only and key != "lora_rank" and after.lora_rank is None:
            message = f"--set {assignment} has no effect: lora_rank is unset, so that all weights are trained"
            yield Problem(message, hint="set lora_rank too, or remove it")


def _paths(setup: Setup, given: Mapping[str, str]) -> dict[str, str]:
    """The data, model and environment that assignments name, each with what it is."""
    paths: dict[str, str] = {}
    for key in given:
        if key in _DATA_KEYS:
            paths[setup.dataset_path] = f"--set {given[key]}: the data set"
    if "model_checkpoint" in given:
        paths[setup.model_checkpoint] = f"--set {given['model_checkpoint']}: the model"
    if given.get("venv") and setup.venv:
        paths[setup.venv] = f"--set {given['venv']}: the environment"
    return paths


def _missing_paths(paths: Mapping[str, str], experiment: Path) -> Iterator[Problem]:
    for path, what in paths.items():
        full = experiment / expanded(path)
        if not full.exists():
            yield Problem(f"{what} {full} was not found", hint="correct the path; nothing was changed")


def smaller_batch(form: Form, text: str, *, file: str) -> Shrunk | None:
    """Batch size and gradient accumulation now, and with a batch of at most half the size.

    The effective batch, which is their product, stays what it is: the larger of the divisors that are small enough is
    taken.

    Returns:
        The settings before and after, or ``None`` if the batch is 1 already.

    Raises:
        PlanError: the file cannot be read.
    """
    setup = form.read(text, file=file)
    size, steps = setup.batch_size, setup.gradient_accumulation_steps
    smaller = next((number for number in range(size // 2, 0, -1) if size * steps % number == 0), None)
    if smaller is None:
        return None
    before = {"batch_size": size, "gradient_accumulation_steps": steps}
    return Shrunk(before, {"batch_size": smaller, "gradient_accumulation_steps": size * steps // smaller})


def _scalar(form: Form, key: str, value: str) -> str:
    if key in form.text_keys and value not in {"null", "~"}:
        return json.dumps(value, ensure_ascii=False)
    return value.strip() or "null"


def _replace(form: Form, text: str, key: str, scalar: str) -> str:
    root = compose_yaml(text, loader=yaml.SafeLoader)  # its marks count characters, which a C loader's do not promise
    for key_node, node in root.value if isinstance(root, yaml.MappingNode) else ():
        if form.key(str(key_node.value)) == key:
            start, end = node.start_mark.index, node.end_mark.index
            if text[start:end].endswith("\n"):
                end -= 1
            if isinstance(node, yaml.SequenceNode) and not node.flow_style:
                start, scalar = key_node.end_mark.index, f": {scalar}"  # a list that begins on the next line
            return text[:start] + scalar + text[end:]
    return text.rstrip("\n") + f"\n{key}: {scalar}\n"
