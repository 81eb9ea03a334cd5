"""Reads a JSON document piece by piece, so that a large file is never in memory as a whole.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, TextIO

__all__ = ["LONGEST_VALUE", "JsonStream", "parse_json"]

LONGEST_VALUE = 2**25
"""The characters of one value, such as an example of a data set; a longer one is refused."""

_CHUNK = 2**20
_SPACE = re.compile(r"[ \t\n\r]*")
_LONGEST_TOKEN = 16  # a literal, an escape or a separator that the end of the buffer may have torn


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuses an object with one key twice: Python would silently keep the last value."""
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key in counts if counts[key] > 1)
        raise ValueError(f"the key `{twice}` appears twice in one object")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def parse_json(text: str) -> Any:
    """Parses one JSON value.

    Raises:
        ValueError: it is not JSON, or an object has one key twice.
    """
    try:
        value, end = _DECODER.raw_decode(text, _end_of_space(text, 0))
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON: {error.msg} (character {error.pos + 1})") from None
    except RecursionError:
        raise ValueError("not usable JSON: nested too deeply") from None
    end = _end_of_space(text, end)
    if end != len(text):
        raise ValueError(f"not valid JSON: text follows the value (character {end + 1})")
    return value


def _end_of_space(text: str, start: int) -> int:
    match = _SPACE.match(text, start)
    return start if match is None else match.end()


class JsonStream:
    """A position in a JSON document, with the number of its line."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._buffer = ""
        self._at = 0
        self._line = 1
        self._counted = 0

    @property
    def line(self) -> int:
        """The line of the position, from 1."""
        self._line += self._buffer.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def next_character(self) -> str:
        """The next character that is not white space, without taking it; empty at the document's end."""
        while True:
            self._at = _end_of_space(self._buffer, self._at)
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._fill():
                return ""

    def value(self) -> Any:
        """Takes one whole value."""
        self.next_character()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if self._is_torn(error) and self._fill_value():
                    continue
                raise ValueError(f"not valid JSON: {error.msg} (line {self._line_at(error.pos)})") from None
            except RecursionError:
                raise ValueError(f"not usable JSON: nested too deeply (line {self.line})") from None
            except ValueError as error:
                raise ValueError(f"{error} (line {self.line})") from None
            # A number at the end of the buffer may have further digits.
            if end < len(self._buffer) or not self._fill_value():
                self._at = end
                return value

    def items(self) -> Iterator[tuple[int, Any]]:
        """Takes a list; gives the line and the value of each item."""
        self._take("[")
        if self.next_character() == "]":
            self._take("]")
            return
        while True:
            self.next_character()
            line = self.line
            yield line, self.value()
            if self.next_character() != ",":
                break
            self._take(",")
        self._take("]")

    def keys(self) -> Iterator[str]:
        """Takes an object; the caller takes the value of each key before it asks for the next one."""
        self._take("{")
        if self.next_character() == "}":
            self._take("}")
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                raise ValueError(f"not valid JSON: expecting a key in double quotes (line {self.line})")  # noqa: TRY004
            self._take(":")
            yield key
            if self.next_character() != ",":
                break
            self._take(",")
        self._take("}")

    def _take(self, expected: str) -> None:
        found = self.next_character()
        if found != expected:
            what = f"`{found}`" if found else "the end of the file"
            raise ValueError(f"not valid JSON: expecting `{expected}`, found {what} (line {self.line})")
        self._at += 1

    def _fill(self) -> bool:
        """Reads more, twice as much for a value that did not fit: a long value is not parsed again for every piece."""
        chunk = self._file.read(max(_CHUNK, len(self._buffer)))
        self._line = self.line
        self._buffer = self._buffer[self._at :] + chunk
        self._at = self._counted = 0
        return bool(chunk)

    def _fill_value(self) -> bool:
        """Reads more of a value that the buffer does not hold as a whole."""
        if len(self._buffer) - self._at > LONGEST_VALUE:
            raise ValueError(f"a value has more than {LONGEST_VALUE:,} characters (line {self.line})")
        return self._fill()

    def _is_torn(self, error: json.JSONDecodeError) -> bool:
        """Whether the value may be correct, but ends behind the buffer."""
        return "Unterminated string" in error.msg or error.pos >= len(self._buffer) - _LONGEST_TOKEN

    def _line_at(self, position: int) -> int:
        return self.line + self._buffer.count("\n", self._at, position)
