"""The documents agree with the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.make_llms import llms_text
from support.make_reference import DOCS, REFERENCE, cli_reference
from support.reference_files import STATE, state_names

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("name", REFERENCE)
def test_the_reference_agrees_with_the_code(name: str) -> None:
    """After a change: make reference."""
    assert (DOCS / name).read_text() == REFERENCE[name]()


def test_the_command_line_shows_which_arguments_may_be_left_out() -> None:
    text = cli_reference()
    assert "`tunebook spot-check RUN [EXPERIMENT_DIR] [OPTIONS]`" in text
    assert "`tunebook task new NAME [DIRECTORY] [OPTIONS]`" in text
    assert "`tunebook analyze [EXPERIMENT_DIR]... [OPTIONS]`" in text


def test_the_command_line_shows_opposites_and_defaults() -> None:
    text = cli_reference()
    assert "- `--array / --no-array`: " in text
    assert "- `--figure-ppi N`: Pixels per inch of PNG files. (default: 200)\n" in text


def test_a_failure_has_one_row() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", REFERENCE["failures.md"](), re.MULTILINE)
    assert len(rows) == len(set(rows))


def test_every_file_of_the_state_is_explained() -> None:
    assert state_names() == set(STATE)


def test_llms_txt_lists_every_page_in_the_standard_form() -> None:
    """After a change of a title or of a first sentence: make reference."""
    text = (ROOT / "docs" / "llms.txt").read_text()
    assert text == llms_text(ROOT / "docs")
    assert re.match(r"# tunebook\n\n> ", text)
    targets = re.findall(r"^- \[[^\]]+\]\(([^)]+)\)", text, re.MULTILINE)
    assert set(targets) == {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page}: {target}"


def test_tests_that_the_documents_name_exist() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for page in PAGES:
        for name in re.findall(r"`(test_\w+)`", page.read_text()):
            assert f"def {name}(" in source, f"{page}: {name}"


def test_verbs_that_the_documents_show_exist() -> None:
    verbs = set(re.findall(r"## `tunebook ([\w-]+)", cli_reference()))
    for page in PAGES:
        for block in re.findall(r"^```bash\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            shown = set(re.findall(r"^tunebook ([a-z][\w-]*)", block, re.MULTILINE))
            assert shown <= verbs, page
