"""Limits of tests that only a hang exceeds, and names that no other checkout on this machine uses."""

from __future__ import annotations

import secrets

__all__ = ["HANG_S", "unique_tag"]

HANG_S = 600.0
"""Seconds after which a test takes something to hang. No test depends on how fast the machine is."""


def unique_tag() -> str:
    """A tag of a submission: processes are searched by it, and other checkouts' tests run beside this one."""
    return f"tunebook-{secrets.token_hex(8)}"
