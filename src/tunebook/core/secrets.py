"""Recognizes tokens and passwords in shell commands that tunebook would copy into files."""

from __future__ import annotations

import re

__all__ = ["KNOWN_TOKEN", "literal_secret"]

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

    A value that the shell reads when the command runs (``$(cat ~/.token)``, ``$TOKEN``) or a path is no secret.
    """
    for name, value in _ASSIGNMENT.findall(command):
        is_secret = _SECRET_NAME.search(name) and len(value) >= _LEAST and not value.startswith(("/", "~"))
        if is_secret or KNOWN_TOKEN.search(value):
            return str(name)
    return "a token" if KNOWN_TOKEN.search(command) else ""
