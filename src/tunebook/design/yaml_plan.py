"""Reads a plan in YAML (``experiment_summary.yaml``) as a design.

Everything in it is carried over, or turned into its equivalent here. A part without an equivalent, known or unknown,
becomes a warning with its line, and a note in the plan. Values that contradict each other are errors.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from tunebook.core.jobs import Stage
from tunebook.core.paths import absolute_path
from tunebook.core.plan import Model
from tunebook.design.check import missing_parts
from tunebook.design.documents import Node, Place, Text, place_of, yaml_document
from tunebook.design.values import DesignInputs, absolute
from tunebook.design.yaml_draft import Draft
from tunebook.design.yaml_evaluation import EVALUATION, read_evaluation
from tunebook.design.yaml_runs import RUNS, SETTINGS, VARIABLES, read_runs, read_settings
from tunebook.design.yaml_shapes import ANYTHING, TEXT, Left, Renamed, Section, read
from tunebook.errors import PlanError

__all__ = ["read_yaml_plan"]

_SHAPE = {
    "experiment": {
        **dict.fromkeys(("name", "project", "question", "date", "hypothesis", "purpose", "dir"), TEXT),
        "directory": Renamed("dir"),
    },
    "tools": dict.fromkeys(("preparation", "evaluation"), TEXT),
    "variables": VARIABLES,
    "controls": SETTINGS,
    "models": {"base": [{"name": TEXT, "path": TEXT, "size_gb": Left("the weight files themselves are measured")}]},
    "data": {
        "training": {
            **dict.fromkeys(("path", "dataset_label", "format"), TEXT),
            "label": Renamed("dataset_label"),
            "size_kb": Left("the file itself is measured"),
            "splits": ANYTHING,
        },
        "data_generation": Left("a plan does not describe how data is generated: keep this file next to the data"),
    },
    "output": {
        **dict.fromkeys(("wandb_project", "base_directory"), TEXT),
        "checkpoint_pattern": Left("checkpoints are named after experiment, run and epoch"),
    },
    "runs": RUNS,
    "evaluation": EVALUATION,
}
_WHERE = {
    "question": ("experiment", "experiment.question"),
    "model": ("models", "models.base"),
    "dataset": ("data", "data.training.path"),
    "task": ("evaluation", "evaluation.tasks"),
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
    draft = Draft(here=absolute_path(file).parent)
    draft.decide(f"the plan of {file}", "imported by `tunebook import`")
    root = Node({name.replace("-", "_"): nodes[0] for name, nodes in document.items()}, Place(file, 1))
    plan = defaultdict(lambda: Section(root.place), read(draft, root, _SHAPE))
    _experiment(draft, plan["experiment"])
    draft.give(preparation=plan["tools"].text("preparation"), evaluation=plan["tools"].text("evaluation"))
    _models(draft, plan["models"].get("base", []))
    _controls(draft, plan["controls"])
    _data(draft, plan["data"])
    _output(draft, plan["output"])
    runs = read_runs(draft, plan["runs"], plan["variables"])
    read_evaluation(draft, plan["evaluation"], runs)
    _complete(draft, plan)
    return draft.inputs()


def _complete(draft: Draft, plan: Mapping[str, Section]) -> None:
    """Reports what every experiment needs and the file lacks, and names the defaults that apply."""
    if draft.problems:
        return
    design = draft.design
    for key in missing_parts(design):
        section, full_name = _WHERE.get(key, ("controls", f"controls.{key}"))
        draft.problem(plan[section].place, f"`{full_name}` is missing", "add it to the file")
    given = {*design.settings, *design.factor_keys, *design.listed_keys}
    shown = (parameter for parameter in design.parameters.of_stage(Stage.PREPARATION) if parameter.is_shown)
    missing = (parameter for parameter in shown if parameter.key not in given and parameter.default_text)
    defaults = [f"{parameter.column} {parameter.default_text}" for parameter in missing]
    if defaults and design.is_trained:
        draft.decide(", ".join(defaults), "tunebook's defaults, because the file does not give them")


def _experiment(draft: Draft, section: Section) -> None:
    question, date = section.text("question"), section.text("date")
    draft.give(name=section.text("name"), question=Text(" ".join(question.split()), question.place))
    if date and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        draft.problem(date.place, f"`experiment.date` is `{date}`", "write YYYY-MM-DD")
    for key, label in _NOTES.items():
        if key in section:
            draft.note(f"{label} {section.text(key)}")
    directory = section.text("dir")
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
            draft.repeat(f"two models are named `{name}`", place_of(models[name].name), item.place)
        models[name] = Model(Text(name, item.place), path)
    draft.give(models=tuple(models.values()))


def _controls(draft: Draft, section: Section) -> None:
    """The settings of all runs; ``dataset_type`` has other names here."""
    settings = read_settings(draft, section, "controls", is_factor=False)
    data_type = settings.get("dataset_type", "")
    if data_type in _DATA_TYPES:
        settings["dataset_type"] = Text(_DATA_TYPES[data_type], place_of(data_type))
        what = f"dataset type {settings['dataset_type']} for {data_type}"
        draft.decide(what, "records of input and output, put into the chat template")
    draft.give(settings=settings)


def _data(draft: Draft, section: Section) -> None:
    training = section.get("training", Section(section.place))
    if "path" not in training:
        if training:
            draft.problem(training.place, "`data.training` has no path")
        return
    label, file_format = training.text("dataset_label"), training.text("format")
    draft.dataset_label = label
    path = _data_path(draft, training.text("path"), label, file_format)
    suffix = PurePosixPath(path).suffix.lstrip(".")
    if file_format and f".{suffix}" in _DATA_SUFFIXES:
        given = Text(file_format.lower().lstrip("."), file_format.place)
        draft.contradict("the file name's extension", Text(suffix, path.place), "data.training.format", given)
    draft.give(dataset=path, dataset_format=file_format)
    if "splits" in training:
        _splits(draft, training["splits"])


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


def _splits(draft: Draft, node: Node) -> None:
    """Leaves the sizes of splits behind: they are counted."""
    counts: list[str] = []
    for name, item in node.named():
        if not item.is_null:
            counts.append(f"{name} ({item.text})")
    listed = ", ".join(counts)
    draft.leave(node.place, f"data.training.splits: {listed}", "examples are counted in the file itself")


def _output(draft: Draft, section: Section) -> None:
    """Where output goes is a site setting here."""
    for key, setting in (("wandb_project", "wandb_project"), ("base_directory", "output_dir_base")):
        text = section.text(key)
        if text:
            why = f"this is a site setting: `tunebook site init --set {setting}={text}`"
            draft.leave(text.place, f"output.{key}: {text}", why)
