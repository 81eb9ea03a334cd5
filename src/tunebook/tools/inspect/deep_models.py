"""inspect-ai's deep checks of models: the tokens that they are asked with, and how they generate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunebook.core.deep_checks import Ask, DeepCheck, DeepResult
from tunebook.errors import Problem
from tunebook.tools.deep.shrunk import shrunk_config
from tunebook.tools.deep.tokenizer_files import TOKENIZER_FILES
from tunebook.tools.deep.versions import content_digest, versions
from tunebook.tools.evaluated_model import PLAIN_TEXT
from tunebook.tools.inspect.deep_checks import TaskUse, best_split, not_here, probed

__all__ = ["model_checks"]

_RENDERING, _GENERATION = "prompts", "generation"
_PACKAGES = ("torch", "transformers", "inspect-ai")


def model_checks(uses: Sequence[TaskUse]) -> Iterator[DeepCheck]:
    """The checks of each use; those of one model, task and prompts are equal."""
    for use in uses:
        of_model: dict[str, Any] = {
            "files": [content_digest(Path(use.model, name)) for name in TOKENIZER_FILES],
            "options": use.options,
        }
        of_model |= {"versions": versions(_PACKAGES), "examples": use.examples, "prompts": use.prompts}
        if use.prompts is not None:
            key = {**use.key, "model": of_model}
            subject = f"{use.run.model}, {use.subject}"
            look = partial(_look_at_prompts, use)
            yield DeepCheck(_RENDERING, subject, look, key, (use.run.name,), use.announcement)
        yield DeepCheck(
            _GENERATION,
            f"{use.run.model}, {'at a temperature' if use.options['sample'] else 'greedy'}",
            partial(_look_at_generation, use),
            {**of_model, "config": use.model_config},
            (use.run.name,),
        )


def _model_missing(use: TaskUse) -> str:
    if find_spec("torch") is None or find_spec("transformers") is None:
        return "torch and Transformers are not installed here"
    if not use.model_config:
        return f"the model {use.model} was not found here"
    return ""


def _look_at_prompts(use: TaskUse, ask: Ask) -> DeepResult:
    reason = not_here(use) or _model_missing(use)
    if use.dataset_type == PLAIN_TEXT:
        reason = "plain texts have no prompts in training"
    if reason:
        return DeepResult(unchecked=reason)
    task = probed(use, ask)
    best = best_split(task)
    if best is None or not any(best[1]["asked"]):
        return DeepResult(unchecked="the task asks about no example of the data set")
    request = {
        "model": use.model,
        "options": use.options,
        "heard": task["heard"],
        "asked": best[1]["asked"][: len(task["heard"])],
        "examples": use.examples,
        "prompts": use.prompts,
    }
    answer = ask("tunebook.tools.inspect.provider_probe:compare_prompts", request)
    return DeepResult(tuple(_wrong_prompts(use, answer)), figure=_prompt_figure(answer))


def _wrong_prompts(use: TaskUse, answer: Mapping[str, Any]) -> Iterator[Problem]:
    file = use.plan.file
    if answer["difference"]:
        message = f"the evaluation asks {use.run.model} with other tokens than its training learns from: "
        hint = "let the task ask with the plan's prompts, and the model have one chat template"
        yield Problem(message + answer["difference"], file, use.task.line, hint)
    if answer["changed"]:
        message = f"the chat template of {use.run.model} changes an answer: {answer['changed']}"
        yield Problem(message, file, use.run.line, "write the answers as the template renders them")


def _prompt_figure(answer: Mapping[str, Any]) -> str:
    figure = f"{answer['compared']} prompts have the tokens of training"
    if answer["difference"]:
        figure = f"{answer['compared']} prompts compared"
    if answer["examples"]:
        figure += f", {answer['share']:.0%} of the tokens of {answer['examples']} examples are learnt"
    return figure


def _look_at_generation(use: TaskUse, ask: Ask) -> DeepResult:
    reason = _model_missing(use)
    if not use.examples:
        reason = reason or "no example of the training data could be read here"
    if reason:
        return DeepResult(unchecked=reason)
    request = {
        "model": use.model,
        "config": shrunk_config(use.model_config).config,
        "example": use.examples[0],
        "prompts": use.prompts or ("", "{input}"),
        "sampling": bool(use.options["sample"]),
    }
    answer = ask("tunebook.tools.inspect.generation_probe:generate", request)
    figure = f"stops at {', '.join(answer['stop_tokens'])}"
    if "differs_at" in answer:
        figure += f", {answer['generated']} tokens are the most probable ones"
    return DeepResult(tuple(_wrong_generation(use, answer)), figure=figure)


def _wrong_generation(use: TaskUse, answer: Mapping[str, Any]) -> Iterator[Problem]:
    file, line, name = use.plan.file, use.run.line, use.run.model
    hint = "correct generation_config.json and the tokenizer's files in the model's directory"
    if not answer["stops"]:
        message = f"{name} does not stop at {answer['end']}, with which training ends an answer; it stops at "
        yield Problem(message + ", ".join(answer["stop_tokens"]), file, line, hint)
    if answer.get("differs_at", -1) >= 0:
        message = f"greedy decoding of {name} does not give the most probable token at step {answer['differs_at'] + 1}"
        yield Problem(message, file, line, hint)
    if answer["acting"]:
        acting = ", ".join(f"{key} {value}" for key, value in answer["acting"].items())
        yield Problem(f"settings that act when {name} generates: {acting}", file, line, hint)
