"""A real browser reads the documentation from the disk: on a phone, in both colours, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.browser import browser
from support.patience import HANG_S

_PHONE = {"width": 390, "height": 844}
_DESKTOP = {"width": 1280, "height": 900}
_AXE = {"preload": False}  # it would ask for style sheets in a way that files do not allow
_KINDS = (  # a page of each kind
    "index.html",
    "tutorial/plan.html",
    "how-to/slurm.html",
    "reference/plan.html",
    "reference/errors.html",
    "reference/api.html",
    "explanation/architecture.html",
    "glossary.html",
    "project/contributing.html",
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as running:
        yield running


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complains about; requests that leave the disk are among it."""
    return []


@pytest.fixture
def opened(chromium: Any, complaints: list[str]) -> Iterator[Any]:
    """Makes an empty page of a size and colour; at the end nothing may have been complained about."""
    contexts = []

    def page(size: dict[str, int], scheme: str = "light") -> Any:
        context = chromium.new_context(viewport=size, color_scheme=scheme)
        context.set_default_timeout(HANG_S * 1000)
        contexts.append(context)
        made = context.new_page()
        made.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        made.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        made.on("request", lambda request: _note_foreign(request.url, complaints))
        return made

    yield page
    for context in contexts:
        context.close()
    assert not complaints, "\n".join(complaints)


def _note_foreign(url: str, complaints: list[str]) -> None:
    if not url.startswith(("file:", "data:", "blob:", "about:")):
        complaints.append(f"request: {url}")


def test_no_page_scrolls_sideways_on_a_phone(site: Path, opened: Any) -> None:
    page = opened(_PHONE)
    too_wide = []
    for path in sorted(site.rglob("*.html")):
        if path.name == "404.html":
            continue  # its links are those of a server
        page.goto(path.as_uri())
        width = page.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)")
        if width > _PHONE["width"]:
            too_wide.append(f"{path.relative_to(site)}: {width}")
    assert not too_wide, "\n".join(too_wide)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_kind_of_page_is_accessible(site: Path, opened: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(_DESKTOP, scheme)
    found = []
    for name in _KINDS:
        page.goto((site / name).as_uri())
        page.wait_for_timeout(300)  # the colours change smoothly
        for violation in axe.run(page, options=_AXE).response["violations"]:
            if violation["impact"] in {"serious", "critical"}:
                nodes = "; ".join(node["html"][:160] for node in violation["nodes"][:3])
                found.append(f"{name}: {violation['id']}: {violation['help']}: {nodes}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("out of memory", "how-to/resume-and-retry.html"),
        ("wheelhouse", "how-to/install.html"),
        ("learning rate", "glossary.html"),
        ("preregistration", "how-to/hypotheses.html"),
        ("overfitting", "how-to/validation.html"),
        ("hyperparameter", "glossary.html"),
        ("gated", "how-to/data-and-models.html"),
        ("preempted", "how-to/slurm.html"),
    ],
)
def test_the_search_finds_the_page_for_words_of_a_user(site: Path, opened: Any, words: str, place: str) -> None:
    """Without a server, and among the first three pages."""
    page = opened(_DESKTOP)
    page.goto((site / "index.html").as_uri())
    page.locator("input.md-search__input").click()
    page.locator("input.md-search__input").press_sequentially(words, delay=20)
    results = page.locator(".md-search-result__item > a:first-child")
    results.first.wait_for()
    first = [str(results.nth(number).get_attribute("href")) for number in range(min(3, results.count()))]
    assert any(place in link for link in first), first


def test_a_drawing_on_a_phone_scrolls_and_is_not_shrunk(site: Path, opened: Any) -> None:
    page = opened(_PHONE)
    page.goto((site / "explanation" / "architecture.html").as_uri())
    drawing = page.locator("article img").first
    assert drawing.evaluate("drawing => drawing.clientWidth > 1.5 * drawing.parentElement.clientWidth")
    assert drawing.evaluate("drawing => getComputedStyle(drawing.parentElement).overflowX") == "auto"


def test_the_colours_can_be_switched(site: Path, opened: Any) -> None:
    page = opened(_PHONE)
    page.goto((site / "index.html").as_uri())
    assert page.locator("body").get_attribute("data-md-color-scheme") == "default"
    page.locator("label[title='Use dark colours']").click()
    assert page.locator("body").get_attribute("data-md-color-scheme") == "slate"
