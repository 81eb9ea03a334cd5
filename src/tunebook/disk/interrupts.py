"""Requests to end this process: Ctrl-C, ``SIGTERM`` and a closed terminal (``SIGHUP``), which all interrupt it alike.

A signal that was ignored when the process started stays ignored (``nohup``, a command in the background of a script).
Signals arrive in the main thread only, and so does everything here; other threads pass through.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

__all__ = [
    "Interrupted",
    "begin_ending",
    "deferred",
    "handled",
    "interrupt_as_if",
    "interrupt_code",
    "interrupt_on_signals",
    "interruptible",
]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_BY_DEFAULT = (signal.SIG_DFL, signal.default_int_handler)
_SIGNALLED = 128


class Interrupted(KeyboardInterrupt):
    """The process is to end; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@dataclass
class _State:
    """The state of the handler.

    Attributes:
        first: the first signal that arrived; 0 if none did.
        waiting: a signal that arrived where none is raised; 0 if none waits.
        deferrals: how many blocks that must not be interrupted the main thread is in.
        holds_further: whether a signal waits while an earlier one is dealt with.
        is_ending: whether the block has begun to do what it must do once it is interrupted.
        is_open: whether a further signal is raised all the same.
        outer: the exception that was dealt with as the block began.
    """

    first: int = 0
    waiting: int = 0
    deferrals: int = 0
    holds_further: bool = False
    is_ending: bool = False
    is_open: bool = False
    outer: BaseException | None = None


_state = _State()


def _handle(number: int, _frame: FrameType | None) -> None:
    is_again = _state.is_ending and number == _state.first == signal.SIGHUP
    if is_again:
        return  # a terminal closes once, but the kernel, the shell and a failed write each report it
    _state.first = _state.first or number
    if _state.deferrals or _is_held():
        _state.waiting = number
        return
    _raise(number)


def _is_held() -> bool:
    """Whether an earlier signal is on its way to the block that it interrupts, or is dealt with there.

    It may also have been lost: Python drops what is raised in ``__del__``. So the raising alone holds nothing.
    """
    if not _state.holds_further or _state.is_open:
        return False
    present = sys.exception()
    is_on_its_way = isinstance(present, KeyboardInterrupt) and present is not _state.outer
    return _state.is_ending or is_on_its_way


def _raise(number: int) -> NoReturn:
    _state.waiting = 0
    raise Interrupted(number)


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def interrupt_on_signals() -> None:
    """Lets the signals raise :class:`Interrupted`; those that are ignored or handled otherwise are left alone."""
    if not _is_main():
        return
    for number in _SIGNALS:
        if signal.getsignal(number) in _BY_DEFAULT:
            signal.signal(number, _handle)


def interrupt_code() -> int:
    """Returns 128 and the number of the first signal, as shells do; that of Ctrl-C if none arrived."""
    return _SIGNALLED + (_state.first or signal.SIGINT)


def interrupt_as_if(number: int) -> NoReturn:
    """Interrupts as this signal would: what it would tell was found out otherwise."""
    if _is_main():
        _state.first = _state.first or number
    raise Interrupted(number)


def begin_ending() -> None:
    """Called first in a block of :func:`handled` that was interrupted: further signals wait from now on."""
    if _is_main():
        _state.is_ending = _state.holds_further


@contextmanager
def handled() -> Iterator[None]:
    """Installs the handlers for a block that must do something once it is interrupted.

    Once it is interrupted, no further signal cuts short what the first one asks for, if the block calls
    :func:`begin_ending` then. Further ones wait for :func:`interruptible`.
    """
    if not _is_main():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    _state.holds_further, _state.waiting = True, 0
    _state.outer = sys.exception()
    interrupt_on_signals()
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
        _state.holds_further = _state.is_ending = False
        _state.outer = None


@contextmanager
def interruptible() -> Iterator[None]:
    """A block in :func:`handled` in which a further signal is raised, also one that arrived before it."""
    if not _is_main() or not _is_held():
        yield
        return
    _state.is_open = True
    try:
        if _state.waiting:
            _raise(_state.waiting)
        yield
    finally:
        _state.is_open = False


@contextmanager
def deferred() -> Iterator[None]:
    """A block at whose end, and not in which, a signal is raised."""
    if not _is_main():
        yield
        return
    _state.deferrals += 1
    try:
        yield
    finally:
        _state.deferrals -= 1
        if _state.waiting and not _state.deferrals and not _is_held():
            _raise(_state.waiting)
