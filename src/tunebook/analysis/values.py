"""What is known of an experiment once it is analyzed, as one frozen value, ``Analysis``; every report is made from it.

Series are columns (tuples of equal length), so that a thousand runs stay small. Scores are fractions or numbers as the
scorer gives them, never percent. Texts are as they were logged: whoever renders them escapes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tunebook.analysis.collect.records import EvaluationKey, EvaluationRecord, RunRecord, Score
from tunebook.analysis.inference import Comparison, CostPoint, Effect, Replicates
from tunebook.tools.results import LogViewer, Samples

__all__ = [
    "Analysis",
    "Case",
    "Deviation",
    "FactorUse",
    "Finding",
    "Gap",
    "Provenance",
    "TaskUse",
]


@dataclass(frozen=True)
class FactorUse:
    """A parameter that was varied over the fine-tuned runs.

    Attributes:
        key: the parameter's key, such as ``lora_rank``.
        label: its column on the page, such as ``LoRA Rank``.
        levels: its values as the page writes them, sorted as numbers where they are numbers.
        is_seed: whether its levels are repetitions and not treatments.
    """

    key: str
    label: str
    levels: tuple[str, ...]
    is_seed: bool = False


@dataclass(frozen=True)
class TaskUse:
    """An evaluation task; ``measures`` are what its scorers say of a sample, the headline one first."""

    name: str
    description: str = ""
    measures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A sample and what runs made of it, for the sections that show samples.

    Attributes:
        kind: ``all wrong``, ``fixed`` (base wrong, run right) or ``broken`` (base right, run wrong).
        runs: the runs that it is true of.
        answers: run name to its answer, of the base model too.
    """

    kind: str
    task: str
    measure: str
    sample: str
    prompt: str
    target: str
    runs: tuple[str, ...]
    answers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Gap:
    """Something that is not there; ``hint`` is what to do about it.

    Attributes:
        planned: whether the page has it; a control run that no row asks for is missed, but leaves nothing unfinished.
    """

    subject: str
    what: str
    hint: str = ""
    planned: bool = True


@dataclass(frozen=True)
class Deviation:
    """Something that went otherwise than the page says: ``retry``, ``setting``, ``edited``, ``log``, ``diverged``."""

    kind: str
    subject: str
    what: str


@dataclass(frozen=True)
class Finding:
    """A sentence that the numbers bear out.

    Attributes:
        kind: ``base``, ``best``, ``effect``, ``interaction``, ``seeds``, ``cost``, ``epochs``, ``training``,
            ``samples`` or ``caution``.
        text: plain text, with its numbers.
        significant: whether the test behind it passed after correction; ``None`` where there is no test.
        task: which task it is about; empty for all.
    """

    kind: str
    text: str
    significant: bool | None = None
    task: str = ""


@dataclass(frozen=True)
class Provenance:
    """Where the numbers come from.

    Attributes:
        page_sha256: of ``experiment_summary.md`` without its status tables.
        first: ISO 8601 of the first job's start, empty if unknown; ``last`` of the last job's end.
        versions: of what made the logs and of what analyzed them, by package.
        commits: git commits that the logs name.
    """

    page_sha256: str
    first: str = ""
    last: str = ""
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    commits: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    models: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    dataset: str = ""


@dataclass(frozen=True)
class Analysis:
    """Everything that a report shows.

    Attributes:
        experiment: absolute path of the experiment's directory.
        factors: what was varied; seeds last.
        runs: in the page's order.
        evaluations: in the matrix's order, those without a log too.
        samples: the samples of each evaluation that has a log that counts.
        comparisons: of each run with its base model and with the best run, on the same samples.
        level: of every interval, and one minus the level of significance.
        viewer: the program that shows the evaluations' logs, if there is one.
        balanced: whether the fine-tuned runs are a full factorial with the same number of runs in each cell.
    """

    experiment: str
    name: str
    question: str
    created: str
    type: str
    factors: tuple[FactorUse, ...]
    tasks: tuple[TaskUse, ...]
    runs: tuple[RunRecord, ...]
    evaluations: tuple[EvaluationRecord, ...]
    samples: Mapping[EvaluationKey, Samples]
    comparisons: tuple[Comparison, ...]
    effects: tuple[Effect, ...]
    replicates: tuple[Replicates, ...]
    costs: tuple[CostPoint, ...]
    cases: tuple[Case, ...]
    findings: tuple[Finding, ...]
    next_steps: tuple[str, ...]
    gaps: tuple[Gap, ...]
    deviations: tuple[Deviation, ...]
    provenance: Provenance
    level: float = 0.95
    balanced: bool = False
    viewer: LogViewer | None = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing that was planned is missing."""
        return not any(gap.planned for gap in self.gaps)

    def run(self, name: str) -> RunRecord:
        """The run of this name.

        Raises:
            KeyError: there is none.
        """
        return {run.name: run for run in self.runs}[name]

    def scores(self, task: str, measure: str = "") -> tuple[Score, ...]:
        """The scores of a task for one of its measures (its headline one if none is named), in the runs' order."""
        use = next((use for use in self.tasks if use.name == task), None)
        wanted = measure or (use.measures[0] if use and use.measures else "")
        found = (score for evaluation in self.evaluations if evaluation.key.task == task for score in evaluation.scores)
        return tuple(score for score in found if score.measure == wanted)
