"""SLURM's words: its job states and its reasons for waiting (``man squeue``, JOB STATE CODES and JOB REASON CODES)."""

from __future__ import annotations

from datetime import datetime

from tunebook.core.jobs import JobState

__all__ = ["job_state", "spoken_reason", "zoned"]

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
    "Priority": "jobs of higher priority are before it",
    "Dependency": "waits for its training",
    "DependencyNeverSatisfied": "its training failed",
    "JobArrayTaskLimit": "as many tasks of its array run as may at a time",
    "BeginTime": "its begin time lies ahead, as after a requeue",
    "JobHeldUser": "held: `scontrol release` lets it go",
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
    ("MaxJobs", "as many of your jobs run as may at a time"),
    ("MaxSubmit", "as many of your jobs wait as may"),
    ("GrpJobs", "as many jobs of your group run as may at a time"),
    ("GRES", "the limit for GPUs is reached"),
    ("Cpu", "the limit for CPUs is reached"),
    ("CPU", "the limit for CPUs is reached"),
    ("Mem", "the limit for memory is reached"),
    ("Wall", "its time limit is above what is allowed"),
    ("Node", "the limit for nodes is reached"),
)


def job_state(text: str) -> JobState:
    """The state behind SLURM's word, by its first word (``CANCELLED by 1000``); ``UNKNOWN`` if it is none."""
    words = text.split()
    return _STATES.get(words[0].rstrip("+").upper(), JobState.UNKNOWN) if words else JobState.UNKNOWN


def spoken_reason(reason: str) -> str:
    """Why a job waits, in words; SLURM's own where there are none here."""
    short = reason.strip("()").partition(",")[0]
    if short in _REASONS:
        return _REASONS[short]
    if short.startswith(("QOS", "Assoc")):
        meaning = next((words for part, words in _LIMITS if part in short), "a limit is reached")
        return f"{meaning} ({short})"
    return reason


def zoned(time: str) -> str:
    """A time as SLURM's programs print it, in this machine's time, as ISO 8601 with the zone; empty if it is none."""
    try:
        return datetime.fromisoformat(time).astimezone().isoformat(timespec="seconds")
    except ValueError:
        return ""
