"""inspect-ai's deep checks of models: the tokens that they are asked with, and how they generate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from tunebook.core.deep_checks import Ask, DeepCheck, DeepResult
from tunebook.tools.deep.model_checks import (
    PROMPTS_TITLE,
    ModelUse,
    generation_check,
    model_missing,
    prompt_figure,
    prompt_problems,
)
from tunebook.tools.evaluated_model import PLAIN_TEXT
from tunebook.tools.inspect.deep_checks import TaskUse, best_split, not_here, probed

__all__ = ["model_checks"]


def model_checks(uses: Sequence[TaskUse]) -> Iterator[DeepCheck]:
    """The checks of each use; those of one model, task and prompts are equal."""
    for use in uses:
        model = _model_use(use)
        if use.prompts is not None:
            key = {**use.key, "model": model.key}
            subject = f"{use.run.model}, {use.subject}"
            look = partial(_look_at_prompts, use, model)
            yield DeepCheck(PROMPTS_TITLE, subject, look, key, (use.run.name,), use.announcement)
        yield generation_check(model)


def _model_use(use: TaskUse) -> ModelUse:
    return ModelUse(
        plan=use.plan,
        run=use.run,
        line=use.task.line,
        model=use.model,
        config=use.model_config,
        options=use.options,
        examples=use.examples,
        prompts=use.prompts,
        packages=("inspect-ai",),
    )


def _look_at_prompts(use: TaskUse, model: ModelUse, ask: Ask) -> DeepResult:
    reason = not_here(use) or model_missing(model)
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
    return DeepResult(tuple(prompt_problems(model, answer)), figure=prompt_figure(answer))
