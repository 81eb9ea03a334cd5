"""What tunebook writes stays inside the experiment, survives a power failure, and leaves no temporary file."""

from __future__ import annotations

import errno
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tunebook.core.jobs import JobState
from tunebook.core.paths import HYPOTHESES, INPUTS, LEDGER, MANIFEST, PARTS, SUBMISSIONS
from tunebook.disk.append import append_lines
from tunebook.disk.atomic import own_host, replaced, write_bytes, write_text
from tunebook.disk.hypotheses_record import read_versions
from tunebook.disk.inside import place_inside
from tunebook.disk.json_lines import KeyedDocuments
from tunebook.disk.ledger import Event, EventKind, read_ledger, record
from tunebook.disk.lock import exclusive
from tunebook.disk.log import Log
from tunebook.disk.manifest import Manifest, read_manifest, write_manifest
from tunebook.disk.schema import LineSchema
from tunebook.disk.submissions import SubmissionRecord
from tunebook.errors import DamagedError, LinkError, NewerFormatError

EVENT = Event("2025-10-22T12:00:00+00:00", "t1", "rank8/finetune", EventKind.ENDED, state=JobState.COMPLETED)


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    path = tmp_path / "experiment"
    path.mkdir()
    return path


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "outside"
    path.mkdir()
    (path / "file").write_text("a person's")
    return path


def fill(path: Path, within: Path) -> None:
    with replaced(path, within=within) as part:
        Path(part).write_text("ours")


WRITERS: dict[str, Callable[[Path, Path], object]] = {
    "text": lambda path, within: write_text(path, "ours", within=within),
    "bytes": lambda path, within: write_bytes(path, b"ours", within=within),
    "lines": lambda path, within: append_lines(path, b"ours\n", within=within),
    "block": fill,
}


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS.keys())
def test_nothing_is_written_through_a_link_that_leads_out(
    experiment: Path, outside: Path, writer: Callable[[Path, Path], object]
) -> None:
    (experiment / "file").symlink_to(outside / "file")
    (experiment / "new").symlink_to(outside / "new")
    (experiment / "folder").symlink_to(outside)
    for name in ("file", "new", "folder/file", "folder/below/file", "folder/../../outside/file"):
        with pytest.raises(LinkError, match="leads out of the experiment's directory"):
            writer(experiment / name, experiment)
    assert (outside / "file").read_text() == "a person's"
    assert [path.name for path in outside.iterdir()] == ["file"]


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS.keys())
def test_a_link_that_stays_inside_is_followed(experiment: Path, writer: Callable[[Path, Path], object]) -> None:
    (experiment / "there").mkdir()
    (experiment / "here").symlink_to("there")
    writer(experiment / "here" / "file", experiment)
    assert (experiment / "there" / "file").read_text().strip() == "ours"


def test_an_experiment_may_be_reached_by_a_link(experiment: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(experiment)
    write_text(link / "a" / "file", "ours", within=link)
    assert (experiment / "a" / "file").read_text() == "ours"


def test_temporary_files_are_not_written_elsewhere_either(experiment: Path, outside: Path) -> None:
    (experiment / ".tunebook").symlink_to(outside)
    with pytest.raises(LinkError, match=r"^\.tunebook: leads out"):
        write_text(experiment / "file", "ours", within=experiment)


@pytest.mark.parametrize(
    "place", [".tunebook", ".tunebook/parts", "analysis", "analysis/figures", "run-experiment.log", LEDGER, MANIFEST]
)
def test_a_command_that_would_write_elsewhere_stops_before_it_begins(
    experiment: Path, outside: Path, place: str
) -> None:
    link = experiment / place
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside)
    with pytest.raises(LinkError) as caught, exclusive(experiment, "run"):
        pytest.fail("it began")
    (problem,) = caught.value.problems
    assert (problem.file, str(outside) in problem.message) == (place, True)
    assert [path.name for path in outside.iterdir()] == ["file"]


def test_a_persons_own_link_to_the_plan_is_no_obstacle(experiment: Path, outside: Path) -> None:
    (experiment / "experiment_summary.md").symlink_to(outside / "file")
    (experiment / "checkpoints").symlink_to(outside)
    with exclusive(experiment, "run") as held:
        assert held.warning == ""


def test_a_path_without_links_is_its_own_place(experiment: Path) -> None:
    assert place_inside(experiment / "a" / "b", experiment) == f"{experiment}/a/b"


def test_a_full_disk_names_the_file_and_leaves_nothing(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    writes: tuple[Callable[[], object], ...] = (
        lambda: write_text(experiment / "file", "ours", within=experiment, durable=True),
        lambda: append_lines(experiment / "file", b"ours\n", within=experiment, durable=True),
    )
    for write in writes:
        with pytest.raises(OSError, match="No space left") as caught:
            write()
        assert caught.value.filename == f"{experiment}/file"
    assert list((experiment / PARTS).iterdir()) == []


def test_a_part_of_the_experiment_may_be_another_file_system(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.replace

    def between(source: str, target: str) -> None:
        if os.path.dirname(source) != os.path.dirname(target):  # noqa: PTH120
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(source, target)

    monkeypatch.setattr(os, "replace", between)
    write_text(experiment / "run" / "file", "ours", within=experiment)
    assert [path.name for path in (experiment / "run").iterdir()] == ["file"]
    assert list((experiment / PARTS).iterdir()) == []


@pytest.mark.parametrize("write", ["manifest", "ledger"])
def test_records_are_on_the_disk_with_their_names(
    experiment: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    synced: list[str] = []
    real = os.fsync

    def sync(handle: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))  # noqa: PTH115
        real(handle)

    monkeypatch.setattr(os, "fsync", sync)
    if write == "manifest":
        write_manifest(experiment, Manifest({"a": ("b",)}))
    else:
        record(experiment, EVENT)
    file, folder = synced
    assert "manifest.json" in file if write == "manifest" else file.endswith(LEDGER)
    assert folder == str(experiment / ".tunebook")


def test_temporary_files_of_ended_processes_are_removed_and_no_others(experiment: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    folder = experiment / PARTS
    folder.mkdir(parents=True)
    here = own_host()
    left = [
        folder / f".a.yaml.{ended.pid}-0@{here}.part",
        experiment / f".experiment_summary.md.{ended.pid}-3@{here}.part",
    ]
    kept = [
        folder / f".a.yaml.{os.getpid()}-9999@{here}.part",
        folder / f".a.yaml.{ended.pid}-0@another.host.part",
        folder / f".a.yaml.{ended.pid}-0@{platform.node()[:64]}.another space.part",
        folder / "a person's.part",
        experiment / "model.part",
    ]
    for path in (*left, *kept):
        path.touch()
    with exclusive(experiment, "scaffold"):
        assert not any(path.exists() for path in left)
        assert all(path.exists() for path in kept)


def test_a_log_that_is_a_pipe_is_an_error_and_not_waited_for(experiment: Path) -> None:
    os.mkfifo(experiment / "run.log")
    log = Log(experiment / "run.log", lambda: datetime(2025, 10, 22, 12, tzinfo=UTC))
    with pytest.raises(OSError, match=r"run\.log"):
        log.entry("START", "words")


@pytest.mark.parametrize("name", [LEDGER, HYPOTHESES, INPUTS, SUBMISSIONS])
def test_a_record_of_a_newer_tunebook_is_not_read_as_if_it_were_ours(experiment: Path, name: str) -> None:
    (experiment / ".tunebook").mkdir()
    line = {"format": 2}
    if name == HYPOTHESES:
        line = {"version": 2}
    (experiment / name).write_text(json.dumps(line) + "\n{}\n" * (name != HYPOTHESES))
    reads: dict[str, Callable[[], object]] = {
        LEDGER: lambda: read_ledger(experiment),
        HYPOTHESES: lambda: read_versions(experiment),
        INPUTS: lambda: KeyedDocuments(experiment, LineSchema(INPUTS, 1), "sha256").get("a"),
        SUBMISSIONS: lambda: SubmissionRecord(experiment).get("a"),
    }
    with pytest.raises(NewerFormatError, match="written by a newer tunebook: it has format 2") as caught:
        reads[name]()
    assert caught.value.problems[0].file == name


def test_a_new_record_says_its_format_first(experiment: Path) -> None:
    record(experiment, EVENT)
    record(experiment, EVENT)
    lines = (experiment / LEDGER).read_text().splitlines()
    assert (lines[0], len(lines)) == ('{"format": 1}', 3)
    assert read_ledger(experiment).unreadable == 0


def test_a_long_name_of_any_script_has_a_temporary_file(experiment: Path) -> None:
    path = experiment / ("字" * 80 + ".yaml")
    assert write_text(path, "ours", within=experiment)
    assert path.read_text() == "ours"


def test_a_block_fills_a_file_on_another_file_system(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: str, target: str) -> None:
        if PARTS in source:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), source)
        Path(source).rename(target)

    monkeypatch.setattr("os.replace", refuse)
    fill(experiment / "scores.parquet", experiment)
    assert (experiment / "scores.parquet").read_text() == "ours"
    assert [path.name for path in experiment.rglob("*.part")] == []


def test_a_persons_own_links_are_no_obstacle(experiment: Path, outside: Path) -> None:
    (experiment / "notes.log").symlink_to(outside / "file")
    (experiment / "analysis").mkdir()
    (experiment / "analysis" / "paper").symlink_to(outside)
    with exclusive(experiment, "run"):
        pass


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        ("\0\0", "it is empty"),
        ('{"version": 1,\n"generated": {"a', "it ends in the middle"),
        ('{"version": 1}', "it has another form than tunebook writes"),
        ("[]", "it has another form than tunebook writes"),
    ],
)
def test_a_damaged_manifest_is_described_in_plain_words(text: str, words: str, experiment: Path) -> None:
    path = experiment / MANIFEST
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    with pytest.raises(DamagedError) as caught:
        read_manifest(experiment)
    assert caught.value.problems[0].message == f"the manifest cannot be read: {words}"
