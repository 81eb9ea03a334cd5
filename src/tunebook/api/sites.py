"""``site`` and ``site init``: shows and checks the site settings, and writes ``claude.local.md`` for this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff
from pathlib import Path

from tunebook.api.loading import find_site
from tunebook.core.paths import SITE_FILE, absolute_path
from tunebook.core.site import SETTINGS, TOOL_ENVIRONMENT, Site, line_of, read_assignments, setting, values_of
from tunebook.core.site_file import site_text
from tunebook.disk.atomic import write_text
from tunebook.disk.originals import original_of
from tunebook.disk.read import read_text
from tunebook.errors import ConflictError, ExitCode, NoSlurmError, Problem, SlurmError, ToolError, UsageError
from tunebook.site.detect import settle
from tunebook.site.detect_slurm import partition_table
from tunebook.site.machine import Candidate, Detected, Machine, Surroundings
from tunebook.site.verify import verify
from tunebook.slurm.cluster import Cluster
from tunebook.slurm.survey import find_cluster

__all__ = ["SettingInEffect", "SiteDraft", "SiteInitOptions", "SiteReport", "site", "site_init"]


@dataclass(frozen=True)
class SettingInEffect:
    """One site setting: its value, empty if it is unset, and the source of the value."""

    key: str
    label: str
    value: str
    source: str


@dataclass(frozen=True)
class SiteReport:
    """The site settings in effect and their problems; ``cluster`` is empty without SLURM."""

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
    """The site settings that apply in a directory, with their sources and problems; writes nothing.

    Args:
        quick: skips starting the Python environments, which takes seconds.

    Raises:
        UsageError: the directory does not exist.
    """
    directory = _directory(directory)
    parsed = find_site(directory)
    found = parsed.site
    here = Surroundings.here(directory)
    cluster, why = _cluster(here)
    verdict = verify(found, here, cluster, no_cluster=why, start=not quick)
    notes = verdict.notes
    if cluster is None and not found.file:
        notes = (f"{why}, and no {SITE_FILE}: this is a local site", *notes)
    return SiteReport(
        site=found,
        cluster=cluster.name if cluster else "",
        settings=tuple(_in_effect(found)),
        errors=(*parsed.errors, *verdict.errors),
        warnings=(*parsed.warnings, *verdict.warnings),
        notes=notes,
    )


def _in_effect(found: Site) -> list[SettingInEffect]:
    values = values_of(found)
    settings = []
    of_tools = [setting(key) for key in values if key.startswith(TOOL_ENVIRONMENT)]
    for item in (*SETTINGS, *of_tools):
        line = line_of(found, item.key)
        value, source = "", f"default: {item.default}"
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
    directory = absolute_path(directory)
    if not directory.is_dir():
        raise UsageError(f"{directory} is not a directory", hint="make it first, or leave it out for the current one")
    return directory


@dataclass(frozen=True)
class SiteDraft:
    """A file of site settings for this machine, written or not.

    Attributes:
        text: the whole file.
        before: the text of the earlier file; ``None`` if there was no file.
        original: the copy of the earlier file.
        chosen: each finding with its value, in the order of the questions.
        cluster: the name of the cluster; empty for a local site.
        notes: remarks for the user.
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
        """The changes of the existing file."""
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
        ConflictError: the file exists, and ``overwrite`` is not set.
        PlanError: the file cannot hold a value.
        ToolError: SLURM is set up here but does not answer.
    """
    options = options or SiteInitOptions()
    target = Path.home() / ".claude" if options.for_user else _directory(directory)
    path = target / SITE_FILE
    before = read_text(path)
    if before is not None and not (options.overwrite or options.dry_run):
        raise ConflictError(f"{path} exists", hint="`--overwrite` replaces it and keeps it as .orig")
    assigned = _assigned(options.assignments)
    machine = _machine(target if target.is_dir() else Path.cwd())
    chosen = _chosen(machine, assigned, choose)
    draft = SiteDraft(
        path=path,
        text=_text({**machine.values, **assigned}, machine.cluster),
        before=before,
        written=False,
        chosen=chosen,
        cluster=machine.cluster.name if machine.cluster else "",
        notes=_notes(machine, path),
    )
    return draft if options.dry_run else _written(draft)


def _text(values: Mapping[str, str], cluster: Cluster | None) -> str:
    if cluster is None:
        return site_text(values, has_slurm=False, tables={})
    return site_text(values, has_slurm=True, tables={"Partitions seen": partition_table(cluster)})


def _chosen(
    machine: Machine, assigned: Mapping[str, str], choose: Callable[[Detected], str] | None
) -> tuple[tuple[Detected, Candidate], ...]:
    """Each finding with its value, and at the end the assigned settings that are not looked for."""
    settled = settle(machine, lambda finding: _choice(finding, assigned, choose))
    asked = {finding.key for finding, _ in settled}
    for key, value in assigned.items():
        if key not in asked:
            settled += ((Detected(key), Candidate(value, "--set")),)
    return settled


def _choice(finding: Detected, assigned: Mapping[str, str], choose: Callable[[Detected], str] | None) -> Candidate:
    """The assigned value; otherwise the answer to the finding's question; otherwise its first candidate."""
    if finding.key in assigned:
        return Candidate(assigned[finding.key], "--set")
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
        hint = "wait until SLURM answers: the file describes the cluster"
        raise ToolError(f"SLURM is set up here but does not answer: {error}", hint=hint) from error


def _notes(machine: Machine, path: Path) -> tuple[str, ...]:
    notes = []
    if machine.cluster is None:
        notes.append("there is no SLURM on this machine: this is a local site")
    found = find_site(path.parent).site
    if found.file and path.parent == Path.home() / ".claude" and Path(found.file).resolve() != path.resolve():
        notes.append(f"in this directory {found.file} applies instead")
    return tuple(notes)


def _written(draft: SiteDraft) -> SiteDraft:
    original = None
    if draft.before is not None:
        original = original_of(draft.path)
        write_text(original, draft.before, within=None)
    draft.path.parent.mkdir(parents=True, exist_ok=True)
    write_text(draft.path, draft.text, within=None)
    return replace(draft, written=True, original=original)
