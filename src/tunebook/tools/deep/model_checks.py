"""The deep checks of models that every evaluation tool has: how they generate, and the tokens of their prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunebook.core.deep_checks import Ask, DeepCheck, DeepResult
from tunebook.core.plan import Plan, Run
from tunebook.errors import Problem
from tunebook.tools.deep.shrunk import shrunk_config
from tunebook.tools.deep.tokenizer_files import TOKENIZER_FILES
from tunebook.tools.deep.versions import content_digest, versions

__all__ = ["PROMPTS_TITLE", "ModelUse", "generation_check", "model_missing", "prompt_figure", "prompt_problems"]

PROMPTS_TITLE = "prompts"
_GENERATION = "generation"


@dataclass(frozen=True)
class ModelUse:
    """One evaluation's use of a model.

    Attributes:
        line: of the task in the plan.
        model: the absolute directory of the model, of an adapter's base; ``config`` is its ``config.json``.
        options: those of the job's own preparation of the model: ``precision``, ``sample`` and ``plain_text``.
        examples: records of the training data.
        prompts: system prompt and prompt; ``None`` for a task with data of its own.
        packages: whose versions decide how the model is asked.
    """

    plan: Plan
    run: Run
    line: int
    model: str
    config: Mapping[str, Any]
    options: Mapping[str, Any]
    examples: Sequence[Mapping[str, Any]]
    prompts: tuple[str, str] | None
    packages: tuple[str, ...]

    @property
    def key(self) -> dict[str, Any]:
        """Everything that decides how the model is asked."""
        return {
            "files": [content_digest(Path(self.model, name)) for name in TOKENIZER_FILES],
            "options": self.options,
            "versions": versions(("torch", "transformers", *self.packages)),
            "examples": self.examples,
            "prompts": self.prompts,
        }


def model_missing(use: ModelUse) -> str:
    """Why the model cannot be tried here; empty if it can."""
    if find_spec("torch") is None or find_spec("transformers") is None:
        return "torch and Transformers are not installed here"
    if not use.config:
        return f"the model {use.model} was not found here"
    return ""


def generation_check(use: ModelUse) -> DeepCheck:
    """Whether the model stops where its training ends an answer, and nothing but the temperature acts."""
    return DeepCheck(
        _GENERATION,
        f"{use.run.model}, {'at a temperature' if use.options['sample'] else 'greedy'}",
        partial(_look_at_generation, use),
        {**use.key, "config": use.config},
        (use.run.name,),
    )


def _look_at_generation(use: ModelUse, ask: Ask) -> DeepResult:
    reason = model_missing(use)
    if not use.examples:
        reason = reason or "no example of the training data could be read here"
    if reason:
        return DeepResult(unchecked=reason)
    request = {
        "model": use.model,
        "config": shrunk_config(use.config).config,
        "example": use.examples[0],
        "prompts": use.prompts or ("", "{input}"),
        "sampling": bool(use.options["sample"]),
    }
    answer = ask("tunebook.tools.deep.generation_probe:generate", request)
    figure = f"stops at {', '.join(answer['stop_tokens'])}"
    if "differs_at" in answer:
        figure += f", {answer['generated']} tokens are the most probable ones"
    return DeepResult(tuple(_wrong_generation(use, answer)), figure=figure)


def _wrong_generation(use: ModelUse, answer: Mapping[str, Any]) -> Iterator[Problem]:
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


def prompt_problems(use: ModelUse, answer: Mapping[str, Any]) -> Iterator[Problem]:
    """Prompts with other tokens than in training, and answers that the template changes.

    Args:
        answer: of the tool's probe: ``difference``, and what ``learnt_share`` returns.
    """
    file = use.plan.file
    if answer["difference"]:
        message = f"the evaluation asks {use.run.model} with other tokens than its training learns from: "
        hint = "let the task ask with the plan's prompts, and the model have one chat template"
        yield Problem(message + answer["difference"], file, use.line, hint)
    if answer["changed"]:
        message = f"the chat template of {use.run.model} changes an answer: {answer['changed']}"
        yield Problem(message, file, use.run.line, "write the answers as the template renders them")


def prompt_figure(answer: Mapping[str, Any]) -> str:
    """How many prompts were compared, and the share of tokens that are learnt."""
    figure = f"{answer['compared']} prompts have the tokens of training"
    if answer["difference"]:
        figure = f"{answer['compared']} prompts compared"
    if answer["examples"]:
        figure += f", {answer['share']:.0%} of the tokens of {answer['examples']} examples are learnt"
    return figure
