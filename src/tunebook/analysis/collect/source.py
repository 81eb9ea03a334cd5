"""The facts that an analysis is given, and those that it collects from them, before any statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tunebook.analysis.collect.read_logs import EvaluationLog, UnreadableLog
from tunebook.analysis.records import EvaluationKey, EvaluationRecord, FactorUse, RunRecord, TaskUse
from tunebook.artifacts.times import elapsed_s
from tunebook.core.jobs import Job, JobState, Stage
from tunebook.core.plan import Plan
from tunebook.core.site import Site
from tunebook.disk.hypotheses_record import HypothesesVersion
from tunebook.errors import PlanError
from tunebook.slurm.accounting import SlurmUse
from tunebook.tools.registry import Registry, installed_tools
from tunebook.tools.results import EvaluationResults, LogHeader, Samples, TrainingResults

__all__ = ["NO_JOB", "Collected", "JobFacts", "Source", "source_of"]


@dataclass(frozen=True)
class JobFacts:
    """The facts about a job, as ``status`` reports them.

    Attributes:
        state: derived from ledger, outcome and inputs.
        started: ISO 8601; ``ended`` too; empty if unknown.
        output: absolute path of the file with the job's output.
        attempts: how many times it was submitted.
    """

    job: Job
    state: JobState
    reason: str = ""
    started: str = ""
    ended: str = ""
    output: str = ""
    host: str = ""
    attempts: int = 0
    slurm: SlurmUse | None = None

    @property
    def elapsed_s(self) -> float | None:
        """Wall seconds of the latest submission; SLURM's own count comes first."""
        if self.slurm is not None and self.slurm.elapsed_s is not None:
            return self.slurm.elapsed_s
        return elapsed_s(self.started, self.ended)


NO_JOB = JobFacts(Job("", "", Stage.PREPARATION, "", "", "", ""), JobState.UNKNOWN)
"""The facts about a job that was not scaffolded here."""


@dataclass(frozen=True)
class Source:
    """Where an analysis takes its facts from.

    Attributes:
        evaluation_results: evaluation tool, in lower case, to its reader of logs.
        jobs: facts about every scaffolded job; empty for an experiment that was not scaffolded here.
        use_cache: whether to remember the contents of unchanged logs.
        frozen: every version of the plan's hypotheses; empty if tunebook never submitted a job here.
    """

    experiment: Path
    plan: Plan
    site: Site
    training_results: TrainingResults
    evaluation_results: Mapping[str, EvaluationResults]
    jobs: tuple[JobFacts, ...] = ()
    use_cache: bool = True
    frozen: tuple[HypothesesVersion, ...] = ()


def source_of(
    experiment: Path, plan: Plan, site: Site, *, jobs: tuple[JobFacts, ...] = (), use_cache: bool = True
) -> Source:
    """Finds the plan's tools and makes the source of an analysis.

    Raises:
        PlanError: the plan names a tool that is not installed here.
    """
    registry, tools = installed_tools(), plan.tools
    training_results = TrainingResults()
    if plan.fine_tuned:
        preparation = registry.preparation_tool(tools.preparation)
        if preparation is None:
            raise _not_installed(plan, registry, Stage.PREPARATION, tools.preparation, tools.line)
        training_results = preparation.results
    evaluation_results: dict[str, EvaluationResults] = {}
    for name in tools.evaluation:
        evaluation = registry.evaluation_tool(name)
        if evaluation is None:
            raise _not_installed(plan, registry, Stage.EVALUATION, name, tools.evaluation_line)
        evaluation_results[evaluation.name] = evaluation.results
    return Source(experiment, plan, site, training_results, evaluation_results, jobs, use_cache)


def _not_installed(plan: Plan, registry: Registry, stage: Stage, name: str, line: int | None) -> PlanError:
    broken = registry.broken_tool(name)
    message = str(broken) if broken else f"the {stage.value} tool `{name}` is not installed"
    hint = f"install its package, or name one of these: {', '.join(registry.names(stage))}"
    return PlanError(message, file=plan.file, line=line, hint=hint)


@dataclass(frozen=True, kw_only=True)
class Collected:
    """An experiment's facts.

    Attributes:
        evaluations: in the matrix's order, those without a log too; not scored yet.
        samples: of each evaluation that has a log that counts; ``headers`` too.
        strays: logs in a run's directory that belong to no planned evaluation.
    """

    factors: tuple[FactorUse, ...]
    tasks: tuple[TaskUse, ...]
    runs: tuple[RunRecord, ...]
    evaluations: tuple[EvaluationRecord, ...]
    samples: Mapping[EvaluationKey, Samples]
    headers: Mapping[EvaluationKey, LogHeader]
    unreadable: tuple[UnreadableLog, ...]
    strays: tuple[EvaluationLog, ...]

    @property
    def directories(self) -> dict[str, str]:
        """Run name to the name of its directory."""
        return {run.name: run.directory for run in self.runs}

    def shown(self, evaluation: EvaluationKey) -> str:
        """Names an evaluation: ``rank8_lr1e-5, capitalization, epoch 0``."""
        name = f"{self.directories[evaluation.run]}, {evaluation.task}"
        return name if evaluation.epoch < 0 else f"{name}, epoch {evaluation.epoch}"
