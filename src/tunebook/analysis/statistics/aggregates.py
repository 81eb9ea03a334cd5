"""Measures that only all samples together have, for each run, and their comparison with the base model.

They are computed after each run's last evaluated epoch, of the samples whose prediction and outcome can be used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from tunebook.analysis.collect.numbers import Numbers, number_scorers, read_numbers
from tunebook.analysis.collect.risks import Risks, read_risks, risk_scorers
from tunebook.analysis.collect.source import Collected
from tunebook.analysis.records import EvaluationKey, Family, Interval, Measure, RunRecord, TaskUse
from tunebook.analysis.statistics import numbers, risk
from tunebook.analysis.statistics.estimates import Estimate, difference_of
from tunebook.analysis.statistics.families import AGAINST_BASE, correct_family
from tunebook.analysis.statistics.pairwise import pair_samples
from tunebook.analysis.statistics.risk import RiskArrays
from tunebook.analysis.statistics.scores import ScoreTable
from tunebook.core.measures import Direction, direction_of
from tunebook.tools.results import Samples

__all__ = [
    "Aggregate",
    "AggregateComparison",
    "Aggregates",
    "Coverage",
    "ReliabilityBin",
    "aggregate",
    "is_called",
    "last_evaluations",
]


@dataclass(frozen=True)
class AggregateComparison:
    """A run and its base model on the samples that are usable in both.

    Attributes:
        n: how many samples these are.
        value: the run's value over these samples; ``base_value`` the base model's.
        test: the test's name; ``p`` its two-sided p-value, ``None`` where the samples have no spread.
        p_holm: corrected over its ``family``: this measure's comparisons of all runs.
        significant: whether ``p_holm`` is below the level of significance; ``None`` without a test.
    """

    base: str
    base_epoch: int
    n: int
    value: float
    base_value: float
    difference: float
    interval: Interval | None
    test: str
    p: float | None
    p_holm: float | None = None
    significant: bool | None = None
    family: Family | None = None


@dataclass(frozen=True)
class Aggregate:
    """One measure of one run's last evaluation of a task.

    Attributes:
        measure: ``scorer/auc`` and so on.
        kind: ``risk`` or ``number``.
        value: ``None`` where it is undefined; ``undefined`` says why.
        n: how many samples it is computed of.
        direction: which values are better.
        expected: the value that perfectly calibrated predictions would have; for calibration errors.
        comparison: with the base model; ``None`` without one.
    """

    task: str
    measure: str
    kind: str
    run: str
    epoch: int
    value: float | None
    undefined: str
    interval: Interval | None
    n: int
    direction: Direction = Direction.UNKNOWN
    expected: float | None = None
    comparison: AggregateComparison | None = None

    @property
    def scorer(self) -> str:
        """The scorer's name."""
        return self.measure.rpartition("/")[0]

    @property
    def key(self) -> str:
        """The measure's name without its scorer's."""
        return self.measure.rpartition("/")[2]


@dataclass(frozen=True)
class Coverage:
    """How many answers of a run's last evaluation a scorer's measures use.

    Attributes:
        unusable: reason to the number of answers that are left out for it.
    """

    task: str
    scorer: str
    kind: str
    run: str
    epoch: int
    answers: int
    usable: int
    unusable: Mapping[str, int]


@dataclass(frozen=True)
class ReliabilityBin:
    """A bin of a run's reliability curve; ``curve`` is ``risk`` or ``confidence``."""

    task: str
    scorer: str
    run: str
    curve: str
    bin: risk.Bin


@dataclass(frozen=True)
class Aggregates:
    """Everything that is computed of all samples together."""

    results: tuple[Aggregate, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    bins: tuple[ReliabilityBin, ...] = ()

    def scorers(self, task: str, kind: str) -> list[str]:
        """The scorers of a task that have risks (``risk``) or numbers (``number``)."""
        own = [each.scorer for each in self.coverage if (each.task, each.kind) == (task, kind)]
        return list(dict.fromkeys(own))


_SYNONYMS = {"auroc": "auc", "roc_auc": "auc", "r2": "r_squared", "mse": "rmse"}
_Usable = Risks | Numbers
_Estimates = Mapping[str, Estimate]


@dataclass(frozen=True)
class _Kind:
    """How one kind of prediction is read and measured."""

    name: str
    scorers: Callable[..., list[str]]
    read: Callable[..., _Usable]
    estimate: Callable[..., _Estimates]


def _risk_estimates(found: Risks, ids: tuple[str, ...] = ()) -> _Estimates:
    arrays = RiskArrays.of(found, ids)
    return {
        "auc": risk.area_under_curve(arrays),
        "ece": risk.calibration_error(arrays, arrays.confidence, arrays.right),
        "risk_calibration_error": risk.calibration_error(arrays, arrays.risk, arrays.outcome),
        "mean_risk": risk.mean_risk(arrays),
        "base_rate": risk.base_rate(arrays),
        "risk_minus_base_rate": risk.mean_excess(arrays),
    }


def _number_estimates(found: Numbers, ids: tuple[str, ...] = ()) -> _Estimates:
    arrays = numbers.arrays_of(found, ids)
    return {"rmse": numbers.root_mean_squared_error(arrays), "r_squared": numbers.r_squared(arrays)}


_KINDS = (
    _Kind("risk", risk_scorers, read_risks, _risk_estimates),
    _Kind("number", number_scorers, read_numbers, _number_estimates),
)


@dataclass
class _Scorer:
    """The last evaluations of a task by one scorer; estimates are kept while they are compared."""

    task: TaskUse
    name: str
    kind: _Kind
    found: dict[str, _Usable]  # by run
    keys: Mapping[str, EvaluationKey]
    table: ScoreTable
    kept: dict[tuple[str, tuple[str, ...]], _Estimates] = field(default_factory=dict)

    def estimates(self, run: str, ids: tuple[str, ...]) -> _Estimates:
        if (run, ids) not in self.kept:
            self.kept[run, ids] = self.kind.estimate(self.found[run], ids)
        return self.kept[run, ids]

    def ids(self, run: str) -> tuple[str, ...]:
        """The samples with a usable answer, in the evaluation's order."""
        return tuple(dict.fromkeys(self.found[run].ids))

    def shared(self, run: str, base: str) -> tuple[str, ...]:
        """The samples that are usable in both, with the same target."""
        own = set(self.ids(run)) & set(self.ids(base))
        paired = pair_samples(self.table, self.keys[run], self.keys[base]).ids
        shared = tuple(sample for sample in paired if sample in own)
        return self.ids(run) if set(shared) == set(self.ids(run)) else shared


def last_evaluations(found: Collected, task: str) -> dict[str, EvaluationKey]:
    """Each run's last evaluated epoch of a task, in the plan's order."""
    last: dict[str, EvaluationKey] = {}
    for key in found.samples:
        if key.task == task and (key.run not in last or last[key.run].epoch < key.epoch):
            last[key.run] = key
    return {run.name: last[run.name] for run in found.runs if run.name in last}


def aggregate(found: Collected) -> Aggregates:
    """The measures of every task and scorer that has risks or numbers."""
    values: list[Aggregate] = []
    coverage: list[Coverage] = []
    bins: list[ReliabilityBin] = []
    for task in found.tasks:
        for scorer in _scorers(found, task):
            values += _compared(scorer, found.runs)
            coverage += _coverage(scorer)
            bins += _bins(scorer)
    return Aggregates(tuple(values), tuple(coverage), tuple(bins))


def _scorers(found: Collected, task: TaskUse) -> Iterator[_Scorer]:
    keys = last_evaluations(found, task.name)
    for kind in _KINDS:
        readings: dict[str, dict[str, _Usable]] = {}
        for run, key in keys.items():
            for scorer in kind.scorers(found.samples[key]):
                readings.setdefault(scorer, {})[run] = kind.read(found.samples[key], scorer)
        for scorer, own in readings.items():
            samples = {keys[run]: _only_ids(found, keys[run], own[run]) for run in own}
            table = ScoreTable(task.name, Measure("usable"), (), samples, found.runs)
            yield _Scorer(task, scorer, kind, own, keys, table)


def _only_ids(found: Collected, key: EvaluationKey, usable: _Usable) -> Samples:
    """The evaluation's samples with a value where the prediction can be used, for pairing."""
    samples = found.samples[key]
    column: list[float | None] = [None] * len(samples.ids)
    for place in usable.places:
        column[place] = 0.0
    return replace(samples, values={"usable": tuple(column)})


def _compared(scorer: _Scorer, runs: Sequence[RunRecord]) -> Iterator[Aggregate]:
    """Every measure of the scorer; the comparisons of one measure are corrected together."""
    base_of = {run.name: run.base for run in runs}
    by_measure: dict[str, list[Aggregate]] = {}
    for run, key in scorer.keys.items():
        if run not in scorer.found:
            continue
        ids = scorer.ids(run)
        for name, estimate in scorer.estimates(run, ids).items():
            value = Aggregate(
                task=scorer.task.name,
                measure=f"{scorer.name}/{name}",
                kind=scorer.kind.name,
                run=run,
                epoch=key.epoch,
                value=estimate.value,
                undefined=estimate.undefined,
                interval=estimate.interval,
                n=len(ids),
                direction=_direction(scorer, name),
                expected=estimate.expected,
            )
            if value.direction is not Direction.UNKNOWN:
                value = replace(value, comparison=_comparison(scorer, name, run, base_of[run]))
            by_measure.setdefault(name, []).append(value)
    for family in by_measure.values():
        yield from _corrected(family)


def _direction(scorer: _Scorer, name: str) -> Direction:
    """The direction that the plan gives, if it is about this measure; otherwise the one that the name tells."""
    wanted = scorer.task.wanted
    if wanted is not None and is_called(wanted.name, f"{scorer.name}/{name}"):
        return wanted.direction
    return direction_of(name)


def is_called(wanted: str, measure: str) -> bool:
    """Whether a plan's word for a measure means this one."""
    scorer, _, key = wanted.rpartition("/")
    own_scorer, _, own = measure.rpartition("/")
    return _SYNONYMS.get(key, key) == own and scorer in {"", own_scorer}


def _comparison(scorer: _Scorer, name: str, run: str, base: str | None) -> AggregateComparison | None:
    if base is None or base not in scorer.found:
        return None
    ids = scorer.shared(run, base)
    if not ids:
        return None
    one, other = scorer.estimates(run, ids)[name], scorer.estimates(base, ids)[name]
    difference = difference_of(one, other)
    if difference is None or one.value is None or other.value is None:
        return None
    return AggregateComparison(
        base=base,
        base_epoch=scorer.keys[base].epoch,
        n=len(ids),
        value=one.value,
        base_value=other.value,
        difference=difference.difference,
        interval=difference.interval,
        test=difference.test,
        p=difference.p,
    )


def _corrected(values: Sequence[Aggregate]) -> Iterator[Aggregate]:
    comparisons = [value.comparison for value in values if value.comparison is not None]
    corrected = iter(correct_family(comparisons, f"{AGAINST_BASE}, {values[0].measure}"))
    for value in values:
        yield value if value.comparison is None else replace(value, comparison=next(corrected))


def _coverage(scorer: _Scorer) -> Iterator[Coverage]:
    for run, found in scorer.found.items():
        yield Coverage(
            task=scorer.task.name,
            scorer=scorer.name,
            kind=scorer.kind.name,
            run=run,
            epoch=scorer.keys[run].epoch,
            answers=found.answers,
            usable=len(found.places),
            unusable=MappingProxyType(dict(found.unusable)),
        )


def _bins(scorer: _Scorer) -> Iterator[ReliabilityBin]:
    for run, found in scorer.found.items():
        if isinstance(found, Risks) and found.ids:
            arrays = RiskArrays.of(found)
            curves = {"risk": (arrays.risk, arrays.outcome), "confidence": (arrays.confidence, arrays.right)}
            for curve, (probability, hit) in curves.items():
                for each in risk.bins_of(probability, hit):
                    yield ReliabilityBin(scorer.task.name, scorer.name, run, curve, each)
