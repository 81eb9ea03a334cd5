"""Why a job failed, from its scheduler's word and the end of its output; and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tunebook.artifacts.output import error_lines

__all__ = ["OUT_OF_GPU_MEMORY", "Diagnosis", "diagnose", "word_for"]

OUT_OF_GPU_MEMORY = "OUT_OF_GPU_MEMORY"

_LINES = 2


@dataclass(frozen=True)
class Diagnosis:
    """What is known of a failure.

    Attributes:
        kind: one word: ``OUT_OF_GPU_MEMORY``, ``MISSING_FILE``, a scheduler's own; empty if nothing is recognised.
        advice: what to do; empty if there is none.
        lines: the two lines of the output that show it.
    """

    kind: str = ""
    advice: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Rule:
    """``told`` says whether the page's notes carry the kind, since the exit code alone says nothing."""

    kind: str
    pattern: re.Pattern[str]
    advice: str
    told: bool = False


def _rule(kind: str, pattern: str, advice: str, *, told: bool = False) -> _Rule:
    return _Rule(kind, re.compile(pattern, re.IGNORECASE), advice, told)


_AGAIN = "then `tunebook run --retry-failed`"
_RULES = (
    _rule(
        OUT_OF_GPU_MEMORY,
        r"CUDA out of memory|torch\.(cuda\.)?OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED|CUDA error: out of memory",
        "`tunebook run --retry-oom` halves a training's batch and doubles its gradient accumulation; "
        f"or ask for a larger GPU, {_AGAIN}",
        told=True,
    ),
    _rule(
        "OUT_OF_MEMORY",
        r"oom[-_ ]kill|DefaultCPUAllocator: (can't|not enough)|^MemoryError|Cannot allocate memory",
        f"ask for more memory on the page or in the site's settings, `tunebook scaffold`, {_AGAIN}",
        told=True,
    ),
    _rule(
        "TIMEOUT",
        r"CANCELLED AT .* DUE TO TIME LIMIT",
        f"raise the time limit on the page or in the site's settings, `tunebook scaffold`, {_AGAIN}; "
        "a training goes on from its last epoch's checkpoint where its inputs have not changed",
    ),
    _rule(
        "PREEMPTED",
        r"DUE TO PREEMPTION",
        "the cluster took its place some times in a row: another partition or QOS may help, "
        "`tunebook run --retry-failed` tries again",
    ),
    _rule(
        "NODE_FAIL",
        r"DUE TO NODE FAILURE",
        "its nodes failed some times in a row: tell the cluster's support; `tunebook run --retry-failed` tries again",
    ),
    _rule(
        "DIVERGED",
        r"training diverged|loss of step \d+ is not finite",
        f"lower the learning rate or lengthen the warm-up on the page, `tunebook scaffold`, {_AGAIN}",
        told=True,
    ),
    _rule(
        "MISSING_MODULE",
        r"ModuleNotFoundError|ImportError|No module named|environment lacks",
        f"install it in the environment that the site's settings name, {_AGAIN}",
    ),
    _rule(
        "MISSING_FILE",
        r"FileNotFoundError|No such file or directory|does not exist",
        f"`tunebook check` tells which resource is missing; put it there, {_AGAIN}",
    ),
)


def diagnose(reason: str, output: Sequence[str]) -> Diagnosis:
    """What a failure is: the scheduler's word counts before the output, and the output's last lines before the first.

    Args:
        reason: as the page says it: ``TIMEOUT``, ``CANCELLED by 1000``, ``exit code 1``.
        output: the last lines of the job's output.
    """
    word = reason.partition(" ")[0]
    rule = next((rule for rule in _RULES if rule.kind == word), None)
    if rule is None and not word.isupper():
        rule = next((rule for rule in _RULES if any(rule.pattern.search(line) for line in output)), None)
    if rule is None:
        return Diagnosis(word if word.isupper() else "", lines=error_lines(output)[-_LINES:])
    shown = [line for line in output if rule.pattern.search(line)]
    last = [line for line in error_lines(output)[-1:] if line not in shown]
    return Diagnosis(rule.kind, rule.advice, tuple([*shown, *last][-_LINES:]))


def word_for(output: Sequence[str]) -> str:
    """The word that the page's notes carry for what only the output tells; empty if there is none."""
    kind = diagnose("", output).kind
    return next((rule.kind for rule in _RULES if rule.told and rule.kind == kind), "")
