"""Sorts the words with which ``sbatch`` refuses a job, SLURM's own and those of clusters' submission filters."""

from __future__ import annotations

import re
from enum import Enum

__all__ = ["Refusal", "kind_of_refusal"]


class Refusal(Enum):
    """The meaning of a refusal."""

    FULL = "the queue takes no more of this person's jobs now"
    NO_ANSWER = "the controller did not answer: the job may have been taken"
    LIMIT = "a limit is mentioned: of jobs in the queue, or of what a single job may ask for"
    FINAL = "no waiting cures it"
    UNKNOWN = "the words give no reason"


_PREFIX = re.compile(r"batch job submission failed:?|job submit/allocate failed:?", re.IGNORECASE)
_FULL = r"MaxSubmit|GrpSubmit"
_NO_ANSWER = (
    r"contact slurm controller|timed out|connection refused|zero bytes|temporarily unable|temporarily unavailable"
    r"|communication|authentication|munge|connect failure|transport endpoint|standby mode|controller is in maintenance"
    r"|could not establish a configuration source|unknown host|name or service not known|name resolution"
)
_BOUND = r"max\w*|limit\w*|quota|too many|more than|at most|exceed\w*|already"
_LIMITED_JOBS = rf"\b({_BOUND})\b.*\bjobs?\b|\bjobs?\b.*\b({_BOUND})\b"
_FINAL = (
    r"invalid|not valid|not permitted|not allowed|not available|can ?not be satisfied|denied|unrecognized|unsupported"
    r"|no such|is missing|unable to open|dependency problem|more processors requested|must (be )?specif|unknown"
)
# The first that fits: a limit of jobs may be worded "not allowed", a time limit as "invalid", and a controller that
# is away as an "unknown host".
_PATTERNS = {
    Refusal.FULL: _FULL,
    Refusal.NO_ANSWER: _NO_ANSWER,
    Refusal.LIMIT: _LIMITED_JOBS,
    Refusal.FINAL: _FINAL,
}


def kind_of_refusal(words: str) -> Refusal:
    """Returns what a refusal means, as far as its words show."""
    told = _PREFIX.sub("", words)
    for kind, pattern in _PATTERNS.items():
        if re.search(pattern, told, re.IGNORECASE):
            return kind
    if re.search(rf"\b({_BOUND})\b", told, re.IGNORECASE):
        return Refusal.LIMIT
    return Refusal.UNKNOWN
