"""``tunebook site`` and ``tunebook site init``: the site settings of one cluster and one person."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tunebook import api
from tunebook.cli.asking import answered, fitted, on_terminal
from tunebook.cli.complete import complete_site_setting
from tunebook.cli.options import Json
from tunebook.cli.output import console, finish, notes_data, print_json, print_table
from tunebook.cli.visible import visible_text
from tunebook.cli.waiting import waiting
from tunebook.core.notes import with_sign
from tunebook.core.paths import SITE_FILE
from tunebook.core.shortened import counted
from tunebook.errors import ExitCode, PlanError

__all__ = ["register"]

_OTHER = "another value …"


class _ShowFirst(TyperGroup):
    """``tunebook site [DIRECTORY]`` is ``tunebook site show [DIRECTORY]``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Inserts the name of the command."""
        if not args or (args[0] not in self.commands and args[0] not in {"-h", "--help"}):
            args = ["show", *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Adds the verb and its command."""
    group = typer.Typer(cls=_ShowFirst, add_completion=False)
    group.command("show")(show)
    group.command("init")(init)
    app.add_typer(
        group,
        name="site",
        help="Show or write the site settings: `site [DIRECTORY]`, `site init`.",
    )


def show(
    directory: Annotated[
        Path | None, typer.Argument(help="The directory in which the settings apply. [default: the current one]")
    ] = None,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Do not start the Python environments to check them.")] = False,
    as_json: Json = False,
) -> None:
    """Show each site setting in effect and its source, and check it against the cluster. Writes nothing.

    `tunebook site` alone does this.
    """
    with waiting("examining the settings", quiet=as_json):
        report = api.site(_place(directory), quick=quick)
    finish("site", report, data=_report_data, show=_show, as_json=as_json)


def _place(directory: Path | None) -> Path:
    """The given directory, or the experiment that the current one is in, or the current one."""
    return directory or api.experiment_here() or Path()


def _report_data(report: api.SiteReport) -> dict[str, Any]:
    settings = [vars(item) for item in report.settings]
    return {"file": report.site.file, "cluster": report.cluster, "settings": settings, **notes_data(report.notes)}


def _show(report: api.SiteReport) -> None:
    out = console()
    _print_settings((item.label, item.value, item.source) for item in report.settings)
    for note in report.notes:
        out.print(with_sign(note), markup=False)
    if report.errors:
        out.print(f"\n{counted(len(report.errors), 'error')} in {report.site.file or 'the defaults'}", markup=False)


def _print_settings(rows: Iterable[tuple[str, str, str]]) -> None:
    from rich.text import Text

    styled = [
        (label, value or "-", Text(visible_text(source), style="" if value else "dim")) for label, value, source in rows
    ]
    print_table(styled, ("Setting", "Value", "Source"))


def init(
    directory: Annotated[
        Path | None,
        typer.Argument(help=f"Where {SITE_FILE} goes. [default: the current directory, or the experiment around it]"),
    ] = None,
    *,
    for_user: Annotated[
        bool, typer.Option("--user", help="Write to ~/.claude, where every experiment finds it.")
    ] = False,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="The value of a setting, in place of a search for it. Repeatable.",
            autocompletion=complete_site_setting,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: take the most likely values.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file, which is kept as .orig.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the file; write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Detect the settings of this machine and its cluster, ask for the others, and write claude.local.md."""
    is_asking = not (yes or as_json) and on_terminal()
    options = api.SiteInitOptions(
        assignments=tuple(assignments or ()), for_user=for_user, overwrite=overwrite, dry_run=dry_run
    )
    with waiting("examining this machine", quiet=as_json) as wait:
        draft = api.site_init(_place(directory), options, choose=wait.until(_ask) if is_asking else None)
    if as_json:
        print_json("site init", ExitCode.DONE, _draft_data(draft))
    else:
        _show_draft(draft)


def _ask(finding: api.Detected) -> str:
    """Asks one question: a choice of candidates, or a line of text."""
    import questionary

    if finding.candidates:
        choices = [
            questionary.Choice(f"{item.value or '(any)'} – {item.basis}", value=item.value)
            for item in finding.candidates
        ]
        chosen = answered(
            questionary.select(fitted(finding.question), choices=[*choices, questionary.Choice(_OTHER, _OTHER)])
        )
        if chosen != _OTHER:
            return str(chosen).strip()
    return str(answered(questionary.text(fitted(finding.question), validate=_check(finding.key)))).strip()


def _check(key: str) -> Callable[[str], bool | str]:
    """Returns a function that is true for an answer that the file can hold, and otherwise gives the reason."""
    from tunebook.core.site_file import site_text

    def check(text: str) -> bool | str:
        try:
            site_text({key: text.strip()})
        except PlanError as error:
            return f"{error.problems[0].message}: {error.problems[0].hint}"
        return True

    return check


def _draft_data(draft: api.SiteDraft) -> dict[str, Any]:
    settings = [
        {
            "key": finding.key,
            "value": chosen.value,
            "basis": chosen.basis,
            "candidates": [{"value": item.value, "basis": item.basis} for item in finding.candidates],
        }
        for finding, chosen in draft.chosen
    ]
    return {
        "path": str(draft.path),
        "written": draft.written,
        "original": draft.original,
        "cluster": draft.cluster,
        "settings": settings,
        "text": draft.text,
        "notes": draft.notes,
    }


def _show_draft(draft: api.SiteDraft) -> None:
    from tunebook.core.site import SETTINGS, setting

    out, aside = console(), console(stderr=True)
    if not draft.written:
        out.print(draft.text, markup=False, soft_wrap=True, end="")
        if draft.before is not None:
            aside.print(f"{draft.path} exists: `--overwrite` replaces it", markup=False)
        return
    order = {item.key: number for number, item in enumerate(SETTINGS)}
    chosen_in_order = sorted(
        draft.chosen, key=lambda pair: order.get(pair[0].key, len(order))
    )  # a tool's own comes last
    rows = [(setting(finding.key).label, chosen.value, chosen.basis) for finding, chosen in chosen_in_order]
    _print_settings(rows)
    for note in draft.notes:
        out.print(f"• {note}", markup=False)
    if draft.original:
        out.print(f"• the earlier file is kept as {draft.original}", markup=False)
    out.print(f"✓ wrote {draft.path}; `tunebook site` checks it", markup=False)
