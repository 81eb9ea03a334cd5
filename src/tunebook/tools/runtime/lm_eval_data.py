"""Downloads the data of a standard benchmark of lm-evaluation-harness on a machine with internet: jobs are offline.

Run by a person (``python -m tunebook.tools.runtime.lm_eval_data BENCHMARK``) in the environment of the evaluations.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping, Sequence
from pathlib import Path

from tunebook.tools.runtime.installing import install_here

__all__ = ["datasets_cache", "main", "use_shared_cache"]


def datasets_cache(environment: MutableMapping[str, str]) -> Path:
    """The directory in which data sets of the Hugging Face Hub are prepared: below ``HF_HOME`` where that is set."""
    home = environment.get("HF_HOME")
    if home:
        return Path(home).expanduser() / "datasets"
    cache = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "huggingface" / "datasets"


def use_shared_cache(environment: MutableMapping[str, str]) -> None:
    """Lets a job find the data that :func:`main` has downloaded; every other job has a cache of its own."""
    environment["HF_DATASETS_CACHE"] = str(datasets_cache(environment))


def main(arguments: Sequence[str] | None = None) -> int:
    """``BENCHMARK …``: downloads the data of each."""
    names = list(arguments if arguments is not None else sys.argv[1:])
    if not names:
        sys.stderr.write("tunebook: name a benchmark of lm-eval, such as hellaswag\n")
        return 2
    use_shared_cache(os.environ)
    try:
        from lm_eval.tasks import TaskManager

        loaded = TaskManager().load(names)
    except ImportError as error:
        sys.stderr.write(f"tunebook: {error}: install what evaluations need: {install_here('tunebook[lm-eval]')}\n")
        return 1
    except (KeyError, OSError, ValueError) as error:
        sys.stderr.write(f"tunebook: {error}\n")
        return 1
    for name in loaded["tasks"]:
        sys.stdout.write(f"the data of {name} is in {os.environ['HF_DATASETS_CACHE']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
