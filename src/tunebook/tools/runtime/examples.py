"""Renders one example as the model sees it in training, each part marked as learnt or not.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunebook.tools.runtime.chat import answer_text, instruct_messages, render_prompt
from tunebook.tools.runtime.data_formats import Record

__all__ = ["Part", "cut_message", "example_parts"]

Part = tuple[str, bool]
"""A text, and whether it is learnt; parts are tokenized one by one, as in generation."""


def example_parts(tokenizer: Any, record: Record, *, system_prompt: str, prompt: str) -> list[Part]:
    """The parts of an example in their order; a plain text gets the tokens that begin and end a text in addition.

    Args:
        tokenizer: has ``chat_template``, ``eos_token``, ``all_special_tokens`` and ``apply_chat_template``.

    Raises:
        ValueError: the model's chat template cannot render this conversation as it is.
    """
    if "text" in record:
        return [(record["text"], True)]
    if "messages" in record:
        return _conversation(tokenizer, record["messages"], system_prompt)
    messages = instruct_messages(system_prompt, prompt, record["input"])
    return [(render_prompt(tokenizer, messages), False), (answer_text(tokenizer, messages, record["output"]), True)]


def cut_message(count: int, total: int, *, limit: int, longest: int) -> str:
    """The message about examples that a maximum sequence length cuts at their end, where the answer is."""
    examples = "1 example loses its end" if count == 1 else f"{count} examples lose their ends"
    hint = f"raise Max Sequence Length to {longest}, or remove the longer examples"
    return f"{examples} of {total} at a maximum sequence length of {limit} tokens; the longest has {longest}: {hint}"


def _conversation(tokenizer: Any, messages: Sequence[Mapping[str, str]], system_prompt: str) -> list[Part]:
    """Every turn of the assistant is learnt, each after the conversation so far as the template renders it."""
    if system_prompt and messages[0]["role"] != "system":
        messages = [{"role": "system", "content": system_prompt}, *messages]
    text = ""
    parts: list[Part] = []
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        asked = render_prompt(tokenizer, messages[:index])
        if not asked.startswith(text):
            raise ValueError("the chat template renders earlier turns differently from what the model was trained on")
        answer = answer_text(tokenizer, messages[:index], message["content"])
        parts += [(asked[len(text) :], False), (answer, True)]
        text = asked + answer
    return parts
