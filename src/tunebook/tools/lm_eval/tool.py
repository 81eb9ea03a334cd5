"""The evaluation tool ``lm-eval``: turns the evaluation matrix into ``eval/{task}_epoch{N}.slurm`` and jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tunebook.core.deep_checks import DeepCheck
from tunebook.core.jobs import Job
from tunebook.core.paths import evaluation_stem
from tunebook.core.plan import Evaluation, EvaluationTask, Plan, Run
from tunebook.core.plan.settings import evaluation_settings, evaluations
from tunebook.core.site import Site
from tunebook.errors import PlanError, Problem
from tunebook.tools.base import Context, Effect, EvaluationTool, FileKind, Findings, Package, PlannedFile, Unit
from tunebook.tools.deep.model_checks import generation_check
from tunebook.tools.evaluated_model import PLAIN_TEXT, dataset_type
from tunebook.tools.evaluation_data import EvaluationData
from tunebook.tools.evaluation_generation import generation_effects
from tunebook.tools.evaluation_job import PlannedEvaluation
from tunebook.tools.job_script import Shell, script_problems
from tunebook.tools.lm_eval.check import inference_warnings, task_findings
from tunebook.tools.lm_eval.deep_checks import prompt_check
from tunebook.tools.lm_eval.parameters import PLAN_PARAMETERS
from tunebook.tools.lm_eval.results import LmEvalResults
from tunebook.tools.lm_eval.tasks import EXACT_MATCH, TASK_FORM, is_benchmark, read_task
from tunebook.tools.model_inputs import whole_model
from tunebook.tools.plan_inputs import dataset_path, model_path
from tunebook.tools.rendered_inputs import first_prompt
from tunebook.tools.runtime.generation import DEFAULT_MAX_TOKENS
from tunebook.tools.runtime.questions import SPLIT
from tunebook.tools.spot_values import QUESTIONS, Questions, SpotScript
from tunebook.tools.task_script import TaskScript
from tunebook.tools.verified_values import values_digest

__all__ = ["LmEvalTool"]

_PACKAGES = ("lm-eval",)
_OF_ALL_TASKS = ("name", "task", "script", "limit", "generation")
_QUESTIONS = "instruct"  # how data are read whose training learns plain texts


class LmEvalTool(EvaluationTool):
    """The evaluation tool ``lm-eval``: EleutherAI's lm-evaluation-harness."""

    name = "lm-eval"
    short = "lm-eval"
    package = Package("lm_eval", "lm-eval", "tunebook[lm-eval]")
    files = (
        FileKind("{task}_epoch{N}.slurm, or {task}_base.slurm for base models", "SLURM script"),
        FileKind("logs/", "a directory per attempt with lm-eval's results and samples"),
    )
    parameters = PLAN_PARAMETERS
    results = LmEvalResults()
    loads_adapters = True
    task_form = TASK_FORM
    exact_match = EXACT_MATCH

    def read_tasks(self, script: Path) -> TaskScript | None:
        """The one task that the Script names."""
        return read_task(script)

    def survey(self, plan: Plan, site: Site, experiment: Path) -> Mapping[str, TaskScript]:  # noqa: ARG002
        """Script to the task that it names."""
        return {task.script: read_task(Path(task.script)) for task in plan.tasks if task.script}

    def check(self, context: Context) -> Findings:
        """Tasks that lm-eval does not have or that contradict their data (errors), data that are missing (warnings)."""
        found = Findings(warnings=tuple(inference_warnings(context.plan)))
        for task in context.plan.tasks:
            found += task_findings(context, task, context.facts[self.name].get(task.script))
        return found

    def first_prompt(self, context: Context, run: Run, task: EvaluationTask) -> str:
        """From the data and the prompts that the task is asked with."""
        if is_benchmark(task):
            return ""
        system_prompt, prompt = EvaluationData(context, run, task).prompts()
        facts = context.datasets.get(task.dataset or dataset_path(context.plan, run))
        model = whole_model(context.models.get(model_path(context.plan, context.site, run)))
        is_plain_text = dataset_type(context, run) == PLAIN_TEXT
        return first_prompt(facts, model, system_prompt=system_prompt, prompt=prompt, is_plain_text=is_plain_text)

    def spot_check(
        self, context: Context, run: Run, evaluation: Evaluation, questions: Questions, folder: Path
    ) -> SpotScript:
        """The evaluation's own script, for the first samples or for a data set of a person's own inputs."""
        item = _of(context, run, evaluation)
        splits = {} if is_benchmark(item.task) else item.source.splits()
        planned = replace(item, questions=questions.at_most(splits.get(SPLIT)))
        variables = {**planned.variables_of_script, "asked": json.dumps(planned.asked_in(folder), ensure_ascii=False)}
        files = {QUESTIONS: _data_of(questions.inputs)} if questions.inputs else {}
        return planned.spot_script(
            planned.planned, variables, folder, body="evaluate_lm_eval", after="answers_lm_eval", files=files
        )

    def runs(self, plan: Plan) -> tuple[Run, ...]:
        """The runs that the matrix evaluates."""
        wanted = {evaluation.run for evaluation in evaluations(plan)}
        return tuple(run for run in plan.runs if run.name in wanted)

    def build(self, context: Context, run: Run) -> Unit:
        """One run's evaluation scripts and their jobs."""
        evaluations = list(_planned(context, run))
        built = [item.built() for item in evaluations]
        files, jobs = tuple(file for file, _ in built), tuple(job for _, job in built)
        values = values_digest(run.name, jobs, [item.variables_of_script for item in evaluations])
        return Unit(run.name, files, jobs, directories=(f"{context.directories[run.name]}/eval/logs",), values=values)

    def deep_checks(self, context: Context, built: Sequence[tuple[Run, Unit]]) -> Sequence[DeepCheck]:
        """The tokens of each model's prompts, and how it generates."""
        checks: list[DeepCheck] = []
        for run, _ in built:
            for item in _planned(context, run):
                checks += item.deep_checks()
        return checks

    def effects(self, context: Context, run: Run, unit: Unit) -> Sequence[Effect]:  # noqa: ARG002
        """How the run's models are loaded, and how they generate."""
        own = f"{DEFAULT_MAX_TOKENS}, or as many as the model reads behind the longest prompt"
        kinds = dict.fromkeys(map(is_benchmark, context.plan.tasks), own)
        if True in kinds:
            kinds[True] = "256 in a benchmark that does not say otherwise"
        return tuple(generation_effects(context, run, longest="; ".join(kinds.values()), source="default"))

    def verify(self, context: Context, run: Run, unit: Unit, read: Callable[[str], str]) -> tuple[Problem, ...]:
        """Reads each script back and compares it with the plan, the checkpoint and the files that it names."""
        problems: list[Problem] = []
        for item, job in zip(_planned(context, run), unit.jobs, strict=True):
            problems += script_problems(job, read(job.script), item.variables_of_script, context.experiment)
        return tuple(problems)


def _data_of(inputs: Sequence[str]) -> str:
    """A data set that asks these inputs, of which nobody knows the answers."""
    return json.dumps({SPLIT: [{"input": text, "output": ""} for text in inputs]}, ensure_ascii=False)


def _planned(context: Context, run: Run) -> Iterator[_Evaluation]:
    for evaluation in context.evaluations[run.name]:
        yield _of(context, run, evaluation)


def _of(context: Context, run: Run, evaluation: Evaluation) -> _Evaluation:
    return _Evaluation(context, run, evaluation, LmEvalTool.name, LmEvalTool.short)


class _Evaluation(PlannedEvaluation):
    """One evaluation of the matrix, and the script and the job that are made of it."""

    @cached_property
    def source(self) -> EvaluationData:
        return EvaluationData(self.context, self.run, self.task)

    @cached_property
    def planned(self) -> Job:
        return self.job(data=() if is_benchmark(self.task) else (self._data(),))

    def _data(self) -> str:
        """The data set with the questions.

        Raises:
            PlanError: neither the tasks table nor the run names one.
        """
        if not self.source.path:
            message = f"run `{self.run.name}` has no data set that task `{self.task.name}` could ask about"
            hint = "name one in the Dataset column of the tasks table"
            raise PlanError(message, file=self.context.plan.file, line=self.task.line, hint=hint)
        return self.source.path

    def built(self) -> tuple[PlannedFile, Job]:
        return self.script(self.planned, self.variables_of_script, body="evaluate_lm_eval"), self.planned

    @cached_property
    def variables_of_script(self) -> Mapping[str, Shell]:
        return {
            **self.variables(self.planned),
            "model": self.model_name,
            "asked": json.dumps(self.asked(), ensure_ascii=False),
        }

    def deep_checks(self) -> Iterator[DeepCheck]:
        if is_benchmark(self.task):
            yield generation_check(self.model_use(None, packages=_PACKAGES))
            return
        use = self.model_use(self.source.prompts(), packages=_PACKAGES)
        yield prompt_check(use, task=self.task.name, data=self._data(), questions=self.asked()["questions"])
        yield generation_check(use)

    def asked(self) -> dict[str, Any]:
        """The request of the job to lm-eval, which lm-eval's files must show."""
        asked: dict[str, Any] = {
            "name": evaluation_stem(self.task.name, self.evaluation.epoch),
            "task": self.task.name,
            "script": self.task.script,
            "limit": self.generation.limit,
            "generation": self.generation.values(),
        }
        if is_benchmark(self.task):
            settings = evaluation_settings(self.context.plan)
            with_template = bool(settings["benchmark_chat_template"])
            return asked | {
                "benchmark": self.task.script,
                "shots": settings["benchmark_shots"],
                "chat_template": with_template,
                "system_prompt": self.source.prompts()[0] if with_template else "",
            }
        trained = dataset_type(self.context, self.run)
        kind = _QUESTIONS if trained == PLAIN_TEXT else trained
        return asked | {"dataset": self._data(), "questions": self._how_asked(kind)}

    def asked_in(self, folder: Path) -> dict[str, Any]:
        """The request of a spot check, whose folder has the data set of a person's own inputs."""
        asked = self.asked()
        if self.questions is None or not self.questions.inputs:
            return asked
        own = {name: asked[name] for name in _OF_ALL_TASKS}
        return own | {"dataset": f"{folder}/{QUESTIONS}", "questions": self._how_asked(_QUESTIONS)}

    def _how_asked(self, kind: str) -> dict[str, str]:
        """How questions are made of data of this type."""
        system_prompt, prompt = self.source.prompts()
        return {"dataset_type": kind, "system_prompt": system_prompt, "prompt": prompt}
