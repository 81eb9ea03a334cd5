"""What the report says about the environments in which runs were computed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.sweeps import Sweep, SweepRun
from tunebook.analysis.analyze import analyze_experiment
from tunebook.analysis.collect.source import JobFacts, source_of
from tunebook.analysis.report.markdown import markdown_report
from tunebook.analysis.report.sections import content_of
from tunebook.analysis.values import Analysis
from tunebook.api.loading import load
from tunebook.core.jobs import Job, JobState, Stage

RUNS = ("r8", "r16", "r32")


def entry(stage: Stage, *, torch: str = "2.13.0", commit: str = "abc", **versions: Any) -> dict[str, Any]:
    packages = {"torch": torch, "transformers": "5.2"}
    facts = {"python": "3.11.7", "packages": packages, "gpus": ["H100", "H100"], "driver": "550.1"}
    return {"stage": stage.value, "versions": facts | versions, "commit": {"sha": commit, "changed": []}}


def analysis_of(directory: Path, trainings: dict[str, dict[str, Any]]) -> Analysis:
    """An experiment with one training and one evaluation for each run, all evaluated in one environment."""
    ranks = {"r8": "8", "r16": "16", "r32": "32"}
    runs = tuple(SweepRun(name, {"LoRA Rank": rank}, {0: [1, 0]}) for name, rank in ranks.items())
    Sweep(runs).write(directory)
    jobs = []
    for name, rank in ranks.items():
        folder = directory / f"rank{rank}"
        names = {f"rank{rank}/finetune": trainings[name], f"rank{rank}/eval/a": entry(Stage.EVALUATION)}
        document = {"schema": 1, "jobs": names | {f"rank{rank}/eval/gone": entry(Stage.EVALUATION, torch="1.0")}}
        (folder / "provenance.json").write_text(json.dumps(document))
        for job in names:
            stage = Stage.PREPARATION if job.endswith("finetune") else Stage.EVALUATION
            jobs.append(JobFacts(Job(job, name, stage, "", f"rank{rank}", "", ""), JobState.COMPLETED))
    loaded = load(directory)
    source = source_of(directory, loaded.context.plan, loaded.context.site, use_cache=False)
    return analyze_experiment(replace(source, jobs=tuple(jobs)))


def report_of(analysis: Analysis) -> str:
    return markdown_report(content_of(analysis))


def test_what_is_the_same_for_all_runs_is_one_line_each(tmp_path: Path) -> None:
    analysis = analysis_of(tmp_path / "sweep", dict.fromkeys(RUNS, entry(Stage.PREPARATION)))
    assert analysis.differences == ()
    same = {name: analysis.provenance[name] for name in ("Python", "torch", "GPUs", "Driver", "Commit")}
    both = "(trainings and evaluations)"
    assert same == {
        "Python": f"3.11.7 {both}",
        "torch": f"2.13.0 {both}",
        "GPUs": f"2 × H100 {both}",
        "Driver": f"550.1 {both}",
        "Commit": f"abc {both}",
    }
    assert not [item for item in analysis.deviations if item.kind == "versions"]
    assert "torch (trainings) 2.13.0" in analysis.provenance["Versions"]


def test_other_versions_of_a_package_in_compared_runs_are_a_warning_and_a_table(tmp_path: Path) -> None:
    trainings = {name: entry(Stage.PREPARATION) for name in RUNS} | {"r16": entry(Stage.PREPARATION, torch="2.9.1")}
    analysis = analysis_of(tmp_path / "sweep", trainings)
    warnings = [(item.subject, item.what) for item in analysis.deviations if item.kind == "versions"]
    assert warnings == [("torch", "the trainings that are compared had different ones: 2.13.0 in 2 runs; 2.9.1 in r16")]
    text = report_of(analysis)
    assert "Differences between runs" in text
    assert "| torch | trainings | 2.9.1 | rank16 |" in " ".join(text.split()).replace(" |", " |")
    assert analysis.provenance["torch"] == "2.13.0 (evaluations)"
    assert "(trainings)" not in analysis.provenance["Versions"]


def test_another_commit_is_in_the_table_and_no_warning(tmp_path: Path) -> None:
    trainings = {name: entry(Stage.PREPARATION) for name in RUNS} | {"r8": entry(Stage.PREPARATION, commit="def")}
    analysis = analysis_of(tmp_path / "sweep", trainings)
    assert [(item.jobs, item.name) for item in analysis.differences] == [("trainings", "Commit")]
    assert not [item for item in analysis.deviations if item.kind == "versions"]
    assert "def" in report_of(analysis)


def test_a_damaged_record_is_as_good_as_none(tmp_path: Path) -> None:
    directory = tmp_path / "sweep"
    analysis_of(directory, dict.fromkeys(RUNS, entry(Stage.PREPARATION)))
    broken = {"stage": "training", "versions": ["x"]}
    analysis = analysis_of(directory, dict.fromkeys(RUNS, broken))
    assert analysis.differences == ()


def test_the_settings_in_effect_are_in_the_report_with_their_sources(tmp_path: Path) -> None:
    def trained(rank: str, line: int) -> dict[str, Any]:
        source = f"experiment_summary.md:{line}"
        settings = [
            {"group": "training", "name": "LoRA Rank", "value": rank, "source": source},
            {"group": "training", "name": "Precision", "value": "bf16", "source": "default on a GPU"},
        ]
        return entry(Stage.PREPARATION) | {"settings": settings}

    trainings = {"r8": trained("8", 20), "r16": trained("16", 21), "r32": trained("32", 22)}
    text = report_of(analysis_of(tmp_path / "sweep", trainings))
    assert "| training | LoRA Rank | 8, 16, 32 | experiment_summary.md:20 and others; varies between runs |" in text
    assert "| training | Precision | bf16 | default on a GPU |" in text


def test_without_a_record_the_report_says_that_no_settings_are_known(tmp_path: Path) -> None:
    text = report_of(analysis_of(tmp_path / "sweep", dict.fromkeys(RUNS, entry(Stage.PREPARATION))))
    assert "No job has recorded its settings yet." in text
