"""The tasks of a plan that lm-eval evaluates: exact matches on the plan's data, and standard benchmarks by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tunebook.core.parameters import suggestion
from tunebook.core.plan import EvaluationTask
from tunebook.tools.runtime.lm_eval_index import benchmarks
from tunebook.tools.runtime.lm_eval_task import METRIC
from tunebook.tools.task_script import TaskFunction, TaskScript

__all__ = ["EXACT_MATCH", "TASK_FORM", "is_benchmark", "read_task", "task_problem"]

EXACT_MATCH = METRIC
"""The Script of a task that asks the questions of a data set and counts exact matches."""

TASK_FORM = f"`{EXACT_MATCH}` for the test split of a data set, or the name of a benchmark of lm-eval"
_OWN = TaskScript((TaskFunction(EXACT_MATCH, line=0, parameters=("dataset", "system_prompt", "prompt")),))


def is_benchmark(task: EvaluationTask) -> bool:
    """Whether a task is a standard benchmark, which brings its own data and prompts."""
    return task.script != EXACT_MATCH


def read_task(script: Path) -> TaskScript:
    """The one task that a Script names; ``design`` makes a path of the name."""
    if script.name == EXACT_MATCH:
        return _OWN
    if script.suffix == ".py":
        return TaskScript(problem=f"is a file, but lm-eval takes {TASK_FORM}")
    known = benchmarks()
    if known is None:
        return TaskScript(unread="lm-eval is not installed here")
    if script.name in known:
        return TaskScript((TaskFunction(script.name, line=0),))
    hint = suggestion(script.name, [EXACT_MATCH, *known])
    return TaskScript(problem=f"is not a task of lm-eval; allowed: {TASK_FORM}" + (f" ({hint})" if hint else ""))


def task_problem(task: EvaluationTask) -> Iterator[tuple[str, str]]:
    """The faults of a row of the tasks table by itself: message and hint."""
    if task.function:
        yield f"lm-eval has no functions in its tasks, but the Script has `@{task.function}`", "remove it"
    if "/" in task.script:
        name = PurePosixPath(task.script).name
        yield f"`{task.script}` is a path, but lm-eval takes {TASK_FORM}", f"write `{name}` if that is the benchmark"
    if is_benchmark(task) and task.dataset:
        message = f"the benchmark `{task.script}` brings its own data, but Dataset is {task.dataset}"
        yield message, f"write `-` as its Dataset, or `{EXACT_MATCH}` as the Script"
    if not is_benchmark(task) and task.has_own_data:
        message = f"`{EXACT_MATCH}` asks about a data set, but Dataset is `-`"
        yield message, "leave Dataset empty for the run's own data, or name a file"
