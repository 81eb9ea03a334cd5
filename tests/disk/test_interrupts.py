"""Signals that ask a process to end interrupt it where it can be interrupted, and none is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.patience import HANG_S
from tunebook.disk import interrupts
from tunebook.disk.interrupts import Interrupted, deferred, handled, interrupt_on_signals, interruptible

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def own_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test begins with the handlers of a fresh process."""
    monkeypatch.setattr(interrupts, "_state", interrupts._State())
    before = {number: signal.getsignal(number) for number in NUMBERS}
    for number in NUMBERS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_each_signal_interrupts_and_gives_its_exit_code(number: signal.Signals) -> None:
    interrupt_on_signals()
    with pytest.raises(Interrupted) as caught:
        signal.raise_signal(number)
    assert caught.value.number == number
    assert interrupts.interrupt_code() == 128 + number


def test_a_signal_that_was_ignored_at_the_start_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupt_on_signals()
    with handled():
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_signal_in_a_deferred_block_is_raised_at_its_end_also_if_the_block_fails() -> None:
    interrupt_on_signals()
    done = []

    def work(*, fails: bool) -> None:
        with deferred(), deferred():
            signal.raise_signal(signal.SIGTERM)
            done.append(fails)
            if fails:
                raise ValueError

    for fails in (False, True):
        with pytest.raises(Interrupted):
            work(fails=fails)
    assert done == [False, True]


def test_only_the_first_signal_cuts_short_and_a_further_one_only_what_may_be() -> None:
    steps: list[str] = []
    with handled():
        try:
            signal.raise_signal(signal.SIGTERM)
        except Interrupted:
            interrupts.begin_ending()
            signal.raise_signal(signal.SIGINT)
            steps.append("recorded")
            try:
                with interruptible():
                    steps.append("waited")
            except Interrupted as second:
                steps.append(signal.Signals(second.number).name)
            signal.raise_signal(signal.SIGINT)
            steps.append("recorded again")
    assert steps == ["recorded", "SIGINT", "recorded again"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_further_signal_waits_also_before_the_block_has_begun_to_end() -> None:
    steps: list[str] = []
    with handled():
        try:
            signal.raise_signal(signal.SIGTERM)
        except Interrupted:
            signal.raise_signal(signal.SIGINT)
            steps.append("cleaned")
    assert steps == ["cleaned"]


def test_a_signal_interrupts_a_block_whose_caller_deals_with_an_earlier_one() -> None:
    interrupt_on_signals()
    try:
        signal.raise_signal(signal.SIGINT)
    except Interrupted:
        with pytest.raises(Interrupted), handled():
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_python_drops_keeps_no_further_one_from_interrupting() -> None:
    class Dropping:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    dropping = Dropping()
    with handled():
        del dropping
        with pytest.raises(Interrupted) as caught:
            signal.raise_signal(signal.SIGTERM)
    assert caught.value.number == signal.SIGTERM
    assert interrupts.interrupt_code() == 130


def test_a_closed_terminal_that_is_told_several_times_is_one_interruption() -> None:
    """A write fails, then the kernel tells it, then the shell; a further signal of another kind still counts."""
    with handled():
        try:
            interrupts.interrupt_as_if(signal.SIGHUP)
        except Interrupted:
            interrupts.begin_ending()
            signal.raise_signal(signal.SIGHUP)
            with interruptible():
                signal.raise_signal(signal.SIGHUP)
            with pytest.raises(Interrupted), interruptible():
                signal.raise_signal(signal.SIGTERM)
    assert interrupts.interrupt_code() == 129


def test_a_program_that_is_being_started_as_the_signal_arrives_is_ended(tmp_path: Path) -> None:
    """The signal arrives in the block in which the program starts."""
    code = """
import os, signal, subprocess, sys
from tunebook.disk import interrupts, program
interrupts.interrupt_on_signals()
real = subprocess.Popen
def start(*arguments, **options):
    process = real(*arguments, **options)
    open(sys.argv[1], "w").write(str(process.pid))
    os.kill(os.getpid(), signal.SIGTERM)
    return process
program.subprocess.Popen = start
try:
    program.run_program(["sleep", "600"], timeout_s=600)
except KeyboardInterrupt:
    sys.exit(interrupts.interrupt_code())
"""
    path = tmp_path / "pid"
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=HANG_S)
    assert done.returncode == 143
    stat = Path(f"/proc/{path.read_text()}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"
