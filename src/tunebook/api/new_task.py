"""``task new``: writes a task from an experiment's data, and a test of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tunebook.api.loading import Loaded, load
from tunebook.core.paths import DESIGN, PLAN_FILE, absolute_path, expanded
from tunebook.core.plan import EvaluationTask, Plan
from tunebook.core.plan.resources import task_table
from tunebook.core.plan.settings import effective
from tunebook.core.scorers import Scorer
from tunebook.disk.atomic import replace_text, write_text
from tunebook.disk.originals import original_of
from tunebook.disk.read import read_text
from tunebook.errors import ConflictError, ExitCode, PlanError, Problem, UsageError
from tunebook.tools.answers import Answer, answers_elsewhere, read_answers
from tunebook.tools.new_task import NewTask, TaskWriter
from tunebook.tools.new_task_checks import (
    choice_problems,
    group_cautions,
    group_problems,
    name_problem,
    target_problems,
)
from tunebook.tools.option_tokens import option_problems
from tunebook.tools.plan_inputs import dataset_path
from tunebook.tools.registry import installed_tools
from tunebook.tools.scorer_choice import ordered_options, suggested_scorer

__all__ = ["NewTaskOptions", "NewTaskReport", "WrittenFile", "task_new"]

_INSTRUCT = "instruct"


@dataclass(frozen=True, kw_only=True)
class NewTaskOptions:
    """The options of ``task new``.

    Attributes:
        name: of the task, its function and its file.
        scorer: how answers are scored; ``None`` for the one that fits the data.
        dataset: the data set, relative to the working directory; ``None`` for the plan's.
        choices: of the answers; of the two options of a risk the last one is the outcome. Empty for those of the data.
        groups: columns of the data by which results are compared.
        grader: the model that grades, as inspect-ai names it, for the scorer that asks one.
        overwrite: whether to replace files, which are kept as ``.orig``.
        dry_run: whether to write nothing.
    """

    name: str = ""
    scorer: Scorer | None = None
    dataset: Path | None = None
    choices: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    grader: str = ""
    overwrite: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class WrittenFile:
    """A file of the task; ``action`` says what became of it.

    Attributes:
        action: ``created``, ``replaced`` or ``unchanged``; what would become of it in a dry run.
        original: the copy of the file that was replaced, which had the text ``before``.
    """

    path: Path
    text: str
    action: str
    original: Path | None = None
    before: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewTaskReport:
    """The result of ``task new``.

    Attributes:
        reasons: why this scorer, if it was not asked for.
        samples: how many examples the test split has.
        other_data: the data set, if the plan's is another one; as the plan should name it.
        row: lines of a table for the plan's ``### Evaluation Tasks``; empty without a plan, and if it has the task.
        has_matrix: whether the plan's evaluation matrix must name the task too.
        is_designed: whether ``tunebook design --update`` can add the task.
    """

    directory: Path
    task: NewTask
    files: tuple[WrittenFile, ...]
    written: bool
    samples: int
    reasons: tuple[str, ...] = ()
    other_data: str = ""
    row: tuple[str, ...] = ()
    has_plan: bool = False
    has_matrix: bool = False
    is_designed: bool = False
    warnings: tuple[Problem, ...] = ()
    errors: tuple[Problem, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """Always 0: problems end the verb."""
        return ExitCode.DONE


def task_new(directory: Path, options: NewTaskOptions | None = None) -> NewTaskReport:
    """Writes ``NAME.py``, an evaluation task that reads the experiment's data and prompts, and ``test_NAME.py``.

    Without a plan the data set must be given; the task gets prompts and data from the plan that will name it.

    Args:
        directory: where the files go: an experiment's directory, or one without a plan.

    Raises:
        UsageError: the name is not plain, the directory does not exist, nothing names a data set, no scorer fits, or no
            evaluation tool of the plan takes written tasks.
        PlanError: the data do not fit the scorer, the choices or the groups; carries every problem.
        ConflictError: a file exists with another text, and ``overwrite`` is not set.
    """
    options = options or NewTaskOptions()
    directory = _directory(directory)
    wrong = name_problem(options.name, directory)
    if wrong:
        raise UsageError(f"the task's name `{options.name}` {wrong}", hint="write a name such as `income`")
    loaded = load(directory) if (directory / PLAN_FILE).is_file() else None
    plan = loaded.context.plan if loaded is not None else None
    writer = _writer(loaded)
    data = _data(directory, options, plan)
    answers = read_answers(data, _dataset_type(plan))
    scorer, reasons = _scorer(options, answers)
    task = _task(scorer, options, answers, data, directory, plan)
    _refuse_wrong(task, answers, writer, loaded)
    other_data = _other_data(task, options, plan, directory)
    texts = {f"{task.name}.py": writer.script(task), f"test_{task.name}.py": writer.test(task)}
    files = _files(directory, texts, options)
    if not options.dry_run:
        for file in files:
            _write(file, within=None if plan is None else directory)
    return NewTaskReport(
        directory=directory,
        task=task,
        files=files,
        written=not options.dry_run,
        samples=len(answers),
        reasons=reasons,
        other_data=other_data,
        row=_row(task, other_data, plan, directory),
        has_plan=plan is not None,
        has_matrix=plan is not None and plan.matrix is not None,
        is_designed=(directory / DESIGN).is_file(),
        warnings=tuple(_cautions(task, answers)),
    )


def _refuse_wrong(task: NewTask, answers: tuple[Answer, ...], writer: TaskWriter, loaded: Loaded | None) -> None:
    plan = loaded.context.plan if loaded is not None else None
    problems = [*_problems(task, answers, _dataset_type(plan)), *writer.problems(task, plan)]
    if loaded is not None and task.scorer is Scorer.RISK and not problems:
        problems += option_problems(loaded.context, task.choices)
    if problems:
        raise PlanError(problems)


def _task(
    scorer: Scorer,
    options: NewTaskOptions,
    answers: tuple[Answer, ...],
    data: Path,
    directory: Path,
    plan: Plan | None,
) -> NewTask:
    return NewTask(
        name=options.name,
        scorer=scorer,
        dataset=str(data),
        beside=os.path.relpath(data, directory) if data.is_relative_to(directory) else "",
        choices=_choices(scorer, options, answers),
        groups=tuple(dict.fromkeys(options.groups)),
        grader=options.grader,
        prompts=None if answers[0].is_chat else _prompts(plan),
    )


def _directory(directory: Path) -> Path:
    directory = absolute_path(directory)
    if directory.name == PLAN_FILE and directory.is_file():
        return directory.parent
    if not directory.is_dir():
        raise UsageError(f"{directory} is not a directory", hint="make it first, or leave it out for the current one")
    return directory


def _writer(loaded: Loaded | None) -> TaskWriter:
    """The writer of the first evaluation tool that takes written tasks."""
    tools = loaded.evaluations if loaded is not None else installed_tools().evaluation
    for tool in tools:
        if tool.task_writer is not None:
            return tool.task_writer
    able = [tool.name for tool in installed_tools().evaluation if tool.task_writer is not None]
    named = " and ".join(tool.name for tool in tools) or "no known evaluation tool"
    hint = f"tasks can be written for {' and '.join(able)}: name it as Evaluation in the plan's Tools section"
    raise UsageError(f"the plan evaluates with {named}, for which no task can be written", hint=hint)


def _data(directory: Path, options: NewTaskOptions, plan: Plan | None) -> Path:
    """The absolute path of the data set."""
    if options.dataset is not None:
        return absolute_path(options.dataset)
    written = ""
    if plan is not None:
        written = plan.dataset_path or next(filter(None, (dataset_path(plan, run) for run in plan.runs)), "")
    if not written:
        where = f"{PLAN_FILE} names no data set" if plan is not None else f"{directory} has no {PLAN_FILE}"
        raise UsageError(f"{where}, and `--dataset` is missing", hint="write `--dataset FILE`")
    return directory / expanded(written)


def _dataset_type(plan: Plan | None) -> str:
    """How the examples are read; what is not clear by this, their fields decide."""
    if plan is None:
        return _INSTRUCT
    return str(plan.value("dataset_type", _INSTRUCT))


def _prompts(plan: Plan | None) -> tuple[str, str] | None:
    """System prompt and prompt of the plan's first run."""
    if plan is None or not plan.runs:
        return None
    run = plan.runs[0]
    return str(effective(plan, run, "system_prompt") or ""), str(effective(plan, run, "prompt") or "{input}")


def _scorer(options: NewTaskOptions, answers: tuple[Answer, ...]) -> tuple[Scorer, tuple[str, ...]]:
    """The scorer, and why it was chosen if nobody asked for it."""
    scorer = options.scorer
    reasons: tuple[str, ...] = ()
    if scorer is None:
        suggestion = suggested_scorer(answers)
        if suggestion.scorer is None:
            hint = "write `--scorer model-graded --grader MODEL`, `--scorer includes` or `--scorer exact`"
            raise UsageError(f"no scorer fits by itself: {suggestion.reason}", hint=hint)
        scorer = suggestion.scorer
        reasons = (f"scorer: {scorer}, since {suggestion.reason}", *filter(None, [suggestion.also]))
    if options.choices and not scorer.has_choices:
        raise UsageError(f"the scorer {scorer} has no choices", hint="leave out `--choices`, or add `--scorer choice`")
    if options.grader and scorer is not Scorer.MODEL_GRADED:
        raise UsageError(f"the scorer {scorer} asks no grader", hint="leave out `--grader`")
    if scorer is Scorer.MODEL_GRADED and not options.grader:
        message = "the scorer model-graded needs a grader: without one, every model would grade itself"
        raise UsageError(message, hint="write `--grader MODEL`, such as `--grader openai/gpt-4o-mini`")
    return scorer, reasons


def _choices(scorer: Scorer, options: NewTaskOptions, answers: tuple[Answer, ...]) -> tuple[str, ...]:
    if not scorer.has_choices:
        return ()
    if options.choices:
        return tuple(dict.fromkeys(choice.strip() for choice in options.choices))
    found, is_clear = ordered_options(answers)
    if scorer is Scorer.RISK and not is_clear:
        message = f"the answers {', '.join(f'`{text}`' for text in found[:5])} do not say which one is the outcome"
        hint = "write `--choices OTHER,OUTCOME`: risk is the probability of the last one"
        raise UsageError(message, hint=hint)
    return found


def _problems(task: NewTask, answers: tuple[Answer, ...], dataset_type: str) -> Iterator[Problem]:
    yield from group_problems(task.groups, answers)
    if task.scorer.has_choices:
        elsewhere = answers_elsewhere(Path(task.dataset), dataset_type)
        found = tuple(choice_problems(task.scorer, task.choices, answers, elsewhere))
        yield from found
        if found:
            return
    yield from target_problems(task.scorer, task.choices, answers)


def _cautions(task: NewTask, answers: tuple[Answer, ...]) -> Iterator[Problem]:
    yield from group_cautions(task.groups, answers)
    if task.scorer.has_choices:
        present = {answer.text.strip() for answer in answers}
        for choice in task.choices:
            if choice not in present:
                hint = "the AUC is then undefined" if task.scorer is Scorer.RISK else "it may be correct"
                message = f"no example of the test split has the answer `{choice}`"
                yield Problem(message, answers[0].file, hint=hint)


def _files(directory: Path, texts: dict[str, str], options: NewTaskOptions) -> tuple[WrittenFile, ...]:
    """The files with what is to become of each.

    Raises:
        ConflictError: one exists with another text, and is not to be replaced.
    """
    files = []
    for name, text in texts.items():
        path = directory / name
        before = read_text(path)
        if before is None:
            files.append(WrittenFile(path, text, "created"))
        elif before == text:
            files.append(WrittenFile(path, text, "unchanged"))
        elif options.overwrite or options.dry_run:
            files.append(WrittenFile(path, text, "replaced", original_of(path, before), before))
        else:
            hint = "`--overwrite` replaces it and keeps it as .orig; or choose another name"
            raise ConflictError(f"{path} exists with another text", hint=hint)
    return tuple(files)


def _write(file: WrittenFile, within: Path | None) -> None:
    if file.action == "unchanged":
        return
    if file.original is not None:
        write_text(file.original, file.before or "", within=within)
    replace_text(file.path, file.before, file.text, within=within)


def _row(task: NewTask, other_data: str, plan: Plan | None, directory: Path) -> tuple[str, ...]:
    """The table that adds the task to the plan; empty without a plan, and if it has a task with this script."""
    if plan is None:
        return ()
    if any((directory / expanded(known.script)) == directory / f"{task.name}.py" for known in plan.tasks):
        return ()
    tool = ""
    if len(plan.tools.evaluation) > 1:
        tool = next(found.name for found in installed_tools().evaluation if found.task_writer is not None)
    script, description = f"{task.name}.py", task.scorer.summary
    added = EvaluationTask(task.name, script, dataset=other_data or None, description=description, tool=tool)
    return tuple(task_table([added]))


def _other_data(task: NewTask, options: NewTaskOptions, plan: Plan | None, directory: Path) -> str:
    if plan is None or options.dataset is None:
        return ""
    if plan.dataset_path and directory / expanded(plan.dataset_path) == Path(task.dataset):
        return ""
    return task.beside or task.dataset
