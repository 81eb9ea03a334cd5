"""``skills install`` and ``skills list``: writes skills for agents where they look for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tunebook.agents.marks import is_own_section, is_own_skill, marked_skill, with_section
from tunebook.agents.shipped import agents_section, shipped_skills
from tunebook.core.paths import absolute_path
from tunebook.disk.atomic import replace_text, write_text
from tunebook.disk.inside import place_inside
from tunebook.disk.manifest import digest
from tunebook.disk.originals import original_of
from tunebook.disk.read import read_text
from tunebook.errors import ExitCode, LinkError, Problem, UsageError
from tunebook.scaffold.reconcile import Action, Step, reconcile
from tunebook.tools.base import PlannedFile

__all__ = ["SKILL_LAYOUTS", "InstalledSkills", "SkillState", "SkillsOptions", "skills", "skills_install"]

SKILL_LAYOUTS = {"claude": ".claude/skills", "agents": ".agents/skills"}
"""Layout to the directory of the skills: that of Claude Code, and the one that other agents share."""
_SKILL = "SKILL.md"
_AGENTS = "AGENTS.md"
_STATES = {
    Action.CREATE: "not installed",
    Action.UNCHANGED: "installed",
    Action.UPDATE: "of another version",
    Action.CONFLICT: "edited",
}


@dataclass(frozen=True, kw_only=True)
class SkillsOptions:
    """The options of ``skills install``.

    Attributes:
        layouts: where skills go, names of ``SKILL_LAYOUTS``; empty for all.
        agents_md: whether AGENTS.md gets a section.
        overwrite: whether to replace edited files; each is kept as ``.orig``.
        dry_run: whether to write nothing.
    """

    layouts: tuple[str, ...] = ()
    agents_md: bool = True
    overwrite: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class InstalledSkills:
    """The outcome for each file.

    Attributes:
        steps: paths are relative to ``directory``.
    """

    directory: Path
    steps: tuple[Step, ...]
    dry_run: bool
    errors: tuple[Problem, ...] = ()

    @property
    def conflicts(self) -> tuple[str, ...]:
        """The files that a person edited and that were kept."""
        return tuple(step.path for step in self.steps if step.action is Action.CONFLICT)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """One for each conflict."""
        hint = "`--overwrite` replaces it and keeps it as .orig"
        return tuple(Problem("was edited and is kept", path, hint=hint) for path in self.conflicts)

    @property
    def exit_code(self) -> ExitCode:
        """4 if edited files were kept."""
        return ExitCode.UNFINISHED if self.conflicts else ExitCode.DONE


@dataclass(frozen=True)
class SkillState:
    """A skill of this version, and whether a directory has it.

    Attributes:
        installed: the path of its file, relative to the directory, to ``installed``, ``edited``, ``of another version``
            or ``not installed``.
    """

    name: str
    description: str
    installed: dict[str, str]


def skills(directory: Path = Path()) -> tuple[SkillState, ...]:
    """Every skill, and whether it is installed in a directory.

    Raises:
        UsageError: the directory does not exist, or a link leads out of it.
    """
    steps = {step.path: _STATES[step.action] for step in _steps(_existing(directory), SkillsOptions())}
    found = []
    for skill in shipped_skills():
        paths = [f"{folder}/{skill.name}/{_SKILL}" for folder in SKILL_LAYOUTS.values()]
        found.append(SkillState(skill.name, skill.description, {path: steps[path] for path in paths}))
    return tuple(found)


def skills_install(directory: Path = Path(), options: SkillsOptions | None = None) -> InstalledSkills:
    """Writes the skills, and a section of AGENTS.md; updates those of another version, and keeps edited ones.

    Raises:
        UsageError: the directory does not exist, a layout is unknown, or a link leads out of the directory.
        ConflictError: somebody changed a file at this moment.
        OSError: a file cannot be written.
    """
    options = options or SkillsOptions()
    unknown = set(options.layouts) - set(SKILL_LAYOUTS)
    if unknown:
        raise UsageError(f"unknown layout `{min(unknown)}`", hint=f"layouts: {', '.join(SKILL_LAYOUTS)}")
    root = _existing(directory)
    steps = _steps(root, options)
    if not options.dry_run:
        for step in steps:
            _write(root, step)
    return InstalledSkills(root, steps, options.dry_run)


def _existing(directory: Path) -> Path:
    path = absolute_path(directory)
    if not path.is_dir():
        raise UsageError(f"{path} is not a directory", hint="create it, or name another one with `--dir`")
    return path


def _steps(root: Path, options: SkillsOptions) -> tuple[Step, ...]:
    generated: dict[str, tuple[str, ...]] = {}
    before: dict[str, str | None] = {}
    planned = list(_planned(root, options))
    for file in planned:
        text = before[file.path] = read_text(_place(root, file.path))
        is_own = is_own_section if file.path == _AGENTS else is_own_skill
        if text is not None and is_own(text):
            generated[file.path] = (digest(text),)
    return reconcile(planned, before.__getitem__, generated, overwrite=options.overwrite)


def _planned(root: Path, options: SkillsOptions) -> Iterator[PlannedFile]:
    for layout in options.layouts or SKILL_LAYOUTS:
        for skill in shipped_skills():
            yield PlannedFile(f"{SKILL_LAYOUTS[layout]}/{skill.name}/{_SKILL}", marked_skill(skill.text))
    if options.agents_md:
        yield PlannedFile(_AGENTS, with_section(read_text(_place(root, _AGENTS)), agents_section()))


def _place(root: Path, path: str) -> Path:
    """Where a file is; links are followed inside the directory.

    Raises:
        UsageError: a link leads out of it.
    """
    try:
        return Path(place_inside(root / path, root))
    except LinkError as error:
        hint = "name the directory that the link leads to with `--dir`, or remove the link"
        raise UsageError(f"{path}: a symbolic link leads out of {root}", hint=hint) from error


def _write(root: Path, step: Step) -> None:
    if not step.writes:
        return
    path = _place(root, step.path)
    if step.action is Action.OVERWRITE and step.before is not None:
        write_text(original_of(path, step.before), step.before, within=None)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, step.before, step.after or "", within=None)
