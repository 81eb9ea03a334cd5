"""Arguments that no verb takes: the words of the command line's library, made to say the value and what is allowed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import StringIO
from typing import Any

import typer

from tunebook.cli.output import failed
from tunebook.cli.visible import visible_text
from tunebook.errors import UsageError

__all__ = ["WRONG_USAGE", "wrong_usage"]

WRONG_USAGE: Any = typer.BadParameter.__mro__[2]  # of the command line itself; Typer exports only this kind of it
_WORDS = {
    "int_parsing": "is not a whole number",
    "int_from_float": "is not a whole number",
    "float_parsing": "is not a number",
    "greater_than_equal": "is less than {ge}",
    "less_than_equal": "is more than {le}",
}


def wrong_usage(error: Any, arguments: Sequence[str]) -> int:
    """Reports the error: with `--json` as a document, otherwise with the usage of the verb; returns the exit code."""
    _name_value(error)
    if "--json" in arguments:
        return failed(UsageError(error.format_message(), hint=_hint(error)), arguments=arguments)
    shown = StringIO()
    error.show(file=shown)
    sys.stderr.write(visible_text(shown.getvalue()))
    return int(error.exit_code)


def _name_value(error: Any) -> None:
    """Puts a plain sentence in place of that of the library that checks values."""
    checked = getattr(error.__cause__, "errors", None)
    if checked is None:
        return
    found = checked()[0]
    words = _WORDS.get(found["type"])
    if words is None:
        error.message = str(error.message).removeprefix("Value error, ")
    else:
        error.message = f"'{found['input']}' {words.format(**found.get('ctx', {}))}"


def _hint(error: Any) -> str:
    if error.ctx is None or error.ctx.parent is not None or getattr(error, "option_name", "") != "--json":
        return f"see `{error.ctx.command_path if error.ctx else 'tunebook'} --help`"
    return "write `--json` after the verb: `tunebook status --json`"
