"""Reads a plan in YAML (``experiment_summary.yaml``) as a design.

Everything in it is carried over, or turned into its equivalent here. A part without an equivalent becomes a
warning with its line, and a note in the plan. A key that such plans do not have is an error: it could be a misspelt
setting.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

from tunebook.core.plan import Model
from tunebook.design.documents import Node, Text, yaml_document
from tunebook.design.values import DesignInputs, absolute
from tunebook.design.yaml_draft import ANYTHING, EACH, TEXT, TEXTS, Draft, Section
from tunebook.design.yaml_evaluation import read_evaluation
from tunebook.design.yaml_runs import PROMPTS, read_runs
from tunebook.errors import PlanError

__all__ = ["read_yaml_plan"]

_SHAPE = {
    "experiment": dict.fromkeys(
        ("name", "project", "question", "date", "hypothesis", "purpose", "dir", "directory"), TEXT
    ),
    "tools": dict.fromkeys(("preparation", "evaluation"), TEXT),
    "variables": {EACH: ANYTHING},
    "controls": {EACH: TEXT},
    "models": {"base": [{"name": TEXT, "path": TEXT, "size_gb": ANYTHING}]},
    "data": {
        "training": {
            **dict.fromkeys(("path", "dataset_label", "label", "format", "size_kb"), TEXT),
            "splits": dict.fromkeys(("train", "validation", "test"), TEXT),
        },
        "data_generation": ANYTHING,
    },
    "output": dict.fromkeys(("wandb_project", "base_directory", "checkpoint_pattern"), TEXT),
    "runs": [
        {**dict.fromkeys(("name", "type", "model"), TEXT), "parameters": {EACH: TEXT}, "training_condition": TEXT},
    ],
    "evaluation": {
        "tasks": [dict.fromkeys(("name", "script", "dataset", "system_prompt", "prompt", "description"), TEXT)],
        "matrix": [{"run": TEXT, "tasks": TEXTS, "epochs": TEXTS}],
        "scorers": ANYTHING,
        "scorer": ANYTHING,
        **dict.fromkeys(("do_sample", "temperature", "max_connections", "max_tokens", "seed"), TEXT),
    },
}
_DATA_TYPES = {"chat_completion": "instruct"}
_NOTES = {"project": "Project:", "hypothesis": "Hypothesis:", "purpose": "Purpose:", "date": "Planned first on"}
_DATA_SUFFIXES = (".json", ".jsonl", ".parquet")


def read_yaml_plan(text: str, *, file: str) -> DesignInputs:
    """The design of a plan in YAML; relative paths are relative to the file's directory.

    Args:
        text: of the whole file.
        file: its path, which messages name.

    Raises:
        PlanError: the text is not YAML, or not such a plan; carries every problem with its line.
    """
    document = yaml_document(text, file=file)
    if not document:
        raise PlanError("the file is empty", file=file, line=1)
    draft = Draft(here=Path(file).expanduser().absolute().parent)
    draft.decide(f"the plan of {file}", "taken over by --from")
    root = Node({name.replace("-", "_"): nodes[0] for name, nodes in document.items()})
    plan = defaultdict(Section, draft.read(root, _SHAPE))
    _experiment(draft, plan["experiment"])
    draft.give(preparation=plan["tools"].text("preparation"), evaluation=plan["tools"].text("evaluation"))
    _models(draft, plan["models"].get("base", []))
    _controls(draft, plan["controls"])
    _data(draft, plan["data"])
    _output(draft, plan["output"])
    runs = read_runs(draft, plan["runs"], plan["variables"])
    read_evaluation(draft, plan["evaluation"], runs)
    return draft.inputs()


def _experiment(draft: Draft, section: Section) -> None:
    question, date = section.text("question"), section.text("date")
    draft.give(name=section.text("name"), question=Text(" ".join(question.split()), question.place))
    if date and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        draft.problem(date.place, f"`experiment.date` is `{date}`", "write YYYY-MM-DD")
    for key, label in _NOTES.items():
        if key in section:
            draft.note(f"{label} {section.text(key)}")
    directory = draft.either(section, "experiment", "dir", "directory")
    if directory:
        named = Path(absolute(directory, draft.here))
        is_moved = not named.is_dir() and draft.here.name == named.name  # the experiment was moved with its plan
        draft.directory = Text(str(draft.here if is_moved else named), directory.place)


def _models(draft: Draft, listed: list[Section]) -> None:
    models: dict[str, Model] = {}
    for item in listed:
        path = item.text("path")
        name = item.text("name") or PurePosixPath(path).name
        if not name:
            draft.problem(item.place, "a model has neither name nor path")
            continue
        if name in models:
            draft.problem(item.place, f"two models are named `{name}`")
        models[name] = Model(Text(name, item.place), path)
    draft.give(models=tuple(models.values()))
    sizes = [item["size_gb"] for item in listed if "size_gb" in item]
    if sizes:
        draft.leave(sizes[0].place, "models.base[].size_gb", "the weight files themselves are measured")


def _controls(draft: Draft, section: Section) -> None:
    """The settings of all runs; ``dataset_type`` has other names here."""
    settings: dict[str, str] = {}
    for name, text in section.items():
        key = draft.parameter(Text(name, text.place), section="controls", is_factor=False)
        if key is None or (not text and key not in PROMPTS):
            continue
        if key in settings:
            draft.problem(text.place, f"`controls.{name}`: {key} is given twice")
        settings[key] = text
        if key == "dataset_type" and text in _DATA_TYPES:
            settings[key] = Text(_DATA_TYPES[text], text.place)
            what = f"dataset type {settings[key]} for {text}"
            draft.decide(what, "records of input and output, put into the chat template")
    draft.give(settings=settings)


def _data(draft: Draft, section: Section) -> None:
    if "data_generation" in section:
        why = "a plan does not describe how data is generated: keep this file beside the data"
        draft.leave(section["data_generation"].place, "data.data_generation", why)
    training = section.get("training", Section())
    if "path" not in training:
        if training:
            draft.problem(training.place, "`data.training` has no path")
        return
    label = draft.either(training, "data.training", "dataset_label", "label")
    file_format = training.text("format")
    path = _data_path(draft, training.text("path"), label, file_format)
    draft.give(dataset=path, dataset_format=file_format)
    if "size_kb" in training:
        draft.leave(training["size_kb"].place, "data.training.size_kb", "the file itself is measured")
    _splits(draft, training.get("splits", Section()))


def _data_path(draft: Draft, path: Text, label: str, file_format: str) -> Text:
    """The path; with a label that is not the file's own name, a file in the directory that the path names."""
    pure = PurePosixPath(path)
    is_file = pure.suffix in _DATA_SUFFIXES
    if label in {"", pure.name} or (is_file and label == pure.stem):
        return path
    suffix = "." + file_format.lower().lstrip(".")
    if not is_file and suffix in _DATA_SUFFIXES:
        joined = str(pure / (label + suffix))
        draft.decide(f"data set {joined}", "path, label and format of the plan together")
        return Text(joined, path.place)
    draft.leave(path.place, f"the data set's label {label}", f"a data set is named after its file: {pure.name}")
    return path


def _splits(draft: Draft, section: Section) -> None:
    for key, count in section.items():
        if not count.isdecimal():
            draft.problem(count.place, f"`data.training.splits.{key}` must be a whole number, not `{count}`")
    if section:
        listed = ", ".join(f"{key} ({count})" for key, count in section.items())
        draft.leave(section.place, f"data.training.splits: {listed}", "examples are counted in the file itself")


def _output(draft: Draft, section: Section) -> None:
    """Where output goes is a site setting here."""
    for key, text in section.items():
        why = "checkpoints are named after experiment, run and epoch"
        if key == "wandb_project":
            why = f"the project is a site setting: `tunebook site init --set wandb_project={text}`"
        elif key == "base_directory":
            why = f"where checkpoints go is a site setting: `tunebook site init --set output_dir_base={text}`"
        draft.leave(text.place, f"output.{key}: {text}", why)
