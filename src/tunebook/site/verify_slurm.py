"""Whether the settings for SLURM fit the cluster that this machine belongs to."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tunebook.core.notes import UNCHECKED
from tunebook.core.parameters import suggestion
from tunebook.core.shortened import counted
from tunebook.core.site import Site
from tunebook.core.units import megabytes, spoken_duration
from tunebook.errors import SlurmError
from tunebook.site.machine import Surroundings
from tunebook.slurm.cluster import Accounts, Cluster, Partition
from tunebook.slurm.programs import ANSWER_S
from tunebook.slurm.submission import refusal

__all__ = ["Complaint", "slurm_complaints"]


@dataclass(frozen=True)
class Complaint:
    """A problem with one setting: an error, or a warning."""

    key: str
    message: str
    hint: str = ""
    is_error: bool = True


def slurm_complaints(
    site: Site, here: Surroundings, cluster: Cluster, *, timeout_s: float = ANSWER_S
) -> tuple[list[Complaint], list[str]]:
    """Returns the settings that do not fit, and notes on what was verified.

    Finally the scheduler itself is asked whether it would take such a job; nothing is submitted.
    """
    complaints = [*_cluster(site, cluster), *_account(site, here, cluster), *_qos(site, cluster)]
    complaints += _partitions(site, here, cluster)
    used = _used(site, cluster)
    if used:
        complaints += [*_constraint(site, used), *_gpus(site, cluster, used)]
        complaints += [*_sizes(site, used), *_time(site, used)]
    notes = [f"cluster {cluster.name} answers, with {counted(len(cluster.partitions), 'partition')}"]
    if cluster.accounts is None:
        notes.append(f"{UNCHECKED}the account, since accounting does not answer here")
    if not any(complaint.is_error for complaint in complaints):
        refused = _test_submission(site, timeout_s)
        if refused is None:
            notes.append("sbatch --test-only accepts a job with these settings")
        else:
            complaints.append(refused)
    return complaints, notes


def _test_submission(site: Site, timeout_s: float) -> Complaint | None:
    try:
        words = refusal(_request(site), timeout_s=timeout_s)
    except SlurmError as error:
        return Complaint("partition", f"sbatch does not answer: {error}", is_error=False)
    if not words:
        return None
    hint = "the answer of `sbatch --test-only` to a job with these settings"
    return Complaint("partition", f"the cluster would refuse a job: {words}", hint)


def _request(site: Site) -> dict[str, str]:
    request = {
        "account": site.account,
        "partition": site.partition,
        "constraint": site.constraint,
        "qos": site.qos,
        "time": site.time,
        "cpus-per-task": site.cpus,
        "mem": site.mem,
    }
    gpus = site.gpus or "1"
    if gpus == "0":
        return request
    asked = f"{site.gpu_type}:{gpus}".removeprefix(":")
    if site.gpu_syntax == "gres":
        return {**request, "gres": f"gpu:{asked}"}
    return {**request, site.gpu_syntax: asked}


def _cluster(site: Site, cluster: Cluster) -> Iterator[Complaint]:
    if site.cluster and site.cluster != cluster.name:
        message = f"the settings are for the cluster {site.cluster}, but this machine belongs to {cluster.name}"
        yield Complaint("cluster", message, "give each cluster a site file of its own", is_error=False)


def _account(site: Site, here: Surroundings, cluster: Cluster) -> Iterator[Complaint]:
    accounts = cluster.accounts
    if accounts is None:
        return
    message = ""
    if site.account:
        message = _wrong_account(site.account, here, cluster, accounts)
    elif cluster.needs_account and not accounts.default:
        message = f"no account is set, and {here.user} has no default account on {cluster.name}"
    if message:
        yield Complaint("account", message, f"your accounts: {', '.join(accounts.own) or 'none'}")


def _wrong_account(account: str, here: Surroundings, cluster: Cluster, accounts: Accounts) -> str:
    if _knows(accounts.own, account):
        return ""
    if accounts.all_accounts and not _knows(accounts.all_accounts, account):
        return f"{cluster.name} has no account `{account}`"
    if accounts.own or cluster.needs_account:
        return f"{here.user} has no access to the account `{account}`"
    return ""


def _knows(names: Iterable[str], name: str) -> bool:
    """SLURM ignores case in the names of accounts and QOS, but not in those of partitions."""
    return name.lower() in map(str.lower, names)


def _qos(site: Site, cluster: Cluster) -> Iterator[Complaint]:
    accounts = cluster.accounts or Accounts()
    if not site.qos or not accounts.all_qos:
        return
    if not _knows(accounts.all_qos, site.qos):
        yield Complaint("qos", f"{cluster.name} has no QOS `{site.qos}`", suggestion(site.qos, accounts.all_qos))
    elif accounts.own_qos and not _knows(accounts.own_qos, site.qos):
        yield Complaint("qos", f"the QOS `{site.qos}` is not open to you", "yours: " + ", ".join(accounts.own_qos))


def _partitions(site: Site, here: Surroundings, cluster: Cluster) -> Iterator[Complaint]:
    accounts = cluster.accounts_for(site.account)
    for name in _named(site):
        partition = cluster.partition(name)
        if partition is None:
            names = [partition.name for partition in cluster.partitions]
            yield Complaint("partition", f"{cluster.name} has no partition `{name}`", suggestion(name, names))
            continue
        closed = partition.why_not(accounts=accounts, groups=here.groups)
        if closed:
            yield Complaint("partition", f"partition {name}: {closed}", is_error=partition.is_up)
        if site.qos and partition.qos and not _knows(partition.qos, site.qos):
            yield Complaint("qos", f"partition {name} does not take the QOS `{site.qos}`", ", ".join(partition.qos))


def _named(site: Site) -> list[str]:
    """Splits the value: ``--partition`` takes a list."""
    return [name.strip() for name in site.partition.split(",") if name.strip()]


def _used(site: Site, cluster: Cluster) -> list[Partition]:
    named = [cluster.partition(name) for name in _named(site)]
    if not site.partition:
        named = [cluster.default_partition]
    return [partition for partition in named if partition is not None]


def _in_words(partitions: Iterable[Partition]) -> str:
    return ", ".join(partition.name for partition in partitions)


def _constraint(site: Site, used: Sequence[Partition]) -> Iterator[Complaint]:
    """Checks the features that the constraint names, between ``&``, ``|``, brackets and counts."""
    known: set[str] = set()
    for partition in used:
        known.update(partition.features)
    words = map(str.strip, re.split(r"[&|,\[\]()]|\*\d+", site.constraint))
    for word in dict.fromkeys(words):
        if word and word not in known:
            hint = suggestion(word, sorted(known)) if known else "its nodes have no features"
            message = f"no node of partition {_in_words(used)} has the feature `{word}`"
            yield Complaint("constraint", message, hint)


def _gpus(site: Site, cluster: Cluster, used: Sequence[Partition]) -> Iterator[Complaint]:
    gpus = int(site.gpus or 1)
    most = max(partition.most_gpus for partition in used)
    if gpus > most:
        has = f"at most {most}" if most else "none"
        with_gpus = _in_words(partition for partition in cluster.partitions if partition.gpus)
        hint = f"partitions with GPUs: {with_gpus or 'none'}; without GPUs set Default GPUs to 0"
        message = f"jobs ask for {gpus} GPU(s), but a node of partition {_in_words(used)} has {has}"
        yield Complaint("gpus", message, hint)


def _sizes(site: Site, used: Sequence[Partition]) -> Iterator[Complaint]:
    """Checks that some node of the partitions has what the settings ask for."""
    where = _in_words(used)
    cpus = max(partition.cpus or 0 for partition in used)
    if site.cpus and 0 < cpus < int(site.cpus):
        yield Complaint("cpus", f"jobs ask for {site.cpus} CPUs, but a node of partition {where} has {cpus}")
    memory_mb = max(partition.memory_mb or 0 for partition in used)
    if 0 < memory_mb < megabytes(site.mem):
        message = f"jobs ask for {site.mem} of memory, but a node of partition {where} has {memory_mb} MB"
        yield Complaint("mem", message)


def _time(site: Site, used: Sequence[Partition]) -> Iterator[Complaint]:
    longest_min = max(math.inf if partition.max_time_min is None else partition.max_time_min for partition in used)
    if (site.time_min or 0) > longest_min:
        message = f"the default time {site.time} is longer than partition {_in_words(used)} allows"
        yield Complaint("time", message, f"at most {spoken_duration(longest_min * 60)}")
