"""Where the file system has no locks, the record of the holder is the lock."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tunebook.disk.lock import exclusive
from tunebook.errors import LockedError

RECORD = ".tunebook/lock.run.owner"


def refuse_locks(monkeypatch: pytest.MonkeyPatch, code: int = errno.ENOLCK) -> None:
    def flock(_: int, __: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)


def leave(experiment: Path, **values: Any) -> None:
    """Leaves the record of another holder, which is this process unless the values say otherwise."""
    with exclusive(experiment, "run"):
        document = json.loads((experiment / RECORD).read_text())
    (experiment / RECORD).write_text(json.dumps(document | values))


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_one_command_at_a_time_and_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    refuse_locks(monkeypatch, code)
    with exclusive(tmp_path, "run") as held:
        assert f"has no locks ({os.strerror(code)})" in held.warning
        with pytest.raises(LockedError, match=f"process {os.getpid()} on "), exclusive(tmp_path, "run"):
            pytest.fail("two at once")
        with exclusive(tmp_path, "scaffold"):
            pass
    with exclusive(tmp_path, "run"):
        pass
    assert not (tmp_path / RECORD).exists()


def test_an_error_that_is_no_lack_of_locks_is_not_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_locks(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match=r"lock\.run"), exclusive(tmp_path, "run"):
        pytest.fail("it began")


def test_the_lock_of_a_process_that_has_ended_here_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_locks(monkeypatch)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    for values in ({"pid": ended.pid}, {"born": "0"}, {"boot": "an earlier one"}):
        leave(tmp_path, **values)
        with exclusive(tmp_path, "run"):
            assert json.loads((tmp_path / RECORD).read_text())["pid"] == os.getpid()


def test_the_lock_of_a_container_that_numbers_its_processes_itself_is_not_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_locks(monkeypatch)
    leave(tmp_path, space="pid:[1]", born="0")
    with pytest.raises(LockedError), exclusive(tmp_path, "run"):
        pytest.fail("two at once")


@pytest.mark.parametrize("has_locks", [False, True])
def test_the_lock_of_another_host_is_an_error_that_says_how_to_remove_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_locks: bool
) -> None:
    """A host whose file system has locks respects one that has none."""
    if not has_locks:
        refuse_locks(monkeypatch)
    leave(tmp_path, host="node7", pid=4711, is_lock=True)
    with pytest.raises(LockedError) as caught, exclusive(tmp_path, "run"):
        pytest.fail("two at once")
    (problem,) = caught.value.problems
    assert "process 4711 on node7" in problem.message
    assert f"remove {tmp_path / RECORD}" in problem.hint


def test_file_systems_without_hard_links_serve_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_locks(monkeypatch)

    def link(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", link)
    with exclusive(tmp_path, "run"), pytest.raises(LockedError), exclusive(tmp_path, "run"):
        pytest.fail("two at once")


def test_the_lock_of_a_process_that_proc_hides_is_not_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``hidepid`` hides other persons' processes."""
    refuse_locks(monkeypatch)
    leave(tmp_path, pid=os.getpid(), born="5566")
    monkeypatch.setattr("tunebook.disk.lock._birth", lambda _: "alive")
    with pytest.raises(LockedError), exclusive(tmp_path, "run"):
        pytest.fail("two at once")
