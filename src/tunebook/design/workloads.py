"""The work of a plan's jobs, and the time, memory and disk that it takes: the plan and what was found, as numbers."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tunebook.core.paths import output_directory
from tunebook.core.plan import EvaluationTask, Plan, Run
from tunebook.core.plan.settings import effective, evaluations, is_lora
from tunebook.core.site import Site
from tunebook.design.estimate import (
    Estimate,
    Workload,
    checkpoint_bytes,
    evaluation_estimate,
    training_estimate,
)
from tunebook.design.history import History
from tunebook.design.resources import ModelResource, Resources, free_bytes

__all__ = ["ASSUMED_EXAMPLES", "Surroundings", "Workloads", "file_bytes"]

ASSUMED_EXAMPLES = 1000
_ASSUMED_EXAMPLE_BYTES = 1000.0
_ASSUMED_SAMPLES = 100
_TEMPLATE_TOKENS = 24
_BYTES_PER_TOKEN = 4.0


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Everything outside the plan that estimates rest on."""

    site: Site
    experiment: Path
    found: Resources
    history: History


class Workloads:
    """The jobs of one plan in these surroundings."""

    def __init__(self, plan: Plan, around: Surroundings) -> None:
        self.plan = plan
        self._around = around
        gpus = plan.value("gpus")
        self.gpus = gpus if isinstance(gpus, int) else 1
        self._gpu = around.site.constraint or around.site.partition if self.gpus else ""

    def training(self, run: Run) -> Estimate:
        """The time of one training."""
        return training_estimate(self.workload(run), self._around.history)

    def workload(self, run: Run) -> Workload:
        """What a training has to do."""
        batch = max(1, self._number(run, "batch_size"))
        accumulation = max(1, self._number(run, "gradient_accumulation_steps"))
        length, most_steps = self._number(run, "max_seq_len"), self._number(run, "max_steps_per_epoch")
        examples, tokens = self._data(run)
        if most_steps:
            examples = min(examples, most_steps * batch * accumulation * max(1, self.gpus))
        return Workload(
            model=self._model_name(run.model),
            parameters_b=self.parameters_b(run.model),
            examples=examples,
            tokens_per_example=min(tokens, length) if length else tokens,
            epochs=self._number(run, "epochs"),
            batch_size=batch,
            accumulation=accumulation,
            gpus=self.gpus,
            gpu=self._gpu,
            lora=is_lora(str(effective(self.plan, run, "recipe"))),
            max_seq_len=length,
        )

    def _number(self, run: Run, key: str) -> int:
        value = effective(self.plan, run, key)
        return value if isinstance(value, int) else 0

    def model(self, name: str) -> ModelResource | None:
        """What was found of a model."""
        return self._around.found.models.get(name)

    def _model_name(self, name: str) -> str:
        """The name of the model's directory, which prior runs have in common."""
        resource = self.model(name)
        return PurePosixPath(resource.path).name if resource else name

    def parameters_b(self, model: str) -> float | None:
        """Billions of parameters, if known."""
        resource = self.model(model)
        return resource.parameters_b if resource else None

    def _data_path(self, run: Run) -> str:
        common = self.plan.dataset.path if self.plan.dataset else ""
        return str(effective(self.plan, run, "dataset") or common)

    def are_counted(self, runs: Iterable[Run]) -> bool:
        """Whether the training examples of all these runs were counted."""
        return all(self._around.found.splits(self._data_path(run)).get("train") for run in runs)

    def _data(self, run: Run) -> tuple[int, float]:
        """Training examples, and tokens of one: the bytes of the file and of the prompts, and the chat template."""
        path = self._data_path(run)
        splits = self._around.found.splits(path)
        total = sum(splits.values())
        each = file_bytes(self._around.experiment / path) / total if total else _ASSUMED_EXAMPLE_BYTES
        prompts = "".join(str(effective(self.plan, run, key) or "") for key in ("prompt", "system_prompt"))
        tokens = (each + len(prompts.encode())) / _BYTES_PER_TOKEN + _TEMPLATE_TOKENS
        return splits.get("train") or ASSUMED_EXAMPLES, tokens

    def evaluation(self) -> Estimate | None:
        """The time of the longest evaluation, which the plan gives for all; ``None`` without evaluations."""
        models = {run.name: run.model for run in self.plan.runs}
        tasks = {task.name: task for task in self.plan.tasks}
        max_tokens = self.plan.value("eval_max_tokens")
        found: list[Estimate] = []
        for model, task in dict.fromkeys((models[item.run], item.task) for item in evaluations(self.plan)):
            estimate = evaluation_estimate(
                model=self._model_name(model),
                parameters_b=self.parameters_b(model),
                samples=self._samples(tasks[task]),
                max_tokens=max_tokens if isinstance(max_tokens, int) else None,
                gpus=min(1, self.gpus),
                history=self._around.history,
            )
            found.append(estimate)
        return max(found, key=lambda estimate: estimate.minutes, default=None)

    def _samples(self, task: EvaluationTask) -> int:
        path = task.dataset or (self.plan.dataset.path if self.plan.dataset else "")
        splits = self._around.found.splits(path)
        samples = splits.get("test") or splits.get("validation") or sum(splits.values()) or _ASSUMED_SAMPLES
        limit = self.plan.value("eval_limit")
        return min(samples, limit) if isinstance(limit, int) else samples

    def epochs(self) -> int:
        """The epochs of all runs together, each of which leaves a checkpoint."""
        return sum(self._number(run, "epochs") for run in self.plan.fine_tuned)

    def checkpoints_bytes(self) -> float:
        """The disk space of all checkpoints."""
        total = 0.0
        for run in self.plan.fine_tuned:
            epochs = self._number(run, "epochs") or 1
            total += epochs * checkpoint_bytes(self.parameters_b(run.model), gpus=self.gpus)
        return total

    def free_space(self) -> tuple[Path, int] | None:
        """Where checkpoints go and the bytes that are free there; ``None`` if this cannot be seen from here."""
        base = self._around.site.output_dir_base
        return free_bytes(output_directory(self._around.experiment, self.plan.name, "run", base))


def file_bytes(path: Path) -> int:
    """The size of a file, or of the files in a directory; 0 if it is missing."""
    try:
        if path.is_dir():
            return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return 0
