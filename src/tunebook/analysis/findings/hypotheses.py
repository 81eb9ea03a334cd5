"""Findings about the plan's hypotheses: each one's verdict with its numbers, and whether it is older than the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunebook.analysis.findings.finding import TO_RETRAINING, TO_SAMPLES, Finding
from tunebook.analysis.formatting import Scale, capitalized, listed, p_text, percent_text, plural, scale_of, shortened
from tunebook.analysis.records import Family, Measure, TaskUse
from tunebook.analysis.statistics.claims import ClaimKind
from tunebook.analysis.statistics.frozen import Frozen, changes_of
from tunebook.analysis.statistics.hypotheses import HypothesisResult, Verdict
from tunebook.analysis.statistics.intervals import ALPHA
from tunebook.disk.hypotheses_record import HypothesesVersion

__all__ = ["change_sentences", "explained_verdict", "frozen_text", "hypothesis_scale", "state_hypotheses"]


def state_hypotheses(results: Sequence[HypothesisResult], tasks: Sequence[TaskUse]) -> Iterator[Finding]:
    """One finding per hypothesis, in the plan's order."""
    for item in results:
        text = f"{_titled(item)} is {explained_verdict(item)}."
        if item.difference is not None:
            text += f" {_numbers(item, hypothesis_scale(item, tasks))}"
        if item.is_exploratory and item.frozen.when is not None:
            text += f" {capitalized(frozen_text(item.frozen))}."
        elif item.frozen.removed:
            text += f" It is no longer on the plan (seen {item.frozen.removed})."
        yield Finding("hypothesis", text, item.significant, item.task)


def _titled(item: HypothesisResult) -> str:
    kind = ", exploratory" if item.is_exploratory else ""
    return f"{capitalized(item.name)} (“{item.contrast}”{kind})"


def hypothesis_scale(item: HypothesisResult, tasks: Sequence[TaskUse]) -> Scale:
    """How the values of a hypothesis's measure are written."""
    for task in tasks:
        for measure in task.measures:
            if (task.name, measure.name) == (item.task, item.measure):
                return scale_of(measure)
    return scale_of(Measure(item.measure))


def explained_verdict(item: HypothesisResult) -> str:
    """The verdict, with the reason where the word alone may be misread."""
    if item.verdict is Verdict.NOT_TESTABLE:
        return f"not testable: {item.reason}"
    if item.verdict is Verdict.CONTRADICTED:
        return f"contradicted: {_opposite(item)}"
    if item.verdict is Verdict.NOT_SUPPORTED:
        return f"not supported: {_compatible(item)}"
    return "supported"


def _opposite(item: HypothesisResult) -> str:
    if item.kind is ClaimKind.WITHIN:
        return "the difference is significantly larger than the margin"
    if item.margin:
        return "the difference is significantly smaller than claimed"
    return "the difference is significant in the other direction"


def _compatible(item: HypothesisResult) -> str:
    """The values that the data leave possible; after the correction an interval may exclude some."""
    if item.is_against:
        opposite = (
            "the difference is smaller than claimed" if item.margin else "the difference is in the other direction"
        )
        return f"{opposite}, which could be chance{_after_correction(item.p_against, item.p_against_holm, item)}"
    alternative = "no difference"
    if item.kind is ClaimKind.WITHIN:
        alternative = "a difference of the margin or more"
    elif item.margin:
        alternative = "a difference that is smaller than claimed"
    corrected = _after_correction(item.p, item.p_holm, item)
    return f"the data are compatible with {alternative}{corrected}"


def _after_correction(p: float | None, p_holm: float | None, item: HypothesisResult) -> str:
    """That only the correction makes a test not significant."""
    if p is None or p_holm is None or not p < ALPHA <= p_holm:
        return ""
    return f" after the correction for {item.family.size} tests"


def _numbers(item: HypothesisResult, scale: Scale) -> str:
    where = f"on {item.task}" if item.task == item.other_task else f"on {item.task} and {item.other_task}"
    interval = ""
    if item.interval is not None:
        interval = f" ({percent_text(item.interval.level)} interval {scale.bounds(item.interval)})"
    scope = TO_RETRAINING if item.generalizes == "seeds" else TO_SAMPLES
    text = (
        f"The two sides have {scale.value(item.left)} and {scale.value(item.right)} ({item.measure} {where}), a "
        f"difference of {scale.change(item.difference or 0.0)}{interval}; {_tested(item)}"
        f"{_correction(item.family)}, {plural(item.n, 'sample')}, {plural(item.runs, 'run')}. The result {scope}."
    )
    if item.missing:
        text += f" It does without {shortened(item.missing)}, which {_have(item.missing)} no score yet."
    if item.left_out:
        text += (
            f" It leaves out {shortened(item.left_out)}: the other side has no run with the same levels of the other "
            "factors."
        )
    if item.confounded:
        text += f" The two sides also differ in {listed(item.confounded)}."
    return text


def _tested(item: HypothesisResult) -> str:
    """The test with the p-value that decided."""
    if item.verdict is Verdict.CONTRADICTED:
        return f"{item.test}; of the opposite, two-sided {p_text(item.deciding_p)}"
    return f"{item.test}, {p_text(item.deciding_p)}"


def _have(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _correction(family: Family) -> str:
    if family.correction == "none":
        return ""
    return f" ({family.correction} over {plural(family.size, 'test')}: {family.name})"


def frozen_text(frozen: Frozen) -> str:
    """Since when a hypothesis is on the plan."""
    if frozen.when is None:
        return "not frozen"
    if frozen.is_before_jobs:
        return f"frozen {frozen.when}, {frozen.time}"
    return f"it was first seen {frozen.when}, {frozen.time}"


def change_sentences(versions: Sequence[HypothesesVersion]) -> Iterator[str]:
    """One sentence per change of the hypotheses after the first job, with both times and the differences."""
    for change in changes_of(versions):
        version = change.version
        times = [f"first job {version.first_job}", f"change seen {version.time}"]
        if version.first_result:
            times.insert(1, f"first result {version.first_result}")
        text = f"The hypotheses were changed {version.when} ({', '.join(times)})."
        for word, texts in (("Added", change.added), ("Removed", change.removed)):
            if texts:
                text += f" {word}: {'; '.join(f'“{each}”' for each in texts)}."
        if not change.added and not change.removed:
            text += " Only their order is another one."
        yield text
