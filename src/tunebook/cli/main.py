"""The command line: the verbs, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from tunebook import __version__, api
from tunebook.cli import analyze, check, demo, design, import_, run, scaffold, setup_finetune, site, status, tools
from tunebook.cli.output import failed
from tunebook.errors import ExitCode, TunebookError, os_problem

__all__ = ["app", "main"]

app = typer.Typer(
    name="tunebook",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # plain help: the formatted one imports a Markdown parser, and takes as long as all the rest
    pretty_exceptions_enable=False,
)
_TOOLS = api.tool_names()
design.register(app)
import_.register(app)
check.register(app)
scaffold.register(app, _TOOLS)
setup_finetune.register(app)
run.register(app, _TOOLS)
status.register(app)
analyze.register(app)
site.register(app)
tools.register(app)
demo.register(app)


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
        sys.exit(failed(TunebookError([os_problem(error)]), arguments=sys.argv[1:]))
