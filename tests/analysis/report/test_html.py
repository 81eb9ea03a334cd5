"""``report.html`` in a real browser: reading, sorting, filtering, pointing, saving; attacks; accessibility."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from support.analyses import HOSTILE, dozens, hundreds, made_up
from support.browser import Visit, browser, visiting
from support.patience import HANG_S
from tunebook.analysis.charts.catalogue import figures
from tunebook.analysis.records import EvaluationKey
from tunebook.analysis.report.html import log_href, report_html
from tunebook.analysis.report.sections import content_of
from tunebook.analysis.values import Analysis

pytest.importorskip("vl_convert")
pytest.importorskip("jinja2")

MAKERS: dict[str, Callable[[], Analysis]] = {
    "few": made_up,
    "dozens": dozens,
    "hundreds": hundreds,
    "running": lambda: made_up(running=True, ranks=(4, 8, 16, 32)),
    "hostile": lambda: made_up(hostile=True, running=True, rates=("1e-4", "1e-3")),
}


def html_of(analysis: Analysis, *, as_of: str = "", refresh_s: int | None = None) -> str:
    return report_html(content_of(analysis, figures(analysis), as_of=as_of), refresh_s=refresh_s)


@cache
def page_of(name: str) -> str:
    return html_of(MAKERS[name](), as_of="2026-01-01 12:00 UTC", refresh_s=600)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[[str], Path]:
    def write(name: str) -> Path:
        path = tmp_path / "report.html"
        path.write_text(page_of(name))
        return path

    return write


def column(visit: Visit, table: str, title: str) -> list[str]:
    """The visible cells of a column, without their second lines."""
    titles = [text.split("\n")[0] for text in visit.texts(f"#{table} thead th")]
    place = titles.index(title) + 1
    cells = visit.texts(f"#{table} tbody tr:not([hidden]) > :nth-child({place})")
    return [cell.split("\n")[0] for cell in cells]


@pytest.mark.parametrize("name", ["few", "dozens", "hundreds", "running"])
def test_it_opens_offline_and_draws_every_figure(chromium: Any, file_of: Callable[[str], Path], name: str) -> None:
    analysis = MAKERS[name]()
    with visiting(chromium, file_of(name)) as visit:
        visit.draw_all()
        assert visit.page.title() == f"{analysis.name}: report"
        drawn = [figure for figure in figures(analysis) if figure.spec]
        assert visit.page.locator(".chart svg, .chart canvas").count() == len(drawn)
        assert visit.page.locator("#runs tbody tr").count() == len(analysis.runs)
        for figure in figures(analysis):
            assert figure.title in visit.page.locator("main").text_content()


def test_a_column_sorts_both_ways_with_missing_values_last(chromium: Any, file_of: Callable[[str], Path]) -> None:
    with visiting(chromium, file_of("dozens")) as visit:
        visit.draw_all()  # figures that are drawn later would move the button
        heading = visit.page.locator("#runs thead th", has_text="Learning Rate")
        heading.get_by_role("button").click()
        assert heading.get_attribute("aria-sort") == "ascending"
        rates = column(visit, "runs", "Learning Rate")
        assert rates == ["1e-5"] * 12 + ["1e-4"] * 12 + ["1e-3"] * 12 + ["–"] * 2
        heading.get_by_role("button").click()
        assert heading.get_attribute("aria-sort") == "descending"
        rates = column(visit, "runs", "Learning Rate")
        assert rates == ["1e-3"] * 12 + ["1e-4"] * 12 + ["1e-5"] * 12 + ["–"] * 2


def test_sorting_works_by_keyboard(chromium: Any, file_of: Callable[[str], Path]) -> None:
    with visiting(chromium, file_of("dozens")) as visit:
        visit.page.locator("#runs thead th", has_text=re.compile(r"^exact")).get_by_role("button").focus()
        visit.page.keyboard.press("Enter")
        scores = [float(text.removesuffix(" %")) for text in column(visit, "runs", "exact")]
        assert scores == sorted(scores, reverse=True)
        assert visit.page.evaluate("document.activeElement.parentElement.getAttribute('aria-sort')") == "descending"


def test_rows_are_filtered_by_words_and_by_choice(chromium: Any, file_of: Callable[[str], Path]) -> None:
    with visiting(chromium, file_of("dozens")) as visit:
        form = visit.page.locator("form[data-filters=runs]")
        form.get_by_label("Search runs").fill("rank64 SEED2")
        assert form.get_by_role("status").inner_text() == "6 of 38 shown"
        form.get_by_label("Learning Rate").select_option("1e-3")
        assert column(visit, "runs", "Run") == [
            "SmolLM2-135M_rank64_lr1e-3_seed2",
            "SmolLM2-360M_rank64_lr1e-3_seed2",
        ]
        form.get_by_role("button", name="Reset").click()
        visit.until(lambda: form.get_by_role("status").inner_text() == "38 of 38 shown")


def test_figures_follow_the_filter(chromium: Any, file_of: Callable[[str], Path]) -> None:
    with visiting(chromium, file_of("dozens")) as visit:
        visit.draw_all()
        chart = visit.page.locator(".chart[data-figure=score_by_run]")
        points = chart.locator(".mark-symbol.role-mark path")
        notes = visit.page.locator(".filter-note")
        assert points.count() == 38
        assert not notes.first.is_visible()
        visit.page.locator("form[data-filters=runs]").get_by_label("Search runs").fill("rank64")
        visit.until(lambda: points.count() == 12)
        assert set(notes.all_inner_texts()) == {figure.filter_note for figure in figures(dozens()) if figure.spec}
        assert "rank64" in chart.inner_text()
        assert "rank16" not in chart.inner_text()


def test_any_two_runs_are_compared_word_by_word(chromium: Any, tmp_path: Path) -> None:
    analysis = made_up(samples=25)
    groups = ("odd", "even")
    samples = {}
    for key, own in analysis.samples.items():
        kinds = tuple(groups[number % 2] for number in range(25))
        answers = tuple(f"the {word} is {key.run[-2:]} <b>here</b>" for word in own.answers)
        samples[key] = replace(own, answers=answers, metadata={"kind": kinds})
    path = tmp_path / "report.html"
    path.write_text(html_of(replace(analysis, samples=samples)))
    values = {label: analysis.samples[key].values["exact"] for label, key in final_keys(analysis).items()}
    with visiting(chromium, path) as visit:
        box = visit.page.locator(".browser")
        shown = box.get_by_role("status")
        box.get_by_label("Left run").select_option(label="rank4")
        box.get_by_label("Right run").select_option(label="rank16")
        only = [number for number in range(25) if values["rank4"][number] != values["rank16"][number]]
        assert shown.inner_text() == f"{len(only)} of 25 samples; page 1 of 1"
        assert visit.texts(".pair h4") == [f"sample {number} · kind: {groups[number % 2]}" for number in only]
        said = {name: {"Word" if values[name][number] else "word" for number in only} for name in ("rank4", "rank16")}
        assert set(visit.texts(".pair mark.gone")) == said["rank4"] | {"k4"}
        assert set(visit.texts(".pair mark.new")) == said["rank16"] | {"16"}
        assert visit.page.locator(".pair b").count() == 0
        box.get_by_label("Show").select_option(label="all samples")
        assert shown.inner_text() == "25 of 25 samples; page 1 of 3"
        box.get_by_role("button", name="Next").click()
        assert visit.page.locator(".pair h4").first.inner_text().startswith("sample 10 ")
        box.get_by_label("kind").select_option(label="even")
        box.get_by_label("Search samples").fill("sample 13")
        assert visit.texts(".pair h4") == ["sample 13 · kind: even"]


def test_numbers_are_compared_with_the_largest_changes_first(chromium: Any, tmp_path: Path) -> None:
    analysis = made_up(samples=12)
    samples = {
        key: replace(own, values={"exact": tuple(number * len(key.run) / 7 for number in range(12))})
        for key, own in analysis.samples.items()
    }
    path = tmp_path / "report.html"
    path.write_text(html_of(replace(analysis, samples=samples)))
    with visiting(chromium, path) as visit:
        assert visit.texts(".pair h4") == [f"sample {number}" for number in range(11, 1, -1)]


def final_keys(analysis: Analysis) -> dict[str, EvaluationKey]:
    return {analysis.labels[run]: score.evaluation for run, score in analysis.final_scores("capitalization").items()}


def test_pointing_at_a_mark_shows_its_run_and_numbers(chromium: Any, file_of: Callable[[str], Path]) -> None:
    with visiting(chromium, file_of("few")) as visit:
        visit.draw_all()
        visit.point_at(".chart[data-figure=score_by_run] .mark-symbol.role-mark path")
        tip = visit.page.locator("#tip")
        tip.wait_for(state="visible")
        words = tip.inner_text().split("\n")
        shown = dict(zip(words[::2], words[1::2], strict=True))
        best = max(made_up().evaluations, key=lambda each: each.scores[0].value or 0).scores[0]
        assert shown["Run"] == "rank64"
        assert shown["exact"] == f"{best.value:.1%}"
        assert shown["Comparison"] == "better than base"
        visit.page.mouse.move(2, 2)
        tip.wait_for(state="hidden")


def test_the_shown_rows_are_saved_as_csv_that_no_spreadsheet_runs(
    chromium: Any, file_of: Callable[[str], Path]
) -> None:
    with visiting(chromium, file_of("hostile")) as visit:
        form = visit.page.locator("form[data-filters=runs]")
        with visit.page.expect_download() as download:
            form.get_by_role("button", name="Save as CSV").click()
        text = Path(download.value.path()).read_bytes().decode()
        rows = list(csv.reader(text.splitlines(keepends=True)))
        assert len(rows) == 1 + visit.page.locator("#runs tbody tr").count()
        assert not [cell for row in rows for cell in row if re.match(r"[=+@\t\r]", cell)]
        assert rows[1][0] == MAKERS["hostile"]().runs[0].name.strip()


@pytest.mark.parametrize(("kind", "begins"), [("SVG", b"<svg"), ("PNG", b"\x89PNG"), ("CSV", b'"step"')])
def test_a_figure_is_saved(chromium: Any, file_of: Callable[[str], Path], kind: str, begins: bytes) -> None:
    with visiting(chromium, file_of("few")) as visit:
        visit.draw_all()
        buttons = visit.page.get_by_role("group", name="Save Learning-rate schedule")
        with visit.page.expect_download() as download:
            buttons.get_by_role("button", name=kind).click()
        assert download.value.suggested_filename == f"learning_rate.{kind.lower()}"
        content = Path(download.value.path()).read_bytes()
        assert content.startswith(begins) or kind == "CSV"
        if kind == "CSV":
            assert {"name", "step", "rate"} <= set(content.decode().splitlines()[0].replace('"', "").split(","))


def test_the_numbers_of_a_figure_are_a_table_too(chromium: Any, file_of: Callable[[str], Path]) -> None:
    with visiting(chromium, file_of("few")) as visit:
        figure = visit.page.locator("figure", has=visit.page.locator("#title-score_by_run"))
        figure.get_by_text("Numbers").click()
        assert visit.texts("figure:has(#title-score_by_run) tbody tr > td:first-child") == [
            "rank64",
            "rank16",
            "rank4",
            "SmolLM2-135M_base",
        ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_hostile_text_runs_or_becomes_markup(chromium: Any, file_of: Callable[[str], Path], scheme: str) -> None:
    analysis = MAKERS["hostile"]()
    with visiting(chromium, file_of("hostile"), scheme=scheme) as visit:
        visit.draw_all()
        page = visit.page
        for summary in page.locator("summary").all():
            summary.click()
        for heading in page.locator("table[data-sortable] thead button").all():
            heading.click()
        for point in page.locator(".chart .mark-symbol.role-mark path").all()[:6]:
            point.hover(force=True)
        page.locator("form[data-filters=runs]").get_by_label("Search runs").fill(HOSTILE[0])
        page.wait_for_timeout(200)
        assert page.evaluate("window.hacked ?? null") is None
        assert page.locator("main img, main iframe, svg image, main script, [onerror], [onload]").count() == 0
        addresses = page.locator("a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        assert {
            re.match(r"#|\.\./|http://127\.0\.0\.1:7575/#/logs/", address) is not None for address in addresses
        } == {True}
        assert analysis.name.split("\n")[0] in page.inner_text("h1")
        answers = {answer for case in analysis.cases for answer in case.answers.values()}
        shown = set(page.locator(".sample dd").evaluate_all("cells => cells.map(cell => cell.textContent)"))
        assert {answer.replace("\r\n", "\n") for answer in answers} <= {text.replace("\r\n", "\n") for text in shown}


def test_the_policy_stops_what_slips_into_the_page(chromium: Any, file_of: Callable[[str], Path]) -> None:
    """A script, a handler, an address or HTML that got into the page does nothing."""
    path = file_of("few")
    attack = "<script>window.hacked=1</script><img src=x onerror='window.hacked=2'>"
    attack += "<a id=bad href='javascript:window.hacked=3'>x</a>"
    path.write_text(path.read_text().replace('<main id="main" class="wrap">', f'<main id="main" class="wrap">{attack}'))
    context = chromium.new_context()
    page = context.new_page()
    requests: list[str] = []
    page.on("requestfinished", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    page.locator("#bad").click()
    for code in (
        "() => eval('window.hacked=4')",
        "() => new Function('window.hacked=5')()",
        "() => { document.body.innerHTML = '<b>x</b>' }",
        "() => { document.createElement('script').text = 'window.hacked=6' }",
        "() => setTimeout('window.hacked=7')",
        "() => fetch('http://127.0.0.1:9/')",
    ):
        tried = f"async () => {{ try {{ await ({code})(); return 'ran' }} catch (error) {{ return error.name }} }}"
        later = (
            f"() => new Promise(done => setTimeout(() => ({tried})().then(done)))"  # what is evaluated itself may eval
        )
        assert page.evaluate(later) in {"EvalError", "TypeError"}, code
    page.wait_for_timeout(100)
    assert page.evaluate("window.hacked ?? null") is None
    assert requests == [path.as_uri()]
    context.close()


@pytest.mark.parametrize("size", ["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["few", "running"])
def test_it_is_accessible(chromium: Any, file_of: Callable[[str], Path], name: str, scheme: str, size: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with visiting(chromium, file_of(name), size=size, scheme=scheme) as visit:
        visit.draw_all()
        for summary in visit.page.locator("#samples-section summary, figure:has(#title-score_by_run) summary").all():
            summary.click()
        results = axe.run(visit.page)
        assert [
            (each["id"], [node["target"] for node in each["nodes"]]) for each in results.response["violations"]
        ] == []


@pytest.mark.parametrize("name", ["few", "dozens", "hostile"])
def test_a_phone_scrolls_down_only(chromium: Any, file_of: Callable[[str], Path], name: str) -> None:
    with visiting(chromium, file_of(name), size="phone") as visit:
        visit.draw_all()
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_figures_take_the_colours_of_the_page(chromium: Any, file_of: Callable[[str], Path]) -> None:
    with visiting(chromium, file_of("few")) as visit:
        visit.draw_all()
        chart = visit.page.locator(".chart[data-figure=score_by_run] svg")
        assert "rgb(255, 255, 255)" in str(chart.get_attribute("style"))
        visit.page.emulate_media(color_scheme="dark")
        visit.until(lambda: "rgb(20, 23, 26)" in str(chart.get_attribute("style")))


def test_without_scripts_everything_but_the_figures_is_there(chromium: Any, file_of: Callable[[str], Path]) -> None:
    with visiting(chromium, file_of("few"), scripts=False) as visit:
        assert "This figure is in figures/score_by_run.svg." in visit.page.inner_text("main")
        assert visit.page.locator("#runs tbody tr").count() == 4
        assert not visit.page.locator("form[data-filters=runs]").is_visible()


def test_the_report_of_a_running_experiment_shows_its_status_and_reloads(
    chromium: Any, file_of: Callable[[str], Path]
) -> None:
    path = file_of("running")
    path.write_text(path.read_text().replace('data-seconds="600"', 'data-seconds="2"'))
    with visiting(chromium, path) as visit:
        assert "1 pending, 1 running, 1 completed, 1 failed" in visit.page.inner_text("#missing-section")
        assert "as of 2026-01-01 12:00 UTC" in visit.page.inner_text("header.top")
        visit.page.locator("form[data-filters=runs]").get_by_label("Search runs").fill("rank8")
        visit.page.locator("#runs thead th", has_text="State").get_by_role("button").click()
        with visit.page.expect_event("framenavigated", timeout=1000 * HANG_S):
            pass
        visit.page.wait_for_load_state()
        assert visit.page.locator("form[data-filters=runs]").get_by_label("Search runs").input_value() == "rank8"
        assert column(visit, "runs", "Run") == ["rank8"]
        assert visit.page.locator("#runs thead th[aria-sort=ascending]").inner_text().startswith("State")
        visit.page.locator("#refresh").uncheck()
        asked = len(visit.requests)
        visit.page.wait_for_timeout(2500)
        assert len(visit.requests) == asked


def test_the_report_of_a_finished_experiment_does_not_reload_and_has_the_same_bytes() -> None:
    analysis = made_up()
    pages = {html_of(analysis, as_of=as_of, refresh_s=30) for as_of in ("today", "tomorrow")}
    assert len(pages) == 1
    assert 'id="refresh"' not in pages.pop()


def test_links_to_logs_work_whatever_their_names() -> None:
    assert log_href("javascript:alert(1)/a b?c#d.eval") == "../javascript%3Aalert%281%29/a%20b%3Fc%23d.eval"


def test_an_analysis_without_results_is_a_page_too(chromium: Any, tmp_path: Path) -> None:
    analysis = made_up()
    empty = replace(
        analysis,
        runs=(),
        evaluations=(),
        samples={},
        comparisons=(),
        effects=(),
        costs=(),
        cases=(),
        findings=(),
        tasks=(),
        factors=(),
    )
    path = tmp_path / "report.html"
    path.write_text(html_of(empty))
    with visiting(chromium, path) as visit:
        assert "No findings yet" in visit.page.inner_text("#findings-section")
        assert visit.page.locator(".chart").count() == 0


def test_texts_that_have_no_bytes_are_replaced() -> None:
    analysis = replace(made_up(), question="what\ud800?")
    assert "what\ufffd?" in report_html(content_of(analysis))
