"""Locks that let one tunebook at a time work on an experiment, and name their holder."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from tunebook.core.json_text import UNFIT
from tunebook.core.paths import LOCK
from tunebook.disk.read import read_json
from tunebook.errors import LockedError

__all__ = ["exclusive"]


@contextmanager
def exclusive(experiment: Path, purpose: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Locks the experiment for one purpose (``scaffold``, ``run``, ``plan``).

    Args:
        experiment: the experiment's directory.
        purpose: another process can hold the lock of another purpose at the same time.
        wait_s: seconds to wait for another holder.

    Raises:
        LockedError: another process holds it; the message says which, where and since when.
    """
    path = experiment / f"{LOCK}.{purpose}"
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = path.with_suffix(f"{path.suffix}.owner")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        message = f"another tunebook {purpose} works in {experiment}{_holder(owner)}"
        raise LockedError(message, hint="wait for it, or end it") from None
    try:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        owner.write_text(json.dumps({"pid": os.getpid(), "host": platform.node(), "since": now}) + "\n")
        yield
    finally:
        with suppress(OSError):
            owner.unlink()
        lock.release()


def _holder(owner: Path) -> str:
    try:
        document = read_json(owner)
        return f" (process {document['pid']} on {document['host']} since {document['since']})"
    except (OSError, *UNFIT):
        return ""
