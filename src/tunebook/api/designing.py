"""``design``: from a question to the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tunebook.api.loading import find_experiment, find_site, load
from tunebook.api.scaffolding import now
from tunebook.core.page import page_text
from tunebook.core.parse import parse_plan
from tunebook.core.paths import DESIGN_LOG
from tunebook.core.plan import PLAN_FILE, Plan
from tunebook.core.site import Site
from tunebook.design.check import design_problems, design_warnings, missing
from tunebook.design.complete import DEFAULTS, Completed, complete
from tunebook.design.given import from_options, from_values, from_yaml
from tunebook.design.history import find_history
from tunebook.design.log import design_entries
from tunebook.design.naming import experiment_name as name_of
from tunebook.design.proposal import Totals, propose
from tunebook.design.reader import Read
from tunebook.design.reading import read_design
from tunebook.design.resources import Entry, Resources, survey
from tunebook.design.runs import alike, plan_of
from tunebook.design.suggest import Suggestions
from tunebook.design.suggest import suggestions as suggest
from tunebook.design.update import begun, carried_over, design_of, notes_of, page_diff
from tunebook.design.values import Design
from tunebook.design.verify import page_differences
from tunebook.design.yaml_plan import read_yaml_plan
from tunebook.disk.atomic import read_text, write_text
from tunebook.disk.lock import exclusive
from tunebook.disk.log import Log
from tunebook.errors import ConflictError, ExitCode, PlanError, Problem, UsageError

__all__ = [
    "DEFAULTS",
    "Design",
    "DesignReport",
    "Read",
    "Suggestions",
    "Totals",
    "answer_problem",
    "design",
    "design_of_page",
    "experiment_name",
    "missing_answers",
    "read_given",
    "suggestions",
]


@dataclass(frozen=True)
class DesignReport:
    """A designed page, and what was found on the way.

    Attributes:
        text: the whole page.
        before: the page that it replaces; ``None`` if there was none.
        diff: what changes on a page that is updated.
        decisions: what was decided that nobody said, with the reason.
        prerequisites: what is to be got before the experiment can run.
        verified: what was seen to be there.
        written: whether the page is on the disk now.
    """

    experiment: Path
    plan: Plan
    text: str
    before: str | None
    totals: Totals
    written: bool
    decisions: tuple[tuple[str, str], ...] = ()
    prerequisites: tuple[str, ...] = ()
    verified: tuple[str, ...] = ()
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def diff(self) -> str:
        """What changes on the page; empty for a new one."""
        return "" if self.before is None else page_diff(self.before, self.text)

    @property
    def exit_code(self) -> ExitCode:
        """3 if the page would be wrong."""
        return ExitCode.WRONG_PLAN if self.errors else ExitCode.DONE


def read_given(
    *,
    options: Mapping[str, Sequence[str]] | None = None,
    config: Path | None = None,
    values: Mapping[str, Any] | None = None,
    base: Design | None = None,
    yaml_plan: Path | None = None,
) -> Read:
    """A design out of a YAML file, a program's values and options, later ones over earlier ones.

    Args:
        options: option name, without the dashes, to its occurrences.
        values: the same keys with lists, mappings and numbers.
        base: what holds where nothing is given; :func:`design_of_page` gives the one of a page.
        yaml_plan: an ``experiment_summary.yaml``, which takes the place of ``base``.

    Raises:
        UsageError: a file is not there, or there are both a base and a YAML plan.
        PlanError: it is not YAML, or no such plan.
    """
    start: Read | Design | None = base
    if yaml_plan is not None:
        if base is not None:
            raise UsageError("a page cannot be updated from a YAML plan", hint="give only one of the two")
        start = read_yaml_plan(_existing(yaml_plan), file=str(yaml_plan))
    documents = []
    if config is not None:
        documents.append(from_yaml(_existing(config), file=str(config)))
    documents += [from_values(values or {}), from_options(options or {})]
    return read_design(documents, base=start, here=Path.cwd())


def _existing(path: Path) -> str:
    text = read_text(path)
    if text is None:
        raise UsageError(f"there is no file {path}")
    return text


def design_of_page(directory: Path) -> Design:
    """The design that an existing page means.

    Raises:
        PlanError: the page is wrong.
        UsageError: there is none.
    """
    experiment = find_experiment(directory)
    text = read_text(experiment / PLAN_FILE) or ""
    parsed = parse_plan(text)
    if parsed.problems:
        raise PlanError(parsed.problems)
    return replace(design_of(parsed.plan), matrix_notes=notes_of(text))


def suggestions() -> Suggestions:
    """Models, data sets and tasks that lie about here, and in the site's models directory."""
    return suggest(Path.cwd(), find_site(Path.cwd())[0])


def answer_problem(name: str, text: str, *, beside: Mapping[str, Sequence[str]] | None = None) -> str:
    """Why a text cannot be the answer to an option, beside what other options say; empty if it can."""
    others = beside or {}
    read = read_given(options={**others, name: [*others.get(name, ()), text]})
    found = [*read.problems, *(problem for problem in design_problems(read) if problem.file == f"--{name}")]
    return f"{found[0].message}{f' ({found[0].hint})' if found[0].hint else ''}" if found else ""


def experiment_name(value: Design, clock: Callable[[], datetime] = now) -> str:
    """The name that an experiment gets where nobody gives one: task, factors and date."""
    return name_of(value, clock())


def missing_answers(read: Read) -> tuple[str, ...]:
    """What has to be answered still; what :data:`DEFAULTS` has can be left to it."""
    return missing(read.design)


def design(
    directory: Path | None = None,
    *,
    given: Read | Design | Mapping[str, Any],
    update: bool = False,
    defaults: bool = False,
    dry_run: bool = False,
    confirm: Callable[[DesignReport], bool] = lambda _: True,
    clock: Callable[[], datetime] = now,
) -> DesignReport:
    """Plans an experiment, verifies what it needs, estimates what it takes, and writes its page.

    Args:
        directory: the experiment's; by default one in the working directory, named by task, factors and date.
        given: a design, what :func:`read_given` made, or the keys of ``--config`` as a mapping.
        update: plan the page again that is there; notes and the status of runs that stay are kept.
        defaults: take the usual value where a training's parameter is missing.
        confirm: asked before anything is written, where the page has no error.

    Returns:
        The page; it was not written if it has errors, in a dry run, or without confirmation.

    Raises:
        UsageError: something is missing or cannot be; carries everything that is.
        ConflictError: there is a page already, and it is not to be updated; or it changed in the meantime.
    """
    read = _read(given, directory, update=update)
    directory = directory or _directory_of(read)
    moment = clock()
    experiment = _experiment(read.design, directory, moment, update=update)
    site, _ = find_site(experiment)
    done = complete(read, site, defaults=defaults)
    done = replace(done, decisions=(*read.decisions, *done.decisions))
    read = replace(read, design=done.design)
    problems = (*read.problems, *done.problems, *design_problems(read))
    if problems:
        raise UsageError(problems)
    report, entries = _planned(read, done, experiment, site, moment)
    if report.errors or dry_run or not confirm(report):
        return report
    _write(report, entries, clock)
    return replace(report, written=True)


def _read(given: Read | Design | Mapping[str, Any], directory: Path | None, *, update: bool) -> Read:
    if isinstance(given, Read):
        return given
    if isinstance(given, Design):
        return Read(given)
    return read_given(values=given, base=design_of_page(directory or Path()) if update else None)


def _directory_of(read: Read) -> Path | None:
    """The directory that a YAML plan names, where it is or can be here; a plan may come from elsewhere."""
    if read.directory is None or read.directory.parent.is_dir():
        return read.directory
    message = f"the plan's directory {read.directory} is not here"
    warning = read.place("directory").problem(message, "name the experiment's directory to choose another")
    read.warnings += [] if warning in read.warnings else [warning]
    return None


def _experiment(value: Design, directory: Path | None, moment: datetime, *, update: bool) -> Path:
    """The experiment's directory: with a page if that is to be updated, else without."""
    if update:
        return find_experiment(directory or Path())
    name = value.name or name_of(value, moment)
    experiment = (directory or Path(name)).expanduser().absolute()
    if (experiment / PLAN_FILE).exists():
        hint = "`--update` plans it again and shows what changes; else name another directory"
        raise ConflictError(f"{experiment} has a page already", hint=hint)
    if experiment.exists() and not experiment.is_dir():
        raise ConflictError(f"{experiment} is a file", hint="name another directory")
    return experiment


def _planned(
    read: Read, done: Completed, experiment: Path, site: Site, moment: datetime
) -> tuple[DesignReport, list[Entry]]:
    """The page as a value, with everything that was found; nothing is written."""
    before = read_text(experiment / PLAN_FILE)
    old = parse_plan(before).plan if before is not None else None
    name = done.design.name or experiment.name
    plan = plan_of(done.design, name=name)
    found = survey(plan, site, experiment)
    history = find_history(_roots(experiment, site))
    created = (old.created if old else "") or f"{moment:%Y-%m-%d %H:%M}"
    proposal = propose(
        done.design,
        plan,
        site=site,
        experiment=experiment,
        created=created,
        found=found,
        history=history,
        old=old,
        begun=begun(before or ""),
    )
    text = page_text(proposal.plan, proposal.details)
    errors = list(page_differences(proposal.plan, text))
    trained = {run.model for run in plan.fine_tuned}
    if before is not None and old is not None:
        text = carried_over(before, old, text, proposal.plan)
    loaded = load(experiment, text=text)
    errors += [Problem(reason) for model, reason in found.refused.items() if model in trained]
    errors += [problem for problem in loaded.findings.errors if problem not in errors]
    same = [Problem(f"runs `{a}` and `{b}` are one and the same training") for a, b in alike(plan)]
    own = (*read.warnings, *design_warnings(read))
    warnings = (*own, *same, *proposal.warnings, *_untold(loaded.findings.warnings, found))
    entries = design_entries(done, proposal, found, history, errors=errors, warnings=warnings)
    report = DesignReport(
        experiment,
        loaded.context.plan,
        text,
        before,
        proposal.totals,
        written=False,
        decisions=done.decisions,
        prerequisites=tuple(found.prerequisites),
        verified=tuple(sorted(found.verified)),
        errors=tuple(errors),
        warnings=warnings,
    )
    return report, entries


def _untold(warnings: tuple[Problem, ...], found: Resources) -> tuple[Problem, ...]:
    """Without what the prerequisites say already."""
    absent = {f"model {model.path} is not there" for model in found.models.values() if model.facts is None}
    absent |= {f"data set {path} is not there" for path, facts in found.datasets.items() if facts is None}
    absent |= {f"task script {path} is not there" for path, facts in found.tasks.items() if facts is None}
    return tuple(warning for warning in warnings if warning.message not in absent)


def _roots(experiment: Path, site: Site) -> list[Path]:
    """Where prior experiments may be: beside this one, in the working directory, and where checkpoints go."""
    base = [Path(site.output_dir_base).expanduser()] if site.output_dir_base else []
    return [experiment, experiment.parent, Path.cwd(), *base, *(path.parent for path in base)]


def _write(report: DesignReport, entries: list[Entry], clock: Callable[[], datetime]) -> None:
    """The page, unless somebody changed it in the meantime; then the log."""
    path = report.experiment / PLAN_FILE
    report.experiment.mkdir(parents=True, exist_ok=True)
    with exclusive(report.experiment, "plan", wait_s=5.0):
        written = write_text(path, report.text, durable=True, only_if=lambda: read_text(path) == report.before)
    if not written:
        raise ConflictError(f"{path} changed while it was planned", hint="run it again")
    Log(report.experiment / DESIGN_LOG, clock).entries(entries)
