"""Each kind of experiment is analyzed once for all tests of a process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.made_logs import Written, analyzed
from support.ten_kinds import KINDS


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Written]:
    """The written tables of a kind by its name."""
    known: dict[str, Written] = {}

    def of(kind: str) -> Written:
        if kind not in known:
            folder: Path = tmp_path_factory.mktemp(kind)
            known[kind] = analyzed(folder, KINDS[kind]())
        return known[kind]

    return of
