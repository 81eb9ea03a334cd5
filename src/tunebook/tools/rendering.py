"""Renders a sample of a data set as the model would see it, and finds examples that training would refuse or cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tunebook.tools.light_tokenizer import LightTokenizer, TokenizerUnavailableError
from tunebook.tools.runtime.data_formats import Record
from tunebook.tools.runtime.examples import Part, example_parts, joint_tokens

__all__ = ["Rendering", "render_sample"]


@dataclass(frozen=True)
class Rendering:
    """A sample as one model's chat template and tokenizer take it.

    Attributes:
        rendered: how many examples were looked at.
        refused: how many of them cannot be rendered or tokenized; ``refusal`` names the first one and says why.
        too_long: how many are longer than the limit; ``first`` names the first one, ``longest`` is in tokens.
        unverified: why it could not be tried here; empty if it was.
    """

    rendered: int = 0
    refused: int = 0
    refusal: str = ""
    too_long: int = 0
    first: str = ""
    longest: int = 0
    unverified: str = ""


def render_sample(
    sample: Sequence[tuple[str, Record]], model: Path, *, system_prompt: str, prompt: str, limit: int | None
) -> Rendering:
    """Renders and tokenizes each example."""
    refused, too_long, longest = 0, 0, 0
    refusal = first = ""
    try:
        tokenizer = LightTokenizer(model)
        for place, record in sample:
            try:
                parts = example_parts(tokenizer, record, system_prompt=system_prompt, prompt=prompt)
                tokens = _tokens(tokenizer, parts, record, limit)
            except ValueError as error:
                refused += 1
                refusal = refusal or f"{place}: {error}"
                continue
            if limit and tokens > limit:
                too_long += 1
                first = first or place
                longest = max(longest, tokens)
    except (TokenizerUnavailableError, OSError, ValueError) as error:
        return Rendering(unverified=str(error))
    return Rendering(len(sample), refused, refusal, too_long, first, longest)


def _tokens(tokenizer: LightTokenizer, parts: Sequence[Part], record: Record, limit: int | None) -> int:
    """The tokens of an example, or 0 where they need not be counted: a token stands for at least one byte.

    Raises:
        ValueError: an answer changes the tokens of its prompt.
    """
    bounds = 2 if "text" in record else 0
    is_short = limit is None or sum(len(text.encode()) for text, _ in parts) + bounds <= limit
    if is_short and (bounds or not tokenizer.can_encode):
        return 0
    return sum(len(tokens) for tokens, _ in joint_tokens(tokenizer.encode, parts)) + bounds
