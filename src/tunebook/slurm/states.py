"""SLURM's words: its job states and reasons (``man squeue``, JOB STATE CODES and JOB REASON CODES), and its times."""

from __future__ import annotations

from datetime import datetime

from tunebook.core.jobs import JobState

__all__ = ["ended_because", "job_state", "reason_in_words", "zoned"]

_RUNNING = ("RUNNING", "COMPLETING", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED", "UPDATE_DB")
_PENDING = (
    *("PENDING", "CONFIGURING", "EXPEDITING", "POWER_UP_NODE", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD"),
    *("RESV_DEL_HOLD", "SPECIAL_EXIT"),
)
_FAILED = (
    *("BOOT_FAIL", "CANCELLED", "DEADLINE", "FAILED", "LAUNCH_FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"),
    *("RECONFIG_FAIL", "REVOKED", "TIMEOUT"),
)
_STATES = {
    "COMPLETED": JobState.COMPLETED,
    **dict.fromkeys(_RUNNING, JobState.RUNNING),
    **dict.fromkeys(_PENDING, JobState.PENDING),
    **dict.fromkeys(_FAILED, JobState.FAILED),
}
_REASONS = {
    "None": "",
    "Resources": "waits for free resources",
    "Priority": "jobs of higher priority come first",
    "Dependency": "waits for its training",
    "DependencyNeverSatisfied": "its training failed",
    "JobArrayTaskLimit": "the limit of tasks of its array at a time is reached",
    "BeginTime": "its begin time is in the future, as after a requeue",
    "JobHeldUser": "held: `scontrol release` releases it",
    "JobHeldAdmin": "held by an administrator",
    "JobHoldMaxRequeue": "held: it was requeued too often",
    "JobLaunchFailure": "could not be started",
    "launch failed requeued held": "held: it could not be started; `scontrol release` tries again",
    "ReqNodeNotAvail": "a node that it needs is not available",
    "PartitionConfig": "it asks for more than a node of its partition has: it will not start",
    "BadConstraints": "no node has what it asks for: it will not start",
    "PartitionDown": "its partition is down",
    "PartitionTimeLimit": "its time limit is above that of its partition: it will not start",
    "PartitionNodeLimit": "it asks for more nodes than its partition allows: it will not start",
    "Reservation": "waits for a reservation",
    "Licenses": "waits for licences",
    "Cleaning": "an earlier attempt is being cleaned up",
    "InvalidAccount": "its account is not valid: it will not start",
    "InvalidQOS": "its QOS is not valid: it will not start",
}
_LIMITS = (
    ("MaxJobs", "the limit of your running jobs is reached"),
    ("MaxSubmit", "the limit of your submitted jobs is reached"),
    ("GrpJobs", "the limit of your group's running jobs is reached"),
    ("GRES", "the limit for GPUs is reached"),
    ("Cpu", "the limit for CPUs is reached"),
    ("CPU", "the limit for CPUs is reached"),
    ("Mem", "the limit for memory is reached"),
    ("Wall", "its time limit is above what is allowed"),
    ("Node", "the limit for nodes is reached"),
)


def job_state(text: str) -> JobState:
    """Returns the state by its first word (``CANCELLED by 1000``); ``UNKNOWN`` for a word that SLURM does not have."""
    words = text.split()
    if not words:
        return JobState.UNKNOWN
    return _STATES.get(words[0].rstrip("+").upper(), JobState.UNKNOWN)


def ended_because(state_word: str, reason: str = "None") -> str:
    """Returns why a job has ended: ``TIMEOUT``, ``CANCELLED by 1000``; empty after a success or a plain failure.

    The exit code says more about a plain failure.
    """
    if job_state(state_word) is JobState.UNKNOWN:
        return f"SLURM says {state_word}, which is not known here"
    if state_word.startswith("COMPLETED"):
        return ""
    if not state_word.startswith("FAILED"):
        return state_word
    if reason in {"None", "NonZeroExitCode"}:
        return ""
    return f"FAILED {reason}"


def reason_in_words(reason: str) -> str:
    """Returns why a job waits in words; SLURM's own word for a reason that is not in the table."""
    short = reason.strip("()").partition(",")[0]
    if short in _REASONS:
        return _REASONS[short]
    if not short.startswith(("QOS", "Assoc")):
        return reason
    for part, words in _LIMITS:
        if part in short:
            return f"{words} ({short})"
    return f"a limit is reached ({short})"


def zoned(time: str) -> str:
    """Returns a time of SLURM's programs, which is this machine's, as ISO 8601 with the zone; empty for other text."""
    try:
        return datetime.fromisoformat(time).astimezone().isoformat(timespec="seconds")
    except ValueError:
        return ""
