"""What several test modules share: the example's page, and pages made of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tunebook.core.check import check_plan
from tunebook.core.parse import parse_plan
from tunebook.core.plan import Plan
from tunebook.errors import Problem

EXAMPLE = Path(__file__).parents[1] / "examples" / "capitalization_sweep"

# What a person's shell says must not reach the jobs and the tools under test.
for _name in ("HF_HUB_OFFLINE", "INSPECT_LOG_DIR", "WANDB_MODE", "TUNEBOOK_TAG"):
    os.environ.pop(_name, None)


@pytest.fixture
def page() -> str:
    """The text of the example's page."""
    return (EXAMPLE / "experiment_summary.md").read_text()


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """A copy of the example, in a directory whose name needs quoting everywhere."""
    directory = tmp_path / 'it\'s $HOME; "a" sweep'
    shutil.copytree(EXAMPLE, directory)
    return directory


@pytest.fixture
def edited(page: str) -> Callable[..., str]:
    """Makes a page with replacements; each must be possible."""

    def edit(*pairs: tuple[str, str]) -> str:
        text = page
        for old, new in pairs:
            assert old in text, f"the example has no {old!r}"
            text = text.replace(old, new)
        return text

    return edit


def problems_of(text: str) -> tuple[Problem, ...]:
    """Everything that reading and the rules find in a page."""
    parsed = parse_plan(text)
    rules = check_plan(parsed.plan, preparation_tools=["torchtune"], evaluation_tools=["inspect-ai"])
    return (*parsed.problems, *rules)


def plan_of(text: str) -> Plan:
    """The plan of a page without problems."""
    assert [str(problem) for problem in problems_of(text)] == []
    return parse_plan(text).plan
