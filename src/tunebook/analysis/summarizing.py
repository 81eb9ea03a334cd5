"""Seeds as repetitions, cost against score, and the samples worth looking at. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev

from tunebook.analysis.collect.records import EvaluationKey, RunRecord, Score
from tunebook.analysis.comparing import Table, common_samples, final_scores, shared_samples
from tunebook.analysis.inference import CostPoint, Replicates
from tunebook.analysis.intervals import LEVEL, student_interval
from tunebook.analysis.paired import holm, paired_test
from tunebook.analysis.values import Case, FactorUse
from tunebook.core.plan import RunType
from tunebook.tools.results import Samples

__all__ = ["MOST_CASES", "cases_of", "costs_of", "replicates_of"]

MOST_CASES = 100  # of a kind
_MOST_ANSWERS = 6


def replicates_of(
    table: Table, runs: Sequence[RunRecord], factors: Sequence[FactorUse], *, level: float = LEVEL
) -> tuple[Replicates, ...]:
    """The runs that differ in their seed only, in groups of two and more, each group against its base model too."""
    treatments = [factor for factor in factors if not factor.is_seed]
    scores = {score.evaluation.run: score for score in final_scores(table, runs)}
    groups: dict[tuple[str, ...], list[RunRecord]] = {}
    for run in runs:
        if run.type is RunType.FINE_TUNED and run.name in scores:
            groups.setdefault(tuple(run.levels.get(factor.key, "") for factor in treatments), []).append(run)
    found = []
    for levels, members in groups.items():
        if len(members) < 2:  # noqa: PLR2004  one run has no deviation
            continue
        setting = ", ".join(f"{factor.label} {text}" for factor, text in zip(treatments, levels, strict=True))
        values = [scores[run.name].value or 0.0 for run in members]
        group = Replicates(
            table.task,
            table.measure,
            setting or "all settings alike",
            tuple(run.name for run in members),
            fmean(values),
            stdev(values),
            student_interval(values, level=level),
        )
        found.append(_against_base(group, members, table, scores, level))
    corrected = iter(holm([group.p for group in found if group.p is not None]))
    return tuple(group if group.p is None else _corrected(group, next(corrected), level) for group in found)


def _corrected(group: Replicates, p: float, level: float) -> Replicates:
    return replace(group, p_holm=p, significant=p < 1 - level)


def _against_base(
    group: Replicates, members: Sequence[RunRecord], table: Table, scores: Mapping[str, Score], level: float
) -> Replicates:
    """Each sample's mean over the seeds, against the base model's value of the same sample."""
    base = scores.get(members[0].base or "")
    if base is None:
        return group
    theirs = table.values(base.evaluation)
    own = [table.values(scores[run.name].evaluation) for run in members]
    shared = [
        shared_samples(table.samples[scores[run.name].evaluation], table.samples[base.evaluation], values, theirs)
        for run, values in zip(members, own, strict=True)
    ]
    sets = [set(samples) for samples in shared]
    common = [sample for sample in shared[0] if all(sample in others for others in sets)]
    if not common:
        return group
    means = [fmean(values[sample] for values in own) for sample in common]
    test = paired_test(means, [theirs[sample] for sample in common], level=level)
    return replace(group, difference=test.difference, difference_interval=test.interval, p=test.p)


def costs_of(table: Table, runs: Sequence[RunRecord]) -> tuple[CostPoint, ...]:
    """What each run's training cost and what it scored at its end; a base model's training costs nothing here.

    A point is on the Pareto front if no other is at least as cheap and at least as good, and better in one of the two.
    Runs whose cost is not known are left out.
    """
    has_gpus = any(run.training is not None and run.training.gpu_hours is not None for run in runs)
    unit = "GPU hours" if has_gpus else "hours"
    costs = {run.name: _cost(run, in_gpu_hours=has_gpus) for run in runs}
    points = []
    for score in final_scores(table, runs):
        cost = costs[score.evaluation.run]
        if cost is not None and score.value is not None:
            points.append((score, cost, score.value))
    return tuple(
        CostPoint(
            table.task,
            table.measure,
            score.evaluation.run,
            score.evaluation.epoch,
            cost,
            unit,
            value,
            score.interval,
            not _is_dominated(cost, value, points),
        )
        for score, cost, value in points
    )


def _cost(run: RunRecord, *, in_gpu_hours: bool) -> float | None:
    if run.type is RunType.CONTROL:
        return 0.0
    if run.training is None:
        return None
    if in_gpu_hours:
        return run.training.gpu_hours
    return None if run.training.elapsed_s is None else run.training.elapsed_s / 3600


def _is_dominated(cost: float, value: float, points: Sequence[tuple[Score, float, float]]) -> bool:
    return any(other <= cost and theirs >= value and (other < cost or theirs > value) for _, other, theirs in points)


def cases_of(table: Table, runs: Sequence[RunRecord]) -> tuple[Case, ...]:
    """Samples that every run got wrong, and that fine-tuning fixed or broke; for right and wrong scores only.

    At most 100 of each kind, those of most runs first, then in the order of the samples.
    """
    scores = final_scores(table, runs)
    if not scores or not all(score.is_binary for score in scores):
        return ()
    values = {score.evaluation.run: table.values(score.evaluation) for score in scores}
    samples = {score.evaluation.run: table.samples[score.evaluation] for score in scores}
    shown = _Shown(table, samples, {run.name: run.base for run in runs})
    keys = {score.evaluation.run: score.evaluation for score in scores}
    every = common_samples(table, tuple(keys.values()))
    wrong = [sample for sample in every if not any(own[sample] for own in values.values())]
    cases = [shown.case("all wrong", sample, tuple(values)) for sample in wrong[:MOST_CASES]]
    for kind in ("fixed", "broken"):
        changed = _changed(kind, table, runs, keys)
        ordered = sorted(changed.items(), key=lambda item: -len(item[1]))[:MOST_CASES]
        cases += [shown.case(kind, sample, tuple(names)) for sample, names in ordered]
    return tuple(cases)


def _changed(
    kind: str, table: Table, runs: Sequence[RunRecord], keys: Mapping[str, EvaluationKey]
) -> dict[str, list[str]]:
    """Sample to the runs that fixed, or broke, what their base model had wrong, or right."""
    before = 0.0 if kind == "fixed" else 1.0
    found: dict[str, list[str]] = {}
    for run in runs:
        if run.base is None or run.name not in keys or run.base not in keys:
            continue
        base, own = table.values(keys[run.base]), table.values(keys[run.name])
        for sample in common_samples(table, (keys[run.base], keys[run.name])):
            if base[sample] == before and own[sample] != before:
                found.setdefault(sample, []).append(run.name)
    return found


class _Shown:
    """Looks up what was asked and answered."""

    def __init__(self, table: Table, samples: Mapping[str, Samples], bases: Mapping[str, str | None]) -> None:
        self._table = table
        self._samples = samples
        self._bases = bases
        self._places = {run: {key: place for place, key in enumerate(own.ids)} for run, own in samples.items()}

    def case(self, kind: str, sample: str, runs: tuple[str, ...]) -> Case:
        source = runs[0]
        place = self._places[source][sample]
        base = self._bases[source]
        first = [base] if base is not None and base in self._places else []
        names = list(dict.fromkeys([*first, *runs]))[:_MOST_ANSWERS]
        return Case(
            kind,
            self._table.task,
            self._table.measure,
            sample,
            self._samples[source].prompts[place],
            self._samples[source].targets[place],
            runs,
            {run: self._samples[run].answers[self._places[run][sample]] for run in names},
        )
