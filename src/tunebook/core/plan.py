"""The plan of an experiment as values: what ``experiment_summary.md`` says, each with its line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from tunebook.core.parameters import ParameterTable, Value, Written

__all__ = [
    "PLAN_FILE",
    "Dataset",
    "Estimates",
    "Evaluation",
    "EvaluationTask",
    "Factor",
    "MatrixEntry",
    "Model",
    "Plan",
    "Run",
    "RunType",
    "Tools",
]

PLAN_FILE = "experiment_summary.md"


class RunType(Enum):
    """What happens to a run's model before it is evaluated."""

    FINE_TUNED = "Fine-tuned"
    CONTROL = "Control"
    EVAL_ONLY = "Eval-only"


@dataclass(frozen=True)
class Tools:
    """Which tools the page names; ``assumed`` if it names none and the defaults hold."""

    preparation: str = "torchtune"
    evaluation: str = "inspect-ai"
    assumed: bool = True
    line: int | None = None
    evaluation_line: int | None = None


@dataclass(frozen=True)
class Factor:
    """A row of ``## Variables``."""

    name: str
    levels: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Run:
    """A row of ``## All Runs``.

    Attributes:
        parameters: key to value, only what the row itself gives.
        checkpoint: where an eval-only run's weights are; ``None`` elsewhere.
        estimate_min: the row's estimated training time in minutes.
    """

    name: str
    model: str
    type: RunType
    line: int
    parameters: Mapping[str, Written] = field(default_factory=lambda: MappingProxyType({}))
    checkpoint: str | None = None
    estimate_min: float | None = None
    notes: str = ""


@dataclass(frozen=True)
class Model:
    """A model under ``### Models``: its name in the runs table and its directory."""

    name: str
    path: str
    line: int


@dataclass(frozen=True)
class Dataset:
    """``### Dataset``; ``splits`` holds the number of examples of each named split."""

    path: str
    line: int
    format: str = ""
    splits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    splits_line: int | None = None


@dataclass(frozen=True)
class EvaluationTask:
    """A row of ``### Evaluation Tasks``; ``function`` is what follows ``@`` in the script."""

    name: str
    script: str
    line: int
    function: str | None = None
    dataset: str | None = None
    description: str = ""


@dataclass(frozen=True)
class MatrixEntry:
    """A cell of the evaluation matrix: ``last``, ``all``, zero-based epochs, or ``None`` for the plan's default."""

    run: str
    task: str
    line: int
    epochs: str | tuple[int, ...] | None = None


@dataclass(frozen=True)
class Evaluation:
    """One evaluation to be made; ``epoch`` is zero-based, and ``None`` for models that were not trained here."""

    run: str
    task: str
    epoch: int | None
    line: int


@dataclass(frozen=True)
class Estimates:
    """``## Compute Estimates`` in minutes: by model, and for one evaluation."""

    training_min: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    evaluation_min: float | None = None


@dataclass(frozen=True)
class Plan:
    """The whole page.

    Attributes:
        file: how messages name the page.
        parameters: the parameters that the plan's tools have.
        kind: the design in words, as ``## Overview`` has it.
        configuration: parameters that hold for every run; a row of the runs table wins over them.
        listed: values that ``## Configuration`` lists for a parameter that the runs table varies.
        matrix: ``None`` where the page has no matrix: all runs get all tasks.
        unreadable: keys of parameters that stand on the page but could not be read: a problem was told already.
        epochs_to_evaluate: ``last``, ``all`` or zero-based epochs.
    """

    name: str
    file: str
    parameters: ParameterTable
    line: int = 1
    kind: str = ""
    question: str = ""
    created: str = ""
    tools: Tools = field(default_factory=Tools)
    total_runs: Written | None = None
    total_evaluations: Written | None = None
    factors: tuple[Factor, ...] = ()
    runs: tuple[Run, ...] = ()
    runs_line: int | None = None
    columns: tuple[str, ...] = ()
    unreadable: frozenset[str] = frozenset()
    models: tuple[Model, ...] = ()
    models_location: str | None = None
    dataset: Dataset | None = None
    tasks: tuple[EvaluationTask, ...] = ()
    matrix: tuple[MatrixEntry, ...] | None = None
    matrix_runs: tuple[Written, ...] = ()
    epochs_to_evaluate: str | tuple[int, ...] = "last"
    epochs_line: int | None = None
    configuration: Mapping[str, Written] = field(default_factory=lambda: MappingProxyType({}))
    listed: Mapping[str, tuple[Written, ...]] = field(default_factory=lambda: MappingProxyType({}))
    estimates: Estimates = field(default_factory=Estimates)
    paths: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def fine_tuned(self) -> tuple[Run, ...]:
        """The runs that are trained."""
        return tuple(run for run in self.runs if run.type is RunType.FINE_TUNED)

    def model_of(self, run: Run) -> Model | None:
        """Where the run's model is; ``None`` if ``### Models`` does not list it."""
        return next((model for model in self.models if model.name == run.model), None)

    def setting(self, run: Run, key: str) -> Written | None:
        """What the page says of a parameter for a run: its row, else the configuration, else nothing."""
        return run.parameters.get(key) or self.configuration.get(key)

    def value(self, key: str, default: Value = None) -> Value:
        """What the configuration says of a parameter."""
        written = self.configuration.get(key)
        return default if written is None else written.value
