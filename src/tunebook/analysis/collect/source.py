"""The facts that an analysis is given: plan, site settings, jobs, and the tools that read the jobs' results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tunebook.artifacts.times import elapsed_s
from tunebook.core.jobs import Job, JobState, Stage
from tunebook.core.plan import Plan
from tunebook.core.site import Site
from tunebook.errors import PlanError
from tunebook.slurm.accounting import SlurmUse
from tunebook.tools.base import Tool
from tunebook.tools.registry import installed_tools, tool_names
from tunebook.tools.results import EvaluationResults, TrainingResults

__all__ = ["NO_JOB", "JobFacts", "Source", "source_of"]


@dataclass(frozen=True)
class JobFacts:
    """What is known of a job, as ``status`` reports it.

    Attributes:
        state: as judged from ledger, outcome and inputs.
        started: ISO 8601; ``ended`` too; empty if unknown.
        output: absolute path of the file with the job's output.
        attempts: how many times it was submitted.
    """

    job: Job
    state: JobState
    reason: str = ""
    job_id: str = ""
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
"""The facts of a job that was not scaffolded here: nothing is known of it."""


@dataclass(frozen=True)
class Source:
    """Where an analysis takes its facts from.

    Attributes:
        jobs: what is known of every scaffolded job; empty for an experiment that was not scaffolded here.
        use_cache: whether to remember what was read of unchanged logs.
    """

    experiment: Path
    plan: Plan
    site: Site
    training_results: TrainingResults
    evaluation_results: EvaluationResults
    jobs: tuple[JobFacts, ...] = ()
    use_cache: bool = True


def source_of(
    experiment: Path, plan: Plan, site: Site, *, jobs: tuple[JobFacts, ...] = (), use_cache: bool = True
) -> Source:
    """Finds the plan's tools and makes the source of an analysis.

    Raises:
        PlanError: the plan names a tool that is not installed here.
    """
    tools = installed_tools()
    training_results = TrainingResults()
    if plan.fine_tuned:
        training = _tool(tools, plan, Stage.PREPARATION).results
        training_results = training if isinstance(training, TrainingResults) else training_results
    evaluation_results = _tool(tools, plan, Stage.EVALUATION).results
    assert isinstance(evaluation_results, EvaluationResults)  # noqa: S101
    return Source(experiment, plan, site, training_results, evaluation_results, jobs, use_cache)


def _tool(tools: tuple[Tool, ...], plan: Plan, stage: Stage) -> Tool:
    name, line = plan.tools.preparation, plan.tools.line
    if stage is Stage.EVALUATION:
        name, line = plan.tools.evaluation, plan.tools.evaluation_line
    found = [tool for tool in tools if tool.stage is stage and tool.name == name.lower()]
    if not found:
        hint = f"install its package, or name one of these: {', '.join(tool_names(tools, stage))}"
        raise PlanError(f"the {stage.value} tool `{name}` is not installed", file=plan.file, line=line, hint=hint)
    return found[0]
