"""Reads a hypothesis: a contrast such as ``lora_rank = 64 > lora_rank = 4 on capitalization``, with a name and remarks.

``>`` means a higher value of the measure, which need not be the better one; ``better than`` follows the measure's
direction.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from tunebook.core.hypotheses import Hypothesis, Margin, Relation, Side, Term, TermKind
from tunebook.core.numbers import number

__all__ = ["GRAMMAR", "HypothesisError", "has_relation", "parse_hypothesis"]

GRAMMAR = "`SIDE > SIDE`, `SIDE < SIDE`, `SIDE ≠ SIDE`, or `SIDE = SIDE within MARGIN`; then `on TASK`"
"""The forms of a contrast, for messages."""


class HypothesisError(ValueError):
    """A text that is not a hypothesis.

    Attributes:
        hint: what to write instead.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


_NAME = re.compile(r"\*\*(?P<bold>[^*]+)\*\*\s*:?\s+|(?P<plain>[^:`<>=≠≈*]{1,60}?):\s+")
_DASH = re.compile(r"(?<!\s)\s+(?:—|–|--|-)\s+(?=\S)")
_SEPARATOR = re.compile(r",|\sand\s")
_CODE = re.compile(r"`[^`]*`")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_COMPARES = re.compile(
    r"(?P<never>>=|<=|≥|≤|<>)|!=|≠|>|<|\s(?:is\s+)?(?:better|worse)\s+than\s|\s(?:equals|is\s+equal\s+to)\s|≈",
    re.IGNORECASE,
)
_QUALIFIER = re.compile(r"\s(?P<word>by\s+at\s+least|within|on|with|for)\s", re.IGNORECASE)
_MARGIN = re.compile(r"(?P<number>\S+?)\s*(?P<unit>percentage points?|points?|pp|%|percent|per\s?cent)?", re.IGNORECASE)
_KINDS = {"run": TermKind.RUN, "model": TermKind.MODEL, "task": TermKind.TASK}
_BASES = {"base", "base model", "its base model", "the base model", "their base model", "their base models"}
_EQUAL_HINT = "add a margin: `… = … within 5 points`; no data can show that two scores are exactly equal"
_REMARK_HINT = "remarks follow a dash: `rank64 > rank4 — because …`"


def has_relation(text: str) -> bool:
    """Whether a text in Markdown compares something, so that it may be meant as a hypothesis."""
    masked = f" {_masked(_plain(text))} "
    return _COMPARES.search(masked) is not None or ("=" in masked and " within " in masked)


def parse_hypothesis(text: str, line: int = 0) -> Hypothesis:
    """The hypothesis of a list's item.

    Raises:
        HypothesisError: the text is not one, or may mean several things.
    """
    whole = " ".join(text.split())
    name, rest = _split_name(_plain(whole))
    rest, words = _split_words(rest)
    left, relation, right, qualifiers = _split_relation(rest)
    margin = _margin(relation, qualifiers)
    sides = _side(left, "left"), _side(right, "right")
    if "for" in qualifiers and not qualifiers["for"]:
        raise HypothesisError("`for` names nothing", "write `for RUN`, or `for lr = 1e-4`")
    return Hypothesis(
        text=whole,
        contrast=rest,
        left=sides[0],
        relation=relation,
        right=sides[1],
        margin=margin,
        name=name,
        words=words,
        task=_one_name(qualifiers, "on", "TASK").removeprefix("task "),
        measure=_one_name(qualifiers, "with", "MEASURE"),
        only=_side(qualifiers["for"], "for") if "for" in qualifiers else (),
        line=line,
    )


def _plain(text: str) -> str:
    """The text without Markdown's escapes; names between backticks stay as they are."""
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [html.unescape(_ESCAPE.sub(r"\1", part)) for part in parts[::2]]
    return "".join(parts)


def _masked(text: str) -> str:
    """The text with a letter for each character between backticks, so that positions stay the same."""
    return _CODE.sub(lambda match: "x" * len(match[0]), text)


def _split_name(text: str) -> tuple[str, str]:
    match = _NAME.match(text)
    if match is None:
        return "", text.replace("**", "")
    name = (match["bold"] or match["plain"]).strip()
    return name.removesuffix(":").rstrip() or name, text[match.end() :].replace("**", "").strip()


def _split_words(text: str) -> tuple[str, str]:
    """The contrast, and the author's remark behind it."""
    masked = _masked(text)
    dash = _DASH.search(masked)
    words: list[str] = []
    end = len(text)
    while True:
        remark = _remark_start(masked, end)
        if dash is not None and dash.start() < (end if remark is None else remark):
            words.append(text[dash.end() : end].strip())
            end, dash = dash.start(), None
        elif remark is not None:
            words.append(text[remark:end].strip().removesuffix(".")[1:-1].strip())
            end = remark
        else:
            break
    return text[:end].strip().removesuffix("."), " ".join(reversed(words))


def _remark_start(text: str, end: int) -> int | None:
    """Where the remark in parentheses before ``end`` begins, with the white space before it; ``None`` without one."""
    close = end - 1 if text.endswith(")", 0, end) else end - 2
    if close < 0 or text[close:end] not in {")", ")."}:
        return None
    start = max(text.rfind("(", 0, close), text.rfind(")", 0, close))
    if start <= 0 or text[start] != "(" or not text[start - 1].isspace():
        return None
    while start > 0 and text[start - 1].isspace():
        start -= 1
    return start


def _split_relation(text: str) -> tuple[str, Relation, str, dict[str, str]]:
    """Both sides, the relation between them, and the texts of the qualifiers behind them by their word."""
    masked = f" {_masked(text)} "  # so that words at its ends are between blanks
    padded = f" {text} "
    found = list(_COMPARES.finditer(masked))
    if len(found) > 1:
        raise HypothesisError(f"`{text}` compares more than two sides", "write one hypothesis for each pair of sides")
    if found and found[0]["never"]:
        hint = "write `>` or `<`; `A > B by at least -2 points` says that A is at most 2 points below B"
        raise HypothesisError(f"`{found[0][0]}` is not a relation that a test decides", hint)
    start, end = found[0].span() if found else _equals_sign(text, masked)
    relation = _relation(found[0][0] if found else "=")
    before = _QUALIFIER.search(masked[:start])
    if before is not None:
        hint = "write it at the end: `rank64 > rank4 on TASK`; a name with spaces needs backticks"
        raise HypothesisError(f"`{before['word']}` stands before the relation in `{text}`", hint)
    right, qualifiers = _qualifiers(padded[end:], masked[end:])
    return padded[:start].strip(), relation, right, qualifiers


def _relation(text: str) -> Relation:
    words = text.lower().split()
    if "better" in words or "worse" in words:
        return Relation.BETTER if "better" in words else Relation.WORSE
    if "equal" in words or text.strip().lower() in {"=", "≈", "equals"}:
        return Relation.EQUAL
    return Relation.DIFFERENT if text in {"!=", "≠"} else Relation(text)


def _equals_sign(text: str, masked: str) -> tuple[int, int]:
    """The place of the ``=`` that compares: each setting on both sides has one of its own."""
    qualifier = _QUALIFIER.search(masked)
    end = qualifier.start() if qualifier else len(masked)
    places = [match.start() for match in re.finditer("=", masked[:end])]
    comparing = _comparing_signs(masked[:end])
    may_be = [place for place in places if place in comparing]
    if not may_be:
        raise HypothesisError(f"`{text}` compares nothing", f"write {GRAMMAR}")
    if len(may_be) > 1:
        hint = "write `equals` for the one that compares: `lora_rank = 64 equals base within 5 points`"
        raise HypothesisError(f"`{text}` may be read in {len(may_be)} ways: it is not clear which `=` compares", hint)
    if len(places) == 1 and qualifier is None:
        raise HypothesisError(f"`{text}` says `=` without a margin", _EQUAL_HINT)
    return may_be[0], may_be[0] + 1


def _comparing_signs(text: str) -> set[int]:
    """The places of each ``=`` that leaves at most one in every term on both of its sides, and no term empty."""
    starts = [0, *(match.end() for match in _SEPARATOR.finditer(text))]
    ends = [*(match.start() for match in _SEPARATOR.finditer(text)), len(text)]
    terms = list(zip(starts, ends, strict=True))
    unfit = [term for term in terms if not _is_term(text, *term)]
    if len(unfit) > 1:
        return set()
    found = set()
    for start, end in unfit or terms:
        signs = [match.start() for match in re.finditer("=", text[start:end])]
        for sign in signs[:2] if len(signs) <= 3 else ():  # noqa: PLR2004  one on each side, and the one that compares
            place = start + sign
            if _is_term(text, start, place) and _is_term(text, place + 1, end):
                found.add(place)
    return found


def _is_term(text: str, start: int, end: int) -> bool:
    term = text[start:end]
    return bool(term.strip()) and term.count("=") <= 1


def _qualifiers(text: str, masked: str) -> tuple[str, dict[str, str]]:
    """The right side, and each qualifier's text by its word."""
    marks = list(_QUALIFIER.finditer(masked))
    starts = [mark.start() for mark in marks]
    found: dict[str, str] = {}
    for mark, end in zip(marks, [*starts[1:], len(text)], strict=False):
        word = " ".join(mark["word"].lower().split())
        if word in found:
            raise HypothesisError(f"`{word}` is given twice", "keep one of them; a name with spaces needs backticks")
        found[word] = text[mark.end() : end].strip(" ,")
    return text[: next(iter(starts), len(text))].strip(" ,"), found


def _margin(relation: Relation, qualifiers: dict[str, str]) -> Margin | None:
    within, at_least = qualifiers.get("within"), qualifiers.get("by at least")
    if relation is Relation.EQUAL:
        if within is None:
            raise HypothesisError("`=` has no margin", _EQUAL_HINT)
        if at_least is not None:
            raise HypothesisError("`by at least` does not fit `=`", "write `within MARGIN`, or another relation")
        return _read_margin(within, may_be_negative=False)
    if within is not None:
        raise HypothesisError(f"`within` does not fit `{relation.value}`", "write `A = B within MARGIN`")
    if at_least is None:
        return None
    if relation is Relation.DIFFERENT:
        hint = "write `A > B by at least MARGIN`: a difference of a minimum size needs a direction"
        raise HypothesisError("`by at least` does not fit `≠`", hint)
    return _read_margin(at_least, may_be_negative=True)


def _read_margin(text: str, *, may_be_negative: bool) -> Margin:
    match = _MARGIN.fullmatch(text)
    value = number(match["number"].replace("−", "-")) if match else None
    if match is None or value is None:
        hint = "write a number of points or of the measure's unit: `5 points`, `0.2`"
        raise HypothesisError(f"the margin `{text}` is not a number", hint)
    unit = (match["unit"] or "").lower()
    if unit == "%" or unit.replace(" ", "") == "percent":
        hint = f"write `{match['number']} points` for percentage points"
        raise HypothesisError(f"the margin `{text}` may be a part of the score or percentage points", hint)
    if unit and abs(value) >= 100:  # noqa: PLR2004  percentage points
        raise HypothesisError(f"the margin `{text}` is 100 points or more", "no two shares differ by more than that")
    if value == 0 or (value < 0 and not may_be_negative):
        raise HypothesisError(f"the margin `{text}` must be above 0", "write `5 points`, for example")
    return Margin(value / 100 if unit else value, bool(unit), text)


def _one_name(qualifiers: dict[str, str], word: str, what: str) -> str:
    if word not in qualifiers:
        return ""
    text = qualifiers[word]
    if not text:
        raise HypothesisError(f"`{word}` names nothing", f"write `{word} {what}`")
    if _CODE.fullmatch(text):
        return text.strip("`").strip()
    plain = text.removeprefix("task ") if word == "on" else text
    if re.search(r"[\s,`]", plain):
        hint = f"name one; a name with spaces needs backticks, and {_REMARK_HINT}"
        raise HypothesisError(f"`{word} {text}` is not one name", hint)
    return text


def _parts(text: str) -> list[str]:
    """The terms of a side, which commas or ``and`` separate."""
    return _SEPARATOR.split(text)


def _side(text: str, where: str) -> Side:
    if not text:
        raise HypothesisError(f"nothing is on the {where} side", f"write {GRAMMAR}")
    return tuple(_terms(text))


def _terms(text: str) -> Iterator[Term]:
    position = 0
    for part in _parts(_masked(text)):
        yield _term(text[position : position + len(part)].strip(), text)
        position += len(part)
        separator = _SEPARATOR.match(text, position)
        position = separator.end() if separator else position


def _term(text: str, side: str) -> Term:
    if not text:
        raise HypothesisError(f"a term is missing in `{side}`", "remove the comma, or write what it should be")
    if text.lower() in _BASES:
        return Term(TermKind.BASE, "base")
    key, sign, value = _split_setting(text)
    if sign:
        if not key or not value:
            raise HypothesisError(f"`{text}` is not a setting", "write `lora_rank = 64`")
        if key.lower() in {"model", "task", "run"}:
            return Term(_KINDS[key.lower()], _name(value, text))
        return Term(TermKind.SETTING, key.strip("`"), _name(value, text))
    word, _, rest = text.partition(" ")
    if word.lower() in _KINDS and rest.strip():
        return Term(_KINDS[word.lower()], _name(rest.strip(), text))
    return Term(TermKind.NAME, _name(text, text))


def _split_setting(text: str) -> tuple[str, str, str]:
    place = _masked(text).find("=")
    if place < 0:
        return text, "", ""
    return text[:place].strip(), "=", text[place + 1 :].strip()


def _name(text: str, term: str) -> str:
    if _CODE.fullmatch(text):
        return text.strip("`").strip()
    if re.search(r"[\s`]", text):
        hint = f"a setting is `lora_rank = 64`; a name with spaces needs backticks; {_REMARK_HINT}"
        raise HypothesisError(f"`{term}` is not a run, a setting, a level, a model or a task", hint)
    return text
