"""What is missing, and what went otherwise than the page says."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from tunebook.analysis.collect import Collected, Source
from tunebook.analysis.reading import read_readable
from tunebook.analysis.records import Deviation, EvaluationRecord, Gap, RunRecord
from tunebook.core.jobs import JobState, Stage
from tunebook.core.plan import RunType
from tunebook.disk.atomic import read_text
from tunebook.disk.deviations import Deviation as SettingsChange
from tunebook.disk.deviations import read_deviation
from tunebook.disk.inputs import inputs_digest
from tunebook.disk.manifest import read_manifest
from tunebook.tools.torchtune.files import SETUP

__all__ = ["deviations_of", "gaps_of", "shown_evaluation"]

_HINTS = {
    JobState.PENDING: "`tunebook run` runs what is not done",
    JobState.RUNNING: "it is running: analyze again when it has ended",
    JobState.FAILED: "`tunebook run --retry-failed` runs it again",
    JobState.UNKNOWN: "`tunebook status` says what is known of it",
}
_COMPARED = (
    "lr",
    "lora_rank",
    "lora_alpha",
    "lora_dropout",
    "epochs",
    "seed",
    "batch_size",
    "gradient_accumulation_steps",
    "weight_decay",
    "num_warmup_steps",
    "max_seq_len",
    "system_prompt",
    "prompt",
)
_TOLERANCE = 1e-6


def shown_evaluation(evaluation: EvaluationRecord, directories: Mapping[str, str]) -> str:
    """``rank8_lr1e-5, capitalization, epoch 0``."""
    key = evaluation.key
    epoch = f", epoch {key.epoch}" if key.epoch >= 0 else ""
    return f"{directories.get(key.run, key.run)}, {key.task}{epoch}"


def gaps_of(found: Collected) -> tuple[Gap, ...]:
    """What was planned and is not there, each with what to do about it."""
    directories = {run.name: run.directory for run in found.runs}
    gaps = [gap for run in found.runs for gap in _training_gaps(run)]
    for evaluation in found.evaluations:
        if not evaluation.is_done:
            state = JobState.PENDING if evaluation.state is JobState.COMPLETED else evaluation.state
            why = evaluation.reason or state.value
            gaps.append(Gap(shown_evaluation(evaluation, directories), f"no score: {why}", _HINTS.get(state, "")))
    open_ones = {directories[item.key.run] for item in found.evaluations if not item.is_done}
    for log in found.unreadable:
        hint, is_wanted = "run its evaluation again", PurePosixPath(log.path).parts[0] in open_ones
        why = f"the log cannot be read: {log.why}"
        gaps.append(Gap(log.path, why, hint if is_wanted else "", planned=is_wanted))
    controls = {run.model for run in found.runs if run.type is RunType.CONTROL}
    for model in dict.fromkeys(run.model for run in found.runs if run.type is RunType.FINE_TUNED):
        if model not in controls:
            hint = "add a `Control` row for it to the runs table"
            what = "no control run: nothing says what the model scored before it was trained"
            gaps.append(Gap(model, what, hint, planned=False))
    return tuple(gaps)


def _training_gaps(run: RunRecord) -> Iterator[Gap]:
    training = run.training
    if training is None:
        return
    if training.state in {JobState.PENDING, JobState.RUNNING, JobState.FAILED}:
        why = training.state.value + (f": {training.reason}" if training.reason else "")
        yield Gap(run.directory, f"its training is {why}", _HINTS[training.state])
    elif not training.curve.steps:
        yield Gap(run.directory, "no curve of its training was found", "")
    elif training.total_steps and training.curve.steps[-1] + _stride(run) <= training.total_steps:
        done = f"{training.curve.steps[-1]} of {training.total_steps}"
        yield Gap(run.directory, f"its curve has {done} steps", "")


def _stride(run: RunRecord) -> int:
    """How many steps lie between two that are logged: what is left after the last one is none that is missing."""
    every = run.parameters.get("log_every_n_steps")
    return every if isinstance(every, int) and every > 0 else 1


def deviations_of(source: Source, found: Collected) -> tuple[Deviation, ...]:
    """Retries, edited files and settings, logs that do not count, scores and samples that do not fit."""
    directories = {run.name: run.directory for run in found.runs}
    deviations = [item for run in found.runs for item in _training_deviations(run)]
    deviations += _edited(source)
    changes = {run.name: _own_change(source, run) for run in found.runs}
    deviations += [item for run in found.runs for item in _changed_settings(source, run, changes[run.name])]
    for evaluation in found.evaluations:
        deviations += _evaluation_deviations(evaluation, shown_evaluation(evaluation, directories))
    deviations += [Deviation("log", log.path, "of no planned evaluation: it does not count") for log in found.strays]
    return (
        *deviations,
        *_sample_counts(found, directories),
        *_targets(found, directories),
        *_prompts(found, directories),
    )


def _training_deviations(run: RunRecord) -> Iterator[Deviation]:
    training = run.training
    if training is None:
        return
    if training.attempts > 1:
        yield Deviation("retry", run.directory, f"its training was submitted {training.attempts} times")
    if training.diverged_steps:
        count = training.diverged_steps
        yield Deviation("diverged", run.directory, f"its loss was no finite number in {count} logged steps")


def _edited(source: Source) -> Iterator[Deviation]:
    """Generated files that are not as they were generated."""
    for path, digests in sorted(read_manifest(source.experiment).generated.items()):
        text = read_text(source.experiment / path)
        if text is None:
            yield Deviation("edited", path, "it was removed after it was scaffolded")
        elif hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest() not in digests:
            yield Deviation("edited", path, "it was edited after it was scaffolded")


def _own_change(source: Source, run: RunRecord) -> SettingsChange | None:
    """What tunebook itself changed of a run's settings, if that holds for the files as they are."""
    job = next(
        (item.job for item in source.jobs if item.job.run == run.name and item.job.stage is Stage.PREPARATION), None
    )
    if job is None:
        return None
    try:
        return read_deviation(source.experiment / job.directory, inputs_digest(source.experiment, job))
    except OSError:
        return None


def _changed_settings(source: Source, run: RunRecord, change: SettingsChange | None) -> Iterator[Deviation]:
    """Settings in a run's own file that are not the page's, with the reason where tunebook itself changed them."""
    if run.type is not RunType.FINE_TUNED:
        return
    setup = _yaml(source.experiment / run.directory / SETUP)
    setup = {("lr" if key == "learning_rate" else key): value for key, value in setup.items()}
    for key in _COMPARED:
        planned = run.parameters.get(key)
        if key in setup and planned is not None and not _same(setup[key], planned):
            what = f"{SETUP} says {key}: {_shown(setup[key])}, the page says {_shown(planned)}"
            if change is not None and _same(setup[key], change.used.get(key, "")):
                what += f" (changed by `tunebook run`: {change.reason})"
            yield Deviation("setting", run.directory, what)


def _yaml(path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(read_readable(path) or "", Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (yaml.YAMLError, OSError):
        return {}
    return document if isinstance(document, dict) else {}


def _same(one: Any, other: Any) -> bool:
    if one is None:
        return other in {"", None}
    try:
        return abs(float(one) - float(other)) <= _TOLERANCE * abs(float(other))
    except (TypeError, ValueError):
        return str(one) == str(other)


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "…"  # noqa: PLR2004  a prompt may be long


def _evaluation_deviations(evaluation: EvaluationRecord, subject: str) -> Iterator[Deviation]:
    if evaluation.attempts > 1:
        yield Deviation("retry", subject, f"it was submitted {evaluation.attempts} times")
    for other in evaluation.others:
        yield Deviation("log", subject, f"{other.path} does not count: {other.why}")
    for score in evaluation.scores:
        if score.answers < evaluation.samples:
            missing = f"{evaluation.samples - score.answers} of {evaluation.samples} samples"
            what = f"{missing} have no usable value of {score.measure}"
            yield Deviation("samples", subject, what)
        elif score.logged is not None and score.value is not None and abs(score.logged - score.value) > _TOLERANCE:
            logged = f"{score.measure} {score.logged_metric} {score.logged:.6g}"
            what = f"its log says {logged}, its samples say {score.value:.6g}"
            yield Deviation("score", subject, what)


def _sample_counts(found: Collected, directories: Mapping[str, str]) -> Iterator[Deviation]:
    """Evaluations of a task with other samples than most of them have."""
    for task in found.tasks:
        sets: dict[frozenset[str], list[EvaluationRecord]] = {}
        for evaluation in found.evaluations:
            if evaluation.key.task == task.name and evaluation.key in found.samples:
                sets.setdefault(frozenset(found.samples[evaluation.key].ids), []).append(evaluation)
        most = max(sets, key=lambda ids: len(sets[ids]), default=frozenset())
        for ids, evaluations in sets.items():
            if ids != most:
                for evaluation in evaluations:
                    what = f"it has {len(ids)} samples, {len(ids & most)} of them shared with most other runs"
                    yield Deviation("samples", shown_evaluation(evaluation, directories), what)


def _targets(found: Collected, directories: Mapping[str, str]) -> Iterator[Deviation]:
    """Evaluations whose samples have other targets than most runs have for the same ids: other data, or none alike."""
    for task in found.tasks:
        wanted = {key: dict(zip(own.ids, own.targets, strict=True)) for key, own in found.samples.items()}
        mine = [item for item in found.evaluations if item.key.task == task.name and item.key in wanted]
        counts: dict[str, Counter[str]] = {}
        for evaluation in mine:
            for sample, target in wanted[evaluation.key].items():
                counts.setdefault(sample, Counter())[target] += 1
        usual = {sample: count.most_common(1)[0][0] for sample, count in counts.items()}
        for evaluation in mine:
            own = wanted[evaluation.key]
            other = sum(1 for sample, target in own.items() if target != usual[sample])
            if other:
                what = (
                    f"its targets differ from most other runs' in {other} of {len(own)} samples: they are not compared"
                )
                yield Deviation("samples", shown_evaluation(evaluation, directories), what)


def _prompts(found: Collected, directories: Mapping[str, str]) -> Iterator[Deviation]:
    """Runs that were asked in other words than their base model."""
    bases = {run.name: run.base for run in found.runs}
    asked = {key: dict(zip(own.ids, own.prompts, strict=True)) for key, own in found.samples.items()}
    by_run = {(key.run, key.task): key for key in asked}
    for evaluation in found.evaluations:
        key = evaluation.key
        base = by_run.get((bases.get(key.run) or "", key.task))
        if key in asked and base is not None:
            shared = asked[key].keys() & asked[base].keys()
            other = sum(1 for sample in shared if asked[key][sample] != asked[base][sample])
            if other:
                what = f"its prompts differ from its base model's in {other} of {len(shared)} samples"
                yield Deviation("prompt", shown_evaluation(evaluation, directories), what)
