"""A program at a pseudo-terminal. A question that a test does not expect fails at once, with what the program shows."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pexpect
import psutil
import pytest

from support.patience import HANG_S

__all__ = ["Terminal"]

_LOOK_S = 2.0
_PLAIN = {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "LINES": "50"}
_WIDE = 400


class Terminal:
    """A person at a terminal, in which a program runs."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        directory: Path | None = None,
        env: Mapping[str, str] | None = None,
        columns: int = _WIDE,
    ) -> None:
        program, *arguments = map(str, argv)
        self._process = pexpect.spawn(
            program,
            arguments,
            cwd=directory and str(directory),
            env={**(os.environ if env is None else env), **_PLAIN, "COLUMNS": str(columns)},
            dimensions=(50, columns),
            timeout=HANG_S,
            encoding="utf-8",
        )
        self._process.delaybeforesend = None

    @property
    def before(self) -> str:
        """The program's output before the text that was seen last."""
        return str(self._process.before)

    def sees(self, *texts: str) -> int:
        """Waits for one of the texts, and returns its place."""
        return self._expect([re.escape(text) for text in texts])

    def types(self, keys: str) -> None:
        """Types as soon as the program waits for keys."""
        deadline = time.monotonic() + HANG_S
        while not self._waits_for_keys() and self._process.isalive() and time.monotonic() < deadline:
            time.sleep(0.02)
        self._process.send(keys)

    def enters(self, line: str) -> None:
        """Types a line for a program that reads lines: the terminal keeps it until the program asks."""
        self._process.sendline(line)

    def keys(self, keys: str) -> None:
        """Sends keys to a program that reads lines, which the terminal itself understands: Ctrl-C, Ctrl-D.

        It must have begun to read: an interrupt between its question and its read shows only with the next key.
        """
        deadline = time.monotonic() + HANG_S
        while not self._sleeps() and self._process.isalive() and time.monotonic() < deadline:
            time.sleep(0.02)
        self._process.send(keys)

    def answers(self, question: str, keys: str) -> None:
        """Waits for a question and answers it."""
        self.sees(question)
        self.types(keys)

    def ends(self) -> int:
        """Waits for the program's end, and returns its exit code."""
        self._expect([pexpect.EOF])
        self._process.close()
        return -1 if self._process.exitstatus is None else int(self._process.exitstatus)

    def _expect(self, patterns: list[object]) -> int:
        deadline = time.monotonic() + HANG_S
        before: object = None
        while time.monotonic() < deadline:
            place = self._process.expect([*patterns, pexpect.TIMEOUT], timeout=_LOOK_S)
            if place < len(patterns):
                return int(place)
            now = self._idle_at()
            if now is not None and now == before:
                break
            before = now
        return int(pytest.fail(f"expected {patterns}, but the program shows\n{self._process.buffer}"))

    def _idle_at(self) -> object:
        """The program's output and CPU time when it began to wait for keys; ``None`` while it works."""
        if not self._waits_for_keys():
            return None
        used = psutil.Process(self._process.pid).cpu_times()
        return self._process.buffer, used.user, used.system

    def _waits_for_keys(self) -> bool:
        """Whether a prompt has turned the echo of keys off, and the program sleeps: on a busy machine it does not."""
        try:
            return not self._process.getecho() and self._sleeps()
        except OSError:
            return False

    def _sleeps(self) -> bool:
        try:
            return bool(psutil.Process(self._process.pid).status() == psutil.STATUS_SLEEPING)
        except psutil.Error:
            return False
