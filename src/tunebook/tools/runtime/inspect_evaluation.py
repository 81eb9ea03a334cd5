"""One evaluation with inspect-ai from the check of its model to its result, in one process and one copy of it.

The process imports what reading a log needs and becomes a copy of itself, in which inspect-ai and the person's task
run. Nothing that they change reaches the process itself, which then reads the log and decides. Where several
evaluations share a process (:mod:`tunebook.tools.runtime.warm_evaluations`), a copy of that one does all this.

Runs inside jobs (``python -P -m tunebook.tools.runtime.inspect_evaluation … eval TASK …``), and needs nothing else of
tunebook. Every failure is one line on stderr and exit code 1; otherwise the exit code is inspect-ai's.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tunebook.tools.runtime import inspect_eval
from tunebook.tools.runtime.inspect_job import Files, prepare, verify
from tunebook.tools.runtime.job_errors import reported
from tunebook.tools.runtime.lean_start import start_inspect_lean
from tunebook.tools.runtime.steering import ignore_dotenv, remove_steering, report_removed
from tunebook.tools.runtime.warm_client import ask, shared_process

__all__ = ["in_copy", "main"]

_MODULE = "tunebook.tools.runtime.inspect_evaluation"
_SIGNALLED = 128
_PR_SET_PDEATHSIG = 1


def _given(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=_MODULE, allow_abbrev=False)
    parser.add_argument("--model", required=True)
    parser.add_argument("--model-path", type=Path, required=True)
    parser.add_argument("--precision", required=True)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--plain-text", action="store_true")
    parser.add_argument("--inference", default="")
    parser.add_argument("--service", type=Path)
    parser.add_argument("--served", type=Path)
    parser.add_argument("--record-prompts", action="store_true")
    for option in ("--task-config", "--asked", "--scratch", "--log-dir", "--out"):
        parser.add_argument(option, type=Path, required=True)
    parser.add_argument("--prepared-at", type=float, default=0, help="for a copy: when its job checked the model")
    parser.add_argument("inspect", nargs=argparse.REMAINDER)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """The options of the model and of the files, then ``eval TASK`` and the options of ``inspect eval``."""
    given = _given(arguments)
    if given.prepared_at:
        return _evaluated(given, given.prepared_at)
    since = int(time.time())
    report_removed(remove_steering(os.environ))
    code = reported(lambda: _prepare(given))
    if code:
        return code
    connection = shared_process()
    if connection is None:
        return _evaluated(given, since)
    model = json.loads(_model_arguments(given).read_text(encoding="utf-8"))
    return ask(connection, _MODULE, ["--prepared-at", str(since), *arguments], model=model)


def _model_arguments(given: argparse.Namespace) -> Path:
    scratch: Path = given.scratch
    return scratch / "model.json"


def _prepare(given: argparse.Namespace) -> None:
    prepare(
        given.model_path,
        _model_arguments(given),
        precision=given.precision,
        base=given.base,
        sample=given.sample,
        plain_text=given.plain_text,
        inference=given.inference,
    )


def _evaluated(given: argparse.Namespace, since: float) -> int:
    """Evaluates in a copy of this process, and reads the log in the process itself."""
    files = Files(
        logs=given.log_dir,
        since=since,
        model_arguments=_model_arguments(given),
        task_arguments=given.task_config,
        asked=given.asked,
        in_effect=given.scratch / "in_effect.json",
        task=given.inspect[1],
    )
    try:
        ignore_dotenv()  # before inspect-ai, which takes the search from the package once
        import inspect_ai.log  # noqa: F401  # shared by the copy and by the check of its log
    except ImportError as error:
        return inspect_eval.report_missing(error)
    start_inspect_lean()
    code = in_copy(lambda: inspect_eval.main(_inspect_arguments(given, files)))
    if code:
        return code
    return reported(lambda: verify(files, given.out, model=given.model))


def _inspect_arguments(given: argparse.Namespace, files: Files) -> list[str]:
    """The arguments of the launcher: the file for the settings in effect, the server, and inspect-ai's own."""
    own = ["--record", str(files.in_effect)]
    for option, path in (("--service", given.service), ("--served", given.served)):
        if path is not None:
            own += [option, str(path)]
    if given.record_prompts:
        own.append("--record-prompts")
    verb, task, *options = given.inspect
    own += [verb, task, "--model", given.model, "--model-config", str(files.model_arguments)]
    own += ["--task-config", str(files.task_arguments), "--log-dir", str(files.logs)]
    return [*own, "--log-format", "eval", *options]


def in_copy(work: Callable[[], int]) -> int:
    """Runs work in a copy of this process, which ends with the exit code that it returns; returns that code.

    A request to end reaches the copy. The code of a copy that a signal ended is 128 and the signal's number, as in a
    shell.
    """
    copies: list[int] = []

    def end(number: int, _: Any) -> None:
        if not copies:
            raise SystemExit(_SIGNALLED + number)
        os.kill(copies[0], number)

    before = signal.signal(signal.SIGTERM, end)
    sys.stdout.flush()
    sys.stderr.flush()
    copy = os.fork()
    if copy == 0:
        signal.signal(signal.SIGTERM, before)
        _end_with_parent()
        sys.exit(_code(work))
    copies.append(copy)
    try:
        _, status = os.waitpid(copy, 0)
    finally:
        signal.signal(signal.SIGTERM, before)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else _SIGNALLED - code


def _end_with_parent() -> None:
    """Has Linux kill this copy if its parent is killed, which then cannot end it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _code(work: Callable[[], int]) -> int:
    """The exit code of work in a copy; an error is shown as Python shows it, and ends the copy only."""
    try:
        return work()
    except Exception:  # noqa: BLE001  as Python itself does it
        traceback.print_exc()
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
