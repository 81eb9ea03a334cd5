"""Changes a file's bytes as a damaged disk, another program or a hostile person would."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

from stress.hostile_values import json_fragments, long_texts, texts

__all__ = ["mutated"]

_NUMBER = re.compile(rb"\d+(?:\.\d+)?")
_WORD = re.compile(rb"[\w./-]{2,}")
_PLACE = "\ue000place\ue000"


def mutated(content: bytes, random: Random) -> bytes:
    """The content with one to three changes."""
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        change = random.choice(_CHANGES)
        content = change(content, random)
    return content


def _hostile(random: Random) -> bytes:
    pool = long_texts() if random.random() < 0.2 else texts()
    return random.choice(pool).encode("utf-8", "surrogatepass")


def _json_value(content: bytes, random: Random) -> bytes:
    """Another value, or none, somewhere in a JSON document or in one of its lines; elsewhere a cell or a word."""
    lines = content.split(b"\n")
    chosen = random.randrange(len(lines))
    for text, put in ((content, None), (lines[chosen], chosen)):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            continue
        changed = json.dumps(_with_place(document, random)).replace(json.dumps(_PLACE), random.choice(json_fragments()))
        if put is None:
            return changed.encode()
        return b"\n".join([*lines[:put], changed.encode(), *lines[put + 1 :]])
    return _word(content, random)


def _with_place(document: Any, random: Random) -> Any:
    """The document with a place for a fragment, at any depth; sometimes it lacks a key instead."""
    if not isinstance(document, dict | list) or not document or random.random() < 0.15:
        return _PLACE
    keys = list(document) if isinstance(document, dict) else list(range(len(document)))
    key = random.choice(keys)
    changed = dict(document) if isinstance(document, dict) else list(document)
    if random.random() < 0.1:
        del changed[key]
        return changed
    changed[key] = _with_place(document[key], random)
    return changed


def _word(content: bytes, random: Random) -> bytes:
    found = list(_WORD.finditer(content))
    if not found:
        return _hostile(random)
    word = random.choice(found)
    return content[: word.start()] + _hostile(random) + content[word.end() :]


def _number(content: bytes, random: Random) -> bytes:
    found = list(_NUMBER.finditer(content))
    if not found:
        return _word(content, random)
    number = random.choice(found)
    fragment = random.choice(json_fragments()).encode("utf-8", "surrogatepass")
    return content[: number.start()] + fragment + content[number.end() :]


def _cell(content: bytes, random: Random) -> bytes:
    """The value after a colon or between two pipes of one line."""
    lines = content.split(b"\n")
    number = random.randrange(len(lines))
    mark = b"|" if lines[number].count(b"|") > 1 else b":"
    parts = lines[number].split(mark)
    parts[random.randrange(len(parts))] = b" " + _hostile(random) + b" "
    lines[number] = mark.join(parts)
    return b"\n".join(lines)


def _lines(content: bytes, random: Random) -> bytes:
    lines = content.split(b"\n")
    first, second = random.randrange(len(lines)), random.randrange(len(lines))
    kind = random.randrange(4)
    if kind == 0:
        del lines[first]
    elif kind == 1:
        lines.insert(first, lines[second])
    elif kind == 2:
        lines[first], lines[second] = lines[second], lines[first]
    else:
        lines[first : first + 1] = [lines[first]] * random.choice([2, 50, 2000 if len(lines[first]) < 200 else 5])
    return b"\n".join(lines)


def _bytes(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content) + 1)
    kind = random.randrange(4)
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content[:at] + random.randbytes(random.choice([1, 4, 64])) + content[at:]
    if kind == 2:
        return content[:at] + bytes([random.randrange(256)]) + content[at + 1 :]
    return content[:at] + _hostile(random) + content[at:]


def _whole(content: bytes, random: Random) -> bytes:
    kind = random.randrange(5)
    if kind == 0:
        return _hostile(random)
    if kind == 1:
        return random.choice(json_fragments()).encode("utf-8", "surrogatepass")
    if kind == 2:
        return content.decode("utf-8", "replace").encode("utf-16")
    if kind == 3:
        return content.replace(b"\n", b"\r\n")
    return b"\xef\xbb\xbf" + content


_CHANGES = (_json_value, _json_value, _word, _number, _number, _cell, _cell, _lines, _bytes, _bytes, _whole)
