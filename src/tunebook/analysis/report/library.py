"""The scripts of Vega with which the web page draws; making them takes seconds, so that they are remembered."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version

from tunebook.analysis.destination import Destination
from tunebook.disk.atomic import write_text
from tunebook.disk.read import read_text

__all__ = ["library"]


def library(destination: Destination | None = None) -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, with their names to themselves.

    Args:
        destination: its memory keeps the script; ``None`` to make it again.
    """
    if destination is None:
        return _bundle()
    path = destination.memory / f"vega-{version('vl-convert-python')}.js"
    digest, _, text = (read_text(path) or "").partition("\n")
    if digest == _digest(text):
        return text
    text = _bundle()
    write_text(path, f"{_digest(text)}\n{text}", within=destination.root)
    return text


def _digest(text: str) -> str:
    return f"// SHA-256 {hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()}"


@cache
def _bundle() -> str:
    import vl_convert

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return f"(() => {{{bundle}}})();".replace("</script", "<\\/script").replace("<!--", "<\\!--")
