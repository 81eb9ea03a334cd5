"""Chooses the files of a crate: those that tunebook knows, and those that a person asks for. Nothing else gets in.

An experiment's directory may hold interviews, questionnaires and notes: what is not known is listed, never copied.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from tunebook.core.jobs import Job
from tunebook.core.paths import (
    ANALYSIS,
    ARCHIVE_RECORD,
    DATA_RECORD,
    DESIGN,
    HYPOTHESES,
    LEDGER,
    MANIFEST,
    METRICS,
    PLAN_FILE,
    SITE_FILE,
    STATE_DIRECTORY,
    SUBMISSIONS,
)
from tunebook.crate.graph import METADATA
from tunebook.crate.values import CrateFile, CrateOptions, ExportedExperiment, Findings, Kind
from tunebook.crate.walk import WEIGHTS, files_below, plain_files
from tunebook.disk.inside import place_inside
from tunebook.errors import UsageError

__all__ = ["files_of", "output_folders", "place_of_output", "run_folders"]

_OWN_LOG = re.compile(r"(?:design|scaffold|run|analyze)-[\w-]+\.log")
_FOR_READERS = re.compile(r"(?:readme|license|licence|citation|contributing)(?:\.\w+)?", re.IGNORECASE)
_RECORDS = (DESIGN, LEDGER, HYPOTHESES, DATA_RECORD, SUBMISSIONS)
_INPUTS, _DATA = "inputs", "data"
_OUTPUTS = "artifacts"
_BY_SUFFIX = {
    ".slurm": Kind.SCRIPT,
    ".py": Kind.SCRIPT,
    ".sh": Kind.SCRIPT,
    ".yaml": Kind.SETTINGS,
    ".yml": Kind.SETTINGS,
    ".out": Kind.OUTPUT,
    ".err": Kind.OUTPUT,
    ".log": Kind.LOG,
    ".jsonl": Kind.RECORD,
    ".json": Kind.RECORD,
    ".sha256": Kind.RECORD,
}


def files_of(experiment: ExportedExperiment, options: CrateOptions, findings: Findings) -> Iterator[CrateFile]:
    """Every file of the crate, each place in it once; what is left out is added to the findings.

    Raises:
        LinkError: a symbolic link leads out of the experiment.
        OSError: a directory cannot be read.
    """
    taken = {METADATA, MANIFEST, ARCHIVE_RECORD}  # these are made for the crate
    for file in _candidates(experiment, options):
        try:
            file.path.encode()
        except UnicodeEncodeError:
            findings.unnamed.append(file.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
            continue
        if file.path not in taken:
            taken.add(file.path)
            yield file
    findings.unknown += _unknown(experiment, taken)


def _candidates(experiment: ExportedExperiment, options: CrateOptions) -> Iterator[CrateFile]:
    yield from _of_experiment(experiment)
    for run in run_folders(experiment):
        yield from _of_folder(experiment, run, options)
    for folder, run in output_folders(experiment).items():
        for path in files_below(folder, within=folder, checkpoints=options.weights):
            place = f"{run}/{_OUTPUTS}/{path.removeprefix(folder + '/')}"
            yield CrateFile(place, path, _kind_of_output(path))
    for path in files_below(f"{experiment.root}/{ANALYSIS}", within=experiment.root, checkpoints=False):
        yield CrateFile(path.removeprefix(f"{experiment.root}/"), path, Kind.REPORT)
    yield from _scripts(experiment)
    if options.data:
        yield from _data(experiment)
    yield from _asked_for(experiment, options)


def _of_experiment(experiment: ExportedExperiment) -> Iterator[CrateFile]:
    """The plan, the site settings, logs and records of the whole experiment, and what a person wrote for readers."""
    root = experiment.root
    yield CrateFile(PLAN_FILE, f"{root}/{PLAN_FILE}", Kind.PLAN)
    if experiment.site is not None:
        yield CrateFile(SITE_FILE, str(experiment.site), Kind.SITE)
    for path in plain_files(root, within=root):
        name = os.path.basename(path)  # noqa: PTH119
        if _OWN_LOG.fullmatch(name):
            yield CrateFile(name, path, Kind.LOG)
        elif _FOR_READERS.fullmatch(name):
            yield CrateFile(name, path, Kind.OTHER)
    for name in _RECORDS:
        if os.path.isfile(place_inside(f"{root}/{name}", root)):  # noqa: PTH113
            yield CrateFile(name, f"{root}/{name}", Kind.RECORD)


def run_folders(experiment: ExportedExperiment) -> list[str]:
    """The names of the directories of runs, and of jobs whose runs the plan has no more."""
    names = [*experiment.directories.values(), *(job.directory.partition("/")[0] for job in experiment.jobs)]
    return sorted(set(names) - {""})


def output_folders(experiment: ExportedExperiment) -> dict[str, str]:
    """The directories outside of the experiment in which trainings leave their results, each with its run's name."""
    folders: dict[str, str] = {}
    for job in experiment.jobs:
        folder = os.path.dirname(job.metrics or "")  # noqa: PTH120
        if folder and not folder.startswith(f"{experiment.root}/"):
            folders[folder] = job.directory.partition("/")[0]
    return folders


def place_of_output(experiment: ExportedExperiment, job: Job, path: str) -> str:
    """The place in the crate of something that a training leaves: of its metrics, or of a checkpoint."""
    if path.startswith(f"{experiment.root}/"):
        return path.removeprefix(f"{experiment.root}/")
    run, folder = job.directory.partition("/")[0], os.path.dirname(job.metrics or "")  # noqa: PTH120
    if folder and path.startswith(f"{folder}/"):
        return f"{run}/{_OUTPUTS}/{path.removeprefix(folder + '/')}"
    return f"{run}/{_OUTPUTS}/{os.path.basename(path)}"  # noqa: PTH119


def _of_folder(experiment: ExportedExperiment, run: str, options: CrateOptions) -> Iterator[CrateFile]:
    root = experiment.root
    for path in files_below(place_inside(f"{root}/{run}", root), within=root, checkpoints=options.weights):
        name = path.removeprefix(f"{root}/")
        kind = _kind_of_output(path)
        if f"{run}/eval/logs/" in name:
            kind = Kind.EVALUATION
        yield CrateFile(name, path, kind)


def _kind_of_output(path: str) -> Kind:
    suffix, name = os.path.splitext(path)[1], os.path.basename(path)  # noqa: PTH119, PTH122
    if name == METRICS:
        return Kind.CURVE
    is_of_checkpoint = suffix in WEIGHTS or re.search(r"/(?:epoch_\d+|checkpoint-\d+|step_\d+|recipe_state)/", path)
    return Kind.WEIGHTS if is_of_checkpoint else _BY_SUFFIX.get(suffix, Kind.OTHER)


def _scripts(experiment: ExportedExperiment) -> Iterator[CrateFile]:
    """The scripts that jobs run: those in the experiment at their place, others in a directory of their own."""
    texts = dict.fromkeys(text for job in experiment.jobs for text in job.texts)
    names: dict[str, str] = {}
    for text in texts:
        source = os.path.join(experiment.root, text)  # noqa: PTH118  an absolute path stays as it is
        if not os.path.isfile(source):  # noqa: PTH113
            continue
        if source.startswith(f"{experiment.root}/"):
            place_inside(source, experiment.root)
            yield CrateFile(source.removeprefix(f"{experiment.root}/"), source, Kind.SCRIPT)
        else:
            yield CrateFile(_free_name(_INPUTS, source, names), source, Kind.SCRIPT)


def _free_name(folder: str, source: str, names: dict[str, str]) -> str:
    """A place for something from elsewhere; two of one name get different places."""
    base = f"{folder}/{os.path.basename(source.rstrip('/'))}"  # noqa: PTH119
    place, number = base, 2
    while names.setdefault(place, source) != source:
        stem, suffix = os.path.splitext(base)  # noqa: PTH122
        place, number = f"{stem}-{number}{suffix}", number + 1
    return place


def _data(experiment: ExportedExperiment) -> Iterator[CrateFile]:
    names: dict[str, str] = {}
    for path in experiment.data.values():
        source = str(path)
        inside = source.startswith(f"{experiment.root}/")
        place = source.removeprefix(f"{experiment.root}/") if inside else _free_name(_DATA, source, names)
        if path.is_dir():
            for file in files_below(source, within=source, checkpoints=True):
                yield CrateFile(f"{place}/{file.removeprefix(source + '/')}", file, Kind.DATA)
        elif path.is_file():
            yield CrateFile(place, source, Kind.DATA)


def _asked_for(experiment: ExportedExperiment, options: CrateOptions) -> Iterator[CrateFile]:
    """Files that match a person's patterns, or are below a directory that does."""
    if not options.include:
        return
    root, unused = experiment.root, set(options.include)
    for path in files_below(root, within=root, checkpoints=True):
        name = path.removeprefix(f"{root}/")
        fitting = {pattern for pattern in options.include if _matches(name, pattern)}
        if fitting:
            unused -= fitting
            yield CrateFile(name, path, Kind.OTHER)
    for pattern in sorted(unused):
        hint = "name a file or a directory relative to the experiment's directory, or a glob: `notes/*.txt`"
        raise UsageError(f"`--include {pattern}` fits no file of the experiment", hint=hint)


def _matches(name: str, pattern: str) -> bool:
    pattern = pattern.removeprefix("./").rstrip("/")
    parents = [str(parent) for parent in PurePosixPath(name).parents]
    return any(fnmatchcase(place, pattern) for place in (name, *parents[:-1]))


def _unknown(experiment: ExportedExperiment, taken: set[str]) -> Iterator[str]:
    """What is directly in the experiment's directory and not in the crate."""
    folders = {path.partition("/")[0] for path in taken if "/" in path} | {ANALYSIS, STATE_DIRECTORY}
    data = {str(path) for path in (*experiment.data.values(), *experiment.models.values())}
    for entry in sorted(Path(experiment.root).iterdir()):
        if entry.name.startswith(".") or entry.name == "__pycache__" or str(entry) in data:
            continue
        if entry.is_dir():
            if entry.name not in folders and not any(path.startswith(f"{entry}/") for path in data):
                yield f"{entry.name}/"
        elif entry.name not in taken:
            yield entry.name
