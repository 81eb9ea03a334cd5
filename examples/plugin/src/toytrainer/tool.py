"""The preparation tool ``toytrainer``: each fine-tuned run gets ``toytrainer.json``, a job script and one job."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tunebook.core.jobs import Job, Stage
from tunebook.core.parameters import Kind, Parameter
from tunebook.core.paths import checkpoint, output_directory
from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import effective
from tunebook.errors import PlanError, Problem, UsageError
from tunebook.tools.base import (
    Context,
    FileKind,
    Findings,
    Package,
    PlannedFile,
    PreparationTool,
    Prepared,
    Unit,
)
from tunebook.tools.job_script import Shell, input_path, job_variables, script_problems, script_text
from tunebook.tools.model_facts import ModelFacts, parameters_b
from tunebook.tools.plan_inputs import dataset_path, job_resources, model_directory, model_path, training_time
from tunebook.tools.training_inputs import input_findings

__all__ = ["ToyTrainer"]

SETTINGS = "toytrainer.json"
SCRIPT = "toytrainer.slurm"
DECAY = Parameter("decay", "Loss Decay", Kind.NUMBER, "decay", minimum=0, below=1, default=0.1)
"""The share of the loss that each step takes away: a bullet of the configuration, or a column of the runs table."""

BODY = """
# ---- training ----
python -c 'import toytrainer' ||
    fail "this environment lacks tunebook-toytrainer: pip install PATH (PATH is the directory of this package)"
run python -m toytrainer.train "$settings"
"""


class ToyTrainer(PreparationTool):
    """A tool in one class; docs/reference/tool-contract.md describes its members one by one."""

    name = "toytrainer"
    short = "toytrainer"
    package = Package("toytrainer", "tunebook-toytrainer", "tunebook-toytrainer")
    files = (
        FileKind(SETTINGS, "settings of the training: edit this one"),
        FileKind(SCRIPT, "SLURM script"),
    )
    editable = (SETTINGS,)
    parameters = (DECAY,)

    def check(self, context: Context) -> Findings:
        """Missing or contradictory data."""
        return input_findings(context)

    def runs(self, plan: Plan) -> tuple[Run, ...]:
        """The fine-tuned runs; controls and eval-only runs need no training."""
        return plan.fine_tuned

    def model_size_b(self, name: str, facts: ModelFacts | None) -> float | None:  # noqa: ARG002
        """From ``config.json``; this tool trains every model."""
        config = facts.config if facts else None
        try:
            return parameters_b(config) if config else None
        except KeyError:
            return None

    def build(self, context: Context, run: Run) -> Unit:
        """Two files and a job, as values; tunebook writes the files and submits the job."""
        path = f"{context.directories[run.name]}/{SETTINGS}"
        text = _text(_planned(context, run))
        warnings: tuple[Problem, ...] = ()
        settings = json.loads(text)
        if path in context.edited:
            settings = _read(context.edited[path], path)
            warnings = _differences(json.loads(text), settings, path)
        job = _job(context, run, settings)
        files = (PlannedFile(path, text), PlannedFile(job.script, _script(context, job), executable=True))
        prepared = Prepared(
            job=job.name,
            checkpoints=MappingProxyType(dict(enumerate(job.checkpoints))),
            config=None,
            values=MappingProxyType({key: settings[key] for key in ("dataset_path", "system_prompt", "prompt")}),
        )
        return Unit(run.name, files, (job,), prepared=prepared, warnings=warnings)

    def verify(self, context: Context, run: Run, unit: Unit, read: Callable[[str], str]) -> tuple[Problem, ...]:
        """Reads the settings and the script back from disk."""
        (job,) = unit.jobs
        path = f"{job.directory}/{SETTINGS}"
        problems: list[Problem] = []
        try:
            settings = _read(read(path), path)
        except PlanError as error:
            return error.problems
        if path not in context.edited:
            problems += _differences(_planned(context, run), settings, path)
        problems += script_problems(job, read(job.script), _variables(context, job), context.experiment)
        return tuple(problems)

    def edit(self, text: str, assignments: Sequence[str], *, file: str, experiment: Path) -> str:  # noqa: ARG002
        """``tunebook setup-finetune RUN --set decay=0.2``."""
        settings = _read(text, file)
        for assignment in assignments:
            key, equals, value = assignment.partition("=")
            if not equals or key not in settings:
                raise UsageError(f"--set {assignment}: write KEY=VALUE", hint="keys: " + ", ".join(settings))
            is_text = isinstance(settings[key], str)
            settings[key] = value if is_text else json.loads(value)
        return _text(settings)


def _planned(context: Context, run: Run) -> dict[str, Any]:
    """The settings as the plan gives them."""
    plan, site = context.plan, context.site
    model, data = model_path(plan, site, run), dataset_path(plan, run)
    if not model or not data:
        message = f"run `{run.name}`: the plan gives no path for its model or data set"
        raise PlanError(message, file=plan.file, line=run.line)
    output = output_directory(context.experiment, plan.name, context.directories[run.name], site.output_dir_base)
    return {
        "model": str(model_directory(context, model)),
        "dataset_path": str(context.experiment / Path(data).expanduser()),
        "output": output,
        "epochs": effective(plan, run, "epochs"),
        "lr": effective(plan, run, "lr"),
        "system_prompt": effective(plan, run, "system_prompt"),
        "prompt": effective(plan, run, "prompt"),
        "steps_per_epoch": 5,
        "first_loss": 2.0,
        "decay": effective(plan, run, "decay"),
    }


def _text(settings: dict[str, Any]) -> str:
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"


def _read(text: str, file: str) -> dict[str, Any]:
    """The settings of a file that a person may have edited.

    Raises:
        PlanError: it is not what the training can read.
    """
    try:
        settings = json.loads(text)
    except ValueError as error:
        raise PlanError(f"the settings are not JSON: {error}", file=file) from None
    keys = {"model", "dataset_path", "output", "epochs", "lr", "system_prompt", "prompt", "steps_per_epoch"}
    keys |= {"first_loss", "decay"}
    if not isinstance(settings, dict) or set(settings) != keys:
        raise PlanError("the settings have other keys than expected", file=file, hint=", ".join(sorted(keys)))
    try:
        DECAY.convert(str(settings["decay"]))
    except ValueError as error:
        raise PlanError(str(error), file=file) from None
    return settings


def _differences(planned: dict[str, Any], found: dict[str, Any], file: str) -> tuple[Problem, ...]:
    return tuple(
        Problem(f"{key} is {found[key]!r} here and {planned[key]!r} in the plan", file)
        for key in planned
        if found[key] != planned[key]
    )


def _job(context: Context, run: Run, settings: dict[str, Any]) -> Job:
    """The training: completed when its script ends with 0 and every checkpoint exists."""
    directory, output = context.directories[run.name], settings["output"]
    script = f"{directory}/{SCRIPT}"
    return Job(
        name=f"{directory}/toytrainer",
        run=run.name,
        stage=Stage.PREPARATION,
        tool=ToyTrainer.short,
        directory=directory,
        script=script,
        outcome=f"{directory}/toytrainer.outcome.json",
        texts=(f"{directory}/{SETTINGS}", script),
        data=(input_path(context.experiment, settings["dataset_path"]),),
        models=(input_path(context.experiment, settings["model"]),),
        metrics=f"{output}/metrics.jsonl",
        checkpoints=tuple(checkpoint(output, epoch) for epoch in range(settings["epochs"])),
        resources=job_resources(
            context.site, time=training_time(context.plan, context.site, run), memory_gb=2, cpus=1, gpus=0
        ),
    )


def _variables(context: Context, job: Job) -> dict[str, Shell]:
    """The values that the script assigns to shell variables; ``BODY`` and tunebook's prologue use them."""
    settings = context.experiment / job.directory / SETTINGS
    return {**job_variables(job, context.experiment), "settings": str(settings)}


def _script(context: Context, job: Job) -> str:
    site = context.site
    return script_text(
        job,
        job_name=f"{context.plan.name}.{job.directory}",
        modules=site.modules,
        environment=site.training,
        variables=_variables(context, job),
        body=BODY,
    )
