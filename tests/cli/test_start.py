"""The command line starts without the rooms that it does not need yet."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tunebook import api

IMPORTED = """
import sys
from tunebook.cli.main import main
sys.argv = ["tunebook", "analyze", "--help"]
try:
    main()
finally:
    print("imported:", *sorted(sys.modules))
"""


def test_the_help_of_analyze_does_not_import_the_analysis() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    imported = done.stdout.rpartition("imported:")[2].split()
    assert "tunebook.cli.analyze" in imported
    assert not [name for name in imported if name.startswith("tunebook.analysis")]


def test_every_name_of_the_api_is_there_when_it_is_used() -> None:
    assert [name for name in api.__all__ if getattr(api, name, None) is None] == []
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        getattr(api, "nothing")  # noqa: B009
