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
from tunebook.slurm.programs import ask, configuration

__all__ = ["find_cluster"]


def find_cluster(user: str) -> Cluster:
    """Returns the cluster that this machine belongs to.

    Raises:
        SlurmError: SLURM is not set up here, or does not answer.
    """
    cluster = cluster_of(configuration())
    nodes = ask(["sinfo", "--noheader", "--all", f"--format={SINFO_FORMAT}"])
    limits = ask(["scontrol", "show", "partition", "--oneliner", "--all"])
    return replace(cluster, partitions=read_partitions(nodes, limits), accounts=_accounts(user, cluster.name))


def _accounts(user: str, cluster: str) -> Accounts | None:
    """``None`` without accounting: many clusters have ``sacctmgr`` and nothing behind it."""
    try:
        return read_accounts(
            _sacctmgr("user", user, "format=User,DefaultAccount"),
            _sacctmgr("assoc", "where", f"user={user}", "format=Cluster,Account,QOS,DefaultQOS"),
            _sacctmgr("account", "format=Account"),
            _sacctmgr("qos", "format=Name"),
            cluster=cluster,
        )
    except SlurmError:
        return None


def _sacctmgr(*words: str) -> str:
    return ask(["sacctmgr", "--noheader", "--parsable2", "show", *words])
