"""``site`` and ``site init``: the settings in effect, and writing ``claude.local.md`` for this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff
from functools import partial
from pathlib import Path

from tunebook.api.loading import find_site
from tunebook.core.paths import SITE_FILE
from tunebook.core.site import SETTINGS, Site, line_of, read_assignments, values_of
from tunebook.core.site_file import site_text
from tunebook.disk.atomic import read_text, write_text
from tunebook.disk.originals import original_of
from tunebook.errors import ConflictError, ExitCode, NoSlurmError, Problem, SlurmError, ToolError, UsageError
from tunebook.site.detect import settle
from tunebook.site.detect_slurm import partition_table
from tunebook.site.finding import Candidate, Detected
from tunebook.site.machine import Machine
from tunebook.site.surroundings import Surroundings
from tunebook.site.verify import verify
from tunebook.slurm.cluster import Cluster
from tunebook.slurm.survey import find_cluster

__all__ = ["SettingInEffect", "SiteDraft", "SiteInitOptions", "SiteReport", "site", "site_init"]


@dataclass(frozen=True)
class SettingInEffect:
    """One setting: its value, empty if it is unset, and where that comes from."""

    key: str
    label: str
    value: str
    source: str


@dataclass(frozen=True)
class SiteReport:
    """The settings in effect and whether they fit; ``cluster`` is empty without SLURM."""

    site: Site
    cluster: str
    settings: tuple[SettingInEffect, ...]
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> ExitCode:
        """3 if a setting is wrong."""
        return ExitCode.WRONG_PLAN if self.errors else ExitCode.DONE


def site(directory: Path = Path(), *, quick: bool = False) -> SiteReport:
    """The settings that apply in a directory, where each comes from, and what is wrong with them; writes nothing.

    Args:
        quick: leaves the environments unstarted, which takes seconds otherwise.

    Raises:
        UsageError: it is not a directory.
    """
    directory = _directory(directory)
    found, warnings = find_site(directory)
    here = Surroundings.here(directory)
    cluster, why = _cluster(here)
    verdict = verify(found, here, cluster, no_cluster=why, start_environments=not quick)
    name, notes = "", verdict.notes
    if cluster is not None:
        name = cluster.name
    elif not found.file:
        notes = (f"{why}, and no {SITE_FILE}: this is a local site", *notes)
    settings = tuple(_in_effect(found))
    return SiteReport(found, name, settings, verdict.errors, (*warnings, *verdict.warnings), notes)


def _in_effect(found: Site) -> list[SettingInEffect]:
    values = values_of(found)
    settings = []
    for item in SETTINGS:
        value, source = "", f"default: {item.default}"
        line = line_of(found, item.key)
        if values[item.key] and line is not None:
            value, source = values[item.key], f"{found.file}:{line}"
        settings.append(SettingInEffect(item.key, item.label, value, source))
    return settings


def _cluster(here: Surroundings) -> tuple[Cluster | None, str]:
    try:
        return find_cluster(here.user), ""
    except NoSlurmError:
        return None, "there is no SLURM on this machine"
    except SlurmError as error:
        return None, f"SLURM does not answer ({error})"


def _directory(directory: Path) -> Path:
    directory = directory.expanduser().absolute()
    if not directory.is_dir():
        raise UsageError(f"{directory} is not a directory")
    return directory


@dataclass(frozen=True)
class SiteDraft:
    """A site file for this machine, written or not.

    Attributes:
        text: the whole file.
        before: what was there; ``None`` if nothing was.
        original: where that is kept now.
        chosen: each finding and the value that it got, in the order of the questions.
        cluster: its name; empty for a local site.
        notes: what to know about it.
    """

    path: Path
    text: str
    before: str | None
    written: bool
    chosen: tuple[tuple[Detected, Candidate], ...]
    cluster: str
    original: Path | None = None
    notes: tuple[str, ...] = ()

    def diff(self) -> str:
        """What changes in the file that is there."""
        before = (self.before or "").splitlines(keepends=True)
        after = self.text.splitlines(keepends=True)
        return "".join(unified_diff(before, after, str(self.path), str(self.path)))


@dataclass(frozen=True, kw_only=True)
class SiteInitOptions:
    """The options of ``site init``.

    Attributes:
        assignments: ``key=value`` settings that are not looked for; an empty value leaves one unset.
        for_user: whether to write to ``~/.claude/``, where every experiment finds the file.
        overwrite: whether to replace an existing file, which is kept as ``.orig``.
        dry_run: whether to write nothing.
    """

    assignments: tuple[str, ...] = ()
    for_user: bool = False
    overwrite: bool = False
    dry_run: bool = False


def site_init(
    directory: Path = Path(),
    options: SiteInitOptions | None = None,
    *,
    choose: Callable[[Detected], str] | None = None,
) -> SiteDraft:
    """Looks at this machine and its cluster, and writes what it finds to ``claude.local.md``.

    Args:
        directory: where the file goes, unless it is for the user.
        choose: answers findings that are not certain; by default the first candidate is taken.

    Raises:
        UsageError: an assignment cannot be read, or the directory does not exist.
        ConflictError: there is such a file, and ``overwrite`` is not set.
        PlanError: the file cannot hold a value.
        ToolError: SLURM is set up here and does not answer.
    """
    options = options or SiteInitOptions()
    target = _target(directory, options)
    path = target / SITE_FILE
    before = read_text(path)
    if before is not None and not (options.overwrite or options.dry_run):
        raise ConflictError(f"{path} exists", hint="`--overwrite` replaces it and keeps it as .orig")
    given = _assigned(options.assignments)
    machine = _machine(target if target.is_dir() else Path.cwd())

    settled = settle(machine, partial(_chosen, given, choose))
    asked = {finding.key for finding, _ in settled}
    settled += tuple((Detected(key), Candidate(value, "--set")) for key, value in given.items() if key not in asked)
    name, seen = "", {}
    if machine.cluster:
        name, seen = machine.cluster.name, {"Partitions seen": partition_table(machine.cluster)}
    text = site_text({**machine.values, **given}, has_slurm=machine.cluster is not None, tables=seen)
    draft = SiteDraft(path, text, before, False, settled, name, notes=_notes(machine, path))
    if options.dry_run:
        return draft
    return _written(draft)


def _target(directory: Path, options: SiteInitOptions) -> Path:
    if options.for_user:
        return Path.home() / ".claude"
    return _directory(directory)


def _chosen(given: Mapping[str, str], choose: Callable[[Detected], str] | None, finding: Detected) -> Candidate:
    if finding.key in given:
        return Candidate(given[finding.key], "--set")
    if not finding.question or choose is None:
        return finding.first
    answer = choose(finding)
    for candidate in finding.candidates:
        if candidate.value == answer:
            return candidate
    return Candidate(answer, "answered")


def _assigned(assignments: Sequence[str]) -> dict[str, str]:
    try:
        return read_assignments(assignments)
    except ValueError as error:
        raise UsageError(str(error), hint="write --set KEY=VALUE") from None


def _machine(directory: Path) -> Machine:
    here = Surroundings.here(directory)
    try:
        return Machine(here, find_cluster(here.user))
    except NoSlurmError:
        return Machine(here)
    except SlurmError as error:
        hint = "wait until it does: the file describes the cluster"
        raise ToolError(f"SLURM is set up here but does not answer: {error}", hint=hint) from error


def _notes(machine: Machine, path: Path) -> tuple[str, ...]:
    notes = [] if machine.cluster else ["there is no SLURM on this machine: this is a local site"]
    found, _ = find_site(path.parent)
    if found.file and path.parent == Path.home() / ".claude" and Path(found.file).resolve() != path.resolve():
        notes.append(f"here {found.file} comes before it")
    return tuple(notes)


def _written(draft: SiteDraft) -> SiteDraft:
    original = None
    if draft.before is not None:
        original = original_of(draft.path)
        write_text(original, draft.before)
    draft.path.parent.mkdir(parents=True, exist_ok=True)
    write_text(draft.path, draft.text)
    return replace(draft, written=True, original=original)
