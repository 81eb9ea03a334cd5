"""Records of each run and each evaluation: training, curve, scores and logs. Frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tunebook.artifacts.curve import Curve
from tunebook.artifacts.proof import EpochProof
from tunebook.core.jobs import JobState
from tunebook.core.measures import Direction
from tunebook.core.parameters import Value
from tunebook.core.plan import RunType
from tunebook.slurm.accounting import SlurmUse

__all__ = [
    "Deviation",
    "EnvironmentDifference",
    "EvaluationKey",
    "EvaluationRecord",
    "FactorUse",
    "Family",
    "Gap",
    "Interval",
    "Measure",
    "OtherLog",
    "RunRecord",
    "Score",
    "SettingUsed",
    "TaskUse",
    "Training",
]


@dataclass(frozen=True)
class Interval:
    """A confidence interval; ``method`` is ``Wilson``, ``bootstrap`` or ``Student t``."""

    low: float
    high: float
    method: str
    level: float = 0.95

    @property
    def contains_zero(self) -> bool:
        """Whether 0 is in it."""
        return self.low <= 0 <= self.high

    def within(self, low: float, high: float) -> Interval:
        """The part of the interval between two bounds that the value cannot leave."""
        return Interval(max(self.low, low), min(self.high, high), self.method, self.level)


@dataclass(frozen=True)
class Family:
    """The tests among which a p-value was corrected: a decision is made on all of them together.

    Attributes:
        name: what they test, such as ``final epoch against the base model``, with the measure if it is not the task's
            headline measure.
        size: the number of tests.
        correction: ``Holm``, or ``none`` for a single test.
    """

    name: str
    size: int = 1
    correction: str = "none"


@dataclass(frozen=True)
class SettingUsed:
    """A setting with which jobs ran; ``values`` is each value that a run had, with its source."""

    group: str
    name: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Training:
    """How a run was trained.

    Attributes:
        state: the state of its job; ``UNKNOWN`` without a job.
        reason: why it failed or waits.
        source: the file or log that the curve was read from, in words; empty without a curve.
        steps: optimizer steps logged; ``total_steps`` were planned.
        final_loss: the last logged one; ``tail_loss`` is the mean of the last tenth of the steps.
        best_validation_loss: the lowest, after ``best_validation_step``.
        diverged_steps: how many logged losses were not a finite number.
        unreadable_lines: how many lines of its log could not be read; their steps are missing from the curve.
        elapsed_s: wall time of the job; of the curve if the job did not write its times.
        gpus: the number of GPUs of its job.
        gpu_hours: ``elapsed_s × gpus / 3600``; ``None`` without GPUs.
        attempts: how many times it was submitted.
        proof: for each saved checkpoint, the losses as trained and as evaluated.
    """

    state: JobState
    reason: str = ""
    source: str = ""
    curve: Curve = field(default_factory=Curve)
    steps: int = 0
    total_steps: int | None = None
    first_loss: float | None = None
    final_loss: float | None = None
    tail_loss: float | None = None
    final_validation_loss: float | None = None
    best_validation_loss: float | None = None
    best_validation_step: int | None = None
    diverged_steps: int = 0
    unreadable_lines: int = 0
    tokens_per_second: float | None = None
    peak_memory_gb: float | None = None
    elapsed_s: float | None = None
    gpus: int = 0
    gpu_hours: float | None = None
    attempts: int = 0
    started: str = ""
    ended: str = ""
    host: str = ""
    slurm: SlurmUse | None = None
    proof: tuple[EpochProof, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether it ended well; without a known job, whether it logged a step."""
        return self.state is JobState.COMPLETED or (self.state is JobState.UNKNOWN and self.steps > 0)


@dataclass(frozen=True)
class RunRecord:
    """A row of the plan's runs table with its training.

    Attributes:
        directory: its directory's name, which is its short name too.
        base: the name of the control run with the same model; ``None`` without one.
        parameters: every parameter's value by key, including defaults; empty unless fine-tuned.
        levels: the varied factors' levels by key, as the plan writes them; empty for controls.
        training: ``None`` for models that were not trained here.
    """

    name: str
    directory: str
    type: RunType
    model: str
    base: str | None = None
    parameters: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    levels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    notes: str = ""
    training: Training | None = None


@dataclass(frozen=True, order=True)
class EvaluationKey:
    """An evaluation of the matrix; ``epoch`` is zero-based, and -1 for models that were not trained here."""

    run: str
    task: str
    epoch: int = -1

    @property
    def trained_epoch(self) -> int | None:
        """The epoch; ``None`` for models that were not trained here."""
        return self.epoch if self.epoch >= 0 else None


@dataclass(frozen=True)
class Score:
    """One measure of one evaluation.

    Attributes:
        measure: the scorer's name, with ``/key`` if it gives several values.
        value: the mean over the samples; ``None`` without samples.
        n: how many samples were scored (repetitions of a sample count once, by their mean).
        answers: how many answers were scored, each repetition by itself.
        is_binary: whether every sample is right (1) or wrong (0).
        stderr: of the mean over the samples.
        logged: the value of the metric ``logged_metric`` that the log itself puts first.
        logged_note: why ``logged`` is not ``value``, as the end of "the log's accuracy is 0.5: …"; empty if they are
            equal, and without a metric.
        missing: how many answers have no usable value; they count neither in ``value`` nor in ``n``.
        no_answers: how many answers were graded as no answer, which counts as wrong.
    """

    evaluation: EvaluationKey
    measure: str
    value: float | None
    n: int
    interval: Interval | None = None
    is_binary: bool = False
    stderr: float | None = None
    logged: float | None = None
    logged_metric: str = ""
    answers: int = 0
    logged_note: str = ""
    missing: int = 0
    no_answers: int = 0


@dataclass(frozen=True)
class OtherLog:
    """A log that does not count, and why."""

    path: str
    status: str
    created: str
    why: str


@dataclass(frozen=True)
class EvaluationRecord:
    """An evaluation with the log that counts.

    Attributes:
        state: the state of its job; ``UNKNOWN`` without a job.
        log: the log's path, relative to the experiment's directory; ``None`` if no log counts.
        others: logs of the same evaluation that do not count.
        elapsed_s: wall time of the job.
    """

    key: EvaluationKey
    state: JobState
    reason: str = ""
    log: str | None = None
    scores: tuple[Score, ...] = ()
    samples: int = 0
    completed: int = 0
    others: tuple[OtherLog, ...] = ()
    elapsed_s: float | None = None
    total_tokens: int | None = None
    attempts: int = 0

    @property
    def is_done(self) -> bool:
        """Whether it has a log that counts."""
        return self.log is not None


@dataclass(frozen=True)
class FactorUse:
    """A parameter that was varied over the fine-tuned runs.

    Attributes:
        key: the parameter's key, such as ``lora_rank``.
        label: its column in the plan, such as ``LoRA Rank``.
        levels: its values as the plan writes them, sorted as numbers where they are numbers.
        is_seed: whether its levels are repetitions and not treatments.
    """

    key: str
    label: str
    levels: tuple[str, ...]
    is_seed: bool = False


@dataclass(frozen=True)
class Measure:
    """One value that an evaluation gives each sample, and how to read it: the only place that knows what is better.

    Attributes:
        name: the scorer's name, with ``/key`` if it gives several values.
        direction: which values are better; unknown means that nothing is best and nothing improves.
        is_share: whether values are proportions of samples or grades, which are written as percent.
        reducer: how the log makes one value of a sample's repetitions; empty if nothing was repeated.
    """

    name: str
    direction: Direction = Direction.UNKNOWN
    is_share: bool = False
    reducer: str = ""

    @property
    def has_direction(self) -> bool:
        """Whether a run can be better than another one."""
        return self.direction is not Direction.UNKNOWN

    def goodness(self, value: float | None) -> float:
        """A number that is the greater the better the value is; without a direction the value itself."""
        number = 0.0 if value is None else value
        return -number if self.direction is Direction.LOWER else number

    def is_better(self, value: float, other: float) -> bool:
        """Whether a value is better than another one; never without a direction."""
        return self.has_direction and self.goodness(value) > self.goodness(other)

    def possible_value(self, interval: Interval | None) -> Interval | None:
        """The part of an interval of a value that is possible: a share lies between 0 and 1."""
        return interval.within(0.0, 1.0) if self.is_share and interval is not None else interval

    def possible_difference(self, interval: Interval | None) -> Interval | None:
        """The part of an interval of a difference that is possible: that of shares lies between -1 and 1."""
        return interval.within(-1.0, 1.0) if self.is_share and interval is not None else interval

    @property
    def reading(self) -> str:
        """``higher is better``, ``lower is better``, or that the direction is unknown."""
        return f"{self.direction.value} is better" if self.has_direction else "direction unknown"


@dataclass(frozen=True)
class TaskUse:
    """An evaluation task; ``measures`` are its scorers' values of a sample, the headline one first.

    Attributes:
        wanted: the measure that the plan names if only all samples together have it, such as ``auc``: the headline
            measure is tested in its place. ``None`` for other plans.
    """

    name: str
    description: str = ""
    measures: tuple[Measure, ...] = ()
    wanted: Measure | None = None

    @property
    def headline(self) -> Measure:
        """The headline measure; one without a name where there are no scores."""
        return next(iter(self.measures), Measure(""))

    def measure(self, name: str) -> Measure:
        """The measure of this name."""
        return next(each for each in self.measures if each.name == name)


@dataclass(frozen=True)
class Gap:
    """Something that is missing; ``hint`` is how to get it.

    Attributes:
        planned: whether the plan contains it; a missing control run that no row asks for leaves nothing unfinished.
    """

    subject: str
    what: str
    hint: str = ""
    planned: bool = True


@dataclass(frozen=True)
class EnvironmentDifference:
    """Something that was not the same for all trainings, or for all evaluations.

    Attributes:
        jobs: ``trainings`` or ``evaluations``.
        name: of a package, or ``Python``, ``GPUs``, ``Driver``, ``Commit``.
        values: value to the names of the runs that had it.
    """

    jobs: str
    name: str
    values: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Deviation:
    """A deviation from the plan, or between experiments that are analyzed together.

    ``kind`` is ``retry``, ``setting``, ``edited``, ``log``, ``diverged``, ``versions`` or ``experiments``.
    """

    kind: str
    subject: str
    what: str
