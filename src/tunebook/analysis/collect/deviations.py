"""Lists what differs from the plan: retries, edited files and settings, logs and samples that do not fit."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping

from tunebook.analysis.collect.collected import Collected
from tunebook.analysis.collect.gaps import shown_evaluation
from tunebook.analysis.collect.source import Source
from tunebook.analysis.records import Deviation, EvaluationKey, EvaluationRecord, RunRecord
from tunebook.core.jobs import Stage
from tunebook.core.plan import RunType
from tunebook.disk.atomic import read_text
from tunebook.disk.deviations import Deviation as SettingsChange
from tunebook.disk.deviations import read_deviation
from tunebook.disk.inputs import inputs_digest
from tunebook.disk.manifest import read_manifest

__all__ = ["deviations_of"]

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
    directories = {run.name: run.directory for run in found.runs}
    deviations: list[Deviation] = []
    for run in found.runs:
        deviations += _training_deviations(run)
    deviations += _edited_files(source)
    for run in found.runs:
        deviations += _changed_settings(source, run)
    for evaluation in found.evaluations:
        deviations += _evaluation_deviations(evaluation, shown_evaluation(evaluation, directories))
    for log in found.strays:
        deviations.append(Deviation("log", log.path, "it belongs to no planned evaluation and does not count"))
    deviations += _other_samples(found, directories)
    deviations += _other_targets(found, directories)
    deviations += _other_prompts(found, directories)
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
    """Generated files that are not as they were generated."""
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
            try:
                return read_deviation(source.experiment / job.directory, inputs_digest(source.experiment, job))
            except OSError:
                return None
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
        if score.answers < evaluation.samples:
            missing = f"{evaluation.samples - score.answers} of {evaluation.samples} samples"
            yield Deviation("samples", subject, f"{missing} have no usable value of {score.measure}")
        elif score.logged is not None and score.value is not None and abs(score.logged - score.value) > _TOLERANCE:
            logged = f"{score.measure} {score.logged_metric} {score.logged:.6g}"
            yield Deviation("score", subject, f"its log says {logged}, its samples say {score.value:.6g}")


def _other_samples(found: Collected, directories: Mapping[str, str]) -> Iterator[Deviation]:
    """Evaluations whose samples are not those that most evaluations of the task have."""
    for task in found.tasks:
        by_ids: dict[frozenset[str], list[EvaluationRecord]] = {}
        for evaluation in _sampled(found, task.name):
            ids = frozenset(found.samples[evaluation.key].ids)
            by_ids.setdefault(ids, []).append(evaluation)
        usual = max(by_ids, key=lambda ids: len(by_ids[ids]), default=frozenset())
        for ids, evaluations in by_ids.items():
            if ids == usual:
                continue
            what = f"it has {len(ids)} samples, {len(ids & usual)} of them shared with most other runs"
            for evaluation in evaluations:
                yield Deviation("samples", shown_evaluation(evaluation, directories), what)


def _other_targets(found: Collected, directories: Mapping[str, str]) -> Iterator[Deviation]:
    """Evaluations whose samples have other targets than in most runs: their ids are those of other data."""
    for task in found.tasks:
        targets: dict[EvaluationKey, dict[str, str]] = {}
        counts: dict[str, Counter[str]] = {}
        evaluations = _sampled(found, task.name)
        for evaluation in evaluations:
            own = found.samples[evaluation.key]
            targets[evaluation.key] = dict(zip(own.ids, own.targets, strict=True))
            for sample, target in targets[evaluation.key].items():
                counts.setdefault(sample, Counter())[target] += 1
        usual = {sample: count.most_common(1)[0][0] for sample, count in counts.items()}
        for evaluation in evaluations:
            differing = _count_differing(targets[evaluation.key], usual)
            if differing:
                samples = f"{differing} of {len(targets[evaluation.key])} samples"
                what = f"its targets differ from most other runs' in {samples}: they are not compared"
                yield Deviation("samples", shown_evaluation(evaluation, directories), what)


def _other_prompts(found: Collected, directories: Mapping[str, str]) -> Iterator[Deviation]:
    """Runs whose prompts are not those of their base model."""
    prompts = {key: dict(zip(own.ids, own.prompts, strict=True)) for key, own in found.samples.items()}
    last_key = {(key.run, key.task): key for key in prompts}
    bases = {run.name: run.base for run in found.runs}
    for evaluation in found.evaluations:
        key = evaluation.key
        base = last_key.get((bases.get(key.run) or "", key.task))
        if key not in prompts or base is None:
            continue
        differing = _count_differing(prompts[key], prompts[base])
        if differing:
            shared = len(prompts[key].keys() & prompts[base].keys())
            what = f"its prompts differ from its base model's in {differing} of {shared} samples"
            yield Deviation("prompt", shown_evaluation(evaluation, directories), what)


def _sampled(found: Collected, task: str) -> list[EvaluationRecord]:
    """A task's evaluations that have a log that counts."""
    return [item for item in found.evaluations if item.key.task == task and item.key in found.samples]


def _count_differing(own: Mapping[str, str], usual: Mapping[str, str]) -> int:
    """How many of the samples that both have differ."""
    return sum(1 for sample, text in own.items() if sample in usual and text != usual[sample])
