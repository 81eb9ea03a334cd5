"""``tunebook design``: from a question to the page, by options, by a file, or asked for on a terminal."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from tunebook import api
from tunebook.cli.design_session import ask_answers, ask_directory, ask_write, confirmed, on_terminal
from tunebook.cli.design_show import show_design
from tunebook.cli.options import Json
from tunebook.cli.output import console, print_json
from tunebook.cli.scaffold import finish_scaffold
from tunebook.core.plan import PLAN_FILE
from tunebook.errors import UsageError

__all__ = ["register"]

Many = list[str] | None
Where = Annotated[
    Path | None,
    typer.Argument(help="The experiment's directory. (default: one here, named by task, factors and date)"),
]
Config = Annotated[Path | None, typer.Option(help="A YAML file with these options as keys; options win over it.")]
From = Annotated[
    Path | None,
    typer.Option("--from", help="A plan in YAML, experiment_summary.yaml, to take over; options win over it."),
]
Question = Annotated[str | None, typer.Option(help="The scientific question, in a sentence.")]
Name = Annotated[str | None, typer.Option(help="The experiment's name. (default: the directory's)")]
Preparation = Annotated[str | None, typer.Option(help="The tool that trains. (default: torchtune)")]
Evaluation = Annotated[str | None, typer.Option(help="The tool that evaluates. (default: inspect-ai)")]
Model = Annotated[Many, typer.Option(help="NAME=PATH, a path, or a name in the site's models directory. Repeatable.")]
Dataset = Annotated[str | None, typer.Option(help="A JSON or JSONL file, or a directory with a file a split.")]
Task = Annotated[Many, typer.Option(help="NAME=SCRIPT.py or NAME=SCRIPT.py@task. Repeatable.")]
TaskDataset = Annotated[Many, typer.Option(help="TASK=PATH: a data set of the task's own. Repeatable.")]
TaskDescription = Annotated[Many, typer.Option(help="TASK=TEXT, for people: what is scored, and how. Repeatable.")]
Factor = Annotated[Many, typer.Option(help="What varies: 'lora_rank=8,16', by key, column or short name. Repeatable.")]
Combine = Annotated[str | None, typer.Option(help="factorial or one-at-a-time. (default: factorial)")]
Base = Annotated[Many, typer.Option(help="For one-at-a-time: 'lora_rank=8,lr=1e-5'. (default: the first levels)")]
Pair = Annotated[Many, typer.Option(help="Factors whose levels go together: 'lora_rank,lora_alpha'. Repeatable.")]
With = Annotated[Many, typer.Option("--with", help="A run by itself: 'lora_rank=8,lr=1e-5'. Repeatable.")]
Sample = Annotated[str | None, typer.Option(help="This many of all combinations, drawn at random.")]
SampleSeed = Annotated[str | None, typer.Option(help="The seed of that draw. (default: 14)")]
Replicates = Annotated[
    str | None, typer.Option(help="This many runs of every combination, each with a seed of its own.")
]
Seeds = Annotated[str | None, typer.Option(help="The seeds of the replicates: '1,2,3'.")]
Exclude = Annotated[Many, typer.Option(help="Leave these combinations out: 'rank=64,lr=5e-5'. Repeatable.")]
Train = Annotated[bool | None, typer.Option("--training/--no-training", help="Train, or only evaluate the models.")]
Control = Annotated[Many, typer.Option(help="Only this base model as control. Repeatable. (default: every model)")]
NoControls = Annotated[bool, typer.Option("--no-controls", help="No base models as controls.")]
EvalOnly = Annotated[Many, typer.Option(help="NAME=PATH or NAME@MODEL=PATH: weights to evaluate as they are.")]
Set = Annotated[Many, typer.Option("--set", help="key=value for all runs: epochs, batch_size, gpus, … Repeatable.")]
Prompt = Annotated[str | None, typer.Option(help="The prompt with {input}, for training and evaluation.")]
System = Annotated[str | None, typer.Option(help="The system prompt, for training and evaluation.")]
Recipe = Annotated[str | None, typer.Option(help="The training recipe. (default: lora_finetune_single_device)")]
Gpus = Annotated[str | None, typer.Option(help="GPUs of a run; 0 for none. (default: the site's)")]
Epochs = Annotated[str | None, typer.Option(help="Which epochs to evaluate: last, all, or zero-based '0,2'.")]
Matrix = Annotated[Many, typer.Option(help="RUN:TASK=EPOCHS with globs, - for none: an exception. Repeatable.")]
Note = Annotated[Many, typer.Option(help="A line for the page's notes. Repeatable.")]
Update = Annotated[bool, typer.Option("--update", help="Plan an existing page again: keep notes and status.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the page (or its changes); write nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Ask nothing: usual values for what is left out.")]


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command()
    def design(
        directory: Where = None,
        *,
        config: Config = None,
        from_: From = None,
        question: Question = None,
        name: Name = None,
        model: Model = None,
        dataset: Dataset = None,
        task: Task = None,
        task_dataset: TaskDataset = None,
        task_description: TaskDescription = None,
        factor: Factor = None,
        combine: Combine = None,
        base: Base = None,
        pair: Pair = None,
        with_: With = None,
        sample: Sample = None,
        sample_seed: SampleSeed = None,
        replicates: Replicates = None,
        seeds: Seeds = None,
        exclude: Exclude = None,
        train: Train = None,
        control: Control = None,
        no_controls: NoControls = False,
        eval_only: EvalOnly = None,
        set_: Set = None,
        prompt: Prompt = None,
        system_prompt: System = None,
        recipe: Recipe = None,
        gpus: Gpus = None,
        evaluate_epochs: Epochs = None,
        matrix: Matrix = None,
        preparation: Preparation = None,
        evaluation: Evaluation = None,
        note: Note = None,
        update: Update = False,
        dry_run: DryRun = False,
        yes: Yes = False,
        as_json: Json = False,
    ) -> None:
        """Plan an experiment: write its page, with what it needs and what it takes. Asks for what is missing."""
        given = dict(locals())
        yaml_plan = given.pop("from_")
        flags = {key: given.pop(key) for key in ("directory", "config", "update", "dry_run", "yes", "as_json")}
        _design(_options(given), yaml_plan=yaml_plan, **flags)


def _options(given: dict[str, Any]) -> dict[str, list[str]]:
    """The options as the design's reader wants them: name to occurrences."""
    if given.pop("no_controls"):
        if given["control"]:
            raise UsageError("`--control` and `--no-controls` exclude each other")
        given["control"] = ["no"]
    if given["train"] is not None:
        given["train"] = "yes" if given["train"] else "no"
    options = {}
    for name, value in given.items():
        if value is not None:
            options[name.strip("_").replace("_", "-")] = [value] if isinstance(value, str) else list(value)
    return options


def _design(
    options: dict[str, list[str]],
    *,
    directory: Path | None,
    config: Path | None,
    yaml_plan: Path | None,
    update: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    asking = on_terminal() and not yes and not as_json
    base = api.design_of_page(directory or Path()) if update else None
    read = api.read_given(options=options, config=config, base=base, yaml_plan=yaml_plan)
    if asking and not read.problems:
        options = ask_answers(options, config=config, base=base, yaml_plan=yaml_plan)
        read = api.read_given(options=options, config=config, base=base, yaml_plan=yaml_plan)
        directory = directory if directory or update or dry_run or yaml_plan else ask_directory(read)
    report = api.design(
        directory,
        given=read,
        update=update,
        defaults=yes,
        dry_run=dry_run,
        confirm=ask_write if asking else lambda _: True,
    )
    if as_json:
        print_json("design", report.exit_code, _data(report), warnings=report.warnings, errors=report.errors)
    elif asking and not dry_run and not report.errors:
        _last_words(report)
    else:
        show_design(report, dry_run=dry_run)
    raise typer.Exit(report.exit_code)


def _last_words(report: api.DesignReport) -> None:
    """After a session, which has shown everything else: the page, and whether to go on."""
    out = console()
    if not report.written:
        out.print("Nothing was written.")
        return
    out.print(f"✓ {report.experiment / PLAN_FILE}", markup=False, emoji=False)
    if confirmed("Scaffold now?"):
        finish_scaffold("scaffold", api.scaffold(report.experiment), as_json=False)
    else:
        out.print(f"  next: tunebook scaffold {shlex.quote(str(report.experiment))}", markup=False, emoji=False)


def _data(report: api.DesignReport) -> dict[str, Any]:
    plan = report.plan
    return {
        "experiment": str(report.experiment),
        "name": plan.name,
        "written": report.written,
        "runs": [{"name": run.name, "model": run.model, "type": run.type.value} for run in plan.runs],
        "totals": vars(report.totals),
        "decisions": [{"decision": what, "why": why} for what, why in report.decisions],
        "prerequisites": list(report.prerequisites),
        "verified": list(report.verified),
        "diff": report.diff,
        "page": report.text,
    }
