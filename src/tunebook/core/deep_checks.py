"""Deep checks as values: what is proved by running something small, what decides the outcome, and what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from tunebook.errors import Problem

__all__ = ["Ask", "DeepCheck", "DeepResult"]


class Ask(Protocol):
    """Calls a function in a process of its own."""

    def __call__(
        self, function: str, arguments: Mapping[str, Any], *, runs_others_code: bool = False
    ) -> Mapping[str, Any]:
        """Returns what ``MODULE:FUNCTION`` returns for these keyword arguments; both are JSON.

        Args:
            function: its name.
            arguments: its arguments.
            runs_others_code: whether it runs code that is not tunebook's; no other proof uses that process.

        Raises:
            ToolError: it failed, or its process did.
        """
        ...


@dataclass(frozen=True)
class DeepResult:
    """The result of a deep check.

    Attributes:
        figure: what was measured, as a person reads it: ``max difference 3e-7``.
        unchecked: why nothing could be checked here; such a check is never passed.
    """

    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    figure: str = ""
    unchecked: str = ""


@dataclass(frozen=True)
class DeepCheck:
    """One proof that the jobs of some runs do what the plan says. Checks with the same title and key are one.

    Attributes:
        title: what is proved: ``model function``.
        subject: the model, task or request that it is proved for.
        key: everything that decides the outcome, as JSON: contents, settings, versions of the packages involved. An
            empty key is that of a check whose outcome other things decide; it is never taken from the cache.
        look: does it; heavy work goes through the function that it gets. An error that it raises is one that it found.
        runs: the runs of the plan that rest on it.
        announcement: what a person must know before it starts: whose code it runs. Empty for tunebook's own.
    """

    title: str
    subject: str
    look: Callable[[Ask], DeepResult]
    key: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    runs: tuple[str, ...] = ()
    announcement: str = ""
