"""Makes the README's pictures.

``PYTHONPATH=tests python -m support.make_screenshots tunebook-demo/analysis/report.html``
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

from support.browser import browser, visiting

IMAGES = Path(__file__).parents[2] / "docs" / "images"
_COLOURS = 200  # a page of few colours needs no more
_PICTURES = {  # size, colours, the section on top, height in pixels
    "report.png": ("desktop", "light", "main", 1150),
    "report-figures.png": ("desktop", "dark", "#task-1-section", 1150),
}


def picture(chromium: Any, report: Path, size: str, scheme: str, top: str, height: int) -> bytes:
    """A part of the page, as PNG."""
    with visiting(chromium, report, size=size, scheme=scheme) as visit:
        visit.draw_all()
        page = visit.page
        start = 0 if top in {"main", "body"} else page.locator(top).evaluate("element => element.offsetTop")
        page.evaluate("document.querySelector('nav.contents').style.position = 'static'")
        clip = {"x": 0, "y": start, "width": page.viewport_size["width"], "height": height}
        return bytes(page.screenshot(full_page=True, clip=clip))


def main() -> None:
    """Writes every picture."""
    from PIL import Image

    report = Path(sys.argv[1]).absolute()
    IMAGES.mkdir(exist_ok=True)
    with browser() as chromium:
        for name, (size, scheme, top, height) in _PICTURES.items():
            image = Image.open(io.BytesIO(picture(chromium, report, size, scheme, top, height))).convert("RGB")
            image.quantize(_COLOURS, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)


if __name__ == "__main__":
    main()
