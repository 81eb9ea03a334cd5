"""Samples of the jobs' input: the first training examples and the first prompts of evaluations, each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tunebook.core.plan import Run
from tunebook.scaffold.blueprint import Part
from tunebook.tools.base import Effect, EvaluationTool, PreparationTool

__all__ = ["Sample", "first_examples", "first_prompts"]

_DECIDE = {"model", "dataset", "dataset_type", "system_prompt", "prompt"}

Effects = Mapping[str, Sequence[Effect]]


@dataclass(frozen=True)
class Sample:
    """A text that several runs have in common.

    Attributes:
        task: the evaluation's task; empty for a training example.
        parts: texts, each with whether it is learnt.
    """

    runs: tuple[str, ...]
    parts: tuple[tuple[str, bool], ...]
    task: str = ""


def first_examples(part: Part, tool: PreparationTool, effects: Effects) -> tuple[Sample, ...]:
    """The first training example of each run of the tool's part; runs that see the same are shown together."""
    samples: list[Sample] = []
    for runs in _alike(part, effects):
        parts = tuple(tool.first_example(part.context, runs[0]))
        if parts:
            samples.append(Sample(tuple(run.name for run in runs), parts))
    return tuple(samples)


def first_prompts(part: Part, tool: EvaluationTool, effects: Effects) -> tuple[Sample, ...]:
    """The first prompt of each task of the tool's part; runs that see the same are shown together."""
    samples: dict[tuple[str, str], list[str]] = {}
    for runs in _alike(part, effects):
        asked = {item.task for item in part.context.evaluations[runs[0].name]}
        for task in part.context.plan.tasks:
            text = tool.first_prompt(part.context, runs[0], task) if task.name in asked else ""
            if text:
                samples.setdefault((task.name, text), []).extend(run.name for run in runs)
    return tuple(Sample(tuple(runs), ((text, False),), task) for (task, text), runs in samples.items())


def _alike(part: Part, effects: Effects) -> list[list[Run]]:
    """The part's runs in groups with the same model, data and prompts, and the same evaluations."""
    groups: dict[object, list[Run]] = {}
    for built in part.built:
        name = built.run.name
        decisive = tuple((item.key, item.value) for item in effects[name] if item.key in _DECIDE)
        tasks = frozenset(item.task for item in part.context.evaluations.get(name, ()))
        groups.setdefault((decisive, tasks), []).append(built.run)
    return list(groups.values())
