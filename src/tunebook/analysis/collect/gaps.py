"""Lists missing results, each with a hint on what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from tunebook.analysis.collect.collected import Collected
from tunebook.analysis.records import Gap, RunRecord
from tunebook.core.jobs import JobState
from tunebook.core.plan import RunType

__all__ = ["gaps_of"]

_HINTS = {
    JobState.PENDING: "`tunebook run` runs the jobs that are left",
    JobState.RUNNING: "it is running: analyze again when it has ended",
    JobState.FAILED: "`tunebook run --retry-failed` runs it again",
    JobState.UNKNOWN: "`tunebook status` shows what is known of it",
}
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
    for evaluation in found.evaluations:
        if not evaluation.is_done:
            state = evaluation.state
            if state is JobState.COMPLETED:
                state = JobState.PENDING  # the job ended well, but no log of it counts
            what = f"no score: {evaluation.reason or state.value}"
            yield Gap(found.shown(evaluation.key), what, _HINTS.get(state, ""))


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
