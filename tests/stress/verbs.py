"""Calls verbs in a child process, and judges how they end: no bug, no traceback, no control character, in time."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tunebook.cli import main as command_line

__all__ = ["LONGEST_S", "Ended", "TooSlowError", "keep_inside", "place_of", "restore", "verb", "within"]

LONGEST_S = 30
_CODES = {0, 1, 2, 3, 4}
_BUG = "this is a bug in tunebook"


class TooSlowError(BaseException):
    """An input took longer than any may."""


@dataclass(frozen=True)
class Ended:
    """How a verb ended; ``fault`` is what is wrong with that, and empty if nothing is."""

    code: int
    output: str
    fault: str


def restore(pristine: Path, path: Path) -> None:
    """Makes ``path`` a fresh copy of an experiment."""
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(pristine, path, symlinks=True)


def keep_inside(folder: Path) -> None:
    """Lets nothing that a verb writes by itself land outside the folder."""
    os.environ.update({"HOME": str(folder), "TMPDIR": str(folder), "XDG_CACHE_HOME": str(folder)})
    os.chdir(folder)


def _too_slow(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TooSlowError


@contextmanager
def within(seconds: int = LONGEST_S) -> Iterator[None]:
    """Raises :class:`TooSlowError` after that time of the processor."""
    signal.signal(signal.SIGPROF, _too_slow)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def verb(arguments: Sequence[str]) -> Ended:
    """Calls a verb in this process."""
    shown = StringIO()
    code: object = 0
    left = ""
    try:
        with redirect_stdout(shown), redirect_stderr(shown), within():
            sys.argv = ["tunebook", *arguments]
            command_line.main()
    except SystemExit as end:
        code = end.code
    except TooSlowError as error:
        left = f"it took over {LONGEST_S} s: {place_of(error)}"
    except BaseException as error:  # noqa: BLE001  nothing may leave a verb
        left = f"{error!r} left the verb: {place_of(error)}"
    output = shown.getvalue()
    number = int(code) if isinstance(code, int) else -1 * (code is not None)
    return Ended(number, output, left or _fault(number, output))


def _fault(code: int, output: str) -> str:
    if _BUG in output:
        return _with_traceback(output[output.index(_BUG) :][:400])
    if "Traceback (most recent call last)" in output:
        return output[-600:]
    if any(mark in output for mark in ("\x1b", "\x07", "\x9b")):
        return "a control character was printed"
    return "" if code in _CODES else f"exit code {code}"


def _with_traceback(words: str) -> str:
    """The words, and the end of the traceback that they name."""
    for word in words.split():
        if word.endswith(".txt") and Path(word).is_file():
            lines = Path(word).read_text(encoding="utf-8").splitlines()
            Path(word).unlink()
            return f"{words[:150]} … {' / '.join(line.strip() for line in lines[-7:])}"
    return words


def place_of(error: BaseException) -> str:
    """Where an error was raised, and from where that was called."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
