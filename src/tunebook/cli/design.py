"""``tunebook design``: from a question to the plan, by options, from a file, or by questions on a terminal."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated

import typer

from tunebook import api
from tunebook.cli.asking import confirmed, on_terminal
from tunebook.cli.complete import complete_evaluation_tool, complete_parameter, complete_preparation_tool
from tunebook.cli.design_session import ask_answers, ask_directory, ask_write
from tunebook.cli.design_show import design_data, show_design
from tunebook.cli.options import All, Json, located, takes_options
from tunebook.cli.output import console, print_json, print_next
from tunebook.cli.scaffold import finish_scaffold
from tunebook.cli.waiting import waiting
from tunebook.core.paths import PLAN_FILE
from tunebook.errors import UsageError

__all__ = ["register"]

Help = typer.Option
Many = list[str] | None
One = str | None
_FLAGS = {"directory", "config", "no_controls", "update", "dry_run", "yes", "every", "as_json"}


@dataclass(frozen=True, kw_only=True)
class _Arguments:
    """The arguments of the verb; all but the flags are keys of the design."""

    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="EXPERIMENT_DIR",
            help="The experiment's directory. [default: a new one, named by task, factors and date]",
        ),
    ] = None
    config: Annotated[Path | None, Help(help="A YAML file with these options as keys; options win over it.")] = None
    question: Annotated[One, Help(metavar="TEXT", help="The scientific question, in a sentence.")] = None
    hypothesis: Annotated[
        Many,
        Help(
            metavar="TEXT", help="A contrast, with a name or without: 'H1: lora_rank = 64 > lora_rank = 4'. Repeatable."
        ),
    ] = None
    name: Annotated[One, Help(metavar="NAME", help="The experiment's name. [default: the directory's]")] = None
    model: Annotated[
        Many, Help(metavar="MODEL", help="NAME=PATH, a path, or a name in the site's models directory. Repeatable.")
    ] = None
    dataset: Annotated[
        One, Help(metavar="PATH", help="A JSON or JSONL file, or a directory with one file per split.")
    ] = None
    task: Annotated[Many, Help(metavar="SCRIPT", help="NAME=SCRIPT.py or NAME=SCRIPT.py@task. Repeatable.")] = None
    task_dataset: Annotated[
        Many,
        Help(
            metavar="TASK=PATH",
            help="TASK=PATH: another data set for one task (- for one with data of its own). Repeatable.",
        ),
    ] = None
    task_tool: Annotated[
        Many,
        Help(
            metavar="TASK=TOOL",
            help="TASK=TOOL: the evaluation tool of the task, where the plan has several. Repeatable.",
        ),
    ] = None
    task_measure: Annotated[
        Many,
        Help(metavar="TASK=MEASURE", help="TASK=MEASURE: the measure that decides, as the log names it. Repeatable."),
    ] = None
    task_direction: Annotated[
        Many,
        Help(
            metavar="TASK=DIRECTION",
            help="TASK=higher or TASK=lower: which values of the measure are better. Repeatable.",
        ),
    ] = None
    task_description: Annotated[
        Many, Help(metavar="TASK=TEXT", help="TASK=TEXT: a description of the task. Repeatable.")
    ] = None
    factor: Annotated[
        Many,
        Help(
            metavar="KEY=LEVELS",
            help="What varies, with its levels: 'lora_rank=8,16'; by key, column or short name. Repeatable.",
            autocompletion=complete_parameter,
        ),
    ] = None
    combine: Annotated[One, Help(metavar="HOW", help="factorial or one-at-a-time. [default: factorial]")] = None
    base: Annotated[
        Many,
        Help(metavar="KEY=VALUE,...", help="For one-at-a-time: 'lora_rank=8,lr=1e-5'. [default: the first levels]"),
    ] = None
    pair: Annotated[
        Many, Help(metavar="KEY,KEY", help="Factors whose levels go together: 'lora_rank,lora_alpha'. Repeatable.")
    ] = None
    with_: Annotated[
        Many, Help("--with", metavar="KEY=VALUE,...", help="A single run: 'lora_rank=8,lr=1e-5'. Repeatable.")
    ] = None
    sample: Annotated[One, Help(metavar="N", help="Draw this many combinations at random.")] = None
    sample_seed: Annotated[One, Help(metavar="N", help="The seed of that draw. [default: 14]")] = None
    replicates: Annotated[
        One, Help(metavar="N", help="Train every combination this many times, each with its own seed.")
    ] = None
    seeds: Annotated[One, Help(metavar="N,N", help="The seeds of the replicates: '1,2,3'.")] = None
    exclude: Annotated[
        Many, Help(metavar="KEY=VALUE,...", help="Leave these combinations out: 'rank=64,lr=5e-5'. Repeatable.")
    ] = None
    train: Annotated[bool | None, Help("--training/--no-training", help="Train, or only evaluate the models.")] = None
    control: Annotated[
        Many, Help(metavar="MODEL", help="A base model to evaluate as a control. Repeatable. [default: all]")
    ] = None
    no_controls: Annotated[bool, Help("--no-controls", help="No base models as controls.")] = False
    eval_only: Annotated[
        Many, Help(metavar="NAME=PATH", help="NAME=PATH or NAME@MODEL=PATH: weights to evaluate as they are.")
    ] = None
    set_: Annotated[
        Many,
        Help(
            "--set",
            metavar="KEY=VALUE",
            help="KEY=VALUE for all runs: epochs, batch_size, gpus, … Repeatable.",
            autocompletion=complete_parameter,
        ),
    ] = None
    prompt: Annotated[One, Help(metavar="TEXT", help="The prompt with {input}, for training and evaluation.")] = None
    system_prompt: Annotated[One, Help(metavar="TEXT", help="The system prompt, for training and evaluation.")] = None
    recipe: Annotated[
        One, Help(metavar="NAME", help="The training recipe. [default: LoRA, on as many GPUs as --gpus says]")
    ] = None
    gpus: Annotated[One, Help(metavar="N", help="GPUs of a run; 0 for none. [default: the site's]")] = None
    evaluate_epochs: Annotated[
        One, Help(metavar="EPOCHS", help="Which epochs to evaluate: last, all, or zero-based '0,2'.")
    ] = None
    matrix: Annotated[
        Many, Help(metavar="RUN:TASK=EPOCHS", help="RUN:TASK=EPOCHS with globs, - for none: an exception. Repeatable.")
    ] = None
    preparation: Annotated[
        One,
        Help(
            metavar="TOOL",
            help="The tool that trains; `tunebook tools` lists them.",
            autocompletion=complete_preparation_tool,
        ),
    ] = None
    evaluation: Annotated[
        One,
        Help(
            metavar="TOOLS",
            help="The tool that evaluates, or several: 'inspect-ai,lm-eval'.",
            autocompletion=complete_evaluation_tool,
        ),
    ] = None
    note: Annotated[Many, Help(metavar="TEXT", help="A line for the plan's notes. Repeatable.")] = None
    update: Annotated[
        bool,
        Help("--update", help="Update an existing plan; its design, your text and the status are kept."),
    ] = False
    dry_run: Annotated[bool, Help("--dry-run", help="Print the plan (or its changes); write nothing.")] = False
    yes: Annotated[bool, Help("--yes", help="Ask nothing: take the usual values for missing parameters.")] = False
    every: All = False
    as_json: Json = False

    def sources(self) -> api.DesignSources:
        """The sources of the design."""
        updated = (self.directory or Path()) if self.update else None
        return api.DesignSources(options=self._given(), config=self.config, updated=updated)

    def is_new(self) -> bool:
        """Whether a new directory is needed, which nothing names."""
        return not (self.directory or self.update or self.dry_run)

    def _given(self) -> dict[str, list[str]]:
        """Option name to its occurrences."""
        if self.no_controls and self.control:
            raise UsageError("`--control` and `--no-controls` exclude each other")
        given: dict[str, list[str]] = {"control": ["no"]} if self.no_controls else {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in _FLAGS or value is None:
                continue
            name = item.name.strip("_").replace("_", "-")
            if isinstance(value, bool):
                given[name] = ["yes" if value else "no"]
            else:
                given[name] = [value] if isinstance(value, str) else list(value)
        return given


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command()
    @takes_options(_Arguments)
    def design(options: _Arguments) -> None:
        """Plan an experiment: verify its resources, estimate its cost, and write the plan. Asks for missing answers."""
        _design(options)


def _design(options: _Arguments) -> None:
    if options.update:
        options = replace(options, directory=located(options.directory))
    is_asking = on_terminal() and not options.yes and not options.as_json
    directory = options.directory
    with waiting("reading the answers", quiet=options.as_json):
        inputs = api.read_inputs(options.sources())
    if is_asking and not inputs.problems:
        inputs = api.read_inputs(ask_answers(options.sources()))
        if options.is_new():
            directory = ask_directory(inputs)
    confirm = ask_write if is_asking else _agreed
    with waiting("verifying models, data and tasks", quiet=options.as_json) as wait:
        report = api.design(
            directory,
            api.DesignOptions(update=options.update, defaults=options.yes, dry_run=options.dry_run),
            given=inputs,
            confirm=wait.until(confirm),
        )
    if options.as_json:
        print_json("design", report.exit_code, design_data(report), warnings=report.warnings, errors=report.errors)
    elif is_asking and not options.dry_run and not report.errors:
        _end_session(report)
    else:
        show_design(report, dry_run=options.dry_run, every=options.every)
    raise typer.Exit(report.exit_code)


def _agreed(_: api.DesignReport) -> bool:
    return True


def _end_session(report: api.DesignReport) -> None:
    """Prints where the plan is and offers to scaffold; the questions have shown everything else."""
    out = console()
    if not report.written:
        out.print("Nothing was written.")
        return
    out.print(f"✓ {report.experiment / PLAN_FILE}", markup=False, emoji=False)
    if confirmed("Scaffold now?"):
        finish_scaffold("scaffold", api.scaffold(report.experiment), as_json=False)
    else:
        print_next(f"tunebook scaffold {shlex.quote(str(report.experiment))}")
