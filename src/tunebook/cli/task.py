"""``tunebook task new``: writes an evaluation task from the experiment's data."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from tunebook import api
from tunebook.cli.options import Json, nearby
from tunebook.cli.output import console, finish, print_next
from tunebook.core.json_text import parse_json
from tunebook.core.scorers import Scorer
from tunebook.core.shortened import counted
from tunebook.errors import UsageError

__all__ = ["register"]

_HELP = "Write an evaluation task: `task new NAME`."
_SCORERS = "; ".join(f"{scorer} {scorer.meaning}" for scorer in Scorer)


def register(app: typer.Typer) -> None:
    """Adds the verb and its command."""
    group = typer.Typer(add_completion=False, no_args_is_help=True)
    group.callback(help=_HELP)(lambda: None)
    group.command("new")(new)
    app.add_typer(group, name="task", help=_HELP)


def new(
    name: Annotated[str, typer.Argument(help="The task's name: small letters, digits and underscores.")],
    directory: Annotated[
        Path | None, typer.Argument(help="Where the files go: the experiment's directory, or one without a plan.")
    ] = None,
    *,
    scorer: Annotated[
        Scorer | None, typer.Option(help=f"How answers are scored: {_SCORERS}. [default: what fits the answers]")
    ] = None,
    dataset: Annotated[Path | None, typer.Option(metavar="PATH", help="The data set. [default: the plan's]")] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="A column of the data by which results are compared. Repeatable."),
    ] = None,
    choices: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…",
            help="The choices; for risk two options, the outcome last. A JSON list if one has a comma. "
            "[default: the answers in the data]",
        ),
    ] = None,
    grader: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The model that grades: 'openai/gpt-4o-mini'.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the files, which are kept as .orig.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the files; write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Write NAME.py, a task that reads the experiment's data and prompts, and test_NAME.py.

    You own both files afterwards.
    """
    options = api.NewTaskOptions(
        name=name,
        scorer=scorer,
        dataset=dataset,
        choices=_listed(choices),
        groups=tuple(group or ()),
        grader=grader or "",
        overwrite=overwrite,
        dry_run=dry_run,
    )
    finish("task new", api.task_new(nearby(directory), options), data=_data, show=_show, as_json=as_json)


def _listed(text: str | None) -> tuple[str, ...]:
    """The choices of one option: between commas, or a JSON list."""
    if text is None:
        return ()
    if not text.lstrip().startswith("["):
        return tuple(filter(None, (part.strip() for part in text.split(","))))
    try:
        found = parse_json(text)
    except ValueError as error:
        raise UsageError(f"`--choices` is no JSON list: {error}", hint='write \'["A, B", "C"]\'') from None
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise UsageError("`--choices` is not a list of texts", hint='write \'["A, B", "C"]\'')
    return tuple(found)


def _data(report: api.NewTaskReport) -> dict[str, Any]:
    task = report.task
    files = [
        {"path": str(file.path), "action": file.action, "original": file.original, "text": file.text}
        for file in report.files
    ]
    return {
        "directory": str(report.directory),
        "name": task.name,
        "scorer": str(task.scorer),
        "reasons": report.reasons,
        "dataset": task.dataset,
        "samples": report.samples,
        "choices": task.choices,
        "groups": task.groups,
        "written": report.written,
        "files": files,
        "plan_lines": report.row,
        "next": _next(report),
    }


def _show(report: api.NewTaskReport) -> None:
    out = console()
    if not report.written:
        for file in report.files:
            out.print(f"# ---- {file.path.name} ({file.action})\n{file.text}", markup=False, soft_wrap=True)
        return
    for reason in report.reasons:
        out.print(f"• {reason}", markup=False)
    out.print(f"• it {report.task.scorer.meaning}", markup=False)
    for file in report.files:
        kept = f"; the earlier file is kept as {file.original}" if file.original else ""
        out.print(f"✓ {file.action} {file.path}{kept}", markup=False)
    out.print(f"  it asks {counted(report.samples, 'sample')} of {report.task.dataset}", markup=False)
    if report.row:
        out.print("Add this table below `### Evaluation Tasks` in the plan, or its last line to the table there:\n")
        out.print("\n".join(report.row) + "\n", markup=False, soft_wrap=True)
        if report.has_matrix:
            out.print(f"and a column `{report.task.name}` to `### Evaluation Matrix`.", markup=False)
    for command in _next(report):
        print_next(command)


def _next(report: api.NewTaskReport) -> list[str]:
    """The commands that come next."""
    here = shlex.quote(str(report.directory))
    script, test = (shlex.quote(str(file.path)) for file in report.files)
    commands = [f"pytest {test}"]
    if report.is_designed and report.row:
        data = f" --task-dataset {report.task.name}={shlex.quote(report.task.dataset)}" if report.other_data else ""
        commands.append(f"tunebook design {here} --update --task {report.task.name}={script}{data}")
    if report.has_plan:
        return [*commands, f"tunebook check {here} --deep"]
    data = shlex.quote(report.task.dataset)
    return [*commands, f"tunebook design --dataset {data} --task {report.task.name}={script}"]
