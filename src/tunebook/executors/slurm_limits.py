"""Decides whether a refusal of SLURM's means that the queue is full: by its words, and by what SLURM took before."""

from __future__ import annotations

from collections.abc import Iterable

from tunebook.disk.read import read_text
from tunebook.errors import ExecutorError, QueueFullError, RefusedError, SlurmError
from tunebook.executors.base import Batch, Submission
from tunebook.slurm.queue import read_queue
from tunebook.slurm.refusals import Refusal, kind_of_refusal

__all__ = ["Request", "SlurmLimits", "request_of"]

_MOST_ENDED = 3
"""A refusal without a reason does not mean a full queue if so many jobs have ended since, and left no room."""
_MOST_TRIES = 10
"""A limit that is reached with nothing in the queue may be one of submissions in an hour: it is waited for so long."""
_MOST_TRIES_WHEN_FULL = 120
"""The jobs of others may fill the queue of a group: with a minute between two tries that is waited for two hours."""
_OF_THE_SCRIPT = ("#SBATCH --job-name", "#SBATCH --output")

Request = tuple[str, ...]


class SlurmLimits:
    """What SLURM took and refused, by what was asked for: the ``#SBATCH`` lines of a job's script."""

    def __init__(self) -> None:
        self._taken: set[Request] = set()
        self._found: list[Submission] = []
        self._hopeless: set[Request] = set()
        self._queued_then: dict[Request, frozenset[str]] = {}
        self._tries: dict[Request, int] = {}

    def took(self, request: Request) -> None:
        """Remembers that SLURM took jobs with this request."""
        self._taken.add(request)
        self._hopeless.discard(request)
        self._queued_then.pop(request, None)
        self._tries.pop(request, None)

    def found(self, submissions: Iterable[Submission]) -> None:
        """Remembers jobs of an earlier monitor that are in the queue."""
        self._found += submissions

    def judge(self, batch: Batch, request: Request, refused: RefusedError) -> ExecutorError:
        """Returns the error to raise: the refusal, or :class:`~tunebook.errors.QueueFullError`."""
        kind = kind_of_refusal(refused.words)
        if kind is Refusal.FINAL:
            return refused
        if len(batch.members) > 1 and not batch.is_pack and request not in self._hopeless:
            return _full(refused)  # fewer jobs may fit
        if kind is not Refusal.FULL and not self._was_taken(request):
            self._hopeless.add(request)
            return refused
        return self._judge_again(request, refused, kind)

    def _was_taken(self, request: Request) -> bool:
        return request in self._taken or any(_has_request(one, request) for one in self._found)

    def _judge_again(self, request: Request, refused: RefusedError, kind: Refusal) -> ExecutorError:
        try:
            queued = frozenset(row.job_id for row in read_queue() if row.status.state.is_going)
        except SlurmError:
            return _full(refused)
        if kind is Refusal.LIMIT:
            return self._judge_limit(request, refused, queued, _MOST_TRIES)
        if kind is Refusal.FULL:
            return self._judge_limit(request, refused, queued, _MOST_TRIES_WHEN_FULL)
        return self._judge_unexplained(request, refused, queued)

    def _judge_limit(self, request: Request, refused: RefusedError, queued: frozenset[str], most: int) -> ExecutorError:
        if queued:
            self._tries.pop(request, None)
            return _full(refused)
        self._tries[request] = self._tries.get(request, 0) + 1
        if self._tries[request] < most:
            return QueueFullError(
                "the queue takes no job of yours, though it has none; a limit of your account may forbid it, or jobs "
                f"of others that count with yours; it is tried {most} times: {refused.words}"
            )
        self._hopeless.add(request)
        return RefusedError(refused.words, f"{most} times in a row, with none of your jobs in the queue")

    def _judge_unexplained(self, request: Request, refused: RefusedError, queued: frozenset[str]) -> ExecutorError:
        then = self._queued_then.setdefault(request, queued)
        ended = len(then - queued)
        if queued and ended < _MOST_ENDED:
            return QueueFullError(
                "the queue may be full: `sbatch` took the same request before, and now refuses it without a reason; "
                f"it is tried again until {_MOST_ENDED} of your jobs have ended: {refused.words}"
            )
        self._hopeless.add(request)
        return RefusedError(refused.words, f"also after {ended} of your jobs had ended")


def _full(refused: RefusedError) -> QueueFullError:
    return QueueFullError(f"the queue takes no more of your jobs now: {refused.words}")


def _has_request(one: Submission, request: Request) -> bool:
    try:
        return request_of(one) == request
    except OSError:
        return False


def request_of(one: Submission) -> Request:
    """Returns what a job's script asks for; jobs of arrays and of packs ask for the same in other headers.

    Raises:
        OSError: the script cannot be read.
    """
    text = read_text(one.experiment / one.job.script) or ""
    lines = [line.strip() for line in text.splitlines() if line.startswith("#SBATCH")]
    return tuple(line for line in lines if not line.startswith(_OF_THE_SCRIPT))
