"""Findings about runs: against their base model, against the best run, and for their cost."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.findings.phrases import COULD_BE_CHANCE, FEW_RUNS, Phrases, listed, shortened
from tunebook.analysis.statistics.measure_results import MeasureResults
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.analysis.statistics.pareto import CostPoint
from tunebook.analysis.wording import p_text, plural
from tunebook.core.plan import RunType

__all__ = ["state_base", "state_best", "state_costs"]


def state_base(results: MeasureResults) -> Iterator[Finding]:
    """Each run's final score against its base model; of many runs only how many differ, and the highest one."""
    finals = results.table.finals
    against_base = [item for item in results.comparisons if item.against == "base"]
    comparisons = [item for item in against_base if finals[item.run].evaluation.epoch == item.epoch]
    if len(comparisons) > FEW_RUNS:
        better = sum(item.significant and item.difference > 0 for item in comparisons)
        worse = sum(item.significant and item.difference < 0 for item in comparisons)
        text = (
            f"Of {plural(len(comparisons), 'run')}, {better} score significantly higher on {results.table.task} than "
            f"their base model and {worse} significantly lower; for {len(comparisons) - better - worse} the difference "
            f"could be chance (paired tests on the same samples, Holm's correction over {comparisons[0].family} tests)."
        )
        yield Finding("base", text, significant=better + worse > 0)
        comparisons = [max(comparisons, key=lambda item: item.value)]
    for item in comparisons:
        yield Finding("base", _against_base(Phrases(results), item), item.significant)


def _against_base(phrases: Phrases, item: Comparison) -> str:
    """Both scores, the difference and the test."""
    scale, finals = phrases.scale, phrases.results.table.finals
    base = finals[item.other]
    if item.difference == 0:
        verdict = "the same as"
    else:
        verdict = "higher than" if item.difference > 0 else "lower than"
        verdict = f"significantly {verdict}" if item.significant else verdict
    interval = f" ({scale.interval(base.interval)})" if base.interval else ""
    numbers = f"{scale.difference(item.difference, item.interval)}, {item.test}, {p_text(item.p_holm)}, n = {item.n}"
    text = (
        f"{phrases.labels[item.run]} scores {phrases.score(finals[item.run])} on {item.task}, {verdict} its base model "
        f"{phrases.labels[item.other]} with {scale.value(base.value)}{interval}: {numbers}."
    )
    return text if item.significant or item.difference == 0 else text + COULD_BE_CHANCE


def state_best(results: MeasureResults) -> Iterator[Finding]:
    """The highest score, and the runs that do and do not differ from it."""
    table, phrases = results.table, Phrases(results)
    best = table.best
    others = [item for item in results.comparisons if item.against == "best"]
    if best is None or not others:
        return
    same, lower, higher, unclear = [], [], [], []
    for item in others:
        if item.difference == 0 and not item.significant and table.finals[item.run].value == best.value:
            same.append(item)
        elif not item.significant:
            unclear.append(item)
        elif item.difference < 0:
            lower.append(item.run)
        else:
            higher.append(item.run)
    sentences = [f"{_highest(phrases, [best.evaluation.run, *(item.run for item in same)])}: {phrases.score(best)}."]
    if lower:
        sentences.append(f"{phrases.runs(lower)} {_is(lower)} significantly lower.")
    if higher:
        text = f"On the samples that both runs have, {phrases.runs(higher)} {_is(higher)} significantly higher."
        sentences.append(text)
    if unclear:
        names = [item.run for item in unclear]
        largest = phrases.scale.difference(max((item.difference for item in unclear), key=abs))
        text = f"{phrases.runs(names)} {_is(names)} statistically indistinguishable from it"
        sentences.append(f"{text} (largest difference {largest}).")
    if lower or higher or unclear:
        sentences.append("The best run was chosen on these same samples, so its score is probably a little too high.")
    yield Finding("best", " ".join(sentences), significant=bool(lower or higher))


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _highest(phrases: Phrases, names: list[str]) -> str:
    table = phrases.results.table
    has_others = any(run.type is RunType.EVAL_ONLY for run in table.runs if run.name in table.finals)
    among = "Of the runs that are not base models" if has_others else "Of the fine-tuned runs"
    if len(names) == 1:
        return f"{among}, {phrases.labels[names[0]]} has the highest score on {table.task}"
    sharing = str(len(names)) if len(names) > FEW_RUNS else listed([phrases.labels[name] for name in names])
    return f"{among}, {sharing} share the highest score on {table.task}"


def state_costs(results: MeasureResults) -> Iterator[Finding]:
    """The Pareto-optimal runs, the cheapest first."""
    tuned = {run.name for run in results.table.tuned}
    points = [point for point in results.costs if point.run in tuned]
    front = sorted((point for point in points if point.on_front), key=lambda point: point.cost)
    if len(points) < 2 or not front:  # noqa: PLR2004  a single run has no front
        return
    phrases = Phrases(results)
    shown = []
    for point in front:
        score = phrases.scale.with_interval(point.score, point.interval)
        shown.append(f"{phrases.labels[point.run]} ({_cost_text(point)}, {score})")
    text = f"Pareto-optimal runs on {results.table.task} (no other is both cheaper to train and at least as good): "
    yield Finding("cost", f"{text}{shortened(shown)}.")


def _cost_text(point: CostPoint) -> str:
    if point.unit == "GPU hours":
        return f"{point.cost:.3g} GPU hours"
    minutes = point.cost * 60
    return f"{minutes:.3g} min" if minutes >= 1 else f"{60 * minutes:.3g} s"
