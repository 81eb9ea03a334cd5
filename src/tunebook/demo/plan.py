"""The demo's plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tunebook.core.hypotheses import Hypothesis
from tunebook.core.hypothesis_grammar import parse_hypothesis
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
_FACTORS = ("lora_rank", "lr")
_TRAINING_MIN = 1.0
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
        splits: the data set's splits and how many records they have.
        ranks: each is trained with each of ``learning_rates``.
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
    splits: Mapping[str, int] = field(default_factory=lambda: SPLITS)
    ranks: Sequence[int] = (4, 16)
    learning_rates: Sequence[str] = ("3e-4",)

    def text(self) -> str:
        """The whole ``experiment_summary.md``.

        Raises:
            UsageError: a name or path holds a character that cannot be quoted in Markdown.
        """
        for value in (self.name, *map(str, (self.directory, self.model, self.dataset, self.task))):
            if any(character in "`|\n\r" for character in value):
                raise UsageError(f"{value!r} cannot be written in a plan: it holds a backtick, a bar or a line break")
        details = PlanDetails(
            design=self._design(),
            created=self.created,
            directory=str(self.directory),
            training=(("Basis", "two CPU cores"),),
            matrix_notes=MappingProxyType({f"{MODEL}_base": "Base model, once"}),
        )
        return write_plan(self._plan(), details)

    def _plan(self) -> Plan:
        trained = (self._run(rank, rate) for rank in self.ranks for rate in self.learning_rates)
        runs = (*trained, Run(f"{MODEL}_base", MODEL, RunType.CONTROL, 0))
        return Plan(
            name=self.name,
            file=PLAN_FILE,
            parameters=self.parameters,
            question=self._question(),
            hypotheses=tuple(self._hypotheses()),
            tools=self.tools,
            factors=self._factors(),
            runs=runs,
            columns=_FACTORS,
            models=(Model(MODEL, str(self.model), 0),),
            dataset=Dataset(str(self.dataset), 0, splits=MappingProxyType(dict(self.splits))),
            tasks=self._tasks(),
            matrix=tuple(
                MatrixEntry(run.name, task.name, 0, (0,) if run.parameters else None)
                for run in runs
                for task in self._tasks()
            ),
            configuration=self._written(_CONFIGURATION),
            estimates=Estimates(MappingProxyType({MODEL: _TRAINING_MIN}), _EVALUATION_MIN),
        )

    def _question(self) -> str:
        """The question that the runs can answer."""
        head = f"How well does a 135M model learn to capitalize a word from {self.splits['train']} examples"
        if len(self.learning_rates) == 1:
            return f"{head}, and does the LoRA rank matter?"
        return f"{head}: does a higher LoRA rank help, or does a higher learning rate do the same?"

    def _hypotheses(self) -> Iterator[Hypothesis]:
        """One contrast per factor and task of a plan that varies both: the highest level against the lowest."""
        if len(self.learning_rates) == 1:
            return
        tasks = self._tasks()
        for number, (key, factor) in enumerate(zip(_FACTORS, self._factors(), strict=True), 1):
            low, high = factor.levels[0], factor.levels[-1]
            if low == high:
                continue
            words = f"from few examples, a higher {factor.name} helps"
            for task in tasks:
                name = f"H{number}" if len(tasks) == 1 else f"H{number} {task.name}"
                contrast = f"{key} = {high} better than {key} = {low} on `{task.name}`"
                yield parse_hypothesis(f"**{name}:** {contrast} — {words}")

    def _factors(self) -> tuple[Factor, ...]:
        ranks = Factor("LoRA Rank", tuple(map(str, self.ranks)), 0)
        rates = Factor("Learning Rate", tuple(self.learning_rates), 0)
        return (ranks,) if len(rates.levels) == 1 else (ranks, rates)

    def _design(self) -> str:
        """The design in words, for the plan's reader."""
        varied = [f"{factor.name}, {len(factor.levels)} levels" for factor in self._factors()]
        return f"{' × '.join(varied)}, and the base model as control"

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

    def _run(self, rank: int, rate: str) -> Run:
        parameters = self._written({"lora_rank": str(rank), "lr": rate})
        name = f"{MODEL}_rank{rank}"
        if len(self.learning_rates) > 1:
            name += f"_lr{rate}"
        return Run(name, MODEL, RunType.FINE_TUNED, 0, parameters, estimate_min=_TRAINING_MIN)

    def _written(self, texts: Mapping[str, str]) -> Mapping[str, Written]:
        values: dict[str, Written] = {}
        for key, text in texts.items():
            parameter = self.parameters.get(key)
            if parameter is not None:  # a recipe is torchtune's own
                values[key] = Written(parameter.convert(text), text)
        return MappingProxyType(values)
