"""A process that has everything loaded which evaluations of one model need, and becomes a copy of itself for each.

Several evaluations in one job spend most of their time on imports and on loading the same model. This process loads
once. For each evaluation it forks: the copy runs the module that was asked for, with the arguments, directory,
environment and output of the job that asked, and ends with that module's exit code. No copy can change what the next
one gets, and a copy that crashes ends its own evaluation only.

Models are kept where jobs compute on CPUs. A process that uses a GPU cannot be copied, so there each copy loads the
model itself; what is saved is the imports.

It is the service of a pack (``python -P -m tunebook.tools.runtime.warm_evaluations --service-file FILE``);
:mod:`tunebook.tools.runtime.warm_client` asks it. Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.evaluated_model import hide_old_torchao, keep_model
from tunebook.tools.runtime.lean_start import start_inspect_lean, start_transformers_lean
from tunebook.tools.runtime.steering import ignore_dotenv, remove_steering
from tunebook.tools.runtime.warm_client import KIND, read_message, write_message

__all__ = ["main"]

_PRELOADED = (
    *("torch", "transformers", "peft", "inspect_ai", "inspect_ai.log", "inspect_ai._cli.main"),
    "inspect_ai.model._providers.hf",
)
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
_LOOK_S = 0.05
_GRACE_S = 10.0


@dataclass(frozen=True)
class _Request:
    """An evaluation that a job asked for."""

    module: str
    arguments: tuple[str, ...]
    directory: str
    environment: dict[str, str]
    streams: tuple[int, ...]


class _Warm:
    """The process that is copied; ``threads`` is how many a copy computes with."""

    def __init__(self, listener: socket.socket) -> None:
        import torch

        self._listener = listener
        self._torch: Any = torch
        self.threads: int = torch.get_num_threads()
        # Threads of this process do not exist in its copies, which would wait for them: it computes with one only.
        torch.set_num_threads(1)

    def serve(self) -> _Request:
        """Answers one job after the other; returns in the copies only, each with its request."""
        while True:
            connection, _ = self._listener.accept()
            with connection:
                request = self._answer(connection)
            if request is not None:
                self._listener.close()
                self._torch.set_num_threads(self.threads)
                return request

    def _answer(self, connection: socket.socket) -> _Request | None:
        """Runs a request in a copy and sends its exit code; returns the request in the copy."""
        try:
            document, streams = read_message(connection)
        except (OSError, ValueError):
            return None
        request = _Request(
            document["module"],
            tuple(document["arguments"]),
            document["directory"],
            document["environment"],
            tuple(streams),
        )
        self._keep(document.get("model"))
        gc.freeze()  # so that the copy's collector leaves the shared memory untouched
        copy = os.fork()
        if copy == 0:
            return request
        for stream in streams:
            os.close(stream)
        code = _ended(copy, connection)
        with suppress(OSError):
            write_message(connection, {"code": code})
        return None

    def _keep(self, model: dict[str, Any] | None) -> None:
        """Loads the whole model of a request, unless it is there or computes on a GPU."""
        if not model or _has_gpu():
            return
        base = model.get("base")
        # The copy meets the same error, and reports it to its job.
        with suppress(Exception):
            keep_model(Path(model["model_path"]), precision=model["precision"], base=Path(base) if base else None)


def _has_gpu() -> bool:
    """Whether jobs compute on a GPU; asking CUDA itself would make copies impossible."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and not visible.strip():
        return False
    return any(Path("/dev").glob("nvidia[0-9]*"))


def _ended(copy: int, connection: socket.socket) -> int:
    """Waits for a copy, and returns its exit code; ends it if the job that asked is gone."""
    deadline: float | None = None
    while True:
        done, status = os.waitpid(copy, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if deadline is None and _is_gone(connection):
            os.kill(copy, signal.SIGTERM)
            deadline = time.monotonic() + _GRACE_S
        elif deadline is not None:
            time.sleep(_LOOK_S)
            if time.monotonic() > deadline:
                os.kill(copy, signal.SIGKILL)


def _is_gone(connection: socket.socket) -> bool:
    """Whether the other side has closed the connection; waits a moment for that."""
    readable, _, _ = select.select([connection], [], [], _LOOK_S)
    if not readable:
        return False
    try:
        return not connection.recv(1)
    except OSError:
        return True


def _run(request: _Request) -> int:
    """Does in a copy what ``python -P -m MODULE ARGUMENT …`` does in the job."""
    for number, stream in enumerate(request.streams, start=1):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request.directory)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv = [request.module, *request.arguments]
    try:
        runpy.run_module(request.module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        sys.stderr.write(f"{ended.code}\n")
        return 1
    except BaseException:  # noqa: BLE001  as Python itself does it
        traceback.print_exc()
        return 1
    return 0


def _import_all() -> None:
    """Imports what evaluations import; a module that is not there is missed by the evaluation that needs it."""
    remove_steering(os.environ)
    hide_old_torchao()
    with suppress(ImportError):
        ignore_dotenv()  # before inspect-ai, which takes the search from the package once
    start_inspect_lean()
    start_transformers_lean()
    for name in _PRELOADED:
        with suppress(Exception):
            importlib.import_module(name)


def main(arguments: Sequence[str]) -> int:
    """``--service-file FILE``: written once evaluations can be asked for."""
    parser = argparse.ArgumentParser(prog="tunebook.tools.runtime.warm_evaluations")
    parser.add_argument("--service-file", type=Path, required=True)
    file: Path = parser.parse_args(arguments).service_file
    place = file.with_name("warm.sock")
    for name in _OFFLINE:  # libraries read them while they are imported, before an evaluation brings its own
        os.environ.setdefault(name, "1")
    _import_all()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place))
    listener.listen()
    part = file.with_name(f"{file.name}.part")
    part.write_text(json.dumps({"kind": KIND, "socket": str(place)}) + "\n", encoding="utf-8")
    part.replace(file)
    return _run(_Warm(listener).serve())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
