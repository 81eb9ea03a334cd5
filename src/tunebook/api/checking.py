"""``check``: reports every problem of the plan, and lists every setting in effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tunebook.api.loading import Loaded, load
from tunebook.api.location import find_experiment
from tunebook.core.paths import MANIFEST, SCAFFOLD_LOG, tool_log
from tunebook.core.plan import OwnSection, Plan
from tunebook.core.site import Site
from tunebook.disk.manifest import read_manifest
from tunebook.errors import ExitCode, Problem
from tunebook.scaffold.blueprint import Blueprint, build_blueprint
from tunebook.scaffold.effects import EffectTable, effects_by_run, tabulate
from tunebook.scaffold.orchestrate import with_edited_files
from tunebook.scaffold.samples import Sample, first_examples, first_prompts
from tunebook.scaffold.write import obstacles, unwritable
from tunebook.tools.base import Effect

if TYPE_CHECKING:
    from tunebook.api.deep_checking import DeepOutcome, OnDeep

__all__ = ["CheckReport", "check"]


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """The result of ``check``.

    Attributes:
        effects: run name to every setting in effect, with its source; empty if the plan is wrong.
        examples: first training examples as the models see them.
        prompts: first prompts of the evaluations whose tasks put the plan's prompts around the data set's inputs.
        own: a person's own sections of the plan, which are not read.
        deep: the deep checks, if they were asked for, and what became of each.
    """

    experiment: Path
    plan: Plan
    site: Site
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    notes: tuple[str, ...]
    effects: Mapping[str, tuple[Effect, ...]]
    examples: tuple[Sample, ...]
    prompts: tuple[Sample, ...]
    own: tuple[OwnSection, ...]
    deep: tuple[DeepOutcome, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """3 if the plan or the site settings are wrong."""
        return ExitCode.WRONG_PLAN if self.errors else ExitCode.DONE

    @property
    def tables(self) -> tuple[EffectTable, ...]:
        """The settings in effect by group; what is the same everywhere appears once."""
        return tabulate(self.effects)


def check(directory: Path, *, deep: bool = False, on_deep: OnDeep | None = None) -> CheckReport:
    """Reads the plan and the site settings, and verifies what can be verified here; writes nothing.

    A correct plan is also built as ``scaffold`` builds it, to report everything that ``scaffold`` would refuse.

    Args:
        deep: whether to prove on shrunk models and with the tasks' own code that the jobs do what the plan says. This
            runs the experiment's code, and remembers in ``.tunebook`` what passed.
        on_deep: called when a deep check ends, and before one that runs the experiment's code.
    """
    experiment = find_experiment(directory)
    loaded = load(experiment)
    blueprint = Blueprint((), frozenset(), ())
    if not loaded.of_plan.errors:
        context = with_edited_files(loaded.context, loaded.tools, read_manifest(experiment))
        blueprint = build_blueprint(loaded.tools, context)
    effects: Mapping[str, tuple[Effect, ...]] = {}
    if blueprint.parts:
        effects = effects_by_run(blueprint, loaded.context)
    errors, warnings = _problems(loaded, blueprint)
    written = _written(blueprint)
    errors = (*errors, *obstacles(experiment, written))
    warnings = (*warnings, *unwritable(experiment, written))
    examples, prompts = _samples(loaded, blueprint, effects)
    proofs: tuple[DeepOutcome, ...] = ()
    if deep:
        from tunebook.api.deep_checking import deep_checks, run_deep_checks  # with all executors and design

        proofs = run_deep_checks(experiment, deep_checks(loaded, blueprint), on_deep or _ignore)
        errors = (*errors, *(problem for proof in proofs for problem in proof.result.errors))
        warnings = (*warnings, *(problem for proof in proofs for problem in proof.result.warnings))
    return CheckReport(
        experiment=experiment,
        plan=loaded.context.plan,
        site=loaded.context.site,
        errors=tuple(dict.fromkeys(errors)),
        warnings=tuple(dict.fromkeys(warnings)),
        notes=loaded.findings.notes,
        effects=effects,
        examples=examples,
        prompts=prompts,
        own=loaded.own,
        deep=proofs,
    )


def _ignore(_: DeepOutcome) -> None:
    """Takes an event that nobody asked for."""


def _samples(
    loaded: Loaded, blueprint: Blueprint, effects: Mapping[str, tuple[Effect, ...]]
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """First training examples, and first prompts."""
    examples: tuple[Sample, ...] = ()
    prompts: tuple[Sample, ...] = ()
    for part in blueprint.parts:
        if loaded.preparation is not None and part.tool is loaded.preparation:
            examples = first_examples(part, loaded.preparation, effects)
        for tool in loaded.evaluations:
            if part.tool is tool:
                prompts += first_prompts(part, tool, effects)
    return examples, prompts


def _written(blueprint: Blueprint) -> tuple[str, ...]:
    """Every file that scaffolding would write; none if there is nothing to scaffold."""
    if not blueprint.parts:
        return ()
    logs = [tool_log("scaffold", part.tool.short) for part in blueprint.parts]
    return (*blueprint.paths, *logs, SCAFFOLD_LOG, MANIFEST)


def _problems(loaded: Loaded, blueprint: Blueprint) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Errors and warnings of the plan, of its files and of every run; each once."""
    errors, warnings = list(loaded.findings.errors), list(loaded.findings.warnings)
    for part in blueprint.parts:
        for failure in part.failures:
            errors += failure.problems
        for built in part.built:
            warnings += built.unit.warnings
    return tuple(dict.fromkeys(errors)), tuple(dict.fromkeys(warnings))
