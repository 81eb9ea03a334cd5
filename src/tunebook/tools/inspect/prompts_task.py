"""An inspect-ai task that asks questions of a file, as conversations; a spot check copies this file beside it."""

import json
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser
from inspect_ai.solver import generate


@task
def prompts(file: str) -> Task:
    """One sample for each list of messages (``role`` and ``content``) in a JSON file."""
    conversations = json.loads(Path(file).read_text(encoding="utf-8"))
    samples = [Sample(id=number, input=list(map(_message, messages))) for number, messages in enumerate(conversations)]
    return Task(dataset=MemoryDataset(samples), solver=generate())


def _message(message: dict[str, str]) -> ChatMessage:
    if message["role"] == "system":
        return ChatMessageSystem(content=message["content"])
    return ChatMessageUser(content=message["content"])
