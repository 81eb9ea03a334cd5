"""Questions on a terminal: Ctrl-C or the end of the input at any of them interrupts the verb."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import typer

__all__ = ["agreed", "answered", "confirmed", "entered", "fitted", "on_terminal"]
_MARK = 2  # columns before a question of questionary


def on_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def answered(question: Any) -> Any:
    """A person's answer to a question of questionary; the end of the input counts as an interrupt."""
    try:
        return question.unsafe_ask()
    except EOFError:
        raise KeyboardInterrupt from None


def fitted(question: str) -> str:
    """A question in lines of whole words that fit the terminal."""
    from rich.text import Text

    from tunebook.cli.output import console
    from tunebook.cli.wrapped import wrapped

    return wrapped(Text(question), console().width - _MARK).plain


def confirmed(question: str, *, default: bool = True) -> bool:
    """Asks a question for yes or no; an empty answer means the default."""
    import questionary

    return bool(answered(questionary.confirm(fitted(question), default=default)))


def entered(question: str) -> str:
    """Asks for a line of text."""
    return str(_interruptible(typer.prompt, question))


def agreed(question: str) -> bool:
    """Asks a question for yes or no; an empty answer means no."""
    return bool(_interruptible(typer.confirm, question))


def _interruptible(ask: Callable[[str], Any], question: str) -> Any:
    try:
        return ask(question)
    except typer.Abort:
        raise KeyboardInterrupt from None
