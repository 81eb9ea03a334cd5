"""The demo's plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tunebook.core.parameters import ParameterTable, Written
from tunebook.core.paths import PLAN_FILE
from tunebook.core.plan import (
    Dataset,
    Estimates,
    EvaluationTask,
    Factor,
    MatrixEntry,
    Model,
    Plan,
    PlanDetails,
    Run,
    RunType,
    Tools,
    write_plan,
)
from tunebook.demo.data import SPLITS
from tunebook.demo.model import MODEL
from tunebook.errors import UsageError

__all__ = ["DemoPlan"]

_TASK = "capitalization"
_TRAINING_MIN = 4.0
_EVALUATION_MIN = 1.0
_CONFIGURATION = {
    "recipe": "lora_finetune_single_device",
    "gpus": "0",
    "epochs": "1",
    "batch_size": "8",
    "packed": "no",
    "lora_alpha": "2 × rank",
    "system_prompt": "",
    "prompt": "Capitalize the given word: {input}",
    "run_val_every_n_steps": "no",
    "seed": "14",
    "eval_seed": "14",
    "eval_max_tokens": "12",
}


@dataclass(frozen=True)
class DemoPlan:
    """The values of the demo's plan.

    Attributes:
        created: its date and time as text.
        scripts: evaluation tool to the Script of its task, where that is not the file ``task``.
    """

    name: str
    directory: Path
    model: Path
    dataset: Path
    task: Path
    created: str
    parameters: ParameterTable
    tools: Tools = Tools(assumed=False)  # noqa: RUF009  a frozen value
    scripts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ranks: Sequence[int] = (4, 16)
    learning_rate: str = "3e-4"

    def text(self) -> str:
        """The whole ``experiment_summary.md``.

        Raises:
            UsageError: a name or path holds a character that cannot be quoted in Markdown.
        """
        for value in (self.name, *map(str, (self.directory, self.model, self.dataset, self.task))):
            if any(character in "`|\n\r" for character in value):
                raise UsageError(f"{value!r} cannot be written in a plan: it holds a backtick, a bar or a line break")
        details = PlanDetails(
            design=f"LoRA rank, {len(self.ranks)} levels, and the base model as control",
            created=self.created,
            directory=str(self.directory),
            training=(("Basis", "two CPU cores"),),
            matrix_notes=MappingProxyType({f"{MODEL}_base": "Base model, once"}),
        )
        return write_plan(self._plan(), details)

    def _plan(self) -> Plan:
        question = f"Does a 135M model learn to capitalize a word from {SPLITS['train']} examples, "
        runs = (*(self._run(rank) for rank in self.ranks), Run(f"{MODEL}_base", MODEL, RunType.CONTROL, 0))
        return Plan(
            name=self.name,
            file=PLAN_FILE,
            parameters=self.parameters,
            question=f"{question}and does the LoRA rank matter?",
            tools=self.tools,
            factors=(Factor("LoRA Rank", tuple(map(str, self.ranks)), 0),),
            runs=runs,
            columns=("lora_rank", "lr"),
            models=(Model(MODEL, str(self.model), 0),),
            dataset=Dataset(str(self.dataset), 0, splits=MappingProxyType(dict(SPLITS))),
            tasks=self._tasks(),
            matrix=tuple(
                MatrixEntry(run.name, task.name, 0, (0,) if run.parameters else None)
                for run in runs
                for task in self._tasks()
            ),
            configuration=self._written(_CONFIGURATION),
            estimates=Estimates(MappingProxyType({MODEL: _TRAINING_MIN}), _EVALUATION_MIN),
        )

    def _tasks(self) -> tuple[EvaluationTask, ...]:
        """The same question for each evaluation tool."""
        tasks: list[EvaluationTask] = []
        several = len(self.tools.evaluation) > 1
        for tool in self.tools.evaluation:
            task = EvaluationTask(
                name=f"{_TASK}_{tool}" if several else _TASK,
                script=self.scripts.get(tool) or str(self.task),
                dataset=str(self.dataset),
                description="Exact match on the capitalized word",
                tool=tool if several else "",
            )
            tasks.append(task)
        return tuple(tasks)

    def _run(self, rank: int) -> Run:
        parameters = self._written({"lora_rank": str(rank), "lr": self.learning_rate})
        name = f"{MODEL}_rank{rank}"
        return Run(name, MODEL, RunType.FINE_TUNED, 0, parameters, estimate_min=_TRAINING_MIN)

    def _written(self, texts: Mapping[str, str]) -> Mapping[str, Written]:
        values: dict[str, Written] = {}
        for key, text in texts.items():
            parameter = self.parameters.get(key)
            if parameter is not None:  # a recipe is torchtune's own
                values[key] = Written(parameter.convert(text), text)
        return MappingProxyType(values)
