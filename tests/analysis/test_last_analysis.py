"""An analysis is made again exactly if something that can change it has changed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.scaffolding import CLOCK
from support.sweeps import Sweep, SweepRun
from tunebook import api
from tunebook.analysis import last_analysis
from tunebook.analysis.destination import Destination, destination_of
from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.last_analysis import WrittenAnalysis, look_at_inputs, recall, remember
from tunebook.analysis.records import Deviation, Gap
from tunebook.analysis.summary import Summary
from tunebook.core.jobs import JobState
from tunebook.disk import stamps

RIGHT, WRONG = "C", "I"
SUMMARY = Summary(
    is_finished=False,
    states=(JobState.COMPLETED, JobState.RUNNING),
    findings=(Finding("base", "It scores 50 %.", significant=True, task="capitalization"),),
    gaps=(Gap("rank4", "no score", "run it", planned=True),),
    deviations=(Deviation("log", "rank4", "it is old"),),
    next_steps=("Train more.",),
    tests={"scores": [{"run": "rank4", "score": 0.5}]},
)
INPUTS = (
    "experiment_summary.md",
    "claude.local.md",
    "rank4/setup_finetune.yaml",
    "rank4/finetune.slurm",
    "rank4/finetune.outcome.json",
    "rank4/provenance.json",
    "rank4/slurm-7.out",
    "rank4/artifacts/metrics.jsonl",
    "rank4/artifacts/proof.json",
    "rank4/eval/words_epoch0.result.json",
    "rank4/eval/logs/words.eval",
    ".tunebook/manifest.json",
    ".tunebook/ledger.jsonl",
    ".tunebook/data.json",
    ".tunebook/hypotheses.json",
    "words.json",
)


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """The files of an experiment, written long ago, with a report."""
    folder = tmp_path / "experiment"
    for name in (*INPUTS, "analysis/report.md", "analysis/figures/loss.svg", "../outside/metrics.jsonl"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("as it was")
    return folder


@pytest.fixture
def no_file_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every file was older than two seconds."""
    monkeypatch.setattr(stamps, "_FRESH_NS", -(10**12))


def write(experiment: Path, values: str = "options") -> Destination:
    destination = destination_of(experiment)
    inputs = look_at_inputs([experiment], values).known([experiment.parent / "outside"])
    remember(inputs, WrittenAnalysis(("analysis/report.md",), SUMMARY), destination)
    return destination


def is_current(experiment: Path, destination: Destination, values: str = "options") -> bool:
    return recall(look_at_inputs([experiment], values), destination) is not None


def test_what_was_written_comes_back(experiment: Path) -> None:
    destination = write(experiment)
    found = recall(look_at_inputs([experiment], "options"), destination)
    assert found == WrittenAnalysis(("analysis/report.md",), SUMMARY)


@pytest.mark.usefixtures("no_file_is_fresh")
@pytest.mark.parametrize("name", [*INPUTS, "../outside/metrics.jsonl", "analysis/report.md"])
def test_a_file_that_changes_makes_the_analysis_old(experiment: Path, name: str) -> None:
    destination = write(experiment)
    assert is_current(experiment, destination)
    (experiment / name).write_text("otherwise")
    assert not is_current(experiment, destination)


def _new_log(experiment: Path) -> None:
    (experiment / "rank4" / "eval" / "logs" / "second.eval").write_text("new")


def _lost_figure(experiment: Path) -> None:
    (experiment / "analysis" / "figures" / "loss.svg").unlink()


def _old_time(experiment: Path) -> None:
    """Another content of the same size, with the time that the file had before."""
    path = experiment / "rank4" / "artifacts" / "metrics.jsonl"
    before = path.stat()
    time.sleep(0.02)  # file systems count time in steps
    path.write_text("was it as")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _damaged(experiment: Path) -> None:
    (experiment / ".tunebook" / "analysis" / "last.json").write_text('{"version": 1}')


@pytest.mark.usefixtures("no_file_is_fresh")
@pytest.mark.parametrize("change", [_new_log, _lost_figure, _old_time, _damaged])
def test_changes_that_are_easily_missed_make_it_old(experiment: Path, change: Callable[[Path], None]) -> None:
    destination = write(experiment)
    change(experiment)
    assert not is_current(experiment, destination)


def test_options_states_and_installed_code_are_inputs(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    destination = write(experiment)
    assert not is_current(experiment, destination, "other options")
    monkeypatch.setattr(last_analysis, "installed_code", lambda: "another version")
    assert not is_current(experiment, destination)


def test_a_file_that_was_just_written_is_compared_by_its_content(
    experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writes within one step of the file system's clock have the same time."""
    destination = write(experiment)
    path = experiment / "rank4" / "artifacts" / "metrics.jsonl"
    before = next(state for state in stamps.files_below(path))
    path.write_text("was it as")
    real = stamps._state
    monkeypatch.setattr(stamps, "_state", lambda place: before if place == str(path) else real(place))
    assert not is_current(experiment, destination)


def test_what_analyses_write_themselves_is_no_input(experiment: Path) -> None:
    destination = write(experiment)
    for name in ("analyze-experiment.log", ".tunebook/digests.json", ".tunebook/lock.analyze", ".git/index"):
        (experiment / name).parent.mkdir(exist_ok=True)
        (experiment / name).write_text("new")
    (experiment / "rank4" / "__pycache__").mkdir()
    (experiment / "rank4" / "__pycache__" / "task.pyc").write_text("new")
    assert is_current(experiment, destination)


def test_a_directory_that_contains_a_link_to_itself_is_looked_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "again").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    names = {Path(state.path).name for state in stamps.files_below(tmp_path)}
    assert names == {"file", "pipe"}


@pytest.mark.filterwarnings("ignore")
def test_the_second_analysis_of_the_same_files_computes_nothing(tmp_path: Path) -> None:
    run = SweepRun("run0", {"LoRA Rank": "4"}, {0: [RIGHT, WRONG] * 5})
    experiment = Sweep((run,), base=[WRONG] * 10).write(tmp_path / "sweep")

    def analyzed(*, write: bool = True) -> api.AnalyzeReport:
        return api.analyze(experiment, api.AnalyzeOptions(write=write), clock=lambda: CLOCK)

    first = analyzed()
    log = (experiment / "analyze-experiment.log").read_text()
    program = (
        "import sys; from pathlib import Path; from tunebook import api\n"
        f"report = api.analyze(Path({str(experiment)!r}))\n"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'scipy', 'vl_convert', 'inspect_ai'} & sys.modules.keys()\n"
        "print(report.is_new, heavy, [finding.text for finding in report.findings])\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.strip() == f"False set() {[finding.text for finding in first.findings]}"
    again = analyzed()
    assert (again.is_new, again.summary.gaps, again.files) == (False, first.summary.gaps, first.files)
    assert again.analysis.findings == first.analysis.findings
    assert (experiment / "analyze-experiment.log").read_text() == log
    assert analyzed(write=False).is_new
