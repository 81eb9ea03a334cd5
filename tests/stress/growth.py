"""Measures how the time that a function takes grows with its text, and makes the texts that are hardest for it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

from stress.text_functions import TextFunction

__all__ = ["Growth", "Shape", "growth_of", "shapes_for"]

_MOST_EXPONENT = 1.6
_FLOOR_S = 0.004  # below this a measurement says nothing
_ENOUGH_S = 0.06
_REPETITIONS = 4
_FACTOR = 4

_UNITS = (
    *"[]()`*_|\\ <>&-:=#~!+.,;/\"'{}$%@^?\t\n\r0aé✓“”\x00\x1b\ud800\u2028",
    *("1h", "1 h ", "1h-", "1,", "1.", "1:", "1_", "1e", "1. ", "1/", "GPU 1:", "gpu:a:1,"),
    *("](", "[a](", "![", "[x] ", "[[", "]]", "[a, ", "((", "))", "()", "(a) ", " (", "{a", "{a: ", "${", "\\${", "$a"),
    *("``", "` `", "`a", "**", "* *", "**a", "_a", "a_", "\\\\", "\\a", "\\{}", "| ", "|a", "\\|", "| a |\n", "|-|\n"),
    *("<a", "<!--", "-->", "</", "&a", "&amp;", "&#1;", "- ", "-\n", "> ", "# ", "# a\n", "```\n", "~~~\n", "- - "),
    *("a\n", "\n\n", "\r\n", "a: ", "a=", "a ", "a,", "a/", "../", "a=b ", "é ", "✓ ", "%s", "\x1b]", "key: "),
    *("a and ", "within ", " on ", " > ", " = ", "- a\n", "  - a\n", "- **a:** b\n", "    a\n", "\ta\n"),
)
_STARTS = ("", "a", "**", "`", "(", '"', "# a\n\n", "- **a:** ", "{", "1", '"a": "')
_ENDS = ("", "x", "!", "\n", ")", "`", "**", '"', "\x00")


@dataclass(frozen=True)
class Shape:
    """A text of any length: a start, a piece again and again, and an end."""

    start: str
    piece: str
    end: str

    def text(self, length: int) -> str:
        """The text with about so many characters in the middle."""
        return self.start + self.piece * (length // len(self.piece)) + self.end

    def __str__(self) -> str:
        return f"{self.start!r} + {self.piece!r} × n + {self.end!r}"


@dataclass(frozen=True)
class Growth:
    """A function that takes more than its share of time."""

    function: TextFunction
    shape: Shape
    length: int
    seconds: float
    exponent: float

    def __str__(self) -> str:
        how = f"{self.length:,} characters take {self.seconds:.3f} s, n^{self.exponent:.1f}"
        return f"{self.function.name}: {how} for {self.shape}  {self.function.pattern[:80]}"


def shapes_for(function: TextFunction, random: Random, most: int) -> list[Shape]:
    """So many of all shapes, those of a regular expression with pieces of the expression's own characters."""
    pieces = list(_UNITS)
    if function.pattern:
        own = list(dict.fromkeys(sign for sign in function.pattern if sign.isprintable() and sign not in "?\\^$"))[:16]
        pieces = own + ["".join(pair) for pair in product(own, own)] + [" ", "a", "1", "\n", "1 ", "a "]
    every = [Shape(*parts) for parts in product(_STARTS, pieces, _ENDS)]
    if most >= len(every):
        return every
    plain = [Shape("", piece, end) for piece in pieces for end in ("", "!")]
    return random.sample(plain, min(len(plain), most // 2)) + random.sample(every, most - min(len(plain), most // 2))


def growth_of(function: TextFunction, shapes: Sequence[Shape], *, longest: int) -> Growth | None:
    """The first shape with which the time grows clearly faster than the text; ``None`` if it does with no shape."""
    for shape in shapes:
        found = _growth(function, shape, longest)
        if found is not None:
            return found
    return None


def _growth(function: TextFunction, shape: Shape, longest: int) -> Growth | None:
    length, before = longest // _FACTOR**3, 0.0
    while length <= longest:
        took = _seconds(function.call, shape.text(length))
        is_fast = took < _FLOOR_S or took < before * _FACTOR**_MOST_EXPONENT
        if before and not is_fast:
            exponent, took = _confirmed(function.call, shape, length)
            if exponent > _MOST_EXPONENT:
                return Growth(function, shape, length, took, exponent)
        if took > _ENOUGH_S:
            return None
        before, length = max(took, 1e-6), length * _FACTOR
    return None


def _confirmed(call: Callable[[str], Any], shape: Shape, length: int) -> tuple[float, float]:
    """The exponent between a fourth of the length and the length, and the seconds; of several repetitions the best."""
    short, long = shape.text(length // _FACTOR), shape.text(length)
    seconds = [(_seconds(call, short), _seconds(call, long)) for _ in range(_REPETITIONS)]
    small, large = (min(column) for column in zip(*seconds, strict=True))
    return math.log(large / max(small, 1e-6), _FACTOR), large


def _seconds(call: Callable[[str], Any], text: str) -> float:
    begun = time.process_time()
    with suppress(Exception):  # a refusal is as good as an answer
        call(text)
    return time.process_time() - begun
