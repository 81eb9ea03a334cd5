"""Reads ``answers.json``, which the script of a spot check leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.artifacts.text_files import read_document
from tunebook.core.json_text import UNFIT
from tunebook.errors import ToolError

__all__ = ["Answer", "read_answers"]


@dataclass(frozen=True)
class Answer:
    """One question, and what a model answered.

    Attributes:
        id: of the sample, or the place among a person's own inputs, from 0.
        input: what was asked, for people: the last message, without the chat template.
        prompt: the text that the model got, as its chat template renders it; of several calls the last. Empty if it is
            not known.
        calls: how many times the model was asked for the one answer.
        target: the answer that is correct; ``None`` if it is not known.
        cut: whether the answer has as many tokens as it may have; ``None`` if it is not known.
    """

    id: str
    input: str
    prompt: str
    calls: int
    target: str | None
    answer: str
    cut: bool | None


def read_answers(path: Path) -> tuple[Answer, ...]:
    """Reads the answers in their order.

    Raises:
        ToolError: the file is missing or not as it should be.
    """
    try:
        document = read_document(path)
        answers = tuple(_answer(item) for item in document["answers"])
    except (*UNFIT, OSError) as error:
        raise ToolError(f"{path} holds no answers: {error}") from None
    if not answers:
        raise ToolError(f"{path} holds no answers")
    return answers


def _answer(item: Mapping[str, Any]) -> Answer:
    target, cut = item.get("target"), item.get("cut")
    return Answer(
        id=str(item["id"]),
        input=str(item["input"]),
        prompt=str(item.get("prompt") or ""),
        calls=int(item.get("calls") or 1),
        target=None if target is None else str(target),
        answer=str(item["answer"]),
        cut=None if cut is None else bool(cut),
    )
