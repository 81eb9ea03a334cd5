"""A real browser for tests of web pages: it reports requests, errors, and texts that run as scripts."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.patience import HANG_S

__all__ = ["CHROMIUM", "Visit", "browser", "visiting"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_ARGUMENTS = (
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@dataclass
class Visit:
    """An open page, and what happened in it."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def refuse(self, dialog: Any) -> None:
        """No page opens a dialog."""
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def texts(self, selector: str) -> list[str]:
        """The visible texts of what the selector finds."""
        return [text.strip() for text in self.page.locator(selector).all_inner_texts()]

    def draw_all(self) -> None:
        """Scrolls through the page until every figure is drawn."""
        charts = self.page.locator(".chart")
        drawn = self.page.locator(".chart[data-drawn]")
        for number in range(charts.count()):
            charts.nth(number).scroll_into_view_if_needed()
        self.until(lambda: drawn.count() == charts.count())

    def point_at(self, selector: str) -> None:
        """Moves the pointer to the middle of the first that the selector finds, once the page has stopped scrolling."""
        mark = self.page.locator(selector).first
        boxes: list[dict[str, float]] = [{}, {"x": 0.0}]
        mark.scroll_into_view_if_needed()
        while boxes[-1] != boxes[-2]:
            self.page.wait_for_timeout(50)
            boxes.append(mark.bounding_box())
        box = boxes[-1]
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def until(self, condition: Callable[[], object]) -> None:
        """Waits for a condition; Playwright's own waiting needs ``eval``, which the page does not allow."""
        end = time.monotonic() + HANG_S
        while not condition():
            assert time.monotonic() < end, "it never came to that"
            self.page.wait_for_timeout(50)


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium; skips where Chromium is not installed."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_ARGUMENTS))
        yield chromium
        chromium.close()


@contextmanager
def visiting(
    chromium: Any, path: Path, *, size: str = "desktop", scheme: str = "light", scripts: bool = True
) -> Iterator[Visit]:
    """Opens a file; in the end it must have asked for nothing but itself, and complained about nothing."""
    context = chromium.new_context(
        viewport=_SIZES[size], color_scheme=scheme, java_script_enabled=scripts, accept_downloads=True
    )
    context.set_default_timeout(HANG_S * 1000)
    visit = Visit(context.new_page())
    visit.page.on("request", lambda request: visit.requests.append(request.url))
    visit.page.on("pageerror", lambda error: visit.complaints.append(f"error: {error}"))
    visit.page.on("console", lambda message: visit.complaints.append(f"{message.type}: {message.text}"))
    visit.page.on("dialog", visit.refuse)
    visit.page.goto(path.as_uri())
    yield visit
    context.close()
    assert not visit.complaints, visit.complaints
    asked = {url for url in visit.requests if not url.startswith("blob:")}
    assert asked == {path.as_uri()}, asked
