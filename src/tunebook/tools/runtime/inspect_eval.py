"""Starts inspect-ai's own command line so that nothing but the job's script and the task steers the evaluation.

Before inspect-ai's command line is imported, ``.env`` files are hidden, and this module offers the ``hf`` provider the
loader of :mod:`tunebook.tools.runtime.evaluated_model`, or the model behind a server
(:mod:`tunebook.tools.runtime.served_model`).

Runs inside jobs, in a process that :mod:`tunebook.tools.runtime.inspect_evaluation` gives up to it, and needs nothing
else of tunebook. It becomes inspect-ai: signals and exit codes are inspect-ai's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.evaluated_model import hide_old_torchao, load_evaluated_model, model_in_effect
from tunebook.tools.runtime.inspect_prompts import record_prompts
from tunebook.tools.runtime.installing import install_here
from tunebook.tools.runtime.lean_start import start_transformers_lean
from tunebook.tools.runtime.served_client import ServedError
from tunebook.tools.runtime.served_model import ServedModel, answer_by_server, connect
from tunebook.tools.runtime.steering import ignore_dotenv

__all__ = ["LOADER", "Models", "main", "offer_loader", "report_missing"]

LOADER = "TunebookEvaluatedModel"
"""The name that the ``hf`` provider finds in Transformers (its model argument ``auto_model_class``)."""


@dataclass
class Models:
    """Loads the models that the ``hf`` provider asks for, and records how.

    Attributes:
        service: the description of the server; ``None`` for models that are loaded here.
        asked: what :func:`connect` needs beyond the arguments of the provider.
    """

    record: Path
    service: Path | None
    asked: dict[str, Any]
    served: list[ServedModel] = field(default_factory=list)

    def load(self, path: Path, *, device: str, precision: str, base: Path | None, sampling: bool) -> Any:
        """The model of a directory, loaded here or behind the server."""
        found: dict[str, Any] = {}
        if self.service is None:
            model = load_evaluated_model(path, precision=precision, base=base, device=device, sampling=sampling)
        else:
            model = connect(self.service, path, precision=precision, base=base, asked=self.asked)
            self.served.append(model)
            found["server"] = model.found
        in_effect = model_in_effect(path, model, precision=precision, base=base) | found
        self.record.write_text(json.dumps(in_effect, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        return model

    def close(self) -> None:
        """Lets the server forget the adapters."""
        for model in self.served:
            model.close()


def offer_loader(models: Models) -> None:
    """Lets the ``hf`` provider find the loader in Transformers."""
    import transformers

    class EvaluatedModel:
        """The interface of a Transformers class, as far as the ``hf`` provider uses it."""

        @staticmethod
        def from_pretrained(path: str, *, device_map: str, precision: str, **given: Any) -> Any:
            """Loads the model as evaluations do, or connects to its server."""
            base = Path(given["base"]) if given.get("base") else None
            sampling = bool(given.get("sampling"))
            if bool(given.get("inference")) != (models.service is not None):
                raise SystemExit(
                    "tunebook: the model's arguments and the server do not belong together: scaffold again"
                )
            try:
                return models.load(Path(path), device=device_map, precision=precision, base=base, sampling=sampling)
            except (ServedError, ValueError) as error:
                raise SystemExit(f"tunebook: {error}") from None  # one line instead of inspect-ai's traceback

    setattr(transformers, LOADER, EvaluatedModel)


def _given(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tunebook.tools.runtime.inspect_eval", allow_abbrev=False)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--service", type=Path)
    parser.add_argument("--served", type=Path)
    parser.add_argument("--record-prompts", action="store_true")
    parser.add_argument("inspect", nargs=argparse.REMAINDER)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """``--record FILE eval TASK …``: the file for the settings in effect, and the arguments of ``inspect``.

    ``--service`` and ``--served`` name the description of a server and what is asked of it; ``--record-prompts`` adds
    each rendered prompt to its sample's log.
    """
    given = _given(arguments)
    # inspect-ai knows models by their names: answers of an earlier training of the same run would be found again.
    os.environ["INSPECT_CACHE_DIR"] = str(given.record.parent / "answers")
    hide_old_torchao()
    asked = json.loads(given.served.read_text(encoding="utf-8")) if given.served else {}
    models = Models(given.record, given.service, asked)
    try:
        ignore_dotenv()
        start_transformers_lean()
        offer_loader(models)
        if given.service:
            answer_by_server()
        if given.record_prompts:
            record_prompts()
        command = _command()
    except ImportError as error:
        return report_missing(error)
    sys.argv = ["inspect", *given.inspect]
    try:
        return int(command() or 0)
    finally:
        models.close()


def report_missing(error: ImportError) -> int:
    """Writes on stderr that the environment lacks a package, and returns the exit code."""
    sys.stderr.write(f"tunebook: {error}: install what evaluations need: {install_here('tunebook[inspect]')}\n")
    return 1


def _command() -> Callable[[], int | None]:
    """inspect-ai's own, as its package declares it."""
    for entry in entry_points(group="console_scripts", name="inspect"):
        found: Callable[[], int | None] = entry.load()
        return found
    raise ImportError("inspect-ai is not installed here")
