"""The probability that a person moved, from the log-probabilities of the first token of the answer."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser, GenerateConfig, ModelOutput
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import TaskState, generate

OPTIONS = ("0", "1")
GROUPS = ("age_group", "region")


@task
def moved(
    config_dir: str | None = None,
    dataset_path: str | None = None,
    system_prompt: str = "",
    prompt: str = "{input}",
) -> Task:
    """Reads data and prompts from a run's setup_finetune.yaml (``config_dir``), or takes them one by one."""
    if config_dir is not None:
        setup = yaml.safe_load((Path(config_dir) / "setup_finetune.yaml").read_text(encoding="utf-8"))
        system_prompt, prompt = setup["system_prompt"], setup["prompt"]
        dataset_path = dataset_path or str(Path(setup["input_dir_base"], setup["dataset_label"] + setup["dataset_ext"]))
    if dataset_path is None:
        raise ValueError("give config_dir or dataset_path")
    records = json.loads(Path(dataset_path).read_text(encoding="utf-8"))["test"]
    samples = [sample(number, record, system_prompt, prompt) for number, record in enumerate(records)]
    return Task(
        dataset=MemoryDataset(samples),
        solver=generate(),
        scorer=risk(),
        config=GenerateConfig(logprobs=True, top_logprobs=20),
    )


def sample(number: int, record: Mapping[str, str], system: str, prompt: str) -> Sample:
    """One person; the metadata are the groups by which ``tunebook analyze`` compares scores."""
    messages: list[ChatMessage] = [ChatMessageSystem(content=system)] if system else []
    messages.append(ChatMessageUser(content=prompt.replace("{input}", record["input"])))
    groups = {name: record[name] for name in GROUPS}
    return Sample(id=number, input=messages, target=record["output"], metadata=groups)


@scorer(metrics=[accuracy(), stderr()])
def risk() -> Scorer:
    """Right or wrong, and the risk in the metadata: see docs/reference/measures.md."""

    async def score(state: TaskState, target: Target) -> Score:
        answer = state.output.completion.strip()
        return Score(
            value=CORRECT if answer == target.text else INCORRECT,
            answer=answer,
            metadata={"options": list(OPTIONS), "target": target.text, **probabilities(state.output, OPTIONS)},
        )

    return score


def probabilities(output: ModelOutput, options: Sequence[str]) -> dict[str, Any]:
    """The options' probabilities, which add up to 1; unusable if an option is not among the most probable tokens."""
    logprobs = output.choices[0].logprobs if output.choices else None
    first = logprobs.content[0] if logprobs and logprobs.content else None
    found = {token.token.strip(): token.logprob for token in (first.top_logprobs or [])} if first else {}
    if not set(options) <= set(found):
        return {"risk_score": None}
    weights = {option: math.exp(found[option]) for option in options}
    shares = {option: weight / sum(weights.values()) for option, weight in weights.items()}
    return {"option_probs": shares, "risk_score": shares[options[-1]]}
