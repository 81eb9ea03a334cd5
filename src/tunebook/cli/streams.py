"""The streams and the encoding of the process: what the environment left out is set right before anything is read."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import cast

from tunebook.cli.visible import visible_text
from tunebook.errors import ExitCode, TunebookError, os_problem

__all__ = ["end_output", "is_of_output", "prepare_streams", "say_output_lost", "use_utf8"]

_TERMINAL = "TUNEBOOK_TERMINAL_ENCODING"
"""The encoding of the streams of the process that started itself again; its children do not get it."""
_LAST_STANDARD = 2


def prepare_streams() -> None:
    """Gives closed streams a place, and lets the others show as an escape what their encoding lacks."""
    if sys.stdin is None:
        sys.stdin = _opened("r")
    if sys.stdout is None:
        sys.stdout = _opened("w")
    if sys.stderr is None:
        sys.stderr = _opened("w")
    encoding = os.environ.pop(_TERMINAL, None)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def _opened(mode: str) -> TextIOWrapper:
    """A stream that has nothing; programs that are started have it too, where it takes the place of a closed one."""
    stream = cast("TextIOWrapper", open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115  it stays open
    if stream.fileno() <= _LAST_STANDARD:
        os.set_inheritable(stream.fileno(), True)
    return stream


def use_utf8() -> None:
    """Starts the process again where paths and files would have another encoding than UTF-8, because of its locale.

    Raises:
        TunebookError: that is impossible.
    """
    if sys.getfilesystemencoding() == "utf-8":
        return
    if _TERMINAL not in os.environ and sys.executable:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        environment = os.environ | {"PYTHONUTF8": "1", _TERMINAL: encoding}
        with suppress(OSError):
            os.execve(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]], environment)  # noqa: S606
    message = f"the locale's encoding is {sys.getfilesystemencoding()}, and tunebook needs UTF-8"
    raise TunebookError(message, hint="`export PYTHONUTF8=1`, then run the same command again")


def end_output(code: int) -> int:
    """Writes what is left of the output; returns the exit code, that of a failure if it cannot be written."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return say_output_lost(error)
    return code


def is_of_output(error: OSError) -> bool:
    """Whether an error was raised by a write to a stream: the command line itself opens no files."""
    room = ""
    place = error.__traceback__
    while place is not None:
        module = str(place.tb_frame.f_globals.get("__name__"))
        if module.startswith("tunebook."):
            room = module
        place = place.tb_next
    return error.filename is None and room.startswith("tunebook.cli.")


def say_output_lost(error: OSError) -> ExitCode:
    """Says why the output cannot be written, unless nobody reads it, and drops what is left of it."""
    if not isinstance(error, BrokenPipeError):
        with suppress(OSError):  # it may be the same disk
            sys.stderr.write(f"error: the output cannot be written: {visible_text(str(os_problem(error)))}\n")
            sys.stderr.flush()
    for stream in (sys.stdout, sys.stderr):
        _drop(stream)
    return ExitCode.FAILED


def _drop(stream: object) -> None:
    """Python writes what a stream still holds when it ends, and would complain with a code of its own."""
    if isinstance(stream, TextIOWrapper):
        try:
            stream.flush()
        except OSError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, stream.fileno())
            os.close(nothing)
