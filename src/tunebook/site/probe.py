"""Starts an environment as a job would, to see what its Python can import."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from tunebook.core.json_text import parse_json
from tunebook.core.paths import expanded
from tunebook.core.site import Environment
from tunebook.disk.program import own_python_first, run_program
from tunebook.errors import ToolError

__all__ = ["Probed", "probe"]

_ANSWER_S = 300.0  # a first import from a network file system is slow
_MARK = "tunebook-probe:"
_CODE = """\
import importlib, importlib.metadata, json, os, sys
versions, errors = {{}}, {{}}
for name in {names!r}:
    try:
        module = importlib.import_module(name)
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = str(getattr(module, "__version__", ""))
    except BaseException as error:
        errors[name] = f"{{type(error).__name__}}: {{error}}"
answer = [sys.executable, sys.prefix, os.environ.get("CONDA_PREFIX", ""), versions, errors]
print("\\n" + {mark!r} + json.dumps(answer), flush=True)
"""


@dataclass(frozen=True)
class Probed:
    """An environment's Python, and the modules that it can import.

    Attributes:
        failed: why it could not be started; empty if it could.
        versions: by name, of each module that could be imported.
        errors: by name, why the others could not.
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
    lines = "\n".join(modules or (":",))
    script = f"load_modules() {{\n{lines}\n}}\n{_script()}"
    code = _CODE.format(names=list(names), mark=_MARK)
    venv = expanded(environment.venv) if environment.venv else ""
    argv = ["bash", "-c", script, "bash", environment.conda_env, venv, code]
    env = own_python_first(os.environ) | {"HF_HUB_OFFLINE": "1"}
    try:
        answer = run_program(argv, timeout_s=_ANSWER_S, cwd=Path("/"), env=env)
    except ToolError as error:
        return Probed(failed=str(error))
    for line in answer.stdout.splitlines():
        if line.startswith(_MARK):
            return _probed(line.removeprefix(_MARK), venv, is_conda=bool(environment.conda_env))
    words = [line.strip() for line in answer.stderr.splitlines() if line.strip()]
    return Probed(failed="; ".join(words[-3:]) or f"exit code {answer.returncode}")


def _probed(document: str, venv: str, *, is_conda: bool) -> Probed:
    python, prefix, conda, versions, errors = parse_json(document)
    wanted = prefix
    if is_conda:
        wanted = conda
    if venv:
        wanted = venv
    if not wanted or os.path.realpath(prefix) != os.path.realpath(wanted):
        reason = f"activating it leads to {python}: it has no Python, or its path holds a quote or a $"
        return Probed(python, failed=reason)
    return Probed(python, versions=versions, errors=errors)


@lru_cache
def _script() -> str:
    return (files("tunebook.site") / "probe.sh").read_text(encoding="utf-8")
