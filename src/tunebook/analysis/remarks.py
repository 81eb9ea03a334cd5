"""Sentences about samples, about what to be careful with, and about the curves. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tunebook.analysis.comparing import common_samples
from tunebook.analysis.evidence import Evidence
from tunebook.analysis.formatting import plural
from tunebook.analysis.records import RunRecord
from tunebook.analysis.values import Finding
from tunebook.core.job import JobState
from tunebook.core.plan import RunType

__all__ = ["cautions", "sample_findings", "training_findings"]

_FEW_RUNS = 4
_FEW_SAMPLES = 30
_TURNED = 1.02  # times the lowest validation loss


def sample_findings(evidence: Evidence) -> Iterator[Finding]:
    """How many samples every run got wrong, and how many fine-tuning fixed and broke."""
    finals = list(evidence.finals().values())
    if len(finals) < 2 or not all(score.is_binary for score in finals):  # noqa: PLR2004  one run is not every run
        return
    values = {score.evaluation.run: evidence.table.values(score.evaluation) for score in finals}
    every = common_samples(evidence.table, [score.evaluation for score in finals])
    wrong = [sample for sample in every if not any(own[sample] for own in values.values())]
    text = f"Every run got {len(wrong)} of {len(every)} samples of {evidence.table.task} wrong"
    if not every:
        text = f"No sample of {evidence.table.task} was answered by every run"
    changed = _changed(evidence, values)
    if changed is not None:
        text += f"; fine-tuning fixed {changed[0]} in at least one run, and broke {changed[1]} in at least one"
    yield Finding("samples", text + ".")


def _changed(evidence: Evidence, values: Mapping[str, Mapping[str, float]]) -> tuple[int, int] | None:
    """How many samples at least one run fixed, and how many at least one broke; ``None`` without a base model."""
    fixed: set[str] = set()
    broken: set[str] = set()
    finals = evidence.finals()
    pairs = [
        (values[run.name], values[run.base], (finals[run.name].evaluation, finals[run.base].evaluation))
        for run in evidence.runs
        if run.base and run.name in values and run.base in values
    ]
    for ours, base, keys in pairs:
        shared = common_samples(evidence.table, keys)
        fixed |= {sample for sample in shared if ours[sample] > base[sample]}
        broken |= {sample for sample in shared if ours[sample] < base[sample]}
    return (len(fixed), len(broken)) if pairs else None


def cautions(evidence: Evidence) -> Iterator[Finding]:
    """What keeps the numbers from saying more."""
    finals = evidence.finals()
    tuned = [run for run in evidence.runs if run.type is RunType.FINE_TUNED and run.name in finals]
    few = min((finals[run].n for run in finals), default=0)
    if few and few < _FEW_SAMPLES:
        text = f"{evidence.table.task} has {plural(few, 'sample')}: only large differences can be shown."
        yield Finding("caution", text)
    if len(tuned) > 1 and not evidence.replicates:
        text = (
            "Each setting was trained once, with one seed: a difference between two settings may be one between two "
            "trainings. Only several seeds can tell."
        )
        yield Finding("caution", text)
    epochs = {finals[run.name].evaluation.epoch for run in tuned}
    if len(epochs) > 1 and not any(factor.key == "epochs" for factor in evidence.factors):
        shown = f"from epoch {min(epochs)} to epoch {max(epochs)}"
        text = f"Not all runs are evaluated on {evidence.table.task} as far: each is compared after its last evaluated"
        yield Finding("caution", f"{text} epoch, {shown}.")
    unpaired = [item for item in evidence.comparisons if item.unpaired]
    if unpaired:
        count = max(item.unpaired for item in unpaired)
        text = (
            f"{plural(len(unpaired), 'comparison')} on {evidence.table.task} left out up to {plural(count, 'sample')} "
        )
        yield Finding("caution", text + "that only one side has.")
    top = [run for run in tuned if finals[run.name].is_binary and finals[run.name].value == 1]
    if len(top) > 1:
        text = f"{len(top)} runs got every sample of {evidence.table.task} right: the task is too easy to rank them."
        yield Finding("caution", text)


def training_findings(runs: Sequence[RunRecord]) -> tuple[Finding, ...]:
    """What the curves say: how far losses fell, and where validation turned."""
    ended = {JobState.COMPLETED, JobState.UNKNOWN}
    trained = [(run, run.training) for run in runs if run.training is not None]
    trainings = [(run, training) for run, training in trained if training.steps and training.state in ended]
    falls = [
        (training.first_loss, training.tail_loss)
        for _, training in trainings
        if training.first_loss is not None and training.tail_loss is not None
    ]
    found = []
    if falls:
        fell = sum(1 for first, last in falls if last < first)
        firsts, lasts = [first for first, _ in falls], [last for _, last in falls]
        text = f"The training loss fell in {fell} of {plural(len(falls), 'training')}: from "
        text += f"{_range(firsts)} at the first step to {_range(lasts)} over the last tenth of the steps."
        found.append(Finding("training", text))
    turned = [
        run.directory
        for run, training in trainings
        if training.best_validation_loss is not None
        and training.final_validation_loss is not None
        and training.final_validation_loss > _TURNED * training.best_validation_loss
    ]
    if turned:
        names = ", ".join(turned[:_FEW_RUNS]) + (
            f" and {len(turned) - _FEW_RUNS} more" if len(turned) > _FEW_RUNS else ""
        )
        text = f"The validation loss ended more than 2 % above its lowest value in {names}: later steps did not help."
        found.append(Finding("training", text))
    return tuple(found)


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.3g}" if f"{low:.3g}" == f"{high:.3g}" else f"{low:.3g}–{high:.3g}"
