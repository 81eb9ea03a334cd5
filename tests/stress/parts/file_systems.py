"""File systems that are full, that can only be read, that have no locks, and that take no large files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stress.cases import Case, cases, faults_of, persons, problems_after, state_of
from stress.faults import Point, under, why_not
from stress.part import Outcome, Part, Setting
from stress.zygote import Ended, Zygote, zygote

__all__ = ["PART"]

Disturb = Callable[[Path], Ended]

_SPACE = "64m"
_NO_LOCKS = ("ENOLCK", "EOPNOTSUPP", "ENOSYS")


def _run(setting: Setting) -> Outcome:
    tried: list[str] = []
    faults: list[str] = []
    place = setting.folder / "disk"
    place.mkdir()
    with zygote(setting.folder) as commands:
        chosen = [case for case in cases() if case.name in {"new", "update"} and not setting.is_quick]
        chosen += [case for case in cases() if case.name == "prune"]
        for case in chosen:
            with _mounted(place) as can_mount:
                tries = [_large_files]
                if can_mount:
                    tries += [_full, _read_only]
                if not why_not(setting.folder):
                    tries.append(_without_locks)
                if setting.is_quick:
                    tries = setting.random.sample(tries, 1)
                for number, one in enumerate(tries):
                    name = one.__name__.strip("_").replace("_", " ")
                    kept = setting.folder / f"kept-{number}"
                    kept.mkdir(exist_ok=True)
                    found = one(case, place, kept, commands)
                    tried.append(f"{name} ({case.name})")
                    faults += [f"{name}: {fault}" for fault in found]
    return Outcome(figures=", ".join(tried), faults=tuple(faults))


@contextmanager
def _mounted(place: Path) -> Iterator[bool]:
    """A small disk of its own; ``False`` where none may be mounted."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={_SPACE}", "tmpfs", str(place)]
    can_mount = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield can_mount
    finally:
        if can_mount:
            subprocess.run(["umount", "-l", str(place)], check=True)


def _full(case: Case, place: Path, kept: Path, commands: Zygote) -> list[str]:
    """Fills the disk up to a few blocks."""

    def disturb(experiment: Path) -> Ended:
        filler = place / "filler"
        with filler.open("wb") as stream:
            try:
                while True:
                    os.write(stream.fileno(), bytes(1 << 16))
            except OSError:
                pass
            os.ftruncate(stream.fileno(), os.fstat(stream.fileno()).st_size - (1 << 13))
        ended = commands.run(case.verb, experiment)
        filler.unlink()
        return ended

    return _tried(case, place, kept, commands, disturb, words="the disk is full")


def _read_only(case: Case, place: Path, kept: Path, commands: Zygote) -> list[str]:
    def disturb(experiment: Path) -> Ended:
        _remount(place, "ro")
        ended = commands.run(case.verb, experiment)
        _remount(place, "rw")
        return ended

    return _tried(case, place, kept, commands, disturb, words="can only be read")


def _large_files(case: Case, place: Path, kept: Path, commands: Zygote) -> list[str]:
    """Allows files up to 2 KiB, less than the manifest and some logs need."""
    return _tried(
        case, place, kept, commands, lambda experiment: commands.run(case.verb, experiment, limit=2048), words="larger"
    )


def _without_locks(case: Case, place: Path, kept: Path, commands: Zygote) -> list[str]:
    faults = []
    for error in _NO_LOCKS:
        point = Point("flock", "1+", f"error={error}")

        def disturb(experiment: Path, point: Point = point) -> Ended:
            return under(commands.start(case.verb, experiment), point)

        faults += _tried(case, place, kept, commands, disturb, words="has no locks", code=None)
    return faults


def _remount(place: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode},size={_SPACE}", str(place)], check=True)


def _tried(
    case: Case,
    place: Path,
    kept: Path,
    commands: Zygote,
    disturb: Disturb,
    *,
    words: str,
    code: int | None = 1,
) -> list[str]:
    """Disturbs a command, and completes it; the words of the disturbed one name the cause and a file."""
    experiment = case.make(place, commands, kept)
    commands.run(case.verb, experiment)
    wanted = state_of(experiment)
    experiment = case.make(place, commands, kept)
    mine = persons(case, experiment)
    ended = disturb(experiment)
    faults = problems_after(case, ended)
    if words not in " ".join(ended.text.split()):
        faults.append(f"{case.name}: it does not say «{words}»: {ended.text.strip()[-300:]}")
    if code is not None and ended.code != code:
        faults.append(f"{case.name}: exit code {ended.code}")
    faults += faults_of(case, experiment, wanted, mine, commands.run(case.verb, experiment))
    return faults


PART = Part(name="file-systems", run=_run)
