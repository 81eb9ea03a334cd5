"""Completes and checks a design: all that is missing or wrong at once, each with the option or line that it came from.

The rules of :mod:`tunebook.core.check` check the plan that a design gives. The rules here are those of the design
itself, and those whose place a plan that is not written yet could not name.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from tunebook.core.markdown import prose
from tunebook.core.naming import is_one_component
from tunebook.core.parameters import suggestion
from tunebook.core.plan import Model
from tunebook.core.plan.evaluation_plan import parse_epochs
from tunebook.core.site import Site
from tunebook.design.build_plan import build_plan
from tunebook.design.documents import place_of
from tunebook.design.factor_rules import conversion_problem, factor_problems, required_parameters, size_problems
from tunebook.design.factors import column_of, combinations, has_values, values_text
from tunebook.design.values import MODEL, Design, DesignInputs, EvalOnly, ListedRun
from tunebook.errors import Problem

__all__ = ["DEFAULTS", "complete", "design_problems", "design_warnings", "missing_parts"]

DEFAULTS = {"lora_rank": "8", "lr": "1e-4", "batch_size": "4", "epochs": "1"}
"""Values that ``--yes`` takes, and the questions offer, for parameters that every training needs."""

_QUESTIONS = {
    "question": "what should this experiment find out?",
    "model": "which models? NAME=PATH",
    "dataset": "the path of the data set",
    "task": "which evaluation tasks? NAME=SCRIPT.py",
}
_NO_EPOCHS = {"-", "no", "none", "default", "yes", "✓"}
_NAME_HINT = "use only letters, digits and . _ + = @ , -, because it becomes the name of a file or a directory"
_EPOCHS_HINT = "write last, all, or zero-based epochs such as 0,2"
_MOST_NAMES = 10


def missing_parts(design: Design) -> tuple[str, ...]:
    """Keys of the design that have to be given still, and of parameters that every training needs."""
    missing: list[str] = []
    if not prose(design.question):
        missing.append("question")
    if not design.models and (design.is_trained or not design.eval_only):
        missing.append("model")
    if design.is_trained and not design.dataset and not design.factor("dataset"):
        missing.append("dataset")
    if not design.tasks:
        missing.append("task")
    if design.is_trained:
        missing += _missing_parameters(design)
    return tuple(missing)


def _missing_parameters(design: Design) -> Iterator[str]:
    given = {*design.settings, *design.factor_keys}
    if not design.factors:
        given |= design.listed_keys
    for key in required_parameters(design):
        if key not in given:
            yield key


def design_problems(inputs: DesignInputs) -> tuple[Problem, ...]:
    """Everything that is missing or wrong in the design."""
    design = inputs.design
    found = [*_missing(inputs), *_names(design)]
    for key, text in design.settings.items():
        found += conversion_problem(design, key, text)
    found += [*factor_problems(design), *_models(design), *_evaluation(design)]
    return tuple(found or size_problems(design))


def _missing(inputs: DesignInputs) -> Iterator[Problem]:
    for key in missing_parts(inputs.design):
        if key in inputs.misspelt:
            continue
        if key in _QUESTIONS:
            yield Problem(f"`{key}` is missing", hint=f"{_QUESTIONS[key]} (--{key})")
        else:
            hint = f"--set {key}=… for all runs, or --factor {key}=…,… to vary it"
            yield Problem(f"{column_of(key)} is missing", hint=hint)


def _names(design: Design) -> Iterator[Problem]:
    if design.name and not is_one_component(design.name):
        message = f"the experiment's name `{design.name}` cannot be the name of a directory"
        yield place_of(design.name).problem(message, _NAME_HINT)
    for task in design.tasks:
        # A column named Notes in the evaluation matrix is for remarks.
        if not is_one_component(task.name) or task.name.lower() in {"notes", "note"}:
            yield place_of(task.name).problem(f"a task cannot be named `{task.name}`", _NAME_HINT)
        if not task.script:
            yield place_of(task.name).problem(f"task `{task.name}` has no script", "write NAME=SCRIPT.py")
    for model in design.models:
        if not all(map(is_one_component, model.name.split("/"))):
            hint = f"give it a name: NAME={model.path}; {_NAME_HINT}"
            yield place_of(model.name).problem(f"a model cannot be named `{model.name}`", hint)
    yield from _run_names(design)


def _run_names(design: Design) -> Iterator[Problem]:
    seen: set[str] = set()
    named: list[ListedRun | EvalOnly] = [*design.listed, *design.eval_only]
    for name in filter(None, (item.name for item in named)):
        if not is_one_component(name):
            yield place_of(name).problem(f"a run cannot be named `{name}`", _NAME_HINT)
        if name.lower() in seen:
            yield place_of(name).problem(f"two runs are named `{name}`", "rename one of them")
        seen.add(name.lower())


def _models(design: Design) -> Iterator[Problem]:
    for name in _named_models(design):
        if name not in design.model_names:
            yield place_of(name).problem(f"unknown model `{name}`", suggestion(name, design.model_names))
    for item in design.eval_only:
        if not item.checkpoint:
            yield place_of(item.name).problem(f"eval-only run `{item.name}` has no checkpoint")


def _named_models(design: Design) -> Iterator[str]:
    """Every model that is named outside the list of models."""
    factor = design.factor(MODEL)
    if factor:
        yield from factor.levels
    for values in (*(run.values for run in design.listed), *design.exclusions):
        if MODEL in values:
            yield values[MODEL]
    if not design.has_every_control:
        yield from (control.model for control in design.controls or ())


def _evaluation(design: Design) -> Iterator[Problem]:
    if design.epochs and parse_epochs(design.epochs) is None:
        message = f"epochs to evaluate `{design.epochs}` cannot be read"
        yield place_of(design.epochs).problem(message, _EPOCHS_HINT)
    for rule in design.matrix:
        if rule.epochs not in _NO_EPOCHS and parse_epochs(rule.epochs) is None:
            message = f"`{rule.epochs}` in the matrix cannot be read"
            yield place_of(rule.run).problem(message, f"{_EPOCHS_HINT}, or - for none")


def design_warnings(design: Design) -> tuple[Problem, ...]:
    """Parts of a design without problems that have no effect."""
    found: list[Problem] = []
    everything = combinations(replace(design, exclusions=(), sample=None))
    for rule in design.exclusions:
        if not any(has_values(values, rule) for values in everything):
            place = place_of(next(iter(rule.values())))
            found.append(place.problem(f"no combination matches the exclusion {values_text(rule)}"))
    if design.sample is not None:
        count = len(combinations(replace(design, sample=None)))
        if design.sample >= count:
            message = f"a sample of {design.sample} takes all {count} combinations"
            found.append(place_of(design.sample).problem(message))
    return (*found, *_rules_without_effect(design))


def _rules_without_effect(design: Design) -> Iterator[Problem]:
    if not design.matrix:
        return
    plan = build_plan(design, name="-")
    runs, tasks = [run.name for run in plan.runs], [task.name for task in plan.tasks]
    for rule in design.matrix:
        for kind, pattern, names in (("run", rule.run, runs), ("task", rule.task, tasks)):
            if not any(fnmatchcase(name, pattern) for name in names):
                message = f"`{pattern}` in the matrix matches no {kind}"
                yield place_of(rule.run).problem(message, suggestion(pattern, names[:_MOST_NAMES]))


# --- completing -----------------------------------------------------------------------------------------------------


def complete(inputs: DesignInputs, site: Site, *, defaults: bool) -> DesignInputs:
    """Fills in the models' directories, the number of GPUs and, if wanted, :data:`DEFAULTS`."""
    design = inputs.design
    decisions, problems = [*inputs.decisions], [*inputs.problems]
    models: list[Model] = []
    for model in design.models:
        path = model.path
        if not path and site.models_dir:
            path = str(PurePosixPath(site.models_dir, model.name))
            decisions.append((f"model {model.name} at {path}", f"the models directory of {site.file}"))
        if not path:
            hint = f"write {model.name}=PATH, or name a models directory in claude.local.md"
            problems.append(place_of(model.name).problem(f"model `{model.name}` has no path", hint))
        models.append(replace(model, path=path))
    settings = dict(design.settings)
    if "gpus" not in settings:
        settings["gpus"], why = _gpus(site)
        decisions.append((f"GPUs = {settings['gpus']}", why))
    if defaults:
        for key in missing_parts(design):
            if key in DEFAULTS:
                settings[key] = DEFAULTS[key]
                decisions.append((f"{column_of(key)} = {DEFAULTS[key]}", "the usual default, since none was given"))
    completed = replace(design, models=tuple(models), settings=settings)
    return replace(inputs, design=completed, decisions=tuple(decisions), problems=tuple(problems))


def _gpus(site: Site) -> tuple[str, str]:
    """The number of GPUs of a run, and the reason."""
    if site.gpus:
        return site.gpus, f"the default of {site.file}"
    if site.account or site.partition or site.cluster:
        return "1", "one GPU for each job of a cluster"
    if shutil.which("nvidia-smi"):
        return "1", "this machine has a GPU"
    return "0", "this machine has no GPU, and the site settings describe no cluster"
