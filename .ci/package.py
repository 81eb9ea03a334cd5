"""Builds the wheel and the sdist, installs the wheel into an empty environment, and uses it there as a new user would.

Every tracked file under ``src/tunebook`` must be in both, whatever its kind. The example's plan is scaffolded by
the wheel with the base dependencies only; a type checker must find the wheel's types. Needs PyPI, and about a minute.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_GIT = shutil.which("git") or "git"
_EXAMPLE = _ROOT / "tests" / "plans" / "capitalization_sweep"
_NEEDED_IN_SDIST = ("pyproject.toml", "README.md", "LICENSE")
_NOT_IN_SDIST = ("benchmarks", ".ci", "tests")
_HEAVY = ("torch", "transformers", "pandas")
_CLIENT = """\
from pathlib import Path

from tunebook.errors import Problem
from tunebook.core.units import minutes

def of(path: Path) -> str | None:
    found: float | None = minutes(path.name)
    return Problem("x").file if found else None

wrong: int = minutes("1h")
"""
_WRONG_LINE = 10  # of the client: the only error that a type checker may find there


def main() -> int:
    """Prints what is wrong, one line each; returns how many things are."""
    with tempfile.TemporaryDirectory(prefix="tunebook-package-") as name:
        wrong = list(_problems(Path(name)))
    for line in wrong:
        sys.stderr.write(f"package: {line}\n")
    sys.stdout.write(f"the wheel and the sdist: {len(wrong)} problem(s)\n")
    return min(len(wrong), 1)


def _problems(place: Path) -> Iterator[str]:
    _run([sys.executable, "-m", "build", "--outdir", str(place / "dist"), str(_ROOT)])
    wheel, sdist = next(place.glob("dist/*.whl")), next(place.glob("dist/*.tar.gz"))
    yield from _missing_files(wheel, sdist)
    python = _environment(place / "environment")
    _run([str(python), "-m", "pip", "install", "--quiet", str(wheel)])
    yield from _wrong_uses(python, place)
    yield from _wrong_types(python, place)


def _missing_files(wheel: Path, sdist: Path) -> Iterator[str]:
    """Compares both archives with the files that git tracks."""
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = set(archive.namelist())
    with tarfile.open(sdist) as archive:
        in_sdist = {member.name.partition("/")[2] for member in archive.getmembers()}
    tracked = _run([_GIT, "-C", str(_ROOT), "ls-files", "-z", "src/tunebook"]).rstrip("\0").split("\0")
    for path in tracked:
        if path.removeprefix("src/") not in in_wheel:
            yield f"{path} is not in the wheel"
    for path in {*tracked, *_NEEDED_IN_SDIST} - in_sdist:
        yield f"{path} is not in the sdist"
    if _links_in_metadata(wheel):
        yield "the wheel's description has links that lead nowhere on a package index"
    if not any(path.endswith("/licenses/LICENSE") for path in in_wheel):
        yield "the licence is not in the wheel"
    unexpected = {path.split("/")[0] for path in in_wheel if ".dist-info/" not in path} - {"tunebook"}
    unexpected |= {path.split("/")[0] for path in in_sdist} & set(_NOT_IN_SDIST)
    for name in sorted(unexpected):
        yield f"{name} should be in no archive"


def _links_in_metadata(wheel: Path) -> list[str]:
    """The relative links of the description, which an index shows without the files beside it."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return re.findall(r"\]\((?!https?:|#)[^)]*\)", archive.read(name).decode())


def _environment(folder: Path) -> Path:
    _run([sys.executable, "-m", "venv", str(folder)])
    return folder / "bin" / "python"


def _wrong_uses(python: Path, place: Path) -> Iterator[str]:
    """Uses the command as a new user would; returns what goes wrong."""
    program = str(python.with_name("tunebook"))
    version = _run([sys.executable, "-c", "import tunebook; print(tunebook.__version__)"]).strip()
    if _run([program, "--version"]).split() != ["tunebook", version]:
        yield f"`tunebook --version` is not that of the checkout, {version}"
    for arguments in (["--help"], ["tools"], ["run", "--help"]):
        if not _run([program, *arguments]).strip():
            yield f"`tunebook {' '.join(arguments)}` prints nothing"
    experiment = place / "experiment"
    shutil.copytree(_EXAMPLE, experiment)
    answer = json.loads(_run([program, "scaffold", "--json"], cwd=experiment))
    scripts = list(experiment.rglob("*.slurm"))
    if not answer["ok"] or not scripts:
        yield f"the example was not scaffolded: {answer['errors']}, {len(scripts)} scripts"
    heavy = f"import importlib.util as u; print([m for m in {_HEAVY!r} if u.find_spec(m)])"
    if _run([str(python), "-c", heavy]).strip() != "[]":
        yield "the base installation brings heavy libraries"
    state = json.loads(_run([program, "doctor", "--json"], cwd=place))
    if state["data"]["has_plan"] or not state["ok"]:
        yield f"`tunebook doctor` finds problems in an empty environment: {state['errors']}"


def _wrong_types(python: Path, place: Path) -> Iterator[str]:
    """Has a type checker read a program that uses the wheel: without ``py.typed`` it would know no types."""
    client = place / "client.py"
    client.write_text(_CLIENT, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python), "--cache-dir", str(place)]
    done = subprocess.run([*command, str(client)], cwd=place, capture_output=True, text=True, check=False)
    errors = [line for line in done.stdout.splitlines() if ": error:" in line]
    if len(errors) != 1 or f"client.py:{_WRONG_LINE}: error: Incompatible types" not in errors[0]:
        yield f"a type checker does not see the wheel's types: {done.stdout.strip() or done.stderr.strip()}"


def _run(argv: Sequence[str], *, cwd: Path | None = None) -> str:
    """Runs a program out of reach of this checkout; a failure ends the script with the program's output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(argv, cwd=cwd, env=kept, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"package: {' '.join(argv)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
