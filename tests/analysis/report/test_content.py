"""One content for every output: the same facts with the same words."""

from __future__ import annotations

import html
from dataclasses import replace

import pytest

from support.analyses import dozens, made_up
from tunebook.analysis.charts.catalogue import figures
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.records import Gap, Interval, Measure, Training
from tunebook.analysis.report.content import Cell, Content, Entries, Style, Table, Text
from tunebook.analysis.report.html import notebook_html, report_html
from tunebook.analysis.report.markdown import markdown_report, prose
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
        assert f"## {section.title}" in markdown
        assert f">{section.title}</h2>" in page
        for sentence in texts(content, section.key):
            assert sentence.replace("`", "") in page.replace("<code>", "").replace("</code>", "")
            assert prose(sentence) in markdown


def test_a_notebook_shows_the_findings_and_the_cells_of_the_runs() -> None:
    content = report_of(dozens())
    shown = html.unescape(notebook_html(content))
    for sentence in (*content.answer, *(finding.text for finding in content.findings)):
        assert sentence in shown
    runs = content.tables()["runs"]
    for cell in column(runs, "score:capitalization")[:30]:
        assert f"<td>{cell.text}</td><td>{cell.detail}</td>" in shown
    assert "8 more in <code>.runs</code>" in shown


def test_the_report_of_an_unfinished_experiment_says_so_first() -> None:
    content = report_of(made_up(running=True))
    assert content.status.startswith("Not complete: 4 runs, including 1 base model; 1 of 3 trainings and 3 of 7 eval")
    assert content.status.endswith("(as of 2026-01-01 12:00 UTC).")
    assert content.status in texts(content, "missing")[0]
    finished = report_of(made_up())
    assert finished.sections[0].key == "answer"
    assert texts(finished, "missing") == ["Nothing: every planned training and evaluation has results."]


def test_the_first_lines_answer_with_the_best_run_its_difference_and_the_direction() -> None:
    analysis = made_up()
    content = report_of(analysis)
    best = analysis.best_score("capitalization")
    assert best is not None
    assert content.answer[0].startswith(
        f"exact on capitalization (higher is better): rank64 is best with {best.value:.1%}"[:-1]
    )
    assert "significantly better than its base model: +82.5 points (70.5 to 94.5)" in content.answer[0]
    assert content.answer[-1] == "The plan states no hypothesis, so this is exploratory."
    blocks = content.sections[0].blocks
    assert [block.name for block in blocks if isinstance(block, Figure)] == ["score_difference"]


def test_an_answer_without_a_detected_difference_gives_the_range_of_the_intervals() -> None:
    analysis = made_up()
    none = replace(
        analysis,
        comparisons=tuple(
            replace(item, significant=False, interval=Interval(-0.1, 0.2, "Newcombe")) for item in analysis.comparisons
        ),
    )
    assert report_of(none).answer[0] == (
        "exact on capitalization (higher is better): no difference from the base model was detected in 3 runs; "
        "the intervals reach from −10.0 points to +20.0 points."
    )


def test_an_answer_without_a_direction_calls_nothing_better() -> None:
    analysis = made_up()
    tasks = tuple(replace(task, measures=(Measure("exact", is_share=True),)) for task in analysis.tasks)
    answer = report_of(replace(analysis, tasks=tasks)).answer[0]
    assert (
        "3 of 3 runs differ significantly from the base model after Holm's correction, 3 higher and 0 lower" in answer
    )
    assert "best" not in answer


def test_cautions_are_said_once_and_what_was_not_detected_is_folded() -> None:
    analysis = made_up()
    caution = next(finding for finding in analysis.findings if finding.kind == "caution")
    twice = replace(analysis, findings=(*analysis.findings, replace(caution, task="another")))
    content = report_of(twice)
    assert texts(content, "cautions") == [caution.text]
    (findings,) = [section for section in content.sections if section.key == "findings"]
    lists = [block for block in findings.blocks if isinstance(block, Entries)]
    assert [(bool(each.fold), [entry.significant for entry in each.entries]) for each in lists] == [
        (False, [True]),
        (True, [False]),
    ]


def test_the_parts_of_a_task_are_in_the_order_of_reading() -> None:
    content = report_of(dozens())
    (task,) = [section for section in content.sections if section.key == "task-1"]
    headings = [block.text for block in task.blocks if isinstance(block, Text) and block.style is Style.HEADING]
    assert headings == ["Scores", "Effects of the varied factors", "Epochs", "Cost", "Agreement between runs"]


def test_the_best_run_is_marked_and_is_no_base_model() -> None:
    content = report_of(dozens())
    table = content.tables()["runs"]
    (best,) = table.best
    assert column(table, "run")[best].text == "SmolLM2-135M_rank64_lr1e-3_seed2"
    assert "model SmolLM2-360M-Instruct, lora_rank 64, lr 1e-3 is best with 98.8 % over 2 seeds" in content.answer[0]
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
    assert "3 of 3 trainings" in content.status


def test_what_is_finished_is_never_called_unknown() -> None:
    analysis = made_up()
    runs = tuple(replace(run, training=Training(JobState.UNKNOWN)) if run.training else run for run in analysis.runs)
    evaluations = tuple(replace(record, state=JobState.UNKNOWN) for record in analysis.evaluations)
    unrecorded = replace(analysis, runs=runs, evaluations=evaluations, gaps=(Gap("rank4", "no training job"),))
    content = report_of(unrecorded)
    assert {cell.text for cell in column(content.tables()["runs"], "state")} == {"results found"}
    assert {cell.text for cell in column(content.tables()["jobs"], "state")} == {"results found", "no job"}
    assert "3 trainings: 3 without a job. 7 evaluations: 7 completed." in texts(content, "missing")[0]


def test_a_table_without_values_in_a_column_leaves_it_out() -> None:
    assert "gpu_hours" not in [column.key for column in report_of(made_up()).tables()["runs"].columns]


def test_a_long_table_names_the_file_with_all_rows() -> None:
    content = report_of(dozens())
    note = content.tables()["scores-1"].left_out(60)
    assert note is not None
    assert (note.text, note.files) == ("The first 60 of 74 rows; all are in", ("evaluations.csv",))
    assert content.tables()["runs"].left_out(60) is None


def test_the_order_of_ties_is_called_chance_and_the_best_value_is_corrected() -> None:
    content = report_of(made_up(ranks=(4, 16, 48, 64)))
    ranked = content.tables()["ranking-1"]
    assert [row["setting"].text for row in ranked.rows] == ["rank48", "rank64", "rank16", "rank4"]
    sentence = next(sentence for sentence in texts(content, "task-1") if sentence.startswith("4 runs by exact"))
    assert "Chosen on some of the samples and scored on the others, the best one has" in sentence
    tied = sum(row["p"].detail == "not significant" for row in ranked.rows)
    many = {0: "differs significantly from all others", 1: "and one other was detected"}
    assert many.get(tied, f"and {tied} others was detected") in sentence


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
