"""Sentences that the numbers bear out: each carries its numbers, and no ranking is without its uncertainty. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from tunebook.analysis.comparing import best_of, common_samples
from tunebook.analysis.evidence import Evidence
from tunebook.analysis.formatting import Scale, p_text, plural
from tunebook.analysis.inference import Comparison, CostPoint, Effect, Replicates
from tunebook.analysis.paired import paired_test
from tunebook.analysis.records import Score
from tunebook.analysis.remarks import cautions, sample_findings
from tunebook.analysis.values import Finding
from tunebook.core.plan import RunType

__all__ = ["findings_of"]

_FEW_RUNS = 4
_ALPHA = 0.05


def findings_of(evidence: Evidence) -> tuple[Finding, ...]:
    """What one measure of one task says, the comparison with the base model first."""
    parts = (_base, _best, _effects, _seeds, _epochs, _cost, sample_findings, cautions)
    found = [finding for part in parts for finding in part(evidence)]
    return tuple(Finding(finding.kind, finding.text, finding.significant, evidence.table.task) for finding in found)


def _against_base(evidence: Evidence) -> list[Comparison]:
    finals = evidence.finals()
    return [
        comparison
        for comparison in evidence.comparisons
        if comparison.against == "base" and finals[comparison.run].evaluation.epoch == comparison.epoch
    ]


def _base(evidence: Evidence) -> Iterator[Finding]:
    comparisons = _against_base(evidence)
    if not comparisons:
        return
    better = [item for item in comparisons if item.significant and item.difference > 0]
    worse = [item for item in comparisons if item.significant and item.difference < 0]
    if len(comparisons) > _FEW_RUNS:
        unclear = len(comparisons) - len(better) - len(worse)
        text = (
            f"Of {plural(len(comparisons), 'run')}, {len(better)} score significantly higher on {evidence.table.task} "
            f"than their base model, {len(worse)} significantly lower; for {unclear} the difference could be chance "
            f"(paired tests on the same samples, Holm's correction over {comparisons[0].family} tests)."
        )
        yield Finding("base", text, bool(better or worse))
        comparisons = [max(comparisons, key=lambda item: item.value)]
    for comparison in comparisons:
        yield Finding("base", _sentence(evidence, comparison), comparison.significant)


def _sentence(evidence: Evidence, item: Comparison) -> str:
    """One run against another, with both scores, the difference and the test."""
    scale = evidence.scale
    finals = evidence.finals()
    ours, theirs = finals[item.run], finals[item.other]
    verdict = "significantly " if item.significant else ""
    word = "higher than" if item.difference > 0 else "lower than" if item.difference < 0 else "the same as"
    head = f"{evidence.label(item.run)} scores {scale.with_interval(ours.value, ours.interval)} on {item.task}, "
    what = "its base model" if item.against == "base" else "the best run"
    head += f"{verdict}{word} {what} {evidence.label(item.other)} with "
    head += f"{scale.value(theirs.value)}" + (f" ({scale.interval(theirs.interval)})" if theirs.interval else "")
    numbers = f"{scale.difference(item.difference, item.interval)}, {item.test}, {p_text(item.p_holm)}, n = {item.n}"
    tail = "" if item.significant or not item.difference else " This difference could be chance."
    return f"{head}: {numbers}.{tail}"


def _best(evidence: Evidence) -> Iterator[Finding]:
    """The highest score, and which others it can and cannot be told from."""
    best = best_of(evidence.table, evidence.runs)
    others = [item for item in evidence.comparisons if item.against == "best"]
    if best is None or not others:
        return
    finals = evidence.finals()
    same = [item for item in others if item.difference == 0 and finals[item.run].value == best.value]
    lower = [item for item in others if item.significant and item.difference < 0]
    higher = [item for item in others if item.significant and item.difference > 0]
    unclear = [item for item in others if not item.significant and item not in same]
    names = [evidence.label(best.evaluation.run), *(evidence.label(item.run) for item in same)]
    is_tuned = all(run.type is not RunType.EVAL_ONLY for run in evidence.runs if run.name in finals)
    among = "Of the fine-tuned runs" if is_tuned else "Of the runs that are no base model"
    if len(names) > _FEW_RUNS:
        text = f"{among}, {len(names)} share the highest score"
    elif same:
        text = f"{among}, {_joined(names)} share the highest score"
    else:
        text = f"{among}, {names[0]} has the highest score"
    text += f" on {evidence.table.task}: {_shown(evidence, best)}."
    if lower:
        text += f" {_listed(evidence, lower)} {'is' if len(lower) == 1 else 'are'} significantly lower."
    if higher:
        verb = "is" if len(higher) == 1 else "are"
        text += f" On the samples that both have, {_listed(evidence, higher)} {verb} significantly higher."
    if unclear:
        largest = evidence.scale.difference(max((item.difference for item in unclear), key=abs))
        text += f" {_listed(evidence, unclear)} cannot be told apart from it (largest difference {largest})."
    if lower or higher or unclear:
        text += " The best run was picked by these same samples, so its own score is likely to be a little too high."
    yield Finding("best", text, bool(lower or higher))


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _shown(evidence: Evidence, score: Score) -> str:
    return evidence.scale.with_interval(score.value, score.interval)


def _listed(evidence: Evidence, items: Sequence[Comparison]) -> str:
    if len(items) > _FEW_RUNS:
        return f"{len(items)} other runs"
    return _joined([evidence.label(item.run) for item in items])


def _effects(evidence: Evidence) -> Iterator[Finding]:
    for effect in evidence.effects:
        is_main = len(effect.factors) == 1
        label = " × ".join(effect.labels)
        if effect.p is None:
            if is_main:
                yield Finding("effect", f"{label}: {_levels(evidence, effect)}; not tested: {effect.note}.")
            continue
        df = f"F({effect.df[0]:g}, {effect.df[1]:g}) = {effect.statistic:.2f}" if effect.df else ""
        numbers = f"{df}, {p_text(effect.p_holm)}"
        if is_main:
            verdict = "makes a difference" if effect.significant else "makes no difference that can be shown"
            text = f"{label} {verdict} on {effect.task}: {_levels(evidence, effect)}; {numbers}, {_scope(effect)}."
            yield Finding("effect", text, effect.significant)
        else:
            verdict = "depend on each other" if effect.significant else "show no interaction"
            one, two = effect.labels
            text = f"The effects of {one} and {two} on {effect.task} {verdict}: {numbers}, {_scope(effect)}."
            yield Finding("interaction", text, effect.significant)


def _levels(evidence: Evidence, effect: Effect) -> str:
    parts = [f"{_short(level.level)} → {evidence.scale.value(level.mean)}" for level in effect.levels]
    return "mean " + ", ".join(parts)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004  a prompt may be a level


def _scope(effect: Effect) -> str:
    if effect.generalizes == "seeds":
        return "tested against the spread between seeds"
    return "tested over samples: it speaks of these trained models, not of other trainings"


def _seeds(evidence: Evidence) -> Iterator[Finding]:
    """How far seeds spread, and each setting over its seeds against the base model."""
    groups, scale = evidence.replicates, evidence.scale
    if not groups:
        return
    tested = [item for item in groups if item.difference is not None]
    better = [item for item in tested if item.significant and (item.difference or 0) > 0]
    worse = [item for item in tested if item.significant and (item.difference or 0) < 0]
    if len(tested) > 1:
        text = (
            f"Over their seeds, {len(better)} of {len(tested)} settings score significantly higher on "
            f"{evidence.table.task} than their base model, {len(worse)} significantly lower "
            "(each sample's mean over the seeds, paired tests over the samples, Holm's correction: it speaks of these "
            "trained models, not of other trainings)."
        )
        yield Finding("seeds", text, bool(better or worse))
    if len(groups) <= _FEW_RUNS:
        for item in groups:
            spread = f"standard deviation {scale.value(item.sd)}"
            yield Finding("seeds", f"{_setting(scale, item)} on {item.task}, {spread}{_base_text(scale, item)}.")
        return
    deviations = [item.sd for item in groups if item.sd is not None]
    first, second = sorted(groups, key=lambda item: -item.mean)[:2]
    text = (
        f"Between seeds, scores on {evidence.table.task} spread with standard deviations from "
        f"{scale.value(min(deviations))} to {scale.value(max(deviations))} over {len(groups)} settings. "
        f"The highest mean has {_setting(scale, first)}, the next {_setting(scale, second)}."
    )
    yield Finding("seeds", text)


def _base_text(scale: Scale, item: Replicates) -> str:
    if item.difference is None:
        return ""
    verdict = "" if item.significant else ", which could be chance"
    difference = scale.difference(item.difference, item.difference_interval)
    return f"; {difference} from the base model over the samples, {p_text(item.p_holm)}{verdict}"


def _setting(scale: Scale, item: Replicates) -> str:
    interval = f", {100 * item.interval.level:g} % interval {scale.interval(item.interval)}" if item.interval else ""
    return f"{item.setting} with {scale.value(item.mean)} ({plural(len(item.runs), 'seed')}{interval})"


def _epochs(evidence: Evidence) -> Iterator[Finding]:
    """The first evaluated epoch against the last, each sample averaged over the runs that have both."""
    by_run: dict[str, list[Score]] = {}
    for score in evidence.table.scores:
        if score.evaluation.epoch >= 0 and score.value is not None:
            by_run.setdefault(score.evaluation.run, []).append(score)
    several = {run: sorted(own, key=lambda item: item.evaluation.epoch) for run, own in by_run.items() if len(own) > 1}
    if not several:
        return
    pairs = [
        (evidence.table.values(own[0].evaluation), evidence.table.values(own[-1].evaluation))
        for own in several.values()
    ]
    shared = common_samples(evidence.table, [own[end].evaluation for own in several.values() for end in (0, -1)])
    if not shared:
        return
    before = [fmean(one[sample] for one, _ in pairs) for sample in shared]
    after = [fmean(two[sample] for _, two in pairs) for sample in shared]
    test = paired_test(after, before)
    significant = test.p < _ALPHA
    spans = {(own[0].evaluation.epoch, own[-1].evaluation.epoch) for own in several.values()}
    span = "From epoch {} to epoch {}".format(*next(iter(spans))) if len(spans) == 1 else "From first to last epoch"
    verdict = "" if significant else " This difference could be chance."
    scale = evidence.scale
    text = (
        f"{span}, the mean score of {plural(len(several), 'run')} on "
        f"{evidence.table.task} goes from {scale.value(fmean(before))} to {scale.value(fmean(after))}: "
        f"{evidence.scale.difference(test.difference, test.interval)}, {test.name}, {p_text(test.p)}, "
        f"n = {len(shared)}.{verdict}"
    )
    yield Finding("epochs", text, significant)


def _cost(evidence: Evidence) -> Iterator[Finding]:
    tuned = {run.name for run in evidence.runs if run.type is RunType.FINE_TUNED}
    points = [point for point in evidence.costs if point.run in tuned]
    front = sorted((point for point in points if point.on_front), key=lambda point: point.cost)
    if len(points) < 2 or not front:  # noqa: PLR2004  one run has no front
        return
    scale = evidence.scale
    shown = [
        f"{evidence.label(point.run)} ({_cost_text(point)}, {scale.with_interval(point.score, point.interval)})"
        for point in front[:_FEW_RUNS]
    ]
    more = f" and {len(front) - _FEW_RUNS} more" if len(front) > _FEW_RUNS else ""
    text = f"No other run is both cheaper to train and at least as good on {evidence.table.task} as "
    yield Finding("cost", text + ", ".join(shown) + more + ".")


def _cost_text(point: CostPoint) -> str:
    if point.unit == "GPU hours":
        return f"{point.cost:.3g} GPU hours"
    minutes = point.cost * 60
    return f"{minutes:.3g} min" if minutes >= 1 else f"{60 * minutes:.3g} s"
