"""The documentation's site: every page is there, every link leads somewhere, and nothing comes from another host."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from support.make_drawings import DRAWINGS, IMAGES
from support.website import DOCS, ROOT, Page, pages_of

_TAKEN_UP = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
_MARKDOWN = re.compile(r"\]\(|\*\*|^\s*(?:\||[-*] |\d\. |#+ )|\n\s*(?:\||[-*] )|^```", re.MULTILINE)
"""Signs that a text was not understood as Markdown."""


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {page.path: page for page in pages_of(site)}


def test_every_document_is_a_page_and_in_the_navigation(site: Path, pages: dict[Path, Page]) -> None:
    documents = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    documents |= {Path("project") / f"{Path(name).stem.lower()}.html" for name in _TAKEN_UP}
    home = pages[(site / "index.html").resolve()]
    listed = {home.target(link)[0] for link in home.links if not urlsplit(link).scheme}
    for document in documents:
        assert (site / document).resolve() in pages, document
        assert (site / document).resolve() in listed, f"{document} is not in the navigation"


def test_every_link_and_anchor_leads_somewhere(pages: dict[Path, Page]) -> None:
    wrong = []
    for page in pages.values():
        if page.path.name == "404.html":
            continue  # its links are those of a server
        for link in page.links:
            if urlsplit(link).scheme in {"http", "https", "mailto"}:
                continue
            path, anchor = page.target(link)
            is_there = path.exists() and (not anchor or path not in pages or anchor in pages[path].anchors)
            if not is_there:
                wrong.append(f"{page.path.name}: {link}")
    assert not wrong, "\n".join(wrong)


def test_nothing_is_loaded_from_another_host(site: Path, pages: dict[Path, Page]) -> None:
    loaded = {target for page in pages.values() for target in page.loaded}
    assert not {target for target in loaded if urlsplit(target).scheme or target.startswith("//")}
    styles = "\n".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.findall(r"url\(['\"]?(?:https?:)?//[^)]*\)|@import", styles)


def test_no_text_still_looks_like_markdown(pages: dict[Path, Page]) -> None:
    """GitHub's Markdown accepts some lists and tables that the site's does not."""
    wrong = [
        f"{page.path.name}: {text[:100]!r}"
        for page in pages.values()
        for text in page.paragraphs
        if _MARKDOWN.search(text)
    ]
    assert not wrong, "\n".join(wrong)


def test_a_word_of_the_glossary_is_linked_once_on_a_page(pages: dict[Path, Page]) -> None:
    for page in pages.values():
        assert len(page.glossary) == len(set(page.glossary)), page.path
    linked = {anchor for page in pages.values() for anchor in page.glossary}
    headings = re.findall(r"^## ", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(linked) > 0.8 * len(headings), f"only {len(linked)} of {len(headings)} words are linked anywhere"


def test_every_page_has_a_description_of_its_own(pages: dict[Path, Page]) -> None:
    found = {}
    for path in pages:
        described = re.search(r'<meta name="description" content="([^"]*)">', path.read_text(encoding="utf-8"))
        assert described is not None, path
        found[path] = described[1]
    assert len(set(found.values())) == len(found)
    assert all(len(text) > len("Nothing.") for text in found.values())


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_what_its_script_draws(name: str) -> None:
    """After a change: python -m support.make_drawings."""
    assert (IMAGES / name).read_text(encoding="utf-8") == DRAWINGS[name]()


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_words_of_a_drawing_fit_into_their_boxes(name: str) -> None:
    """By the width of a wide letter: fonts differ from system to system."""
    reader = _Boxes()
    reader.feed(DRAWINGS[name]())
    assert reader.texts
    for text, width, is_bold in reader.texts:
        assert len(text) * (8.3 if is_bold else 7.6) <= width, text


class _Boxes(HTMLParser):
    """Each text of a drawing with the width of its box, which comes before it."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[tuple[str, float, bool]] = []
        self._width = 0.0
        self._is_bold: bool | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "rect":
            self._width = float(values["width"] or 0)
        self._is_bold = "font-weight" in values if tag == "text" else None

    def handle_data(self, data: str) -> None:
        if self._is_bold is not None:
            self.texts.append((data, self._width, self._is_bold))
            self._is_bold = None


@pytest.fixture(scope="module")
def glossary_hook() -> Any:
    spec = spec_from_file_location("glossary_hook", ROOT / "website" / "hooks" / "glossary.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>One adapter, two adapters.</p>", "<p>One [adapter], two adapters.</p>"),
        ("<p>Adapters first.</p>", "<p>[Adapters] first.</p>"),
        ("<h2>Adapter</h2><p>the adapter</p>", "<h2>Adapter</h2><p>the [adapter]</p>"),
        ("<p><code>adapter</code> adapter</p>", "<p><code>adapter</code> [adapter]</p>"),
        ('<p><a href="x">adapter</a> adapter</p>', '<p><a href="x">adapter</a> [adapter]</p>'),
        ("<p>McNemar’s\ntest</p>", "<p>[McNemar’s\ntest]</p>"),
        ("<p>adapter-like, preadapter</p>", "<p>adapter-like, preadapter</p>"),
        ("<p>cap.py@adapter, adapter=x</p>", "<p>cap.py@adapter, adapter=x</p>"),
        ('<img alt="adapter"><p>x</p>', '<img alt="adapter"><p>x</p>'),
    ],
)
def test_where_words_are_linked(glossary_hook: Any, html: str, expected: str) -> None:
    words = glossary_hook._words("## Adapter\nSmall weights.\n\n## McNemar's test\nA test.\n")
    found = glossary_hook.linked(html, words, "g.html")
    assert re.sub(r'<a class="glossary"[^>]*>(.*?)</a>', r"[\1]", found, flags=re.DOTALL) == expected
