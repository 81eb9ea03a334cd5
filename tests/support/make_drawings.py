"""Makes the drawings of docs/images. Each box brings its own ground: they are readable in light and in dark.

``PYTHONPATH=tests python -m support.make_drawings``
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import MappingProxyType

__all__ = ["DRAWINGS", "IMAGES"]

IMAGES = Path(__file__).parents[2] / "docs" / "images"

_FILE, _VALUE, _ACT = ("#fff4d6", "#8a6100"), ("#dcebff", "#0b4f9e"), ("#e3f4e6", "#1c6b2c")
"""Fill and outline: of files, of values in memory, and of what acts."""
_INK, _LINE = "#16202c", "#7d8896"
_BOLD = ' font-weight="600"'
_LINE_HEIGHT = 18


@dataclass(frozen=True)
class _Box:
    """A box with lines of text; the first one is bold. Its position is that of its middle."""

    x: float
    y: float
    text: str
    colours: tuple[str, str] = _VALUE
    width: float = 150
    height: float = 56

    def svg(self) -> str:
        """The rectangle with its text."""
        fill, line = self.colours
        left, top = self.x - self.width / 2, self.y - self.height / 2
        shape = (
            f'<rect x="{left:g}" y="{top:g}" width="{self.width:g}" height="{self.height:g}" rx="8" '
            f'fill="{fill}" stroke="{line}" stroke-width="1.5"/>'
        )
        lines = self.text.split("\n")
        first = self.y - (len(lines) - 1) * _LINE_HEIGHT / 2 + 5
        texts = (
            f'<text x="{self.x:g}" y="{first + number * _LINE_HEIGHT:g}" text-anchor="middle" fill="{_INK}"'
            f"{'' if number else _BOLD}>{escape(line)}</text>"
            for number, line in enumerate(lines)
        )
        return shape + "".join(texts)


@dataclass(frozen=True)
class _Arrow:
    """A line with a head through points, with a label at the middle of its longest part."""

    points: tuple[tuple[float, float], ...]
    label: str = ""

    def svg(self) -> str:
        """The line; its label lies on a small ground of its own."""
        path = " ".join(f"{x:g},{y:g}" for x, y in self.points)
        line = f'<polyline points="{path}" fill="none" stroke="{_LINE}" stroke-width="2" marker-end="url(#head)"/>'
        if not self.label:
            return line
        pairs = zip(self.points, self.points[1:], strict=False)
        (ax, ay), (bx, by) = max(pairs, key=lambda pair: abs(pair[0][0] - pair[1][0]) + abs(pair[0][1] - pair[1][1]))
        x, y = (ax + bx) / 2, (ay + by) / 2
        width = 8.0 * len(self.label) + 8
        ground = (
            f'<rect x="{x - width / 2:g}" y="{y - 11:g}" width="{width:g}" height="22" rx="11" fill="#eceff3" '
            f'stroke="{_LINE}"/>'
        )
        text = f'<text x="{x:g}" y="{y + 4.5:g}" text-anchor="middle" font-size="13" fill="{_INK}">{self.label}</text>'
        return line + ground + text


def _drawing(width: int, height: int, title: str, *parts: _Box | _Arrow) -> str:
    arrows_first = sorted(parts, key=lambda part: isinstance(part, _Box))
    shapes = "".join(part.svg() for part in arrows_first)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="14"><title>{escape(title)}</title>'
        f'<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0 10 5 0 10z" fill="{_LINE}"/></marker></defs>{shapes}</svg>\n'
    )


def architecture() -> str:
    """From the plan to the report: values are computed first, the world is touched last."""
    return _drawing(
        900,
        430,
        "From the plan to the report: values first, then files and jobs",
        _Box(100, 60, "the plan\nexperiment_summary.md", _FILE, 190),
        _Box(100, 150, "site settings\nclaude.local.md", _FILE, 190),
        _Box(330, 105, "Plan\ncore: text → value", _VALUE, 160),
        _Box(580, 105, "Blueprint\ntools: every file\nand every job", _VALUE, 160, 76),
        _Box(790, 60, "scaffold\nreconcile, write,\nread back", _ACT, 150, 76),
        _Box(790, 170, "run\norder, submit,\nwatch", _ACT, 150, 76),
        _Box(580, 290, "executors\nthis machine, SLURM", _ACT, 170),
        _Box(790, 290, "run directories\nsettings, scripts", _FILE, 150),
        _Box(330, 290, "artifacts\noutcomes, curves, logs", _FILE, 180),
        _Box(100, 290, "analysis\ncollect → statistics\n→ findings → report", _ACT, 180, 76),
        _Box(100, 390, "report.html\ntables, figures", _FILE, 180),
        _Box(470, 390, "disk, errors\natomic writes, manifest, ledger, locks; one tree of errors", _VALUE, 500, 56),
        _Arrow(((195, 60), (220, 60), (220, 95), (250, 95))),
        _Arrow(((195, 150), (220, 150), (220, 115), (250, 115))),
        _Arrow(((410, 105), (500, 105)), "pure"),
        _Arrow(((660, 90), (685, 90), (685, 60), (715, 60))),
        _Arrow(((660, 120), (685, 120), (685, 170), (715, 170))),
        _Arrow(((865, 60), (888, 60), (888, 290), (865, 290))),
        _Arrow(((715, 185), (580, 185), (580, 262)), "jobs"),
        _Arrow(((715, 290), (665, 290))),
        _Arrow(((495, 290), (420, 290))),
        _Arrow(((240, 290), (190, 290))),
        _Arrow(((100, 328), (100, 362))),
    )


def reconciling() -> str:
    """Three versions of one file, and what follows."""
    return _drawing(
        760,
        250,
        "Three versions of a file are compared: as generated last time, as on disk, as the plan asks for",
        _Box(130, 50, "last time\nmanifest.json: its digest", _FILE, 210),
        _Box(130, 125, "on the disk\nperhaps edited by you", _FILE, 210),
        _Box(130, 200, "wanted now\nthe plan's blueprint", _VALUE, 210),
        _Box(390, 125, "reconcile", _ACT, 120),
        _Box(630, 50, "created, updated\nyou did not edit it", _ACT, 210),
        _Box(630, 125, "unchanged\nnot even touched", _ACT, 210),
        _Box(630, 200, "kept: a conflict\nyou edited it", _ACT, 210),
        _Arrow(((235, 50), (280, 50), (280, 112), (330, 112))),
        _Arrow(((235, 125), (330, 125))),
        _Arrow(((235, 200), (280, 200), (280, 138), (330, 138))),
        _Arrow(((450, 112), (490, 112), (490, 50), (525, 50))),
        _Arrow(((450, 125), (525, 125))),
        _Arrow(((450, 138), (490, 138), (490, 200), (525, 200))),
    )


def training_equals_evaluation() -> str:
    """Two ways from the same sources, and the proof that compares their ends."""
    return _drawing(
        800,
        330,
        "The same prompts, template and weights go into training and evaluation, and a proof compares both",
        _Box(120, 165, "one source\nprompts, data, template,\nbase model, precision", _FILE, 200, 80),
        _Box(370, 60, "training\ntoken ids and labels", _ACT, 180),
        _Box(370, 270, "evaluation\nthe same token ids", _ACT, 180),
        _Box(370, 165, "checkpoint\nthe adapter, in 32 bits", _FILE, 190),
        _Box(640, 60, "loss as it was trained\nof 32 held-out answers", _VALUE, 220),
        _Box(640, 270, "loss as it is evaluated\nof the same answers", _VALUE, 220),
        _Box(640, 165, "equal?\notherwise the job fails", _ACT, 220),
        _Arrow(((120, 125), (120, 60), (280, 60))),
        _Arrow(((120, 205), (120, 270), (280, 270))),
        _Arrow(((370, 88), (370, 137))),
        _Arrow(((370, 193), (370, 242))),
        _Arrow(((460, 60), (530, 60))),
        _Arrow(((460, 270), (530, 270))),
        _Arrow(((640, 88), (640, 137))),
        _Arrow(((640, 242), (640, 193))),
    )


DRAWINGS: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "architecture.svg": architecture,
        "reconciling.svg": reconciling,
        "training-equals-evaluation.svg": training_equals_evaluation,
    }
)
"""File name to the function that draws it."""


def main() -> None:
    """Writes every drawing."""
    for name, draw in DRAWINGS.items():
        (IMAGES / name).write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
