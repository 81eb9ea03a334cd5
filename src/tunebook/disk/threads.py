"""Threads that wait for programs at the same time, and do not hold up an interrupt."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tunebook.disk.program import programs_ended

__all__ = ["threads"]


@contextmanager
def threads(number: int) -> Iterator[ThreadPoolExecutor]:
    """A block with so many threads.

    Only the main thread is interrupted. Its Ctrl-C ends the programs that the others wait for, and drops what they
    have not begun.
    """
    pool = ThreadPoolExecutor(max_workers=number)
    try:
        yield pool
    except BaseException:
        with programs_ended():
            pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
