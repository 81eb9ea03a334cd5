"""The documentation as a website, built once, and its pages as a reader of HTML sees them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["DOCS", "ROOT", "Page", "build", "pages_of"]

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_LOADING = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}


def build(target: Path) -> subprocess.CompletedProcess[str]:
    """Builds the site as `make docs` does."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@dataclass
class Page:
    """One page of the site.

    Attributes:
        links: the targets of its links, as they are written.
        loaded: the targets that a browser loads by itself: scripts, styles, pictures.
        anchors: the ids in it.
        paragraphs: the texts of its paragraphs, list items and cells, without code.
        glossary: the anchors of the glossary that its words link to, in their order.
    """

    path: Path
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    paragraphs: list[str] = field(default_factory=list)
    glossary: list[str] = field(default_factory=list)

    def target(self, link: str) -> tuple[Path, str]:
        """The file and the anchor that a link of this page leads to."""
        parts = urlsplit(link)
        path = (self.path.parent / unquote(parts.path)).resolve() if parts.path else self.path
        return path, unquote(parts.fragment)


class _Reader(HTMLParser):
    """Reads one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.page = Page(path)
        self._in_article = False
        self._code = 0
        self._text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collects what the tag leads to."""
        values = {name: value or "" for name, value in attrs}
        if values.get("id"):
            self.page.anchors.add(values["id"])
        if tag == "article":
            self._in_article = True
        if tag == "a" and "href" in values:
            self.page.links.append(values["href"])
            if values.get("class") == "glossary":
                self.page.glossary.append(urlsplit(values["href"]).fragment)
        if values.get(_LOADING.get(tag, "")) and values.get("rel") not in {"canonical", "next", "prev"}:
            self.page.loaded.append(values[_LOADING[tag]])
        if tag in {"code", "pre"}:
            self._code += 1
        if tag in {"p", "li", "td"} and self._in_article:
            self._text = []

    def handle_endtag(self, tag: str) -> None:
        """Ends a text."""
        if tag == "article":
            self._in_article = False
        if tag in {"code", "pre"}:
            self._code -= 1
        if tag in {"p", "li", "td"} and self._text is not None:
            self.page.paragraphs.append("".join(self._text))
            self._text = None

    def handle_data(self, data: str) -> None:
        """Keeps the words of a text."""
        if self._text is not None and not self._code:
            self._text.append(data)


def pages_of(site: Path) -> Iterator[Page]:
    """Every page of the site."""
    for path in sorted(site.rglob("*.html")):
        reader = _Reader(path.resolve())
        reader.feed(path.read_text(encoding="utf-8"))
        yield reader.page
