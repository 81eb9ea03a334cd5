"""Reads a plan in YAML (``experiment_summary.yaml``) as a design.

Everything in it is carried over, or turned into its equivalent here. What has none becomes a warning with its line, and
a note in the plan. A key that such plans do not have is an error: it could be a misspelt setting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from tunebook.design.documents import Node, yaml_document
from tunebook.design.places import Text, place_of
from tunebook.design.values import DesignInputs, DesignModel
from tunebook.design.yaml_draft import Draft
from tunebook.design.yaml_evaluation import read_evaluation
from tunebook.design.yaml_runs import read_runs
from tunebook.errors import PlanError

__all__ = ["read_yaml_plan"]

_SECTIONS = ("experiment", "tools", "variables", "controls", "models", "data", "output", "runs", "evaluation")
_EXPERIMENT = ("name", "project", "question", "date", "hypothesis", "purpose", "dir", "directory")
_TRAINING_DATA = ("path", "dataset_label", "label", "format", "size_kb")
_SPLITS = ("train", "validation", "test")
_DATA_TYPES = {"chat_completion": "instruct", "text_completion": "text_completion"}
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
    found = draft.mapping(section, "experiment", _EXPERIMENT)
    texts = draft.section_texts(found, "experiment", _EXPERIMENT)
    question = texts.get("question", Text(""))
    words = Text(" ".join(question.split()), place_of(question))
    draft.design = replace(draft.design, name=texts.get("name", ""), question=words)
    date = texts.get("date", Text(""))
    if date and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        draft.problem(place_of(date), f"`experiment.date` is `{date}`", "write YYYY-MM-DD")
    notes = {"project": "Project:", "hypothesis": "Hypothesis:", "purpose": "Purpose:", "date": "Planned first on"}
    for key, label in notes.items():
        if texts.get(key):
            draft.note(f"{label} {texts[key]}")
    if "dir" in texts and "directory" in texts:
        draft.problem(found["directory"].place, "`experiment.dir` and `experiment.directory` mean the same")
    directory = texts.get("dir") or texts.get("directory")
    if directory:
        named = Path(draft.path(directory))
        is_moved = not named.is_dir() and draft.here.name == named.name  # the experiment was moved with its plan
        draft.directory = draft.here if is_moved else named
        draft.directory_place = directory.place


def _tools(draft: Draft, section: Node | None) -> None:
    names = ("preparation", "evaluation")
    texts = draft.section_texts(draft.mapping(section, "tools", names), "tools", names)
    draft.design = replace(
        draft.design, preparation=texts.get("preparation", ""), evaluation=texts.get("evaluation", "")
    )


def _models(draft: Draft, section: Node | None) -> None:
    models: dict[str, DesignModel] = {}
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
        models[name] = DesignModel(Text(name, item.place), path)
        if "size_gb" in found:
            sizes.append(found["size_gb"])
    draft.design = replace(draft.design, models=tuple(models.values()))
    if sizes:
        draft.leave(sizes[0].place, "models.base[].size_gb", "the weight files themselves are measured")


def _controls(draft: Draft, section: Node | None) -> None:
    """The settings of all runs; ``dataset_type`` has other names here."""
    if section is None or section.value == "":
        return
    if not isinstance(section.value, Mapping):
        draft.problem(section.place, "`controls` must be a mapping of keys to values")
        return
    settings: dict[str, str] = {}
    for name, item in section.named():
        key = draft.parameter(name, section="controls", is_factor=False)
        text = draft.text(item, f"controls.{name}")
        if key is None or (not text and key not in {"prompt", "system_prompt"}):
            continue
        if key in settings:
            draft.problem(item.place, f"`controls.{name}`: {key} is given twice")
        settings[key] = _data_type(draft, text) if key == "dataset_type" else text
    draft.design = replace(draft.design, settings=settings)


def _data_type(draft: Draft, text: Text) -> Text:
    meant = _DATA_TYPES.get(text, text)
    if meant != text:
        draft.decide(f"dataset type {meant} for {text}", "records of input and output, put into the chat template")
    return Text(meant, text.place)


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
    if "label" in texts and "dataset_label" in texts:
        draft.problem(training["label"].place, "`label` and `dataset_label` mean the same")
    label = texts.get("dataset_label") or texts.get("label") or ""
    file_format = texts.get("format", "")
    path = _data_path(draft, texts["path"], label, file_format)
    draft.design = replace(draft.design, dataset=path, dataset_format=file_format)
    if "size_kb" in training:
        draft.leave(training["size_kb"].place, "data.training.size_kb", "the file itself is measured")
    _splits(draft, training.get("splits"))


def _data_path(draft: Draft, path: Text, label: str, file_format: str) -> Text:
    """The path; with a label that is not the file's own name, a file in the directory that the path names."""
    pure = PurePosixPath(path)
    names = {pure.name, pure.stem if pure.suffix in _DATA_SUFFIXES else pure.name}
    if not label or label in names:
        return path
    suffix = "." + file_format.lower().lstrip(".")
    if pure.suffix not in _DATA_SUFFIXES and suffix in _DATA_SUFFIXES:
        joined = str(pure / (label + suffix))
        draft.decide(f"data set {joined}", "path, label and format of the plan together")
        return Text(joined, path.place)
    draft.leave(path.place, f"the data set's label {label}", f"a data set is named after its file: {pure.name}")
    return path


def _splits(draft: Draft, node: Node | None) -> None:
    found = draft.mapping(node, "data.training.splits", _SPLITS)
    counts = draft.section_texts(found, "data.training.splits", _SPLITS)
    for key, count in counts.items():
        if not count.isdecimal():
            draft.problem(count.place, f"`data.training.splits.{key}` must be a whole number, not `{count}`")
    if node is not None and counts:
        listed = ", ".join(f"{key} ({count})" for key, count in counts.items())
        draft.leave(node.place, f"data.training.splits: {listed}", "examples are counted in the file itself")


def _output(draft: Draft, section: Node | None) -> None:
    """Where output goes is a site setting here."""
    known = ("wandb_project", "base_directory", "checkpoint_pattern")
    texts = draft.section_texts(draft.mapping(section, "output", known), "output", known)
    for key, text in texts.items():
        why = "checkpoints are named after experiment, run and epoch"
        if key == "wandb_project":
            why = f"the project is a site setting: `tunebook site init --set wandb_project={text}`"
        elif key == "base_directory":
            why = f"where checkpoints go is a site setting: `tunebook site init --set output_dir_base={text}`"
        draft.leave(text.place, f"output.{key}: {text}", why)
