"""Experiments made up for recomputation: a real plan, and logs that are values in memory instead of files of a tool.

Everything between a log's samples and the written tables is tunebook's own: :func:`analyzed` collects, analyzes and
writes, and returns the tables as another program would read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from support.plans import parse_plan
from support.recomputation import SampleValues
from tunebook.analysis.analyze import analyze_experiment
from tunebook.analysis.collect.source import Source
from tunebook.analysis.data_files import write_csv, write_parquet
from tunebook.analysis.frames import FRAMES
from tunebook.analysis.values import Analysis
from tunebook.core.naming import run_directories
from tunebook.core.plan import EvaluationTask
from tunebook.core.site import Site
from tunebook.tools.results import (
    EvaluationResults,
    LogHeader,
    LogReadings,
    LogSubject,
    Samples,
    TrainingResults,
)

__all__ = ["MadeExperiment", "MadeRun", "MadeTask", "Written", "analyzed", "samples_of"]

_TOOL = "inspect-ai"
_DATA = """
### Dataset
- **Path:** `words.json`
- **Splits:** train (240), validation (30), test (30)
"""
_CONFIGURATION = """
## Configuration
- **Recipe:** `lora_finetune_single_device`
- **GPUs:** 0
- **Epochs:** {epochs}
- **Batch size:** 4
- **Learning Rate:** 1e-4
- **LoRA Rank:** 8
"""

Logs = Mapping[tuple[str, str, int], Samples]
"""Run, task and epoch to the samples of its log; the epoch of a base model is -1."""


@dataclass(frozen=True)
class MadeRun:
    """A fine-tuned run with its cells by column."""

    name: str
    cells: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    model: str = "tiny"


@dataclass(frozen=True)
class MadeTask:
    """An evaluation task; ``measure`` and ``direction`` are cells of its row."""

    name: str = "cap"
    measure: str = "-"
    direction: str = "-"


@dataclass(frozen=True)
class MadeExperiment:
    """An experiment to be analyzed; every model has a base model's run called ``MODEL_base``.

    Attributes:
        logs: those of the evaluations that have one.
        hypotheses: items of the plan's section of this name.
    """

    runs: Sequence[MadeRun]
    logs: Logs
    tasks: Sequence[MadeTask] = (MadeTask(),)
    epochs: int = 1
    hypotheses: Sequence[str] = ()

    def text(self) -> str:
        """The plan."""
        models = dict.fromkeys(run.model for run in self.runs)
        columns = list(dict.fromkeys(column for run in self.runs for column in run.cells))
        rows = [["Run Name", "Model", *columns, "Type"], ["---"] * (len(columns) + 3)]
        for run in self.runs:
            cells = [run.cells.get(column, "-") for column in columns]
            rows += [[run.name, run.model, *cells, "Fine-tuned"]]
        rows += [[f"{model}_base", model, *("-" for _ in columns), "Control"] for model in models]
        tasks = [["Task Name", "Script", "Dataset", "Description", "Measure", "Direction"], ["---"] * 6]
        tasks += [[task.name, "`t.py`", "`words.json`", "made up", task.measure, task.direction] for task in self.tasks]
        parts = [
            "# Experiment: made up\n\n## Overview\n- **Type:** sweep\n- **Scientific Question:** Does it help?\n",
            _hypotheses(self.hypotheses),
            f"\n## All Runs\n{_table(rows)}\n## Resources\n\n### Models\n",
            "".join(f"- {model}: `models/{model}`\n" for model in models),
            f"{_DATA}\n### Evaluation Tasks\n{_table(tasks)}",
            "\n## Evaluation Plan\n- **Epochs to evaluate:** all\n",
            _CONFIGURATION.format(epochs=self.epochs),
        ]
        return "".join(parts)


def _hypotheses(items: Sequence[str]) -> str:
    if not items:
        return ""
    return "\n## Hypotheses\n" + "".join(f"- {item}\n" for item in items)


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "".join("| " + " | ".join(cells) + " |\n" for cells in rows)


def samples_of(
    values: Mapping[str, Sequence[float | None]] | Sequence[float | None],
    *,
    ids: Sequence[str] | None = None,
    repeats: int = 1,
    **columns: Any,
) -> Samples:
    """The samples of one log.

    Args:
        values: of the measure ``exactly``, or of each measure.
        ids: one for each sample; 0, 1, 2, … by default. Each has ``repeats`` values in turn.
        columns: further columns of ``Samples``.
    """
    measures = dict(values) if isinstance(values, Mapping) else {"exactly": values}
    count = len(next(iter(measures.values())))
    names = list(ids) if ids is not None else [f"{number:04d}" for number in range(count // repeats)]
    every = tuple(name for name in names for _ in range(repeats))
    texts = {"prompts": every, "targets": every, "answers": every, "errors": ("",) * count}
    return Samples(
        ids=every,
        repeats=tuple(range(1, repeats + 1)) * len(names),
        values={measure: tuple(own) for measure, own in measures.items()},
        **(texts | columns),
    )


@dataclass
class _Memory(EvaluationResults):
    """Logs in memory: files of no content whose names say which they are."""

    logs: Mapping[Path, tuple[LogHeader, Samples]]
    package: str = "inspect-ai"
    viewer = None

    def log_files(self, run_directory: Path) -> Sequence[Path]:
        return sorted(run_directory.glob("*.made"))

    def read_headers(self, logs: Sequence[Path]) -> LogReadings[LogHeader]:
        return LogReadings({path: self.logs[path][0] for path in logs})

    def read_samples(self, logs: Sequence[Path]) -> LogReadings[Samples]:
        return LogReadings({path: self.logs[path][1] for path in logs})

    def subject_of(self, log: LogHeader, tasks: Sequence[EvaluationTask]) -> LogSubject:
        assert log.task in {task.name for task in tasks}
        epoch = int(log.model)
        return LogSubject(log.task, epoch if epoch >= 0 else None)


@dataclass(frozen=True)
class Written:
    """The tables as another program reads them, and every sentence of the report."""

    analysis: Analysis
    tables: Mapping[str, Any]

    @cached_property
    def scored(self) -> SampleValues:
        """The values of the table of samples."""
        return SampleValues(self.tables["samples"])

    def __getitem__(self, name: str) -> Any:
        return self.tables[name]

    def sentences(self, *kinds: str) -> list[str]:
        """The findings of these kinds."""
        return [item.text for item in self.analysis.findings if item.kind in kinds]

    def sentence(self, kind: str, *parts: str) -> str:
        """The one finding of a kind that has these parts."""
        found = [text for text in self.sentences(kind) if all(part in text for part in parts)]
        assert len(found) == 1, (parts, found, self.sentences(kind))
        return found[0]


def analyzed(directory: Path, made: MadeExperiment) -> Written:
    """Analyzes an experiment in an empty directory, writes its tables, and reads them again."""
    text = made.text()
    (directory / "experiment_summary.md").write_text(text)
    parsed = parse_plan(text)
    assert parsed.problems == (), parsed.problems
    directories = run_directories(parsed.plan)
    logs: dict[Path, tuple[LogHeader, Samples]] = {}
    for (run, task, epoch), samples in made.logs.items():
        path = directory / directories[run] / f"{task}_{epoch}.made"
        path.parent.mkdir(exist_ok=True)
        path.touch()
        count = len(set(samples.ids))
        created = "2026-01-01T10:00:00+00:00"
        header = LogHeader("success", created, str(epoch), task, samples=count, completed=count)
        logs[path] = (header, samples)
    source = Source(directory, parsed.plan, Site(), TrainingResults(), {_TOOL: _Memory(logs)}, use_cache=False)
    analysis = analyze_experiment(source)
    return Written(analysis, _tables(directory / "analysis", analysis))


def _tables(folder: Path, analysis: Analysis) -> dict[str, Any]:
    import pandas as pd

    tables = {}
    for name, frame_of in FRAMES.items():
        frame = frame_of(analysis)
        if name == "samples":
            write_parquet(folder / "samples.parquet", frame, within=folder)
            tables[name] = pd.read_parquet(folder / "samples.parquet")
        else:
            write_csv(folder / f"{name}.csv", frame, within=folder)
            tables[name] = pd.read_csv(folder / f"{name}.csv", dtype={"epoch": "Int64"})
    return tables
