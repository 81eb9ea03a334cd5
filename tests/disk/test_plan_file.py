"""The plan is written without costing a person's edit, its links, its owner or the plan itself."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tunebook.core.paths import LAST_GOOD_PLAN, PLAN_FILE, REPLACED_PLANS
from tunebook.disk import exchange as exchange_module
from tunebook.disk import swap
from tunebook.disk.exchange import exchange, move_new
from tunebook.disk.interrupts import Interrupted, handled
from tunebook.disk.plan_file import Outcome, Patience, PlanFile
from tunebook.disk.replaced import ReplacedPlans
from tunebook.disk.versions import look
from tunebook.errors import LinkError

WHOLE = "# Experiment: x\n\nedit 0\n\n## All Runs\n\n| Run Name |\n|---|\n| rank8 |\n\nstatus 0\n"
NEVER_QUIET = Patience(quiet_s=60.0, end_s=0.0)
QUICK = Patience(quiet_s=0.0, watch_s=60.0, end_s=0.0)
LONG_AGO_S = 100.0


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / PLAN_FILE
    path.write_text(WHOLE)
    return path


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def file(plan: Path, warnings: list[str]) -> PlanFile:
    return PlanFile(plan.parent, warnings.append, QUICK)


@pytest.fixture(params=["exchanged", "renamed"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A system that can exchange files, and one that cannot."""
    if request.param == "renamed":
        monkeypatch.setattr(exchange_module, "_renameat2", lambda: None)
    return str(request.param)


def aged(path: Path, seconds: float = LONG_AGO_S) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def status(number: int) -> Callable[[str], str]:
    """A change as an update makes it."""
    return lambda text: "".join(
        f"status {number}\n" if line.startswith("status") else line for line in text.splitlines(True)
    )


def edit(number: int) -> str:
    return WHOLE.replace("edit 0", f"edit {number}")


def during_the_exchange(monkeypatch: pytest.MonkeyPatch, *saves: Callable[[], object]) -> None:
    """Lets a person save right before each exchange; the first one is that of the update."""
    waiting = list(saves)

    def exchange_after_save(first: Path, second: Path) -> bool:
        if waiting:
            waiting.pop(0)()
        return exchange(first, second)

    monkeypatch.setattr(swap, "exchange", exchange_after_save)


# --- before -----------------------------------------------------------------------------------------------------------


def test_a_plan_that_was_just_saved_is_left_alone_and_written_later(plan: Path) -> None:
    file = PlanFile(plan.parent, print, NEVER_QUIET)
    assert file.update(status(1)) is Outcome.LATER
    assert plan.read_text() == WHOLE
    aged(plan)
    assert PlanFile(plan.parent, print, NEVER_QUIET).update(status(1)) is Outcome.DONE
    assert "status 1" in plan.read_text()


def test_our_own_update_does_not_count_as_a_save(plan: Path) -> None:
    aged(plan)
    file = PlanFile(plan.parent, print, NEVER_QUIET)
    assert [file.update(status(number)) for number in (1, 2, 3)] == [Outcome.DONE] * 3


def test_the_update_of_another_tunebook_does_not_count_as_a_save(plan: Path) -> None:
    """``cancel`` and ``run`` both keep the tables."""
    aged(plan)
    assert PlanFile(plan.parent, print, NEVER_QUIET).update(status(1)) is Outcome.DONE
    assert PlanFile(plan.parent, print, NEVER_QUIET).update(status(2)) is Outcome.DONE
    assert "status 2" in plan.read_text()


def test_a_save_with_an_old_time_counts_as_a_save_while_we_watch(plan: Path) -> None:
    aged(plan)
    file = PlanFile(plan.parent, print, NEVER_QUIET)
    file.update(status(1))
    plan.write_text(edit(1))
    aged(plan)
    assert file.update(status(2)) is Outcome.LATER


def test_a_time_in_the_future_does_not_block_for_ever(plan: Path) -> None:
    aged(plan, -1000.0)
    file = PlanFile(plan.parent, print, Patience(quiet_s=0.05))
    assert file.update(status(1)) is Outcome.LATER
    time.sleep(0.06)
    assert file.update(status(1)) is Outcome.DONE


def test_the_clock_of_the_file_system_counts(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file server whose clock is slow gives a fresh save an old time."""
    monkeypatch.setattr(ReplacedPlans, "clock_ahead_s", lambda _: -LONG_AGO_S)
    aged(plan)
    assert PlanFile(plan.parent, print, NEVER_QUIET).update(status(1)) is Outcome.LATER


@pytest.mark.parametrize(
    ("text", "lost"),
    [("", ("title", "runs table")), ("# Experiment: x\n", ("runs table",)), (WHOLE[WHOLE.index("##") :], ("title",))],
)
def test_a_plan_that_lost_its_title_or_its_runs_is_never_written(
    plan: Path, file: PlanFile, text: str, lost: tuple[str, ...]
) -> None:
    file.update(status(1))
    plan.write_text(text)
    assert file.update(lambda found: f"{found}status 2\n") is Outcome.LOST
    assert file.lost == lost
    assert plan.read_text() == text
    assert (plan.parent / LAST_GOOD_PLAN).read_text() == WHOLE
    # Another process knows it by the last good copy.
    assert PlanFile(plan.parent, print, QUICK).update(lambda found: f"{found}x") is Outcome.LOST
    plan.write_text(edit(2))
    assert file.update(status(3)) is Outcome.DONE


def test_a_plan_that_is_being_replaced_is_missing_for_a_moment_only(plan: Path) -> None:
    plan.unlink()
    file = PlanFile(plan.parent, print, Patience(quiet_s=0.05))
    assert file.update(status(1)) is Outcome.LATER
    time.sleep(0.06)
    with pytest.raises(FileNotFoundError):
        file.update(status(1))


# --- during -----------------------------------------------------------------------------------------------------------


def test_an_edit_renamed_onto_the_plan_during_the_exchange_stays(
    plan: Path, file: PlanFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = plan.with_suffix(".new")
    other.write_text(edit(1))
    during_the_exchange(monkeypatch, lambda: other.rename(plan))
    assert file.update(status(1)) is Outcome.LATER
    assert plan.read_text() == edit(1)
    assert file.update(status(2)) is Outcome.DONE
    assert plan.read_text() == status(2)(edit(1))


def test_an_edit_of_the_same_size_and_time_is_told_by_its_content(
    plan: Path, file: PlanFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = plan.stat()

    def save() -> None:
        plan.write_text(edit(1))
        os.utime(plan, ns=(times.st_atime_ns, times.st_mtime_ns))

    during_the_exchange(monkeypatch, save)
    assert file.update(status(1)) is Outcome.LATER
    assert plan.read_text() == edit(1)


def test_a_third_version_is_newer_than_the_second(plan: Path, file: PlanFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person saves before the exchange, and again before it is undone."""
    first, second = plan.with_suffix(".1"), plan.with_suffix(".2")
    first.write_text(edit(1))
    second.write_text(edit(2))
    during_the_exchange(monkeypatch, lambda: first.rename(plan), lambda: second.rename(plan))
    assert file.update(status(1)) is Outcome.LATER
    assert plan.read_text() == edit(2)


def test_an_editor_that_moves_the_plan_away_during_the_exchange_finds_its_own(
    plan: Path, file: PlanFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup, saved = plan.with_suffix(".bak"), plan.with_suffix(".new")
    saved.write_text(edit(1))

    def write() -> None:
        time.sleep(0.05)
        with plan.open("x") as editor:
            editor.write(edit(2))

    writer = threading.Thread(target=write)

    def move_away() -> None:
        plan.rename(backup)
        writer.start()

    during_the_exchange(monkeypatch, lambda: saved.rename(plan), move_away)
    assert file.update(status(1)) is Outcome.LATER
    writer.join()
    assert plan.read_text() == edit(2)


# --- after ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("system")
def test_an_editor_that_opened_the_plan_before_writes_into_the_plan(plan: Path, file: PlanFile) -> None:
    with plan.open("r+") as editor:
        file.update(status(1))
        editor.truncate(0)
        file.update(status(2))  # while the editor pauses
        editor.write(edit(1))
    assert plan.read_text() == edit(1)
    file.update(status(3))
    assert plan.read_text() == status(3)(edit(1))


@pytest.mark.usefixtures("system")
def test_the_later_of_two_saves_is_the_plan_and_the_other_is_kept(
    plan: Path, file: PlanFile, warnings: list[str]
) -> None:
    with plan.open("r+") as editor:
        file.update(status(1))
        editor.write(edit(1))
    aged(next(path for path in (plan.parent / REPLACED_PLANS).iterdir() if path.name != "last-good.md"), 5.0)
    plan.write_text(edit(2))
    file.update(status(2))
    assert plan.read_text() == status(2)(edit(2))
    assert len(warnings) == 1
    kept = Path(warnings[0].rpartition(" in ")[2])
    assert kept.read_text() == edit(1)


@pytest.mark.usefixtures("system")
def test_what_tunebook_wrote_since_is_no_later_save(plan: Path, file: PlanFile, warnings: list[str]) -> None:
    with plan.open("r+") as editor:
        file.update(status(1))
        file.update(status(2))
        editor.write(edit(1))
        editor.flush()
        moment = time.time() - 5.0
        os.utime(editor.fileno(), (moment, moment))
    file.update(status(3))
    assert plan.read_text() == status(3)(edit(1))
    assert warnings == []


@pytest.mark.usefixtures("system")
def test_a_version_that_made_room_for_an_edit_is_looked_after_too(plan: Path, file: PlanFile) -> None:
    """An editor may have opened it, in the moment in which it was the plan."""
    with plan.open("r+") as first:
        file.update(status(1))
        with plan.open("r+") as second:
            first.write(edit(1))
            first.flush()
            file.update(status(2))
            second.write(edit(2))
    file.update(status(3))
    assert plan.read_text() == status(3)(edit(2))


def test_a_replaced_version_is_removed_when_nobody_wrote_it(plan: Path) -> None:
    file = PlanFile(plan.parent, print, Patience(quiet_s=0.0, watch_s=0.0))
    for number in range(5):
        file.update(status(number + 1))
    assert len(list((plan.parent / REPLACED_PLANS).iterdir())) == 2  # the last good copy, and the last one replaced


@pytest.mark.parametrize("copied", [shutil.copy, shutil.copy2], ids=["new times", "same times"])
@pytest.mark.parametrize("later", ["plan", "replaced"])
def test_a_copied_experiment_keeps_its_plan(
    plan: Path, file: PlanFile, warnings: list[str], copied: Callable[..., object], later: str
) -> None:
    """A copy has other inodes, and its files have the times of any order in which they were copied."""
    file.put(edit(1), before=WHOLE)
    copy = plan.parent / "copy"
    shutil.copytree(plan.parent, copy, copy_function=copied, ignore=shutil.ignore_patterns("copy"))
    if later == "replaced":
        aged(copy / PLAN_FILE)
    patience = Patience(quiet_s=0.0, watch_s=0.05)
    in_copy = PlanFile(copy, warnings.append, patience)
    assert in_copy.update(status(1)) is Outcome.DONE
    time.sleep(2 * patience.watch_s)
    assert in_copy.update(status(2)) is Outcome.DONE
    assert (copy / PLAN_FILE).read_text() == status(2)(edit(1))
    assert warnings == []
    assert len(list((copy / REPLACED_PLANS).iterdir())) == 2  # the last good copy, and the last one replaced


def test_a_replaced_version_with_a_new_time_is_looked_after_as_long_again(plan: Path, file: PlanFile) -> None:
    """An editor that writes a file from its beginning first writes what is there already."""
    with plan.open("r+") as editor:
        file.update(status(1))
        entry = next(path for path in (plan.parent / REPLACED_PLANS).iterdir() if path.name != "last-good.md")
        since, _, rest = entry.name.partition(".")
        entry.rename(entry.with_name(f"{int(since) - 1000 * 10**9}.{rest}"))
        editor.write("# Experiment: x\n")
        editor.flush()
        file.update(status(2))
        file.update(status(3))
        editor.write("\nedit 5")
    file.update(status(4))
    assert plan.read_text() == status(4)(edit(5))


def test_what_a_killed_process_had_exchanged_is_put_back_by_the_next(
    plan: Path, file: PlanFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = plan.with_suffix(".new")
    other.write_text(edit(1))

    def killed(first: Path, second: Path) -> bool:
        other.rename(plan)
        exchange(first, second)
        raise KeyboardInterrupt

    monkeypatch.setattr(swap, "exchange", killed)
    with pytest.raises(KeyboardInterrupt):
        file.update(status(1))
    monkeypatch.setattr(swap, "exchange", exchange)
    assert "edit 0" in plan.read_text()
    PlanFile(plan.parent, print, QUICK).update(status(2))
    assert plan.read_text() == status(2)(edit(1))


def test_a_signal_right_after_the_exchange_does_not_leave_an_edit_out_of_the_plan(
    plan: Path, file: PlanFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = plan.with_suffix(".new")
    other.write_text(edit(1))

    def signalled(first: Path, second: Path) -> bool:
        if other.exists():
            other.rename(plan)
            exchange(first, second)
            signal.raise_signal(signal.SIGTERM)
            return True
        return exchange(first, second)

    monkeypatch.setattr(swap, "exchange", signalled)
    with handled(), pytest.raises(Interrupted):
        file.update(status(1))
    assert plan.read_text() == edit(1)


def test_a_signal_right_after_an_edit_was_put_back_leaves_it_the_plan(
    plan: Path, file: PlanFile, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def signalled(first: Path, second: Path) -> bool:
        is_exchanged = exchange(first, second)
        signal.raise_signal(signal.SIGTERM)
        return is_exchanged

    with plan.open("r+") as editor:
        file.update(status(1))
        file.update(status(2))
        editor.write(edit(1))
        editor.flush()
        moment = time.time() - 5.0
        os.utime(editor.fileno(), (moment, moment))
    monkeypatch.setattr(swap, "exchange", signalled)
    with handled(), pytest.raises(Interrupted):
        file.update(status(3))
    monkeypatch.setattr(swap, "exchange", exchange)
    assert PlanFile(plan.parent, warnings.append, QUICK).update(status(4)) is Outcome.DONE
    assert plan.read_text() == status(4)(edit(1))
    assert warnings == []


def test_a_signal_within_a_write_in_place_does_not_tear_the_plan(
    plan: Path, file: PlanFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    truncate = os.ftruncate

    def signalled(handle: int, length: int) -> None:
        signal.raise_signal(signal.SIGTERM)
        truncate(handle, length)

    plan.with_name("also.md").hardlink_to(plan)
    monkeypatch.setattr(os, "ftruncate", signalled)
    shorter = WHOLE.replace("edit 0", "e")
    with handled(), pytest.raises(Interrupted):
        file.update(lambda _: shorter)
    assert plan.read_text() == shorter


def test_a_disk_that_is_full_within_a_write_in_place_does_not_tear_the_plan(plan: Path) -> None:
    version = look(plan)
    assert version is not None
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(WHOLE) + 2, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            swap.write_in_place(plan, version, b"x" * 2 * len(WHOLE))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert plan.read_text() == WHOLE


# --- what stays -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("system")
def test_owner_group_mode_and_attributes_stay(plan: Path, file: PlanFile) -> None:
    plan.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(plan, 1234, 4321)
    try:
        os.setxattr(plan, "user.note", b"mine")
        names = ["user.note"]
    except OSError:
        names = []
    before = plan.stat()
    file.update(status(1))
    after = plan.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert [name for name in os.listxattr(plan) if name.startswith("user.")] == names
    copy = (plan.parent / LAST_GOOD_PLAN).stat()
    assert (copy.st_uid, copy.st_mode) == (before.st_uid, before.st_mode)


@pytest.mark.parametrize(("of_plan", "of_copy"), [(0o600, 0o600), (0o660, 0o600), (0o664, 0o604), (0o604, 0o600)])
def test_the_copy_of_a_plan_lets_nobody_else_in_from_its_first_moment(
    plan: Path, file: PlanFile, monkeypatch: pytest.MonkeyPatch, of_plan: int, of_copy: int
) -> None:
    """The plan may be another person's, whose group cannot be given to the copy."""
    modes: list[int] = []

    def refuse(path: Path, *_: int) -> None:
        modes.append(path.stat().st_mode & 0o777)
        raise PermissionError(1, "not permitted")

    plan.chmod(of_plan)
    monkeypatch.setattr(os, "chown", refuse)
    file.update(status(1))
    assert set(modes) == {0o600}
    assert (plan.parent / LAST_GOOD_PLAN).stat().st_mode & 0o777 == of_copy


def test_the_copy_of_another_persons_plan_has_its_group(
    plan: Path, file: PlanFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []

    def refuse_owner(_: Path, owner: int, group: int) -> None:
        if owner >= 0:
            raise PermissionError(1, "not permitted")
        given.append((owner, group))

    plan.chmod(0o640)
    monkeypatch.setattr(os, "chown", refuse_owner)
    file.update(status(1))
    assert given == [(-1, plan.stat().st_gid)]
    assert (plan.parent / LAST_GOOD_PLAN).stat().st_mode & 0o777 == 0o640


def test_a_new_plan_can_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert PlanFile(tmp_path, print, QUICK).put(WHOLE, before=None)
    finally:
        os.umask(before)
    assert (tmp_path / PLAN_FILE).stat().st_mode & 0o777 == 0o640


def test_hard_links_stay(plan: Path, file: PlanFile) -> None:
    other = plan.with_name("also.md")
    other.hardlink_to(plan)
    assert file.update(status(1)) is Outcome.DONE
    assert other.read_text() == status(1)(WHOLE)
    assert other.samefile(plan)


def test_an_owner_that_cannot_be_kept_is_kept_by_writing_in_place(
    plan: Path, file: PlanFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr("tunebook.disk.replaced.copy_attributes", refuse)
    inode = plan.stat().st_ino
    assert file.update(status(1)) is Outcome.DONE
    assert plan.read_text() == status(1)(WHOLE)
    assert plan.stat().st_ino == inode


def test_a_link_inside_the_experiment_is_written_through(plan: Path, file: PlanFile) -> None:
    target = plan.parent / "docs" / "plan.md"
    target.parent.mkdir()
    plan.rename(target)
    plan.symlink_to("docs/plan.md")
    assert file.update(status(1)) is Outcome.DONE
    assert plan.is_symlink()
    assert target.read_text() == status(1)(WHOLE)


@pytest.mark.parametrize("linked", [PLAN_FILE, REPLACED_PLANS])
def test_a_link_that_leads_out_is_refused(tmp_path: Path, linked: str) -> None:
    experiment, outside = tmp_path / "in", tmp_path / "out"
    outside.mkdir()
    (experiment / ".tunebook").mkdir(parents=True)
    (outside / "plan.md").write_text(WHOLE)
    (experiment / PLAN_FILE).write_text(WHOLE)
    (experiment / linked).unlink(missing_ok=True)
    (experiment / linked).symlink_to(outside / "plan.md" if linked == PLAN_FILE else outside)
    with pytest.raises(LinkError, match="leads out of the experiment"):
        PlanFile(experiment, print, QUICK).update(status(1))
    assert [path.name for path in outside.iterdir()] == ["plan.md"]
    assert (outside / "plan.md").read_text() == WHOLE


# --- a whole text -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("system")
def test_a_new_plan_is_written_where_none_is_and_never_onto_one(tmp_path: Path) -> None:
    file = PlanFile(tmp_path, print, QUICK)
    assert file.put(WHOLE, before=None)
    assert not file.put(edit(1), before=None)
    assert (tmp_path / PLAN_FILE).read_text() == WHOLE


@pytest.mark.parametrize("linked", [PLAN_FILE, REPLACED_PLANS])
def test_a_new_plan_is_refused_where_a_link_leads_out(tmp_path: Path, linked: str) -> None:
    experiment, outside = tmp_path / "in", tmp_path / "out"
    outside.mkdir()
    (experiment / ".tunebook").mkdir(parents=True)
    (experiment / linked).symlink_to(outside / "plan.md" if linked == PLAN_FILE else outside)
    with pytest.raises(LinkError, match="leads out of the experiment"):
        PlanFile(experiment, print, QUICK).put(WHOLE, before=None)
    assert list(outside.iterdir()) == []


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of replaced plans is on another file system than the plan."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(exchange_module, "_renameat2", lambda: None)
    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("elsewhere")
def test_a_new_plan_is_written_on_another_file_system_and_never_onto_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    sync = os.fsync

    def noted(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        sync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    file = PlanFile(tmp_path, print, QUICK)
    path = tmp_path / PLAN_FILE
    assert file.put(WHOLE, before=None)
    assert {path.stat().st_ino, tmp_path.stat().st_ino} <= set(synced)
    assert not file.put(edit(1), before=None)
    assert path.read_text() == WHOLE
    assert list((tmp_path / REPLACED_PLANS).iterdir()) == []


@pytest.mark.usefixtures("elsewhere")
def test_no_torn_plan_is_left_where_a_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / PLAN_FILE
    sync = os.fsync

    def full(handle: int) -> None:
        if path.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=f"No space left on device: .*{PLAN_FILE}"):
        PlanFile(tmp_path, print, QUICK).put(WHOLE, before=None)
    assert not path.exists()
    assert list((tmp_path / REPLACED_PLANS).iterdir()) == []


def test_a_planned_text_replaces_only_the_plan_that_it_was_made_from(plan: Path, file: PlanFile) -> None:
    assert not file.put(edit(2), before=edit(1))
    assert plan.read_text() == WHOLE
    assert file.put(edit(2), before=WHOLE)
    assert plan.read_text() == edit(2)


def test_a_planned_text_waits_for_a_plan_that_was_just_saved(plan: Path) -> None:
    file = PlanFile(plan.parent, print, Patience(quiet_s=0.2))
    assert file.put(edit(2), before=WHOLE)
    assert plan.read_text() == edit(2)


# --- exchange ---------------------------------------------------------------------------------------------------------


def test_two_files_are_exchanged_and_a_taken_path_is_not_moved_onto(tmp_path: Path, system: str) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    other.write_text("2")
    assert exchange(one, other) is (system == "exchanged")
    assert (one.read_text(), other.read_text()) == (("2", "1") if system == "exchanged" else ("1", "2"))
    with pytest.raises(FileExistsError):
        move_new(one, other)
    move_new(one, tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "other"]
