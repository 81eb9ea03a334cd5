"""A task as the other project has them: data_path is required, and the prompts come from the file config_path.

Two lines were added for tunebook's report: the scorer is named here, and each sample has the groups in its metadata.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import yaml
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import TaskState, chain, generate, system_message

OPTION_TOKENS = ("0", "1")


@task
def income(data_path: str, config_path: str = "", split: str = "test", max_tokens: int = 2) -> Task:
    """The risk of a high income, from the log-probabilities of the first token of the answer."""
    config = yaml.safe_load(Path(config_path).read_text(encoding="utf-8")) if config_path else {}
    template, system = config.get("prompt", "{input}"), config.get("system_prompt", "")

    def sample(record: Mapping[str, str]) -> Sample:
        return Sample(
            input=template.format(input=record["input"]),
            target=record["output"],
            metadata={name: record[name] for name in ("sex", "age_group")},
        )

    records = json.loads(Path(data_path).read_text(encoding="utf-8"))[split]
    return Task(
        dataset=MemoryDataset([sample(record) for record in records]),
        solver=chain(system_message(system), generate(max_tokens=max_tokens)),
        scorer=risk_scorer(),
        config=GenerateConfig(logprobs=True, top_logprobs=20),
    )


@scorer(metrics=[accuracy(), stderr()])
def risk_scorer() -> Scorer:
    """Right or wrong, with the probability of the last option in the metadata."""

    async def score(state: TaskState, target: Target) -> Score:
        answer = state.output.completion.strip()
        logprobs = state.output.choices[0].logprobs if state.output.choices else None
        top = (logprobs.content[0].top_logprobs if logprobs and logprobs.content else None) or []
        found = {token.token.strip(): math.exp(token.logprob) for token in top}
        total = sum(found.get(token, 0.0) for token in OPTION_TOKENS)
        is_usable = all(token in found for token in OPTION_TOKENS)
        probabilities = {token: found[token] / total for token in OPTION_TOKENS} if is_usable else None
        return Score(
            value=CORRECT if answer == target.text else INCORRECT,
            answer=answer,
            metadata={
                "option_probs": probabilities,
                "risk_score": probabilities[OPTION_TOKENS[-1]] if probabilities else None,
                "target": target.text,
            },
        )

    return score
