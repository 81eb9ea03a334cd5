"""Threads that wait for programs do not hold up an interrupt of the main thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from support.patience import HANG_S
from tunebook.disk.program import Completed, run_program
from tunebook.disk.threads import threads

LONGER_S = 10 * HANG_S
KILLED = -9


def sleeps(begun: Path) -> Completed:
    return run_program(["bash", "-c", f"touch '{begun}'; sleep {LONGER_S}"], timeout_s=LONGER_S)


def interrupted_after_start(begun: Path, *works: Callable[[], Completed]) -> list[Future[Completed]]:
    """Submits the work to one thread, and interrupts the main one as soon as its program runs."""
    futures: list[Future[Completed]] = []
    with suppress(KeyboardInterrupt), threads(1) as pool:
        futures += [pool.submit(work) for work in works]
        while not begun.exists():
            time.sleep(0.02)
        raise KeyboardInterrupt
    return futures


def test_an_interrupt_ends_the_program_of_a_thread_and_begins_no_other(tmp_path: Path) -> None:
    begun, never = tmp_path / "begun", tmp_path / "never"
    first, second = interrupted_after_start(begun, lambda: sleeps(begun), lambda: sleeps(never))
    assert first.result().returncode == KILLED
    assert second.cancelled()
    assert not never.exists()


def test_a_thread_that_goes_on_with_another_program_is_ended_too(tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    def two() -> Completed:
        sleeps(begun)
        return sleeps(tmp_path / "then")

    (only,) = interrupted_after_start(begun, two)
    assert only.result().returncode == KILLED


def test_a_program_runs_again_after_an_interrupt(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    interrupted_after_start(begun, lambda: sleeps(begun))
    assert run_program(["true"], timeout_s=HANG_S).returncode == 0
