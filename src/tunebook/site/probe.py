"""Starts an environment as a job would, to see what its Python can import."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from tunebook.core.site import Environment
from tunebook.disk.program import own_python_first, run_program
from tunebook.errors import ToolError

__all__ = ["Probed", "probe"]

_ANSWER_S = 300.0  # a first import from a network file system is slow
_MARK = "tunebook-probe:"
_CODE = """\
import importlib, importlib.metadata, json, os, sys
found = {{}}
for name in {names!r}:
    try:
        module = importlib.import_module(name)
        try:
            found[name] = [True, importlib.metadata.version(name)]
        except importlib.metadata.PackageNotFoundError:
            found[name] = [True, str(getattr(module, "__version__", ""))]
    except BaseException as error:
        found[name] = [False, f"{{type(error).__name__}}: {{error}}"]
told = [sys.executable, sys.prefix, os.environ.get("CONDA_PREFIX", ""), found]
print("\\n" + {mark!r} + json.dumps(told), flush=True)
"""


@dataclass(frozen=True)
class Probed:
    """What an environment can import.

    Attributes:
        failed: why it could not be started; empty if it could.
        versions: of each module that could be imported.
        errors: why the others could not.
    """

    python: str = ""
    failed: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


def probe(environment: Environment, *, modules: Sequence[str], names: Sequence[str]) -> Probed:
    """Loads the site's modules, activates the environment and imports Python modules; installs and changes nothing.

    Args:
        environment: of the site settings; without one the Python that runs tunebook, which a job gets too.
        modules: the site's module lines, which are shell commands, as in a job's script.
        names: the Python modules to import.
    """
    lines = "\n".join(f"    {line}" for line in modules or (":",))
    script = f"load_modules() {{\n{lines}\n}}\n{_script()}"
    code = _CODE.format(names=list(names), mark=_MARK)
    venv = str(Path(environment.venv).expanduser()) if environment.venv else ""
    try:
        argv = ["bash", "-c", script, "bash", environment.conda_env, venv, code]
        answer = run_program(argv, timeout_s=_ANSWER_S, cwd=Path("/"), env=_environment())
    except ToolError as error:
        return Probed(failed=str(error))
    told = next((line for line in answer.stdout.splitlines() if line.startswith(_MARK)), None)
    if told is None:
        words = [line.strip() for line in answer.stderr.splitlines() if line.strip()]
        return Probed(failed="; ".join(words[-3:]) or f"exit code {answer.returncode}")
    python, prefix, conda, found = json.loads(told.removeprefix(_MARK))
    wanted = venv or (conda if environment.conda_env else prefix)
    if not wanted or os.path.realpath(prefix) != os.path.realpath(wanted):
        return Probed(
            python, failed=f"activating it leads to {python}: it has no Python, or its path holds a quote or a $"
        )
    return Probed(
        python,
        versions={name: text for name, (works, text) in found.items() if works},
        errors={name: text for name, (works, text) in found.items() if not works},
    )


@lru_cache
def _script() -> str:
    return (files("tunebook.site") / "probe.sh").read_text(encoding="utf-8")


def _environment() -> dict[str, str]:
    """The environment as in a job."""
    return own_python_first(os.environ) | {"HF_HUB_OFFLINE": "1"}
