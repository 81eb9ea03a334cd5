"""Every command that README and documentation show exists, and is run where that is possible."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from support.plugins import TOYTRAINER, install_project
from support.shown_commands import (
    PAGES,
    RUN,
    SHOWN_ONLY,
    TESTED_ELSEWHERE,
    Command,
    Place,
    commands,
    inline_commands,
)
from support.tiny_model import build_tiny_model
from support.website import DOCS, ROOT
from tunebook.cli.main import app
from tunebook.demo.data import task_source

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers and torch warn of one another
_SHOWN = [command for page in PAGES for command in commands(page)]
_ALL = [*_SHOWN, *(command for page in PAGES for command in inline_commands(page))]
_CALLS = sorted({command.words: command for command in _ALL if command.words.startswith("tunebook ")}.items())
_TOO_LONG_S = 3600


@pytest.mark.parametrize("command", [call for _, call in _CALLS], ids=[words for words, _ in _CALLS])
def test_the_verb_and_its_options_exist(command: Command) -> None:
    """Arguments in capitals and in brackets stand for values."""
    words = [word for word in command.arguments[1:] if not re.fullmatch(r"\[[A-Z_]+\]|…|\.\.\.", word)]
    group: Any = typer.main.get_command(app)
    if words[0].startswith("-"):
        assert words[0] in {option for item in group.params for option in item.opts}
        return
    if words[0].endswith("-toytrainer") or words[0] in {"VERB", "scaffold-TOOL", "run-TOOL"}:
        return  # the example's tool is installed below
    verb = group.get_command(None, words[0])
    assert verb is not None, f"{command.page}: no verb {words[0]}"
    verb, rest = group.loaded(words[0]), words[1:]
    if hasattr(verb, "commands"):
        name = rest.pop(0) if rest and rest[0] in verb.commands else "show"
        verb = verb.commands[name]
    options = {option for item in verb.params for option in (*item.opts, *item.secondary_opts)} | {"--help", "-h"}
    for word in rest:
        if word.startswith("-") and word != "-":
            assert word.partition("=")[0] in options, f"{command.page}: {words[0]} has no {word}"


def test_every_command_is_run_or_has_a_reason() -> None:
    run = {words for place in RUN.values() for words in place}
    unknown = {
        f"{command.page}: {command.words}"
        for command in _SHOWN
        if command.words not in run
        and not command.words.startswith(tuple(SHOWN_ONLY))
        and command.page not in TESTED_ELSEWHERE
    }
    assert not unknown, "\n".join(sorted(unknown))


def test_no_command_is_run_that_no_page_shows() -> None:
    shown = {command.words for command in _ALL}
    assert {words for place in RUN.values() for words in place} - shown == set()


def test_targets_and_extras_that_are_shown_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for command in _SHOWN:
        if command.words.startswith("make ") and "--" not in command.words:
            for target in command.arguments[1:]:
                assert "=" in target or re.search(rf"^{target}:", makefile, re.MULTILINE), command
        for names in re.findall(r"(?:tunebook|\.)\[([\w, -]+)\]", command.words):
            assert {name.strip() for name in names.split(",")} <= set(extras), command


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with everything that the pages' commands name."""
    root = tmp_path_factory.mktemp("shown")
    build_tiny_model(root / "models" / "tiny")
    words = [{"input": word, "output": word.capitalize()} for word in ("house", "table", "water", "stone")]
    data = {"train": words * 4, "validation": words, "test": words[:2]}
    (root / "words.json").write_text(json.dumps(data))
    (root / "cap_task.py").write_text(task_source())
    (root / "home").mkdir()
    (root / "empty").mkdir()
    shutil.copy(ROOT / "tests" / "yaml_plans" / "complete.yaml", root / "experiment_summary.yaml")
    install_project(TOYTRAINER, root / "site")
    return root


def _called(root: Path, words: str, directory: Path, *, with_toy: bool = False) -> subprocess.CompletedProcess[str]:
    """Runs a command as a shell would, with the tiny model in place of a real one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "INSPECT"))}
    environment |= {"HOME": str(root / "home"), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    if with_toy:
        environment["PYTHONPATH"] = str(root / "site")
    arguments = [word.replace("models/Llama-3.2-1B-Instruct", "models/tiny") for word in shlex.split(words)]
    return subprocess.run(
        arguments, cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=_TOO_LONG_S
    )


@pytest.fixture(scope="module")
def experiment(root: Path) -> Path:
    """Two trainings and their base model, completed by the commands of the pages."""
    words = "tunebook design sweep --yes --question 'Does it?' --model models/tiny --dataset words.json --gpus 0"
    words += " --task capitalization=cap_task.py --with lora_rank=8,lr=1e-5 --with lora_rank=64,lr=5e-5"
    words += " --set batch_size=4 --set epochs=1 --set eval_max_tokens=4 --prompt '{input}'"
    for command, directory in ((words, root), ("tunebook scaffold", root / "sweep"), ("tunebook run", root / "sweep")):
        done = _called(root, command, directory)
        assert done.returncode == 0, done.stdout + done.stderr
    shutil.copy(root / "words.json", root / "sweep")
    shutil.copy(root / "cap_task.py", root / "sweep")
    (root / "sweep" / "design.yaml").write_text(_design_of_the_page(root))
    return root / "sweep"


def _design_of_the_page(root: Path) -> str:
    """The YAML file of the page about designing, with the tiny model."""
    page = (DOCS / "how-to" / "design.md").read_text()
    found = re.search(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    design = yaml.safe_load(found[1])
    design["model"] = {"tiny": str(root / "models" / "tiny")}
    return str(yaml.safe_dump(design))


_CASES = [(place, words) for place, listed in RUN.items() for words in listed]


@pytest.mark.parametrize(("place", "words"), _CASES, ids=[f"{place.name}: {words}" for place, words in _CASES])
def test_it_runs(request: pytest.FixtureRequest, root: Path, place: Place, words: str) -> None:
    directory = _directory(request, root, place)
    done = _called(root, words, directory, with_toy=place in {Place.TOY, Place.TOY_EXPERIMENT})
    assert "Traceback" not in done.stderr
    assert done.returncode in RUN[place][words], done.stdout + done.stderr


def _directory(request: pytest.FixtureRequest, root: Path, place: Place) -> Path:
    if place is Place.EMPTY:
        empty: Path = request.getfixturevalue("tmp_path")
        return empty
    if place is Place.EXPERIMENT:
        experiment: Path = request.getfixturevalue("experiment")
        return experiment
    if place is Place.ABOVE:
        for name in ("first-sweep", "second-sweep"):
            shutil.copytree(request.getfixturevalue("experiment"), root / name, dirs_exist_ok=True)
    return root / "toy" if place is Place.TOY_EXPERIMENT else root


def python_examples() -> Iterator[tuple[str, str]]:
    """The name of a page and each of its blocks of Python."""
    for page in PAGES:
        for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            if "from tunebook import api" in block and 'Path("capitalization_sweep")' in block:
                yield page.name, block


def test_the_example_of_the_python_interface_runs(root: Path, experiment: Path) -> None:
    blocks = [block for _, block in python_examples()]
    assert blocks
    for block in blocks:
        text = block.replace('Path("capitalization_sweep")', f"Path({str(experiment)!r})")
        done = _called(root, shlex.join([sys.executable, "-c", text]), root)
        assert done.returncode == 0, done.stderr
        assert "finetune" in done.stdout
