"""Lists missing results and deviations from the plan: retries, edited files and settings, logs that do not fit."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from tunebook.analysis.collect.source import Collected, Source
from tunebook.analysis.records import Deviation, EvaluationKey, EvaluationRecord, Gap, RunRecord
from tunebook.core.jobs import JobState, Stage
from tunebook.core.plan import RunType
from tunebook.disk.deviations import Deviation as SettingsChange
from tunebook.disk.deviations import read_deviation
from tunebook.disk.inputs import texts_digest
from tunebook.disk.manifest import read_manifest
from tunebook.disk.read import read_text

__all__ = ["deviations_of", "gaps_of"]

_HINTS = {
    JobState.PENDING: "`tunebook run` runs the jobs that are left",
    JobState.RUNNING: "it is running: analyze again when it has ended",
    JobState.FAILED: "`tunebook run --retry-failed` runs it again",
    JobState.UNKNOWN: "`tunebook status` shows what is known of it",
}
_AFTER_FAILURE = "its training failed: `tunebook run --retry-failed` runs both again"
_UNFINISHED = frozenset({JobState.PENDING, JobState.RUNNING, JobState.FAILED})


def gaps_of(found: Collected) -> tuple[Gap, ...]:
    """Lists missing trainings, scores, readable logs and control runs."""
    gaps: list[Gap] = []
    for run in found.runs:
        gaps += _training_gaps(run)
    return (*gaps, *_missing_scores(found), *_unreadable_logs(found), *_missing_controls(found))


def _training_gaps(run: RunRecord) -> Iterator[Gap]:
    training = run.training
    if training is None:
        return
    if training.state in _UNFINISHED:
        what = "its training failed"
        if training.state is not JobState.FAILED:
            what = f"its training is {training.state.value}"
        if training.reason:
            what += f": {training.reason}"
        yield Gap(run.directory, what, _HINTS[training.state])
    elif not training.curve.steps:
        yield Gap(run.directory, "no curve of its training was found")
    elif training.total_steps:
        # The last logged step may lie up to one logging interval before the end.
        last_step = training.curve.steps[-1]
        if last_step + _logging_interval(run) <= training.total_steps:
            yield Gap(run.directory, f"its curve has {last_step} of {training.total_steps} steps")


def _logging_interval(run: RunRecord) -> int:
    every = run.parameters.get("log_every_n_steps")
    return every if isinstance(every, int) and every > 0 else 1


def _missing_scores(found: Collected) -> Iterator[Gap]:
    untrained = {run.name for run in found.runs if run.training and run.training.state is JobState.FAILED}
    for evaluation in found.evaluations:
        if not evaluation.is_done:
            state = evaluation.state
            if state is JobState.COMPLETED:
                state = JobState.PENDING  # the job ended well, but no log of it counts
            what = f"no score: {evaluation.reason or state.value}"
            hint = _HINTS.get(state, "")
            if state is JobState.PENDING and evaluation.key.run in untrained:
                hint = _AFTER_FAILURE
            yield Gap(found.shown(evaluation.key), what, hint)


def _unreadable_logs(found: Collected) -> Iterator[Gap]:
    """A torn log leaves something unfinished only where the run has an evaluation without a log that counts."""
    unfinished = {found.directories[each.key.run] for each in found.evaluations if not each.is_done}
    for log in found.unreadable:
        is_needed = PurePosixPath(log.path).parts[0] in unfinished
        hint = "run its evaluation again" if is_needed else ""
        yield Gap(log.path, f"the log cannot be read: {log.why}", hint, planned=is_needed)


def _missing_controls(found: Collected) -> Iterator[Gap]:
    models: dict[RunType, dict[str, None]] = {kind: {} for kind in RunType}
    for run in found.runs:
        models[run.type][run.model] = None
    for model in models[RunType.FINE_TUNED]:
        if model not in models[RunType.CONTROL]:
            what = "no control run: the score of the model before training is unknown"
            hint = "add a row of type `Control` for this model to the runs table"
            yield Gap(model, what, hint, planned=False)


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
_LONGEST_VALUE = 80  # a prompt may be long


def deviations_of(source: Source, found: Collected) -> tuple[Deviation, ...]:
    """Lists the deviations of trainings, files, settings, evaluations, logs and samples, in this order."""
    deviations: list[Deviation] = []
    for run in found.runs:
        deviations += _training_deviations(run)
    deviations += _edited_files(source)
    for run in found.runs:
        deviations += _changed_settings(source, run)
    for evaluation in found.evaluations:
        deviations += _evaluation_deviations(evaluation, found.shown(evaluation.key))
    for log in found.strays:
        deviations.append(Deviation("log", log.path, "it belongs to no planned evaluation and does not count"))
    deviations += _other_samples(found)
    deviations += _other_targets(found)
    deviations += _other_prompts(found)
    return tuple(deviations)


def _training_deviations(run: RunRecord) -> Iterator[Deviation]:
    training = run.training
    if training is None:
        return
    if training.attempts > 1:
        yield Deviation("retry", run.directory, f"its training was submitted {training.attempts} times")
    if training.diverged_steps:
        what = f"its loss was not a finite number in {training.diverged_steps} logged steps"
        yield Deviation("diverged", run.directory, what)


def _edited_files(source: Source) -> Iterator[Deviation]:
    """Generated files that were edited or removed."""
    for path, digests in sorted(read_manifest(source.experiment).generated.items()):
        text = read_text(source.experiment / path)
        if text is None:
            yield Deviation("edited", path, "it was removed after it was scaffolded")
        elif hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest() not in digests:
            yield Deviation("edited", path, "it was edited after it was scaffolded")


def _changed_settings(source: Source, run: RunRecord) -> Iterator[Deviation]:
    """Settings in a run's own configuration that differ from the plan, with the reason where tunebook changed them."""
    if run.type is not RunType.FINE_TUNED:
        return
    used = source.training_results.read_settings(source.experiment / run.directory)
    change = _own_change(source, run)
    for key in _COMPARED:
        planned = run.parameters.get(key)
        if key not in used.values or planned is None or _is_same(used.values[key], planned):
            continue
        value = used.values[key]
        what = f"{used.file} says {key}: {_shown(value)}, the plan says {_shown(planned)}"
        if change is not None and _is_same(value, change.used.get(key, "")):
            what += f" (changed by `tunebook run`: {change.reason})"
        yield Deviation("setting", run.directory, what)


def _own_change(source: Source, run: RunRecord) -> SettingsChange | None:
    """The settings of a run that tunebook itself changed, if that applies to the files as they are."""
    for facts in source.jobs:
        job = facts.job
        if job.run == run.name and job.stage is Stage.PREPARATION:
            return read_deviation(source.experiment / job.directory, texts_digest(source.experiment, job))
    return None


def _is_same(used: object, planned: object) -> bool:
    if used is None:
        return planned in {"", None}
    try:
        one, other = float(str(used)), float(str(planned))
    except ValueError:
        return str(used) == str(planned)
    return abs(one - other) <= _TOLERANCE * abs(other)


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "…"


def _evaluation_deviations(evaluation: EvaluationRecord, subject: str) -> Iterator[Deviation]:
    if evaluation.attempts > 1:
        yield Deviation("retry", subject, f"it was submitted {evaluation.attempts} times")
    for other in evaluation.others:
        yield Deviation("log", subject, f"{other.path} does not count: {other.why}")
    for score in evaluation.scores:
        if score.missing:
            missing = f"{score.missing} of {score.missing + score.answers} samples"
            yield Deviation("samples", subject, f"{missing} have no usable value of {score.measure}")
        if score.logged_note:
            logged = f"the log's {score.logged_metric} of {score.measure} is {score.logged:.6g}"
            yield Deviation("score", subject, f"{logged}: {score.logged_note}")


def _other_samples(found: Collected) -> Iterator[Deviation]:
    """Evaluations that have other samples than most evaluations of the task."""
    for task in found.tasks:
        by_ids: dict[frozenset[str], list[EvaluationKey]] = {}
        for key in _sampled(found, task.name):
            by_ids.setdefault(frozenset(found.samples[key].ids), []).append(key)
        usual = max(by_ids, key=lambda ids: len(by_ids[ids]), default=frozenset())
        for ids, keys in by_ids.items():
            if ids != usual:
                what = f"it has {len(ids)} samples, {len(ids & usual)} of them shared with most other runs"
                for key in keys:
                    yield Deviation("samples", found.shown(key), what)


def _other_targets(found: Collected) -> Iterator[Deviation]:
    """Evaluations whose samples have other targets than in most runs: their ids are those of other data."""
    for task in found.tasks:
        counts: dict[str, Counter[str]] = {}
        targets: dict[EvaluationKey, dict[str, str]] = {}
        for key in _sampled(found, task.name):
            samples = found.samples[key]
            targets[key] = dict(zip(samples.ids, samples.targets, strict=True))
            for sample, target in targets[key].items():
                counts.setdefault(sample, Counter())[target] += 1
        usual = {sample: count.most_common(1)[0][0] for sample, count in counts.items()}
        for key, own in targets.items():
            differing = _count_differing(own, usual)
            if differing:
                what = f"its targets differ from most other runs' in {differing} of {len(own)} samples"
                yield Deviation("samples", found.shown(key), f"{what}: they are not compared")


def _other_prompts(found: Collected) -> Iterator[Deviation]:
    """Evaluations that have other prompts than that of their base model."""
    last_key = {(key.run, key.task): key for key in found.samples}
    bases = {run.name: run.base or "" for run in found.runs}
    for evaluation in found.evaluations:
        key = evaluation.key
        base = last_key.get((bases[key.run], key.task))
        if key not in found.samples or base is None:
            continue
        own = dict(zip(found.samples[key].ids, found.samples[key].prompts, strict=True))
        prompts = dict(zip(found.samples[base].ids, found.samples[base].prompts, strict=True))
        differing = _count_differing(own, prompts)
        if differing:
            shared = len(own.keys() & prompts.keys())
            what = f"its prompts differ from its base model's in {differing} of {shared} samples"
            yield Deviation("prompt", found.shown(key), what)


def _sampled(found: Collected, task: str) -> Iterator[EvaluationKey]:
    """A task's evaluations that have a log that counts."""
    for evaluation in found.evaluations:
        if evaluation.key.task == task and evaluation.key in found.samples:
            yield evaluation.key


def _count_differing(own: Mapping[str, str], usual: Mapping[str, str]) -> int:
    """How many of the samples that both have differ."""
    return sum(1 for sample, text in own.items() if sample in usual and text != usual[sample])
