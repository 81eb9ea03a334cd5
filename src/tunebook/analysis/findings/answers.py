"""Cautions about the answers behind scores: empty, unreadable, cut or missing ones, and other numbers in the logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tunebook.analysis.collect.source import Collected
from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.formatting import plural, shortened
from tunebook.analysis.records import EvaluationKey, Score, TaskUse
from tunebook.analysis.statistics.aggregates import last_evaluations
from tunebook.tools.results import Samples

__all__ = ["state_answers"]

_LONG_PROMPT = 1000  # texts in logs are cut there: longer ones may differ in what was cut off
_FAILED = frozenset({"parse_error", "parse_failed", "parse_failure", "unparsable", "unparseable"})
_PARSED = frozenset({"parsed", "parse_ok", "parse_success", "is_parsed", "parsable", "parseable"})

_Count = tuple[int, int]  # how many, and of how many
_Counter = Callable[[Samples], _Count]


def state_answers(found: Collected) -> Iterator[Finding]:
    """The cautions of every task, about each run's last evaluation of it.

    Args:
        found: with the scores of its evaluations.
    """
    for task in found.tasks:
        last = {found.directories[run]: key for run, key in last_evaluations(found, task.name).items()}
        for text in _of_task(found, task, last):
            yield Finding("caution", text, task=task.name)


def _of_task(found: Collected, task: TaskUse, last: Mapping[str, EvaluationKey]) -> Iterator[str]:
    samples = {run: found.samples[key] for run, key in last.items()}

    def counted(count: _Counter) -> dict[str, _Count]:
        return {run: count(own) for run, own in samples.items()}

    yield from _stated(counted(_empty), _Sentence(task.name, "is empty", "are empty"))
    was = "unreadable for the scorer, as its metadata says"
    yield from _stated(counted(_unparsable), _Sentence(task.name, f"was {was}", f"were {was}"))
    most = "all tokens that an answer may have"
    tail = "Their ends may be missing."
    yield from _stated(counted(_cut), _Sentence(task.name, f"has {most}", f"have {most}", tail))
    scores = {evaluation.key: evaluation.scores for evaluation in found.evaluations}
    for measure in task.measures:
        own = {}
        for run, key in last.items():
            for score in scores[key]:
                if score.measure == measure.name:
                    own[run] = score
        yield from _of_measure(task.name, measure.name, own)
    yield from _other_metrics(found, task, scores)
    yield from _repeated(task.name, list(samples.values()))


def _of_measure(task: str, measure: str, scores: Mapping[str, Score]) -> Iterator[str]:
    """Missing values of a measure, which its scores leave out, and grades that stand for no answer."""
    missing = {run: (score.missing, score.missing + score.answers) for run, score in scores.items()}
    value = f"no usable value of {measure}"
    yield from _stated(missing, _Sentence(task, f"has {value}", f"have {value}", "Its mean is over the others."))
    graded = {run: (score.no_answers, score.missing + score.answers) for run, score in scores.items()}
    grade = f'graded "no answer" by {measure}'
    yield from _stated(graded, _Sentence(task, f"is {grade}", f"are {grade}", "That counts as wrong."))


@dataclass(frozen=True)
class _Sentence:
    """A sentence about some of the answers of a task.

    Attributes:
        one: verb and object for a single answer; ``many`` for several.
        tail: the sentence that follows.
    """

    task: str
    one: str
    many: str
    tail: str = ""

    def with_numbers(self, number: int, total: int, where: str) -> str:
        """The sentence for a number of answers."""
        verb = self.one if number == 1 else self.many
        text = f"On {self.task}, {number} of {plural(total, 'answer')} {verb}, {where}."
        return f"{text} {self.tail}".rstrip()


def _stated(counts: Mapping[str, _Count], sentence: _Sentence) -> Iterator[str]:
    """The sentence with its numbers, if there are any: of one run, or of the runs with the highest shares."""
    some = {run: count for run, count in counts.items() if count[0]}
    if not some:
        return
    if len(counts) == 1:
        ((run, (number, total)),) = counts.items()
        yield sentence.with_numbers(number, total, f"in {run}")
        return
    ranked = sorted(some, key=lambda run: some[run][0] / some[run][1], reverse=True)
    shown = shortened([f"{run} ({some[run][0]} of {some[run][1]})" for run in ranked])
    number = sum(count[0] for count in some.values())
    total = sum(count[1] for count in counts.values())
    yield sentence.with_numbers(number, total, f"in {len(some)} of {plural(len(counts), 'run')}: {shown}")


def _empty(samples: Samples) -> _Count:
    return sum(not answer.strip() for answer in samples.answers), len(samples.answers)


def _cut(samples: Samples) -> _Count:
    return sum(samples.cut), len(samples.ids)


def _unparsable(samples: Samples) -> _Count:
    """The answers that a scorer's metadata calls unreadable."""
    failed: set[int] = set()
    for name, column in samples.score_metadata.items():
        key = name.rpartition("/")[2].lower()
        for place, value in enumerate(column):
            is_failure = (key in _FAILED and bool(value)) or (key in _PARSED and value is False)
            if is_failure:
                failed.add(place)
    return len(failed), len(samples.ids)


def _other_metrics(found: Collected, task: TaskUse, scores: Mapping[EvaluationKey, Sequence[Score]]) -> Iterator[str]:
    """The log's own values that are not the report's, with the reason in one of them."""
    noted: dict[str, list[Score]] = {}
    for key, own in scores.items():
        for score in own:
            if key.task == task.name and score.logged_note:
                noted.setdefault(score.measure, []).append(score)
    for measure, differing in noted.items():
        first = differing[0]
        text = (
            f"On {task.name}, the report's {measure} is the mean over the samples, and {plural(len(differing), 'log')} "
        )
        text += "says" if len(differing) == 1 else "say"
        example = f"In {found.shown(first.evaluation)}, the log's {first.logged_metric} is {first.logged:.6g}"
        yield f"{text} another number. {example}: {first.logged_note}."


def _repeated(task: str, evaluations: Sequence[Samples]) -> Iterator[str]:
    """Samples that an evaluation has several times under different ids."""
    most, total = 0, 0
    for samples in evaluations:
        by_text: dict[tuple[str, str], set[str]] = {}
        for sample, prompt, target in zip(samples.ids, samples.prompts, samples.targets, strict=True):
            if 0 < len(prompt) < _LONG_PROMPT:
                by_text.setdefault((prompt, target), set()).add(sample)
        again = sum(len(ids) - 1 for ids in by_text.values())
        if again > most:
            most, total = again, len(set(samples.ids))
    if most:
        verb, counts = ("repeats", "it counts") if most == 1 else ("repeat", "they count")
        text = f"{most} of {plural(total, 'sample')} of {task} {verb} the prompt and the target of an earlier one"
        yield f"{text}: {counts} again."
