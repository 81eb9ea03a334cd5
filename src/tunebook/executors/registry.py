"""Which executor runs the jobs: the one that is named, or the one that fits.

Executors are found through the entry point group ``tunebook.executors``, so that a package can add one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from tunebook.errors import ExecutorError, UsageError
from tunebook.executors.base import Executor, ExecutorFactory, ExecutorOptions
from tunebook.executors.local import LocalExecutor
from tunebook.executors.slurm import SlurmExecutor

__all__ = ["AUTO", "Choice", "choose_executor", "executor_names"]

AUTO = "auto"
_GROUP = "tunebook.executors"
_NOT_SET_UP = re.compile(r"was not found|configuration source|No such file|resolve.*slurm", re.IGNORECASE)


@dataclass(frozen=True)
class Choice:
    """The executor, and why it is this one."""

    executor: Executor
    reason: str


def executor_names() -> tuple[str, ...]:
    """All that can be named, ``auto`` first."""
    return (AUTO, *sorted(_installed()))


def choose_executor(name: str, options: ExecutorOptions | None = None) -> Choice:
    """Makes the executor called ``name``; ``auto`` is SLURM where there is a cluster, and else this machine.

    Raises:
        UsageError: there is none of this name; lists those that there are.
        ExecutorError: it does not work here; with ``auto``, that there is a cluster which does not answer.
    """
    options = options or ExecutorOptions()
    if name == AUTO:
        return _fitting(options)
    factory = _load(name)
    if factory is None:
        names = ", ".join(executor_names())
        raise UsageError(f"the executor `{name}` is not available in this version", hint=f"available: {names}")
    return Choice(factory(options), "asked for")


def _fitting(options: ExecutorOptions) -> Choice:
    """A cluster that is set up and does not answer is no reason to compute on its login node."""
    try:
        slurm = SlurmExecutor.create(options)
    except ExecutorError as error:
        if not _NOT_SET_UP.search(str(error)):
            hint = "wait until it does, or choose this machine with `--executor local`"
            raise ExecutorError(f"SLURM is set up here and does not answer: {error}", hint=hint) from error
        return Choice(LocalExecutor.create(options), "auto: there is no SLURM here")
    return Choice(slurm, f"auto: SLURM answers, cluster {slurm.host}")


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_GROUP)}


def _load(name: str) -> ExecutorFactory | None:
    point = _installed().get(name)
    if point is None:
        return None
    try:
        factory: ExecutorFactory = point.load()
    except (ImportError, AttributeError) as error:
        raise ExecutorError(f"the executor `{name}` ({point.value}) cannot be loaded: {error}") from error
    return factory
