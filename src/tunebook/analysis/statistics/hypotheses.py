"""Tests of the plan's hypotheses, on the same samples and corrected among themselves only, with their verdicts.

Both sides of a hypothesis are means over the combinations of the other factors' levels, each combination with the same
weight. With two seeds or more in every combination on both sides, the spread between runs is the error: the result
generalizes to other trainings. Otherwise it is the spread between samples, over each sample's mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import fmean

from tunebook.analysis.collect.source import Source
from tunebook.analysis.records import Family, Interval, Measure
from tunebook.analysis.statistics.claims import (
    Claim,
    ClaimKind,
    Evidence,
    NoEvidenceError,
    RunEvidence,
)
from tunebook.analysis.statistics.families import correct_family
from tunebook.analysis.statistics.frozen import Frozen, frozen_hypotheses
from tunebook.analysis.statistics.hypothesis_cells import (
    NotTestableError,
    cell_scores,
    planned_epochs,
    scored_cells,
    side_means,
    values_of,
)
from tunebook.analysis.statistics.intervals import ALPHA
from tunebook.analysis.statistics.measure_results import MeasureResults
from tunebook.analysis.statistics.paired_tests import holm
from tunebook.analysis.statistics.pairwise import common_samples
from tunebook.analysis.statistics.sample_evidence import evidence_of_pairs, evidence_of_samples
from tunebook.analysis.statistics.scores import ScoreTable
from tunebook.analysis.statistics.settings import have_replicates, pooled_spread, settings_of
from tunebook.core.contrasts import Contrast, resolve
from tunebook.core.hypotheses import Hypothesis, Relation
from tunebook.core.hypothesis_grammar import HypothesisError
from tunebook.core.measures import Direction
from tunebook.core.plan import Plan

__all__ = ["ADDED_LATER", "HYPOTHESES", "HypothesisResult", "Verdict", "judge_hypotheses"]

HYPOTHESES = "hypotheses of the plan"
ADDED_LATER = "hypotheses added later"
_FAMILY = Family(HYPOTHESES)


class Verdict(StrEnum):
    """The verdict of the data on a hypothesis."""

    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    CONTRADICTED = "contradicted"
    NOT_TESTABLE = "not testable"


@dataclass(frozen=True)
class HypothesisResult:
    """One hypothesis with its test.

    Attributes:
        name: ``H1``, or ``hypothesis 2`` for one without a name.
        contrast: as it is written.
        reason: why it is not testable.
        direction: of the measure, which ``better than`` follows.
        kind: what the hypothesis says about the difference; ``margin`` in the measure's unit.
        difference: left side minus right side, with an interval of 95 %, or of 90 % for an equivalence.
        left: the left side's mean on the samples of the test; ``right`` likewise.
        n: samples; of the left task where tasks are compared. ``runs`` is how many runs were compared.
        generalizes: ``seeds`` or ``samples``.
        p: one-sided for directions and margins; ``p_holm`` is corrected over its family.
        p_against: two-sided: a small value contradicts the hypothesis; ``p_against_holm`` is corrected over its family.
        frozen: since when it is on the plan, and whether that was before the first job.
        missing: runs that have no score yet; ``left_out`` have no partner on the other side.
        confounded: other settings in which the two sides differ throughout.
    """

    name: str
    contrast: str
    frozen: Frozen
    words: str = ""
    verdict: Verdict = Verdict.NOT_TESTABLE
    reason: str = ""
    task: str = ""
    other_task: str = ""
    measure: str = ""
    direction: Direction = Direction.UNKNOWN
    kind: ClaimKind = ClaimKind.DIFFERENT
    margin: float = 0.0
    difference: float | None = None
    interval: Interval | None = None
    left: float | None = None
    right: float | None = None
    n: int = 0
    runs: int = 0
    test: str = ""
    generalizes: str = ""
    p: float | None = None
    p_holm: float | None = None
    p_against: float | None = None
    p_against_holm: float | None = None
    significant: bool | None = None
    family: Family = _FAMILY
    missing: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    confounded: tuple[str, ...] = ()

    @property
    def deciding_p(self) -> float | None:
        """The corrected p-value behind the verdict: that of the opposite if it contradicts the hypothesis."""
        return self.p_against_holm if self.verdict is Verdict.CONTRADICTED else self.p_holm

    @property
    def is_exploratory(self) -> bool:
        """Whether it was not on the plan before the first job."""
        return not self.frozen.is_before_jobs

    @property
    def is_against(self) -> bool:
        """Whether the estimate is on the other side of what a direction claims."""
        if self.difference is None:
            return False
        distance = self.difference - self.margin
        return (self.kind is ClaimKind.ABOVE and distance < 0) or (self.kind is ClaimKind.BELOW and distance > 0)


def judge_hypotheses(source: Source, results: Sequence[MeasureResults]) -> tuple[HypothesisResult, ...]:
    """Each hypothesis of the plan, and those that were frozen and are no longer on it, in their order.

    Hypotheses that were added later are a family of their own, so that they do not change the others' correction; a
    hypothesis that was removed stays in its family.
    """
    data = _Data.of(source.plan, results)
    tested = [_test(data, *item) for item in frozen_hypotheses(source.plan.hypotheses, source.frozen)]
    first = [item for item in tested if not item.is_exploratory]
    later = [item for item in tested if item.is_exploratory]
    corrected = [*_corrected(first, HYPOTHESES), *_corrected(later, ADDED_LATER if source.frozen else HYPOTHESES)]
    by_name = {item.name: item for item in corrected}
    return tuple(by_name[item.name] for item in tested)


_Key = tuple[str, str]
"""A task and a measure."""


@dataclass(frozen=True)
class _Data:
    """What hypotheses are tested on: scores, and the spread between seeds of all settings together."""

    plan: Plan
    tables: Mapping[_Key, ScoreTable]
    spreads: Mapping[_Key, tuple[float, int]]

    @classmethod
    def of(cls, plan: Plan, results: Sequence[MeasureResults]) -> _Data:
        tables, spreads = {}, {}
        for item in results:
            table = item.table
            key = (table.task, table.measure.name)
            tables[key] = table
            settings = settings_of(table, item.factors)
            if have_replicates(settings):
                spreads[key] = pooled_spread([[table.finals[run].value or 0.0 for run in own.runs] for own in settings])
        return cls(plan, tables, spreads)


def _test(data: _Data, name: str, hypothesis: Hypothesis, frozen: Frozen) -> HypothesisResult:
    result = HypothesisResult(name, hypothesis.contrast, frozen, hypothesis.words)
    try:
        contrast = resolve(data.plan, hypothesis)
    except HypothesisError as error:
        return replace(result, reason=f"the plan cannot decide it: {error}")
    result = replace(
        result,
        task=contrast.task,
        other_task=contrast.other_task,
        left_out=contrast.left_out,
        confounded=contrast.confounded,
    )
    try:
        one, other = _tables(data, contrast)
        result = replace(result, measure=one.measure.name, direction=one.measure.direction)
        claim = _claim(hypothesis, one.measure)
        result = replace(result, kind=claim.kind, margin=claim.margin)
        return _tested(result, contrast, claim, (one, other), data)
    except (NotTestableError, NoEvidenceError) as error:
        return replace(result, reason=str(error))


def _tables(data: _Data, contrast: Contrast) -> tuple[ScoreTable, ScoreTable]:
    """The scores of both sides: of one task, or of two with the same measure."""
    one, other = (_table(data, task, contrast.hypothesis.measure) for task in (contrast.task, contrast.other_task))
    ours, theirs = one.measure, other.measure
    if ours.name != theirs.name and not (ours.is_share and theirs.is_share):
        hint = "name one that both have `with MEASURE`"
        raise NotTestableError(f"the tasks have the measures {ours.name} and {theirs.name}, which differ; {hint}")
    return one, other


def _table(data: _Data, task: str, measure: str) -> ScoreTable:
    own = {name: table for (of_task, name), table in data.tables.items() if of_task == task}
    if not own:
        raise NotTestableError(f"no evaluation of {task} has results yet")
    if not measure:
        headline = next(iter(own.values()))
        wanted = next((each.measure for each in data.plan.tasks if each.name == task), "")
        if wanted and wanted.rpartition("/")[2] != headline.measure.name.rpartition("/")[2]:
            raise NotTestableError(
                f"the plan's measure of {task}, {wanted}, has no value for a single sample; name another one `with "
                f"MEASURE`: {', '.join(own)}"
            )
        return headline
    if measure not in own:
        raise NotTestableError(f"{task} has no measure {measure}; it has {', '.join(own)}")
    return own[measure]


def _claim(hypothesis: Hypothesis, measure: Measure) -> Claim:
    """The hypothesis as a claim about left minus right, in the measure's unit."""
    margin, relation = 0.0, hypothesis.relation
    if hypothesis.margin is not None:
        margin = hypothesis.margin.value
        if hypothesis.margin.in_points and not measure.is_share:
            raise NotTestableError(f"the margin is in points, but {measure.name} is not a share of samples")
        if measure.is_share and abs(margin) >= 1:
            raise NotTestableError(f"the margin {hypothesis.margin.text} is 1 or more, but {measure.name} is a share")
    if relation is Relation.EQUAL:
        return Claim(ClaimKind.WITHIN, margin)
    if relation is Relation.DIFFERENT:
        return Claim(ClaimKind.DIFFERENT)
    is_above = relation is Relation.HIGHER
    if relation.follows_direction:
        if not measure.has_direction:
            hint = "write `>` or `<`, or give the task a direction"
            raise NotTestableError(f"nobody said whether higher or lower values of {measure.name} are better; {hint}")
        is_above = (relation is Relation.BETTER) == (measure.direction is Direction.HIGHER)
    return Claim(ClaimKind.ABOVE, margin) if is_above else Claim(ClaimKind.BELOW, -margin)


# --- testing -------------------------------------------------------------------------------------------------------


def _tested(
    result: HypothesisResult, contrast: Contrast, claim: Claim, tables: tuple[ScoreTable, ScoreTable], data: _Data
) -> HypothesisResult:
    one, other = tables
    cells, missing = scored_cells(contrast, tables, planned_epochs(data.plan))
    lefts = [key for cell in cells for key in cell[0]]
    rights = [key for cell in cells for key in cell[1]]
    if contrast.is_of_tasks:
        ours, theirs = common_samples(one, lefts), common_samples(other, rights)
    else:
        ours = theirs = common_samples(one, [*lefts, *rights])
    if not ours or not theirs:
        raise NotTestableError("the evaluations have no samples in common")
    values = [values_of(one, lefts, ours), values_of(other, rights, theirs)]
    left, right = (side_means(own, cells, side) for side, own in enumerate(values))
    scores = cell_scores(cells, values)
    evidence = _evidence(contrast, scores, data.spreads.get((one.task, one.measure.name)), left=left, right=right)
    return replace(
        result,
        difference=evidence.difference,
        interval=one.measure.possible_difference(evidence.interval(claim)),
        left=fmean(left),
        right=fmean(right),
        n=len(ours),
        runs=len({key.run for key in (*lefts, *rights)}),
        test=evidence.name(claim),
        generalizes=evidence.generalizes,
        p=claim.p(evidence),
        p_against=claim.p_against(evidence),
        missing=missing,
    )


def _evidence(
    contrast: Contrast,
    scores: Sequence[tuple[list[float], list[float]]],
    spread: tuple[float, int] | None,
    *,
    left: list[float],
    right: list[float],
) -> Evidence:
    """Over runs where every setting has several seeds on both sides, otherwise over samples."""
    try:
        if contrast.is_of_tasks:
            return RunEvidence.of_same_runs(scores)
        if spread is not None:
            return RunEvidence.pooled(scores, spread)
        return evidence_of_pairs(left, right)
    except NoEvidenceError:
        return evidence_of_samples(left, right) if contrast.is_of_tasks else evidence_of_pairs(left, right)


# --- verdicts ------------------------------------------------------------------------------------------------------


def _corrected(items: Sequence[HypothesisResult], name: str) -> list[HypothesisResult]:
    """The hypotheses of a family with corrected p-values and verdicts."""
    against = [item.p_against for item in items if item.p_against is not None]
    corrected_against = iter(holm(against))
    named = [replace(item, family=Family(name)) for item in items]
    found = []
    for item in correct_family(named, name):
        p_against = next(corrected_against) if item.p_against is not None else None
        found.append(_with_verdict(replace(item, p_against_holm=p_against)))
    return found


def _with_verdict(item: HypothesisResult) -> HypothesisResult:
    if item.p is None:
        return item
    verdict = Verdict.NOT_SUPPORTED
    if item.significant:
        verdict = Verdict.SUPPORTED
    elif item.p_against_holm is not None and item.p_against_holm < ALPHA:
        verdict = Verdict.CONTRADICTED
    return replace(item, verdict=verdict)
