"""The report's answer to the question: two or three sentences, and the figure of the differences behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.findings.hypotheses import explained_verdict, hypothesis_scale
from tunebook.analysis.formatting import Scale, capitalized, p_text, plural
from tunebook.analysis.records import Interval, Measure, TaskUse
from tunebook.analysis.report.content import Block, Section, Text
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.analysis.statistics.seeds import Replicates
from tunebook.analysis.values import Analysis

__all__ = ["answer_of", "answer_section"]

_MOST_TASKS = _MOST_HYPOTHESES = 3
_EXPLORATORY = "The plan states no hypothesis, so this is exploratory."

_OTHERS = "Everything else in this report is exploratory."

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
    return (*sentences, _EXPLORATORY)


def _verdicts(analysis: Analysis) -> Iterator[str]:
    """The first hypotheses with their verdicts."""
    for item in analysis.hypotheses[:_MOST_HYPOTHESES]:
        text = f"{capitalized(item.name)} (“{item.contrast}”) is {explained_verdict(item)}"
        if item.difference is not None:
            scale = hypothesis_scale(item, analysis.tasks)
            text += f"; {item.measure} on {item.task}: {scale.difference(item.difference, item.interval)}"
            text += f", {p_text(item.deciding_p)}"
        yield f"{text}{' (exploratory)' if item.is_exploratory else ''}."
    more = len(analysis.hypotheses) - _MOST_HYPOTHESES
    if more > 0:
        yield f"{capitalized(plural(more, 'more hypothesis', 'more hypotheses'))} below."
    yield _OTHERS


def _of_task(analysis: Analysis, task: TaskUse) -> str:
    """The best run or setting against its base model; without a direction, how many differ; empty without scores."""
    measure = task.headline
    tested = list(_tested(analysis, task))
    if not tested:
        return _scores_only(analysis, task)
    scale = analysis.scale(task.name, measure.name)
    noun = "setting" if isinstance(tested[0], Replicates) else "run"
    subject = f"{measure.name} on {task.name} ({measure.reading})"
    found = [item for item in tested if item.significant]
    if not found:
        return _none_detected(subject, tested, noun, scale)
    if not measure.has_direction:
        higher = sum((item.difference or 0) > 0 for item in found)
        return (
            f"{subject}: {len(found)} of {plural(len(tested), noun)} differ from the base model after Holm's "
            f"correction, {higher} higher and {len(found) - higher} lower; without a direction, none is called better."
        )
    best = max(tested, key=lambda item: measure.goodness(_value(item)))
    parts = [_best_sentence(analysis, best, measure, scale), _selection(analysis, task, scale)]
    parts.append(_counts(found, tested, measure, noun))
    return f"{subject}: {' '.join(filter(None, parts))}"


def _selection(analysis: Analysis, task: TaskUse, scale: Scale) -> str:
    """What the best value is without the effect of having been chosen."""
    for item in analysis.ranking:
        if (item.task, item.measure) == (task.name, task.headline.name):
            if item.corrected is None:
                return ""
            return f"Without the effect of being chosen among many, the best one has {scale.value(item.corrected)}."
    return ""


def _tested(analysis: Analysis, task: TaskUse) -> Iterator[_Tested]:
    """Settings over their seeds if there are any, otherwise runs after their last evaluated epoch."""
    key = (task.name, task.headline.name)
    settings = [
        item for item in analysis.replicates if (item.task, item.measure) == key and item.difference is not None
    ]
    if settings:
        yield from settings
        return
    finals = analysis.final_scores(task.name)
    for item in analysis.comparisons:
        is_own = (item.task, item.measure) == key and item.against == "base"
        if is_own and item.run in finals and finals[item.run].evaluation.epoch == item.epoch:
            yield item


def _value(item: _Tested) -> float:
    return item.mean if isinstance(item, Replicates) else item.value


def _label(analysis: Analysis, item: _Tested) -> str:
    return item.setting if isinstance(item, Replicates) else analysis.labels[item.run]


def _interval(item: _Tested) -> Interval | None:
    return item.difference_interval if isinstance(item, Replicates) else item.interval


def _best_sentence(analysis: Analysis, best: _Tested, measure: Measure, scale: Scale) -> str:
    """The best one by name, its value, and its tested difference from the base model."""
    difference = scale.difference(best.difference or 0.0, _interval(best))
    verdict = "with no detected difference from its base model"
    if best.significant:
        is_better = measure.is_better(best.difference or 0.0, 0)
        verdict = f"significantly {'better' if is_better else 'worse'} than its base model"
    over = f" over {plural(len(best.runs), 'seed')}" if isinstance(best, Replicates) else ""
    value = scale.value(_value(best))
    return (
        f"{_label(analysis, best)} is best with {value}{over}, {verdict}: {difference}, {p_text(best.p_holm)} after "
        "Holm's correction."
    )


def _counts(found: Sequence[_Tested], tested: Sequence[_Tested], measure: Measure, noun: str) -> str:
    if len(tested) == 1:
        return ""
    better = sum(measure.is_better(item.difference or 0.0, 0) for item in found)
    text = f"Of {plural(len(tested), noun)}, {better} are better than their base model"
    if len(found) > better:
        text += f" and {len(found) - better} worse"
    if len(tested) > len(found):
        text += f"; for {len(tested) - len(found)} no difference was detected"
    return f"{text}."


def _none_detected(subject: str, tested: Sequence[_Tested], noun: str, scale: Scale) -> str:
    """The widest interval says how large a difference may have been missed."""
    text = f"{subject}: no difference from the base model was detected in {plural(len(tested), noun)}"
    intervals = [interval for interval in map(_interval, tested) if interval is not None]
    if not intervals:
        return f"{text}."
    low, high = min(each.low for each in intervals), max(each.high for each in intervals)
    return f"{text}; the intervals reach from {scale.change(low)} to {scale.change(high)}."


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
