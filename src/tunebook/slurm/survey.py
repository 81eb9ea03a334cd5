"""Asks SLURM what the cluster offers; no question changes anything."""

from __future__ import annotations

from dataclasses import replace

from tunebook.errors import SlurmError
from tunebook.slurm.cluster import (
    SINFO_FORMAT,
    Accounts,
    Cluster,
    cluster_of,
    read_accounts,
    read_partitions,
)
from tunebook.slurm.programs import ANSWER_S, ask, configuration

__all__ = ["find_cluster"]


def find_cluster(user: str, *, timeout_s: float = ANSWER_S) -> Cluster:
    """Returns the cluster that this machine belongs to.

    Args:
        timeout_s: the longest that one of SLURM's programs may take.

    Raises:
        SlurmError: SLURM is not set up here, or does not answer.
    """
    cluster = cluster_of(configuration(timeout_s=timeout_s))
    nodes = ask(["sinfo", "--noheader", "--all", f"--format={SINFO_FORMAT}"], timeout_s=timeout_s)
    limits = ask(["scontrol", "show", "partition", "--oneliner", "--all"], timeout_s=timeout_s)
    accounts = _accounts(user, cluster.name, timeout_s)
    return replace(cluster, partitions=read_partitions(nodes, limits), accounts=accounts)


def _accounts(user: str, cluster: str, timeout_s: float) -> Accounts | None:
    """``None`` without accounting: many clusters have ``sacctmgr`` and nothing behind it."""
    try:
        return read_accounts(
            _sacctmgr(timeout_s, "user", user, "format=User,DefaultAccount"),
            _sacctmgr(timeout_s, "assoc", "where", f"user={user}", "format=Cluster,Account,QOS,DefaultQOS"),
            _sacctmgr(timeout_s, "account", "format=Account"),
            _sacctmgr(timeout_s, "qos", "format=Name"),
            cluster=cluster,
        )
    except SlurmError:
        return None


def _sacctmgr(timeout_s: float, *words: str) -> str:
    return ask(["sacctmgr", "--noheader", "--parsable2", "show", *words], timeout_s=timeout_s)
