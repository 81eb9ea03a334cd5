"""The changes that make an evaluation's script a spot check: few samples, or a person's own inputs, and no scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from tunebook.tools.job_script import Shell
from tunebook.tools.spot_values import QUESTIONS

__all__ = ["Message", "spot_variables"]

Message = Mapping[str, str]
_TASK = "prompts_task.py"
_OPTIONS = ("--no-score", "--epochs", "1")


def spot_variables(
    variables: Mapping[str, Shell], conversations: Sequence[Sequence[Message]], folder: Path
) -> tuple[dict[str, Shell], dict[str, str]]:
    """The variables of the script, and the files in its folder that it reads.

    The model's arguments and the settings of generation stay as they are; scorers, which may ask other models, are
    left out, and a sample that a task repeats is asked once.

    Args:
        conversations: a person's own; empty for the samples of the evaluation's task.
    """
    changed = dict(variables)
    changed["prepare_options"] = [*_words(variables["prepare_options"]), "--record-prompts"]
    changed["options"] = [*_words(variables["options"]), *_OPTIONS]
    if not conversations:
        return changed, {}
    asked = json.loads(str(variables["asked"]))
    asked = {name: value for name, value in asked.items() if name not in {"dataset", "splits"}}
    changed["asked"] = json.dumps(asked, ensure_ascii=False)
    changed["task"] = f"{folder}/{_TASK}@prompts"
    changed["task_arguments"] = json.dumps({"file": f"{folder}/{QUESTIONS}"}, ensure_ascii=False)
    task = (files("tunebook.tools.inspect") / _TASK).read_text(encoding="utf-8")
    return changed, {_TASK: task, QUESTIONS: json.dumps(conversations, ensure_ascii=False)}


def _words(value: Shell) -> list[str]:
    """An array of the script."""
    return [str(value)] if isinstance(value, str | int) else list(value)
