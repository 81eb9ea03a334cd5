"""The command line: the verbs, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tunebook import __version__, api
from tunebook.cli.bug import bug_report
from tunebook.cli.ending import end_interrupted
from tunebook.cli.output import failed
from tunebook.cli.streams import end_output, is_of_output, prepare_streams, say_output_lost, use_utf8
from tunebook.cli.verbs import SETTINGS, Verbs
from tunebook.cli.wrong_usage import WRONG_USAGE, wrong_usage
from tunebook.errors import ExitCode, TunebookError, os_problem

__all__ = ["app", "main"]

app = typer.Typer(name="tunebook", cls=Verbs, no_args_is_help=True, **SETTINGS)
_COLLECT_AFTER = 100_000  # objects; the values of a sweep live as long as the command, and Python would look often


def _print_version(is_asked: bool) -> None:  # noqa: FBT001 - Typer passes the value of the option
    if is_asked:
        typer.echo(f"tunebook {__version__}")
        raise typer.Exit


@app.callback()
def tunebook(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """From an experiment's plan to fine-tuned, evaluated and reported language models."""


def main() -> None:
    """Runs one verb; ends the process with its exit code."""
    gc.set_threshold(_COLLECT_AFTER)
    api.interrupt_on_signals()
    try:
        use_utf8()
        prepare_streams()
        code = app(standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):  # Typer raises the second one at a question
        end_interrupted()
    except SystemExit:
        raise
    except Exception as error:  # noqa: BLE001  the last boundary
        prepare_streams()
        code = _shown(error, sys.argv[1:])
    if code == ExitCode.INTERRUPTED:  # Typer's, for whatever signal
        end_interrupted()
    sys.exit(end_output(code))


def _shown(error: Exception, arguments: Sequence[str]) -> int:
    """Does what :func:`_told` does, where the output can be written."""
    if isinstance(error, OSError) and is_of_output(error) and not _is_here_deleted():
        return say_output_lost(error)
    try:
        return _told(error, arguments)
    except OSError as lost:
        return say_output_lost(lost)


def _told(error: Exception, arguments: Sequence[str]) -> int:
    """Prints an error, or writes it as a document; returns the exit code."""
    if isinstance(error, WRONG_USAGE):
        return wrong_usage(error, arguments)
    if isinstance(error, BrokenPipeError):
        return ExitCode.FAILED
    if isinstance(error, TunebookError):
        return failed(error, arguments=arguments)
    if isinstance(error, OSError):
        return failed(_problem_of(error), arguments=arguments)
    return failed(bug_report(error, arguments=arguments), arguments=arguments)


def _problem_of(error: OSError) -> TunebookError:
    if _is_here_deleted():
        return TunebookError("the directory that you are in was deleted", hint="`cd` to another one")
    return TunebookError([os_problem(error)])


def _is_here_deleted() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False
