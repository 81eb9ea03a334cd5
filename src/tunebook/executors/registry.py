"""Which executor runs the jobs: the one that is named, or the one that fits."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from tunebook.errors import ExecutorError, UsageError
from tunebook.executors.base import Executor, ExecutorFactory, ExecutorOptions
from tunebook.executors.local import LocalExecutor

__all__ = ["AUTO", "Choice", "choose_executor", "executor_names"]

AUTO = "auto"
_GROUP = "tunebook.executors"
_BUILT_IN: dict[str, ExecutorFactory] = {LocalExecutor.name: LocalExecutor.create}


@dataclass(frozen=True)
class Choice:
    """The executor, and why it is this one."""

    executor: Executor
    reason: str


def executor_names() -> tuple[str, ...]:
    """All that can be named, ``auto`` first."""
    return (AUTO, *sorted({*_BUILT_IN, *_installed()}))


def choose_executor(name: str, options: ExecutorOptions | None = None) -> Choice:
    """Makes the executor called ``name``; ``auto`` is this machine.

    Raises:
        UsageError: there is none of this name; lists those that there are.
        ExecutorError: it does not work here.
    """
    wanted = LocalExecutor.name if name == AUTO else name
    factory = _BUILT_IN.get(wanted) or _load(wanted)
    if factory is None:
        names = ", ".join(executor_names())
        raise UsageError(f"the executor `{name}` is not available in this version", hint=f"available: {names}")
    reason = "asked for" if name != AUTO else "auto: this machine, the only executor of this version"
    return Choice(factory(options or ExecutorOptions()), reason)


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
