"""``tunebook skills install`` and ``tunebook skills list``: skills for agents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tunebook import api
from tunebook.cli.options import Json
from tunebook.cli.output import console, finish, print_json, print_steps, steps_data
from tunebook.core.shortened import counted
from tunebook.errors import ExitCode

__all__ = ["register"]

Place = Annotated[
    Path,
    typer.Option(
        "--dir", metavar="PATH", help="The project's directory. [default: the current one]", show_default=False
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the verb and its commands."""
    group = typer.Typer(add_completion=False, no_args_is_help=True)
    group.command("install")(install)
    group.command("list")(show)
    app.add_typer(group, name="skills", help="Install skills with which agents call the verbs: `skills install`.")


def install(
    *,
    directory: Place = Path(),
    layout: Annotated[
        list[str] | None,
        typer.Option(
            "--layout",
            metavar="NAME",
            help="`claude` (.claude/skills) or `agents` (.agents/skills, which other agents share). Repeatable. "
            "[default: both]",
        ),
    ] = None,
    agents_md: Annotated[
        bool, typer.Option("--agents-md/--no-agents-md", help="Whether AGENTS.md gets a section about tunebook.")
    ] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace edited files; each is kept as .orig.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the differences; write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Write skills that call these verbs where agents look for them, and a section of AGENTS.md.

    Installing again updates the files that nobody edited, and keeps the others.
    """
    options = api.SkillsOptions(layouts=tuple(layout or ()), agents_md=agents_md, overwrite=overwrite, dry_run=dry_run)
    report = api.skills_install(directory, options)
    finish("skills install", report, data=_data, show=_show, as_json=as_json)


def _data(report: api.InstalledSkills) -> dict[str, Any]:
    return {
        "directory": str(report.directory),
        "dry_run": report.dry_run,
        "files": steps_data(report.steps, with_diff=report.dry_run),
        "conflicts": list(report.conflicts),
    }


def _show(report: api.InstalledSkills) -> None:
    print_steps(report.steps, with_diff=report.dry_run)
    if report.dry_run:
        return
    out = console()
    if report.conflicts:
        out.print(f"{counted(len(report.conflicts), 'edited file')} kept", markup=False)
    else:
        out.print(
            f"✓ {counted(len(report.steps), 'file')} in {report.directory} as this version has them", markup=False
        )


def show(*, directory: Place = Path(), as_json: Json = False) -> None:
    """List the skills, what each does, and whether a project has them."""
    found = api.skills(directory)
    if as_json:
        print_json("skills list", ExitCode.DONE, {"skills": [vars(skill) for skill in found]})
        return
    out = console()
    for skill in found:
        out.print(f"{skill.name}: {skill.description}", markup=False)
        for path, state in skill.installed.items():
            out.print(f"    {path}: {state}", markup=False)
