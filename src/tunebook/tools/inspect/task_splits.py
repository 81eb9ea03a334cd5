"""Whether the data of an evaluation have the split that its task reads if nobody names another."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.core.plan import EvaluationTask, Plan
from tunebook.core.plan.resources import splits_text
from tunebook.core.plan.settings import evaluations
from tunebook.errors import Problem
from tunebook.tools.base import Context
from tunebook.tools.datasets import DatasetFacts
from tunebook.tools.inspect.arguments import has_own_data
from tunebook.tools.plan_inputs import dataset_path
from tunebook.tools.runtime.data_files import split_name
from tunebook.tools.task_script import TaskFunction

__all__ = ["split_warnings"]


def split_warnings(context: Context, task: EvaluationTask, function: TaskFunction) -> Iterator[Problem]:
    """Data without the split that the task's parameter ``split`` names: every evaluation would stop there."""
    if not function.split or has_own_data(task):
        return
    for path in _paths(context.plan, task):
        facts = context.datasets.get(path)
        if facts is not None and _lacks(facts, function.split):
            has = splits_text(facts.splits)
            message = f"task `{function.name}` reads the split `{function.split}`, but {path} has only {has}"
            hint = "give a directory with train.jsonl and test.jsonl, or one JSON file with the keys train and test"
            if function.split != "test":
                hint = f"add the split `{function.split}` to the data, or change the default in {task.script}"
            yield Problem(message, context.plan.file, task.line, hint)


def _paths(plan: Plan, task: EvaluationTask) -> list[str]:
    """The data sets that the task reads, each once."""
    if task.dataset:
        return [task.dataset]
    asked = {evaluation.run for evaluation in evaluations(plan) if evaluation.task == task.name}
    return list(dict.fromkeys(dataset_path(plan, run) for run in plan.runs if run.name in asked))


def _lacks(facts: DatasetFacts, split: str) -> bool:
    if facts.problem or facts.unread or not facts.parts:
        return False
    return split not in facts.keys and split_name(split) not in facts.parts
