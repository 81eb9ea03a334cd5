"""The command line: the verbs, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from tunebook import __version__
from tunebook.cli.output import failed
from tunebook.cli.verbs import SETTINGS, Verbs
from tunebook.errors import ExitCode, TunebookError

__all__ = ["app", "main"]

app = typer.Typer(name="tunebook", cls=Verbs, no_args_is_help=True, **SETTINGS)


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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # half characters in data and names of files are shown as escapes
            stream.reconfigure(errors="backslashreplace")
    try:
        app(standalone_mode=True)
    except TunebookError as error:
        sys.exit(failed(error, arguments=sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("tunebook: interrupted\n")
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        sys.exit(ExitCode.FAILED)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        problem = TunebookError(f"{place}{error.strerror or error}", hint="is the disk full, or not writable?")
        sys.exit(failed(problem, arguments=sys.argv[1:]))
