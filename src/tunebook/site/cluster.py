"""A cluster as its own programs describe it: pure readers of what ``sinfo``, ``scontrol`` and ``sacctmgr`` print."""

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
    "read_accounts",
    "read_config",
    "read_gpus",
    "read_partitions",
]

SINFO_FORMAT = "%R|%c|%m|%f|%G"  # the GPUs last: the name of a kind may hold anything
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
    """One partition and its nodes; ``None`` for a limit means that there is none.

    Attributes:
        gpus: by kind, the most that one node has.
        cpus: the most that one node has.
        memory_mb: the most that one node has.
        accounts: the only accounts that may use it; empty is everybody.
        denied: accounts that may not; ``groups`` and ``qos`` as ``accounts``.
    """

    name: str
    is_default: bool = False
    is_up: bool = True
    max_time: str = ""
    default_time: str = ""
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
        """The longest time limit, in minutes."""
        return clock_minutes(self.max_time) if self.max_time else None

    @property
    def most_gpus(self) -> int:
        """How many GPUs a node has at most."""
        return max((item.count for item in self.gpus), default=0)

    def why_not(self, *, accounts: Sequence[str], groups: Sequence[str]) -> str:
        """Why somebody with these accounts and groups cannot use it; empty if it can be used.

        No account is "not known": then accounts do not decide.
        """
        if not self.is_up:
            return "it is not up"
        if self.groups and not set(self.groups) & set(groups):
            return f"it is for the groups {', '.join(self.groups)}"
        own = {name.lower() for name in accounts}
        if own and self.accounts and not own & {name.lower() for name in self.accounts}:
            return f"it is for the accounts {', '.join(self.accounts)}"
        if own and own <= {name.lower() for name in self.denied}:
            return f"the account {', '.join(accounts)} is not allowed there"
        return ""


@dataclass(frozen=True)
class Accounts:
    """What accounting says; ``all_accounts`` and ``all_qos`` are the cluster's, the rest is this user's."""

    default: str = ""
    own: tuple[str, ...] = ()
    own_qos: tuple[str, ...] = ()
    all_accounts: tuple[str, ...] = ()
    all_qos: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cluster:
    """Everything that SLURM says of itself; ``accounts`` is ``None`` where accounting does not answer."""

    name: str
    partitions: tuple[Partition, ...] = ()
    accounts: Accounts | None = None
    needs_account: bool = False
    has_gpus_option: bool = True

    @property
    def default_partition(self) -> Partition | None:
        """Where jobs go that name no partition."""
        return next((partition for partition in self.partitions if partition.is_default), None)

    def partition(self, name: str) -> Partition | None:
        """The partition of this name."""
        return next((partition for partition in self.partitions if partition.name == name), None)


def read_config(text: str) -> Cluster:
    """From ``scontrol show config``."""
    found = dict(re.findall(r"^(\w+)[ \t]*=[ \t]*(.*?)[ \t]*$", text, re.MULTILINE))
    enforced = {word.strip().lower() for word in found.get("AccountingStorageEnforce", "").split(",")}
    return Cluster(
        _present(found.get("ClusterName", "")),
        needs_account=bool(enforced & {"associations", "limits", "qos", "safe", "all"}),
        has_gpus_option="cons_tres" in found.get("SelectType", "cons_tres"),
    )


def read_partitions(nodes: str, limits: str) -> tuple[Partition, ...]:
    """From ``sinfo --format`` with :data:`SINFO_FORMAT`, and from ``scontrol show partition --oneliner``.

    A partition of several kinds of nodes has a line of ``sinfo`` for each.
    """
    partitions = {partition.name: partition for partition in map(_limits, limits.splitlines()) if partition}
    for line in nodes.splitlines():
        name, *rest = line.split("|", 4)
        if len(rest) == 4:  # noqa: PLR2004  the fields that were asked for
            name = name.strip().removesuffix("*")
            partitions[name] = _with_nodes(partitions.get(name, Partition(name)), *map(str.strip, rest))
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
        default_time=_limit(found, "DefaultTime"),
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
    return () if value.upper() == "ALL" else tuple(part for part in value.split(",") if part)


def _with_nodes(partition: Partition, cpus: str, memory: str, features: str, gres: str) -> Partition:
    return replace(
        partition,
        cpus=_most(partition.cpus, cpus),
        memory_mb=_most(partition.memory_mb, memory),
        features=_merged(partition.features, _present(features).split(",")),
        gpus=_most_gpus((*partition.gpus, *read_gpus(gres))),
    )


def _most(known: int | None, text: str) -> int | None:
    """``sinfo`` writes ``64+`` for nodes that differ."""
    digits = re.match(r"\d+", text)
    return known if digits is None else max(known or 0, int(digits[0]))


def _merged(known: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in (*known, *more) if word.strip()))


def _most_gpus(gpus: Iterable[Gpus]) -> tuple[Gpus, ...]:
    most: dict[str, int] = {}
    for item in gpus:
        most[item.kind] = max(most.get(item.kind, 0), item.count)
    return tuple(Gpus(kind, count) for kind, count in most.items())


def read_gpus(gres: str) -> tuple[Gpus, ...]:
    """From a node's generic resources: ``gpu:4``, ``gpu:a100:4(S:0-1),shard:8``, ``gpu:1g.5gb:7``."""
    return tuple(Gpus(match["kind"] or "", int(match["count"])) for match in _GPUS.finditer(gres.strip()))


def read_accounts(users: str, associations: str, accounts: str, qos: str, *, cluster: str) -> Accounts:
    """From ``sacctmgr --noheader --parsable2``.

    Args:
        users: ``format=User,DefaultAccount``.
        associations: of this user, ``format=Cluster,Account,QOS,DefaultQOS``.
        accounts: ``format=Account``.
        qos: ``format=Name``.
        cluster: only its associations count.
    """
    rows = [line.split("|") for line in associations.splitlines()]
    own = [row for row in rows if len(row) >= 4 and row[0] in {cluster, ""}]  # noqa: PLR2004  the fields
    default = next((row[1] for row in (line.split("|") for line in users.splitlines()) if len(row) > 1), "")
    names = _merged((), (row[1] for row in own))
    return Accounts(
        default=default if default in names else "",
        own=names,
        own_qos=_merged((), (name for row in own for name in (*row[2].split(","), row[3]))),
        all_accounts=_merged((), accounts.splitlines()),
        all_qos=_merged((), qos.splitlines()),
    )


def _present(value: str) -> str:
    return "" if value in _EMPTY else value
