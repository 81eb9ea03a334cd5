"""``design``: from a question to the plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from tunebook.api.loading import file_text, find_site, load
from tunebook.api.location import experiment_here, find_experiment
from tunebook.api.scaffolding import now
from tunebook.core.paths import DESIGN, DESIGN_LOG, PLAN_FILE, absolute_path
from tunebook.core.plan import Plan, parse_plan, read_tools, write_plan
from tunebook.core.site import Site
from tunebook.design.build_plan import Previous, build_plan, kind_of
from tunebook.design.check import complete, design_problems, design_warnings, missing_parts
from tunebook.design.compare_plans import lost_edits, plan_differences
from tunebook.design.documents import options_document, yaml_document
from tunebook.design.history import find_history, prior_roots
from tunebook.design.inputs import parse_document
from tunebook.design.merge import merge_inputs, update_inputs
from tunebook.design.naming import experiment_name as name_of
from tunebook.design.power import power_sentences, without_hypotheses
from tunebook.design.proposal import Totals, propose, record_checks, record_design
from tunebook.design.replan import keep_from, plan_diff, updated_text
from tunebook.design.resources import Entry, Resources, survey
from tunebook.design.stored import design_from_json, design_to_json
from tunebook.design.suggest import Suggestions
from tunebook.design.suggest import suggestions as suggest
from tunebook.design.values import Decision, Design, DesignInputs, with_absolute_paths
from tunebook.design.workloads import Surroundings
from tunebook.disk.atomic import write_text
from tunebook.disk.lock import exclusive
from tunebook.disk.log import Log
from tunebook.disk.plan_file import PlanFile
from tunebook.disk.read import read_text
from tunebook.errors import ConflictError, ExitCode, PlanError, Problem, UsageError
from tunebook.tools.parameters import installed_parameters

__all__ = [
    "DesignOptions",
    "DesignReport",
    "DesignSources",
    "answer_problem",
    "design",
    "experiment_name",
    "missing_answers",
    "read_inputs",
    "suggestions",
]


@dataclass(frozen=True, kw_only=True)
class DesignSources:
    """The sources of a design; options win over the file, and the file over the stored design.

    Attributes:
        options: option name, without the dashes, to its occurrences.
        config: a YAML file with the same keys.
        updated: the directory of an experiment whose plan is updated: its stored design applies where nothing is given.
    """

    options: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    config: Path | None = None
    updated: Path | None = None


@dataclass(frozen=True, kw_only=True)
class DesignOptions:
    """The options of ``design``, apart from the design itself.

    Attributes:
        update: whether to plan an existing experiment again; a person's text and the status of runs that stay are kept.
        defaults: whether to take the usual value where a training's parameter is missing.
        dry_run: whether to write nothing.
    """

    update: bool = False
    defaults: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class DesignReport:
    """A designed plan, with its decisions, problems and totals.

    Attributes:
        text: the whole plan.
        before: the text of the plan that it replaces; ``None`` for a new plan.
        decisions: choices that nobody gave, each with its reason.
        prerequisites: resources that are missing before the experiment can run.
        verified: paths that were found complete.
        unchecked: what could not be verified on this machine, each with the reason.
        written: whether the plan was written.
        power: sentences on hypotheses, and on the smallest differences that the samples and seeds can show.
    """

    experiment: Path
    plan: Plan
    text: str
    before: str | None
    totals: Totals
    written: bool
    decisions: tuple[Decision, ...] = ()
    prerequisites: tuple[str, ...] = ()
    verified: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    power: tuple[str, ...] = ()

    @property
    def diff(self) -> str:
        """The changes of an update; empty for a new plan."""
        return "" if self.before is None else plan_diff(self.before, self.text)

    @property
    def exit_code(self) -> ExitCode:
        """3 if the plan would be wrong."""
        return ExitCode.WRONG_PLAN if self.errors else ExitCode.DONE


# --- inputs --------------------------------------------------------------------------------------------------------


def read_inputs(sources: DesignSources) -> DesignInputs:
    """The design that the sources give together, with every problem in them.

    Raises:
        UsageError: a file is missing.
        PlanError: a file is not YAML, or the stored design cannot be read.
    """
    here = Path.cwd()
    inputs = DesignInputs(design=Design())
    if sources.updated is not None:
        inputs = DesignInputs(design=_earlier_design(find_experiment(sources.updated)) or Design())
    given = parse_document(options_document(sources.options), here=here)
    if sources.config is not None:
        document = yaml_document(file_text(sources.config), file=str(sources.config))
        given = merge_inputs(parse_document(document, here=here), given)
    return update_inputs(inputs, given)


def _stored_design(experiment: Path) -> Design | None:
    """The design that the last ``design`` stored; ``None`` for a plan that was written by hand."""
    text = read_text(experiment / DESIGN)
    return None if text is None else design_from_json(text)


def _earlier_design(experiment: Path) -> Design | None:
    """The stored design with the hypotheses that the plan has now: the plan is where a person edits them."""
    stored, plan = _stored_design(experiment), _previous(experiment).plan
    if plan is None or not (stored or plan.hypotheses):
        return stored
    return replace(stored or Design(), hypotheses=tuple(hypothesis.text for hypothesis in plan.hypotheses))


def suggestions() -> Suggestions:
    """Models, data sets and tasks in the working directory, and in the site's models directory."""
    return suggest(Path.cwd(), find_site(Path.cwd()).site)


def answer_problem(name: str, text: str, *, beside: Mapping[str, Sequence[str]] | None = None) -> str:
    """The reason why a text cannot be the value of an option, given other options; empty if it can."""
    others = beside or {}
    inputs = read_inputs(DesignSources(options={**others, name: [*others.get(name, ()), text]}))
    found = [*inputs.problems, *(problem for problem in design_problems(inputs) if problem.file == f"--{name}")]
    if not found:
        return ""
    return f"{found[0].message} ({found[0].hint})" if found[0].hint else found[0].message


def experiment_name(value: Design, clock: Callable[[], datetime] = now) -> str:
    """The default name of an experiment: task, factors and date."""
    return name_of(value, clock())


def missing_answers(inputs: DesignInputs) -> tuple[str, ...]:
    """The missing parts of a design; :data:`~tunebook.design.check.DEFAULTS` has values for some of them."""
    return missing_parts(inputs.design)


# --- designing -----------------------------------------------------------------------------------------------------


def design(
    directory: Path | None = None,
    options: DesignOptions | None = None,
    *,
    given: DesignInputs | Design,
    confirm: Callable[[DesignReport], bool] = lambda _: True,
    clock: Callable[[], datetime] = now,
) -> DesignReport:
    """Plans an experiment, verifies its resources, estimates its cost, and writes its plan and its design.

    Args:
        directory: the experiment's directory; by default one in the working directory, named by task, factors and date.
        given: what :func:`read_inputs` returned; or a design, whose paths are relative to the working directory, and
            which an update merges into the stored design.
        confirm: called before anything is written, if the plan has no error; writes only if it returns true.

    Returns:
        The plan; it is not written if it has errors, in a dry run, or without confirmation.

    Raises:
        UsageError: inputs are missing or contradictory; carries every problem.
        ConflictError: the directory has a plan and ``update`` is not set, or an update would lose changes by hand.
    """
    options = options or DesignOptions()
    update = options.update
    inputs = _inputs(given, directory, update=update)
    moment = clock()
    experiment = _experiment(inputs.design, directory, moment, update=update)
    site = find_site(experiment).site
    inputs = complete(inputs, site, defaults=options.defaults)
    completed = replace(inputs.design, name=inputs.design.name or experiment.name)
    inputs = replace(inputs, design=completed)
    problems = (*inputs.problems, *design_problems(inputs))
    if problems:
        raise UsageError((*_without_stored_design(experiment, update=update), *problems))
    report, entries = _plan(inputs, experiment, site, moment)
    if report.errors or options.dry_run or not confirm(report):
        return report
    warnings = _write(report, completed, entries, clock)
    return replace(report, written=True, warnings=(*report.warnings, *warnings))


def _inputs(given: DesignInputs | Design, directory: Path | None, *, update: bool) -> DesignInputs:
    if isinstance(given, DesignInputs):
        return given
    inputs = DesignInputs(design=with_absolute_paths(given, Path.cwd()))
    if update:
        stored = _earlier_design(find_experiment(directory or experiment_here() or Path()))
        if stored is not None:
            return update_inputs(DesignInputs(design=stored), inputs)
    return inputs


def _experiment(value: Design, directory: Path | None, moment: datetime, *, update: bool) -> Path:
    """The experiment's directory: with a plan for an update, otherwise without."""
    if update:
        return find_experiment(directory or experiment_here() or Path())
    experiment = absolute_path(directory or value.name or name_of(value, moment))
    if (experiment / PLAN_FILE).exists():
        hint = "`tunebook design --update` plans it again and shows what changes; or name another directory"
        raise ConflictError(f"{experiment} has a plan already", hint=hint)
    if experiment.exists() and not experiment.is_dir():
        raise ConflictError(f"{experiment} is a file", hint="name another directory")
    return experiment


def _without_stored_design(experiment: Path, *, update: bool) -> tuple[Problem, ...]:
    """An explanation for an update that misses parts of the design that the plan seems to have."""
    if not update or (experiment / DESIGN).exists():
        return ()
    message = f"{DESIGN} is missing: this plan was not written by `tunebook design`, or by an older version"
    return (Problem(message, hint="give the whole design once, as options or with --config"),)


def _previous(experiment: Path) -> Previous:
    """The plan that is updated; empty for a new one."""
    text = read_text(experiment / PLAN_FILE)
    if text is None:
        return Previous()
    parsed = parse_plan(text, installed_parameters(read_tools(text)))
    if parsed.problems:
        raise PlanError(parsed.problems)
    return keep_from(text, parsed.plan)


def _plan(inputs: DesignInputs, experiment: Path, site: Site, moment: datetime) -> tuple[DesignReport, list[Entry]]:
    """The plan as a value, with everything that was found; nothing is written."""
    previous = _previous(experiment)
    old = previous.plan
    plan = build_plan(inputs.design, name=inputs.design.name, previous=previous)
    created = f"{moment:%Y-%m-%d %H:%M}"
    if old is not None:
        _refuse_lost_edits(experiment, old, plan, previous)
        created = old.created or created
    found, kind = Resources(), kind_of(inputs.design, plan, old)
    record_design(found, inputs.decisions, plan, kind, old=old)
    survey(found, plan, site, experiment)
    history = find_history(prior_roots(experiment, site.output_dir_base))
    around = Surroundings(site=site, experiment=experiment, found=found, history=history)
    proposal = propose(inputs.design, plan, kind, around=around, created=created, previous=previous)
    plan, written = proposal.plan, write_plan(proposal.plan, proposal.details)
    text = updated_text(previous, written, plan)
    loaded = load(experiment, text=text)
    errors = _errors(plan, written, found, loaded.findings.errors)
    warnings = _warnings(inputs, found, loaded.findings.warnings)
    record_checks(found, plan, errors=errors, warnings=warnings)
    report = DesignReport(
        experiment,
        loaded.context.plan,
        text,
        previous.text,
        proposal.totals,
        written=False,
        decisions=inputs.decisions,
        prerequisites=tuple(found.prerequisites),
        verified=tuple(sorted(found.verified)),
        unchecked=tuple(found.unchecked),
        errors=errors,
        warnings=warnings,
        power=_power(plan, found),
    )
    return report, found.entries


def _power(plan: Plan, found: Resources) -> tuple[str, ...]:
    """Sentences about the power of the plan's samples and seeds, and about missing hypotheses."""
    samples: dict[str, int | None] = {}
    limit = plan.value("eval_limit")
    for task in plan.tasks:
        count = None if task.has_own_data else found.splits(task.dataset or plan.dataset_path).get("test")
        if count is not None and isinstance(limit, int):
            count = min(count, limit)
        samples[task.name] = count
    return tuple(filter(None, (without_hypotheses(plan), *power_sentences(plan, samples))))


def _errors(plan: Plan, written: str, found: Resources, by_rules: Sequence[Problem]) -> tuple[Problem, ...]:
    """Texts that would not read back the same, models that cannot be trained, and broken rules of ``check``."""
    errors = list(plan_differences(plan, written))
    trained = {run.model for run in plan.fine_tuned}
    errors += [problem for model, problem in found.refused.items() if model in trained]
    errors += [problem for problem in by_rules if not problem.missing or problem.missing not in found.missing]
    return tuple(dict.fromkeys(errors))


def _warnings(inputs: DesignInputs, found: Resources, by_rules: Sequence[Problem]) -> tuple[Problem, ...]:
    warnings = [*inputs.warnings, *design_warnings(inputs.design)]
    warnings += found.warnings
    warnings += [problem for problem in by_rules if problem.missing not in found.missing]
    return tuple(warnings)


def _refuse_lost_edits(experiment: Path, old: Plan, plan: Plan, previous: Previous) -> None:
    """Stops an update that would undo what a person changed in the plan by hand."""
    stored = _stored_design(experiment)
    if stored is not None:
        planned = build_plan(stored, name=stored.name, previous=previous)
        problems = lost_edits(old, stored=planned, updated=plan)
        if problems:
            raise ConflictError(problems)


def _write(
    report: DesignReport, value: Design, entries: list[Entry], clock: Callable[[], datetime]
) -> tuple[Problem, ...]:
    """Writes the plan, unless it changed in the meantime, then its design and the log; returns warnings."""
    report.experiment.mkdir(parents=True, exist_ok=True)
    warnings: list[str] = []
    with exclusive(report.experiment, "plan", wait_s=5.0):
        plan = PlanFile(report.experiment, warnings.append)
        if not plan.put(report.text, before=report.before):
            message = f"{report.experiment / PLAN_FILE} changed while it was planned"
            raise ConflictError(message, hint="run it again")
        write_text(report.experiment / DESIGN, design_to_json(value), within=report.experiment, durable=True)
    Log(report.experiment / DESIGN_LOG, clock).entries(entries)
    return tuple(Problem(warning) for warning in warnings)
