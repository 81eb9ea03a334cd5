"""Links a word of the glossary where it first appears on a page.

A word is a heading of ``docs/glossary.md``. Its other spellings are in a comment below it: ``<!-- words: … -->``; they
take the place of the heading where the heading itself is too common a word, as a verb for example.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

_GLOSSARY = "glossary.md"
_ENTRY = re.compile(r"^## (?P<title>.+)\n(?:<!-- words: (?P<words>.+) -->\n)?(?P<text>(?:(?!## ).*\n?)*)", re.MULTILINE)
_TAG = re.compile(r"(<!--.*?-->|<[^>]+>)", re.DOTALL)
_ANCHOR = slugify(case="lower")
_NAME = re.compile(r"</?([a-zA-Z0-9]+)")
_CLOSED = ("a", "code", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "script", "style", "svg", "th", "button")
"""Elements whose texts get no links."""


@dataclass(frozen=True)
class _Word:
    anchor: str
    summary: str
    spellings: tuple[str, ...]


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Returns the page with its links to the glossary."""
    glossary = files.get_file_from_path(_GLOSSARY)
    if glossary is None or page.file is glossary or page.file.src_uri.startswith("project/"):
        return html
    words = _words((Path(config.docs_dir) / _GLOSSARY).read_text(encoding="utf-8"))
    return linked(html, words, glossary.url_relative_to(page.file))


def _words(text: str) -> list[_Word]:
    return [_word(entry["title"], entry["words"], entry["text"]) for entry in _ENTRY.finditer(text)]


def _word(title: str, words: str | None, text: str) -> _Word:
    plain = title.replace("`", "")
    names = words.split(", ") if words else [re.sub(r" \(.*\)", "", plain)]
    first = re.split(r"(?<=[.:]) ", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", " ".join(text.split())))[0]
    return _Word(_ANCHOR(plain, "-"), re.sub(r"[`*]", "", first), tuple(names))


def linked(html: str, words: list[_Word], url: str) -> str:
    """Links the first appearance of each word, outside of code, headings and other links."""
    by_spelling = {spelling.lower(): word for word in words for spelling in word.spellings}
    spellings = "|".join(_pattern(spelling) for spelling in sorted(by_spelling, key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w@=/.-])(?:{spellings})(?![\w=-])", re.IGNORECASE)
    seen: set[str] = set()

    def link(match: re.Match[str]) -> str:
        word = by_spelling.get(_key(match[0])) or by_spelling[_key(match[0]).removesuffix("s")]
        if word.anchor in seen:
            return match[0]
        seen.add(word.anchor)
        title = escape(unescape(word.summary), quote=True)
        return f'<a class="glossary" href="{url}#{word.anchor}" title="{title}">{match[0]}</a>'

    return "".join(pattern.sub(link, text) if is_open else text for text, is_open in _texts(html))


def _pattern(spelling: str) -> str:
    """A spelling and its plural, across a line's end, with either apostrophe."""
    return re.escape(spelling).replace(r"\ ", r"\s+").replace("'", "(?:'|’|&#39;)") + "s?"


def _key(found: str) -> str:
    return " ".join(found.lower().replace("’", "'").replace("&#39;", "'").split())


def _texts(html: str) -> Iterator[tuple[str, bool]]:
    """The tags and the texts of a page in their order, each with whether it may get a link."""
    depth = 0
    for part in _TAG.split(html):
        name = _NAME.match(part)
        if not part.startswith("<"):
            yield part, depth == 0
            continue
        if name and name[1].lower() in _CLOSED:
            depth += -1 if part.startswith("</") else 0 if part.endswith("/>") else 1
        yield part, False


__all__ = ["linked", "on_page_content"]
