"""What a job inherits from the shell that tunebook was started in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["RESUME", "job_environment"]

RESUME = "TUNEBOOK_RESUME"
"""The variable that tells a script that an earlier submission of its job was interrupted."""
_FOREIGN = ("SLURM_", "SBATCH_", "SQUEUE_", "SACCT_", "SCANCEL_")
_KEPT = ("SLURM_CONF", "SLURM_JWT")


def job_environment() -> dict[str, str]:
    """This process's environment without what a surrounding SLURM job or its submission says.

    Nor is there what a person's shell has SLURM's programs filter: a job that they leave out would count as gone.

    The programs beside the Python that runs tunebook come first: a script that activates no environment of its own
    gets this one, whether or not it was activated in the shell.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    env.pop(RESUME, None)
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)])
    return env | {name: os.environ[name] for name in _KEPT if name in os.environ}
