"""Looks whether a plan's models begin the two options of a risk with different tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunebook.core.plan import Run
from tunebook.errors import Problem
from tunebook.tools.base import Context
from tunebook.tools.light_tokenizer import LightTokenizer, TokenizerUnavailableError
from tunebook.tools.model_inputs import whole_model
from tunebook.tools.plan_inputs import model_path

__all__ = ["option_problems"]


def option_problems(context: Context, options: Sequence[str]) -> Iterator[Problem]:
    """One problem per model that writes the same first token for both options; models that are not here give none."""
    plan = context.plan
    firsts: dict[str, Run] = {}
    for run in plan.runs:
        firsts.setdefault(model_path(plan, context.site, run), run)
    for path, run in firsts.items():
        model = whole_model(context.models.get(path))
        if model is None:
            continue
        try:
            tokenizer = LightTokenizer(model.directory)
            tokens = [tokenizer.encode(option)[:1] for option in options]
        except (TokenizerUnavailableError, OSError, ValueError):
            continue
        if tokens[0] == tokens[1]:
            message = (
                f"{path} begins the options {' and '.join(f'`{option}`' for option in options)} with the same token"
            )
            hint = "risk is read from the first token: give the options other words in the data"
            yield Problem(message, plan.file, run.line, hint)
