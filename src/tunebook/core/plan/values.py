"""The plan of an experiment as values: the content of ``experiment_summary.md``, each part with its line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from types import MappingProxyType

from tunebook.core.hypotheses import Hypothesis
from tunebook.core.measures import Direction
from tunebook.core.memo import Memo
from tunebook.core.parameters import ParameterTable, Value, Written

__all__ = [
    "Dataset",
    "Estimates",
    "Evaluation",
    "EvaluationTask",
    "Fact",
    "Factor",
    "MatrixEntry",
    "Model",
    "Plan",
    "PlanDetails",
    "Run",
    "RunType",
    "Tools",
]

Fact = tuple[str, str]
"""The name of a bullet, and its text as Markdown."""


class RunType(Enum):
    """What happens to a run's model before it is evaluated."""

    FINE_TUNED = "Fine-tuned"
    CONTROL = "Control"
    EVAL_ONLY = "Eval-only"


@dataclass(frozen=True)
class Tools:
    """The tools that the plan names; ``assumed`` if it names none, so that the defaults apply.

    Attributes:
        evaluation: one or more; with several, each task says which one it belongs to.
    """

    preparation: str = "torchtune"
    evaluation: tuple[str, ...] = ("inspect-ai",)
    assumed: bool = True
    line: int | None = None
    evaluation_line: int | None = None

    @property
    def evaluation_text(self) -> str:
        """The evaluation tools as the plan lists them: ``inspect-ai, lm-eval``."""
        return ", ".join(self.evaluation)


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
        parameters: key to value, only those in the row itself.
        checkpoint: the path of an eval-only run's weights; ``None`` for other runs.
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
    line: int = 0


@dataclass(frozen=True)
class Dataset:
    """``### Dataset``; ``splits`` maps the name of each split to its number of examples."""

    path: str
    line: int
    format: str = ""
    splits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    splits_line: int | None = None


@dataclass(frozen=True)
class EvaluationTask:
    """A row of ``### Evaluation Tasks``.

    Attributes:
        script: a file, or a task of an installed package such as ``inspect_evals/mmlu_0_shot``.
        function: the text after ``@`` in the script.
        dataset: the file that the task reads; ``None`` for the run's own data.
        has_own_data: whether the table says ``-``: the task brings its data.
        tool: the evaluation tool that its row names; empty without one. :meth:`Plan.tool_of` is what applies.
        measure: the headline measure, as the evaluation's log names it; empty for its first one.
        direction: which values of the headline measure are better; ``None`` for what its name tells.
    """

    name: str
    script: str
    line: int = 0
    function: str | None = None
    dataset: str | None = None
    description: str = ""
    has_own_data: bool = False
    tool: str = ""
    measure: str = ""
    direction: Direction | None = None


@dataclass(frozen=True)
class MatrixEntry:
    """A cell of the evaluation matrix: ``last``, ``all``, zero-based epochs, or ``None`` for the plan's default."""

    run: str
    task: str
    line: int
    epochs: str | tuple[int, ...] | None = None


@dataclass(frozen=True)
class Evaluation:
    """One planned evaluation; ``epoch`` is zero-based, and ``None`` for models that were not trained here."""

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
    """The whole plan.

    Attributes:
        file: the name of the plan in messages.
        parameters: the parameters that the plan's tools have.
        kind: the design in words, as in ``## Overview``.
        configuration: parameters that apply to every run, unless its row in the runs table has another value.
        authors: who made the experiment, as ``## Overview`` lists them; ``core/authorship.py`` reads the names.
        license: the terms under which others may use it, as the plan names them.
        listed: values that ``## Configuration`` lists for a parameter that the runs table varies.
        matrix: ``None`` if the plan has no matrix: all runs get all tasks.
        unreadable: keys of parameters that the plan gives, but whose value could not be read: already a problem.
        epochs_to_evaluate: ``last``, ``all`` or zero-based epochs.
    """

    name: str
    file: str
    parameters: ParameterTable
    line: int = 1
    kind: str = ""
    question: str = ""
    created: str = ""
    authors: Written | None = None
    license: Written | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
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

    @cached_property
    def memo(self) -> Memo:
        """What functions have computed of this plan; a changed plan is another object."""
        return Memo()

    @cached_property
    def fine_tuned(self) -> tuple[Run, ...]:
        """The runs that are trained."""
        return tuple(run for run in self.runs if run.type is RunType.FINE_TUNED)

    @cached_property
    def _models_by_name(self) -> Mapping[str, Model]:
        return {model.name: model for model in reversed(self.models)}

    @cached_property
    def _tasks_by_name(self) -> Mapping[str, EvaluationTask]:
        return {task.name: task for task in reversed(self.tasks)}

    @property
    def dataset_path(self) -> str:
        """The path of the plan's data set; empty if the plan names none."""
        return self.dataset.path if self.dataset else ""

    def model_of(self, run: Run) -> Model | None:
        """The run's model; ``None`` if ``### Models`` does not list it."""
        return self._models_by_name.get(run.model)

    def task_named(self, name: str) -> EvaluationTask:
        """The row of the tasks table that an evaluation names; checking the plan refuses other names."""
        return self._tasks_by_name[name]

    def tool_of(self, task: EvaluationTask) -> str:
        """The evaluation tool of a task, in lower case: the one that its row names, otherwise the plan's first."""
        return (task.tool or self.tools.evaluation[0]).lower()

    def for_tool(self, tool: str) -> Plan:
        """The plan with the tasks of one evaluation tool, and only their cells of the matrix."""
        tasks = tuple(task for task in self.tasks if self.tool_of(task) == tool)
        if len(tasks) == len(self.tasks):
            return self
        names = {task.name for task in tasks}
        matrix = self.matrix
        if matrix is not None:
            matrix = tuple(entry for entry in matrix if entry.task in names)
        return replace(self, tasks=tasks, matrix=matrix)

    def setting(self, run: Run, key: str) -> Written | None:
        """A parameter of a run: from its row, otherwise from the configuration; ``None`` if neither has it."""
        return run.parameters.get(key) or self.configuration.get(key)

    def value(self, key: str, default: Value = None) -> Value:
        """A parameter's value in the configuration."""
        written = self.configuration.get(key)
        return default if written is None else written.value


@dataclass(frozen=True)
class PlanDetails:
    """Facts in the text of a plan that are for people only; nothing reads them back.

    Attributes:
        design: the kind of design in words: ``4×2 factorial``.
        created: date and time.
        directory: the experiment's.
        verified: paths that were found, and get a tick.
        dataset: facts on the data set, such as its size.
        prerequisites: what to do before the experiment can run; one line of Markdown each.
        training: facts below the estimates of training; ``evaluation`` and ``disk`` likewise.
        naming: facts on names.
        matrix_notes: run to its note in the evaluation matrix.
        notes: lines for people at the end of the plan.
    """

    design: str = ""
    created: str = ""
    directory: str = ""
    verified: frozenset[str] = frozenset()
    dataset: tuple[Fact, ...] = ()
    prerequisites: tuple[str, ...] = ()
    training: tuple[Fact, ...] = ()
    evaluation: tuple[Fact, ...] = ()
    disk: tuple[Fact, ...] = ()
    naming: tuple[Fact, ...] = ()
    matrix_notes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = ()
