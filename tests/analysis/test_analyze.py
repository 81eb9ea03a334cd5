"""From logs and curves to an analysis: logs that count, missing results, deviations, and the files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from support.eval_logs import write_log
from support.scaffolding import CLOCK
from support.sweeps import Sweep, SweepRun
from tunebook import api
from tunebook.artifacts.times import timestamp_s
from tunebook.core.jobs import JobState

pytestmark = pytest.mark.filterwarnings("ignore")  # inspect-ai's and pandas' own
RIGHT, WRONG = "C", "I"


def runs(
    *values: Sequence[Any], column: str = "LoRA Rank", levels: Sequence[str] = ("4", "16", "64")
) -> tuple[SweepRun, ...]:
    return tuple(
        SweepRun(f"run{number}", {column: level}, {0: own})
        for number, (own, level) in enumerate(zip(values, levels, strict=False))
    )


def half(count: int = 40) -> list[str]:
    return [RIGHT, WRONG] * (count // 2)


def analyzed(directory: Path, **options: Any) -> api.AnalyzeReport:
    return api.analyze(directory, api.AnalyzeOptions(**options), clock=lambda: CLOCK)


def texts(report: api.AnalyzeReport, kind: str) -> list[str]:
    return [finding.text for finding in report.findings if finding.kind == kind]


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two ranks, the second better, and a base model that is mostly wrong."""
    better = [RIGHT] * 36 + [WRONG] * 4
    base = [WRONG] * 36 + [RIGHT] * 2 + [WRONG] * 2
    return Sweep(runs(half(), better), base=base).write(tmp_path / "it's a | sweep")


def test_scores_intervals_and_findings_are_those_of_the_logs(sweep: Path) -> None:
    report = analyzed(sweep)
    scores = {score.evaluation.run: score for score in report.analysis.scores("capitalization")}
    assert {run: score.value for run, score in scores.items()} == {"run0": 0.5, "run1": 0.9, "tiny_base": 0.05}
    assert scores["run1"].logged == 0.9
    assert scores["run1"].is_binary
    assert report.exit_code == 0
    first, second = texts(report, "base")
    assert (
        "rank4 scores 50.0 % (95 % interval 35.2 to 64.8 %) on capitalization (exactly), significantly higher than its base"
        in first
    )
    assert "+85.0 points" in second
    (best,) = texts(report, "best")
    assert best.startswith("Of the fine-tuned runs, rank16 has the highest score on capitalization (exactly): 90.0 %")
    assert "rank4 is significantly lower" in best
    assert "and broke 2, each in at least one run" in texts(report, "samples")[0]


def test_all_files_are_there_and_the_same_again(sweep: Path) -> None:
    report = analyzed(sweep, latex=True)
    kept = {path: (sweep / path).read_bytes() for path in report.files}
    assert set(report.files) >= {
        "analysis/report.md",
        "analysis/runs.csv",
        "analysis/runs.parquet",
        "analysis/evaluations.csv",
        "analysis/evaluations.parquet",
        "analysis/samples.parquet",
        "analysis/latex/scores-1.tex",
    }
    assert {path: (sweep / path).read_bytes() for path in analyzed(sweep, latex=True).files} == kept
    shutil.rmtree(sweep / ".tunebook")
    assert {path: (sweep / path).read_bytes() for path in analyzed(sweep, latex=True).files} == kept
    log = (sweep / "analyze-experiment.log").read_text()
    assert log.count("COMPLETE: analysis written") == 2  # the second time, nothing had changed
    assert "FINDING: rank4 scores 50.0 %" in log


def test_nothing_is_written_where_that_was_not_asked_for(sweep: Path) -> None:
    before = sorted(sweep.rglob("*"))
    report = analyzed(sweep, write=False)
    assert report.files == ()
    assert sorted(sweep.rglob("*")) == before


def test_tables_hold_every_run_evaluation_and_sample(sweep: Path) -> None:
    import pandas as pd

    analyzed(sweep)
    frames = {
        name: pd.read_parquet(sweep / "analysis" / f"{name}.parquet") for name in ("runs", "evaluations", "samples")
    }
    assert list(frames["runs"]["run"]) == ["run0", "run1", "tiny_base"]
    assert frames["runs"].loc[1, "capitalization"] == 0.9
    assert frames["runs"].loc[1, "training_final_loss"] == pytest.approx(2 * 2.718281828**-1)
    assert list(frames["evaluations"]["significant"])[:2] == [True, True]
    assert len(frames["samples"]) == 120
    assert frames["samples"]["value"].sum() == 58
    row = frames["samples"].iloc[0]
    assert (row["run"], row["sample"], row["prompt"], row["answer"]) == ("run0", "1", "prompt 1", "answer 1")
    again = pd.read_csv(sweep / "analysis" / "evaluations.csv")
    assert list(again["score"]) == list(frames["evaluations"]["score"])


def test_the_proof_that_the_evaluated_model_was_trained_is_in_the_tables_and_the_report(sweep: Path) -> None:
    import pandas as pd

    entry = {
        "epoch": 0,
        "split": "validation",
        "samples": 32,
        "trained": 0.0611,
        "evaluated": 0.0612,
        "tolerance": 1e-3,
    }
    (sweep / "rank16" / "artifacts" / "proof.json").write_text(json.dumps({"epochs": [entry]}))
    analyzed(sweep)
    runs = pd.read_csv(sweep / "analysis" / "runs.csv")
    assert runs.loc[1, ["proof_trained", "proof_evaluated"]].tolist() == [0.0611, 0.0612]
    report = (sweep / "analysis" / "report.md").read_text()
    assert "| rank16 | 0 | 0.0611 | 0.0612 | 0.001 | yes | 32 | validation |" in report
    assert "1 training has no proof that the evaluated model is the trained one" in report


def test_the_report_of_an_unfinished_experiment_has_the_results_so_far(sweep: Path) -> None:
    for path in (sweep / "rank16" / "eval" / "logs").glob("*"):
        path.unlink()
    shutil.rmtree(sweep / "rank16" / "artifacts")
    report = analyzed(sweep)
    assert report.exit_code == 4
    assert {(gap.subject, gap.what) for gap in report.analysis.gaps} == {
        ("rank16", "no curve of its training was found"),
        ("rank16, capitalization, epoch 0", "no score: there is no log"),
    }
    assert len(texts(report, "base")) == 1
    page = (sweep / "analysis" / "report.md").read_text()
    assert "1 of 2 trainings and 2 of 3 evaluations have results." in page


def test_an_experiment_without_any_result_is_analyzed(tmp_path: Path) -> None:
    directory = Sweep(runs(half(), half())).write(tmp_path / "empty", curves=False)
    for path in directory.rglob("*.eval"):
        path.unlink()
    report = analyzed(directory)
    assert report.findings == ()
    assert any(gap.subject == "tiny" and "no control run" in gap.what for gap in report.analysis.gaps)
    assert "No findings yet" in (directory / "analysis" / "report.md").read_text()


def test_of_several_logs_the_newest_that_succeeded_counts(sweep: Path) -> None:
    logs = sweep / "rank4" / "eval" / "logs"
    good: dict[str, Any] = {"model": "hf/rank4_epoch0", "values": [RIGHT] * 40}
    write_log(logs / "b.eval", created="2026-01-03T10:00:00+00:00", **good)
    write_log(logs / "c.eval", created="2026-01-04T10:00:00+00:00", status="error", **good)
    (logs / "d.eval").write_bytes(b"PK\x03\x04 torn")
    write_log(logs / "e.eval", model="hf/rank4_epoch7", values=[RIGHT])
    report = analyzed(sweep)
    (record,) = [item for item in report.analysis.evaluations if item.key.run == "run0"]
    assert record.log == "rank4/eval/logs/b.eval"
    assert record.scores[0].value == 1
    assert {Path(other.path).name: other.why for other in record.others} == {
        "c.eval": "its status is error",
        "2026-01-02T10-00_capitalization.eval": "a newer one counts",
    }
    assert any(item.subject == "rank4/eval/logs/e.eval" for item in report.analysis.deviations)
    assert any(gap.subject == "rank4/eval/logs/d.eval" and "cannot be read" in gap.what for gap in report.analysis.gaps)


def test_copies_of_one_log_count_in_their_own_directories(tmp_path: Path) -> None:
    """inspect-ai's frames leave copies out: their samples must not get lost."""
    directory = Sweep(runs(half(), half()), base=half()).write(tmp_path / "copies", unique="the same everywhere")
    report = analyzed(directory)
    assert report.exit_code == 0
    assert [score.n for score in report.analysis.scores("capitalization")] == [40, 40, 40]


def test_unchanged_logs_are_not_read_again(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import inspect_ai.analysis
    import inspect_ai.log

    first = analyzed(sweep)

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("a log was opened")

    monkeypatch.setattr(inspect_ai.log, "read_eval_log", fail)
    monkeypatch.setattr(inspect_ai.analysis, "samples_df", fail)
    assert analyzed(sweep).analysis.findings == first.analysis.findings
    monkeypatch.undo()
    path = next((sweep / "rank4" / "eval" / "logs").glob("*.eval"))
    write_log(path, model="hf/rank4_epoch0", values=[RIGHT] * 40)
    assert analyzed(sweep).analysis.scores("capitalization")[0].value == 1


def test_a_damaged_cache_is_ignored(sweep: Path) -> None:
    first = analyzed(sweep)
    memory = sweep / ".tunebook" / "analysis"
    remembered = {path.name for path in memory.iterdir()}
    assert remembered >= {"figures.json", "headers.json", "last.json", "samples.parquet"}
    for path in memory.iterdir():
        path.write_bytes(b"\x00 torn")
    assert analyzed(sweep).analysis.findings == first.analysis.findings
    (memory / "last.json").unlink()
    (memory / "headers.json").write_text('{"version": 3, "logs": [{"path": 1}]}')
    assert analyzed(sweep).analysis.findings == first.analysis.findings


def test_numbers_of_a_scorer_are_compared_by_the_bootstrap(tmp_path: Path) -> None:
    low, high = [0.1 + 0.01 * (index % 7) for index in range(30)], [0.3 + 0.02 * (index % 5) for index in range(30)]
    report = analyzed(Sweep(runs(high, low), base=low).write(tmp_path / "numbers"))
    comparison = next(item for item in report.analysis.comparisons if item.run == "run0" and item.against == "base")
    assert (comparison.test, comparison.significant, comparison.gained) == ("sign-flip, exact", True, None)
    score = report.analysis.scores("capitalization")[0]
    assert score.interval is not None
    assert (score.interval.method, score.is_binary) == ("bootstrap", False)
    equal = next(item for item in report.analysis.comparisons if item.run == "run1" and item.against == "base")
    assert (equal.difference, equal.p, equal.significant) == (0, 1, False)


def test_several_measures_and_unusable_values(tmp_path: Path) -> None:
    values: list[Any] = [
        {"exact": 1, "length": 12.0},
        {"exact": 0, "length": 30.0},
        {"exact": 1, "length": "none"},
    ] * 10
    report = analyzed(Sweep(runs(values, values), base=values).write(tmp_path / "several"))
    assert [each.name for each in report.analysis.tasks[0].measures] == ["exactly/exact", "exactly/length"]
    lengths = report.analysis.scores("capitalization", "exactly/length")
    assert (lengths[0].n, lengths[0].value) == (20, 21.0)
    assert any(
        "10 of 30 samples have no usable value of exactly/length" in item.what for item in report.analysis.deviations
    )


def test_other_samples_are_not_compared(tmp_path: Path) -> None:
    directory = Sweep(runs(half(), half()), base=half()).write(tmp_path / "other")
    path = next((directory / "rank4" / "eval" / "logs").glob("*.eval"))
    write_log(path, model="hf/rank4_epoch0", values=half(), targets=[f"another {index}" for index in range(40)])
    path = next((directory / "rank16" / "eval" / "logs").glob("*.eval"))
    write_log(path, model="hf/rank16_epoch0", values=[RIGHT] * 30, ids=list(range(11, 41)))
    report = analyzed(directory)
    found = {(item.run, item.against): item for item in report.analysis.comparisons}
    assert ("run0", "base") not in found
    assert (found["run1", "base"].n, found["run1", "base"].unpaired) == (30, 10)
    assert any("30 samples, 30 of them shared" in item.what for item in report.analysis.deviations)


def test_other_data_under_the_same_ids_enters_no_statistic(tmp_path: Path) -> None:
    """Ids that are numbers are alike in every data set: effects, cases and counts must not mix them."""
    directory = Sweep(runs(half(), [RIGHT] * 40), base=[WRONG] * 40).write(tmp_path / "other data")
    path = next((directory / "rank16" / "eval" / "logs").glob("*.eval"))
    others = [f"another {index}" for index in range(40)]
    write_log(path, model="hf/rank16_epoch0", values=[RIGHT] * 40, targets=others, prompts=others)
    report = analyzed(directory)
    (effect,) = report.analysis.effects
    assert (effect.p, effect.note) == (None, "no sample was answered by every run")
    assert {run for case in report.analysis.cases for run in case.runs} == {"run0"}
    (text,) = texts(report, "samples")
    assert "0 of 0 samples" not in text
    assert "fixed 20 samples and broke 0" in text
    assert any(
        item.what == "its targets differ from most other runs' in 40 of 40 samples: they are not compared"
        for item in report.analysis.deviations
    )


def test_a_run_that_is_higher_where_both_have_samples_is_not_called_lower(tmp_path: Path) -> None:
    """The best run's score may come from samples that the other one does not have."""
    best = [RIGHT] * 7 + [WRONG] * 13 + [RIGHT] * 20
    directory = Sweep(runs(best, half()), base=half()).write(tmp_path / "higher")
    path = next((directory / "rank16" / "eval" / "logs").glob("*.eval"))
    write_log(path, model="hf/rank16_epoch0", values=[RIGHT] * 13 + [WRONG] * 7)
    report = analyzed(directory)
    (item,) = [item for item in report.analysis.comparisons if item.against == "best" and item.run == "run1"]
    assert (item.difference > 0, item.significant) == (True, True)
    (text,) = texts(report, "best")
    assert "significantly lower" not in text
    assert "On the samples that both have, rank16 is significantly better." in text


def test_the_best_run_is_called_fine_tuned_only_where_all_are(sweep: Path) -> None:
    from support.plans import parse_plan
    from tunebook.core.naming import run_directories

    page = sweep / "experiment_summary.md"
    lines = page.read_text().replace("| Type |", "| Type | Checkpoint |").replace("| --- |\n", "| --- | --- |\n")
    lines = lines.replace("| Fine-tuned |", "| Fine-tuned | - |")
    row = "| tiny_base | tiny | - | Control |"
    page.write_text(lines.replace(row, f"| mine | tiny | - | Eval-only | `ck/mine` |\n{row} - |"))
    parsed = parse_plan(page.read_text())
    assert parsed.problems == ()
    folder = run_directories(parsed.plan)["mine"]
    write_log(sweep / folder / "eval" / "logs" / "a.eval", model=f"hf/{folder}", values=[RIGHT] * 40)
    (text,) = texts(analyzed(sweep), "best")
    assert text.startswith(f"Of the runs that are not base models, {folder} has the highest score")


def test_a_text_is_no_formula_in_a_spreadsheet(tmp_path: Path) -> None:
    import pandas as pd

    from tunebook.analysis.data_files import write_csv

    texts = ['=HYPERLINK("x")', "+1+cmd|' /C calc'!A0", "@SUM(A1)", "-2e-5", "-", "plain"]
    frame = pd.DataFrame({"a": texts, "=b": [-0.5, 1.0, 2.0, 3.0, 4.0, 5.0]}).convert_dtypes()
    write_csv(tmp_path / "a.csv", frame, within=tmp_path)
    again = pd.read_csv(tmp_path / "a.csv", dtype=str)
    assert list(again["a"]) == [f"'{texts[0]}", f"'{texts[1]}", f"'{texts[2]}", *texts[3:]]
    assert list(again["'=b"])[:2] == ["-0.5", "1.0"]


def test_runs_that_end_at_different_epochs_are_not_said_to_end_at_one(tmp_path: Path) -> None:
    tuned = (
        SweepRun("run4", {"LoRA Rank": "4"}, {0: half(), 1: half(), 2: half()}),
        SweepRun("run16", {"LoRA Rank": "16"}, {0: half(), 1: half()}),
    )
    report = analyzed(Sweep(tuned, base=half()).write(tmp_path / "ends"))
    (text,) = texts(report, "epochs")
    assert text.startswith("From the first to the last epoch, the mean score of 2 runs")


def test_repetitions_of_a_sample_count_once(tmp_path: Path) -> None:
    values = [[RIGHT, WRONG], [RIGHT, RIGHT], [WRONG, WRONG], [RIGHT, RIGHT]] * 5
    report = analyzed(Sweep(runs(values, values), base=values).write(tmp_path / "repeats", epochs=2))
    score = report.analysis.scores("capitalization")[0]
    assert (score.n, score.value, score.is_binary) == (20, 0.625, False)
    assert report.analysis.deviations == ()


def test_a_repetition_without_a_value_is_reported(tmp_path: Path) -> None:
    values = [[RIGHT, WRONG], [RIGHT, None], [WRONG, WRONG], [RIGHT, RIGHT]] * 5
    report = analyzed(Sweep(runs(values, values)).write(tmp_path / "torn repeats", epochs=2))
    assert any("5 of 40 samples have no usable value" in item.what for item in report.analysis.deviations)


def test_a_control_that_no_row_asks_for_leaves_nothing_unfinished(tmp_path: Path) -> None:
    directory = Sweep(runs(half(), half())).write(tmp_path / "no control")
    report = analyzed(directory)
    assert [gap.subject for gap in report.analysis.gaps] == ["tiny"]
    assert report.exit_code == 0
    assert "Not complete" not in (directory / "analysis" / "report.md").read_text()


def test_a_torn_log_beside_one_that_counts_leaves_nothing_unfinished(sweep: Path) -> None:
    (sweep / "rank4" / "eval" / "logs" / "torn.eval").write_bytes(b"PK\x03\x04 torn")
    report = analyzed(sweep)
    assert [gap.subject for gap in report.analysis.gaps] == ["rank4/eval/logs/torn.eval"]
    assert report.exit_code == 0
    for path in (sweep / "rank4" / "eval" / "logs").glob("2026*"):
        path.unlink()
    assert analyzed(sweep).exit_code == 4


def test_a_training_that_logs_every_tenth_step_is_whole(sweep: Path) -> None:
    """The steps after the last logged one are no gap, and a validation after them is kept."""
    page = sweep / "experiment_summary.md"
    page.write_text(page.read_text().replace("- **Batch size:**", "- **Log Every N Steps:** 10\n- **Batch size:**"))
    times = {"epoch": 0, "total_steps": 25, "lr": 1e-4}
    records = [{"step": step, "loss": 2.0, **times} for step in (10, 20)] + [{"step": 25, "val_loss": 1.5}]
    metrics = sweep / "rank4" / "artifacts" / "metrics.jsonl"
    metrics.write_text("".join(json.dumps(record) + "\n" for record in records))
    report = analyzed(sweep)
    assert report.analysis.gaps == ()
    own = report.curves[report.curves["run"] == "run0"]
    assert list(own["step"]) == [10, 20, 25]
    assert own["validation_loss"].iloc[2] == 1.5
    metrics.write_text(json.dumps(records[0]) + "\n")
    assert [gap.what for gap in analyzed(sweep).analysis.gaps] == ["its curve has 10 of 25 steps"]


def test_unreadable_lines_of_a_training_log_are_a_caution(sweep: Path) -> None:
    assert "cannot be read" not in " ".join(texts(analyzed(sweep), "caution"))
    metrics = sweep / "rank4" / "artifacts" / "metrics.jsonl"
    metrics.write_text(metrics.read_text() + '{"step": 21, "lo\n')
    told = "The training log cannot be read in full in rank4 (1 line): the curve may lack steps."
    assert told in texts(analyzed(sweep), "caution")


def test_a_task_named_like_a_column_does_not_replace_it(sweep: Path) -> None:
    page = sweep / "experiment_summary.md"
    page.write_text(page.read_text().replace("| capitalization | `cap_task.py`", "| lora_rank | `cap_task.py`"))
    for path in sweep.rglob("*.eval"):
        suffix = "" if "base" in str(path) else "_epoch0"
        write_log(path, model=f"hf/{path.parts[-4]}{suffix}", values=half(), task="lora_rank")
    frame = analyzed(sweep).runs
    assert list(frame["lora_rank"].dropna()) == [4, 16]
    assert list(frame["task lora_rank"]) == [0.5, 0.5, 0.5]


def test_epochs_are_compared_and_the_last_is_the_runs_score(tmp_path: Path) -> None:
    first, last = [RIGHT] * 10 + [WRONG] * 30, [RIGHT] * 30 + [WRONG] * 10
    tuned = tuple(SweepRun(f"run{rank}", {"LoRA Rank": rank}, {0: first, 1: last}) for rank in ("4", "16"))
    report = analyzed(Sweep(tuned, base=first).write(tmp_path / "epochs"))
    (text,) = texts(report, "epochs")
    assert (
        "From epoch 0 to epoch 1, the mean score of 2 runs on capitalization (exactly) improves from 25.0 % to 75.0 %"
        in text
    )
    assert list(report.runs["capitalization"]) == [0.75, 0.75, 0.25]


HOSTILE = [
    "<script>alert(1)</script>",
    "| a | b |\n|---|---|",
    "`code` ``` fence",
    "[x](javascript:alert(1)) ![y](z)",
    "\x1b[31mred\x00\u202e",
    "# title\n- item\n1. one\n---\n&lt;b&gt; $x$ *e* _u_ ~~s~~",
]


def test_hostile_samples_are_text_in_the_report(tmp_path: Path) -> None:
    """No prompt, target or answer makes markup, cells or rows."""
    count = len(HOSTILE)
    directory = Sweep(runs([RIGHT] * count, [RIGHT] * count), base=[WRONG] * count, question=HOSTILE[0]).write(
        tmp_path / "hostile", prompts=HOSTILE, targets=HOSTILE, answers=HOSTILE
    )
    analyzed(directory)
    page = (directory / "analysis" / "report.md").read_text()
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(page)
    inline = [child for token in tokens for child in token.children or [] if token.type == "inline"]
    assert {child.content for child in inline if child.type == "html_inline"} <= {"<br>"}
    assert not [token for token in tokens if token.type in {"html_block", "fence", "hr"}]
    links = [child.attrs["href"] for child in inline if child.type == "link_open"]
    assert not [link for link in links if str(link).startswith("javascript")]
    assert not [
        child
        for child in inline
        if child.type in {"image", "code_inline", "em_open", "strong_open"} and "Not" in child.content
    ]
    text = "".join(child.content for child in inline if child.type == "text")
    assert "<script>alert(1)</script>" in text
    assert "\x1b" not in page
    assert "\u202e" not in page
    shown = analyzed(directory, write=False)._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    header = next(line for line in page.splitlines() if line.startswith("| Task | Sample"))
    row = page.splitlines()[page.splitlines().index(header) + 3]
    assert row.replace("\\|", "").count("|") == header.count("|")


def test_an_edited_setting_is_a_deviation(sweep: Path) -> None:
    (sweep / "rank4" / "setup_finetune.yaml").write_text("lora_rank: 4\nlr: 0.0003\nbatch_size: 4\n")
    report = analyzed(sweep)
    (item,) = [item for item in report.analysis.deviations if item.kind == "setting"]
    assert (item.subject, item.what) == ("rank4", "setup_finetune.yaml says lr: 0.0003, the plan says 0.0001")


def test_training_logs_of_older_runs_are_read(sweep: Path) -> None:
    shutil.rmtree(sweep / "rank4" / "artifacts")
    (sweep / "rank4" / "artifacts").mkdir()
    lines = [f"Step {step} | loss:{2 / step} lr:0.0001 tokens_per_second_per_gpu:100.5 \n" for step in (1, 2, 3, 4)]
    (sweep / "rank4" / "artifacts" / "log_1700000000.txt").write_text("".join(lines))
    (sweep / "rank16" / "artifacts" / "metrics.jsonl").unlink()
    bar = "1|1|Loss: 3.5: 50%|\r1|2|Loss: 2.5: 100%|\r2|3|Loss: 1.5: 100%|\n"
    (sweep / "rank16" / "slurm-77.out").write_text(bar)
    trainings = [run.training for run in analyzed(sweep).analysis.runs[:2]]
    assert [training.source for training in trainings if training] == ["torchtune log", "job output"]
    assert [training.final_loss for training in trainings if training] == [0.5, 1.5]
    assert trainings[1] is not None
    assert trainings[1].curve.epochs == (0, 0, 1)
    assert {training.state for training in trainings if training} == {JobState.UNKNOWN}


def test_the_frames_show_themselves_in_a_notebook(sweep: Path) -> None:
    report = analyzed(sweep)
    for frame in (report.runs, report.evaluations, report.samples, report.curves, report.comparisons, report.effects):
        assert frame._repr_html_().startswith("<div>")
    shown = report._repr_html_()
    assert "✓ rank16 scores 90.0 %" in shown
    assert "<td>76.9 to 96.0 %</td>" in shown


def test_the_command_prints_the_findings(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from typer.testing import CliRunner

    from tunebook.cli.main import app

    done = CliRunner().invoke(app, ["analyze", str(sweep)])
    assert done.exit_code == 0
    assert "✓ rank16 scores 90.0 %" in done.stdout
    document = json.loads(CliRunner().invoke(app, ["analyze", str(sweep), "--json"]).stdout)
    assert document["ok"] is True
    assert document["data"]["scores"][0]["score"] == 0.5
    assert document["data"]["comparisons"][0]["significant"] is True
    del capsys


def test_a_plan_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from tunebook.cli.main import app
    from tunebook.errors import TunebookError

    (tmp_path / "experiment_summary.md").write_text("# Experiment: x\n")
    done = CliRunner().invoke(app, ["analyze", str(tmp_path)])
    assert isinstance(done.exception, TunebookError)
    assert done.exception.exit_code == 3


def test_two_tasks_of_one_function_are_distinguished_by_their_data(sweep: Path) -> None:
    """A log that may be of either counts for neither."""
    page = sweep / "experiment_summary.md"
    row = "| capitalization | `cap_task.py` | `words.json` | exact match |"
    two = row.replace("`cap_task.py`", "`cap_task.py@capitalization`")
    page.write_text(
        page.read_text().replace(row, f"{two}\n{two.replace('| capitalization', '| other').replace('words', 'more')}")
    )
    report = analyzed(sweep)
    assert report.analysis.scores("capitalization") == ()
    assert (
        sum(
            item.what == "it belongs to no planned evaluation and does not count" for item in report.analysis.deviations
        )
        == 3
    )
    for name in ("rank4", "rank16"):
        path = next((sweep / name / "eval" / "logs").glob("*.eval"))
        write_log(path, model=f"hf/{name}_epoch0", values=half(), arguments={"dataset_path": "/data/more.json"})
    report = analyzed(sweep)
    assert [score.value for score in report.analysis.scores("other")] == [0.5, 0.5]
    assert report.analysis.scores("capitalization") == ()


def test_watching_ends_with_the_last_job(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from tunebook.cli.main import app

    done = analyzed(sweep)
    running = replace(done, summary=replace(done.summary, states=(JobState.RUNNING,) * 3))
    answers = [running, running, done]
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    monkeypatch.setattr(api, "analyze", lambda *_, **__: answers.pop(0))
    result = CliRunner().invoke(app, ["analyze", str(sweep), "--watch", "--every-s", "7"])
    assert (result.exit_code, slept, answers) == (0, [7, 7], [])
    assert result.stdout.count("3 running") == 2


def test_a_plan_that_gives_two_runs_one_directory_is_refused(sweep: Path) -> None:
    from tunebook.errors import PlanError

    page = sweep / "experiment_summary.md"
    row = "| tiny_base | tiny | - | Control |"
    page.write_text(page.read_text().replace(row, f"{row}\n{row.replace('tiny_base', 'again')}"))
    with pytest.raises(PlanError, match="would share the directory"):
        analyzed(sweep)


def test_runs_that_are_evaluated_at_fewer_epochs_are_reported(tmp_path: Path) -> None:
    tuned = (
        SweepRun("run4", {"LoRA Rank": "4"}, {0: half(), 1: half()}),
        SweepRun("run16", {"LoRA Rank": "16"}, {0: half()}),
    )
    report = analyzed(Sweep(tuned, base=half()).write(tmp_path / "uneven"))
    assert any(
        "differ in their last evaluated epoch on capitalization, from epoch 0 to epoch 1" in text
        for text in texts(report, "caution")
    )
    assert any(gap.subject == "rank16, capitalization, epoch 1" for gap in report.analysis.gaps)


def test_flaws_of_the_training_data_are_cautions_of_the_report(tmp_path: Path) -> None:
    directory = Sweep(runs(half(), half())).write(tmp_path / "flawed")
    word = {"input": "a", "output": "A"}
    document = {"train": [word, word, {"input": "b", "output": "B"}], "test": [word]}
    (directory / "words.json").write_text(json.dumps(document))
    found = [text for text in texts(analyzed(directory), "caution") if "words.json" in text]
    assert found == [
        "1 of 3 examples in the train split of words.json repeat an earlier one.",
        "1 input of words.json appears in both train and test; scores on them are inflated.",
    ]


def test_each_model_is_compared_with_its_own_base(tmp_path: Path) -> None:
    directory = Sweep(runs(half(), [RIGHT] * 40), base=[WRONG] * 40).write(tmp_path / "two models")
    page = directory / "experiment_summary.md"
    text = (
        page.read_text()
        .replace("| run1 | tiny |", "| run1 | small |")
        .replace("- tiny: `models/tiny`", "- tiny: `models/tiny`\n- small: `models/small`")
    )
    base = "| tiny_base | tiny | - | Control |"
    page.write_text(text.replace(base, f"{base}\n{base.replace('tiny', 'small')}"))
    for old, new in (("rank4", "tiny_rank4"), ("rank16", "small_rank16")):
        (directory / old).rename(directory / new)
        path = next((directory / new / "eval" / "logs").glob("*.eval"))
        write_log(path, model=f"hf/{new}_epoch0", values=half() if old == "rank4" else [RIGHT] * 40)
    write_log(
        directory / "small_base" / "eval" / "logs" / "a.eval", model="hf/small_base", values=[RIGHT] * 39 + [WRONG]
    )
    report = analyzed(directory)
    against = {
        (item.run, item.other): item.significant for item in report.analysis.comparisons if item.against == "base"
    }
    assert against == {("run0", "tiny_base"): True, ("run1", "small_base"): False}
    assert {effect.note for effect in report.analysis.effects} == {
        "the factors were varied together, so their effects cannot be separated"
    }


def test_settings_are_compared_over_their_seeds(tmp_path: Path) -> None:
    """Here no single run differs significantly from the base model, but the mean over three seeds does."""
    base = [RIGHT] * 10 + [WRONG] * 30

    def values(rank: str, seed: int) -> list[str]:
        more = 5 + seed if rank == "16" else 0
        return [*base[: 40 - more], *[RIGHT] * more]

    tuned = tuple(
        SweepRun(f"rank{rank}s{seed}", {"LoRA Rank": rank, "Seed": str(seed)}, {0: values(rank, seed)})
        for rank in ("4", "16")
        for seed in (0, 1, 2)
    )
    report = analyzed(Sweep(tuned, base=base).write(tmp_path / "seeds"))
    same, better = report.analysis.replicates
    assert (same.setting, same.difference, same.significant) == ("LoRA Rank 4", 0, False)
    assert (better.setting, better.significant, len(better.runs)) == ("LoRA Rank 16", True, 3)
    assert better.difference == pytest.approx(6 / 40)
    assert better.mean == pytest.approx(16 / 40)
    assert not any(item.significant for item in report.analysis.comparisons if item.against == "base")
    first, *rest = texts(report, "seeds")
    assert first.startswith("Averaged over their seeds, 1 of 2 settings score significantly better on capitalization")
    assert "generalizes to new test samples, not to retraining" in first
    assert any("LoRA Rank 16: mean 40.0 % (3 seeds) on" in text for text in rest)
    (effect,) = report.analysis.effects
    assert effect.generalizes == "seeds"


def test_bytes_that_are_not_text_are_no_error(sweep: Path) -> None:
    page = sweep / "experiment_summary.md"
    text = page.read_bytes().replace(b"Does it help?", b"Does it help \xff?")
    page.write_bytes(text.replace(b"- **Recipe:**", b'- **Prompt:** "caf\xe9 {input}"\n- **Recipe:**'))
    (sweep / "rank4" / "setup_finetune.yaml").write_bytes(b'prompt: "caf\xe9 {input}"\n')
    (sweep / "rank4" / "artifacts" / "metrics.jsonl").open("ab").write(b"\xff\n")
    (log,) = (sweep / "rank16" / "eval" / "logs").iterdir()
    Path(os.fsdecode(bytes(log.parent) + b"/\xff.eval")).write_bytes(log.read_bytes())
    report = analyzed(sweep)
    assert [(gap.subject, gap.what) for gap in report.analysis.gaps] == [
        ("rank16/eval/logs/\ufffd.eval", "the log cannot be read: its name is not valid UTF-8")
    ]
    assert "Does it help \ufffd?" in (sweep / "analysis" / "report.md").read_text()
    assert report.runs["prompt"][0] == "caf\ufffd {input}"
    assert not [item for item in report.analysis.deviations if item.kind == "setting"]


def test_the_first_job_is_the_first_in_any_time_zone() -> None:
    times = ["2026-01-02T09:30:00+00:00", "2026-01-02T10:00:00+01:00", "2026-01-02T08:00:00-05:00"]
    assert sorted(times, key=lambda time: timestamp_s(time) or 0.0) == [times[1], times[0], times[2]]
