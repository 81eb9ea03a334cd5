"""Findings about runs: against their base model, the best one, over epochs, by cost, and by sample.

Every sentence names the measure. Values improve or get worse only where the measure's direction is known; otherwise
they are higher or lower, and nothing is best.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunebook.analysis.findings.effect_words import measure_text
from tunebook.analysis.findings.finding import COULD_BE_CHANCE, TO_RETRAINING, TO_SAMPLES, Finding, count_significant
from tunebook.analysis.formatting import FEW_RUNS, listed, p_text, percent_text, plural, shortened
from tunebook.analysis.records import Family, Interval
from tunebook.analysis.statistics.cases import SampleChanges
from tunebook.analysis.statistics.measure_results import CostPoint, MeasureResults
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.analysis.statistics.ranking import RankedSetting
from tunebook.core.measures import Direction
from tunebook.core.plan import RunType

__all__ = ["state_base", "state_best", "state_costs", "state_epochs", "state_samples"]

_SAME_COST = 1.05  # times the lowest cost


def state_base(results: MeasureResults) -> Iterator[Finding]:
    """Each run's final score against its base model; of many runs only how many differ, and one of them.

    With several seeds per setting, no run is named: the one that stands out owes it to its seed in part.
    """
    comparisons = [item for item in _comparisons(results, "base") if _is_final(results, item)]
    if len(comparisons) > FEW_RUNS:
        higher, lower = count_significant(comparisons)
        yield Finding("base", _summary(results, comparisons), significant=higher + lower > 0)
        comparisons = [] if _has_replicates(results) else [_most_notable(results, comparisons)]
    for item in comparisons:
        yield Finding("base", _against_base(results, item), item.significant)


def _comparisons(results: MeasureResults, against: str) -> list[Comparison]:
    return [item for item in results.comparisons if item.against == against]


def _is_final(results: MeasureResults, item: Comparison) -> bool:
    return results.table.finals[item.run].evaluation.epoch == item.epoch


def _most_notable(results: MeasureResults, items: Sequence[Comparison]) -> Comparison:
    """The best run; where nothing is best, the run with the largest difference."""
    measure = results.table.measure
    if measure.has_direction:
        return max(items, key=lambda item: measure.goodness(item.value))
    return max(items, key=lambda item: abs(item.difference))


def _summary(results: MeasureResults, items: Sequence[Comparison]) -> str:
    """How many runs differ from their base model."""
    measure, task = results.table.measure, measure_text(results)
    higher, lower = count_significant(items)
    runs, rest = plural(len(items), "run"), len(items) - higher - lower
    tests = f"paired tests on the same samples, {_correction(items[0].family)}"
    counts = f"{higher} score significantly higher on {task} than their base model and {lower} significantly lower"
    if measure.has_direction:
        improved, worse = (lower, higher) if measure.direction is Direction.LOWER else (higher, lower)
        counts = f"{improved} improved significantly on their base model and {worse} got significantly worse on {task}"
    unclear = f"; for {rest} no difference was detected" if rest else ""
    return f"Of {runs}, {counts}{unclear} ({tests})."


def _correction(family: Family) -> str:
    """``Holm's correction over 5 tests``."""
    if family.correction == "none":
        return "a single test"
    return f"{family.correction}'s correction over {family.size} tests"


def _against_base(results: MeasureResults, item: Comparison) -> str:
    """Both scores, the difference and the test."""
    scale, labels = results.scale, results.labels
    own, base = results.table.finals[item.run], results.table.finals[item.other]
    base_score = scale.value(base.value)
    if base.interval is not None:
        base_score += f" ({scale.interval(base.interval)})"
    text = (
        f"{labels[item.run]} scores {scale.with_interval(own.value, own.interval)} on {measure_text(results)}, "
        f"{_verdict(results, item)} its base model {labels[item.other]} with {base_score}: "
        f"{_difference(results, item.difference, item.interval, item.simultaneous, item.family)}, {item.test}, "
        f"{p_text(item.p_holm)}, n = {item.n}."
    )
    if not item.significant and item.difference != 0:
        text += COULD_BE_CHANCE
    return text


def _verdict(results: MeasureResults, item: Comparison) -> str:
    """``significantly higher than``; where lower is better, the sentence says which one is better."""
    if item.difference == 0:
        return "the same as"
    verdict = "higher" if item.difference > 0 else "lower"
    if results.table.measure.direction is Direction.LOWER:
        verdict += " (better)" if item.difference < 0 else " (worse)"
    if item.significant:
        verdict = f"significantly {verdict}"
    return f"{verdict} than"


def _difference(
    results: MeasureResults,
    difference: float,
    interval: Interval | None,
    simultaneous: Interval | None,
    family: Family | None,
) -> str:
    """``+12.5 points (95 % interval 2.1 to 22.9; −3.0 to 28.0 simultaneously for 5 tests)``."""
    scale = results.scale
    text = scale.change(difference)
    if interval is None:
        return text
    text += f" ({percent_text(interval.level)} interval {scale.bounds(interval)}"
    if simultaneous is not None and family is not None and family.size > 1:
        text += f"; {scale.bounds(simultaneous)} simultaneously for {family.size} tests"
    return f"{text})"


def state_best(results: MeasureResults) -> Iterator[Finding]:
    """The best setting (or run), and those that do and do not differ from it; without a direction only the range."""
    if len(results.ranking) < 2:  # noqa: PLR2004  nothing to compare
        return
    if not results.table.measure.has_direction:
        yield Finding("best", _range(results))
        return
    best, *others = results.ranking
    tested = [item for item in others if item.p is not None]
    if not tested:
        return
    same = [item for item in tested if item.difference == 0 and item.value == best.value]
    different = [item for item in tested if item.significant]
    unclear = [item for item in tested if not item.significant and item not in same]
    sentences = [_first(results, best, same), *_relations(results, tested, different, unclear)]
    if len(same) < len(tested):
        sentences.append(_selection(results, best))
    yield Finding("best", " ".join(sentences), significant=bool(different))


def _range(results: MeasureResults) -> str:
    """The highest and the lowest value of a measure without a direction."""
    highest, lowest = results.ranking[0], results.ranking[-1]
    measure, scale = results.table.measure, results.scale
    return (
        f"Whether higher or lower values of {measure.name} are better is not known, so no {_noun(results)} is called "
        f"the best on {results.table.task}: the values of {plural(len(results.ranking), _noun(results))} range from "
        f"{scale.value(lowest.value)} ({lowest.setting}) to {scale.value(highest.value)} ({highest.setting})."
    )


def _noun(results: MeasureResults) -> str:
    """The noun for what is ranked."""
    return "setting" if _has_replicates(results) else "run"


def _has_replicates(results: MeasureResults) -> bool:
    return any(len(item.runs) > 1 for item in results.ranking)


def _first(results: MeasureResults, best: RankedSetting, same: Sequence[RankedSetting]) -> str:
    """The best setting or settings, and their value."""
    measure = results.table.measure
    names = [best.setting, *(item.setting for item in same)]
    among = "Of the fine-tuned runs"
    if any(run.type is RunType.EVAL_ONLY and run.name in results.table.finals for run in results.table.runs):
        among = "Of the runs that are not base models"
    if _has_replicates(results):
        among = f"Of {len(results.ranking)} settings"
    shown = f"{names[0]} has"
    if same:
        shown = f"{len(names) if len(names) > FEW_RUNS else listed(names)} share"
    extreme = "highest"
    if measure.direction is Direction.LOWER:
        extreme = "lowest (best)"
    mean = "mean " if _has_replicates(results) else ""
    value = results.scale.with_interval(best.value, best.interval)
    over = ""
    if len(best.runs) > 1:
        over = f", over {plural(len(best.runs), 'seed')}"
    return f"{among}, {shown} the {extreme} {mean}score on {measure_text(results)}: {value}{over}."


def _relations(
    results: MeasureResults,
    tested: Sequence[RankedSetting],
    different: Sequence[RankedSetting],
    unclear: Sequence[RankedSetting],
) -> Iterator[str]:
    """Those that differ from the best one and those that may not, and what the tests generalize to."""
    noun = _noun(results)
    worse = [item for item in different if _is_worse(results, item)]
    better = [item for item in different if not _is_worse(results, item)]
    if worse:
        yield f"{_are(worse, noun)} significantly {_worse_word(results)}."
    if better:
        yield f"On the samples that both have, {_are(better, noun)} significantly better."
    if unclear:
        largest = max((item for item in unclear), key=lambda item: abs(item.difference or 0.0))
        intervals = (largest.difference_interval, largest.simultaneous)
        sizes = _difference(results, largest.difference or 0.0, *intervals, largest.family)
        names = listed([item.setting for item in unclear])
        if len(unclear) > FEW_RUNS:
            names = f"{len(unclear)} other {noun}s"
        is_largest = "its difference is" if len(unclear) == 1 else "the largest difference is"
        yield f"No difference from it was detected for {names}: {is_largest} {sizes}."
    if not different and not unclear:
        return
    scope = TO_RETRAINING if tested[0].generalizes == "seeds" else TO_SAMPLES
    family = tested[0].family
    pairs = "" if family is None or family.size == 1 else f", corrected by Holm's method over all {family.size} pairs"
    yield f"{_test_name(tested[0])}{pairs}; the result {scope}."


def _is_worse(results: MeasureResults, item: RankedSetting) -> bool:
    return results.table.measure.is_better(0.0, item.difference or 0.0)


def _worse_word(results: MeasureResults) -> str:
    return "higher (worse)" if results.table.measure.direction is Direction.LOWER else "lower"


def _test_name(item: RankedSetting) -> str:
    if item.generalizes == "seeds":
        return "This was tested against the variation between seeds"
    return "This was tested on the samples that both have"


def _are(items: Sequence[RankedSetting], noun: str) -> str:
    """The settings, by name if they are few, with their verb."""
    if len(items) > FEW_RUNS:
        return f"{len(items)} other {noun}s are"
    verb = "is" if len(items) == 1 else "are"
    return f"{listed([item.setting for item in items])} {verb}"


def _selection(results: MeasureResults, best: RankedSetting) -> str:
    """The value of the best one without the luck of being chosen for it."""
    noun = _noun(results)
    unit = "samples and seeds" if _has_replicates(results) else "samples"
    text = f"The best {noun} was chosen by these same values, which makes its own value too good on average"
    if best.corrected is None:
        return f"{text}."
    corrected = results.scale.value(best.corrected)
    value = f"scores {corrected}"
    if corrected == results.scale.value(best.value):
        value = f"has the same value, {corrected}"
    return f"{text}; chosen on some of the {unit} and scored on the others, the best {noun} {value}."


def state_epochs(results: MeasureResults) -> Iterator[Finding]:
    """The mean score after the first and after the last evaluated epoch."""
    change, scale = results.epochs, results.scale
    if change is None:
        return
    span = "From the first to the last epoch"
    if change.epochs is not None:
        span = f"From epoch {change.epochs[0]} to epoch {change.epochs[1]}"
    test = change.test
    is_significant = change.significant
    verb = _changes(results, test.difference) if is_significant else "goes"
    text = (
        f"{span}, the mean score of {plural(change.runs, 'run')} on {measure_text(results)} {verb} from "
        f"{scale.value(change.before)} to {scale.value(change.after)}: "
        f"{_difference(results, test.difference, test.interval, None, None)}, {test.name}, {p_text(test.p)}, "
        f"n = {change.n}, {TO_SAMPLES}."
    )
    if not is_significant and test.difference != 0:
        text += COULD_BE_CHANCE
    yield Finding("epochs", text, is_significant)


def _changes(results: MeasureResults, difference: float) -> str:
    """``improves``, ``gets worse``, or without a direction ``rises`` and ``falls``."""
    measure = results.table.measure
    if not measure.has_direction:
        return "rises" if difference > 0 else "falls"
    return "improves" if measure.is_better(difference, 0.0) else "gets worse"


def state_costs(results: MeasureResults) -> Iterator[Finding]:
    """The Pareto-optimal runs, the cheapest first; nothing where all costs are about equal or nothing is better."""
    tuned = {run.name for run in results.table.tuned}
    points = [point for point in results.costs if point.run in tuned]
    costs = [point.cost for point in points]
    if len(points) < 2 or max(costs) <= _SAME_COST * min(costs):  # noqa: PLR2004  nothing to compare
        return
    shown = []
    for point in sorted(points, key=lambda point: point.cost):
        if point.on_front:
            value = results.scale.with_interval(point.score, point.interval)
            shown.append(f"{results.labels[point.run]} ({_cost_text(point)}, {value})")
    if shown:
        text = f"Pareto-optimal runs on {measure_text(results)} (no other is both cheaper to train and at least as good"
        if results.table.measure.direction is Direction.LOWER:
            text += "; lower is better"
        yield Finding("cost", f"{text}): {shortened(shown)}.")


def _cost_text(point: CostPoint) -> str:
    if point.unit == "GPU hours":
        return f"{point.cost:.3g} GPU hours"
    minutes = point.cost * 60
    return f"{minutes:.3g} min" if minutes >= 1 else f"{60 * minutes:.3g} s"


def state_samples(results: MeasureResults) -> Iterator[Finding]:
    """How many samples all runs failed on, and how many fine-tuning fixed and broke, for right and wrong answers."""
    changes = results.changes
    if changes is None or len(results.table.finals) < 2:  # noqa: PLR2004  a single run is not all runs
        return
    text = _failed(measure_text(results), changes)
    if _comparisons(results, "base"):
        fixed = plural(len(changes.fixed), "sample")
        if changes.fixed or changes.broken:
            text += f" Fine-tuning fixed {fixed} and broke {len(changes.broken)}, each in at least one run."
        elif len(changes.all_wrong) < len(changes.common):
            text += " Fine-tuning fixed and broke no samples."
    yield Finding("samples", text)


def _failed(task: str, changes: SampleChanges) -> str:
    wrong, samples = len(changes.all_wrong), plural(len(changes.common), "sample")
    if len(changes.common) == 1:
        return f"{'No run' if wrong else 'At least one run'} answered the only sample of {task} correctly."
    if not changes.common:
        return f"No sample of {task} was answered by every run."
    if wrong == len(changes.common):
        return f"No run answered any of the {samples} of {task} correctly."
    if wrong == 0:
        return f"At least one run answered each of the {samples} of {task} correctly."
    return f"All runs failed on {wrong} of the {samples} of {task}."
