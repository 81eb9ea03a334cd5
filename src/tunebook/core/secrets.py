"""Recognizes tokens and passwords in shell commands and in texts that tunebook would copy into files."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

__all__ = [
    "KNOWN_TOKEN",
    "REMOVED",
    "literal_secret",
    "secret_pattern",
    "secrets_of_commands",
    "secrets_of_environment",
]

REMOVED = b"REMOVED"
"""What takes the place of a secret; too short to be taken for a secret itself."""

_ASSIGNMENT = re.compile(r"(?<![\w$])(\w+)=[\"']?([^\s\"'$`;&|<>()]+)")
_SECRET_NAME = re.compile(r"(TOKEN|KEY|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE)
_LEAST = 8  # characters: shorter values switch something on or off
# What Hugging Face, OpenAI and Anthropic, GitHub, AWS, Slack and Google give out.
KNOWN_TOKEN = re.compile(
    r"\b(hf_[A-Za-z0-9]{16,}|sk-[\w-]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|AKIA[0-9A-Z]{16}"
    r"|xox[abprs]-[\w-]{10,}|AIza[\w-]{30,})"
)


def literal_secret(command: str) -> str:
    """What in a shell command is a secret in plain text: a variable's name, or ``a token``; empty if nothing is.

    A value that the shell reads when the command runs (``$(cat ~/.token)``, ``$TOKEN``) or a path is not a secret.
    """
    for name, value in _ASSIGNMENT.findall(command):
        if _is_secret(name, value) or KNOWN_TOKEN.search(value):
            return str(name)
    return "a token" if KNOWN_TOKEN.search(command) else ""


def secrets_of_commands(text: str) -> frozenset[str]:
    """The values of secrets that a text of shell commands assigns in plain text."""
    return frozenset(value for name, value in _ASSIGNMENT.findall(text) if _is_secret(name, value))


def secrets_of_environment(environment: Mapping[str, str]) -> frozenset[str]:
    """The values of variables whose names are those of secrets."""
    return frozenset(value for name, value in environment.items() if _is_secret(name, value))


def secret_pattern(values: Collection[str]) -> re.Pattern[bytes]:
    """Matches these values, and every token of a form that is known, in the bytes of a file."""
    longest_first = sorted(values, key=lambda value: (-len(value), value))
    forms = [re.escape(value.encode("utf-8", "surrogateescape")) for value in longest_first]
    return re.compile(b"|".join([*forms, KNOWN_TOKEN.pattern.encode()]))


def _is_secret(name: str, value: str) -> bool:
    is_place = value.startswith(("/", "~"))
    return bool(_SECRET_NAME.search(name)) and len(value) >= _LEAST and not is_place
