"""Starts inspect-ai's own command line so that nothing but the job's script and the task steers the evaluation.

Before inspect-ai is imported, :mod:`tunebook.tools.runtime.steering` removes variables and hides ``.env`` files, and
this module offers the ``hf`` provider the loader of :mod:`tunebook.tools.runtime.evaluated_model`.

Runs inside jobs (``python -P -m tunebook.tools.runtime.inspect_eval --record FILE eval …``), and needs nothing else of
tunebook. It becomes inspect-ai: signals and exit codes are inspect-ai's.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.evaluated_model import hide_old_torchao, load_evaluated_model, model_in_effect
from tunebook.tools.runtime.steering import ignore_dotenv, remove_steering, report_removed

__all__ = ["LOADER", "main"]

LOADER = "TunebookEvaluatedModel"
"""The name that the ``hf`` provider finds in Transformers (its model argument ``auto_model_class``)."""


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
    report_removed(remove_steering(os.environ))
    # inspect-ai knows models by their names: answers of an earlier training of the same run would be found again.
    os.environ["INSPECT_CACHE_DIR"] = str(record.parent / "answers")
    hide_old_torchao()
    try:
        ignore_dotenv()
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
