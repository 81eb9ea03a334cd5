"""Questions on a terminal: Ctrl-C or the end of the input at any of them interrupts the verb."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["answered", "confirmed", "on_terminal"]


def on_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def answered(question: Any) -> Any:
    """A person's answer to a question of questionary; the end of the input counts as an interrupt."""
    try:
        return question.unsafe_ask()
    except EOFError:
        raise KeyboardInterrupt from None


def confirmed(question: str, *, default: bool = True) -> bool:
    """Asks a question for yes or no; an empty answer means the default."""
    import questionary

    return bool(answered(questionary.confirm(question, default=default)))
