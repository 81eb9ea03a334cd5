"""Installs plug-ins for tests without pip and without a network: a package and its metadata in a directory."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

__all__ = ["TOYTRAINER", "install_project", "write_distribution"]

TOYTRAINER = Path(__file__).parents[2] / "examples" / "plugin"


def write_distribution(site: Path, *, name: str, entry_points: dict[str, str], group: str = "tunebook.tools") -> None:
    """Writes the metadata of an installed distribution: version 1.0 and its entry points."""
    folder = site / f"{name.replace('-', '_')}-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{key} = {value}" for key, value in entry_points.items()]
    (folder / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))


def install_project(project: Path, site: Path) -> None:
    """Installs a pure Python project with a ``src`` layout as ``pip install --target SITE`` would."""
    shutil.copytree(project / "src", site, dirs_exist_ok=True)
    described = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    for group, points in described["entry-points"].items():
        write_distribution(site, name=described["name"], entry_points=points, group=group)
