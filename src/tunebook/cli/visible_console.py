"""The console of Rich through which everything for people is printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from tunebook.cli.visible import visible_text
from tunebook.cli.wrapped import wrapped

__all__ = ["SafeConsole"]


class SafeConsole(Console):
    """A console of Rich that shows no text's control characters."""

    def __init__(self, *, plain_marks: bool, **options: Any) -> None:
        super().__init__(**options)
        self._plain_marks = plain_marks

    def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:
        """Prints texts and renderables; a text that is not left to the terminal is broken between words only."""
        is_soft = self.soft_wrap if soft_wrap is None else soft_wrap
        if is_soft or len(objects) != 1 or not isinstance(objects[0], str | Text):
            super().print(*objects, soft_wrap=is_soft, **options)
            return
        text = objects[0]
        if isinstance(text, str):
            text = self.render_str(text, markup=options.get("markup"), emoji=options.get("emoji"))
        super().print(wrapped(text, self.width), soft_wrap=True, **options)

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
