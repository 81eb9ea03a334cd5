"""Findings about training: the fall of the losses, and validation losses that rose again."""

from __future__ import annotations

from collections.abc import Sequence

from tunebook.analysis.findings.finding import Finding, shortened
from tunebook.analysis.formatting import plural
from tunebook.analysis.records import RunRecord, Training

__all__ = ["state_training"]

_RISE = 1.02  # times the lowest validation loss


def state_training(runs: Sequence[RunRecord]) -> list[Finding]:
    """How far the training losses fell, and which validation losses rose again; of trainings that have ended."""
    falls, risen = [], []
    for run in runs:
        training = run.training
        if training is None or not training.is_done:
            continue
        if training.first_loss is not None and training.tail_loss is not None:
            falls.append((training.first_loss, training.tail_loss))
        if _has_risen(training):
            risen.append(run.directory)
    findings = []
    if falls:
        firsts, lasts = zip(*falls, strict=True)
        fell = sum(last < first for first, last in falls)
        text = (
            f"The training loss fell in {fell} of {plural(len(falls), 'training')}, from {_range(firsts)} at the "
            f"first step to a mean of {_range(lasts)} over the last tenth of the steps."
        )
        findings.append(Finding("training", text))
    if risen:
        text = (
            f"The validation loss ended more than 2 % above its lowest value in {shortened(risen)}: the later steps "
            "did not help."
        )
        findings.append(Finding("training", text))
    return findings


def _has_risen(training: Training) -> bool:
    best, final = training.best_validation_loss, training.final_validation_loss
    return best is not None and final is not None and final > _RISE * best


def _range(values: Sequence[float]) -> str:
    ends = dict.fromkeys(f"{value:.3g}" for value in (min(values), max(values)))
    return "–".join(ends)
