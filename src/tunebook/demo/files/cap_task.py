"""Exact match on the capitalized word: an inspect-ai task that reads this experiment's data and prompts."""

import json
from pathlib import Path

import yaml
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import TaskState, generate


@task
def capitalization(
    config_dir: str | None = None,
    dataset_path: str | None = None,
    system_prompt: str | None = None,
    prompt: str | None = None,
    split: str = "test",
) -> Task:
    """Data and prompts come from a run's setup_finetune.yaml (``config_dir``); what is given beside it wins."""
    setup = yaml.safe_load((Path(config_dir) / "setup_finetune.yaml").read_text()) if config_dir else {}
    if dataset_path is None:
        name = setup["dataset_label"] + setup["dataset_ext"]
        dataset_path = str(Path(setup["input_dir_base"], setup["input_formatting"], name))
    system = setup.get("system_prompt", "") if system_prompt is None else system_prompt
    template = setup.get("prompt", "{input}") if prompt is None else prompt
    records = json.loads(Path(dataset_path).read_text(encoding="utf-8"))[split]
    samples = [
        Sample(
            id=number,
            input=messages(system, template.replace("{input}", record["input"])),
            target=record["output"],
        )
        for number, record in enumerate(records)
    ]
    return Task(dataset=MemoryDataset(samples), solver=generate(), scorer=exactly())


@scorer(metrics=[accuracy(), stderr()])
def exactly() -> Scorer:
    """Right is the target and nothing else: case and punctuation count, white space around it does not."""

    async def score(state: TaskState, target: Target) -> Score:
        answer = state.output.completion.strip()
        return Score(value=CORRECT if answer == target.text else INCORRECT, answer=answer)

    return score


def messages(system: str, user: str) -> list[ChatMessage]:
    """The conversation so far; an empty system prompt is no message, as in training."""
    head: list[ChatMessage] = [ChatMessageSystem(content=system)] if system else []
    return [*head, ChatMessageUser(content=user)]
