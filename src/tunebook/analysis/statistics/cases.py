"""Samples to look at: those that all runs failed on, and those that fine-tuning fixed or broke."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import filterfalse

from tunebook.analysis.statistics.pairwise import common_samples, pair_samples
from tunebook.analysis.statistics.scores import ScoreTable
from tunebook.tools.results import Samples

__all__ = ["MOST_CASES", "Case", "SampleChanges", "find_changes", "select_cases"]

MOST_CASES = 100
"""How many cases of each kind are kept."""
_MOST_ANSWERS = 6


@dataclass(frozen=True)
class Case:
    """A sample with the answers of runs.

    Attributes:
        kind: ``all wrong``, ``fixed`` (base model wrong, run right) or ``broken`` (base model right, run wrong).
        runs: the runs that the kind applies to.
        answers: run name to its answer, of the base model too.
    """

    kind: str
    task: str
    measure: str
    sample: str
    prompt: str
    target: str
    runs: tuple[str, ...]
    answers: Mapping[str, str]


@dataclass(frozen=True)
class SampleChanges:
    """The samples of a task whose answers are right or wrong, after each run's last evaluated epoch.

    Attributes:
        common: the samples that all runs answered.
        all_wrong: those of them that no run answered correctly.
        fixed: sample to the runs that answered it correctly where their base model did not; ``broken`` the reverse.
    """

    common: tuple[str, ...]
    all_wrong: tuple[str, ...]
    fixed: Mapping[str, Sequence[str]]
    broken: Mapping[str, Sequence[str]]


def find_changes(table: ScoreTable) -> SampleChanges | None:
    """Compares the answers of all runs; ``None`` unless every score is made of right and wrong answers."""
    if not table.finals or not all(score.is_binary for score in table.finals.values()):
        return None
    if not table.measure.has_direction:
        return None  # 1 need not mean right
    keys = [score.evaluation for score in table.finals.values()]
    common = common_samples(table, keys)
    right: set[str] = set()
    best = max((0.0, 1.0), key=table.measure.goodness)
    for key in keys:
        values = table.values(key)
        right |= {sample for sample, value in values.items() if value == best}
    all_wrong = filterfalse(right.__contains__, common)
    fixed: dict[str, list[str]] = {}
    broken: dict[str, list[str]] = {}
    for run, base in table.bases.items():
        pairs = pair_samples(table, base, table.finals[run].evaluation)
        for sample, before, after in zip(pairs.ids, pairs.ours, pairs.theirs, strict=True):
            if before != after:
                changed = fixed if after == best else broken
                changed.setdefault(sample, []).append(run)
    return SampleChanges(common, tuple(all_wrong), fixed, broken)


def select_cases(table: ScoreTable, changes: SampleChanges | None) -> tuple[Case, ...]:
    """At most 100 samples of each kind, those of most runs first, then in the order of the samples."""
    if changes is None:
        return ()
    cases = [_case(table, "all wrong", sample, tuple(table.finals)) for sample in changes.all_wrong[:MOST_CASES]]
    for kind, changed in (("fixed", changes.fixed), ("broken", changes.broken)):
        by_runs = sorted(changed.items(), key=lambda item: -len(item[1]))
        cases += [_case(table, kind, sample, tuple(runs)) for sample, runs in by_runs[:MOST_CASES]]
    return tuple(cases)


def _case(table: ScoreTable, kind: str, sample: str, runs: tuple[str, ...]) -> Case:
    keys = {run: table.finals[run].evaluation for run in runs}
    if runs[0] in table.bases:
        base = table.bases[runs[0]]
        keys = {base.run: base} | keys
    answers = {}
    for run, key in list(keys.items())[:_MOST_ANSWERS]:
        samples = table.samples[key]
        answers[run] = samples.answers[_last_place(samples, sample)]
    samples = table.samples[keys[runs[0]]]
    place = _last_place(samples, sample)
    texts = (sample, samples.prompts[place], samples.targets[place])
    return Case(kind, table.task, table.measure.name, *texts, runs, answers)


def _last_place(samples: Samples, sample: str) -> int:
    """Where the last repetition of a sample is; samples are ordered by id."""
    return len(samples.ids) - 1 - samples.ids[::-1].index(sample)
