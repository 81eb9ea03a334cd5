"""The task that asks the questions of a plan's data set in lm-evaluation-harness, and scores exact matches.

Prompts and targets are given as they are: no template, no description, no examples and no white space are added, and
no type is guessed, as lm-eval does for tasks in YAML over JSON files.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from tunebook.tools.runtime.questions import SPLIT, Question

__all__ = ["METRIC", "exact_match", "generation_arguments", "task_of_questions"]

METRIC = "exact_match"


def exact_match(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Correct is exactly the target: case and punctuation count, white space around the answer does not."""
    return {METRIC: float(results[0].strip() == doc["target"])}


def generation_arguments(*, max_tokens: int, temperature: float | None) -> dict[str, Any]:
    """How answers are generated, in lm-eval's names: greedily unless a temperature is given.

    Nothing ends an answer but the model's stop tokens: lm-eval's default also ends it at an empty line.
    """
    arguments: dict[str, Any] = {"until": [], "max_gen_toks": max_tokens, "do_sample": False, "temperature": 0.0}
    if temperature:
        arguments |= {"do_sample": True, "temperature": temperature}
    return arguments


def _prompt(doc: Mapping[str, Any]) -> str:
    return str(doc["prompt"])


def _target(doc: Mapping[str, Any]) -> str:
    return str(doc["target"])


def task_of_questions(name: str, questions: Sequence[Question], generation: Mapping[str, Any]) -> Any:
    """The task.

    Args:
        name: the plan's name of it.
        generation: as :func:`generation_arguments` returns it.
    """
    from lm_eval.api.task import ConfigurableTask

    def data(**_: Any) -> Any:
        """The questions as text columns, so that no value that looks like a number or a date is converted."""
        import datasets

        columns = {field.name: [asdict(question)[field.name] for question in questions] for field in fields(Question)}
        kinds = datasets.Features({column: datasets.Value("string") for column in columns})
        return datasets.DatasetDict({SPLIT: datasets.Dataset.from_dict(columns, features=kinds)})

    config = {
        "task": name,
        "custom_dataset": data,
        "test_split": SPLIT,
        "output_type": "generate_until",
        "doc_to_text": _prompt,
        "doc_to_target": _target,
        "process_results": exact_match,
        "metric_list": [{"metric": METRIC, "aggregation": "mean", "higher_is_better": True}],
        "generation_kwargs": dict(generation),
        "num_fewshot": 0,
        "metadata": {"version": 1.0},
    }
    return ConfigurableTask(config=config)
