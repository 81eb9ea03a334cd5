"""Start-up: ``--help`` and ``--version`` import no verb's room, and the verbs of the plan no heavy library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import tunebook
from support.scaffolding import scaffolded
from tunebook.cli.main import app

LIGHT_ROOMS = {"cli", "core", "errors", "api"}
ROOMS = {path.stem for path in Path(tunebook.__file__).parent.iterdir() if not path.name.startswith(("_", "."))}
LIBRARIES = ("markdown_it", "yaml", "psutil", "omegaconf", "questionary")
HEAVY = (
    "torch",
    "transformers",
    "inspect_ai",
    "pandas",
    "altair",
    "torchtune",
    "datasets",
    "scipy",
    "statsmodels",
    "vl_convert",
    "jinja2",
)
PROGRAM = """
import sys
from tunebook.cli.main import main
try:
    main()
finally:
    sys.stderr.write("\\nloaded: " + " ".join(sys.modules))
"""
VERBS = {
    "analyze",
    "check",
    "demo",
    "design",
    "import_",
    "mcp",
    "run",
    "scaffold",
    "setup_finetune",
    "site",
    "skills",
    "status",
    "tools",
}
HELP = [
    ["--help"],
    ["-h"],
    ["--version"],
    ["status", "--help"],
    ["run", "-h"],
    ["run-torchtune", "-h"],
    ["design", "-h"],
    ["analyze", "-h"],
    ["site", "-h"],
    ["site", "init", "-h"],
    ["mcp", "-h"],
    ["skills", "install", "-h"],
]


def loaded_by(*arguments: str, cwd: Path) -> set[str]:
    """The modules that a command has imported when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    return set(done.stderr.rpartition("loaded: ")[2].split())


@pytest.mark.parametrize("arguments", HELP, ids=" ".join)
def test_help_imports_no_room_of_a_verb(tmp_path: Path, arguments: list[str]) -> None:
    loaded = loaded_by(*arguments, cwd=tmp_path)
    assert "tunebook.cli.main" in loaded
    rooms = {name.split(".")[1] for name in loaded if name.startswith("tunebook.")}
    # The names of the entry points become verbs; the tools themselves are not imported.
    assert rooms <= LIGHT_ROOMS | {"disk", "tools"}
    assert {name for name in loaded if name.startswith("tunebook.disk.")} <= {"tunebook.disk.interrupts"}
    assert {name for name in loaded if name.startswith("tunebook.tools.")} <= {"tunebook.tools.entry_points"}
    assert {name for name in loaded if name.startswith("tunebook.api.")} == set()
    assert loaded.isdisjoint(LIBRARIES)


@pytest.mark.parametrize(
    ("arguments", "verbs"), [(["--help"], set()), (["--version"], set()), (["cancel", "-h"], {"status"})]
)
def test_a_command_imports_no_other_verb(tmp_path: Path, arguments: list[str], verbs: set[str]) -> None:
    loaded = loaded_by(*arguments, cwd=tmp_path)
    assert {name.removeprefix("tunebook.cli.") for name in loaded if name.startswith("tunebook.cli.")} & VERBS == verbs


def test_status_imports_what_it_shows_and_no_more(experiment: Path) -> None:
    scaffolded(experiment)
    loaded = loaded_by("status", cwd=experiment)
    rooms = {name.split(".")[1] for name in loaded if name.startswith("tunebook.")}
    assert rooms == LIGHT_ROOMS | {"disk", "artifacts", "run", "executors"}
    assert {name for name in loaded if name.startswith("tunebook.executors.")} == {"tunebook.executors.base"}
    assert {name for name in loaded if name.startswith("tunebook.api.")} == {
        "tunebook.api.location",
        "tunebook.api.watching",
    }
    assert not {name for name in loaded if name.startswith(("tunebook.core.plan", "tunebook.core.markdown"))}
    assert loaded.isdisjoint({*LIBRARIES, "pydantic"})


def test_the_list_of_verbs_says_what_their_own_help_says() -> None:
    group: Any = get_command(app)
    names = group.list_commands(None)
    assert {"status", "run-torchtune", "site"} <= set(names)
    listed = [(name, group.get_command(None, name).get_short_help_str(200)) for name in names]
    assert listed == [(name, group.loaded(name).get_short_help_str(200)) for name in names]


def test_the_rooms_that_help_may_not_import_exist() -> None:
    assert {"analysis", "design", "run", "scaffold", "executors", "site", "tools", "demo"} <= ROOMS


@pytest.mark.parametrize("arguments", [["--help"], ["check", "."], ["scaffold", "."], ["status", "."], ["tools"]])
def test_no_verb_of_the_plan_loads_a_heavy_library(experiment: Path, arguments: list[str]) -> None:
    scaffolded(experiment)
    loaded = loaded_by(*arguments, cwd=experiment)
    assert "tunebook.cli.main" in loaded
    assert loaded.isdisjoint(HEAVY)
