"""The process in which deep checks compute, so that torch's memory and faults are not those of the command.

Started as ``python -m tunebook.tools.deep.worker``. It reads requests, one JSON object per line, and answers each with
one. All other output of what it calls goes to its error stream.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tunebook.core.json_text import parse_json
from tunebook.disk.program import Conversation, own_python_first
from tunebook.errors import ToolError
from tunebook.tools.runtime.steering import remove_steering

__all__ = ["Worker", "main"]

_LONGEST_S = 600.0
_LAST_WORDS = 600


class Worker:
    """Calls functions in another process, which starts with the first call and ends with the block."""

    def __init__(self, timeout_s: float = _LONGEST_S) -> None:
        self._timeout_s = timeout_s
        self._process: Conversation | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="tunebook-deep-")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.close()
        self._folder.cleanup()

    @property
    def _errors(self) -> Path:
        return Path(self._folder.name) / "stderr"

    def ask(self, function: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Calls ``MODULE:FUNCTION`` with keyword arguments.

        Raises:
            ToolError: it failed, or its process did.
        """
        if self._process is None:
            self._process = Conversation(_command(), env=_environment(self._folder.name), errors=self._errors)
        request = json.dumps({"function": function, "arguments": dict(arguments)}, default=str)
        try:
            answer = parse_json(self._process.ask(request, timeout_s=self._timeout_s))
        except ToolError as error:
            self._process = None  # the next request gets a new process
            raise ToolError(f"{error}: {self._last_words()}") from error
        if "error" in answer:
            raise ToolError(str(answer["error"]))
        result: Mapping[str, Any] = answer["result"]
        return result

    def _last_words(self) -> str:
        text = self._errors.read_text(encoding="utf-8", errors="replace").strip()
        return text[-_LAST_WORDS:] or "without a message"


def _command() -> list[str]:
    # -P: modules in the directory of the experiment must not stand in for libraries.
    return [sys.executable, "-P", "-m", "tunebook.tools.deep.worker"]


def _environment(scratch: str) -> dict[str, str]:
    """As in a job: models and data are local files. The request decides, not the shell's settings."""
    env = own_python_first(dict(os.environ))
    remove_steering(env)
    env |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "WANDB_MODE": "disabled"}
    env |= {"HF_DATASETS_CACHE": f"{scratch}/datasets", "TOKENIZERS_PARALLELISM": "false", "TMPDIR": scratch}
    return env | {"CUDA_VISIBLE_DEVICES": ""}  # the proofs are in fp32 on the CPU, whatever trains


def main() -> int:
    """Answers requests until the input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        answers.write(json.dumps(_answer(parse_json(line))) + "\n")
        answers.flush()
    return 0


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    module, _, name = str(request["function"]).partition(":")
    try:
        return {"result": getattr(import_module(module), name)(**request["arguments"])}
    except Exception as error:  # noqa: BLE001 - whatever a library raises is the answer
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    sys.exit(main())
