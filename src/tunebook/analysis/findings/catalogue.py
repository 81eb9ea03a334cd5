"""All findings about one measure of one task, and about training, in the order in which a report shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tunebook.analysis.findings.factors import state_balance, state_effects
from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.findings.runs import state_base, state_best, state_costs, state_epochs, state_samples
from tunebook.analysis.findings.seeds import state_seeds
from tunebook.analysis.formatting import plural, shortened
from tunebook.analysis.records import RunRecord, Training
from tunebook.analysis.statistics.measure_results import MeasureResults

__all__ = ["state_cautions", "state_findings", "state_training"]

_FEW_SAMPLES = 30


def state_cautions(results: MeasureResults) -> Iterator[Finding]:
    """The cautions that apply to one measure of one task."""
    for caution in (_few_samples, _single_seed, _different_epochs, _unpaired_samples, _too_easy):
        text = caution(results)
        if text:
            yield Finding("caution", text)


def _few_samples(results: MeasureResults) -> str:
    fewest = min((score.n for score in results.table.finals.values()), default=0)
    if not 0 < fewest < _FEW_SAMPLES:
        return ""
    return f"{results.table.task} has {plural(fewest, 'sample')}: only large differences can be detected."


def _single_seed(results: MeasureResults) -> str:
    if len(results.table.tuned) < 2 or results.replicates:  # noqa: PLR2004  nothing to compare
        return ""
    return (
        "Each setting was trained once, with one seed: a difference between two settings may be due to chance in "
        "training. Only several seeds per setting can show it."
    )


def _different_epochs(results: MeasureResults) -> str:
    table = results.table
    epochs = {key.epoch for key in table.tuned_keys}
    if len(epochs) < 2 or any(factor.key == "epochs" for factor in results.factors):  # noqa: PLR2004  all alike
        return ""
    return (
        f"Runs differ in their last evaluated epoch on {table.task}, from epoch {min(epochs)} to epoch {max(epochs)}; "
        "each is compared after its own."
    )


def _unpaired_samples(results: MeasureResults) -> str:
    unpaired = [item.unpaired for item in results.comparisons if item.unpaired]
    if not unpaired:
        return ""
    return (
        f"{plural(len(unpaired), 'comparison')} on {results.table.task} left out samples that only one of the two runs "
        f"has, up to {plural(max(unpaired), 'sample')}."
    )


def _too_easy(results: MeasureResults) -> str:
    measure = results.table.measure
    if not measure.has_direction:
        return ""  # 1 need not mean right
    right = max((0.0, 1.0), key=measure.goodness)
    perfect = 0
    for run in results.table.tuned:
        score = results.table.finals[run.name]
        perfect += score.is_binary and score.value == right
    if perfect < 2:  # noqa: PLR2004  a single run is the best
        return ""
    task = f"{results.table.task} ({measure.name})"
    return f"{perfect} runs answered every sample of {task} correctly: the task is too easy to rank them."


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
    return [*findings, *_torn_logs(runs)]


def _torn_logs(runs: Sequence[RunRecord]) -> Iterator[Finding]:
    """A caution about trainings whose log cannot be read in full; the last line of a log may still be written."""
    torn = []
    for run in runs:
        training = run.training
        if training is None or not training.is_done:
            continue
        if training.unreadable_lines:
            torn.append(f"{run.directory} ({plural(training.unreadable_lines, 'line')})")
    if torn:
        text = f"The training log cannot be read in full in {shortened(torn)}: the curve may lack steps."
        yield Finding("caution", text)


def _has_risen(training: Training) -> bool:
    best, final = training.best_validation_loss, training.final_validation_loss
    return best is not None and final is not None and final > _RISE * best


def _range(values: Sequence[float]) -> str:
    ends = dict.fromkeys(f"{value:.3g}" for value in (min(values), max(values)))
    return "–".join(ends)


_PARTS = (
    state_base,
    state_best,
    state_effects,
    state_seeds,
    state_epochs,
    state_costs,
    state_samples,
    state_balance,
    state_cautions,
)


def state_findings(results: MeasureResults) -> Iterator[Finding]:
    """The findings with their task, the comparison with the base model first."""
    for part in _PARTS:
        for finding in part(results):
            yield replace(finding, task=results.table.task)
