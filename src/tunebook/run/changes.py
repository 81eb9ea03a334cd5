"""Describes what changed in the inputs of a job since it ran: settings by name and value, files by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from tunebook.core.input_digests import InputDigests
from tunebook.core.jobs import Job
from tunebook.disk.input_record import InputRecord

__all__ = ["describe_changes"]

_SETTING = re.compile(r"(?P<indent>[ \t]*)(?:- )?\"?(?P<name>[\w.-]+)\"?(?:: *| ?= ?)(?P<value>.*)", re.DOTALL)
_MOST = 2
_LONGEST = 40
_OPTION = 2  # words: an option and its value
_MARKS = "-\"':,(){}[]"


def describe_changes(job: Job, changed: Sequence[str], before: InputDigests, record: InputRecord) -> str:
    """Returns ``optimizer.lr 1e-05 → 2e-05``, or the files of a directory that changed; empty if it is not known.

    Args:
        changed: the paths of the inputs that changed.
        before: the digests with which the job ran.
    """
    parts: list[str] = []
    for number, path in enumerate(job.inputs):
        known = record.get(before.contents[number]) if path in changed else None
        if known is None:
            continue
        is_text = number < len(job.texts)
        if not is_text:
            parts += _moved(known.path, path)
        now = record.text(job, number)
        if known.text and now:
            compare = _changed_settings if is_text else _changed_files
            parts += compare(known.text, now)
    return _shortened(list(dict.fromkeys(parts)))


def _shortened(parts: Sequence[str]) -> str:
    if len(parts) <= _MOST:
        return ", ".join(parts)
    return f"{', '.join(parts[:_MOST])} and {len(parts) - _MOST} more"


def _changed_settings(before: str, now: str) -> Iterator[str]:
    old, new = _settings(before), _settings(now)
    for name in {**old, **new}:
        was, is_now = old.get(name), new.get(name)
        if was == is_now:
            continue
        if was is None:
            yield f"{name} {_short(is_now)} was added"
        elif is_now is None:
            yield f"{name} {_short(was)} was removed"
        elif len(was) > _LONGEST or len(is_now) > _LONGEST:
            yield from _changed_words(name, was, is_now)
        else:
            yield f"{name} {was} → {is_now}"


def _changed_words(name: str, before: str, now: str) -> Iterator[str]:
    """The words of a long value that changed: ``max_tokens 12 → 13``, ``max_tokens 8 was added``; or only its name."""
    old, new = before.split(), now.split()
    compared = SequenceMatcher(None, [_bare(word) for word in old], [_bare(word) for word in new], autojunk=False)
    changes = [change for change in compared.get_opcodes() if change[0] != "equal"]
    found = [_changed_part(old[a:b], new[c:d], old[a - 1 : a]) for _, a, b, c, d in changes]
    if not found or len(found) > _MOST or "" in found:
        yield name
    else:
        yield from found


def _changed_part(old: Sequence[str], new: Sequence[str], named: Sequence[str]) -> str:
    """One change of a word, or of an option with its value; empty for any other, as in a prompt.

    Args:
        named: the word in front, which names the changed one.
    """
    if len(old) == len(new) == 1 and named:
        return f"{_bare(named[0])} {old[0].strip(_MARKS)} → {new[0].strip(_MARKS)}"
    if not old and _is_option(new):
        return f"{_bare(new[0])} {_bare(new[1])} was added"
    if not new and _is_option(old):
        return f"{_bare(old[0])} {_bare(old[1])} was removed"
    return ""


def _is_option(words: Sequence[str]) -> bool:
    """Whether the words are ``--name value``, or ``"name": value``."""
    return len(words) == _OPTION and (words[0].lstrip("(").startswith("--") or words[0].endswith('":'))


def _bare(word: str) -> str:
    return word.strip(_MARKS).replace("-", "_")


def _short(value: str | None) -> str:
    text = value or ""
    return text if len(text) <= _LONGEST else "…"


def _settings(text: str) -> Mapping[str, str]:
    """Name to value of lines such as ``name: value`` and ``name=value``; a nested name has those around it in front."""
    found: dict[str, str] = {}
    around: list[tuple[int, str]] = []
    for line in text.split("\n"):
        match = _SETTING.fullmatch(line)
        if match is None:
            continue
        indent = len(match["indent"])
        while around and around[-1][0] >= indent:
            around.pop()
        name = ".".join([*(outer for _, outer in around), match["name"]])
        value = match["value"].rstrip().removesuffix(",")
        if value in {"", "{"}:
            around.append((indent, match["name"]))
        else:
            found[name] = value
    return found


def _moved(before: str, now: str) -> Iterator[str]:
    """Words about a data set or a model that the job now reads in another place."""
    old, new = before.rpartition("/")[2], now.rpartition("/")[2]
    if old != new:
        yield f"it was {old}"
    elif before != now:
        yield "it was in another place"


def _changed_files(before: str, now: str) -> Iterator[str]:
    old, new = _files(before), _files(now)
    for name in sorted({**old, **new}):
        if old.get(name) != new.get(name):
            yield name


def _files(listed: str) -> Mapping[str, str]:
    """Name to digest and size, from the list of a directory."""
    found: dict[str, str] = {}
    for item in listed.split("\0"):
        match = re.fullmatch(r"([0-9a-f]{64}(?: \d+(?= ))?) (.+)", item, re.DOTALL)
        if match is not None:
            found[match[2]] = match[1]
    return found
