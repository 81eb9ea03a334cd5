"""The command line: the verbs, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import sys
from io import StringIO, TextIOWrapper
from typing import Annotated, Any

import typer

from tunebook import __version__, api
from tunebook.cli import analyze, check, demo, design, import_, run, scaffold, setup_finetune, site, status, tools
from tunebook.cli.bug import bug_report
from tunebook.cli.output import failed
from tunebook.cli.visible import visible_text
from tunebook.errors import ExitCode, TunebookError

__all__ = ["app", "main"]

app = typer.Typer(
    name="tunebook",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # plain help: the formatted one imports a Markdown parser, and takes as long as all the rest
    pretty_exceptions_enable=False,
)
_WRONG_USAGE: Any = typer.BadParameter.__mro__[2]  # of the command line itself; Typer exports only this kind of it
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
        if isinstance(stream, TextIOWrapper):  # what the encoding of the terminal lacks is shown as an escape
            stream.reconfigure(errors="backslashreplace")
    arguments = sys.argv[1:]
    try:
        sys.exit(app(standalone_mode=False))
    except typer.Abort:
        sys.stderr.write("Aborted!\n")
        sys.exit(ExitCode.FAILED)
    except _WRONG_USAGE as error:
        shown = StringIO()
        error.show(file=shown)
        sys.stderr.write(visible_text(shown.getvalue()))
        sys.exit(error.exit_code)
    except TunebookError as error:
        sys.exit(failed(error, arguments=arguments))
    except KeyboardInterrupt:
        sys.stderr.write("tunebook: interrupted\n")
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        sys.exit(ExitCode.FAILED)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        problem = TunebookError(f"{place}{error.strerror or error}", hint="is the disk full, or not writable?")
        sys.exit(failed(problem, arguments=arguments))
    except Exception as error:  # noqa: BLE001  the last boundary
        sys.exit(failed(bug_report(error, arguments=arguments), arguments=arguments))
