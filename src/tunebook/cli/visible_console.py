"""The console of Rich through which everything for people is printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from tunebook.cli.visible import visible_text

__all__ = ["SafeConsole"]


class SafeConsole(Console):
    """A console of Rich that shows no text's control characters."""

    def __init__(self, *, plain_marks: bool, **options: Any) -> None:
        super().__init__(**options)
        self._plain_marks = plain_marks

    def render_str(self, text: str, **options: Any) -> Text:
        """Makes a text of a string; its width is that of what is shown."""
        return super().render_str(visible_text(text, plain_marks=self._plain_marks), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Renders anything; nothing that was made without :meth:`render_str` gets past this either."""
        return self._safe(super().render(renderable, options))

    def _safe(self, segments: Iterable[Segment]) -> Iterator[Segment]:
        for segment in segments:
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(visible_text(segment.text, plain_marks=self._plain_marks), segment.style)
