"""Compares the tokens of prompts in evaluation with those in training.

Runs in the process of the deep checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunebook.tools.runtime.examples import example_parts, joint_tokens, plain_encoder

__all__ = ["first_difference", "learnt_share", "prompt_tokens"]

_SHOWN = 60
_MOST = 64  # examples of the data whose answers are looked at


def prompt_tokens(tokenizer: Any, record: Mapping[str, Any], prompts: Sequence[str]) -> list[int]:
    """The tokens before the last answer, as trainings have them."""
    parts = example_parts(tokenizer, dict(record), system_prompt=prompts[0], prompt=prompts[1])
    tokens = joint_tokens(plain_encoder(tokenizer), parts)
    found: list[int] = []
    for part, _ in tokens[:-1]:
        found += part
    return found


def learnt_share(tokenizer: Any, examples: Sequence[Mapping[str, Any]], prompts: Sequence[str]) -> dict[str, Any]:
    """The share of learnt tokens, and answers that are not in what is learnt."""
    learnt = total = 0
    changed = ""
    looked = examples[:_MOST]
    for record in looked:
        parts = example_parts(tokenizer, dict(record), system_prompt=prompts[0], prompt=prompts[1])
        for tokens, is_learnt in joint_tokens(plain_encoder(tokenizer), parts):
            total += len(tokens)
            if is_learnt:
                learnt += len(tokens)
        text = "".join(part for part, is_learnt in parts if is_learnt)
        if record.get("output", "") not in text and not changed:
            changed = f"{record['output']!r:.{_SHOWN}} is learnt as {text!r:.{_SHOWN}}"
    return {"examples": len(looked), "share": learnt / total if total else 0.0, "changed": changed}


def first_difference(tokenizer: Any, trained: Sequence[int], given: Sequence[int]) -> str:
    """Where the two begin to differ, as text."""
    same = 0
    while same < min(len(trained), len(given)) and trained[same] == given[same]:
        same += 1
    first = max(0, same - 2)
    ours, theirs = tokenizer.decode(trained[first:]), tokenizer.decode(given[first:])
    return f"after {same} equal tokens, training has {ours!r:.{_SHOWN}} and the evaluation {theirs!r:.{_SHOWN}}"
