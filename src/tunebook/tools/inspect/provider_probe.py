"""Asks inspect-ai's ``hf`` provider, with the arguments of the job, what it hands to the model: tokens and settings.

The provider is the real one up to the model, in whose place something listens. Runs in the process of the deep checks;
torch, Transformers and inspect-ai are imported inside the functions.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tunebook.disk.read import read_json
from tunebook.tools.deep.evaluated_prompts import first_difference, learnt_share, prompt_tokens
from tunebook.tools.runtime.inspect_eval import LOADER

__all__ = ["compare_prompts"]


def compare_prompts(
    model: str,
    options: Mapping[str, Any],
    heard: Sequence[Sequence[Mapping[str, str]]],
    asked: Sequence[Mapping[str, Any]],
    examples: Sequence[Mapping[str, Any]],
    prompts: Sequence[str],
) -> dict[str, Any]:
    """Training's tokens of the prompts against those that the provider hands to the model.

    Args:
        model: the directory of the base model.
        options: ``precision``, ``sample`` and ``plain_text`` of the job's own preparation.
        heard: the messages with which the task asks, and ``asked`` the records of the data that they are about.
        examples: further records, whose answers are looked at.
        prompts: system prompt and prompt of the plan.
    """
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(model, local_files_only=True)
    given = _handed_over(model, options, heard)
    answer: dict[str, Any] = {"compared": 0, "difference": "", "options": [call["options"] for call in given][:1]}
    for call, record in zip(given, asked, strict=True):
        if not record:
            continue
        trained = prompt_tokens(tokenizer, record, prompts)
        answer["compared"] += 1
        if trained != call["tokens"] and not answer["difference"]:
            answer["difference"] = first_difference(tokenizer, trained, call["tokens"])
    return answer | learnt_share(tokenizer, examples, prompts)


def _handed_over(
    model: str, options: Mapping[str, Any], heard: Sequence[Sequence[Mapping[str, str]]]
) -> list[dict[str, Any]]:
    """The tokens and the settings of each question, as the provider gives them to the model."""
    from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, GenerateConfig

    from tunebook.tools.runtime.inspect_job import prepare

    kinds: dict[str, Any] = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
    with tempfile.TemporaryDirectory() as folder, _listening() as calls:
        out = Path(folder) / "model.json"
        prepare(Path(model), out, **options)
        arguments = read_json(out)
        from inspect_ai.model._providers.hf import HuggingFaceAPI

        provider = HuggingFaceAPI("probe", **arguments)
        for messages in heard:
            asked = [kinds[message["role"]](content=message["content"]) for message in messages]
            asyncio.run(provider.generate(asked, [], "auto", GenerateConfig(max_tokens=1)))
    return calls


@contextmanager
def _listening() -> Iterator[list[dict[str, Any]]]:
    """Puts a listener in the place of the model, and of the provider's queue in front of it."""
    from inspect_ai.model._providers import hf

    library: Any = vars(hf)["transformers"]  # the provider's own, even if others imported it again
    calls: list[dict[str, Any]] = []

    class NoModel:
        """The parts of a model that the provider uses before it asks the model."""

        device = "cpu"

        @classmethod
        def from_pretrained(cls, *_: Any, **__: Any) -> NoModel:
            return cls()

        def generate(self, **_: Any) -> None:
            """Is only named in the settings."""

    async def listen(given: Any) -> Any:
        tokens = given.tokenizer([given.input])["input_ids"][0].tolist()
        options = given.generator.keywords.items()
        plain = {name: value for name, value in options if isinstance(value, bool | int | float)}
        calls.append({"tokens": tokens, "options": plain})
        return hf.GenerateOutput(
            output="", input_tokens=0, output_tokens=0, total_tokens=0, logprobs=None, time=0.0, hidden_states=None
        )

    with _replaced(library, LOADER, NoModel), _replaced(hf, "batched_generate", listen):
        yield calls


@contextmanager
def _replaced(owner: Any, name: str, value: object) -> Iterator[None]:
    """Gives an attribute another value within the block."""
    missing = object()
    before = getattr(owner, name, missing)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is missing:
            delattr(owner, name)
        else:
            setattr(owner, name, before)
