"""Since when each hypothesis is on the plan: before the first job, or after jobs or results were there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

from tunebook.core.hypotheses import Hypothesis
from tunebook.core.hypothesis_grammar import HypothesisError, parse_hypothesis
from tunebook.disk.hypotheses_record import HypothesesVersion, Seen

__all__ = ["Frozen", "HypothesesChange", "changes_of", "frozen_hypotheses"]


@dataclass(frozen=True)
class Frozen:
    """Since when a hypothesis is on the plan.

    Attributes:
        when: ``None`` if tunebook submitted no job, so that nothing was frozen.
        time: ISO 8601 with the time zone.
        removed: when it was found to be no longer on the plan; empty while it is.
    """

    when: Seen | None = None
    time: str = ""
    removed: str = ""

    @property
    def is_before_jobs(self) -> bool:
        """Whether it is older than all jobs."""
        return self.when is Seen.BEFORE_JOBS


@dataclass(frozen=True)
class HypothesesChange:
    """A later version of the hypotheses, with its differences from the one before.

    Attributes:
        version: the later one; it knows when the first job and the first result were.
        added: texts that are new; ``removed`` are no longer there.
    """

    version: HypothesesVersion
    added: tuple[str, ...]
    removed: tuple[str, ...]


def frozen_hypotheses(
    hypotheses: Sequence[Hypothesis], versions: Sequence[HypothesesVersion]
) -> Iterator[tuple[str, Hypothesis, Frozen]]:
    """Each hypothesis of the plan with its name, then those that were frozen before the first job and removed later."""
    names: set[str] = set()
    contrasts = set()
    for number, hypothesis in enumerate(hypotheses, start=1):
        contrasts.add(hypothesis.contrast)
        name = _free(hypothesis.name or f"hypothesis {number}", names)
        yield name, hypothesis, _since(hypothesis.contrast, versions)
    for hypothesis in _parsed(versions[0].texts) if versions else ():
        if hypothesis.contrast not in contrasts and versions[0].when is Seen.BEFORE_JOBS:
            name = _free(f"{hypothesis.name or hypothesis.contrast} (removed)", names)
            removed = next(item.time for item in versions if hypothesis.contrast not in _contrasts(item))
            yield name, hypothesis, Frozen(versions[0].when, versions[0].time, removed)


def _free(name: str, names: set[str]) -> str:
    """The name, with a number if another hypothesis has it."""
    free, number = name, 1
    while free in names:
        number += 1
        free = f"{name} ({number})"
    names.add(free)
    return free


def _since(contrast: str, versions: Sequence[HypothesesVersion]) -> Frozen:
    """The first version since which every version has the contrast; the author's words do not count."""
    found = Frozen()
    for version in reversed(versions):
        if contrast not in _contrasts(version):
            break
        found = Frozen(version.when, version.time)
    return found


def _contrasts(version: HypothesesVersion) -> frozenset[str]:
    return frozenset(hypothesis.contrast for hypothesis in _parsed(version.texts))


def _parsed(texts: Sequence[str]) -> Iterator[Hypothesis]:
    for text in texts:
        with suppress(HypothesisError):  # of another version of the grammar
            yield parse_hypothesis(text)


def changes_of(versions: Sequence[HypothesesVersion]) -> tuple[HypothesesChange, ...]:
    """The changes after the first job, in their order."""
    changes = []
    for before, version in pairwise(versions):
        added = tuple(text for text in version.texts if text not in before.texts)
        removed = tuple(text for text in before.texts if text not in version.texts)
        if version.when is not Seen.BEFORE_JOBS:
            changes.append(HypothesesChange(version, added, removed))
    return tuple(changes)
