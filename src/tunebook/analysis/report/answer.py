"""The report's answer to the question: two or three sentences, and the figure of the differences behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.collect.join import EXPERIMENT
from tunebook.analysis.findings.hypotheses import explained_verdict, hypothesis_scale
from tunebook.analysis.formatting import FEW_RUNS, Scale, capitalized, listed, p_text, plural
from tunebook.analysis.records import Measure, TaskUse
from tunebook.analysis.report.aggregate_answer import answer_of_aggregate, in_place_of
from tunebook.analysis.report.answer_words import (
    Shown,
    corrected_text,
    counts_text,
    difference_text,
    selection_text,
    shown_interval,
)
from tunebook.analysis.report.content import Block, Section, Text
from tunebook.analysis.statistics.claims import ClaimKind
from tunebook.analysis.statistics.hypotheses import HypothesisResult, Verdict
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.analysis.statistics.seeds import Replicates
from tunebook.analysis.values import Analysis

__all__ = ["answer_of", "answer_section"]

_MOST_TASKS = _MOST_HYPOTHESES = 3
_EXPLORATORY = "The plan states no hypothesis, so this is exploratory."
_JOINED = "Hypotheses are tested in the report of their own experiment, so this is exploratory."
_OTHERS = "Everything else in this report is exploratory."
_ALL = "Everything in this report is exploratory."

_Tested = Comparison | Replicates


def answer_section(answer: Sequence[str], figures: Sequence[Figure]) -> Section:
    """The sentences, and the differences of the first task that has any."""
    blocks: list[Block] = [Text(sentence) for sentence in answer]
    drawn = [figure for figure in figures if figure.part == "differences" and figure.spec]
    blocks += drawn[:1]
    return Section("answer", "Answer", tuple(blocks))


def answer_of(analysis: Analysis) -> tuple[str, ...]:
    """The verdicts on the plan's hypotheses; without any, one sentence per task and that they are exploratory."""
    if analysis.hypotheses:
        return tuple(_verdicts(analysis))
    sentences = [_of_task(analysis, task) for task in analysis.tasks[:_MOST_TASKS]]
    sentences = [sentence for sentence in sentences if sentence]
    if not sentences:
        return ("No answer yet: no run has been compared with its base model.",)
    more = len(analysis.tasks) - _MOST_TASKS
    if more > 0:
        sentences.append(f"{plural(more, 'more task')} below.")
    is_joined = any(factor.key == EXPERIMENT for factor in analysis.factors)
    return (*sentences, _JOINED if is_joined else _EXPLORATORY)


def _verdicts(analysis: Analysis) -> Iterator[str]:
    """The first hypotheses with their verdicts."""
    for item in analysis.hypotheses[:_MOST_HYPOTHESES]:
        text = f"{capitalized(item.name)} (“{item.contrast}”) is {explained_verdict(item)}"
        if item.difference is not None:
            scale = hypothesis_scale(item, analysis.tasks)
            difference = difference_text(scale, item.difference, Shown(item.interval))
            text += f"; {item.measure} on {item.task}: {difference}, {_sides(item)}{p_text(item.deciding_p)}"
        yield f"{text}{' (exploratory)' if item.is_exploratory else ''}."
    more = len(analysis.hypotheses) - _MOST_HYPOTHESES
    if more > 0:
        yield f"{capitalized(plural(more, 'more hypothesis', 'more hypotheses'))} below."
    for task in analysis.tasks:
        stands_in = any((item.task, item.measure) == (task.name, task.headline.name) for item in analysis.hypotheses)
        if task.wanted is not None and stands_in:
            yield in_place_of(task, is_answered=False)
    yield _ALL if all(item.is_exploratory for item in analysis.hypotheses) else _OTHERS


def _sides(item: HypothesisResult) -> str:
    """That a p-value is one-sided, beside a two-sided interval."""
    is_one_sided = item.kind in {ClaimKind.ABOVE, ClaimKind.BELOW} and item.verdict is not Verdict.CONTRADICTED
    return "one-sided " if is_one_sided and item.p is not None else ""


def _of_task(analysis: Analysis, task: TaskUse) -> str:
    """The best run or setting against its base model; without a direction, how many differ; empty without scores."""
    if task.wanted is not None:
        answer = answer_of_aggregate(analysis, task)
        if answer:
            return answer
    measure = task.headline
    tested = list(_tested(analysis, task))
    if not tested:
        return _scores_only(analysis, task)
    scale = analysis.scale(task.name, measure.name)
    noun = _noun(tested[0])
    subject = f"{measure.name} on {task.name} ({measure.reading})"
    found = [item for item in tested if item.significant]
    if not found:
        return _none_detected(subject, tested, noun, scale)
    if not measure.has_direction:
        return _differing(subject, found, tested, noun)
    best = max(tested, key=lambda item: measure.goodness(_value(item)))
    tied = [_label(analysis, item) for item in tested if _value(item) == _value(best)]
    sentences = [_best_sentence(analysis, best, tied, tested, measure)]
    if len(tied) < len(tested):
        sentences.append(selection_text(analysis.ranking, task, scale, shown=_value(best)))
    differences = [item.difference or 0.0 for item in found]
    sentences.append(counts_text(differences, len(tested), measure, noun))
    return f"{subject}: {' '.join(filter(None, sentences))}"


def _differing(subject: str, found: Sequence[_Tested], tested: Sequence[_Tested], noun: str) -> str:
    """How many differ, where nobody said which values are better."""
    higher = sum((item.difference or 0) > 0 for item in found)
    return (
        f"{subject}: {len(found)} of {plural(len(tested), noun)} differ significantly from the base model"
        f"{corrected_text(found[0].family)}, {higher} higher and {len(found) - higher} lower; without a direction, "
        "none is called better."
    )


def _tested(analysis: Analysis, task: TaskUse) -> Iterator[_Tested]:
    """Settings over their seeds if there are any, otherwise runs after their last evaluated epoch."""
    key = (task.name, task.headline.name)
    settings = [
        item for item in analysis.replicates if (item.task, item.measure) == key and item.difference is not None
    ]
    yield from settings or analysis.final_comparisons(task.name)


def _value(item: _Tested) -> float:
    return item.mean if isinstance(item, Replicates) else item.value


def _label(analysis: Analysis, item: _Tested) -> str:
    return item.setting if isinstance(item, Replicates) else analysis.labels[item.run]


def _interval(item: _Tested) -> Shown:
    own = item.difference_interval if isinstance(item, Replicates) else item.interval
    return shown_interval(own, item.simultaneous, item.family)


def _best_sentence(
    analysis: Analysis, best: _Tested, tied: Sequence[str], tested: Sequence[_Tested], measure: Measure
) -> str:
    """The best one or ones by name, the value, and the tested difference from the base model.

    Args:
        tied: the names of all that have the best value.
    """
    scale = analysis.scale(best.task, best.measure)
    interval = _interval(best)
    verdict = "with no detected difference from its base model"
    opening = _opening(analysis, best, tied, scale)
    if best.significant:
        is_better = measure.is_better(best.difference or 0.0, 0)
        verdict = f"significantly {'better' if is_better else 'worse'} than its base model"
        if not is_better:
            opening = f"{_none_better(tested, measure)}{_opening(analysis, best, tied, scale, is_worse=True)}"
    difference = difference_text(scale, best.difference or 0.0, interval)
    text = f"{opening}{verdict}: {difference}, {p_text(best.p_holm)}{corrected_text(best.family)}"
    if best.significant and interval.is_simultaneous and not interval.excludes_zero:
        text += "; that correction decides, which is less strict than intervals that hold together"
    return f"{text}."


def _opening(analysis: Analysis, best: _Tested, tied: Sequence[str], scale: Scale, *, is_worse: bool = False) -> str:
    """Which one is best, or how many share the best value, and that value."""
    name = _label(analysis, best)
    value = scale.value(_value(best))
    if isinstance(best, Replicates):
        value += f" over {plural(len(best.runs), 'seed')}"
    if len(tied) > 1:
        names = f" ({listed(tied)})" if len(tied) <= FEW_RUNS else ""
        return f"{plural(len(tied), _noun(best))} share the best value, {value}{names}; of these, {name} is "
    if is_worse:
        return f"the best of the fine-tuned ones is {name} with {value}, "
    return f"{name} is best with {value}, "


def _noun(item: _Tested) -> str:
    return "setting" if isinstance(item, Replicates) else "run"


def _none_better(tested: Sequence[_Tested], measure: Measure) -> str:
    """That none is better than its base model, if that is so."""
    better = [item for item in tested if measure.is_better(item.difference or 0.0, 0)]
    if any(item.significant for item in better):
        return ""
    word = "significantly better" if better else "better"
    return f"No {_noun(tested[0])} is {word} than its base model; "


def _none_detected(subject: str, tested: Sequence[_Tested], noun: str, scale: Scale) -> str:
    """The widest interval says how large a difference may have been missed."""
    text = f"{subject}: no difference from the base model was detected in {plural(len(tested), noun)}"
    shown = [_interval(item) for item in tested]
    intervals = [each.interval for each in shown if each.interval is not None]
    if not intervals:
        return f"{text}."
    low, high = min(each.low for each in intervals), max(each.high for each in intervals)
    kind = "simultaneous intervals" if any(each.is_simultaneous for each in shown) else "intervals"
    if len(intervals) == 1:
        kind = "interval reaches"
    else:
        kind += " reach"
    text += f"; the {kind} from {scale.change(low)} to {scale.change(high)}"
    if any(each.excludes_zero for each in shown):
        text += "; where one excludes 0, the test decides, since the interval is approximate"
    return f"{text}."


def _scores_only(analysis: Analysis, task: TaskUse) -> str:
    """The range of scores where nothing could be compared with a base model."""
    values = [score.value for score in analysis.final_scores(task.name).values() if score.value is not None]
    if not values:
        return ""
    scale = analysis.scale(task.name, task.headline.name)
    subject = f"{task.headline.name} on {task.name} ({task.headline.reading})"
    if len(values) == 1:
        return f"{subject}: the only run scores {scale.value(values[0])}; there is nothing to compare it with."
    span = f"{scale.value(min(values))} to {scale.value(max(values))}"
    return f"{subject}: {len(values)} runs score {span}; none could be compared with a base model."
