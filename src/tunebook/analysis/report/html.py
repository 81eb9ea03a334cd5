"""``report.html``: the content as one page, escaped by Jinja and closed by a content security policy.

The page loads nothing and sends nothing. Its scripts are the package's own and Vega's, which comes with vl-convert; the
policy knows them by their hashes, allows no ``eval`` (Vega interprets its expressions) and, where browsers know Trusted
Types, lets no text become HTML. The figures' data is a JSON block in which ``<``, ``>`` and ``&`` are escaped.

A notebook shows the findings and the runs as a fragment of HTML, without scripts.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tunebook import __version__
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.theme import DARK, IN_DARK, LIGHT
from tunebook.analysis.destination import Destination
from tunebook.analysis.formatting import significance_mark
from tunebook.analysis.report.content import CODE, Block, Content, Table
from tunebook.analysis.report.library import library
from tunebook.core.encoding import readable

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["log_href", "notebook_html", "report_html"]

_SCRIPTS = ("tables.js", "samples.js", "charts.js")
_SVG_ROWS = 3_000  # with more, a canvas is quicker
_MOST_ROWS = 60  # of tables that cannot be filtered
_MOST_SAMPLES = 30  # of a kind; thousands would make the page slow
_IN_SCRIPT = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def report_html(content: Content, *, refresh_s: int | None = None, destination: Destination | None = None) -> str:
    """The page.

    Args:
        refresh_s: after how many seconds an unfinished experiment's page loads itself again; ``None`` for never.
        destination: its memory keeps Vega's scripts; ``None`` to make them again.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, auto_reload=False)
    template = environment.from_string(_text("report.html.j2"))
    own_library, script, style = library(destination), "".join(map(_text, _SCRIPTS)), _text("report.css")
    page: str = template.render(
        content=content,
        kind_of=lambda block: type(block).__name__,
        groups=_groups,
        prose=_prose,
        file=_file_stem(content.name),
        most_rows=_MOST_ROWS,
        most_samples=_MOST_SAMPLES,
        version=__version__,
        policy=_policy([own_library, script], style),
        refresh_s=None if content.is_finished else refresh_s,
        log=log_href,
        viewer=content.viewer,
        sample_json=Markup(_samples(content)),  # noqa: S704  escaped for a script block
        data=Markup(_data(content)),  # noqa: S704  escaped for a script block by _data
        library=Markup(own_library),  # noqa: S704  the package's own
        script=Markup(script),  # noqa: S704
        style=Markup(style),  # noqa: S704
    )
    return readable(page)  # of JSON: they have no bytes in UTF-8


@dataclass(frozen=True)
class _Group:
    """Figures that follow one another, which share the page's width, or another block."""

    figures: tuple[Figure, ...] = ()
    block: Block | None = None


def _groups(blocks: Sequence[Block]) -> Iterator[_Group]:
    for is_drawn, found in groupby(blocks, key=lambda block: isinstance(block, Figure)):
        if is_drawn:
            yield _Group(figures=tuple(block for block in found if isinstance(block, Figure)))
        else:
            yield from (_Group(block=block) for block in found)


def _prose(text: str) -> Markup:
    """A sentence with its commands and paths, which stand between backticks, as code."""
    from markupsafe import Markup

    parts = []
    for place, part in enumerate(CODE.split(text)):
        parts.append(Markup("<code>{}</code>").format(part) if place % 2 else Markup("{}").format(part))
    return Markup("").join(parts)


def _text(name: str) -> str:
    return resources.files("tunebook.analysis.report").joinpath(name).read_text(encoding="utf-8")


def _policy(scripts: Sequence[str], style: str) -> str:
    allowed = " ".join(map(_hash, scripts))
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; img-src data: blob:; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types default"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def log_href(log: str) -> str:
    """The log's address from ``analysis/``; it starts with ``../``, so that no name can be read as a scheme."""
    return "../" + quote(log)


def _file_stem(name: str) -> str:
    """The beginning of the names of files that readers save."""
    return re.sub(r"[^\w-]", "_", name)[:80] or "experiment"


def _data(content: Content) -> str:
    document = {
        "runs": len(content.tables()["runs"].rows),
        "light": LIGHT,
        "dark": DARK,
        "inDark": IN_DARK,
        "figures": {block.name: _drawable(block) for block in content.blocks() if isinstance(block, Figure)},
    }
    return _script_json(document)


def _samples(content: Content) -> str:
    browser = content.browser()
    return _script_json({"tasks": [] if browser is None else browser.tasks})


def _script_json(document: Mapping[str, Any]) -> str:
    """JSON without the characters that could end a script block."""
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.translate(_IN_SCRIPT)


def _drawable(figure: Figure) -> Mapping[str, Any]:
    renderer = "canvas" if len(figure.rows) > _SVG_ROWS else "svg"
    return {"renderer": renderer, "spec": figure.sized("container")}


_NOTEBOOK_ROWS = 30


def notebook_html(content: Content) -> str:
    """A heading, the answer, the findings, what is missing, and one row per run with its factors, loss and scores."""
    parts = [f"<h3>{escape(content.name)}</h3>"]
    if content.question:
        parts.append(f"<p><em>{escape(content.question)}</em></p>")
    parts += [f"<p>{_prose(sentence)}</p>" for sentence in content.answer]
    items = [f"<li>{significance_mark(item.significant)} {escape(item.text)}</li>" for item in content.findings]
    if items:
        parts.append(f'<ul style="list-style:none;padding-left:0">{"".join(items)}</ul>')
    else:
        parts.append("<p>No findings.</p>")
    if not content.is_finished:
        parts.append(f"<p>{escape(content.status)} <code>.analysis.gaps</code> lists what is missing.</p>")
    runs = content.tables()["runs"].select("run", "factor", "score", "loss")
    return "".join(parts) + _table(runs)


def _table(table: Table) -> str:
    """The first rows; the details of a column are a column of their own."""
    header: list[str] = []
    for column in table.columns:
        header += filter(None, (column.title, column.detail))
    lines = [_row("th", header)]
    for row in table.rows[:_NOTEBOOK_ROWS]:
        texts: list[str] = []
        for column, cell in table.cells(row):
            texts.append(cell.text)
            if column.detail:
                texts.append(cell.detail)
        lines.append(_row("td", texts))
    more = ""
    if len(table.rows) > _NOTEBOOK_ROWS:
        more = f"<p>{len(table.rows) - _NOTEBOOK_ROWS} more in <code>.runs</code>.</p>"
    return f"<table>{''.join(lines)}</table>{more}"


def _row(tag: str, texts: list[str]) -> str:
    cells = "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)
    return f"<tr>{cells}</tr>"
