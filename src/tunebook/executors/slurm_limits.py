"""Decides whether a refusal of SLURM's means that the queue is full: by its words, and by what SLURM took before."""

from __future__ import annotations

from collections.abc import Iterable

from tunebook.disk.read import read_text
from tunebook.errors import ExecutorError, QueueFullError, RefusedError, SlurmError
from tunebook.executors.base import Batch, Submission
from tunebook.slurm.queue import read_queue
from tunebook.slurm.refusals import Refusal, kind_of_refusal

__all__ = ["SlurmLimits"]

_MOST_ENDED = 3
"""A refusal without a reason is no full queue if so many jobs have ended since, and left no room."""
_MOST_TRIES = 10
"""A limit that is reached with nothing in the queue may be one of submissions in an hour: it is waited for so long."""
_OF_THE_SCRIPT = ("#SBATCH --job-name", "#SBATCH --output")

_Request = tuple[str, ...]


class SlurmLimits:
    """What SLURM took and refused, by what was asked for: the ``#SBATCH`` lines of a job's script."""

    def __init__(self) -> None:
        self._taken: set[_Request] = set()
        self._found: list[Submission] = []
        self._hopeless: set[_Request] = set()
        self._queued_then: dict[_Request, frozenset[str]] = {}
        self._tries: dict[_Request, int] = {}

    def took(self, batch: Batch) -> None:
        """Remembers that SLURM took these jobs."""
        request = _request(batch.members[0])
        self._taken.add(request)
        self._hopeless.discard(request)
        self._queued_then.pop(request, None)
        self._tries.pop(request, None)

    def found(self, submissions: Iterable[Submission]) -> None:
        """Remembers jobs of an earlier monitor that are in the queue."""
        self._found += submissions

    def judge(self, batch: Batch, refused: RefusedError) -> ExecutorError:
        """Returns the error to raise: the refusal, or :class:`~tunebook.errors.QueueFullError`."""
        kind = kind_of_refusal(refused.words)
        if kind is Refusal.FULL:
            return _full(refused)
        if kind is Refusal.FINAL:
            return refused
        request = _request(batch.members[0])
        if len(batch.members) > 1 and not batch.is_pack and request not in self._hopeless:
            return _full(refused)  # fewer jobs may fit
        if not self._was_taken(request):
            self._hopeless.add(request)
            return refused
        return self._judge_again(request, refused, kind)

    def _was_taken(self, request: _Request) -> bool:
        return request in self._taken or any(_request(one) == request for one in self._found)

    def _judge_again(self, request: _Request, refused: RefusedError, kind: Refusal) -> ExecutorError:
        try:
            queued = frozenset(row.job_id for row in read_queue() if row.status.state.is_going)
        except SlurmError:
            return _full(refused)
        if kind is Refusal.LIMIT:
            return self._judge_limit(request, refused, queued)
        return self._judge_unexplained(request, refused, queued)

    def _judge_limit(self, request: _Request, refused: RefusedError, queued: frozenset[str]) -> ExecutorError:
        if queued:
            self._tries.pop(request, None)
            return _full(refused)
        self._tries[request] = self._tries.get(request, 0) + 1
        if self._tries[request] < _MOST_TRIES:
            return _full(refused)
        self._hopeless.add(request)
        return RefusedError(refused.words, f"{_MOST_TRIES} times in a row, with none of your jobs in the queue")

    def _judge_unexplained(self, request: _Request, refused: RefusedError, queued: frozenset[str]) -> ExecutorError:
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


def _request(one: Submission) -> _Request:
    """What a job's script asks for; jobs of arrays and of packs ask for the same in other headers."""
    text = read_text(one.experiment / one.job.script) or ""
    lines = [line.strip() for line in text.splitlines() if line.startswith("#SBATCH")]
    return tuple(line for line in lines if not line.startswith(_OF_THE_SCRIPT))
