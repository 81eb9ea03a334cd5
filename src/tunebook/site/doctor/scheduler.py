"""Whether SLURM answers here, whether its accounting does, and whether it would take the jobs of these settings."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.core.notes import UNCHECKED, is_checked
from tunebook.core.shortened import counted
from tunebook.core.site import Site
from tunebook.errors import NoSlurmError, SlurmError
from tunebook.site.doctor.diagnosis import Condition, Diagnosis, doubt, fine, not_checked, of_problem, wrong
from tunebook.site.machine import Surroundings
from tunebook.site.verify import NOT_STARTED, verify
from tunebook.slurm.accounting import refuse_silence
from tunebook.slurm.cluster import Cluster
from tunebook.slurm.programs import ask
from tunebook.slurm.survey import find_cluster

__all__ = ["diagnose_scheduler"]

_NO_SLURM = "there is no SLURM on this machine"


def diagnose_scheduler(site: Site, here: Surroundings, *, timeout_s: float) -> Iterator[Diagnosis]:
    """Asks SLURM's programs, and compares the site settings with what they answer.

    Args:
        timeout_s: the longest that one program may take.
    """
    cluster, why = None, ""
    try:
        cluster = find_cluster(here.user, timeout_s=timeout_s)
        yield from _of_cluster(cluster, here, timeout_s)
    except NoSlurmError:
        why = _NO_SLURM
        if site.cluster or site.account or site.partition:
            hint = "run this on a login node of the cluster"
            yield not_checked(f"{why}, but the site settings are for a cluster", hint)
        else:
            yield fine(f"{why}: jobs run on this machine")
    except SlurmError as error:
        why = f"SLURM does not answer ({error})"
        yield wrong(why, "try again later, or ask the cluster's support; `--timeout-s` allows more time")
    verdict = verify(site, here, cluster, no_cluster=why, start=False, timeout_s=timeout_s)
    for condition, problems in ((Condition.PROBLEM, verdict.errors), (Condition.WARNING, verdict.warnings)):
        for problem in problems:
            yield of_problem(condition, problem)
    for note in verdict.notes:
        if is_checked(note):
            yield fine(note)
        elif note != NOT_STARTED:  # the environments are examined apart
            yield not_checked(note.removeprefix(UNCHECKED), "")


def _of_cluster(cluster: Cluster, here: Surroundings, timeout_s: float) -> Iterator[Diagnosis]:
    try:
        queue = ask(["squeue", "--noheader", f"--user={here.user}", "--format=%i"], timeout_s=timeout_s)
        yield fine(f"squeue answers: {counted(len(queue.split()), 'job')} of yours in the queue of {cluster.name}")
    except SlurmError as error:
        yield wrong(f"squeue does not answer: {error}", "`tunebook run` needs it: ask the cluster's support")
    try:
        refuse_silence(timeout_s=timeout_s)
        yield fine("sacct answers: accounting knows how jobs ended, and what they used")
    except SlurmError as error:
        hint = "results are read from the jobs' own files; memory and GPU use will be missing in the report"
        yield doubt(f"accounting does not answer: {error}", hint)
