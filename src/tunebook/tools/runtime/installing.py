"""The words that name how to install a package, and tunebook's own extras: the only place that has them.

There is no release of tunebook yet: an extra is installed from where this tunebook came from, a checkout or a wheel.
Jobs use these words too. Standard library only.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["install_anywhere", "install_here", "install_into", "own_source"]

_NAME = "tunebook"
_UNKNOWN = "PATH"
_EXPLAINED = "PATH is a checkout or a wheel of tunebook"


def install_here(*requirements: str) -> str:
    """The command that adds one of some requirements (``tunebook[trl]``) to the environment that runs this."""
    source, prefix = own_source(), Path(sys.prefix)
    is_own = all(map(_is_own, requirements))
    packages = _packages(requirements, source)
    command = f"pip install -e {packages}" if is_own and _is_editable() else f"pip install {packages}"
    if (prefix / "pipx_metadata.json").is_file():
        command = f"pipx install --force {packages}" if is_own else f"pipx inject {_NAME} {packages}"
    elif (prefix / "uv-receipt.toml").is_file():
        words = packages if is_own else f"--with {packages} {shlex.quote(_package(_NAME, source))}"
        command = f"uv tool install --force {words}"
    return _explained(command)


def install_into(*requirements: str) -> str:
    """The command that adds one of some requirements to another environment, in which it is entered."""
    return _explained(f"pip install {_packages(requirements, own_source())}")


def install_anywhere(requirement: str) -> str:
    """The command in words that name no path: for texts that are written to files, which other machines read."""
    named = _package(requirement, "") if _is_own(requirement) else requirement
    return _explained(f"pip install '{named}'")


def own_source() -> str:
    """Where this tunebook was installed from: the path of a checkout or a wheel, or a repository's address.

    Empty if its installer did not record it, or if the path no longer exists.
    """
    return _source(_NAME)


def _source(name: str) -> str:
    """Where a distribution was installed from, as :func:`own_source`; empty for one from a package index."""
    origin = _origin(name)
    url = urlsplit(str(origin.get("url", "")))
    if url.scheme == "file":
        path = unquote(url.path)
        return path if Path(path).exists() else ""
    repository = origin.get("vcs_info")
    if isinstance(repository, dict):
        return f"{repository.get('vcs')}+{origin['url']}@{repository.get('commit_id')}"
    return ""


def _origin(name: str) -> dict[str, Any]:
    """The record that installers leave (PEP 610); empty without one."""
    try:
        document = json.loads(distribution(name).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _is_own(requirement: str) -> bool:
    return requirement.partition("[")[0] == _NAME


def _package(requirement: str, source: str) -> str:
    """The argument of an installer: the place that a package came from, such as a plug-in's directory, or its name."""
    name = requirement.partition("[")[0]
    is_own = name == _NAME
    place = source if is_own else _source(name)
    if "+" in place.partition("://")[0]:
        return f"{requirement} @ {place}"
    if not place and not is_own:
        return requirement  # from a package index
    return (place or _UNKNOWN) + requirement.removeprefix(name)


def _packages(requirements: Sequence[str], source: str) -> str:
    return " or ".join(shlex.quote(_package(requirement, source)) for requirement in requirements)


def _is_editable() -> bool:
    details = _origin(_NAME).get("dir_info")
    return isinstance(details, dict) and bool(details.get("editable")) and own_source() != ""


def _explained(command: str) -> str:
    is_unknown = f"{_UNKNOWN}[" in command or command.endswith(f" {_UNKNOWN}")
    return f"{command} ({_EXPLAINED})" if is_unknown else command
