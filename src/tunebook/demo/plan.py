"""The demo's page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tunebook.demo.data import SPLITS
from tunebook.demo.model import MODEL
from tunebook.errors import UsageError

__all__ = ["DemoPlan"]

_EPOCHS = 1
_BATCH_SIZE = 8
_TRAINING_MIN = 4
_EVALUATION_MIN = 1


@dataclass(frozen=True)
class DemoPlan:
    """What the page is made of; ``created`` is its date and time as text."""

    name: str
    directory: Path
    model: Path
    dataset: Path
    task: Path
    created: str
    ranks: Sequence[int] = (4, 16)
    learning_rate: str = "3e-4"

    def text(self) -> str:
        """The whole ``experiment_summary.md``.

        Raises:
            UsageError: a name or path holds what would end its place on a Markdown page.
        """
        for value in (self.name, *map(str, (self.directory, self.model, self.dataset, self.task))):
            if any(character in "`|\n\r" for character in value):
                raise UsageError(f"{value!r} cannot stand in a plan: it holds a backtick, a bar or a line break")
        return "\n".join(
            [*self._head(), *self._runs(), *self._resources(), *self._evaluation(), *self._rest(), *self._status()]
        )

    @property
    def _tuned(self) -> list[str]:
        return [f"{MODEL}_rank{rank}" for rank in self.ranks]

    @property
    def _base(self) -> str:
        return f"{MODEL}_base"

    def _head(self) -> list[str]:
        count = len(self.ranks)
        return [
            f"# Experiment: {self.name}",
            "",
            "## Overview",
            f"- **Type:** LoRA rank, {count} levels, and the base model as control",
            f"- **Total Runs:** {count + 1} ({count} fine-tuned + 1 control)",
            (
                f"- **Scientific Question:** Does a 135M model learn to capitalize a word from {SPLITS['train']} "
                "examples, and does the LoRA rank matter?"
            ),
            f"- **Created:** {self.created}",
            "",
            "## Tools",
            "- **Model Preparation:** torchtune",
            "- **Evaluation:** inspect-ai",
            "",
            "## Variables",
            "| Factor | Levels |",
            "|--------|--------|",
            f"| LoRA Rank | {', '.join(map(str, self.ranks))} |",
            "",
        ]

    def _runs(self) -> list[str]:
        rows = [
            f"| {name} | {MODEL} | {rank} | {self.learning_rate} | Fine-tuned | ~{_TRAINING_MIN} min |"
            for name, rank in zip(self._tuned, self.ranks, strict=True)
        ]
        return [
            "## All Runs",
            "| Run Name | Model | LoRA Rank | Learning Rate | Type | Est. Time |",
            "|----------|-------|-----------|---------------|------|-----------|",
            *rows,
            f"| {self._base} | {MODEL} | - | - | Control | N/A |",
            "",
        ]

    def _resources(self) -> list[str]:
        splits = ", ".join(f"{split} ({count})" for split, count in SPLITS.items())
        return [
            "## Resources",
            "",
            "### Models",
            f"- **Location:** `{self.model.parent}`",
            "- **Models Used:**",
            f"  - {MODEL}: `{self.model}`",
            "",
            "### Dataset",
            f"- **Path:** `{self.dataset}`",
            f"- **Splits:** {splits}",
            "",
            "### Evaluation Tasks",
            "| Task Name | Script | Dataset | Description |",
            "|-----------|--------|---------|-------------|",
            f"| capitalization | `{self.task}` | `{self.dataset}` | Exact match on the capitalized word |",
            "",
        ]

    def _evaluation(self) -> list[str]:
        return [
            "## Evaluation Plan",
            "",
            "### Configuration",
            "- **Epochs to evaluate:** last",
            f"- **Total evaluations:** {len(self.ranks) + 1}",
            "",
            "### Evaluation Matrix",
            "| Run Name | capitalization | Notes |",
            "|----------|----------------|-------|",
            *[f"| {name} | ✓ epoch {_EPOCHS - 1} | |" for name in self._tuned],
            f"| {self._base} | ✓ | Base model, once |",
            "",
        ]

    def _rest(self) -> list[str]:
        count = len(self.ranks)
        return [
            "## Configuration",
            "- **Recipe:** `lora_finetune_single_device`",
            "- **GPUs:** 0",
            f"- **Epochs:** {_EPOCHS}",
            f"- **Batch size:** {_BATCH_SIZE}",
            "- **Dataset packing:** false",
            "- **LoRA alpha:** Auto-set to 2 × rank",
            '- **System prompt:** ""',
            '- **Prompt:** "Capitalize the given word: {input}"',
            "- **Validation during training:** no",
            "- **Seed:** 14",
            "- **Evaluation seed:** 14",
            "- **Evaluation max tokens:** 12",
            "",
            "## Compute Estimates",
            "",
            "### Training",
            f"- **{MODEL}:** ~{_TRAINING_MIN} min per run × {count} runs = {count * _TRAINING_MIN} min",
            "- **Basis:** two CPU cores",
            "",
            "### Evaluation",
            f"- **Per evaluation:** ~{_EVALUATION_MIN} min",
            "",
        ]

    def _status(self) -> list[str]:
        evaluations = [f"| {name} | capitalization | {_EPOCHS - 1} | pending | - | - | - |" for name in self._tuned]
        return [
            "## Status",
            "",
            "### Fine-tuning",
            "| Run Name | Status | Job ID | Started | Completed | Notes |",
            "|----------|--------|--------|---------|-----------|-------|",
            *[f"| {name} | pending | - | - | - | - |" for name in self._tuned],
            "",
            "### Evaluations",
            "| Run Name | Task | Epoch | Status | Job ID | Completed | Notes |",
            "|----------|------|-------|--------|--------|-----------|-------|",
            *evaluations,
            f"| {self._base} | capitalization | - | pending | - | - | Base model |",
            "",
            "## Quick Reference",
            "",
            "**Paths:**",
            f"- Experiment: `{self.directory}`",
            f"- Models: `{self.model.parent}`",
            f"- Dataset: `{self.dataset}`",
            "",
        ]
