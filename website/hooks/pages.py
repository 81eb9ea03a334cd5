"""Makes the navigation from the folders, describes the pages, and takes up documents that are outside of ``docs/``.

Links between documents are written as they work in the repository. Those that leave ``docs/`` are changed here: to the
page of a document that is taken up; a link to another file of the repository becomes plain text.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from html import escape, unescape
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_LINK = re.compile(r"(?<!!)\[([^\]\n]*(?:\n[^\]\n]*)?)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
_DIALOG = 'data-md-component="search" role="dialog"'
_PARAGRAPH = re.compile(r"<p>(?=\w|<code>|<strong>|<a )(.*?)</p>", re.DOTALL)
_OPTION = re.compile(r"<code>(-[\w-]+)</code>")
_FOUND_LAST = 0.1
_SHORT = 150  # letters of a description
_FENCE = re.compile(r"^(```.*?^```)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the documents from outside of ``docs/``, and lists all pages."""
    for document, uri in _taken_up(config).items():
        files.append(File.generated(config, uri, abs_src_path=str(_root(config) / document)))
    config.nav = _navigation({file.src_uri for file in files.documentation_pages()}, config.extra["sections"])
    return files


def _root(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).parent


def _taken_up(config: MkDocsConfig) -> dict[str, str]:
    """Documents outside of ``docs/`` to their pages; a star stands for the name of a folder, in both."""
    root, found = _root(config), {}
    for pattern, uri in config.extra["taken_up"].items():
        for path in sorted(root.glob(pattern)):
            found[str(path.relative_to(root))] = uri.replace("*", path.parent.name)
    return found


def _navigation(uris: set[str], sections: list[dict[str, Any]]) -> list[Any]:
    """Home, the sections in their order, and what is in no section, such as the glossary."""
    listed: list[Any] = [{"Home": "index.md"}]
    rest = uris - {"index.md"}
    for section in sections:
        pages = sorted(uri for uri in rest if uri.startswith(f"{section['folder']}/"))
        rest -= set(pages)
        if pages:
            listed.append({section["title"]: list(_entries(section, pages))})
    return listed + sorted(rest)


def _entries(section: Mapping[str, Any], pages: list[str]) -> Iterator[Any]:
    """The pages of a section: its index, the named ones, then the others."""
    left = list(pages)

    def named(names: list[str]) -> list[str]:
        found = [uri for name in names if (uri := f"{section['folder']}/{name}.md") in left]
        left[:] = [uri for uri in left if uri not in found]
        return found

    yield from named(["index"])
    yield from named(section.get("pages", []))
    for title, names in section.get("groups", {}).items():
        if found := named(names):
            yield {title: found}
    yield from left


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Changes links that leave ``docs/``. Pages outside of the sections have no neighbours to list."""
    if "/" not in page.file.src_uri:
        page.meta.setdefault("hide", ["navigation"])
    if any(PurePosixPath(page.file.src_uri).match(pattern) for pattern in config.extra["found_last"]):
        page.meta.setdefault("search", {"boost": _FOUND_LAST})
    root, taken_up = _root(config), _taken_up(config)
    documents = {uri: document for document, uri in taken_up.items()}
    here = documents.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def changed(match: re.Match[str]) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(here), target))
        uri = taken_up.get(path) or path.removeprefix("docs/")
        if files.get_file_from_path(uri) is not None:
            there = posixpath.relpath(uri, posixpath.dirname(page.file.src_uri) or ".")
            return f"[{words}]({there}{anchor})"
        return words if not path.startswith("docs/") and (root / path).exists() else match[0]

    parts = _FENCE.split(markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(changed, part) for part in parts)


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Describes the page by its first sentences, and keeps a line from ending within an option (``--json``)."""
    del config, files
    if paragraph := _PARAGRAPH.search(html):
        page.meta.setdefault("description", escape(_beginning(paragraph[1])))
    return _OPTION.sub(r'<code class="option">\1</code>', html)


def _beginning(html: str) -> str:
    """The first sentence of a paragraph as plain text, and those behind it as long as they are short together."""
    text = " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())
    first, *others = re.split(r"(?<=[.?!:]) ", text)
    for sentence in others:
        if len(first) + len(sentence) > _SHORT:
            break
        first = f"{first} {sentence}"
    return first


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Gives the search, which the theme calls a dialog, the name that a dialog must have."""
    del page, config
    return output.replace(_DIALOG, f'{_DIALOG} aria-label="Search"')
