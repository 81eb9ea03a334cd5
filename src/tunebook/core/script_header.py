"""Writes the ``#SBATCH`` lines of a script from a job's resources; nothing reads such lines back.

Tools put them into the scripts that they generate, executors into the script of an array. The function is pure and
in core, with SLURM's notation of times and the rules for values on ``#SBATCH`` lines. A tool therefore imports nothing
of the rooms that talk to a scheduler, and no caller has to pass it a function that writes headers.
"""

from __future__ import annotations

from functools import lru_cache

from tunebook.core.jobs import Resources
from tunebook.core.quoting import sbatch_value

__all__ = ["header_lines"]

_MAILED = "END,FAIL"


def header_lines(resources: Resources, *, job_name: str = "") -> tuple[str, ...]:
    """Returns the ``#SBATCH`` lines.

    Args:
        resources: what the job asks for.
        job_name: the name of the job; empty for an array, whose name and output are given when it is submitted.

    Raises:
        ValueError: a value holds white space, a quote or a control character.
    """
    own: tuple[str, ...] = ()
    if job_name:
        own = (f"#SBATCH --job-name={sbatch_value('--job-name', job_name)}", "#SBATCH --output=slurm-%j.out")
    return own + _requests(resources)


@lru_cache(maxsize=1000)
def _requests(resources: Resources) -> tuple[str, ...]:
    """The lines without those of the job's name; the jobs of a sweep ask for a few different resources."""
    options = {
        "open-mode": "append",
        "nodes": "1",
        "ntasks": "1",
        "cpus-per-task": str(resources.cpus or ""),
        "mem": resources.memory,
        "time": resources.time,
        "account": resources.account,
        "partition": resources.partition,
        "constraint": resources.constraint,
        "qos": resources.qos,
        "mail-user": resources.mail_user,
        "mail-type": (resources.mail_type or _MAILED) if resources.mail_user else "",
    }
    lines = [f"#SBATCH --{name}={sbatch_value('--' + name, value)}" for name, value in options.items() if value]
    lines.append("#SBATCH --requeue")  # the cluster requeues a job that it interrupted
    if resources.gpus:
        lines.append(f"#SBATCH {_gpu_option(resources)}")
    return tuple(lines)


def _gpu_option(resources: Resources) -> str:
    kind = f"{sbatch_value('the kind of GPU', resources.gpu_type)}:" if resources.gpu_type else ""
    if resources.gpu_syntax == "gres":
        return f"--gres=gpu:{kind}{resources.gpus}"
    return f"--{resources.gpu_syntax}={kind}{resources.gpus}"
