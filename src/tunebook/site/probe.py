"""Starts an environment as a job would, to see what its Python can import and which packages it has."""

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
from tunebook.errors import TookTooLongError, ToolError
from tunebook.tools.fitting import Installed

__all__ = ["ANSWER_S", "Probed", "probe"]

ANSWER_S = 300.0
"""The longest that an environment may take: a first import from a network file system is slow."""
_MARK = "tunebook-probe:"
_CODE = """\
import importlib, importlib.metadata, json, os, site, sys
versions, errors, found, users = {{}}, {{}}, {{}}, []
for name in {names!r}:
    try:
        module = importlib.import_module(name)
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = str(getattr(module, "__version__", ""))
    except BaseException as error:
        errors[name] = f"{{type(error).__name__}}: {{error}}"
        continue
    if str(getattr(module, "__file__", "")).startswith(site.getusersitepackages()):
        users.append(name)
answer = {{
    "python": sys.executable,
    "prefix": sys.prefix,
    "conda": os.environ.get("CONDA_PREFIX", ""),
    "versions": versions,
    "errors": errors,
    "users": users,
    "python_version": ".".join(map(str, sys.version_info[:3])),
}}
if {listed}:
    for item in importlib.metadata.distributions():
        try:
            found.setdefault(item.metadata["Name"], [item.version, item.requires or []])
        except Exception:
            pass
    answer["packages"] = {{name: of_name for name, of_name in found.items() if name}}
    try:
        answer["sees_gpu"] = bool(importlib.import_module("torch").cuda.is_available())
    except Exception:
        answer["sees_gpu"] = None
    try:
        from tunebook.tools.runtime.versions import code_digest
        answer["code"] = code_digest()
    except Exception:
        answer["code"] = ""
print("\\n" + {mark!r} + json.dumps(answer), flush=True)
"""


@dataclass(frozen=True)
class Probed:
    """An environment's Python, and the modules that it can import.

    Attributes:
        failed: why it could not be started; empty if it could.
        versions: by name, of each module that could be imported.
        errors: by name, why the others could not.
        from_user_site: the imported modules that come from the person's own ``~/.local`` instead of the environment.
        python_version: as in ``3.11.2``.
        packages: every installed distribution, if they were asked for.
        sees_gpu: whether torch finds a GPU on this machine; ``None`` without torch, or if nobody asked.
        code: the digest of tunebook's modules that run inside jobs; empty without tunebook, or for an older one.
        took_too_long: whether it was given up because it did not answer in time.
    """

    python: str = ""
    failed: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    from_user_site: tuple[str, ...] = ()
    python_version: str = ""
    packages: Mapping[str, Installed] = field(default_factory=dict)
    sees_gpu: bool | None = None
    code: str = ""
    took_too_long: bool = False


def probe(
    environment: Environment,
    *,
    modules: Sequence[str],
    names: Sequence[str],
    timeout_s: float = ANSWER_S,
    with_packages: bool = False,
) -> Probed:
    """Loads the site's modules, activates the environment and imports Python modules; installs and changes nothing.

    Args:
        environment: of the site settings; without one the Python that runs tunebook, which a job gets too.
        modules: the site's module lines, which are shell commands, as in a job's script.
        names: the Python modules to import.
        timeout_s: the longest that it may take.
        with_packages: whether to list the installed packages, and to ask torch for a GPU.
    """
    lines = "\n".join(modules or (":",))
    script = f"load_modules() {{\n{lines}\n}}\n{_script()}"
    code = _CODE.format(names=list(names), mark=_MARK, listed=with_packages)
    venv = expanded(environment.venv) if environment.venv else ""
    argv = ["bash", "-c", script, "bash", environment.conda_env, venv, code]
    env = own_python_first(os.environ) | {"HF_HUB_OFFLINE": "1"}
    try:
        answer = run_program(argv, timeout_s=timeout_s, cwd=Path("/"), env=env)
    except ToolError as error:
        return Probed(failed=str(error), took_too_long=isinstance(error, TookTooLongError))
    for line in answer.stdout.splitlines():
        if line.startswith(_MARK):
            return _probed(line.removeprefix(_MARK), venv, is_conda=bool(environment.conda_env))
    words = [line.strip() for line in answer.stderr.splitlines() if line.strip()]
    return Probed(failed="; ".join(words[-3:]) or f"exit code {answer.returncode}")


def _probed(document: str, venv: str, *, is_conda: bool) -> Probed:
    answer = parse_json(document)
    python, prefix = answer["python"], answer["prefix"]
    wanted = prefix
    if is_conda:
        wanted = answer["conda"]
    if venv:
        wanted = venv
    if not wanted or os.path.realpath(prefix) != os.path.realpath(wanted):
        reason = f"activating it leads to {python}: it has no Python, or its path holds a quote or a $"
        return Probed(python, failed=reason)
    return Probed(
        python,
        versions=answer["versions"],
        errors=answer["errors"],
        from_user_site=tuple(answer["users"]),
        python_version=answer["python_version"],
        packages={
            name: Installed(of_name[0], tuple(of_name[1])) for name, of_name in answer.get("packages", {}).items()
        },
        sees_gpu=answer.get("sees_gpu"),
        code=answer.get("code", ""),
    )


@lru_cache
def _script() -> str:
    return (files("tunebook.site") / "probe.sh").read_text(encoding="utf-8")
