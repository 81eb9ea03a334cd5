"""Detects the settings that only a cluster has: account, partition, constraint, and the resources of a job."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from tunebook.errors import SlurmError
from tunebook.site.machine import Candidate, Detected, Machine
from tunebook.slurm.cluster import Cluster, Gpus, Partition
from tunebook.slurm.submission import refusal

__all__ = ["SLURM_STEPS", "Step", "partition_table"]

Step = Callable[[Machine], Detected | None]

_CPUS_OF_A_GPU = 4  # the tools' defaults, which a small node cannot give
_LEAST_MEMORY_MB = 16 * 1024
_HOUR_MIN = 60.0


def _cluster(machine: Machine) -> Detected:
    return Detected("cluster", (Candidate(_of(machine).name, "scontrol show config"),))


def _account(machine: Machine) -> Detected:
    cluster = _of(machine)
    accounts = cluster.accounts
    if accounts is None:
        return Detected("account", missing="this cluster has no accounting: no account is needed")
    question = "Which account do your jobs run under?"
    if not accounts.own:
        missing = f"{machine.here.user} has no account in SLURM's accounting"
        return Detected("account", (), question if cluster.needs_account else "", missing)
    candidates = [
        Candidate(name, "sacctmgr: an account of this user") for name in accounts.own if name != accounts.default
    ]
    if accounts.default:
        candidates.insert(0, Candidate(accounts.default, "sacctmgr: the default account of this user"))
    if accounts.default or len(candidates) == 1:
        question = ""
    return Detected("account", tuple(candidates), question)


def _partition(machine: Machine) -> Detected:
    cluster = _of(machine)
    with_gpus = [item for item in cluster.partitions if item.gpus]
    if not with_gpus:
        return Detected("partition", missing="no partition has GPUs: jobs go to the cluster's default partition")
    default = cluster.default_partition
    candidates: list[Candidate] = []
    closed: list[str] = []
    for item in with_gpus:
        why_not = _why_not(machine, item)
        if why_not:
            closed.append(f"{item.name} ({why_not})")
        elif item == default:
            return Detected("partition", missing=f"the default partition `{item.name}` has GPUs")
        else:
            basis = f"{_gpus_in_words(item.gpus)}, up to {item.max_time or 'any time'}"
            candidates.append(Candidate(item.name, basis))
    if not candidates:
        return Detected("partition", missing=f"no partition with GPUs is open to you: {', '.join(closed)}")
    question = "" if len(candidates) == 1 else "Which partition do your jobs go to?"
    return Detected("partition", tuple(candidates), question)


def _why_not(machine: Machine, partition: Partition) -> str:
    accounts = _of(machine).accounts_for(machine.values.get("account", ""))
    return partition.why_not(accounts=accounts, groups=machine.here.groups)


def _constraint(machine: Machine) -> Detected | None:
    partition = _chosen(machine)
    if partition is None or len(partition.gpus) < 2 or not partition.features:  # noqa: PLR2004  two kinds
        return None
    anything = Candidate("", f"any node: {_gpus_in_words(partition.gpus)}")
    features = (Candidate(name, f"a feature of nodes of {partition.name}") for name in partition.features)
    return Detected("constraint", (anything, *features), f"{partition.name} has several kinds of GPUs. Which nodes?")


def _time(machine: Machine) -> Detected | None:
    partition = _chosen(machine)
    if partition is None or (partition.max_time_min or _HOUR_MIN) >= _HOUR_MIN:
        return None
    return Detected("time", (Candidate(partition.max_time, f"the longest that {partition.name} allows"),))


def _gpus(machine: Machine) -> Detected:
    partition = _chosen(machine)
    if partition is None:
        return Detected("gpus", missing="no partition is known")
    number = "1" if partition.gpus else "0"
    return Detected("gpus", (Candidate(number, f"{partition.name} has {_gpus_in_words(partition.gpus)}"),))


def _cpus(machine: Machine) -> Detected | None:
    partition = _chosen(machine)
    if partition is None or not partition.cpus:
        return None
    share = max(1, partition.cpus // max(1, partition.most_gpus))
    if share >= _CPUS_OF_A_GPU:
        return None
    basis = f"{partition.cpus} CPUs and {partition.most_gpus} GPUs on a node of {partition.name}"
    return Detected("cpus", (Candidate(str(share), basis),))


def _mem(machine: Machine) -> Detected | None:
    partition = _chosen(machine)
    if partition is None or not partition.memory_mb or partition.memory_mb >= _LEAST_MEMORY_MB:
        return None
    basis = f"a node of {partition.name} has {partition.memory_mb} MB"
    return Detected("mem", (Candidate(f"{partition.memory_mb * 9 // 10}M", basis),))


def _gpu_syntax(machine: Machine) -> Detected:
    """Asks the scheduler, since some clusters accept only one of the two options."""
    if machine.values.get("gpus", "0") in {"", "0"}:
        return Detected("gpu_syntax", (Candidate("--gres", "jobs ask for no GPUs"),))
    options = {key: machine.values.get(key, "") for key in ("account", "partition", "constraint")}
    options["time"] = "1"
    with suppress(SlurmError):
        first = refusal({**options, "gres": "gpu:1"})
        if not first:
            return Detected("gpu_syntax", (Candidate("--gres", "sbatch --test-only accepts --gres=gpu:1"),))
        if _of(machine).has_gpus_option and not refusal({**options, "gpus": "1"}):
            return Detected("gpu_syntax", (Candidate("--gpus", "sbatch --test-only accepts only --gpus=1"),))
        return Detected("gpu_syntax", (Candidate("--gres", f"not confirmed, sbatch --test-only says: {first}"),))
    return Detected("gpu_syntax", (Candidate("--gres", "not confirmed: sbatch does not answer"),))


def _mail(machine: Machine) -> Detected:
    question = f"Where should {_of(machine).name} send mail about jobs? Empty for no mail."
    return Detected("mail_user", (), question, "no mail")


def _of(machine: Machine) -> Cluster:
    return machine.cluster or Cluster("")


def _chosen(machine: Machine) -> Partition | None:
    """Returns the partition to which jobs go."""
    name = machine.values.get("partition", "").split(",")[0]
    if not name:
        return _of(machine).default_partition
    return _of(machine).partition(name)


def _gpus_in_words(gpus: tuple[Gpus, ...]) -> str:
    """Returns ``4 × a100 per node``."""
    if not gpus:
        return "no GPUs"
    kinds = [f"{item.count} × {item.kind or 'GPU'}" for item in gpus]
    return " or ".join(kinds) + " per node"


def partition_table(cluster: Cluster) -> list[list[str]]:
    """Returns the partitions as rows, the header first."""
    rows = [["Partition", "Time limit", "GPUs", "CPUs per node", "Memory per node", "Features", "Only for"]]
    for item in cluster.partitions:
        name = f"{item.name} (default)" if item.is_default else item.name
        memory = f"{item.memory_mb // 1024} GB" if item.memory_mb else ""
        only_for = ", ".join((*item.accounts, *item.groups))
        row = [name, item.max_time or "none", _gpus_in_words(item.gpus), str(item.cpus or ""), memory]
        rows.append([*row, ", ".join(item.features), only_for])
    return rows


SLURM_STEPS: tuple[Step, ...] = (
    _cluster,
    _account,
    _partition,
    _constraint,
    _time,
    _gpus,
    _cpus,
    _mem,
    _gpu_syntax,
    _mail,
)
