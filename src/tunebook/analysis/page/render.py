"""``report.html`` out of an analysis: escaped by Jinja, closed by a content security policy that knows scripts by hash.

The page loads nothing and sends nothing. Its scripts are the package's own and Vega's, which comes with vl-convert; the
policy names their hashes, allows no ``eval`` (Vega interprets its expressions) and, where browsers know Trusted Types,
lets no text become HTML. Data stands in a JSON block in which ``<``, ``>`` and ``&`` are escaped.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from tunebook import __version__
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.theme import DARK, IN_DARK, LIGHT
from tunebook.analysis.page.content import content_of
from tunebook.analysis.page.tables import log_href
from tunebook.analysis.values import Analysis

__all__ = ["report_html"]

_SCRIPTS = ("tables.js", "charts.js")
_SVG_ROWS = 3_000  # with more, a canvas is quicker
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_IN_SCRIPT = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def report_html(analysis: Analysis, figures: Sequence[Figure], *, as_of: str = "", refresh_s: int | None = None) -> str:
    """The page.

    Args:
        as_of: when it was written, in words; only said while the experiment is unfinished, so that a finished one has
            the same bytes whenever it is written.
        refresh_s: after how many seconds an unfinished experiment's page loads itself again; ``None`` for never.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, auto_reload=False)
    template = environment.from_string(_text("report.html.j2"))
    library, script, style = _library(), "".join(map(_text, _SCRIPTS)), _text("report.css")
    page: str = template.render(
        page=content_of(analysis, figures, as_of=as_of),
        version=__version__,
        policy=_policy([library, script], style),
        refresh_s=None if analysis.is_finished else refresh_s,
        log=log_href,
        viewer=analysis.viewer,
        data=Markup(_data(analysis, figures)),  # noqa: S704  escaped for a script block by _data
        library=Markup(library),  # noqa: S704  the package's own
        script=Markup(script),  # noqa: S704
        style=Markup(style),  # noqa: S704
    )
    return _LONE_SURROGATE.sub("\ufffd", page)  # of JSON: they have no bytes in UTF-8


def _text(name: str) -> str:
    return resources.files("tunebook.analysis.page").joinpath(name).read_text(encoding="utf-8")


@cache
def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, with their names to themselves."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return f"(() => {{{bundle}}})();".replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _policy(scripts: Sequence[str], style: str) -> str:
    allowed = " ".join(map(_hash, scripts))
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; img-src data: blob:; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types default"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _data(analysis: Analysis, figures: Sequence[Figure]) -> str:
    document = {
        "runs": len(analysis.runs),
        "light": LIGHT,
        "dark": DARK,
        "inDark": IN_DARK,
        "figures": {figure.name: _drawable(figure) for figure in figures if figure.spec},
    }
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.translate(_IN_SCRIPT)


def _drawable(figure: Figure) -> Mapping[str, Any]:
    renderer = "canvas" if len(figure.rows) > _SVG_ROWS else "svg"
    return {"renderer": renderer, "spec": figure.sized("container")}
