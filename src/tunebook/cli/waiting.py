"""Says at a terminal that a verb is at work, once that takes some seconds. Nothing of it stays, or gets into files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from tunebook.cli.output import console
from tunebook.cli.visible import is_unicode, visible_text

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Waiting", "waiting"]

_FIRST_S = 2.0
_NEXT_S = 1.0
_CLEAR = "\r\x1b[K"
_Parameters = ParamSpec("_Parameters")
_Answer = TypeVar("_Answer")


class Waiting:
    """A line with the time that has passed, until something else is shown."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._over = threading.Event()
        self._writing = threading.Lock()
        self._is_shown = False

    def before(self, show: Callable[_Parameters, _Answer]) -> Callable[_Parameters, _Answer]:
        """The function, called where the line was; the line comes back below."""

        def shown(*arguments: _Parameters.args, **options: _Parameters.kwargs) -> _Answer:
            with self._writing:
                self._clear()
                return show(*arguments, **options)

        return shown

    def until(self, ask: Callable[_Parameters, _Answer]) -> Callable[_Parameters, _Answer]:
        """The function, with whose first call the line is over."""

        def asked(*arguments: _Parameters.args, **options: _Parameters.kwargs) -> _Answer:
            self.stop()
            return ask(*arguments, **options)

        return asked

    def stop(self) -> None:
        """Ends the line."""
        self._over.set()
        with self._writing:
            self._clear()

    def watch(self, out: Console) -> None:
        """Shows the line until it is over; once only where a line cannot be replaced."""
        begin = time.monotonic()
        delay: float | None = _FIRST_S
        while not self._over.wait(delay):
            self._show(out, time.monotonic() - begin)
            delay = None if out.is_dumb_terminal else _NEXT_S

    def _show(self, out: Console, seconds: float) -> None:
        words = visible_text(f"… {self._words}", plain_marks=not is_unicode(out.file))
        with self._writing:
            if self._over.is_set():
                return
            if out.is_dumb_terminal:
                out.file.write(f"{words}\n")
            else:
                line = f"{words} ({seconds:.0f} s)"[: out.width - 1]
                out.file.write(f"{_CLEAR}{line}")
                self._is_shown = True
            out.file.flush()

    def _clear(self) -> None:
        if self._is_shown:
            out = console(stderr=True)
            out.file.write(_CLEAR)
            out.file.flush()
            self._is_shown = False


@contextmanager
def waiting(words: str, *, quiet: bool = False) -> Iterator[Waiting]:
    """A block in which a person may have to wait.

    Args:
        words: what is done, such as ``analyzing``.
        quiet: shows nothing.
    """
    line = Waiting(words)
    out = console(stderr=True)
    if not quiet and out.is_terminal:
        threading.Thread(target=line.watch, args=(out,), daemon=True).start()
    try:
        yield line
    finally:
        line.stop()
