"""The templates for issues and changes, and the changelog, have the form that their readers expect."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
CHANGES = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_there_is_a_form_for_each_kind_of_report() -> None:
    assert [form.stem for form in FORMS] == ["bug", "feature", "wrong_result"]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_a_form_is_one_that_github_shows(form: Path) -> None:
    document: Any = yaml.safe_load(form.read_text())
    assert {"name", "description", "body"} <= set(document)
    fields = [item for item in document["body"] if item["type"] != "markdown"]
    assert {item["type"] for item in fields} <= {"textarea", "input", "dropdown", "checkboxes"}
    names = [item["id"] for item in fields]
    assert len(set(names)) == len(names)
    assert all(item["attributes"]["label"] for item in fields)
    assert all(item["attributes"]["options"] for item in fields if item["type"] == "dropdown")
    assert any(item.get("validations", {}).get("required") for item in fields)


def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", version) for version in versions[1:])
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= CHANGES


def test_the_readme_of_a_package_has_no_link_that_leads_nowhere() -> None:
    """An index shows it without the files beside it."""
    hook = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["metadata"]["hooks"]
    text = (ROOT / "README.md").read_text()
    assert re.findall(r"\]\((?!https?:)", text)
    for change in hook["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(change["pattern"], change["replacement"], text)
    assert re.findall(r"\]\((?!https?:)|!\[", text) == []
    assert "Tutorial**: run the demo, the plan" in text


def test_files_that_contributing_names_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`((?:src|tests|docs|examples)/[\w./]+)`", text))
    assert named
    assert sorted(path for path in named if not (ROOT / path).exists()) == []
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).exists(), target
