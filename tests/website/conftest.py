"""The site, built once for the tests of this folder that one process runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.website import build


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the built site."""
    pytest.importorskip("mkdocs")
    target = tmp_path_factory.mktemp("site") / "docs"
    done = build(target)
    assert done.returncode == 0, done.stdout + done.stderr
    return target
