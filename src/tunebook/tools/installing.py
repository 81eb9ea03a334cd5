"""How to install packages, and which code runs inside jobs, for the rooms that know nothing of jobs' own modules."""

from __future__ import annotations

from tunebook.tools.runtime.installing import install_anywhere, install_here, install_into, own_source
from tunebook.tools.runtime.versions import code_digest

__all__ = ["code_digest", "install_anywhere", "install_here", "install_into", "own_source"]
