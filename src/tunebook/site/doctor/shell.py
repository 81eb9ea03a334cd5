"""Variables of this shell that jobs inherit: some make a job wait for a network, or hide its packages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tunebook.core.site import Site
from tunebook.site.doctor.diagnosis import Diagnosis, doubt, fine, wrong
from tunebook.tools.job_script import shell_body

__all__ = ["diagnose_shell"]

_SET = re.compile(r"\b(\w+_OFFLINE)=1\b")
_REMOTE = re.compile(r"\bWANDB_MODE=(online|run)\b")


def diagnose_shell(env: Mapping[str, str], site: Site) -> Iterator[Diagnosis]:
    """Judges the variables of an environment that jobs start with, and those that module lines set.

    Args:
        env: the environment in which `tunebook run` would be started.
    """
    offline = _SET.findall(shell_body("environment"))
    yield fine(f"every job sets {', '.join(offline)}: it reads local files and waits for no network")
    mode = env.get("WANDB_MODE", "")
    is_remote = mode in {"online", "run"} or any(map(_REMOTE.search, site.modules))
    if is_remote:
        hint = "unset it: jobs then log offline, and `wandb sync` sends the logs later"
        message = "WANDB_MODE is online: a job on a node without internet waits for Weights & Biases"
        yield doubt(message, hint)
    for name in ("PYTHONPATH", "PYTHONHOME"):
        if env.get(name):
            judge = wrong if name == "PYTHONHOME" else doubt
            message = f"{name} is set ({env[name]}): jobs inherit it, and import packages from there"
            yield judge(message, f"`unset {name}` before `tunebook run`")
