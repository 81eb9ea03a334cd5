"""Adds each prompt, as the ``hf`` provider renders it, to the log of the sample that asks, and reads it from there.

Only the script of a spot check asks for that. Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

from typing import Any

__all__ = ["record_prompts", "recorded_prompts"]

_SOURCE = "tunebook: rendered prompt"


def record_prompts() -> None:
    """Has the ``hf`` provider log each text that it gives to the model, in the sample that asks."""
    from inspect_ai.log import transcript
    from inspect_ai.model._providers import hf

    queue = hf.batched_generate

    async def answer(given: Any) -> Any:
        transcript().info({"prompt": given.input}, source=_SOURCE)
        return await queue(given)

    setattr(hf, "batched_generate", answer)  # noqa: B010  the provider's own function has another type


def recorded_prompts(sample: Any) -> list[str]:
    """The texts that the model got for a sample of a log, in the order in which it got them."""
    events = sample.events or ()
    return [event.data["prompt"] for event in events if event.event == "info" and event.source == _SOURCE]
