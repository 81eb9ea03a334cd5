"""Makes the answer to a client of a verb's report or error: the document as structured content, errors also as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mcp.types import CallToolResult, TextContent

from tunebook.cli.output import finite, problem_data
from tunebook.cli.served.documents import LONGEST, cut, fitted
from tunebook.cli.visible import visible_text
from tunebook.errors import ExitCode, Problem, TunebookError

__all__ = ["answer", "refusal"]

_NO_ERROR = (ExitCode.DONE, ExitCode.UNFINISHED)


def answer(
    exit_code: ExitCode,
    data: Mapping[str, Any],
    *,
    warnings: Iterable[Problem] = (),
    errors: Sequence[Problem] = (),
    is_error: bool | None = None,
) -> Any:
    """The document of a report; a tool error if the exit code is one of failure.

    Args:
        is_error: whether it is a tool error, where the exit code does not decide.
    """
    document = _document(exit_code, data, warnings, errors)
    failed = exit_code not in _NO_ERROR if is_error is None else is_error
    return _tool_error(document, exit_code, errors) if failed else document


def refusal(error: TunebookError) -> CallToolResult:
    """The tool error of a verb that ended with an error."""
    document = _document(error.exit_code, {}, (), error.problems)
    return _tool_error(document, error.exit_code, error.problems)


def _document(
    exit_code: ExitCode, data: Mapping[str, Any], warnings: Iterable[Problem], errors: Iterable[Problem]
) -> dict[str, Any]:
    left_out: dict[str, int] = {}
    document = {
        "ok": exit_code is ExitCode.DONE,
        "exit_code": int(exit_code),
        "data": fitted(finite(data), left_out),
        "warnings": cut([problem_data(problem, ExitCode.DONE) for problem in warnings], left_out, "warnings"),
        "errors": cut([problem_data(problem, exit_code) for problem in errors], left_out, "errors"),
    }
    return document | {"left_out": left_out}


def _tool_error(document: dict[str, Any], exit_code: ExitCode, errors: Sequence[Problem]) -> CallToolResult:
    lines = [_line(problem) for problem in errors[:LONGEST]]
    if len(errors) > LONGEST:
        lines.append(f"… and {len(errors) - LONGEST:,} more errors")
    text = "\n".join([*lines, f"exit code {int(exit_code)}"])
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=document, is_error=True)


def _line(problem: Problem) -> str:
    """``file:line: error: message``, and the hint below, as on a terminal."""
    place = ""
    if problem.file:
        place = f"{problem.file}:{problem.line}: " if problem.line else f"{problem.file}: "
    lines = [f"{place}error: {problem.message}"]
    if problem.hint:
        lines.append(f"    → {problem.hint}")
    return "\n".join(map(visible_text, lines))
