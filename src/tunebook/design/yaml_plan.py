"""A plan in YAML (``experiment_summary.yaml``) as a design.

Everything in it is carried over, turned into what means the same here, or told: with its line among the warnings, and
on the page among the notes. A key that such plans do not have is an error: it could be a setting that is misspelt.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from tunebook.design.given import Given, Place, from_yaml
from tunebook.design.reader import Read
from tunebook.design.values import Design, DesignModel
from tunebook.design.yaml_carrying import Carrying
from tunebook.design.yaml_evaluation import carry_evaluation
from tunebook.design.yaml_runs import carry_runs
from tunebook.errors import PlanError

__all__ = ["read_yaml_plan"]

_SECTIONS = ("experiment", "tools", "variables", "controls", "models", "data", "output", "runs", "evaluation")
_EXPERIMENT = ("name", "project", "question", "date", "hypothesis", "purpose", "dir", "directory")
_DATA_TYPES = {"chat_completion": "instruct", "text_completion": "text_completion"}
_DATA_SUFFIXES = (".json", ".jsonl", ".parquet")


def read_yaml_plan(text: str, *, file: str) -> Read:
    """The design that a YAML plan means; relative paths are relative to the file's directory.

    Args:
        text: of the whole file.
        file: its path, which messages name.

    Raises:
        PlanError: it is not YAML, or not such a plan; carries every problem with its line.
    """
    sections = {name.replace("-", "_"): occurrences[0] for name, occurrences in from_yaml(text, file=file).items()}
    here = Path(file).expanduser().absolute().parent
    carrying = Carrying(Read(Design()), here=here)
    if not sections:
        raise PlanError("the file is empty", file=file, line=1)
    carrying.unknown(sections, "", _SECTIONS)
    carrying.decide(f"the plan of {file}", "taken over by --from")
    _experiment(carrying, sections.get("experiment"))
    _tools(carrying, sections.get("tools"))
    _models(carrying, sections.get("models"))
    _controls(carrying, sections.get("controls"))
    _data(carrying, sections.get("data"))
    _output(carrying, sections.get("output"))
    runs = carry_runs(carrying, sections.get("runs"), sections.get("variables"))
    carry_evaluation(carrying, sections.get("evaluation"), runs)
    if carrying.read.problems:
        raise PlanError(sorted(carrying.read.problems, key=lambda problem: problem.line or 0))
    return carrying.read


def _experiment(carrying: Carrying, section: Given | None) -> None:
    found = carrying.mapping(section, "experiment", _EXPERIMENT)
    texts = {key: carrying.text(item, f"experiment.{key}") for key, item in found.items()}
    places = carrying.read.places
    for key in ("name", "question"):
        if key in found:
            places[key,] = found[key].place
    carrying.set(name=texts.get("name", ""), question=" ".join(texts.get("question", "").split()))
    date = texts.get("date", "")
    if date and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        carrying.problem(found["date"].place, f"`experiment.date` is `{date}`", "write YYYY-MM-DD")
    for key in ("project", "hypothesis", "purpose", "date"):
        if texts.get(key):
            carrying.note(f"{'Planned first on' if key == 'date' else key.capitalize() + ':'} {texts[key]}")
    if "dir" in found and "directory" in found:
        carrying.problem(found["directory"].place, "`experiment.dir` and `experiment.directory` mean the same")
    directory = texts.get("dir") or texts.get("directory")
    if directory:
        named = Path(carrying.path(directory))
        copied = not named.is_dir() and carrying.here.name == named.name  # the experiment was moved with its plan
        carrying.read.directory = carrying.here if copied else named
        places["directory",] = found["dir" if "dir" in found else "directory"].place


def _tools(carrying: Carrying, section: Given | None) -> None:
    found = carrying.mapping(section, "tools", ("preparation", "evaluation"))
    for key, item in found.items():
        carrying.read.places[key,] = item.place
        carrying.set(**{key: carrying.text(item, f"tools.{key}")})


def _models(carrying: Carrying, section: Given | None) -> None:
    models: dict[str, DesignModel] = {}
    sized: list[Given] = []
    for item in carrying.sequence(carrying.mapping(section, "models", ("base",)).get("base"), "models.base"):
        found = carrying.mapping(item, "models.base[]", ("name", "path", "size_gb"))
        path = carrying.text(found.get("path"), "models.base[].path")
        name = carrying.text(found.get("name"), "models.base[].name") or PurePosixPath(path).name
        if not name:
            carrying.problem(item.place, "a model has neither name nor path")
            continue
        if name in models:
            carrying.problem(item.place, f"two models are named `{name}`")
        models[name] = DesignModel(name, carrying.path(path))
        carrying.read.places["model", name] = item.place
        sized += [found["size_gb"]] if "size_gb" in found else []
    carrying.set(models=tuple(models.values()))
    if sized:
        carrying.leave(sized[0].place, "models.base[].size_gb", "the weight files themselves are measured")


def _controls(carrying: Carrying, section: Given | None) -> None:
    """What holds for all runs; ``dataset_type`` has other names here."""
    if section is None or section.value == "":
        return
    if isinstance(section.value, str | tuple):
        carrying.problem(section.place, "`controls` must hold keys with values")
        return
    settings = dict(carrying.read.design.settings)
    for name, item in section.value.items():
        key = carrying.parameter(name, item.place, section="controls", factor=False)
        text = carrying.text(item, f"controls.{name}")
        if key is None or (not text and key not in {"prompt", "system_prompt"}):
            continue
        if key in settings:
            carrying.problem(item.place, f"`controls.{name}`: {key} is given twice")
        carrying.read.places["set", key] = item.place
        settings[key] = _data_type(carrying, text) if key == "dataset_type" else carrying.reader("set").level(key, text)
    carrying.set(settings=settings)


def _data_type(carrying: Carrying, text: str) -> str:
    meant = _DATA_TYPES.get(text, text)
    if meant != text:
        carrying.decide(f"dataset type {meant} for {text}", "records of input and output, put into the chat template")
    return meant


def _data(carrying: Carrying, section: Given | None) -> None:
    found = carrying.mapping(section, "data", ("training", "data_generation"))
    if "data_generation" in found:
        why = "how data is generated is no part of a page: keep this file beside the data"
        carrying.leave(found["data_generation"].place, "data.data_generation", why)
    known = ("path", "dataset_label", "label", "format", "size_kb", "splits")
    training = carrying.mapping(found.get("training"), "data.training", known)
    texts = {key: carrying.text(item, f"data.training.{key}") for key, item in training.items() if key != "splits"}
    if "path" not in texts:
        if training:
            carrying.problem(found["training"].place, "`data.training` has no path")
        return
    place = training["path"].place
    if "label" in training and "dataset_label" in training:
        carrying.problem(training["label"].place, "`label` and `dataset_label` mean the same")
    label, form = texts.get("dataset_label") or texts.get("label", ""), texts.get("format", "")
    path = _data_path(carrying, texts["path"], label, form, place)
    carrying.read.places["dataset",] = place
    carrying.set(dataset=carrying.path(path), dataset_format=form)
    if "size_kb" in texts:
        carrying.leave(training["size_kb"].place, "data.training.size_kb", "the file itself is measured")
    _splits(carrying, training.get("splits"))


def _data_path(carrying: Carrying, path: str, label: str, form: str, place: Place) -> str:
    """Where the label is not the file's own name: a file in the directory that the path names."""
    pure = PurePosixPath(path)
    names = {pure.name, pure.stem if pure.suffix in _DATA_SUFFIXES else pure.name}
    if not label or label in names:
        return path
    suffix = "." + form.lower().lstrip(".")
    if pure.suffix not in _DATA_SUFFIXES and suffix in _DATA_SUFFIXES:
        carrying.decide(f"data set {pure / (label + suffix)}", "path, label and format of the plan together")
        return str(pure / (label + suffix))
    carrying.leave(place, f"the data set's label {label}", f"a data set is called by its file: {pure.name}")
    return path


def _splits(carrying: Carrying, given: Given | None) -> None:
    found = carrying.mapping(given, "data.training.splits", ("train", "validation", "test"))
    counts = {key: carrying.text(item, f"data.training.splits.{key}") for key, item in found.items()}
    for key, count in counts.items():
        if not count.isdecimal():
            carrying.problem(found[key].place, f"`data.training.splits.{key}` must be a whole number, not `{count}`")
    if given is not None and counts:
        told = ", ".join(f"{key} ({count})" for key, count in counts.items())
        carrying.leave(given.place, f"data.training.splits: {told}", "examples are counted in the file itself")


def _output(carrying: Carrying, section: Given | None) -> None:
    """All of it is the site's business here."""
    known = ("wandb_project", "base_directory", "checkpoint_pattern")
    for key, item in carrying.mapping(section, "output", known).items():
        text = carrying.text(item, f"output.{key}")
        why = {
            "wandb_project": f"the project is the site's: `tunebook site init --set wandb_project={text}`",
            "base_directory": f"where checkpoints go is the site's: `tunebook site init --set output_dir_base={text}`",
            "checkpoint_pattern": "checkpoints are named by experiment, run and epoch",
        }[key]
        carrying.leave(item.place, f"output.{key}: {text}", why)
