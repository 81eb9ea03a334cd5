"""Addresses of logs: as files next to the report, and in the viewer of inspect-ai."""

from __future__ import annotations

import shlex
from urllib.parse import quote

__all__ = ["log_href", "view_command", "viewer_href"]

_VIEWER = "http://127.0.0.1:7575/#/logs/"  # where ``inspect view`` answers


def log_href(log: str) -> str:
    """The log's address from ``analysis/``; it starts with ``../``, so that no name can be read as a scheme."""
    return "../" + quote(log)


def viewer_href(log: str, *, sample: str | None = None) -> str:
    """The address of a log, or of a sample's first repetition, while the viewer of :func:`view_command` runs."""
    address = _VIEWER + quote(log)
    return address if sample is None else f"{address}/samples/sample/{quote(sample, safe='')}/1/"


def view_command(experiment: str) -> str:
    """The command that starts the viewer."""
    return shlex.join(["inspect", "view", "--log-dir", experiment])
