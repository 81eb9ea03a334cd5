"""Changes single values of ``setup_finetune.yaml`` and nothing else: comments and order stay."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import yaml

from tunebook.core.parameters import suggestion
from tunebook.errors import PlanError, Problem, UsageError
from tunebook.tools.base import Shrunk
from tunebook.tools.torchtune.parameters import SETUP_PARAMETERS
from tunebook.tools.torchtune.setup import Setup
from tunebook.tools.torchtune.setup_file import SETUP_KEYS, TEXT_KEYS, read_setup, setup_key

__all__ = ["set_values", "smaller_batch"]

_DATA_KEYS = frozenset(("input_dir_base", "input_formatting", "dataset_label", "dataset_ext"))
_LORA_KEYS = frozenset(parameter.key for parameter in SETUP_PARAMETERS if parameter.lora_only) - {"lora_rank"}


def set_values(text: str, assignments: Sequence[str], *, file: str, experiment: Path) -> str:
    """The text with each ``key=value`` put in; the result is read back, so that nothing wrong is ever written.

    Args:
        experiment: the directory that relative paths are relative to.

    Raises:
        UsageError: an assignment without ``=``, without effect, with an unknown key, or with a missing path.
        PlanError: the file, or the new value, cannot be read.
    """
    before = None
    with suppress(PlanError):  # an assignment may correct what is wrong in the file
        before = read_setup(text, file=file)
    given: dict[str, str] = {}
    for assignment in assignments:
        key, value = _parts(assignment)
        if key in given:
            raise UsageError(f"--set {assignment}: {key} is given twice", hint=f"remove this or --set {given[key]}")
        given[key] = assignment
        text = _replace(text, key, _scalar(key, value))
    after = read_setup(text, file=file)
    problems = [*_without_effect(before, after, given), *_missing_paths(after, given, experiment)]
    if problems:
        raise UsageError(problems)
    return text


def _parts(assignment: str) -> tuple[str, str]:
    name, separator, value = assignment.partition("=")
    key = setup_key(name.strip())
    if not separator:
        raise UsageError(f"--set {assignment}: write key=value")
    if key in SETUP_KEYS:
        return key, value
    hint = suggestion(key, SETUP_KEYS)
    if key == "dataset":
        hint = "set the parts of its path: input_dir_base, input_formatting, dataset_label, dataset_ext"
    raise UsageError(f"--set {assignment}: unknown key `{key}`", hint=hint)


def _without_effect(before: Setup | None, after: Setup, given: Mapping[str, str]) -> Iterator[Problem]:
    """Values that the file has already, and settings of adapters where there are none."""
    for key, assignment in given.items():
        if before is not None and before.values[key] == after.values[key]:
            hint = "remove it: without --set, the files are derived from the settings as they are"
            yield Problem(f"--set {assignment} has no effect: the file has this value already", hint=hint)
        elif key in _LORA_KEYS and after.lora_rank is None:
            message = f"--set {assignment} has no effect: lora_rank is unset, so that all weights are trained"
            yield Problem(message, hint="set lora_rank too, or remove it")


def _missing_paths(setup: Setup, given: Mapping[str, str], experiment: Path) -> Iterator[Problem]:
    """Data, models, environments and recipes that do not exist here."""
    paths: dict[str, str] = {}
    for key in given:
        if key in _DATA_KEYS:
            paths[setup.dataset_path] = f"--set {given[key]}: the data set"
    if "model_checkpoint" in given:
        paths[setup.model_checkpoint] = f"--set {given['model_checkpoint']}: the model"
    if given.get("venv") and setup.venv:
        paths[setup.venv] = f"--set {given['venv']}: the environment"
    if "custom_recipe" in given and setup.custom_recipe.endswith(".py"):
        paths[setup.custom_recipe] = f"--set {given['custom_recipe']}: the recipe"
    for path, what in paths.items():
        full = experiment / Path(path).expanduser()
        if not full.exists():
            yield Problem(f"{what} {full} was not found", hint="correct the path; nothing was changed")


def smaller_batch(text: str, *, file: str) -> Shrunk | None:
    """Batch size and gradient accumulation now, and with a batch of at most half the size.

    The effective batch, which is their product, stays what it is: the larger of the divisors that are small enough is
    taken.

    Returns:
        The settings before and after, or ``None`` if the batch is 1 already.

    Raises:
        PlanError: the file cannot be read.
    """
    setup = read_setup(text, file=file)
    size, steps = setup.batch_size, setup.gradient_accumulation_steps
    smaller = next((number for number in range(size // 2, 0, -1) if size * steps % number == 0), None)
    if smaller is None:
        return None
    before = {"batch_size": size, "gradient_accumulation_steps": steps}
    return Shrunk(before, {"batch_size": smaller, "gradient_accumulation_steps": size * steps // smaller})


def _scalar(key: str, value: str) -> str:
    if key in TEXT_KEYS and value not in {"null", "~"}:
        return json.dumps(value, ensure_ascii=False)
    return value.strip() or "null"


def _replace(text: str, key: str, scalar: str) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)  # its marks count characters, which a C loader's do not promise
    for key_node, node in root.value if isinstance(root, yaml.MappingNode) else ():
        if setup_key(str(key_node.value)) == key:
            start, end = node.start_mark.index, node.end_mark.index
            if text[start:end].endswith("\n"):
                end -= 1
            if isinstance(node, yaml.SequenceNode) and not node.flow_style:
                start, scalar = key_node.end_mark.index, f": {scalar}"  # a list that begins on the next line
            return text[:start] + scalar + text[end:]
    return text.rstrip("\n") + f"\n{key}: {scalar}\n"
