"""A cluster as values, read from the output of ``sinfo``, ``scontrol`` and ``sacctmgr``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tunebook.core.units import clock_minutes

__all__ = [
    "SINFO_FORMAT",
    "Accounts",
    "Cluster",
    "Gpus",
    "Partition",
    "cluster_of",
    "read_accounts",
    "read_gpus",
    "read_partitions",
]

SINFO_FORMAT = "%R|%c|%m|%f|%G"  # the GPUs come last: the name of a kind may hold anything
_SINFO_FIELDS = 5
_ASSOCIATION_FIELDS = 4
_EMPTY = {"", "(null)", "N/A", "n/a", "NONE", "None"}
_GPUS = re.compile(r"(?:^|,)gpu(?::(?P<kind>[^:,()=]+))?(?::(?P<count>\d+))(?:\([^)]*\))?(?=,|$)")
_PAIR = re.compile(r"(?:^|\s)([A-Za-z]\w*)=(\S*)")


@dataclass(frozen=True)
class Gpus:
    """GPUs of one kind on one node; the kind is empty where the cluster does not name it."""

    kind: str
    count: int


@dataclass(frozen=True)
class Partition:
    """One partition, with the largest numbers of its nodes.

    Attributes:
        max_time: the longest time limit; empty without a limit.
        gpus: for each kind, the number on the node that has most of them.
        cpus: on the node with most CPUs; ``None`` if unknown, as is ``memory_mb``.
        accounts: the only accounts that may use it; empty is everybody. So are ``groups`` and ``qos``.
        denied: accounts that may not use it.
    """

    name: str
    is_default: bool = False
    is_up: bool = True
    max_time: str = ""
    gpus: tuple[Gpus, ...] = ()
    features: tuple[str, ...] = ()
    cpus: int | None = None
    memory_mb: int | None = None
    accounts: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    qos: tuple[str, ...] = ()

    @property
    def max_time_min(self) -> float | None:
        """The longest time limit in minutes; ``None`` without a limit."""
        return clock_minutes(self.max_time) if self.max_time else None

    @property
    def most_gpus(self) -> int:
        """The number of GPUs on the node that has most."""
        return max((item.count for item in self.gpus), default=0)

    def why_not(self, *, accounts: Sequence[str], groups: Sequence[str]) -> str:
        """Returns why somebody with these accounts and groups cannot use it; empty if they can.

        Without accounts, which are then unknown, the partition's accounts do not decide.
        """
        if not self.is_up:
            return "it is not up"
        if self.groups and not set(self.groups) & set(groups):
            return f"it is for the groups {', '.join(self.groups)}"
        own = _lower(accounts)
        if not own:
            return ""
        if self.accounts and not own & _lower(self.accounts):
            return f"it is for the accounts {', '.join(self.accounts)}"
        if own <= _lower(self.denied):
            return f"the account {', '.join(accounts)} is not allowed there"
        return ""


def _lower(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names}


@dataclass(frozen=True)
class Accounts:
    """The accounts in SLURM's accounting: ``all_accounts`` and ``all_qos`` are the cluster's, the rest this user's."""

    default: str = ""
    own: tuple[str, ...] = ()
    own_qos: tuple[str, ...] = ()
    all_accounts: tuple[str, ...] = ()
    all_qos: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cluster:
    """SLURM's description of itself; ``accounts`` is ``None`` where accounting does not answer."""

    name: str
    partitions: tuple[Partition, ...] = ()
    accounts: Accounts | None = None
    needs_account: bool = False
    has_gpus_option: bool = True

    def accounts_for(self, account: str) -> tuple[str, ...]:
        """The accounts of a job: the one that is set, otherwise those of this user."""
        if account:
            return (account,)
        if self.accounts is None:
            return ()
        return self.accounts.own

    @property
    def default_partition(self) -> Partition | None:
        """The partition of jobs that name none."""
        return next((partition for partition in self.partitions if partition.is_default), None)

    def partition(self, name: str) -> Partition | None:
        """The partition of this name."""
        return next((partition for partition in self.partitions if partition.name == name), None)


def cluster_of(settings: Mapping[str, str]) -> Cluster:
    """Returns the cluster with the settings of ``scontrol show config``, without partitions and accounts."""
    enforced = {word.strip().lower() for word in settings.get("AccountingStorageEnforce", "").split(",")}
    return Cluster(
        _present(settings.get("ClusterName", "")),
        needs_account=bool(enforced & {"associations", "limits", "qos", "safe", "all"}),
        has_gpus_option="cons_tres" in settings.get("SelectType", "cons_tres"),
    )


def read_partitions(nodes: str, limits: str) -> tuple[Partition, ...]:
    """Reads the partitions.

    Args:
        nodes: the output of ``sinfo --format`` with :data:`SINFO_FORMAT`: a line for each kind of node of a partition.
        limits: the output of ``scontrol show partition --oneliner``.
    """
    partitions: dict[str, Partition] = {}
    for line in limits.splitlines():
        partition = _limits(line)
        if partition is not None:
            partitions[partition.name] = partition
    for line in nodes.splitlines():
        fields = [field.strip() for field in line.split("|", _SINFO_FIELDS - 1)]
        if len(fields) == _SINFO_FIELDS:
            name, cpus, memory, features, gres = fields
            name = name.removesuffix("*")  # some versions mark the default partition
            known = partitions.get(name, Partition(name))
            partitions[name] = _with_nodes(known, cpus, memory, features, gres)
    return tuple(partitions.values())


def _limits(line: str) -> Partition | None:
    found = dict(_PAIR.findall(line))
    if "PartitionName" not in found:
        return None
    return Partition(
        found["PartitionName"],
        is_default=found.get("Default", "").upper() == "YES",
        is_up=found.get("State", "UP").upper() == "UP",
        max_time=_limit(found, "MaxTime"),
        accounts=_names(found, "AllowAccounts"),
        denied=_names(found, "DenyAccounts"),
        groups=_names(found, "AllowGroups"),
        qos=_names(found, "AllowQos"),
    )


def _limit(found: Mapping[str, str], name: str) -> str:
    value = _present(found.get(name, ""))
    return "" if value.upper() in {"UNLIMITED", "INFINITE"} else value


def _names(found: Mapping[str, str], name: str) -> tuple[str, ...]:
    value = _present(found.get(name, ""))
    return () if value.upper() == "ALL" else _distinct(value.split(","))


def _with_nodes(partition: Partition, cpus: str, memory: str, features: str, gres: str) -> Partition:
    return replace(
        partition,
        cpus=_most(partition.cpus, cpus),
        memory_mb=_most(partition.memory_mb, memory),
        features=_distinct((*partition.features, *_present(features).split(","))),
        gpus=_most_gpus((*partition.gpus, *read_gpus(gres))),
    )


def _most(known: int | None, text: str) -> int | None:
    """``sinfo`` writes ``64+`` where nodes differ."""
    digits = re.match(r"\d+", text)
    if digits is None:
        return known
    return max(known or 0, int(digits[0]))


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))


def _most_gpus(gpus: Iterable[Gpus]) -> tuple[Gpus, ...]:
    most: dict[str, int] = {}
    for item in gpus:
        most[item.kind] = max(most.get(item.kind, 0), item.count)
    return tuple(Gpus(kind, count) for kind, count in most.items())


def read_gpus(gres: str) -> tuple[Gpus, ...]:
    """Reads a node's generic resources: ``gpu:4``, ``gpu:a100:4(S:0-1),shard:8``, ``gpu:1g.5gb:7``."""
    return tuple(Gpus(match["kind"] or "", int(match["count"])) for match in _GPUS.finditer(gres.strip()))


def read_accounts(users: str, associations: str, accounts: str, qos: str, *, cluster: str) -> Accounts:
    """Reads a user's accounts from the output of ``sacctmgr --noheader --parsable2``.

    Args:
        users: ``format=User,DefaultAccount``.
        associations: of this user, ``format=Cluster,Account,QOS,DefaultQOS``.
        accounts: ``format=Account``.
        qos: ``format=Name``.
        cluster: the cluster whose associations count.
    """
    names: list[str] = []
    own_qos: list[str] = []
    for line in associations.splitlines():
        row = line.split("|")
        if len(row) >= _ASSOCIATION_FIELDS and row[0] in {cluster, ""}:
            names.append(row[1])
            own_qos += [*row[2].split(","), row[3]]
    default = users.partition("\n")[0].partition("|")[2].partition("|")[0]
    if default not in names:
        default = ""
    return Accounts(
        default=default,
        own=_distinct(names),
        own_qos=_distinct(own_qos),
        all_accounts=_distinct(accounts.splitlines()),
        all_qos=_distinct(qos.splitlines()),
    )


def _present(value: str) -> str:
    return "" if value in _EMPTY else value
