"""Asking SLURM what it is: each function is a few calls of its programs, none of which changes anything."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tunebook.disk.program import run_program
from tunebook.errors import ToolError
from tunebook.site.cluster import SINFO_FORMAT, Accounts, Cluster, read_accounts, read_config, read_partitions

__all__ = ["NoClusterError", "find_cluster", "refusal"]

_ANSWER_S = 30.0
_NOT_SET_UP = re.compile(r"was not found|configuration source|No such file|resolve.*slurm", re.IGNORECASE)


class NoClusterError(ToolError):
    """There is no SLURM here, or it is set up and does not answer: then ``silent`` is true."""

    @property
    def silent(self) -> bool:
        """Whether there is a SLURM that does not answer."""
        return not _NOT_SET_UP.search(str(self))


def find_cluster(user: str) -> Cluster:
    """The cluster that this machine belongs to.

    Raises:
        NoClusterError: see there.
    """
    cluster = read_config(_ask("scontrol", "show", "config"))
    nodes = _ask("sinfo", "--noheader", "--all", f"--format={SINFO_FORMAT}")
    limits = _ask("scontrol", "show", "partition", "--oneliner", "--all")
    return replace(cluster, partitions=read_partitions(nodes, limits), accounts=_accounts(user, cluster.name))


def _accounts(user: str, cluster: str) -> Accounts | None:
    """That ``sacctmgr`` is installed says nothing: many clusters have it, and no accounting behind it."""
    try:
        return read_accounts(
            _account("user", user, "format=User,DefaultAccount"),
            _account("assoc", "where", f"user={user}", "format=Cluster,Account,QOS,DefaultQOS"),
            _account("account", "format=Account"),
            _account("qos", "format=Name"),
            cluster=cluster,
        )
    except NoClusterError:
        return None


def _account(*words: str) -> str:
    return _ask("sacctmgr", "--noheader", "--parsable2", "show", *words)


def _ask(*argv: str) -> str:
    try:
        answer = run_program(argv, timeout_s=_ANSWER_S, env=_environment())
    except ToolError as error:
        raise NoClusterError(str(error)) from error
    if answer.returncode != 0:
        raise NoClusterError(f"`{' '.join(argv[:3])}` failed: {_told(answer.stderr or answer.stdout)}")
    return answer.stdout


def refusal(options: Mapping[str, str]) -> str:
    """Why SLURM would not take a job with these options, in its own words; empty if it would.

    Nothing is submitted: ``sbatch --test-only``.

    Raises:
        NoClusterError: ``sbatch`` is missing or does not answer.
    """
    argv = ["sbatch", "--test-only", *(f"--{name}={value}" for name, value in options.items() if value)]
    try:
        answer = run_program([*argv, "--wrap=true"], timeout_s=_ANSWER_S, env=_environment())
    except ToolError as error:
        raise NoClusterError(str(error)) from error
    return "" if answer.returncode == 0 else _told(answer.stderr or answer.stdout) or "no reason given"


def _told(text: str) -> str:
    lines: Sequence[str] = [re.sub(r"^\w+: (error: |fatal: )?", "", line.strip()) for line in text.splitlines()]
    return "; ".join(dict.fromkeys(line for line in lines if line))


def _environment() -> dict[str, str]:
    """A job that tunebook happens to run in must not answer for the cluster."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))}
    return env | {name: os.environ[name] for name in ("SLURM_CONF",) if name in os.environ}
