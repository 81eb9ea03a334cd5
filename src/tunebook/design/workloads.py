"""The work of a plan's jobs, and the time, memory and disk that it takes: the plan and what was found, as numbers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tunebook.core.parameters import Value
from tunebook.core.paths import output_directory
from tunebook.core.plan import EvaluationTask, Plan, Run
from tunebook.core.plan.settings import effective, evaluations, trains_adapters
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
from tunebook.tools.base import Context
from tunebook.tools.plan_inputs import planned_precision
from tunebook.tools.registry import installed_tools

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
        self.around = around
        self.gpus = _number(plan.value("gpus"), 1)
        registry = installed_tools()
        self._tool = registry.preparation_tool(plan.tools.preparation)
        evaluations = list(map(registry.evaluation_tool, plan.tools.evaluation))
        loads_adapters = all(tool is not None and tool.loads_adapters for tool in evaluations)
        models = {model.path: model.facts for model in around.found.models.values()}
        self._context = Context(plan, around.site, around.experiment, {}, models=models, loads_adapters=loads_adapters)
        self._gpu = ""
        if self.gpus:
            self._gpu = around.site.constraint or around.site.partition

    def training(self, run: Run) -> Estimate:
        """The time of one training."""
        return training_estimate(self.workload(run), self.around.history)

    def workload(self, run: Run) -> Workload:
        """The work of one training."""
        batch = self._effective(run, "batch_size", 1)
        accumulation = self._effective(run, "gradient_accumulation_steps", 1)
        most_steps = self._effective(run, "max_steps_per_epoch", 0)
        length = self._effective(run, "max_seq_len", 0)
        examples, tokens = self._data(run)
        if most_steps:
            examples = min(examples, most_steps * batch * accumulation * max(1, self.gpus))
        if length:
            tokens = min(tokens, length)
        return Workload(
            model=self._model_name(run.model),
            parameters_b=self.model(run.model).parameters_b,
            examples=examples,
            tokens_per_example=tokens,
            epochs=self._effective(run, "epochs", 1),
            batch_size=batch,
            gpus=self.gpus,
            gpu=self._gpu,
            lora=trains_adapters(self.plan, run),
            max_seq_len=length,
            precision=planned_precision(self.plan, self.around.site, run),
        )

    def _effective(self, run: Run, key: str, default: int) -> int:
        return _number(effective(self.plan, run, key), default)

    def model(self, name: str) -> ModelResource:
        """A model as it was found; nothing is known of one that the plan does not list."""
        return self.around.found.models.get(name) or ModelResource(name, None, None)

    def _model_name(self, name: str) -> str:
        """The name of the model's directory, which prior runs have in common."""
        return PurePosixPath(self.model(name).path).name

    def _splits(self, path: Value) -> Mapping[str, int]:
        """The splits of a run's or task's own data set, by default of the plan's."""
        return self.around.found.splits(self._path(path))

    def _path(self, own: Value) -> str:
        common = self.plan.dataset_path
        return str(own or common)

    def are_counted(self, runs: Iterable[Run]) -> bool:
        """Whether the training examples of all these runs were counted."""
        return all(self._splits(effective(self.plan, run, "dataset")).get("train") for run in runs)

    def _data(self, run: Run) -> tuple[int, float]:
        """Training examples, and tokens of one: the bytes of the file and of the prompts, and the chat template."""
        own = effective(self.plan, run, "dataset")
        splits = self._splits(own)
        total = sum(splits.values())
        each = _ASSUMED_EXAMPLE_BYTES
        if total:
            each = file_bytes(self.around.experiment / self._path(own)) / total
        for key in ("prompt", "system_prompt"):
            each += len(str(effective(self.plan, run, key) or "").encode())
        tokens = each / _BYTES_PER_TOKEN + _TEMPLATE_TOKENS
        return splits.get("train") or ASSUMED_EXAMPLES, tokens

    def evaluation(self) -> Estimate | None:
        """The time of the longest evaluation, which the plan gives for all; ``None`` without evaluations."""
        models = {run.name: run.model for run in self.plan.runs}
        tasks = {task.name: task for task in self.plan.tasks}
        found: list[Estimate] = []
        for model, task in dict.fromkeys((models[item.run], item.task) for item in evaluations(self.plan)):
            estimate = evaluation_estimate(
                model=self._model_name(model),
                parameters_b=self.model(model).parameters_b,
                samples=self._samples(tasks[task]),
                max_tokens=_number(self.plan.value("eval_max_tokens"), 0) or None,
                gpus=min(1, self.gpus),
                history=self.around.history,
            )
            found.append(estimate)
        return max(found, key=lambda estimate: estimate.minutes, default=None)

    def _samples(self, task: EvaluationTask) -> int:
        splits = self._splits(task.dataset)
        samples = splits.get("test") or splits.get("validation") or sum(splits.values()) or _ASSUMED_SAMPLES
        return min(samples, _number(self.plan.value("eval_limit"), samples))

    def epochs(self) -> int:
        """The epochs of all runs together, each of which leaves a checkpoint."""
        return sum(self._effective(run, "epochs", 1) for run in self.plan.fine_tuned)

    def checkpoints_bytes(self) -> float:
        """The disk space of all checkpoints."""
        total = 0.0
        for run in self.plan.fine_tuned:
            epochs = self._effective(run, "epochs", 1)
            total += epochs * self._checkpoint_bytes(run)
        return total

    def _checkpoint_bytes(self, run: Run) -> float:
        """The disk space of one checkpoint, as the tool that writes it computes it."""
        of_tool = None
        if self._tool is not None:
            of_tool = self._tool.checkpoint_bytes(self._context, run)
        if of_tool is None:
            return checkpoint_bytes(self.model(run.model).parameters_b, gpus=self.gpus)
        return of_tool

    def free_space(self) -> tuple[Path, int] | None:
        """Where checkpoints go and the bytes that are free there; ``None`` if this cannot be seen from here."""
        base = self.around.site.output_dir_base
        return free_bytes(Path(output_directory(self.around.experiment, self.plan.name, "run", base)))


def _number(value: Value, default: int) -> int:
    return value if isinstance(value, int) else default


def file_bytes(path: Path) -> int:
    """The size of a file, or of the files in a directory; 0 if it is missing."""
    try:
        if path.is_dir():
            return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return 0
