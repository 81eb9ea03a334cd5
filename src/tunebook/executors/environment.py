"""The environment that a job inherits from the shell in which tunebook was started."""

from __future__ import annotations

from tunebook.disk.program import own_python_first
from tunebook.slurm.programs import environment_outside_slurm

__all__ = ["RESUME", "TAG", "job_environment"]

RESUME = "TUNEBOOK_RESUME"
"""The variable that is set if an earlier submission of the job was interrupted."""
TAG = "TUNEBOOK_TAG"
"""The variable with the submission's tag, which all processes of the job inherit."""


def job_environment(tag: str, *, resume: bool = False) -> dict[str, str]:
    """Returns this process's environment without a surrounding job's, with the variables of this submission.

    A script that activates no environment of its own gets the Python that runs tunebook, whether or not that is
    activated in the shell.
    """
    env = own_python_first(environment_outside_slurm())
    env.pop(RESUME, None)
    if resume:
        env[RESUME] = "1"
    return env | {TAG: tag}
