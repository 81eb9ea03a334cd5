"""Chooses the executor that runs the jobs: the one that a person names, or the one that fits this machine.

Executors are found through the entry point group ``tunebook.executors``, so that a package can add one.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from inspect import get_annotations, signature

from tunebook.core.entry_points import group_of, package_of
from tunebook.core.parameters import suggestion
from tunebook.core.plugin_guard import guarded, lacking_words, output_aside, raised_words
from tunebook.errors import ExecutorError, NoSlurmError, SlurmError, TunebookError, UsageError
from tunebook.executors.base import Executor, ExecutorFactory, ExecutorOptions
from tunebook.executors.local import LocalExecutor
from tunebook.executors.slurm import SlurmExecutor

__all__ = ["AUTO", "Choice", "choose_executor", "executor_names"]

AUTO = "auto"
_GROUP = "tunebook.executors"


@dataclass(frozen=True)
class Choice:
    """An executor, and why it was chosen."""

    executor: Executor
    reason: str


def executor_names() -> tuple[str, ...]:
    """Lists all names that :func:`choose_executor` accepts, ``auto`` first."""
    return (AUTO, *sorted(_installed()))


def choose_executor(name: str, options: ExecutorOptions | None = None) -> Choice:
    """Makes the executor called ``name``; ``auto`` is SLURM on a cluster, and this machine elsewhere.

    Raises:
        UsageError: no executor has this name; lists the names.
        ExecutorError: the executor does not work here; with ``auto``, there is a cluster that does not answer.
    """
    options = options or ExecutorOptions()
    if name == AUTO:
        return _fitting(options)
    point = _installed().get(name)
    if point is None:
        raise UsageError(f"the executor `{name}` is not installed here", hint=suggestion(name, executor_names()))
    return Choice(_made(point, options), "asked for")


def _fitting(options: ExecutorOptions) -> Choice:
    try:
        slurm = SlurmExecutor.create(options)
    except NoSlurmError:
        return Choice(LocalExecutor.create(options), "auto: there is no SLURM here")
    except SlurmError as error:  # a cluster that does not answer is no reason to compute on its login node
        hint = "wait until it does, or choose this machine with `--executor local`"
        raise ExecutorError(f"SLURM is set up here but does not answer: {error}", hint=hint) from error
    return Choice(slurm, f"auto: SLURM answers, cluster {slurm.host}")


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in group_of(_GROUP)}


def _made(point: EntryPoint, options: ExecutorOptions) -> Executor:
    """The executor of an entry point; one of another package is guarded."""
    try:
        with output_aside():
            factory: ExecutorFactory = point.load()
            executor = factory(options)
        package = package_of(point)
        if package == "tunebook":
            return executor
        _refuse_incomplete(executor)
        return guarded(executor, Executor, described=f"the executor `{point.name}` of the package {package}")
    except TunebookError:
        raise
    except (Exception, SystemExit) as error:  # a stranger's code can raise anything
        message = f"the executor `{point.name}` ({point.value}) cannot be loaded: {raised_words(error)}"
        raise ExecutorError(message) from error


def _refuse_incomplete(executor: Executor) -> None:
    """Finds at once what would show only later: ``at_once`` is used only when a person is in a hurry."""
    lacking = lacking_words(executor, get_annotations(Executor))
    if lacking:
        raise TypeError(lacking)
    if "at_once" not in signature(executor.cancel).parameters:
        raise TypeError("its `cancel` does not take `at_once`")
