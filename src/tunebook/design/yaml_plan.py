"""Reads a plan in YAML (``experiment_summary.yaml``) as a design.

Everything in it is carried over, or turned into its equivalent here. A part without an equivalent becomes a
warning with its line, and a note in the plan. A key that such plans do not have is an error: it could be a misspelt
setting.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from tunebook.core.plan import Model
from tunebook.design.documents import Node, Text, yaml_document
from tunebook.design.paths import absolute
from tunebook.design.values import DesignInputs
from tunebook.design.yaml_draft import Draft
from tunebook.design.yaml_evaluation import read_evaluation
from tunebook.design.yaml_runs import PROMPTS, read_runs
from tunebook.errors import PlanError

__all__ = ["read_yaml_plan"]

_SECTIONS = ("experiment", "tools", "variables", "controls", "models", "data", "output", "runs", "evaluation")
_EXPERIMENT = ("name", "project", "question", "date", "hypothesis", "purpose", "dir", "directory")
_TRAINING_DATA = ("path", "dataset_label", "label", "format", "size_kb")
_SPLITS = ("train", "validation", "test")
_DATA_TYPES = {"chat_completion": "instruct"}
_NOTES = {"project": "Project:", "hypothesis": "Hypothesis:", "purpose": "Purpose:", "date": "Planned first on"}
_OUTPUT = ("wandb_project", "base_directory", "checkpoint_pattern")
_DATA_SUFFIXES = (".json", ".jsonl", ".parquet")


def read_yaml_plan(text: str, *, file: str) -> DesignInputs:
    """The design of a plan in YAML; relative paths are relative to the file's directory.

    Args:
        text: of the whole file.
        file: its path, which messages name.

    Raises:
        PlanError: the text is not YAML, or not such a plan; carries every problem with its line.
    """
    sections = {name.replace("-", "_"): nodes[0] for name, nodes in yaml_document(text, file=file).items()}
    if not sections:
        raise PlanError("the file is empty", file=file, line=1)
    draft = Draft(here=Path(file).expanduser().absolute().parent)
    draft.check_keys(sections, "", _SECTIONS)
    draft.decide(f"the plan of {file}", "taken over by --from")
    _experiment(draft, sections.get("experiment"))
    _tools(draft, sections.get("tools"))
    _models(draft, sections.get("models"))
    _controls(draft, sections.get("controls"))
    _data(draft, sections.get("data"))
    _output(draft, sections.get("output"))
    runs = read_runs(draft, sections.get("runs"), sections.get("variables"))
    read_evaluation(draft, sections.get("evaluation"), runs)
    return draft.inputs()


def _experiment(draft: Draft, section: Node | None) -> None:
    texts = draft.section(section, "experiment", _EXPERIMENT)
    question = texts.get("question", Text(""))
    words = Text(" ".join(question.split()), question.place)
    draft.design = replace(draft.design, name=texts.get("name", ""), question=words)
    date = texts.get("date", Text(""))
    if date and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        draft.problem(date.place, f"`experiment.date` is `{date}`", "write YYYY-MM-DD")
    for key, label in _NOTES.items():
        if key in texts:
            draft.note(f"{label} {texts[key]}")
    directory = draft.either(texts, "experiment", "dir", "directory")
    if directory:
        named = Path(absolute(directory, draft.here))
        is_moved = not named.is_dir() and draft.here.name == named.name  # the experiment was moved with its plan
        draft.directory = Text(str(draft.here if is_moved else named), directory.place)


def _tools(draft: Draft, section: Node | None) -> None:
    texts = draft.section(section, "tools", ("preparation", "evaluation"))
    preparation, evaluation = texts.get("preparation", ""), texts.get("evaluation", "")
    draft.design = replace(draft.design, preparation=preparation, evaluation=evaluation)


def _models(draft: Draft, section: Node | None) -> None:
    models: dict[str, Model] = {}
    sizes: list[Node] = []
    for item in draft.sequence(draft.mapping(section, "models", ("base",)).get("base"), "models.base"):
        found = draft.mapping(item, "models.base[]", ("name", "path", "size_gb"))
        path = draft.text(found.get("path"), "models.base[].path")
        name = draft.text(found.get("name"), "models.base[].name") or PurePosixPath(path).name
        if not name:
            draft.problem(item.place, "a model has neither name nor path")
            continue
        if name in models:
            draft.problem(item.place, f"two models are named `{name}`")
        models[name] = Model(Text(name, item.place), path)
        if "size_gb" in found:
            sizes.append(found["size_gb"])
    draft.design = replace(draft.design, models=tuple(models.values()))
    if sizes:
        draft.leave(sizes[0].place, "models.base[].size_gb", "the weight files themselves are measured")


def _controls(draft: Draft, section: Node | None) -> None:
    """The settings of all runs; ``dataset_type`` has other names here."""
    settings: dict[str, str] = {}
    for name, item in draft.entries(section, "controls"):
        key = draft.parameter(name, section="controls", is_factor=False)
        text = draft.text(item, f"controls.{name}")
        if key is None or (not text and key not in PROMPTS):
            continue
        if key in settings:
            draft.problem(item.place, f"`controls.{name}`: {key} is given twice")
        settings[key] = text
        if key == "dataset_type" and text in _DATA_TYPES:
            settings[key] = Text(_DATA_TYPES[text], text.place)
            what = f"dataset type {settings[key]} for {text}"
            draft.decide(what, "records of input and output, put into the chat template")
    draft.design = replace(draft.design, settings=settings)


def _data(draft: Draft, section: Node | None) -> None:
    found = draft.mapping(section, "data", ("training", "data_generation"))
    if "data_generation" in found:
        why = "a plan does not describe how data is generated: keep this file beside the data"
        draft.leave(found["data_generation"].place, "data.data_generation", why)
    training = draft.mapping(found.get("training"), "data.training", (*_TRAINING_DATA, "splits"))
    texts = draft.section_texts(training, "data.training", _TRAINING_DATA)
    if "path" not in texts:
        if training:
            draft.problem(found["training"].place, "`data.training` has no path")
        return
    label = draft.either(texts, "data.training", "dataset_label", "label")
    file_format = texts.get("format", "")
    path = _data_path(draft, texts["path"], label, file_format)
    draft.design = replace(draft.design, dataset=path, dataset_format=file_format)
    if "size_kb" in training:
        draft.leave(training["size_kb"].place, "data.training.size_kb", "the file itself is measured")
    _splits(draft, training.get("splits"))


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


def _splits(draft: Draft, node: Node | None) -> None:
    listed: list[str] = []
    for key, count in draft.section(node, "data.training.splits", _SPLITS).items():
        listed.append(f"{key} ({count})")
        if not count.isdecimal():
            draft.problem(count.place, f"`data.training.splits.{key}` must be a whole number, not `{count}`")
    if node is not None and listed:
        what = f"data.training.splits: {', '.join(listed)}"
        draft.leave(node.place, what, "examples are counted in the file itself")


def _output(draft: Draft, section: Node | None) -> None:
    """Where output goes is a site setting here."""
    for key, text in draft.section(section, "output", _OUTPUT).items():
        why = "checkpoints are named after experiment, run and epoch"
        if key == "wandb_project":
            why = f"the project is a site setting: `tunebook site init --set wandb_project={text}`"
        elif key == "base_directory":
            why = f"where checkpoints go is a site setting: `tunebook site init --set output_dir_base={text}`"
        draft.leave(text.place, f"output.{key}: {text}", why)
