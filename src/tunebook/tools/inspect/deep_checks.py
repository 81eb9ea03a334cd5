"""inspect-ai's deep checks: each task is built with its real arguments and asked for its first prompts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunebook.core.deep_checks import Ask, DeepCheck, DeepResult
from tunebook.core.plan import EvaluationTask, Plan, Run
from tunebook.errors import Problem, ToolError
from tunebook.tools.base import PlannedFile
from tunebook.tools.deep.versions import content_digest, versions
from tunebook.tools.imported_files import imported_files
from tunebook.tools.runtime.chat import instruct_messages

__all__ = ["TaskUse", "best_split", "not_here", "probed", "task_checks"]

_TASK = "task"
_PROBE = "tunebook.tools.inspect.task_probe:probe"


@dataclass(frozen=True)
class TaskUse:
    """One evaluation's use of a task.

    Attributes:
        spec: the task as ``inspect eval`` takes it; its file is an absolute path, or empty for a package's task.
        arguments: the task's arguments in the job.
        file: the task's script; empty for a task of an installed package.
        config: the file that the job finds in ``config_directory``; ``None`` if the task gets none.
        data: the absolute path of the data set that the plan names; empty for a task with data of its own.
        prompts: system prompt and prompt that the evaluation should use; ``None`` for a task with data of its own.
        limit: the number of samples that the plan asks for; ``None`` for all.
        model: the absolute directory of the model, of an adapter's base; ``config`` of it is in ``model_config``.
        options: those of the job's own preparation of the model.
        examples: records of the training data.
    """

    plan: Plan
    run: Run
    task: EvaluationTask
    spec: str
    arguments: Mapping[str, Any]
    file: str
    config: PlannedFile | None
    config_directory: str
    data: str
    dataset_type: str
    prompts: tuple[str, str] | None
    limit: int | None
    model: str
    model_config: Mapping[str, Any]
    options: Mapping[str, Any]
    examples: tuple[Mapping[str, Any], ...]

    @property
    def key(self) -> dict[str, Any]:
        """Everything that decides what the task asks."""
        return {
            "task": self.spec,
            "code": [content_digest(file) for file in _code(self)],
            "parameters": sorted(self.arguments),
            "data": content_digest(Path(self.data)) if self.data else "",
            "dataset_type": self.dataset_type,
            "prompts": self.prompts,
            "limit": self.limit,
            "versions": versions(("inspect-ai",)),
        }

    @property
    def announcement(self) -> str:
        """Says whose code is run; empty where it cannot be run."""
        if not_here(self):
            return ""
        return f"running the experiment's own code: task {self.task.name} ({self.file or self.spec})"

    @property
    def subject(self) -> str:
        """The task with its parameters, for people."""
        return f"{self.task.name} with {', '.join(self.arguments) or 'no arguments'}"


def task_checks(uses: Sequence[TaskUse]) -> Iterator[DeepCheck]:
    """One check per task, data set and prompts."""
    for use in uses:
        yield DeepCheck(_TASK, use.subject, partial(_look, use), use.key, (use.run.name,), use.announcement)


def _code(use: TaskUse) -> list[Path]:
    """The script, the modules beside it, which it may import, and all that it is seen to import."""
    if not use.file:
        return []
    script = Path(use.file)
    return sorted({*script.parent.glob("*.py"), *imported_files(script)})


def _look(use: TaskUse, ask: Ask) -> DeepResult:
    reason = not_here(use)
    if reason:
        return DeepResult(unchecked=reason)
    try:
        answer = probed(use, ask)
    except ToolError as error:
        message = f"the task {use.task.name} cannot be built with the arguments of its job: {error}"
        return DeepResult(errors=(_problem(use, message, "correct the task's script"),))
    errors, warnings = list(_wrong_data(use, answer)), list(_doubtful_data(use, answer))
    errors += _wrong_prompts(use, answer)
    return DeepResult(tuple(errors), tuple(warnings), _figure(use, answer))


def not_here(use: TaskUse) -> str:
    """Why the task cannot be built here; empty if it can."""
    if find_spec("inspect_ai") is None:
        return "inspect-ai is not installed here"
    missing = [needed for needed in (use.file, use.data) if needed and not Path(needed).exists()]
    if missing:
        return f"{missing[0]} was not found here"
    package = use.spec.partition("/")[0]
    if not use.file and find_spec(package) is None:
        return f"the package {package} of the task is not installed here"
    return ""


def probed(use: TaskUse, ask: Ask) -> Mapping[str, Any]:
    """The findings of the probe, which runs away from the experiment's directory.

    Raises:
        ToolError: the task could not be built, or asks nothing.
    """
    with tempfile.TemporaryDirectory(prefix="tunebook-task-") as folder:
        scratch = Path(folder)
        arguments = dict(use.arguments)
        if use.config is not None:
            copy = scratch / Path(use.config.path).name
            copy.write_text(use.config.text, encoding="utf-8")
            arguments = {name: _moved(value, use.config_directory, scratch) for name, value in arguments.items()}
        request = {
            "task": use.spec,
            "arguments": arguments,
            "data": use.data,
            "dataset_type": use.dataset_type,
            "prompt": use.prompts[1] if use.prompts else "{input}",
        }
        return ask(_PROBE, {"request": request, "scratch": folder}, runs_others_code=True)


def _moved(value: Any, before: str, after: Path) -> Any:
    """The argument with the directory in which the run's settings lie now."""
    if isinstance(value, str) and (value == before or value.startswith(f"{before}/")):
        return str(after) + value[len(before) :]
    return value


def _problem(use: TaskUse, message: str, hint: str) -> Problem:
    return Problem(message, use.plan.file, use.task.line, hint)


def best_split(answer: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """The split that most samples ask about; of equals, the one that is meant for evaluations."""
    splits: Mapping[str, Mapping[str, Any]] = answer["splits"]
    order = ["test", "validation", *sorted(splits)]
    known = [name for name in dict.fromkeys(order) if name in splits]
    if not known:
        return None
    best = max(known, key=lambda name: int(splits[name]["matched"]))
    return best, splits[best]


def _wrong_data(use: TaskUse, answer: Mapping[str, Any]) -> Iterator[Problem]:
    samples = int(answer["samples"])
    if use.limit is not None and use.limit > samples:
        message = f"Limit is {use.limit}, but the task {use.task.name} has only {samples} samples"
        yield _problem(use, message, f"write {samples} or fewer, or leave it out")
    best = best_split(answer)
    if best is None:
        return
    matched = int(best[1]["matched"])
    if matched < samples:
        message = f"{samples - matched} of the {samples} samples of task {use.task.name} are not in {use.data}, "
        message += "which the plan names for it"
        hint = "make the task read `dataset_path`, or the data set of `config_dir`; or name its own data in the table"
        yield _problem(use, message, hint)


def _doubtful_data(use: TaskUse, answer: Mapping[str, Any]) -> Iterator[Problem]:
    best = best_split(answer)
    if best is None or not best[1]["matched"]:
        return
    split, facts = best
    samples, records = int(answer["samples"]), int(facts["records"])
    if split == "train":
        message = f"the task {use.task.name} evaluates on the training data of {use.data}"
        yield _problem(use, message, "let it read the test split")
    if samples != records:
        message = f"the task {use.task.name} has {samples} samples, but the {split} split of {use.data} has {records}"
        yield _problem(use, message, "make sure that the task should leave some out or repeat some")


def _wrong_prompts(use: TaskUse, answer: Mapping[str, Any]) -> Iterator[Problem]:
    """The first difference between what the task asks and what the plan's prompts say."""
    best = best_split(answer)
    if use.prompts is None or best is None:
        return
    system_prompt, prompt = use.prompts
    for heard, record in zip(answer["heard"], best[1]["asked"], strict=False):
        if "input" not in record:
            continue
        texts = {role: [one["content"] for one in heard if one["role"] == role] for role in ("system", "user")}
        for message in instruct_messages(system_prompt, prompt, record["input"]):
            if message["content"] in texts[message["role"]]:
                continue
            name = "System Prompt" if message["role"] == "system" else "Prompt"
            asked = " / ".join(texts[message["role"]]) or "nothing"
            text = f"the task {use.task.name} does not use the plan's {name}: it should ask "
            text += f"{message['content']!r:.120} and asks {asked!r:.120}"
            hint = "let it take the prompts from `config_dir`, or from `system_prompt` and `prompt`"
            yield _problem(use, text, hint)
            return


def _figure(use: TaskUse, answer: Mapping[str, Any]) -> str:
    samples = int(answer["samples"])
    figure = f"{samples} samples"
    if use.limit is not None:
        figure = f"{use.limit} of {samples} samples"
    best = best_split(answer)
    if best is not None:
        figure += f", {best[1]['matched']} in the {best[0]} split ({best[1]['records']} records)"
    return figure
