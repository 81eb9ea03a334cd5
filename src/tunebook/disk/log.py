"""Appends entries to logs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tunebook.core.log_entry import format_entry
from tunebook.disk.append import append_lines

__all__ = ["Log"]


class Log:
    """One log file, opened at the first entry; entries of several threads do not mix.

    Args:
        path: the file, in the directory that no link may lead out of; ``None`` discards all entries (a dry run).
        clock: local time.
    """

    def __init__(self, path: Path | None, clock: Callable[[], datetime]) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()

    def entry(self, action: str, description: str, **lines: str) -> None:
        """Appends one entry; see :func:`tunebook.core.log_entry.format_entry`."""
        self.entries([(action, description, lines)])

    def entries(self, entries: list[tuple[str, str, dict[str, str]]]) -> None:
        """Appends several entries of the same moment with one write."""
        if self.path is None or not entries:
            return
        now = self._clock()
        text = "".join(format_entry(now, action, description, **lines) for action, description, lines in entries)
        with self._lock:
            append_lines(self.path, text.encode("utf-8", "surrogateescape"), within=self.path.parent)
