"""Whether the settings for SLURM fit the cluster that this machine belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tunebook.core.parameters import suggestion
from tunebook.core.site import Site
from tunebook.core.units import spoken_duration
from tunebook.errors import SlurmError
from tunebook.site.surroundings import Surroundings
from tunebook.slurm.cluster import Accounts, Cluster, Partition
from tunebook.slurm.submission import refusal

__all__ = ["Complaint", "slurm_complaints"]

_UNITS_MB = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}


@dataclass(frozen=True)
class Complaint:
    """A problem with one setting: an error, or a warning."""

    key: str
    message: str
    hint: str = ""
    is_error: bool = True


def slurm_complaints(site: Site, here: Surroundings, cluster: Cluster) -> tuple[list[Complaint], list[str]]:
    """Returns the settings that do not fit, and notes on what was verified.

    Finally the scheduler itself is asked whether it would take such a job; nothing is submitted.
    """
    complaints = [*_cluster(site, cluster), *_account(site, here, cluster), *_qos(site, cluster)]
    complaints += [*_partitions(site, here, cluster), *_constraint(site, cluster), *_sizes(site, cluster)]
    notes = [f"cluster {cluster.name} answers, with {len(cluster.partitions)} partition(s)"]
    if cluster.accounts is None:
        notes.append("accounting does not answer here: the account could not be verified")
    if not any(complaint.is_error for complaint in complaints):
        refused = _test_submission(site)
        if refused is None:
            notes.append("sbatch --test-only accepts a job with these settings")
        else:
            complaints.append(refused)
    return complaints, notes


def _test_submission(site: Site) -> Complaint | None:
    try:
        words = refusal(_request(site))
    except SlurmError as error:
        return Complaint("partition", f"sbatch does not answer: {error}", is_error=False)
    if not words:
        return None
    hint = "the answer of `sbatch --test-only` to a job with these settings"
    return Complaint("partition", f"the cluster would not take a job: {words}", hint)


def _request(site: Site) -> dict[str, str]:
    gpus = site.gpus or "1"
    if gpus == "0":
        asked = {}
    elif site.gpu_syntax == "gpus":
        asked = {"gpus": gpus}
    else:
        asked = {"gres": f"gpu:{gpus}"}
    return {
        "account": site.account,
        "partition": site.partition,
        "constraint": site.constraint,
        "qos": site.qos,
        "time": site.time,
        "cpus-per-task": site.cpus,
        "mem": site.mem,
        **asked,
    }


def _cluster(site: Site, cluster: Cluster) -> Iterator[Complaint]:
    if site.cluster and site.cluster != cluster.name:
        message = f"the settings are for the cluster {site.cluster}, but this machine belongs to {cluster.name}"
        yield Complaint("cluster", message, "give each cluster a site file of its own", is_error=False)


def _account(site: Site, here: Surroundings, cluster: Cluster) -> Iterator[Complaint]:
    accounts = cluster.accounts
    if accounts is None:
        return
    if not site.account:
        if cluster.needs_account and not accounts.default:
            message = f"no account is set, and {here.user} has no default account on {cluster.name}"
            yield Complaint("account", message, f"accounts: {', '.join(accounts.own) or 'none'}")
        return
    if _knows(accounts.own, site.account):
        return
    own = ", ".join(accounts.own) or "none"
    if accounts.all_accounts and not _knows(accounts.all_accounts, site.account):
        message = f"there is no account `{site.account}` on {cluster.name}"
    elif accounts.own or cluster.needs_account:
        message = f"{here.user} has no access to the account `{site.account}`"
    else:
        return
    yield Complaint("account", message, f"your accounts: {own}")


def _knows(names: Iterable[str], name: str) -> bool:
    """SLURM compares accounts and QOS without regard to case, and partitions with."""
    return name.lower() in {known.lower() for known in names}


def _qos(site: Site, cluster: Cluster) -> Iterator[Complaint]:
    accounts = cluster.accounts or Accounts()
    if not site.qos or not accounts.all_qos:
        return
    if not _knows(accounts.all_qos, site.qos):
        yield Complaint("qos", f"there is no QOS `{site.qos}`", suggestion(site.qos, accounts.all_qos))
    elif accounts.own_qos and not _knows(accounts.own_qos, site.qos):
        yield Complaint("qos", f"the QOS `{site.qos}` is not open to you", "yours: " + ", ".join(accounts.own_qos))


def _partitions(site: Site, here: Surroundings, cluster: Cluster) -> Iterator[Complaint]:
    names = [partition.name for partition in cluster.partitions]
    own = cluster.accounts.own if cluster.accounts else ()
    for name in _named(site):
        partition = cluster.partition(name)
        if partition is None:
            yield Complaint("partition", f"there is no partition `{name}`", suggestion(name, names))
            continue
        closed = partition.why_not(accounts=[site.account] if site.account else own, groups=here.groups)
        if closed:
            yield Complaint("partition", f"partition {name}: {closed}", is_error=partition.is_up)
        if site.qos and partition.qos and not _knows(partition.qos, site.qos):
            yield Complaint("qos", f"partition {name} does not take the QOS `{site.qos}`", ", ".join(partition.qos))


def _named(site: Site) -> list[str]:
    """Splits the value: ``--partition`` takes a list."""
    return [name.strip() for name in site.partition.split(",") if name.strip()]


def _used(site: Site, cluster: Cluster) -> list[Partition]:
    named = [cluster.partition(name) for name in _named(site)] if site.partition else [cluster.default_partition]
    return [partition for partition in named if partition is not None]


def _constraint(site: Site, cluster: Cluster) -> Iterator[Complaint]:
    """Checks the features that the constraint names, between ``&``, ``|``, brackets and counts."""
    used = _used(site, cluster)
    known = sorted({feature for partition in used for feature in partition.features})
    words = re.split(r"[&|,\[\]()]|\*\d+", site.constraint)
    for word in dict.fromkeys(word.strip() for word in words if word.strip()):
        if used and word not in known:
            where = ", ".join(partition.name for partition in used)
            hint = suggestion(word, known) if known else "its nodes have no features"
            yield Complaint("constraint", f"no node of partition {where} has the feature `{word}`", hint)


def _sizes(site: Site, cluster: Cluster) -> Iterator[Complaint]:
    """Checks that some node of the partitions has what the settings ask for."""
    used = _used(site, cluster)
    if not used:
        return
    where = ", ".join(partition.name for partition in used)
    gpus = int(site.gpus or 1)
    if gpus > (most := max(partition.most_gpus for partition in used)):
        has = f"at most {most}" if most else "none"
        hint = f"partitions with GPUs: {_with_gpus(cluster) or 'none'}; without GPUs set Default GPUs to 0"
        yield Complaint("gpus", f"jobs ask for {gpus} GPU(s), but a node of partition {where} has {has}", hint)
    cpus = _most(partition.cpus for partition in used)
    if site.cpus and cpus and int(site.cpus) > cpus:
        yield Complaint("cpus", f"jobs ask for {site.cpus} CPUs, but a node of partition {where} has {cpus}")
    memory_mb = _most(partition.memory_mb for partition in used)
    if site.mem and memory_mb and _megabytes(site.mem) > memory_mb:
        message = f"jobs ask for {site.mem} of memory, but a node of partition {where} has {memory_mb} MB"
        yield Complaint("mem", message)
    limits = [partition.max_time_min for partition in used]
    longest = None if None in limits else max(limit for limit in limits if limit is not None)
    if longest is not None and (site.time_min or 0) > longest:
        message = f"the default time {site.time} is longer than partition {where} allows"
        yield Complaint("time", message, f"at most {spoken_duration(longest * 60)}")


def _with_gpus(cluster: Cluster) -> str:
    return ", ".join(partition.name for partition in cluster.partitions if partition.gpus)


def _most(numbers: Iterable[int | None]) -> int:
    return max((number or 0 for number in numbers), default=0)


def _megabytes(text: str) -> float:
    """Reads one of SLURM's sizes, which are in megabytes without a unit."""
    match = re.fullmatch(r"(\d+)([KMGT]?)B?", text.strip(), re.IGNORECASE)
    return float(match[1]) * _UNITS_MB[match[2].upper() or "M"] if match else 0.0
