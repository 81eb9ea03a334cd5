"""One content for every output: the same facts with the same words."""

from __future__ import annotations

import html
from dataclasses import replace

import pytest

from support.analyses import dozens, made_up
from tunebook.analysis.charts.catalogue import figures
from tunebook.analysis.report.content import Cell, Content, Entries, Table, Text
from tunebook.analysis.report.html import notebook_html, report_html
from tunebook.analysis.report.markdown import markdown_report, text
from tunebook.analysis.report.sections import content_of
from tunebook.analysis.values import Analysis
from tunebook.core.jobs import JobState

pytest.importorskip("vl_convert")
pytest.importorskip("jinja2")


def report_of(analysis: Analysis) -> Content:
    return content_of(analysis, figures(analysis), as_of="2026-01-01 12:00 UTC")


def texts(content: Content, key: str) -> list[str]:
    (section,) = [section for section in content.sections if section.key == key]
    found = [block.text for block in section.blocks if isinstance(block, Text)]
    for block in section.blocks:
        if isinstance(block, Entries):
            found += [entry.text for entry in block.entries]
    return found


def column(table: Table, key: str) -> list[Cell]:
    return [row.get(key, Cell()) for row in table.rows]


@pytest.mark.parametrize("analysis", [made_up(), dozens(), made_up(running=True)], ids=["few", "dozens", "running"])
def test_every_sentence_of_the_report_is_in_markdown_and_html(analysis: Analysis) -> None:
    content = report_of(analysis)
    page, markdown = html.unescape(report_html(content)), markdown_report(content)
    for section in content.sections:
        if section.key != "best":
            assert f"## {section.title}" in markdown
        assert f">{section.title}</h2>" in page
        for sentence in texts(content, section.key):
            assert sentence in page
            if section.key != "best":
                assert text(sentence, most=2000) in markdown


def test_a_notebook_shows_the_findings_and_the_cells_of_the_runs() -> None:
    content = report_of(dozens())
    shown = html.unescape(notebook_html(content))
    for finding in content.findings:
        assert finding.text in shown
    runs = content.tables()["runs"]
    for cell in column(runs, "score:capitalization")[:30]:
        assert f"<td>{cell.text}</td><td>{cell.detail}</td>" in shown
    assert "8 more in <code>.runs</code>" in shown


def test_the_report_of_an_unfinished_experiment_starts_with_what_is_missing() -> None:
    content = report_of(made_up(running=True))
    assert content.sections[0].key == "missing"
    status = texts(content, "missing")[0]
    assert status.startswith("Not complete: 1 of 3 trainings and 3 of 7 evaluations have results.")
    assert status.endswith("(as of 2026-01-01 12:00 UTC).")
    finished = report_of(made_up())
    assert finished.sections[0].key == "findings"
    assert texts(finished, "missing") == ["Nothing: every planned training and evaluation has results."]


def test_the_best_run_is_marked_and_is_no_base_model() -> None:
    content = report_of(dozens())
    table = content.tables()["runs"]
    (best,) = table.best
    fact = next(fact for fact in content.facts if fact.subject == "Best score")
    assert fact.more.startswith(f"{column(table, 'run')[best].text}, 95 % interval ")
    assert column(table, "type")[best].text == "Fine-tuned"


def test_results_without_a_recorded_job_are_called_results() -> None:
    analysis = made_up()
    runs = tuple(
        replace(run, training=replace(run.training, state=JobState.UNKNOWN)) if run.training else run
        for run in analysis.runs
    )
    content = report_of(replace(analysis, runs=runs))
    states = [cell.text for cell in column(content.tables()["runs"], "state")]
    assert states == ["completed", "results found", "results found", "results found"]
    assert next(fact for fact in content.facts if fact.subject == "Trainings").text == "3 of 3"


def test_a_table_without_values_in_a_column_leaves_it_out() -> None:
    assert "gpu_hours" not in [column.key for column in report_of(made_up()).tables()["runs"].columns]


def test_a_long_table_names_the_file_with_all_rows() -> None:
    content = report_of(dozens())
    note = content.tables()["scores-1"].left_out(60)
    assert note is not None
    assert (note.text, note.files) == ("The first 60 of 74 rows; all are in", ("evaluations.csv",))
    assert content.tables()["runs"].left_out(60) is None


def test_the_order_of_ties_is_called_chance() -> None:
    analysis = dozens()
    base = [item for item in analysis.comparisons if item.against == "base"]
    best = tuple(replace(item, against="best", significant=number > 0) for number, item in enumerate(base))
    sentences = texts(report_of(replace(analysis, comparisons=(*base, *best))), "best")
    assert sentences[0].endswith(
        "One other run is statistically indistinguishable from the best one: the order among them may be chance."
    )


def test_the_losses_as_trained_and_as_evaluated_are_in_the_report() -> None:
    analysis = made_up()
    trained = [run for run in analysis.runs if run.training is not None]
    table = report_of(analysis).tables()["proof"]
    assert len(table.rows) == len(trained)
    assert {cell.text for cell in column(table, "trained")} == {"0.0611"}
    assert {cell.text for cell in column(table, "evaluated")} == {"0.0612"}
    assert {cell.text for cell in column(table, "holds")} == {"yes"}


def test_a_training_without_proof_is_named_in_the_report() -> None:
    analysis = made_up()
    first = next(run for run in analysis.runs if run.training is not None)
    assert first.training is not None
    unproved = replace(first, training=replace(first.training, proof=()))
    runs = tuple(unproved if run is first else run for run in analysis.runs)
    (sentence,) = texts(report_of(replace(analysis, runs=runs)), "proof")
    assert sentence.startswith("1 training has no proof")
    assert analysis.labels[first.name] in sentence
