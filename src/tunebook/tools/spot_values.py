"""The values of a spot check: what a model is asked, and the script that asks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from tunebook.core.jobs import Resources

__all__ = ["ANSWERS", "QUESTIONS", "Questions", "SpotScript"]

ANSWERS = "answers.json"
"""The file that a spot check's script leaves in its folder."""
QUESTIONS = "questions.json"
"""The file with a person's own inputs, as a tool's script reads them."""


@dataclass(frozen=True)
class Questions:
    """The questions to a model outside of its evaluations.

    Attributes:
        inputs: a person's own, which are put into the plan's prompt; empty for samples of the task.
        samples: how many samples of the task are asked, from the first one, where there are no inputs.
        max_tokens: the most new tokens of an answer; ``None`` for as many as in the evaluation.
    """

    inputs: tuple[str, ...] = ()
    samples: int = 1
    max_tokens: int | None = None

    def at_most(self, available: int | None) -> Questions:
        """These questions with no more samples than there are; ``None`` if their number is not known."""
        if not available:
            return self
        return replace(self, samples=min(self.samples, available))

    @property
    def number(self) -> int:
        """How many questions there are."""
        return len(self.inputs) or self.samples


@dataclass(frozen=True)
class SpotScript:
    """A script that asks a model and writes :data:`ANSWERS`.

    Attributes:
        text: of the script, which starts in any directory.
        model: the absolute directory that it loads; ``base`` is that of the model an adapter belongs to.
        resources: those that the evaluation's job asks for.
        weights_gb: the size of the weights in the evaluation's precision; ``None`` if it is not known.
        files: name to text of the files in its folder that it reads.
        generation: how answers are generated, as the evaluation gets it; ``temperature`` is missing if it is greedy.
    """

    text: str
    model: str
    base: str
    resources: Resources
    weights_gb: float | None = None
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    generation: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
