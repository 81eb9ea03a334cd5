"""Findings about runs: against their base model, the best one, over epochs, by cost, and by sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunebook.analysis.findings.finding import COULD_BE_CHANCE, FEW_RUNS, Finding, count_significant, listed, shortened
from tunebook.analysis.formatting import p_text, plural
from tunebook.analysis.records import Score
from tunebook.analysis.statistics.cases import SampleChanges
from tunebook.analysis.statistics.intervals import ALPHA
from tunebook.analysis.statistics.measure_results import CostPoint, MeasureResults
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.core.plan import RunType

__all__ = ["state_base", "state_best", "state_costs", "state_epochs", "state_samples"]


def state_base(results: MeasureResults) -> Iterator[Finding]:
    """Each run's final score against its base model; of many runs only how many differ, and the highest one."""
    comparisons = [item for item in _comparisons(results, "base") if _is_final(results, item)]
    if len(comparisons) > FEW_RUNS:
        better, worse = count_significant(comparisons)
        tests = comparisons[0].family.size
        text = (
            f"Of {plural(len(comparisons), 'run')}, {better} score significantly higher on {results.table.task} than "
            f"their base model and {worse} significantly lower; for {len(comparisons) - better - worse} the difference "
            f"could be chance (paired tests on the same samples, Holm's correction over {tests} tests)."
        )
        yield Finding("base", text, significant=better + worse > 0)
        comparisons = [max(comparisons, key=lambda item: item.value)]
    for item in comparisons:
        yield Finding("base", _against_base(results, item), item.significant)


def _comparisons(results: MeasureResults, against: str) -> list[Comparison]:
    return [item for item in results.comparisons if item.against == against]


def _is_final(results: MeasureResults, item: Comparison) -> bool:
    return results.table.finals[item.run].evaluation.epoch == item.epoch


def _against_base(results: MeasureResults, item: Comparison) -> str:
    """Both scores, the difference and the test."""
    scale, labels = results.scale, results.labels
    own, base = results.table.finals[item.run], results.table.finals[item.other]
    verdict = "higher than"
    if item.difference <= 0:
        verdict = "lower than" if item.difference < 0 else "the same as"
    if item.significant:
        verdict = f"significantly {verdict}"
    base_score = scale.value(base.value)
    if base.interval is not None:
        base_score += f" ({scale.interval(base.interval)})"
    text = (
        f"{labels[item.run]} scores {scale.with_interval(own.value, own.interval)} on {item.task}, {verdict} its base "
        f"model {labels[item.other]} with {base_score}: "
        f"{scale.difference(item.difference, item.interval)}, {item.test}, {p_text(item.p_holm)}, n = {item.n}."
    )
    if not item.significant and item.difference != 0:
        text += COULD_BE_CHANCE
    return text


def state_best(results: MeasureResults) -> Iterator[Finding]:
    """The highest score, and the runs that do and do not differ from it."""
    best = results.table.best
    others = _comparisons(results, "best")
    if best is None or not others:
        return
    groups: dict[str, list[Comparison]] = {"same": [], "lower": [], "higher": [], "unclear": []}
    for item in others:
        groups[_relation(results, item, best)].append(item)
    same, lower, higher, unclear = groups.values()
    sentences = [_highest(results, best, same)]
    if lower:
        sentences.append(f"{_are(results, lower)} significantly lower.")
    if higher:
        sentences.append(f"On the samples that both runs have, {_are(results, higher)} significantly higher.")
    if unclear:
        largest = results.scale.difference(max((item.difference for item in unclear), key=abs))
        indistinguishable = "statistically indistinguishable from it"
        sentences.append(f"{_are(results, unclear)} {indistinguishable} (largest difference {largest}).")
    if len(same) < len(others):
        sentences.append("The best run was chosen on these same samples, so its score is probably a little too high.")
    yield Finding("best", " ".join(sentences), significant=bool(lower or higher))


def _relation(results: MeasureResults, item: Comparison, best: Score) -> str:
    if item.difference == 0 and results.table.finals[item.run].value == best.value:
        return "same"
    if not item.significant:
        return "unclear"
    return "lower" if item.difference < 0 else "higher"


def _are(results: MeasureResults, items: Sequence[Comparison]) -> str:
    """The compared runs, by name if they are few, with their verb."""
    if len(items) > FEW_RUNS:
        return f"{len(items)} other runs are"
    verb = "is" if len(items) == 1 else "are"
    return f"{listed([results.labels[item.run] for item in items])} {verb}"


def _highest(results: MeasureResults, best: Score, same: Sequence[Comparison]) -> str:
    """The run or runs with the highest score, and that score."""
    table = results.table
    names = [results.labels[run] for run in (best.evaluation.run, *(item.run for item in same))]
    among = "Of the fine-tuned runs"
    if any(run.type is RunType.EVAL_ONLY and run.name in table.finals for run in table.runs):
        among = "Of the runs that are not base models"
    shown = f"{names[0]} has"
    if same:
        shown = f"{len(names) if len(names) > FEW_RUNS else listed(names)} share"
    score = results.scale.with_interval(best.value, best.interval)
    return f"{among}, {shown} the highest score on {table.task}: {score}."


def state_epochs(results: MeasureResults) -> Iterator[Finding]:
    """The mean score after the first and after the last evaluated epoch."""
    change, scale = results.epochs, results.scale
    if change is None:
        return
    span = "From the first to the last epoch"
    if change.epochs is not None:
        span = f"From epoch {change.epochs[0]} to epoch {change.epochs[1]}"
    test = change.test
    text = (
        f"{span}, the mean score of {plural(change.runs, 'run')} on {results.table.task} goes from "
        f"{scale.value(change.before)} to {scale.value(change.after)}: "
        f"{scale.difference(test.difference, test.interval)}, {test.name}, {p_text(test.p)}, n = {change.n}."
    )
    if test.p >= ALPHA and test.difference != 0:
        text += COULD_BE_CHANCE
    yield Finding("epochs", text, test.p < ALPHA)


def state_costs(results: MeasureResults) -> Iterator[Finding]:
    """The Pareto-optimal runs, the cheapest first."""
    tuned = {run.name for run in results.table.tuned}
    points = [point for point in results.costs if point.run in tuned]
    shown = []
    for point in sorted(points, key=lambda point: point.cost):
        if point.on_front:
            score = results.scale.with_interval(point.score, point.interval)
            shown.append(f"{results.labels[point.run]} ({_cost_text(point)}, {score})")
    if len(points) > 1 and shown:
        text = f"Pareto-optimal runs on {results.table.task} (no other is both cheaper to train and at least as good): "
        yield Finding("cost", f"{text}{shortened(shown)}.")


def _cost_text(point: CostPoint) -> str:
    if point.unit == "GPU hours":
        return f"{point.cost:.3g} GPU hours"
    minutes = point.cost * 60
    return f"{minutes:.3g} min" if minutes >= 1 else f"{60 * minutes:.3g} s"


def state_samples(results: MeasureResults) -> Iterator[Finding]:
    """How many samples all runs failed on, and how many fine-tuning fixed and broke."""
    changes = results.changes
    if changes is None or len(results.table.finals) < 2:  # noqa: PLR2004  a single run is not all runs
        return
    text = _failed(results.table.task, changes)
    if _comparisons(results, "base"):
        fixed = plural(len(changes.fixed), "sample")
        if changes.fixed or changes.broken:
            text += f" Fine-tuning fixed {fixed} and broke {len(changes.broken)}, each in at least one run."
        elif len(changes.all_wrong) < len(changes.common):
            text += " Fine-tuning fixed and broke no samples."
    yield Finding("samples", text)


def _failed(task: str, changes: SampleChanges) -> str:
    wrong, samples = len(changes.all_wrong), plural(len(changes.common), "sample")
    if not changes.common:
        return f"No sample of {task} was answered by every run."
    if wrong == len(changes.common):
        return f"No run answered any of the {samples} of {task} correctly."
    if wrong == 0:
        return f"At least one run answered each of the {samples} of {task} correctly."
    return f"All runs failed on {wrong} of the {samples} of {task}."
