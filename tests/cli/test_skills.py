"""``tunebook skills``: what is installed where, what edited files meet, and whether the skills' commands exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.command_line import tunebook
from support.skill_commands import command_options, commands_of
from tunebook import __version__, api
from tunebook.agents.shipped import agents_section, shipped_skills
from tunebook.disk.atomic import write_text
from tunebook.errors import ConflictError

NAMES = [
    "design-experiment",
    "scaffold-experiment",
    "scaffold-torchtune",
    "scaffold-inspect",
    "run-experiment",
    "run-torchtune",
    "run-inspect",
    "analyze-experiment",
    "create-inspect-task",
    "move-experiment",
]
FOLDERS = [".claude/skills", ".agents/skills"]
FIELDS = {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
CODES = ("0", "1", "2", "3", "4", "130", "143", "129")
WRITES_NOTHING = {"status", "tools"}
RUN = ".claude/skills/run-experiment/SKILL.md"


def document(directory: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = tunebook(directory, *arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def actions(found: dict[str, Any]) -> dict[str, str]:
    return {file["path"]: file["action"] for file in found["data"]["files"]}


def front_matter(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return found


def test_install_writes_every_skill_in_both_layouts_and_a_section_of_agents_md(tmp_path: Path) -> None:
    written = actions(document(tmp_path, "skills", "install"))
    expected = [f"{folder}/{name}/SKILL.md" for folder in FOLDERS for name in NAMES]
    assert written == dict.fromkeys([*expected, "AGENTS.md"], "created")
    for path in expected:
        head = front_matter((tmp_path / path).read_text())
        assert set(head) <= FIELDS
        assert head["name"] == Path(path).parent.name
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", head["name"])
        assert 0 < len(head["description"]) <= 1024
        assert "Use when" in head["description"]
        assert len(head["compatibility"]) <= 500
        assert head["metadata"]["generator"] == f"tunebook {__version__}"
        assert all(isinstance(value, str) for value in head["metadata"].values())
        listed = next(skill for skill in shipped_skills() if skill.name == head["name"])
        assert listed.description == head["description"]
    assert set(actions(document(tmp_path, "skills", "install")).values()) == {"unchanged"}


@pytest.mark.parametrize(("layout", "folder"), [("claude", FOLDERS[0]), ("agents", FOLDERS[1])])
def test_one_layout_without_agents_md(tmp_path: Path, layout: str, folder: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    document(tmp_path, "skills", "install", "--dir", "project", "--layout", layout, "--no-agents-md")
    assert {path.parts[0] for path in (item.relative_to(project) for item in project.rglob("*"))} == {folder[:7]}
    assert sorted(path.parent.name for path in project.rglob("SKILL.md")) == sorted(NAMES)


def test_an_edited_skill_is_kept_until_it_is_overwritten_with_a_copy(tmp_path: Path) -> None:
    document(tmp_path, "skills", "install")
    path = tmp_path / RUN
    mine = path.read_text() + "\nAlways ask Ada first.\n"
    path.write_text(mine)
    kept = document(tmp_path, "skills", "install", code=4)
    assert kept["data"]["conflicts"] == [RUN]
    assert [(item["file"], item["hint"]) for item in kept["warnings"]] == [
        (RUN, "`--overwrite` replaces it and keeps it as .orig")
    ]
    assert path.read_text() == mine
    shown = tunebook(tmp_path, "skills", "install")
    assert f"{RUN}: warning: was edited and is kept" in shown.stderr
    assert actions(document(tmp_path, "skills", "install", "--overwrite"))[RUN] == "overwritten"
    assert "Ada" not in path.read_text()
    assert (path.parent / "SKILL.md.orig").read_text() == mine


def test_a_skill_of_another_version_is_updated_and_a_foreign_one_is_kept(tmp_path: Path) -> None:
    from tunebook.agents.marks import marked_skill

    document(tmp_path, "skills", "install")
    older = marked_skill(next(skill.text for skill in shipped_skills() if skill.name == "run-experiment") + "Old.\n")
    (tmp_path / RUN).write_text(older)
    foreign = tmp_path / ".claude/skills/run-inspect/SKILL.md"
    foreign.write_text("---\nname: run-inspect\ndescription: of somebody else\n---\n")
    listed = {item["name"]: item["installed"] for item in document(tmp_path, "skills", "list")["data"]["skills"]}
    assert listed["run-experiment"][RUN] == "of another version"
    assert listed["run-inspect"][".claude/skills/run-inspect/SKILL.md"] == "edited"
    found = actions(document(tmp_path, "skills", "install", code=4))
    assert found[RUN] == "updated"
    assert "Old." not in (tmp_path / RUN).read_text()
    assert "somebody else" in foreign.read_text()


def test_agents_md_keeps_the_text_of_the_project_around_the_section(tmp_path: Path) -> None:
    page = tmp_path / "AGENTS.md"
    page.write_text("# Our rules\n\nSpeak German.")
    assert actions(document(tmp_path, "skills", "install"))["AGENTS.md"] == "updated"
    first = page.read_text()
    assert first.startswith("# Our rules\n\nSpeak German.\n\n<!-- tunebook begin")
    assert agents_section() in first
    page.write_text(f"{first}\nThe end.\n")
    assert actions(document(tmp_path, "skills", "install"))["AGENTS.md"] == "unchanged"
    page.write_text(page.read_text().replace("Exit codes: 0 done", "Exit codes: 0 fine"))
    assert document(tmp_path, "skills", "install", code=4)["data"]["conflicts"] == ["AGENTS.md"]
    document(tmp_path, "skills", "install", "--overwrite")
    assert page.read_text() == f"{first}\nThe end.\n"


def test_a_section_without_its_end_takes_no_text_with_it(tmp_path: Path) -> None:
    document(tmp_path, "skills", "install")
    agents = tmp_path / "AGENTS.md"
    cut = agents.read_text().replace("<!-- tunebook end -->", "") + "My own rules.\n"
    agents.write_text(cut)
    for action in ("updated", "unchanged"):
        assert actions(document(tmp_path, "skills", "install", "--overwrite"))["AGENTS.md"] == action
        assert agents.read_text().startswith(cut)
    assert agents.read_text().count("<!-- tunebook end -->") == 1


def test_a_section_with_line_ends_of_windows_is_the_same_section(tmp_path: Path) -> None:
    document(tmp_path, "skills", "install")
    agents = tmp_path / "AGENTS.md"
    agents.write_bytes(b"# My project\r\n" + agents.read_bytes().replace(b"\n", b"\r\n"))
    assert actions(document(tmp_path, "skills", "install"))["AGENTS.md"] == "updated"
    assert agents.read_bytes().startswith(b"# My project\r\n")
    assert agents.read_text().count("<!-- tunebook begin") == 1


def test_a_file_that_somebody_saves_at_the_same_moment_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agents = tmp_path / "AGENTS.md"

    def saved_meanwhile(path: Path, text: str, **options: Any) -> bool:
        if path == agents:
            agents.write_text("My own rules.\n")
        return write_text(path, text, **options)

    monkeypatch.setattr("tunebook.disk.atomic.write_text", saved_meanwhile)
    with pytest.raises(ConflictError, match=r"AGENTS\.md was changed while this ran"):
        api.skills_install(tmp_path)
    assert agents.read_text() == "My own rules.\n"


def test_a_dry_run_writes_nothing_and_list_says_what_is_installed(tmp_path: Path) -> None:
    found = document(tmp_path, "skills", "install", "--dry-run")
    assert all(file["diff"] for file in found["data"]["files"])
    assert list(tmp_path.iterdir()) == []
    listed = document(tmp_path, "skills", "list")["data"]["skills"]
    assert [item["name"] for item in listed] == NAMES
    assert {state for item in listed for state in item["installed"].values()} == {"not installed"}
    assert "move-experiment: Moves an experiment to tunebook" in tunebook(tmp_path, "skills", "list").stdout


def test_wrong_places_are_usage_errors(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "project" / ".claude").mkdir(parents=True)
    (tmp_path / "project" / ".claude" / "skills").symlink_to(tmp_path / "elsewhere")
    led_out = document(tmp_path, "skills", "install", "--dir", "project", code=2)["errors"][0]
    assert "a symbolic link leads out of" in led_out["message"]
    assert list((tmp_path / "elsewhere").iterdir()) == []
    missing = document(tmp_path, "skills", "install", "--dir", "nowhere", code=2)["errors"][0]
    assert "nowhere is not a directory" in missing["message"]
    unknown = document(tmp_path, "skills", "install", "--layout", "cursor", code=2)["errors"][0]
    assert (unknown["message"], unknown["hint"]) == ("unknown layout `cursor`", "layouts: claude, agents")


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_of_a_skill_exist_and_print_documents(name: str) -> None:
    commands = list(commands_of(name))
    assert commands
    for command in commands:
        options = command_options(command.verb)
        assert options is not None, command.line
        used = {word.partition("=")[0] for word in command.words if word.startswith("--")}
        assert used <= options, command.line
        assert "--json" in used


@pytest.mark.parametrize("name", NAMES)
def test_a_skill_is_short_explains_every_exit_code_and_allows_only_what_writes_nothing(name: str) -> None:
    text = next(skill.text for skill in shipped_skills() if skill.name == name)
    assert len(text.splitlines()) <= 110
    words = " ".join(text.split())
    for code in CODES:
        assert re.search(rf"(?:[Ee]xit code |[.,;:] |and ){code}\b", words), code
    assert "never a file that tunebook generated" in words
    assert re.search(r"[Aa]sk the user|read each to the user", words)
    allowed = re.findall(r"Bash\(tunebook (\w+):\*\)", front_matter(text)["allowed-tools"])
    assert set(allowed) <= WRITES_NOTHING


def test_the_section_of_agents_md_names_verbs_that_exist() -> None:
    for verb in re.findall(r"`tunebook ([a-z-]+)", agents_section()):
        assert command_options(verb) is not None, verb
