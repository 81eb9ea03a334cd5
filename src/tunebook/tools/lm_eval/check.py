"""The findings of ``check`` about tasks of lm-eval: unknown benchmarks, wrong data, and data that jobs lack."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from tunebook.core.plan import EvaluationTask, Plan
from tunebook.core.plan.settings import evaluation_settings, evaluations
from tunebook.errors import Problem
from tunebook.tools.base import Context, Findings
from tunebook.tools.evaluated_model import PLAIN_TEXT, dataset_type
from tunebook.tools.lm_eval.tasks import is_benchmark, task_problem
from tunebook.tools.plan_inputs import dataset_path
from tunebook.tools.runtime.lm_eval_data import datasets_cache
from tunebook.tools.runtime.lm_eval_index import data_sets, fixes_shots
from tunebook.tools.runtime.questions import SPLIT
from tunebook.tools.task_script import TaskScript

__all__ = ["inference_warnings", "task_findings"]

_DOWNLOAD = "python -m tunebook.tools.runtime.lm_eval_data"


def inference_warnings(plan: Plan) -> Iterator[Problem]:
    """Another tool's setting that a person may take for one of these tasks too."""
    written = plan.configuration.get("inference")
    if written is not None and written.value != "hf" and plan.tasks:
        message = f"Inference is {written.text}, which lm-eval does not have: its jobs compute the answers themselves"
        yield Problem(message, plan.file, written.line, "the tasks of the other tool are evaluated as it says")


def task_findings(context: Context, task: EvaluationTask, found: TaskScript | None) -> Findings:
    """The findings about one row of the tasks table."""
    plan = context.plan
    errors = [Problem(message, plan.file, task.line, hint) for message, hint in task_problem(task)]
    if errors or found is None:
        return Findings(tuple(errors))
    if found.problem:
        message = f"task `{task.name}`: {task.script} {found.problem}"
        return Findings((Problem(message, plan.file, task.line),))
    if found.unread:
        message = f"task `{task.name}`: whether {task.script} is a benchmark could not be checked, since {found.unread}"
        return Findings(warnings=(Problem(message, plan.file, task.line),))
    if is_benchmark(task):
        shots = tuple(_ignored_shots(plan, task))
        warnings = chain(_missing_data(plan, task), _unused_prompts(plan, task))
        return Findings(shots, tuple(warnings), (f"task {task.name}: the benchmark {task.script} of lm-eval",))
    note = f"task {task.name}: exact match on the {SPLIT} split"
    return Findings(tuple(_wrong_data(context, task)), (), (note,))


def _wrong_data(context: Context, task: EvaluationTask) -> Iterator[Problem]:
    """Data sets without questions, or with fewer than the plan asks for; each once."""
    plan = context.plan
    wanted = {evaluation.run for evaluation in evaluations(plan) if evaluation.task == task.name}
    seen: set[str] = set()
    for run in plan.runs:
        path = task.dataset or dataset_path(plan, run)
        if run.name not in wanted or path in seen:
            continue
        seen.add(path)
        if not task.dataset and dataset_type(context, run) == PLAIN_TEXT:
            message = f"task `{task.name}` asks questions, but the examples of {path} are plain texts without any"
            hint = "name a data set with questions and answers in the Dataset column"
            yield Problem(message, plan.file, task.line, hint)
            continue
        yield from _wrong_split(context, task, path)


def _wrong_split(context: Context, task: EvaluationTask, path: str) -> Iterator[Problem]:
    facts = context.datasets.get(path)
    if facts is None or facts.problem or facts.unread:
        return
    number = facts.splits.get(SPLIT, 0)
    limit = evaluation_settings(context.plan)["eval_limit"]
    file, line = context.plan.file, task.line
    if not number:
        message = f"task `{task.name}` asks about the {SPLIT} split, but {path} has none"
        yield Problem(message, file, line, f"add a {SPLIT} split, or name another data set in the Dataset column")
    elif isinstance(limit, int) and limit > number:
        message = f"Evaluation Limit is {limit}, but the {SPLIT} split of {path} has only {number} examples"
        yield Problem(message, file, line, f"write {number} or fewer, or leave it out")


def _ignored_shots(plan: Plan, task: EvaluationTask) -> Iterator[Problem]:
    shots = evaluation_settings(plan)["benchmark_shots"]
    if shots and fixes_shots(task.script):
        message = f"the benchmark `{task.script}` is always asked without examples, but Benchmark Shots is {shots}"
        hint = "leave Benchmark Shots out: each benchmark then has its own number"
        yield Problem(message, plan.file, task.line, hint)


def _missing_data(plan: Plan, task: EvaluationTask) -> Iterator[Problem]:
    """Data sets that are not in the cache of this machine, which may not be that of the jobs."""
    cache = datasets_cache(os.environ)
    missing = [name for name in data_sets(task.script) if not _is_cached(cache, name)]
    if missing:
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")  # noqa: PLR2004
        message = (
            f"task `{task.name}` needs data of the Hugging Face Hub that {cache} lacks ({shown}); jobs are offline"
        )
        hint = f"in the environment of the evaluations, on a machine with internet: {_DOWNLOAD} {task.script}"
        yield Problem(message, plan.file, task.line, hint)


def _is_cached(cache: Path, name: str) -> bool:
    """Whether the cache has an entry for a data set; the library spells names in its own way."""
    wanted = _plain(name.replace("/", "___"))
    return cache.is_dir() and any(_plain(entry.name) == wanted for entry in cache.iterdir())


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _unused_prompts(plan: Plan, task: EvaluationTask) -> Iterator[Problem]:
    settings = evaluation_settings(plan)
    if plan.value("system_prompt") and not settings["benchmark_chat_template"]:
        message = f"the benchmark `{task.script}` is asked without the plan's System Prompt and without a chat template"
        hint = "write `- **Benchmark Chat Template:** yes` if it should be asked as the models are trained"
        yield Problem(message, plan.file, task.line, hint)
