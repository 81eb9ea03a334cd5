"""Results for people (Rich; plain when not a terminal) or for programs (one JSON document on stdout)."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

import typer

from tunebook import api
from tunebook.cli.visible import is_unicode, visible_json, visible_text
from tunebook.core.error_pages import page_of
from tunebook.core.notes import UNCHECKED, is_checked
from tunebook.core.shortened import first_lines, shortened_values
from tunebook.errors import ExitCode, Problem, TunebookError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = [
    "SCHEMA",
    "console",
    "failed",
    "finish",
    "finite",
    "most_lines",
    "notes_data",
    "print_explained",
    "print_json",
    "print_markdown",
    "print_next",
    "print_problems",
    "print_steps",
    "print_table",
    "problem_data",
    "screenful",
    "steps_data",
]

SCHEMA = 1
_TWO_WORDS = frozenset({"site init", "task new", "skills install", "skills list"})
_UNLIMITED = 100_000  # columns of a file or a pipe: each row of a table is one line there
_LINES_OF_A_PROBLEM = 2
_PLAIN_HEIGHT = 40  # lines that count as a screenful there


def console(*, stderr: bool = False) -> Console:
    """The console through which everything for people is printed; it uses colours and wraps lines on a terminal only.

    Control characters in names, paths, messages and outputs of jobs are shown as escapes.
    """
    from tunebook.cli.visible_console import SafeConsole

    stream = sys.stderr if stderr else sys.stdout
    shown = stream.isatty()
    width = None if shown else _UNLIMITED
    return SafeConsole(
        plain_marks=not is_unicode(stream),
        stderr=stderr,
        soft_wrap=not shown,
        highlight=False,
        emoji=False,
        width=width,
    )


def screenful(out: Console) -> int:
    """How many lines a person sees at a glance: the height of the terminal, elsewhere a fixed number."""
    return out.size.height if out.is_terminal else _PLAIN_HEIGHT


def most_lines(*, every: bool) -> int | None:
    """How many lines a list may have before it is shortened; ``None`` for any number."""
    return None if every else screenful(console())


def print_json(
    command: str,
    exit_code: ExitCode,
    data: Mapping[str, Any],
    *,
    warnings: Iterable[Problem] = (),
    errors: Iterable[Problem] = (),
) -> None:
    """The one document that ``--json`` prints."""
    document = {
        "schema": SCHEMA,
        "command": command,
        "ok": exit_code is ExitCode.DONE,
        "exit_code": int(exit_code),
        "data": dict(data),
        "warnings": [problem_data(problem, ExitCode.DONE) for problem in warnings],
        "errors": [problem_data(problem, exit_code) for problem in errors],
    }
    sys.stdout.write(_json_text(document) + "\n")


def _json_text(document: Mapping[str, Any]) -> str:
    is_ascii = not is_unicode(sys.stdout)
    try:
        text = json.dumps(document, ensure_ascii=is_ascii, indent=2, default=str, allow_nan=False)
    except ValueError:  # JSON has no word for numbers beyond range
        text = json.dumps(finite(document), ensure_ascii=is_ascii, indent=2, default=str)
    return visible_json(text)


def finite(value: Any) -> Any:
    """The value with ``None`` for each number that is infinite or not a number."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


class Finished(Protocol):
    """The report of a verb."""

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the command."""
        ...

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Problems that did not stop the verb."""
        ...

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Problems that did."""
        ...


_Report = TypeVar("_Report", bound=Finished)


def finish(
    command: str,
    report: _Report,
    *,
    data: Callable[[_Report], Mapping[str, Any]],
    show: Callable[[_Report], None],
    as_json: bool,
    every: bool = False,
) -> NoReturn:
    """Prints a verb's report, for a person below its errors and warnings, and ends the verb with its exit code.

    Args:
        every: all errors and warnings, also more than a screenful.
    """
    if as_json:
        print_json(command, report.exit_code, data(report), warnings=report.warnings, errors=report.errors)
    else:
        print_explained(report.errors, report.exit_code, every=every)
        print_problems(report.warnings, kind="warning", every=every)
        show(report)
    raise typer.Exit(report.exit_code)


def problem_data(problem: Problem, exit_code: ExitCode) -> dict[str, Any]:
    """A problem for ``--json``: ``code`` is what `tunebook explain` takes, ``page`` the same page in the repository."""
    page = page_of(problem.page, exit_code)
    place = {"message": problem.message, "file": problem.file, "line": problem.line, "hint": problem.hint}
    return place | {"code": page and page.code, "page": page and page.reference}


def notes_data(notes: Iterable[str]) -> dict[str, list[str]]:
    """The notes of a report for ``--json``: what was verified, and what could not be."""
    of_kind: dict[bool, list[str]] = {True: [], False: []}
    for note in notes:
        of_kind[is_checked(note)].append(note.removeprefix(UNCHECKED))
    return {"verified": of_kind[True], "not_checked": of_kind[False]}


def print_explained(problems: Sequence[Problem], exit_code: ExitCode, *, every: bool = False) -> None:
    """Prints errors, and below them how to learn more about each kind of them."""
    print_problems(problems, kind="error", every=every)
    pages = {page.code: page for problem in problems if (page := page_of(problem.page, exit_code)) is not None}
    for code in pages:
        console(stderr=True).print(f"    more: tunebook explain {code}", markup=False, style="dim")


def print_problems(problems: Sequence[Problem], *, kind: str, every: bool = False) -> None:
    """Prints problems on stderr, one per line, with the hint below; above a screenful only the first of them."""
    if not problems:
        return
    from rich.markup import escape

    colour = "red" if kind == "error" else "yellow"
    out = console(stderr=True)
    shown = len(problems)
    if not every and shown > screenful(out):
        shown = screenful(out) // _LINES_OF_A_PROBLEM
    for problem in problems[:shown]:
        head = ""
        if problem.file:
            place = f"{problem.file}:"
            if problem.line:
                place += f"{problem.line}:"
            head = f"[bold]{escape(_visible(place))}[/bold] "
        out.print(f"{head}[{colour}]{kind}:[/{colour}] {escape(_visible(problem.message))}")
        if problem.hint:
            out.print(f"    → {escape(_visible(problem.hint))}")
    if shown < len(problems):
        out.print(f"… and {len(problems) - shown:,} more {kind}s: `--json` lists all of them", markup=False)


def print_steps(steps: Sequence[api.Step], *, with_diff: bool, every: bool = True) -> None:
    """One line per file with its action, and its changes; above a screenful without files that stay as they are."""
    out = console()
    if not every and len(steps) > screenful(out):
        steps = [step for step in steps if not step.stays]
        if len(steps) > screenful(out):
            lines = [f"{step.action.value:>12}  {step.path}" for step in steps]
            lines = first_lines(lines, screenful(out), more="files: `--all` shows each with its differences")
            out.print("\n".join(lines), markup=False)
            return
    for step in steps:
        out.print(f"{step.action.value:>12}  {step.path}", markup=False)
        if with_diff:
            out.print(step.diff(), markup=False, end="", soft_wrap=True)


def print_markdown(text: str) -> None:
    """Prints a summary in Markdown; lines between fences can be pasted, and are left to the terminal."""
    out = console()
    is_code = False
    for line in text.splitlines():
        is_code ^= line.startswith("```")
        out.print(line, markup=False, soft_wrap=True if is_code else None)


def print_next(command: str) -> None:
    """Prints the command that comes next, which can be pasted."""
    console().print(f"  next: {command}", markup=False, emoji=False, soft_wrap=True)


def print_table(rows: Iterable[Sequence[str | Text]], titles: Sequence[str], *, labelled: bool = False) -> None:
    """Prints rows in columns; a narrow terminal shows each row's cells below its first one.

    Args:
        labelled: whether these have the titles before them there.
    """
    from rich.text import Text

    from tunebook.cli.wrapped import in_columns

    out = console()
    cells = [[cell if isinstance(cell, Text) else Text(visible_text(cell)) for cell in row] for row in rows]
    width = out.width if out.is_terminal else None
    for line in in_columns(cells, titles=titles, width=width, labelled=labelled):
        out.print(line)


def steps_data(steps: Iterable[api.Step], *, with_diff: bool = False) -> list[dict[str, str]]:
    """The files for ``--json``."""
    rows = []
    for step in steps:
        row = {"path": step.path, "action": step.action.value}
        if with_diff:
            row["diff"] = step.diff()
        rows.append(row)
    return rows


def _visible(text: str) -> str:
    """A message on one line, whatever it quotes."""
    return visible_text(shortened_values(text)).replace("\n", "\\n").replace("\t", "\\t")


def _command(arguments: Sequence[str]) -> str:
    """The verb, or the two words of a verb with commands of its own."""
    words = [argument for argument in arguments if not argument.startswith("-")][:2]
    return " ".join(words if " ".join(words) in _TWO_WORDS else words[:1])


def failed(error: TunebookError, *, arguments: Sequence[str]) -> ExitCode:
    """Prints an error that ended a verb, with `--json` as a document; returns the exit code."""
    if "--json" in arguments:
        print_json(_command(arguments), error.exit_code, {}, errors=error.problems)
    else:
        print_explained(error.problems, error.exit_code, every="--all" in arguments)
    return error.exit_code
