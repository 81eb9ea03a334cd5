"""Samples to look at: those that all runs failed on, and those that fine-tuning fixed or broke."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from tunebook.analysis.statistics.pairwise import common_samples, pair_samples
from tunebook.analysis.statistics.scores import ScoreTable

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
    answers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class SampleChanges:
    """The samples of a task whose answers are right or wrong, after each run's last evaluated epoch.

    Attributes:
        common: the samples that all runs answered.
        all_wrong: those of them that no run answered correctly.
        fixed: sample to the runs that answered it correctly where their base model did not; ``broken`` the reverse.
    """

    common: tuple[str, ...] = ()
    all_wrong: tuple[str, ...] = ()
    fixed: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    broken: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))


def find_changes(table: ScoreTable) -> SampleChanges | None:
    """Compares the answers of all runs; ``None`` unless every score is made of right and wrong answers."""
    if not table.finals or not all(score.is_binary for score in table.finals.values()):
        return None
    common = common_samples(table, table.final_keys)
    all_wrong = dict.fromkeys(common)
    for run in table.finals:
        for sample, value in table.final_values(run).items():
            if value:
                all_wrong.pop(sample, None)
    fixed: dict[str, list[str]] = {}
    broken: dict[str, list[str]] = {}
    for run, base in _with_base(table):
        pairs = pair_samples(table, table.finals[base].evaluation, table.finals[run].evaluation)
        for sample, before, after in zip(pairs.ids, pairs.ours, pairs.theirs, strict=True):
            if after > before:
                fixed.setdefault(sample, []).append(run)
            elif after < before:
                broken.setdefault(sample, []).append(run)
    return SampleChanges(common, tuple(all_wrong), fixed, broken)


def _with_base(table: ScoreTable) -> Iterator[tuple[str, str]]:
    """The runs that have a final score and a base model with one."""
    for run in table.runs:
        if run.name in table.finals and run.base is not None and run.base in table.finals:
            yield run.name, run.base


def select_cases(table: ScoreTable, changes: SampleChanges | None) -> tuple[Case, ...]:
    """At most 100 samples of each kind, those of most runs first, then in the order of the samples."""
    if changes is None:
        return ()
    reader = _AnswerReader(table)
    runs = tuple(table.finals)
    cases = [reader.case("all wrong", sample, runs) for sample in changes.all_wrong[:MOST_CASES]]
    for kind, changed in (("fixed", changes.fixed), ("broken", changes.broken)):
        by_runs = sorted(changed.items(), key=lambda item: -len(item[1]))
        cases += [reader.case(kind, sample, tuple(names)) for sample, names in by_runs[:MOST_CASES]]
    return tuple(cases)


class _AnswerReader:
    """Looks up prompts, targets and answers."""

    def __init__(self, table: ScoreTable) -> None:
        self._table = table
        self._bases = {run.name: run.base for run in table.runs}
        self._samples = {run: table.samples[score.evaluation] for run, score in table.finals.items()}
        self._places = {run: dict(zip(own.ids, range(len(own.ids)), strict=True)) for run, own in self._samples.items()}

    def case(self, kind: str, sample: str, runs: tuple[str, ...]) -> Case:
        source = runs[0]
        place = self._places[source][sample]
        base = self._bases[source]
        shown = dict.fromkeys([base, *runs] if base in self._samples else runs)
        return Case(
            kind,
            self._table.task,
            self._table.measure,
            sample,
            self._samples[source].prompts[place],
            self._samples[source].targets[place],
            runs,
            {run: self._answer(run, sample) for run in list(shown)[:_MOST_ANSWERS] if run},
        )

    def _answer(self, run: str, sample: str) -> str:
        return self._samples[run].answers[self._places[run][sample]]
