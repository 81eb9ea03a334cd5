"""A task as the other project has them: data_path is required, and the prompts come from the file config_path."""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import match
from inspect_ai.solver import chain, generate, system_message


@task
def capitalization(
    data_path: str, config_path: str = "", split: str = "test", max_tokens: int = 12, vis_label: str = ""
) -> Task:
    """Exactly the capitalized word."""
    config = yaml.safe_load(Path(config_path).read_text(encoding="utf-8")) if config_path else {}
    template, system = config.get("prompt", "{input}"), config.get("system_prompt", "")

    def sample(record: Mapping[str, str]) -> Sample:
        return Sample(input=template.format(input=record["input"]), target=record["output"])

    records = json.loads(Path(data_path).read_text(encoding="utf-8"))[split]
    return Task(
        name=f"capitalization_{vis_label}" if vis_label else "capitalization",
        dataset=MemoryDataset([sample(record) for record in records]),
        solver=chain(system_message(system), generate(max_tokens=max_tokens)),
        scorer=match(location="exact", ignore_case=False),
    )
