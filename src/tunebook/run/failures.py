"""Diagnoses failed jobs from the scheduler's word and the end of the output, and advises what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tunebook.artifacts.output import error_lines
from tunebook.core.jobs import RESTARTED

__all__ = ["MISSING_FILE", "OUT_OF_GPU_MEMORY", "Diagnosis", "diagnose", "word_of_end"]

OUT_OF_GPU_MEMORY = "OUT_OF_GPU_MEMORY"
MISSING_FILE = "MISSING_FILE"

_LINES = 2
_SIGNALLED = 128  # the exit code of a job that a signal ended is above it


@dataclass(frozen=True)
class Diagnosis:
    """A failure's kind, and what to do about it.

    Attributes:
        kind: one word: ``OUT_OF_GPU_MEMORY``, ``MISSING_FILE``, a scheduler's own; empty for an unknown kind.
        advice: what to do; empty for an unknown kind.
        lines: the two lines of the output that show it.
    """

    kind: str = ""
    advice: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Rule:
    """How a kind of failure is recognised.

    Attributes:
        in_notes: whether the plan's notes give the kind in place of the exit code, which says less.
    """

    kind: str
    pattern: str
    advice: str
    in_notes: bool = False

    def shown_by(self, output: Sequence[str]) -> list[str]:
        """Returns the lines that show this kind of failure."""
        return [line for line in output if re.search(self.pattern, line, re.IGNORECASE)]


_AGAIN = "then `tunebook run --retry-failed`"
_PROVIDE = f"`tunebook check` names the missing resource; provide it, {_AGAIN}"
_RULES = (
    _Rule(
        OUT_OF_GPU_MEMORY,
        r"CUDA out of memory|torch\.(cuda\.)?OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED|CUDA error: out of memory",
        "`tunebook run --retry-oom` halves a training's batch and doubles its gradient accumulation; "
        f"or ask for a larger GPU, {_AGAIN}",
        in_notes=True,
    ),
    _Rule(
        "OUT_OF_MEMORY",
        r"oom[-_ ]kill|DefaultCPUAllocator: (can't|not enough)|^MemoryError|Cannot allocate memory",
        f"ask for more memory in the plan or in the site settings, `tunebook scaffold`, {_AGAIN}",
        in_notes=True,
    ),
    _Rule(
        "TIMEOUT",
        r"CANCELLED AT .* DUE TO TIME LIMIT",
        f"raise the time limit in the plan or in the site settings, `tunebook scaffold`, {_AGAIN}; "
        "a training whose inputs have not changed continues from its last epoch's checkpoint",
    ),
    _Rule(
        "PREEMPTED",
        r"DUE TO PREEMPTION",
        "the cluster interrupted it several times in a row: try another partition or QOS, "
        "or `tunebook run --retry-failed`",
    ),
    _Rule(
        "NODE_FAIL",
        r"DUE TO NODE FAILURE",
        "its nodes failed several times in a row: ask the cluster's support, or try `tunebook run --retry-failed`",
    ),
    _Rule(
        "RESTART",
        r"The system (is going down|will reboot|will power off)",
        "this machine was restarted several times in a row: `tunebook run --retry-failed`",
    ),
    _Rule(
        "DIVERGED",
        r"training diverged|loss of step \d+ is not finite",
        f"lower the learning rate or lengthen the warm-up in the plan, `tunebook scaffold`, {_AGAIN}",
        in_notes=True,
    ),
    _Rule(
        "MISSING_MODULE",
        r"ModuleNotFoundError|ImportError|No module named|environment lacks",
        f"install it in the environment that the site settings name, {_AGAIN}",
    ),
    _Rule(
        MISSING_FILE,
        r"(data set|model|directory|script) .*was not found|^FileNotFoundError: ",
        _PROVIDE,
        in_notes=True,
    ),
    _Rule(MISSING_FILE, r"FileNotFoundError|No such file or directory|does not exist", _PROVIDE),
)


def diagnose(reason: str, output: Sequence[str]) -> Diagnosis:
    """Diagnoses a failure; the scheduler's word takes precedence over the output.

    Args:
        reason: as in the plan's status tables: ``TIMEOUT``, ``CANCELLED by 1000``, ``exit code 1``.
        output: the last lines of the job's output.
    """
    word = reason.partition(" ")[0]
    rule = _rule_of(word, output)
    errors = error_lines(output)
    if rule is None:
        return Diagnosis(word if word.isupper() else "", lines=errors[-_LINES:])
    shown = rule.shown_by(output)
    if errors and errors[-1] not in shown:
        shown.append(errors[-1])
    return Diagnosis(rule.kind, rule.advice, tuple(shown[-_LINES:]))


def _rule_of(word: str, output: Sequence[str]) -> _Rule | None:
    for rule in _RULES:
        if rule.kind == word:
            return rule
        if not word.isupper() and rule.shown_by(output):
            return rule
    return None


def word_of_end(exit_code: int | None, scheduler_reason: str, output: Sequence[str]) -> str:
    """The word for a job that did not end well: the scheduler's says more than the output, which says more than a code.

    Args:
        exit_code: the job's own; ``None`` if it left none.
        scheduler_reason: ``TIMEOUT``, ``CANCELLED by 1000``; or a sentence, which is no word.

    Returns:
        an empty text if neither knows one.
    """
    had_ended = exit_code is not None and exit_code <= _SIGNALLED and scheduler_reason == RESTARTED
    if scheduler_reason.partition(" ")[0].isupper() and not had_ended:
        return scheduler_reason
    rule = _rule_of("", output)
    return rule.kind if rule is not None and rule.in_notes else ""
