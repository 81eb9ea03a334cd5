"""Every command of every skill that can run here, on a small experiment with real tools, in the order of the skills."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from support.command_line import tunebook
from support.skill_commands import Command, commands_of, keys_of, yaml_block
from support.tiny_model import build_tiny_model
from tunebook.agents.shipped import shipped_skills
from tunebook.cli.served import documents
from tunebook.demo.data import task_source

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers and torch warn of one another
PLAN_IN_YAML = Path(__file__).parents[1] / "yaml_plans" / "complete.yaml"
ONLY_ON_A_CLUSTER = "--detach"  # on this machine a usage error, as the skill says
SCHEMAS: dict[str, tuple[type[BaseModel], ...]] = {
    "check": (documents.CheckData,),
    "scaffold": (documents.ScaffoldData,),
    "run": (documents.RunData, documents.PlannedItem),
    "status": (documents.StatusData,),
    "analyze": (documents.AnalyzeData,),
}
"""Lists may be empty in the small experiment; these say what their items have."""


@dataclass
class Played:
    """The documents that the commands printed, by verb."""

    root: Path
    documents: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def play(self, command: Command) -> None:
        words = [_PLACES.get(word, word) for word in command.words]
        if command.skill == "analyze-experiment" and "OTHER_DIR" in command.words:
            shutil.copytree(self.root / "experiment", self.root / "other")
        done = tunebook(self.root, *words)
        expected = {2} if ONLY_ON_A_CLUSTER in words else {0, 4}
        assert done.returncode in expected, f"{command.line}\n{done.stdout}{done.stderr}"
        assert done.stderr == "", command.line
        document = json.loads(done.stdout)
        assert document["exit_code"] == done.returncode
        self.documents[command.verb].append(document)


_PLACES = {
    "EXPERIMENT_DIR": "experiment",
    "RUN_DIR": "experiment/rank8",
    "NAME": "words_exact",
    "DATA.json": "words.json",
    "DESIGN.yaml": "design.yaml",
    "PLAN.yaml": "complete.yaml",
    "NEW_DIR": "moved",
    "OTHER_DIR": "other",
    "REPORT_DIR": "report",
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Plays all skills, from the design to a moved experiment."""
    root = tmp_path_factory.mktemp("skills")
    build_tiny_model(root / "tiny")
    words = [{"input": word, "output": word.capitalize()} for word in ("house", "table", "water", "stone")]
    data = {"train": words * 10, "validation": words, "test": words * 2}
    (root / "words.json").write_text(json.dumps(data))
    (root / "cap_task.py").write_text(task_source())
    (root / "claude.local.md").write_text("# Site\n")
    shutil.copy(PLAN_IN_YAML, root)
    design = yaml_block("design-experiment").replace("NAME: MODEL_DIR", "tiny: tiny")
    (root / "design.yaml").write_text(design.replace("DATA.json", "words.json").replace("TASK.py", "cap_task.py"))
    played = Played(root)
    for skill in shipped_skills():
        for command in commands_of(skill.name):
            played.play(command)
    return played


@pytest.mark.parametrize("skill", [skill.name for skill in shipped_skills()])
def test_the_keys_that_a_skill_names_exist(played: Played, skill: str) -> None:
    for key, verbs in keys_of(skill):
        if key.startswith(("errors", "warnings")):
            found = [document for documents in played.documents.values() for document in documents]
        else:
            found = [document for verb in verbs for document in played.documents[verb]]
        rooms = {verb.split("-")[0] for verb in verbs}
        schemas = [schema for room in rooms for schema in SCHEMAS.get(room, ())]
        in_documents = any(_has(document, key.split(".")) for document in found)
        in_schemas = any(_declares(schema, key.split(".")[1:]) for schema in schemas)
        assert in_documents or in_schemas, f"{skill}: {key} of {verbs}"


def _has(value: Any, names: list[str]) -> bool:
    """Whether a document has a key; ``name[]`` is any item of a list."""
    if not names:
        return True
    name = names[0].removesuffix("[]")
    if not isinstance(value, dict) or name not in value:
        return False
    if names[0].endswith("[]"):
        return not names[1:] or any(_has(item, names[1:]) for item in value[name])
    return _has(value[name], names[1:])


def _declares(schema: Any, names: list[str]) -> bool:
    """Whether a schema has a key."""
    if not names:
        return True
    name = names[0].removesuffix("[]")
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)) or name not in schema.model_fields:
        return False
    kind = schema.model_fields[name].annotation
    return _declares(get_args(kind)[0] if names[0].endswith("[]") else kind, names[1:])


def test_the_experiment_is_completed_and_analyzed(played: Played) -> None:
    assert played.documents["status"][-1]["data"]["counts"] == {"completed": 5}
    assert (played.root / "experiment" / "analysis" / "report.html").is_file()
    assert (played.root / "moved" / "experiment_summary.md").is_file()
    assert played.documents["check"][-1]["data"]["deep"] or any(
        document["data"]["deep"] for document in played.documents["check"]
    )
