"""The contract of results: the questions that an analysis asks a tool about the files of its jobs.

A preparation tool has a :class:`TrainingResults` as its ``results``, an evaluation tool an :class:`EvaluationResults`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from tunebook.artifacts.curve import TrainingCurve, read_metrics_curve
from tunebook.core.measures import Direction
from tunebook.core.plan import EvaluationTask

__all__ = [
    "EvaluationResults",
    "LogHeader",
    "LogReadings",
    "LogSubject",
    "LogViewer",
    "LoggedMetric",
    "Samples",
    "TrainingFiles",
    "TrainingResults",
    "UsedSettings",
]

T = TypeVar("T")


@dataclass(frozen=True)
class TrainingFiles:
    """The places where a training may have left files; all paths are absolute and may not exist.

    Attributes:
        metrics: the run's ``metrics.jsonl``.
        output_directory: where its checkpoints go.
        run_directory: the directory with its configuration and its script.
        job_outputs: files with its job's output, the one to prefer first.
    """

    metrics: Path
    output_directory: Path
    run_directory: Path
    job_outputs: tuple[Path, ...] = ()


@dataclass(frozen=True)
class UsedSettings:
    """The settings of a training by the key of their parameter, as its own configuration ``file`` gives them."""

    file: str = ""
    values: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


class TrainingResults:
    """The results of a preparation tool.

    This class reads ``metrics.jsonl``. That is enough for a tool whose jobs write it: ``results = TrainingResults()``.
    A tool that logs in another way overrides ``read_curve``.
    """

    def read_curve(self, files: TrainingFiles) -> TrainingCurve:
        """Reads a training's curve; an empty one if nothing was logged yet. Must not fail on torn files."""
        return read_metrics_curve(files.metrics)

    def read_settings(self, run_directory: Path) -> UsedSettings:  # noqa: ARG002
        """Reads the settings that a training used from its configuration, which a person may have edited.

        An analysis compares them with the plan. Returns nothing if the configuration is missing or unreadable, which
        is the default: then nothing is compared.
        """
        return UsedSettings()


@dataclass(frozen=True)
class LoggedMetric:
    """One number that a log itself gives for a measure, over all samples.

    Attributes:
        name: as the log names it, such as ``accuracy`` or ``rmse``.
        is_mean: whether it is the plain mean of the samples' values, so that an analysis can compare it with its own.
        note: for a metric that is not such a mean, how it is made, as the end of a sentence that begins with "the log".
    """

    name: str
    value: float
    is_mean: bool = False
    note: str = ""


@dataclass(frozen=True)
class LogHeader:
    """The header of an evaluation's log, without its samples.

    Attributes:
        status: the log's own word; ``success`` for an evaluation that ended well.
        created: ISO 8601 with the time zone.
        model: as the log names it.
        task: as the log names it, with ``task_file`` if it names its script and ``dataset`` if it names its data.
        samples: how many the evaluation has; ``completed`` of them were completed.
        error: why the evaluation failed.
        commit: the git commit that the log names, of the repository ``origin``.
        packages: version by package, as far as the log names them.
        metrics: for each measure the numbers that the log itself gives, the log's headline first, without standard
            errors. So are those that are not a mean of samples; an analysis shows them and does not compare them.
        directions: for measures of which the log says it, which values are better.
        reducer: how the repetitions of a sample became one value, such as ``max``; empty if nothing was repeated.
    """

    status: str
    created: str
    model: str
    task: str
    task_file: str = ""
    dataset: str = ""
    samples: int = 0
    completed: int = 0
    error: str = ""
    commit: str = ""
    origin: str = ""
    packages: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    metrics: Mapping[str, tuple[LoggedMetric, ...]] = field(default_factory=lambda: MappingProxyType({}))
    directions: Mapping[str, Direction] = field(default_factory=lambda: MappingProxyType({}))
    reducer: str = ""


@dataclass(frozen=True)
class Samples:
    """The samples of one evaluation, in columns of equal length, ordered by id and repetition.

    Attributes:
        ids: the data set's sample ids, as text.
        repeats: from 1, for a task that asks each sample several times and takes the mean; a log with another
            reducer has each sample once, with its reduced values.
        prompts: cut to about 1,000 characters each; so are targets and answers.
        errors: why a sample failed; empty for the others.
        values: measure to each sample's score; ``None`` for a missing score. A measure is a scorer's name, or
            ``scorer/key`` for a scorer that gives several values, or ``scorer/reducer`` for what further reducers make
            of a sample's repetitions.
        letters: for a measure with values that are letters, words or other texts: one character per sample. ``C``,
            ``P``, ``I`` and ``N`` (no answer) are these letters, ``w`` is a word such as yes, ``?`` a text that is no
            value, ``.`` a number, and a space no value at all. The values of letters and words are grades, from 0 to
            1; among numbers an analysis takes them as missing.
        cut: whether an answer has all tokens that it may have; empty if the log does not show it.
        tokens: the number of tokens that the model read and wrote, over all samples.
        metadata: the data set's own columns, as text: groups and numbers that tell samples apart.
            ``tunebook.tools.sample_metadata`` makes them.
        score_metadata: what a scorer adds to its value, by ``scorer/key``: numbers, texts, short lists and
            dictionaries.
    """

    ids: tuple[str, ...] = ()
    repeats: tuple[int, ...] = ()
    prompts: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    values: Mapping[str, tuple[float | None, ...]] = field(default_factory=lambda: MappingProxyType({}))
    letters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    cut: tuple[bool, ...] = ()
    tokens: int = 0
    metadata: Mapping[str, tuple[str | None, ...]] = field(default_factory=lambda: MappingProxyType({}))
    score_metadata: Mapping[str, tuple[Any, ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class LogReadings(Generic[T]):
    """Readings of several logs by the log's path; ``unreadable`` says why a log could not be read."""

    readings: Mapping[Path, T] = field(default_factory=lambda: MappingProxyType({}))
    unreadable: Mapping[Path, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class LogSubject:
    """The subject of a log.

    Attributes:
        task: the plan's name of the task; ``None`` if no task of the plan fits, or two fit.
        epoch: the zero-based epoch that was evaluated; ``None`` for a model that was not trained here.
    """

    task: str | None
    epoch: int | None = None


@dataclass(frozen=True)
class LogViewer:
    """A program that shows logs in a web browser.

    Attributes:
        name: for a report: "opens the log in NAME".
        command: starts it; the directory with the logs is appended.
        log_address: where it shows a log; ``{log}`` is the log's path, relative to that directory.
        sample_address: where it shows a sample of a log; ``{sample}`` is the sample's id.
        log_name: what the names of the logs that it shows match; those of other tools may be in the same directory.
    """

    name: str
    command: tuple[str, ...]
    log_address: str
    sample_address: str
    log_name: re.Pattern[str] = re.compile(".*", re.DOTALL)

    def address(self, log: str, *, sample: str | None = None) -> str:
        """Returns the address of a log, or of one of its samples, while the viewer runs; empty if it cannot show it."""
        if not self.log_name.fullmatch(PurePosixPath(log).name):
            return ""
        if sample is None:
            return self.log_address.format(log=quote(log))
        return self.sample_address.format(log=quote(log), sample=quote(sample, safe=""))


class EvaluationResults(ABC):
    """The results of an evaluation tool: logs with samples and their scores.

    An analysis remembers what it read of a log until the file's size or time changes: readers need no cache.

    Attributes:
        package: the Python package that reads the logs, whose version a report names.
        viewer: a program that shows logs; ``None`` without one.
    """

    package: str
    viewer: LogViewer | None = None

    @abstractmethod
    def log_files(self, run_directory: Path) -> Sequence[Path]:
        """Returns every log of a run, in the order of their names; empty before the first log."""

    @abstractmethod
    def read_headers(self, logs: Sequence[Path]) -> LogReadings[LogHeader]:
        """Reads the header of each log. A torn log is unreadable and must not hide the others.

        Raises:
            ToolError: a package that reads the logs is not installed here.
        """

    @abstractmethod
    def read_samples(self, logs: Sequence[Path]) -> LogReadings[Samples]:
        """Reads the samples of logs. A torn log is unreadable and must not hide the others.

        Raises:
            ToolError: a package that reads the logs is not installed here.
        """

    @abstractmethod
    def subject_of(self, log: LogHeader, tasks: Sequence[EvaluationTask]) -> LogSubject:
        """Identifies the plan's task and the run's epoch that a log belongs to. Pure."""
