"""Trainings of a tiny model in the test's own process: from a plan to the recipe's configuration, and through it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.scaffolding import scaffolded
from support.tiny_model import MODEL, build_tiny_model
from tunebook.demo.data import task_source
from tunebook.demo.plan import DemoPlan
from tunebook.errors import ExitCode
from tunebook.tools.parameters import installed_parameters

__all__ = ["FULL", "Trained", "configuration", "experiment_with", "train"]

_WORDS = ("house", "table", "water", "stone", "cloud", "a", "extraordinary", "be", "mountains", "sky", "tree")
FULL = (
    ("lora_finetune_single_device", "full_finetune_single_device"),
    ("- **LoRA Alpha:** 2 × rank\n", ""),
    ("| LoRA Rank | 4, 16 |", "| Seed | 4, 16 |"),
    ("| Run Name | Model | LoRA Rank | Learning Rate |", "| Run Name | Model | Seed | Learning Rate |"),
    ("- **Seed:** 14\n", ""),
)
"""Edits that make both runs train all weights, with the seeds 4 and 16."""


@dataclass(frozen=True)
class Trained:
    """A recipe after its training, and the lines of its metrics."""

    session: Any
    metrics: list[dict[str, Any]]

    def logged(self, key: str) -> list[float]:
        """The values of one key, step by step."""
        return [entry[key] for entry in self.metrics if key in entry]


def experiment_with(directory: Path, *edits: tuple[str, str], examples: int = 40, model: Path | None = None) -> Path:
    """The demo's plan with two epochs and the tiny model, edited.

    Args:
        model: another model than the tiny one.
    """
    model = model or build_tiny_model(directory / MODEL)
    experiment = directory / "experiment"
    experiment.mkdir()
    words = [{"input": word, "output": word.capitalize()} for word in _WORDS * 4]
    data = {"train": words[:examples], "validation": words[:7], "test": words[:5]}
    (experiment / "words.json").write_text(json.dumps(data))
    (experiment / "cap_task.py").write_text(task_source())
    plan = DemoPlan(
        name="experiment",
        directory=experiment,
        model=model,
        dataset=experiment / "words.json",
        task=experiment / "cap_task.py",
        created="2026-01-01",
        parameters=installed_parameters(),
        splits={split: len(records) for split, records in data.items()},
    )
    changes = (
        ("**Epochs:** 1", "**Epochs:** 2"),
        ("✓ epoch 0", "✓ epoch 1"),
        *edits,
    )
    text = plan.text()
    for old, new in changes:
        assert old in text, f"the plan has no {old!r}"
        text = text.replace(old, new)
    (experiment / "experiment_summary.md").write_text(text)
    return experiment


def configuration(directory: Path, *bullets: str, edits: tuple[tuple[str, str], ...] = (), **options: Any) -> Any:
    """The recipe's configuration of the plan's first run.

    Args:
        bullets: settings that are added to the plan, such as ``Precision: bf16``; ``Batch Size`` replaces the plan's.
    """
    changes = list(edits)
    for bullet in bullets:
        name, value = bullet.split(": ")
        if name == "Batch Size":
            changes.append(("- **Batch Size:** 8", f"- **Batch Size:** {value}"))
        elif name == "Seed":
            changes.append(("- **Seed:** 14", f"- **Seed:** {value}"))
        else:
            changes.append(("- **GPUs:** 0", f"- **GPUs:** 0\n- **{name}:** {value}"))
    from omegaconf import OmegaConf

    report = scaffolded(experiment_with(directory, *changes, **options))
    assert report.exit_code is ExitCode.DONE, [str(error) for error in report.errors]
    return OmegaConf.load(directory / "experiment" / report.parts[0].runs[0] / "finetune.yaml")


def train(config: Any, recipe: type[Any] | None = None) -> Trained:
    """Trains in this process, with tunebook's recipe unless another one is given."""
    from tunebook.tools.runtime.torchtune_recipe import recipe_class

    session = (recipe or recipe_class(config.stock_recipe))(cfg=config)
    session.setup(cfg=config)
    session.train()
    session.cleanup()
    lines = (Path(config.output_dir) / "metrics.jsonl").read_text().splitlines()
    return Trained(session, [json.loads(line) for line in lines])
