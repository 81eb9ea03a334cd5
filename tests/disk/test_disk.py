"""Files are written whole, a lock has one holder, and records are found again."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from support.patience import HANG_S
from tunebook.artifacts.checkpoints import missing_checkpoints
from tunebook.core.jobs import Job, JobState, Pack, Resources, Stage
from tunebook.core.paths import LEDGER, MANIFEST
from tunebook.disk.atomic import write_text
from tunebook.disk.digests import file_digest, part_digest
from tunebook.disk.ledger import Event, EventKind, LedgerReader, read_ledger, record
from tunebook.disk.lock import exclusive
from tunebook.disk.log import Log
from tunebook.disk.manifest import Manifest, read_manifest, write_manifest
from tunebook.disk.program import run_program, start_detached
from tunebook.disk.read import read_text
from tunebook.errors import DamagedError, LockedError, PlanError, ToolError

JOB = Job("rank8/finetune", "rank8", Stage.PREPARATION, "torchtune", "rank8", "rank8/f.slurm", "rank8/o.json")
NOON = datetime.fromisoformat("2025-10-22T12:00:00+00:00")


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_is_made_with_its_directories_and_line_ends_stay(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "page.md", "one\r\ntwo", within=tmp_path)
    assert (tmp_path / "a" / "b" / "page.md").read_bytes() == b"one\r\ntwo"
    assert names(tmp_path / "a" / "b") == ["page.md"]


def test_mode_and_symbolic_link_stay(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("old")
    target.chmod(0o640)
    (tmp_path / "link").symlink_to("target")
    write_text(tmp_path / "link", "new", within=None, durable=True)
    assert (tmp_path / "link").is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_failure_leaves_the_file_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_text(tmp_path / "directory", "text", within=None)
    assert names(tmp_path) == ["directory"]


def test_a_file_that_was_edited_meanwhile_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_text("a person's")
    assert not write_text(page, "ours", within=None, only_if=lambda: False)
    assert page.read_text() == "a person's"
    assert write_text(page, "ours", within=None, only_if=lambda: True)
    assert page.read_text() == "ours"
    assert names(tmp_path) == ["page"]


def test_the_manifest_comes_back_and_a_damaged_one_says_what_to_do(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) == Manifest()
    asked = Resources(time="1-00:00:00", memory="48G", cpus=8, gpus=2, gpu_type="a100", gpu_syntax="gpus")
    placed = Resources(
        account="lab", partition="gpu", constraint="gpu80", qos="long", mail_user="a@b.c", mail_type="ALL"
    )
    jobs = (JOB, replace(JOB, name="a", resources=asked), replace(JOB, name="b", resources=placed))
    manifest = Manifest({"rank8/finetune.yaml": ("ab",)}, jobs, plan="cd")
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    (tmp_path / MANIFEST).write_text('{"generated": ')
    with pytest.raises(PlanError, match=r"cannot be read.*`tunebook scaffold` keeps a copy"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", [item.name for item in fields(Job)])
@pytest.mark.parametrize("value", [float("-inf"), 7.5, {}, [[]], [None]])
def test_a_job_of_the_manifest_with_a_value_of_another_type_is_damage(name: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / MANIFEST
    write_manifest(tmp_path, Manifest({}, (replace(JOB, pack=Pack("together")),)))
    document = json.loads(path.read_text())
    document["jobs"][0][name] = value
    path.write_text(json.dumps(document))
    if (name, value) in [("resources", {}), ("estimate_min", 7.5)]:
        assert len(read_manifest(tmp_path).jobs) == 1
        return
    with pytest.raises(DamagedError, match="has another form than tunebook writes"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", ["half of a pair \ud800", "a\0b"])
def test_a_name_that_no_file_can_have_is_no_file(name: str) -> None:
    with pytest.raises(OSError, match="no file can have this name"):
        read_text(name)
    assert missing_checkpoints([name], "/") == (name,)


HOLDER = """
import sys, time
from pathlib import Path
from tunebook.disk.lock import exclusive
with exclusive(Path(sys.argv[1]), "run"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_holder_learns_who_the_first_is_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockedError, match=f"process {holder.pid} on ") as caught, exclusive(tmp_path, "run"):
            pass
        assert "since 20" in str(caught.value)
        holder.send_signal(signal.SIGKILL)
    with exclusive(tmp_path, "run"), exclusive(tmp_path, "plan"), pytest.raises(LockedError):
        exclusive(tmp_path, "run").__enter__()
    with exclusive(tmp_path, "run"):
        pass


def event(kind: EventKind, tag: str = "t1", *, inputs: str = "", job_id: str = "", executor: str = "") -> Event:
    return Event("2025-10-22T12:00:00+00:00", tag, JOB.name, kind, inputs=inputs, job_id=job_id, executor=executor)


def test_the_ledger_folds_to_the_latest_submission(tmp_path: Path) -> None:
    record(tmp_path, event(EventKind.SUBMITTING, inputs="ab", executor="local"))
    record(tmp_path, event(EventKind.SUBMITTED, job_id="local-1-2"))
    entry = read_ledger(tmp_path).entries[JOB.name]
    assert (entry.last.inputs, entry.last.job_id, entry.last.executor) == ("ab", "local-1-2", "local")
    assert entry.is_open
    record(tmp_path, event(EventKind.CANCELLED))
    record(tmp_path, Event("now", "t1", JOB.name, EventKind.ENDED, state=JobState.FAILED, reason="exit code 143"))
    record(tmp_path, event(EventKind.SUBMITTING, "t2"))
    assert read_ledger(tmp_path).entries[JOB.name].last.tag == "t2"
    record(tmp_path, event(EventKind.REFUSED, "t2"))
    entry = read_ledger(tmp_path).entries[JOB.name]
    assert (entry.last.tag, entry.last.state, entry.cancelled, entry.is_open) == ("t1", JobState.FAILED, True, False)


def test_a_torn_line_of_the_ledger_loses_nothing_else(tmp_path: Path) -> None:
    reader = LedgerReader(tmp_path)
    assert reader.latest(JOB.name) is None
    record(tmp_path, event(EventKind.SUBMITTING))
    with (tmp_path / LEDGER).open("ab") as stream:
        stream.write(b'{"time": "2025-10-22T12:00:00+00:00", "tag": "t1", "jo')
    assert reader.read().unreadable == read_ledger(tmp_path).unreadable == 1
    record(tmp_path, event(EventKind.SUBMITTED, job_id="7"))
    for ledger in (reader.read(), read_ledger(tmp_path)):
        assert ledger.entries[JOB.name].last.job_id == "7"
        assert ledger.unreadable == 1


@pytest.mark.parametrize("line", ["[]", "null", '{"event": "dancing"}', '{"event": "ended", "state": "odd"}', "\x00"])
def test_a_line_that_cannot_be_read_is_counted(tmp_path: Path, line: str) -> None:
    (tmp_path / LEDGER).parent.mkdir()
    (tmp_path / LEDGER).write_text(f"{line}\n")
    assert read_ledger(tmp_path).unreadable == 1


def test_log_entries_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    log = Log(tmp_path / "run.log", lambda: NOON)
    assert not log.path or not log.path.exists()

    def write() -> None:
        for _ in range(50):
            log.entry("STATE", "x" * 200, details="a\nb")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = (tmp_path / "run.log").read_text().split("\n\n")
    assert entries == [f"[2025-10-22 12:00:00] STATE: {'x' * 200}\nDetails: a\\nb"] * 200 + [""]


def test_a_program_is_run_and_a_missing_one_is_named(tmp_path: Path) -> None:
    done = run_program(["bash", "-c", "pwd; echo $A >&2; exit 3"], timeout_s=HANG_S, cwd=tmp_path, env={"A": "b"})
    assert (done.stdout, done.stderr, done.returncode) == (f"{tmp_path}\n", "b\n", 3)
    with pytest.raises(ToolError, match="`no-such-program` was not found"):
        run_program(["no-such-program"], timeout_s=1)
    with pytest.raises(ToolError, match="no such directory"):
        run_program(["bash"], timeout_s=1, cwd=tmp_path / "nowhere")


def test_a_program_that_does_not_end_is_killed_with_its_children() -> None:
    with pytest.raises(ToolError, match=r"did not end within 0\.2 s"):
        run_program(["bash", "-c", "sleep 600 & sleep 600; echo"], timeout_s=0.2)


def test_a_detached_program_leads_its_own_session(tmp_path: Path) -> None:
    script = "echo $(ps -o sid= -p $$) $$; cat"
    with start_detached(["bash", "-c", script], cwd=tmp_path, env=dict(os.environ), output=tmp_path / "out") as child:
        assert child.wait(timeout=HANG_S) == 0
    session, pid = (tmp_path / "out").read_text().split()
    assert session == pid == str(child.pid)
    with pytest.raises(FileExistsError):
        start_detached(["bash"], cwd=tmp_path, env={}, output=tmp_path / "out")
    with pytest.raises(ToolError):
        start_detached(["no-such-program"], cwd=tmp_path, env={}, output=tmp_path / "out2")
    assert json.dumps(names(tmp_path)) == '["out"]'


@pytest.mark.parametrize("digest", [file_digest, part_digest])
def test_a_pipe_in_place_of_data_is_an_error_and_not_waited_for(tmp_path: Path, digest: Callable[[str], str]) -> None:
    os.mkfifo(tmp_path / "words.jsonl")
    with pytest.raises(OSError, match="not a regular file"):
        digest(str(tmp_path / "words.jsonl"))
