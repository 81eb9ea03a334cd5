"""lm-eval's deep check of prompts: the tokens that it hands to the model are those of the training."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunebook.core.deep_checks import Ask, DeepCheck, DeepResult
from tunebook.tools.deep.model_checks import PROMPTS_TITLE, ModelUse, model_missing, prompt_figure, prompt_problems
from tunebook.tools.deep.shrunk import shrunk_config
from tunebook.tools.deep.versions import content_digest
from tunebook.tools.runtime.questions import SPLIT

__all__ = ["prompt_check"]


def prompt_check(use: ModelUse, *, task: str, data: str, questions: Mapping[str, Any]) -> DeepCheck:
    """The check of one model, data set and prompts.

    Args:
        data: the absolute path of the data set; ``questions`` says how it is read and asked, as the job gets it.
    """
    key = {"data": content_digest(Path(data)), "questions": questions, "model": use.key}
    return DeepCheck(
        PROMPTS_TITLE, f"{use.run.model}, {task}", partial(_look, use, data, questions), key, (use.run.name,)
    )


def _look(use: ModelUse, data: str, questions: Mapping[str, Any], ask: Ask) -> DeepResult:
    reason = model_missing(use)
    if find_spec("lm_eval") is None:
        reason = "lm-eval is not installed here"
    elif not Path(data).exists():
        reason = f"{data} was not found here"
    elif use.options["plain_text"]:
        reason = "plain texts have no prompts in training"
    if reason:
        return DeepResult(unchecked=reason)
    request = {
        "model": use.model,
        "config": shrunk_config(use.config).config,
        "data": data,
        "questions": questions,
        "examples": use.examples,
    }
    answer = ask("tunebook.tools.lm_eval.prompt_probe:compare_prompts", request)
    figure = f"{answer['samples']} samples in the {SPLIT} split, {prompt_figure(answer)}"
    return DeepResult(tuple(prompt_problems(use, answer)), figure=figure)
