"""The command line: the verbs, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import sys

import typer

from tunebook.cli import analyze, check, demo, design, run, scaffold, setup_finetune, site, status, tools
from tunebook.cli.output import failed
from tunebook.errors import ExitCode, TunebookError

__all__ = ["app", "main"]

app = typer.Typer(
    name="tunebook",
    help="From an experiment's page to fine-tuned, evaluated and reported language models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in (design, check, scaffold, setup_finetune, run, status, analyze, site, tools, demo):
    module.register(app)


def main() -> None:
    """Runs one verb; ends the process with its exit code."""
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
