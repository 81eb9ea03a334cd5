"""Grades written answers with a task, for the test that ``tunebook task new`` writes beside it: no model is loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspect_ai import Task
from inspect_ai import eval as evaluate
from inspect_ai.model import Logprob, Logprobs, Model, ModelOutput, ModelUsage, TopLogprob, get_model
from inspect_ai.scorer import Score, value_to_float

__all__ = ["Graded", "graded", "written"]

_MOCK = "mockllm/model"

Answer = str | Mapping[str, float]
"""A text; or the most probable first tokens with their probabilities, for scorers of log-probabilities."""


@dataclass(frozen=True)
class Graded:
    """A score: its value as a number (right is 1, wrong 0), the answer that the scorer read, and its metadata."""

    value: float
    answer: str | None
    metadata: Mapping[str, Any]


def written(answers: Sequence[Answer]) -> Model:
    """A model that gives these answers, one after the other."""
    return get_model(_MOCK, custom_outputs=[_output(answer) for answer in answers], memoize=False)


def graded(task: Task, answers: Sequence[Answer], folder: Path) -> list[Graded]:
    """The scores of a task's first samples, which get these answers.

    Args:
        folder: a directory for the log.

    Raises:
        RuntimeError: the evaluation failed; the message is inspect-ai's.
    """
    options: dict[str, Any] = {"log_dir": str(folder), "display": "none", "log_realtime": False}
    (log,) = evaluate(task, model=written(answers), limit=len(answers), max_samples=1, **options)
    if log.status != "success" or not log.samples:
        raise RuntimeError(log.error.message if log.error else f"the evaluation's status is {log.status}")
    return [_graded(score) for sample in log.samples for score in (sample.scores or {}).values()]


def _graded(score: Score) -> Graded:
    return Graded(value_to_float()(score.value), score.answer, score.metadata or {})


def _output(answer: Answer) -> ModelOutput:
    text = answer if isinstance(answer, str) else max(answer, key=answer.__getitem__)
    output = ModelOutput.from_content(_MOCK, text)
    output.usage = ModelUsage()  # otherwise the provider downloads a tokenizer to count tokens
    if not isinstance(answer, str):
        output.choices[0].logprobs = Logprobs(content=[_first_token(text, answer)])
    return output


def _first_token(text: str, probabilities: Mapping[str, float]) -> Logprob:
    top = [TopLogprob(token=token, logprob=math.log(share)) for token, share in probabilities.items()]
    return Logprob(token=text, logprob=math.log(probabilities[text]), top_logprobs=top)
