"""Recognizes tokens and passwords in shell commands and in texts that tunebook would copy into files."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import quote

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
_SECRET_NAME = re.compile(
    r"(TOKEN|KEY|SECRET|PASSWORD|PASSWD|PASSPHRASE|_PASS|_PAT|JWT|CREDENTIALS?)$",
    re.IGNORECASE,
)
_LEAST = 8  # characters: shorter values switch something on or off
# What Hugging Face, OpenAI and Anthropic, GitHub, GitLab, AWS, Slack and Google give out; web tokens; private keys.
KNOWN_TOKEN = re.compile(
    r"\b(hf_[A-Za-z0-9]{16,}|sk-[\w-]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|AKIA[0-9A-Z]{16}"
    r"|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|AIza[\w-]{30,}"
    r"|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,})"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----"
)
# The user and the password of an address; not one that the shell fills in, or that a program has masked.
_LOGIN = re.compile(r"(?<=://)[^\s/:@\"'`$<>{}*]*:[^\s/@\"'`$<>{}*]+(?=@)")


def literal_secret(command: str) -> str:
    """What in a shell command is a secret in plain text: a variable's name, or ``a token``; empty if nothing is.

    A value that the shell reads when the command runs (``$(cat ~/.token)``, ``$TOKEN``) or a path is not a secret.
    """
    for name, value in _ASSIGNMENT.findall(command):
        if _is_secret(name, value) or KNOWN_TOKEN.search(value) or _LOGIN.search(value):
            return str(name)
    if _LOGIN.search(command):
        return "a password"
    return "a token" if KNOWN_TOKEN.search(command) else ""


def secrets_of_commands(text: str) -> frozenset[str]:
    """The values of secrets that a text of shell commands assigns in plain text, and the logins of its addresses."""
    named = (value for name, value in _ASSIGNMENT.findall(text) if _is_secret(name, value))
    return frozenset((*named, *_logins(text)))


def secrets_of_environment(environment: Mapping[str, str]) -> frozenset[str]:
    """The values of variables whose names are those of secrets, and the logins of addresses in any variable."""
    named = (value for name, value in environment.items() if _is_secret(name, value))
    return frozenset((*named, *(login for value in environment.values() for login in _logins(value))))


def secret_pattern(values: Collection[str], *, logins: bool = False) -> re.Pattern[bytes]:
    """Matches these values, and every token of a form that is known, in the bytes of a file.

    Args:
        logins: whether user and password of every address count, whoever they belong to.
    """
    longest_first = sorted(values, key=lambda value: (-len(value), value))
    forms = [re.escape(form) for value in longest_first for form in _written(value)]
    patterns = [KNOWN_TOKEN.pattern, *([_LOGIN.pattern] if logins else [])]
    return re.compile(b"|".join([*forms, *(pattern.encode() for pattern in patterns)]))


def _written(value: str) -> Iterator[bytes]:
    """A value as it is, and as JSON and addresses write it."""
    in_json = (json.dumps(value, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False))
    in_address = quote(value.encode("utf-8", "surrogateescape"), safe="")
    for form in dict.fromkeys((value, *in_json, in_address)):
        yield form.encode("utf-8", "surrogateescape")


def _logins(text: str) -> list[str]:
    return [login for login in _LOGIN.findall(text) if len(login) >= _LEAST]


def _is_secret(name: str, value: str) -> bool:
    is_place = value.startswith(("/", "~"))
    return bool(_SECRET_NAME.search(name)) and len(value) >= _LEAST and not is_place
