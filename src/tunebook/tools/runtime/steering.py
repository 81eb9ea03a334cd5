"""Keeps variables of the environment and ``.env`` files from steering an evaluation.

Variables that are removed: all whose names begin with ``INSPECT_``, ``LM_EVAL_``, ``LMEVAL_``, ``LM_HARNESS_``,
``ACCELERATE_``, ``TRANSFORMERS_``, ``HF_``, ``PEFT_`` or ``SCOUT_``, those that change how GPUs multiply, and those
that make a process one of several. Variables that stay: the places of caches, whether to work offline, whether bars
show progress, and a token, which a task may need for a model that grades.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any

__all__ = ["ignore_dotenv", "remove_steering", "report_removed"]

_STEERING = ("INSPECT_", "LM_EVAL_", "LMEVAL_", "LM_HARNESS_", "ACCELERATE_", "TRANSFORMERS_", "HF_", "PEFT_", "SCOUT_")
_STEERING_NAMES = (
    *("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"),
    *("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"),
)
_NO_BARS = {"TQDM_DISABLE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
_HARMLESS = (
    *_NO_BARS,
    *("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"),
    *("HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE", "HF_MODULES_CACHE", "HF_ASSETS_CACHE", "HF_XET_CACHE"),
    *("TRANSFORMERS_CACHE", "HF_TOKEN", "HF_TOKEN_PATH"),
)


def remove_steering(environment: MutableMapping[str, str]) -> list[str]:
    """Removes the variables that could change an evaluation; returns their names in order.

    The libraries' progress bars are hidden: the output of a job is a file, which they would fill.
    """
    found = []
    for name in sorted(environment):
        is_steering = name.startswith(_STEERING) and name not in _HARMLESS
        if is_steering or name in _STEERING_NAMES:
            del environment[name]
            found.append(name)
    for name, value in _NO_BARS.items():
        environment.setdefault(name, value)
    return found


def report_removed(names: list[str]) -> None:
    """Names the variables in the job's output."""
    if names:
        sys.stderr.write(f"tunebook: ignored variables: {', '.join(names)}\n")


def ignore_dotenv() -> None:
    """Makes the search for a ``.env`` file find nothing, in this directory and above.

    Libraries take the search from the package. A task that loads a file of its own still can.
    """
    import dotenv

    def found_nothing(*_: Any, **__: Any) -> str:
        return ""

    dotenv.find_dotenv = found_nothing
