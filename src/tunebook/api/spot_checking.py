"""``spot-check``: a few questions to a trained model and its base model, asked as the evaluations ask."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from types import MappingProxyType

from tunebook.api.loading import load_correct
from tunebook.api.location import find_experiment
from tunebook.api.scaffolded import refuse_stale
from tunebook.api.spot_machine import ask_model, refuse_small_machine
from tunebook.api.spot_targets import Target, choose_run, choose_target, chosen_task, training_state
from tunebook.artifacts.answers import Answer
from tunebook.core.plan import Evaluation, Run
from tunebook.core.plan.values import RunType
from tunebook.core.shortened import counted
from tunebook.disk.archive_record import refuse_archive
from tunebook.disk.manifest import read_manifest, refuse_lost
from tunebook.errors import ExitCode, Problem, ToolError, UsageError
from tunebook.run.select import LoopOptions
from tunebook.tools.spot_values import Questions, SpotScript

__all__ = ["SpotCheckOptions", "SpotCheckReport", "SpotRow", "spot_check"]

_SAMPLES = 3  # that are asked by default


@dataclass(frozen=True, kw_only=True)
class SpotCheckOptions:
    """The questions, and how they are asked.

    Attributes:
        prompts: a person's own inputs, each of which is put into the plan's prompt; empty for samples of the task.
        samples: how many samples of the task's data are asked, from the first one; ``None`` for 3, if there are no
            prompts.
        task: the name of the task; empty for the first one on which the run is evaluated.
        epoch: zero-based; ``None`` for the last one that is evaluated.
        max_tokens: the most new tokens of an answer; ``None`` for as many as in the evaluations.
        timeout_s: the most seconds for each model, from its start to its last answer.
        cpu: whether to ask on the CPU although the evaluations use a GPU.
    """

    prompts: Sequence[str] = ()
    samples: int | None = None
    task: str = ""
    epoch: int | None = None
    max_tokens: int | None = None
    timeout_s: float = 1800.0
    cpu: bool = False


@dataclass(frozen=True)
class SpotRow:
    """One question with the answers to it; an answer is ``None`` if that model was not asked.

    Attributes:
        id: of the sample; for a person's own inputs their place, from 0.
        prompt: the text that the model got, as its chat template renders it; empty if it is not known.
        base_prompt: the text that the base model got.
        target: the answer that is correct; ``None`` if it is not known.
        cut: whether the run's answer has as many tokens as it may have; ``None`` if it is not known.
    """

    id: str
    input: str
    target: str | None
    prompt: str
    base_prompt: str
    base: str | None
    run: str | None
    cut: bool | None = None

    @property
    def is_equal(self) -> bool | None:
        """Whether run and base model gave the same answer; ``None`` if only one of them was asked."""
        if self.base is None or self.run is None:
            return None
        return self.base == self.run


@dataclass(frozen=True, kw_only=True)
class SpotCheckReport:
    """The answers.

    Attributes:
        run: the name of the run; ``epoch`` is the one that answered, ``None`` for a model that was not trained here.
        model: the absolute directory of the run's model; empty for a control run, which is the base model.
        base: that of the base model; empty if it is not known.
        base_name: its name in the plan.
        tool: the evaluation tool that asked.
        own_inputs: whether a person's own inputs were asked.
        generation: how answers were generated; ``temperature`` is missing if they are greedy.
    """

    experiment: Path
    run: str
    task: str
    tool: str
    epoch: int | None
    model: str
    base: str
    base_name: str
    rows: tuple[SpotRow, ...]
    own_inputs: bool = False
    generation: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[Problem, ...] = ()
    errors: tuple[Problem, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """``DONE``: whatever goes wrong is raised."""
        return ExitCode.DONE


def spot_check(
    directory: Path,
    run: str,
    options: SpotCheckOptions | None = None,
    *,
    on_step: Callable[[str], None] = lambda _: None,
) -> SpotCheckReport:
    """Asks a run's model and its base model a few questions, by the script and in the environment of its evaluations.

    Writes nothing in the experiment.

    Args:
        run: the name or the directory of the run.
        on_step: gets a line before each model is asked.

    Raises:
        UsageError: there is no such run, task or epoch, the evaluation tool cannot ask single questions, or the
            experiment is an archive.
        PlanError: the plan is wrong.
        ConflictError: the run's scaffolded files are not those that the plan asks for now.
        ToolError: this machine is too small, or a model could not be asked.
        TunebookError: the run's checkpoint does not exist.
    """
    experiment, options = find_experiment(directory), options or SpotCheckOptions()
    questions = _questions(options)
    refuse_archive(experiment, "spot-check")
    refuse_lost(experiment)
    loaded = load_correct(experiment)
    chosen = choose_run(loaded, run)
    task = chosen_task(loaded, chosen, options.task)
    blueprint = refuse_stale(loaded, LoopOptions(runs=(escape(chosen.name),)))
    target = choose_target(loaded, blueprint, chosen, task, options.epoch)
    with tempfile.TemporaryDirectory(prefix="tunebook-spot-", ignore_cleanup_errors=True) as folder:
        models = list(_models(target, questions, Path(folder).resolve()))
        warnings = tuple(_doubts(experiment, target, models))
        command = f"tunebook spot-check {shlex.quote(chosen.name)}"
        for model in models:
            _refuse_missing(model)
            refuse_small_machine(model.script, command=command, cpu=options.cpu)
        for model in models:
            on_step(f"asking {model.who}: {_counted(questions)}")
            model.ask(options)
    return _report(experiment, target, questions, models, warnings)


def _questions(options: SpotCheckOptions) -> Questions:
    for name, value in (("--samples", options.samples), ("--max-tokens", options.max_tokens)):
        if value is not None and value < 1:
            raise UsageError(f"{name} is {value}; it must be at least 1")
    if not options.timeout_s > 0:
        raise UsageError(f"--timeout-s is {options.timeout_s:g}; it must be above 0")
    if options.prompts and options.samples is not None:
        hint = "leave one of them out: prompts are asked instead of samples"
        raise UsageError("--samples and --prompt cannot be given together", hint=hint)
    samples = _SAMPLES if options.samples is None else options.samples
    return Questions(tuple(options.prompts), samples, options.max_tokens)


def _counted(questions: Questions) -> str:
    return counted(questions.number, "prompt" if questions.inputs else "sample")


@dataclass
class _Model:
    """One of the two models that are asked."""

    who: str
    is_base: bool
    script: SpotScript
    folder: Path
    answers: tuple[Answer, ...] = ()

    def ask(self, options: SpotCheckOptions) -> None:
        self.answers = ask_model(self.script, self.folder, who=self.who, timeout_s=options.timeout_s, cpu=options.cpu)


def _models(target: Target, questions: Questions, folder: Path) -> Iterator[_Model]:
    def model(who: str, name: str, run: Run, evaluation: Evaluation) -> _Model:
        place = folder / name
        place.mkdir()
        script = target.tool.spot_check(target.context, run, evaluation, questions, place)
        return _Model(who, name == "base", script, place)

    if target.base is not None:
        yield model(f"the base model {target.run.model}", "base", target.base_run, target.base)
    if target.own is not None:
        who = f"run `{target.run.name}`"
        if target.own.epoch is not None:
            who += f", epoch {target.own.epoch}"
        yield model(who, "run", target.run, target.own)


def _doubts(experiment: Path, target: Target, models: Sequence[_Model]) -> Iterator[Problem]:
    """Warnings about a checkpoint that is not the one of a completed training."""
    if target.run.type is not RunType.FINE_TUNED:
        return
    own = next(model for model in models if not model.is_base)
    jobs = read_manifest(experiment).jobs
    doubt = training_state(experiment, jobs, target.run, Path(own.script.model))
    if doubt:
        yield Problem(f"{doubt}; the answers are those of the checkpoint that is on the disk now")


def _refuse_missing(model: _Model) -> None:
    """Stops for a model that no training of this experiment makes."""
    for directory in (model.script.model, model.script.base):
        if directory and not Path(directory).is_dir():
            message = f"{model.who}: {directory} was not found"
            raise ToolError(message, hint="`tunebook check` lists what is missing")


def _report(
    experiment: Path, target: Target, questions: Questions, models: Sequence[_Model], warnings: Sequence[Problem]
) -> SpotCheckReport:
    base = next((model for model in models if model.is_base), None)
    own = next((model for model in models if not model.is_base), None)
    rows = tuple(_rows(base, own))
    if any(row.base is not None and row.run is not None and row.prompt != row.base_prompt for row in rows):
        message = "run and base model got different texts: their chat templates or special tokens differ"
        warnings = (*warnings, Problem(message, hint="`--show-prompt` shows both"))
    return SpotCheckReport(
        experiment=experiment,
        run=target.run.name,
        task=target.task.name,
        tool=target.tool.name,
        epoch=target.own.epoch if target.own is not None else None,
        model=own.script.model if own is not None else "",
        base=base.script.model if base is not None else "",
        base_name=target.run.model,
        rows=rows,
        own_inputs=bool(questions.inputs),
        generation=models[0].script.generation,
        warnings=tuple(warnings),
    )


def _rows(base: _Model | None, own: _Model | None) -> Iterator[SpotRow]:
    """The answers side by side.

    Raises:
        ToolError: the two models were asked other questions.
    """
    shown = own or base
    if shown is None:
        return
    by_id = {answer.id: answer for answer in base.answers} if base is not None else {}
    if base is not None and by_id.keys() != {answer.id for answer in shown.answers}:
        raise ToolError("run and base model were asked other questions: the task's samples differ between them")
    for answer in shown.answers:
        beside = by_id.get(answer.id)
        yield SpotRow(
            id=answer.id,
            input=answer.input,
            target=answer.target,
            prompt=answer.prompt,
            base_prompt=beside.prompt if beside is not None else "",
            base=beside.answer if beside is not None else None,
            run=answer.answer if own is not None else None,
            cut=answer.cut,
        )
