"""Compares the tokens and labels of a training with the whole conversation, rendered and tokenized at once.

Runs in the process of the deep checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunebook.tools.runtime.chat import default_template, instruct_messages, pinned_template

__all__ = ["compare"]

_IGNORED = -100
_SHOWN = 80


def compare(
    tokenizer: Any,
    data: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
    examples: Sequence[tuple[Sequence[int], Sequence[int]]],
) -> dict[str, Any]:
    """The first difference in words, and how many tokens are learnt.

    Args:
        tokenizer: of Transformers.
        data: the settings of the data: ``system_prompt``, ``prompt``, ``train_on_input``.
        records: of the training data.
        examples: the tokens and labels with which each of them is trained.
    """
    answer: dict[str, Any] = {"examples": len(records), "tokens": 0, "learnt": 0, "difference": ""}
    for record, (tokens, labels) in zip(records, examples, strict=True):
        answer["tokens"] += len(tokens)
        answer["learnt"] += sum(1 for label in labels if label != _IGNORED)
        answer["difference"] = answer["difference"] or _difference(tokenizer, data, record, tokens, labels)
    answer["share"] = answer["learnt"] / max(1, answer["tokens"])
    return answer


def _difference(
    tokenizer: Any, dataset: Mapping[str, Any], record: Mapping[str, Any], tokens: Sequence[int], labels: Sequence[int]
) -> str:
    """How an example differs from its conversation; empty if it does not."""
    whole, answers = _expected(tokenizer, dataset, record)
    cut = whole[: len(tokens)]  # a text may be cut at the longest sequence
    if list(tokens) != cut or ("text" not in record and len(whole) != len(tokens)):
        return f"{tokenizer.decode(list(tokens))!r:.{_SHOWN}} instead of {tokenizer.decode(whole)!r:.{_SHOWN}}"
    learnt = [token for token, label in zip(tokens, labels, strict=True) if label != _IGNORED]
    if any(label not in {_IGNORED, token} for token, label in zip(tokens, labels, strict=True)):
        return "labels that are not their tokens"
    if dataset.get("train_on_input"):
        return "" if len(learnt) == len(tokens) else "not all tokens are learnt, although Train On Input is set"
    text = tokenizer.decode(learnt)
    missing = [answer for answer in answers if answer.strip() not in text]
    return f"{missing[0]!r:.{_SHOWN}} is not in what is learnt, {text!r:.{_SHOWN}}" if missing else ""


def _expected(tokenizer: Any, dataset: Mapping[str, Any], record: Mapping[str, Any]) -> tuple[list[int], list[str]]:
    """The tokens of the whole text, and the answers in it."""
    if "text" in record:
        begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        tokens = tokenizer.encode(record["text"], add_special_tokens=False)
        return [*begin, *tokens, tokenizer.eos_token_id], []
    system = str(dataset.get("system_prompt") or "")
    if "messages" in record:
        messages = list(record["messages"])
        if system:
            messages = [{"role": "system", "content": system}, *messages]
    else:
        messages = instruct_messages(system, str(dataset.get("prompt") or "{input}"), record["input"])
        messages = [*messages, {"role": "assistant", "content": record["output"]}]
    last = max(number for number, message in enumerate(messages) if message["role"] == "assistant")
    messages = messages[: last + 1]
    answers = [message["content"] for message in messages if message["role"] == "assistant"]
    return list(tokenizer.encode(_rendered(tokenizer, messages), add_special_tokens=False)), answers


def _rendered(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> str:
    """The whole conversation up to the token that ends its last answer."""
    end = str(tokenizer.eos_token or "")
    if not tokenizer.chat_template:
        return "".join(f"{one['role']}: {one['content']}\n" for one in messages[:-1]) + messages[-1]["content"] + end
    template = pinned_template(default_template(tokenizer.chat_template))
    text = str(tokenizer.apply_chat_template([dict(one) for one in messages], chat_template=template, tokenize=False))
    text = text.rstrip()
    if any(token and text.endswith(token) for token in tokenizer.all_special_tokens):
        return text
    return text + end
