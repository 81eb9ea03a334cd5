"""An archive on another machine: `analyze` gives the same scores and report, and nothing runs in it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from support.command_line import tunebook
from support.exported import finished_experiment
from support.sweeps import Sweep, SweepRun
from tunebook import api
from tunebook.api.archived_jobs import slurm_use_of
from tunebook.core.jobs import JobState
from tunebook.core.paths import ARCHIVE_RECORD
from tunebook.disk.archive_record import ArchivedJob, ArchiveRecord, LeftOut, archive_text, read_archive_record
from tunebook.errors import DamagedError, ExitCode, NewerFormatError, UsageError
from tunebook.slurm.accounting import SlurmUse

pytestmark = pytest.mark.filterwarnings("ignore")  # inspect-ai uses what pandas will remove

TABLES = ("evaluations.csv", "runs.csv", "comparisons.csv", "effects.csv", "ranking.csv")


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The files of the original's analysis, and an archive that was moved; the original, models and data are gone."""
    root = tmp_path_factory.mktemp("original")
    own = finished_experiment(root)
    assert tunebook(own, "analyze").returncode == 0
    archive = root / "sweep-crate.zip"
    assert tunebook(own, "export").returncode == 0
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(elsewhere / "crate")
    shutil.copytree(own / "analysis", elsewhere / "before")
    for path in root.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return elsewhere / "before", elsewhere / "crate"


def test_analyze_gives_the_same_scores_and_the_same_report(moved: tuple[Path, Path]) -> None:
    before, crate = moved
    shutil.rmtree(crate / "analysis")
    done = tunebook(crate, "analyze", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["data"]["finished"] is True
    assert document["warnings"] == []
    for table in TABLES:
        assert (crate / "analysis" / table).read_text() == (before / table).read_text(), table

    def of_results(folder: Path) -> list[str]:
        lines = (folder / "report.md").read_text().splitlines()
        return [line for line in lines if "inspect view" not in line and not line.startswith("- Experiment:")]

    assert of_results(crate / "analysis") == of_results(before)
    assert (crate / "analysis" / "report.html").is_file()


def test_an_archive_whose_results_somebody_changed_is_analyzed_with_a_warning(
    moved: tuple[Path, Path], tmp_path: Path
) -> None:
    crate = Path(shutil.copytree(moved[1], tmp_path / "crate"))
    first, second = min((crate / "rank4" / "eval" / "logs").iterdir()), crate / "rank16" / "eval"
    first.write_bytes(first.read_bytes().replace(b"A", b"B", 1))
    (second / "capitalization_epoch0.outcome.json").unlink()
    report = api.analyze(crate, api.AnalyzeOptions(write=False))
    (warning,) = report.warnings
    assert "was changed since it was exported" in warning.message
    assert first.name in warning.message
    assert "capitalization_epoch0.outcome.json" in warning.message
    (crate / "ro-crate-metadata.json").unlink()
    (warning,) = api.analyze(crate, api.AnalyzeOptions(write=False)).warnings
    assert "cannot be known" in warning.message


def test_what_an_archive_lacks_is_to_be_finished_in_the_experiment_itself(
    moved: tuple[Path, Path], tmp_path: Path
) -> None:
    crate = Path(shutil.copytree(moved[1], tmp_path / "crate"))
    shutil.rmtree(crate / "rank16" / "eval" / "logs")
    analysis = api.analyze(crate, api.AnalyzeOptions(write=False)).analysis
    (missing,) = (gap for gap in analysis.gaps if gap.planned)
    assert "no score" in missing.what
    assert "finish it in the experiment itself" in missing.hint


def test_status_shows_the_states_at_the_time_of_the_export(moved: tuple[Path, Path]) -> None:
    done = tunebook(moved[1], "status", "--json")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert document["data"]["counts"] == {"completed": 5}
    assert document["warnings"] == []


@pytest.mark.parametrize("verb", ["run", "scaffold", "cancel", "export"])
def test_verbs_that_would_change_an_archive_are_refused(moved: tuple[Path, Path], verb: str) -> None:
    done = tunebook(moved[1], verb)
    assert done.returncode == ExitCode.USAGE
    assert "is an archive" in done.stderr
    assert "copy the plan" in done.stderr
    with pytest.raises(UsageError, match="is an archive"):
        api.setup_finetune(moved[1] / "rank4", assignments=["lr=1e-3"])
    with pytest.raises(UsageError, match="`tunebook spot-check` cannot be used there"):
        api.spot_check(moved[1], "rank4")


def results_of(experiment: Path) -> list[tuple[str, float | None]]:
    """The score of each evaluation, and the last loss of each training."""
    analysis = api.analyze(experiment, api.AnalyzeOptions(write=False)).analysis
    assert not analysis.unreadable, analysis.unreadable
    found = [(one.key.run, score.value) for one in analysis.evaluations for score in one.scores]
    return found + [(run.name, run.training.final_loss if run.training else None) for run in analysis.runs]


def test_results_without_jobs_of_tunebook_are_opened_elsewhere_too(tmp_path: Path) -> None:
    runs = [SweepRun(f"rank{rank}", {"LoRA Rank": str(rank)}, {0: "C" * rank + "I" * (20 - rank)}) for rank in (4, 16)]
    own = Sweep(tuple(runs), base="I" * 20).write(tmp_path / "sweep")
    before = results_of(own)
    report = api.export(own)
    assert "nothing was scaffolded" in str(report.warnings)
    with zipfile.ZipFile(report.path) as opened:
        opened.extractall(tmp_path / "crate")
    shutil.rmtree(own)
    assert len(before) == 6
    assert results_of(tmp_path / "crate") == before


def test_the_record_of_an_archive_reads_back_as_it_was_written(tmp_path: Path) -> None:
    use = {"elapsed_s": 3.5, "memory_gb": None, "gpus": 1}
    job = ArchivedJob("a/finetune", JobState.FAILED, "exit code 1", "7", "x", "y", 0.5, None, "a/o", "n1", 2, "", use)
    record = ArchiveRecord("2026-01-02T00:00:00+00:00", (job,), (LeftOut("data", "ü.json", 1, 2, "ab"),), ("s",))
    (tmp_path / ".tunebook").mkdir()
    path = tmp_path / ARCHIVE_RECORD
    path.write_text(archive_text(record))
    assert read_archive_record(tmp_path) == record
    path.write_text(archive_text(ArchiveRecord("x")))
    assert read_archive_record(tmp_path) == ArchiveRecord("x")
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(NewerFormatError):
        read_archive_record(tmp_path)
    path.write_text("{")
    with pytest.raises(DamagedError, match="unpack the archive again"):
        read_archive_record(tmp_path)
    path.unlink()
    assert read_archive_record(tmp_path) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"score": "high"},
        {"loss": True},
        {"attempts": "2"},
        {"started": 5},
        {"reason": None},
        {"slurm": {"elapsed_s": [1]}},
        {"output": "../../other/notes.txt"},
        {"output": "/etc/passwd"},
        {"state": "lost"},
        {"further": 1},
    ],
)
def test_a_record_that_somebody_changed_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    (tmp_path / ".tunebook").mkdir()
    path = tmp_path / ARCHIVE_RECORD
    path.write_text(archive_text(ArchiveRecord("x", (ArchivedJob("a/finetune", JobState.COMPLETED, slurm={}),))))
    document = json.loads(path.read_text())
    document["jobs"][0] |= changed
    path.write_text(json.dumps(document))
    with pytest.raises(DamagedError, match="unpack the archive again"):
        read_archive_record(tmp_path)


def test_what_accounting_says_in_a_record_is_read_as_far_as_it_has_the_form() -> None:
    job = ArchivedJob("a", JobState.COMPLETED, slurm={"elapsed_s": 3.5, "gpus": "many", "node": 1, "other": 2})
    assert slurm_use_of(job) == SlurmUse(elapsed_s=3.5)
    assert slurm_use_of(ArchivedJob("a", JobState.COMPLETED)) is None


def test_an_archive_without_rocrate_is_refused_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Sweep((), base="CI").write(tmp_path / "sweep")
    program = "import sys\nsys.modules['rocrate'] = None\nfrom tunebook.cli.main import main\nmain()\n"
    command = [sys.executable, "-c", program, "export", str(own)]
    monkeypatch.setenv("COLUMNS", "200")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.FAILED
    assert "rocrate" in done.stderr
    assert "Traceback" not in done.stderr
