"""Starts inspect-ai's own command line so that nothing but the job's script and the task steers the evaluation.

Before inspect-ai is imported, this module removes environment variables that set options, makes the search for
``.env`` files find nothing, and offers the ``hf`` provider the loader of :mod:`tunebook.tools.runtime.evaluated_model`.

Variables that are removed: all whose names begin with ``INSPECT_``, ``ACCELERATE_``, ``TRANSFORMERS_``, ``HF_``,
``PEFT_`` or ``SCOUT_``, and those that change how GPUs multiply. Variables that stay: the places of caches, whether to
work offline, and a token, which a task may need for a model that grades.

Runs inside jobs (``python -P -m tunebook.tools.runtime.inspect_eval --record FILE eval …``), and needs nothing else of
tunebook. It becomes inspect-ai: signals and exit codes are inspect-ai's.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, MutableMapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.evaluated_model import hide_old_torchao, load_evaluated_model, model_in_effect

__all__ = ["LOADER", "main", "remove_steering"]

LOADER = "TunebookEvaluatedModel"
"""The name that the ``hf`` provider finds in Transformers (its model argument ``auto_model_class``)."""

_STEERING = ("INSPECT_", "ACCELERATE_", "TRANSFORMERS_", "HF_", "PEFT_", "SCOUT_")
_STEERING_NAMES = ("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE")
_HARMLESS = (
    *("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"),
    *("HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE", "HF_MODULES_CACHE", "HF_ASSETS_CACHE", "HF_XET_CACHE"),
    *("TRANSFORMERS_CACHE", "HF_TOKEN", "HF_TOKEN_PATH"),
)


def remove_steering(environment: MutableMapping[str, str]) -> list[str]:
    """Removes the variables that could change an evaluation; returns their names in order."""
    found = []
    for name in sorted(environment):
        is_steering = name.startswith(_STEERING) and name not in _HARMLESS
        if is_steering or name in _STEERING_NAMES:
            del environment[name]
            found.append(name)
    return found


def _ignore_dotenv() -> None:
    """Makes inspect-ai's search for a ``.env`` file find nothing, in this directory and above.

    inspect-ai takes the search from the package. A task that loads a file of its own still can.
    """
    import dotenv

    def found_nothing(*_: Any, **__: Any) -> str:
        return ""

    dotenv.find_dotenv = found_nothing


def _offer_loader(record: Path) -> None:
    import transformers

    class EvaluatedModel:
        """The interface of a Transformers class, as far as the ``hf`` provider uses it."""

        @staticmethod
        def from_pretrained(path: str, *, device_map: str, precision: str, **given: Any) -> Any:
            """Loads the model as :func:`load_evaluated_model` does, and records how."""
            base = Path(given["base"]) if given.get("base") else None
            sampling = bool(given.get("sampling"))
            try:
                model = load_evaluated_model(
                    Path(path), precision=precision, base=base, device=device_map, sampling=sampling
                )
            except ValueError as error:
                raise SystemExit(f"tunebook: {error}") from None  # one line instead of inspect-ai's traceback
            in_effect = model_in_effect(Path(path), model, precision=precision, base=base)
            record.write_text(json.dumps(in_effect, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            return model

    setattr(transformers, LOADER, EvaluatedModel)


def main(arguments: Sequence[str]) -> int:
    """``--record FILE eval TASK …``: the file for the settings in effect, and the arguments of ``inspect``."""
    if len(arguments) < 3 or arguments[0] != "--record":  # noqa: PLR2004
        sys.stderr.write("tunebook: give --record FILE, and the arguments of inspect\n")
        return 2
    record = Path(arguments[1])
    removed = remove_steering(os.environ)
    if removed:
        sys.stderr.write(f"tunebook: ignored variables: {', '.join(removed)}\n")
    # inspect-ai knows models by their names: answers of an earlier training of the same run would be found again.
    os.environ["INSPECT_CACHE_DIR"] = str(record.parent / "answers")
    hide_old_torchao()
    try:
        _ignore_dotenv()
        _offer_loader(record)
        command = _command()
    except ImportError as error:
        sys.stderr.write(f"tunebook: {error}: install what evaluations need (pip install 'tunebook[inspect]')\n")
        return 1
    sys.argv = ["inspect", *arguments[2:]]
    return int(command() or 0)


def _command() -> Callable[[], int | None]:
    """inspect-ai's own, as its package declares it."""
    for entry in entry_points(group="console_scripts", name="inspect"):
        found: Callable[[], int | None] = entry.load()
        return found
    raise ImportError("inspect-ai is not installed here")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
