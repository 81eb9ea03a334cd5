"""Chooses and runs the tests that may notice a fault in a line of ``src``.

The tests run in forks of this process, which has already imported pytest and the libraries that take seconds to
import, but nothing of tunebook.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import psutil
import pytest
from coverage.numbits import num_in_numbits

ROOT = Path(__file__).parents[2]
_BROKEN = "pytest itself failed"
_EXECUTED = """
select path, context, numbits from line_bits
join file on file.id = file_id join context on context.id = context_id
"""
_LIBRARIES = (
    "hypothesis",
    "inspect_ai",
    "jinja2",
    "omegaconf",
    "pandas",
    "pyarrow.parquet",
    "questionary",
    "rich",
    "scipy.stats",
    "statsmodels.api",
    "torch",
    "torchtune.training",
    "transformers",
    "typer",
    "vl_convert",
)
# They start SLURM or a browser, train for minutes, or test no behaviour of the rooms that get faults.
_NOT_RECORDED = (
    "tests/analysis/charts",
    "tests/analysis/report/test_html.py",
    "tests/api",
    "tests/cli/test_completion.py",
    "tests/cli/test_startup.py",
    "tests/demo",
    "tests/design/test_design_session.py",
    "tests/end_to_end",
    "tests/run/test_resume.py",
    "tests/run/test_retry_oom.py",
    "tests/run/test_slurm.py",
    "tests/run/test_slurm_faults.py",
    "tests/test_architecture.py",
    "tests/test_docs.py",
)


@dataclass(frozen=True)
class Record:
    """The tests that execute each line, and how many seconds each test took.

    Attributes:
        executed: file, relative to ``src``, to the contexts that executed lines of it, and to these lines as coverage
            packs them. The context of importing is empty, the others are ``TEST|PHASE``.
        seconds: the duration of each test that passed.
    """

    executed: dict[str, list[tuple[str, bytes]]]
    seconds: dict[str, float]

    def tests_of(self, path: str) -> list[str]:
        """The tests that use a file, nearest first."""
        return self._tests(path, {name for name, _ in self.executed.get(path, [])})

    def tests_for(self, path: str, line: int, end_line: int) -> list[str]:
        """The tests that execute some of the lines, nearest first; those that use the file if only importing does."""
        numbers = range(line, end_line + 1)
        contexts = self.executed.get(path, [])
        found = {name for name, packed in contexts if any(num_in_numbits(number, packed) for number in numbers)}
        return self.tests_of(path) if found == {""} else self._tests(path, found)

    def _tests(self, path: str, contexts: set[str]) -> list[str]:
        tests: set[str] = set()
        for context in contexts:
            test, _, phase = context.rpartition("|")
            tests.add(test)
            if phase == "setup":  # a fixture that several tests share runs in the set-up of the first
                file = test.partition("::")[0]
                tests |= {other for other in self.seconds if other.startswith(f"{file}::")}
        known = [test for test in tests if test in self.seconds]
        return sorted(known, key=lambda test: (*_distance(path, test), self.seconds[test], test))

    def limit(self, tests: Sequence[str]) -> float:
        """Seconds after which the tests hang: far above what they took, also on a busy machine."""
        return 120 + 10 * sum(self.seconds[test] for test in tests)


def _distance(path: str, test: str) -> tuple[int, int]:
    """How far a test's file is from a module: by the folders that they share, then by the words of the names."""
    module = Path(path).relative_to("tunebook").with_suffix("")
    file = Path(test.partition("::")[0]).relative_to("tests").with_suffix("")
    shared = 0
    for ours, theirs in zip(module.parts[:-1], file.parts[:-1], strict=False):
        if ours != theirs:
            break
        shared += 1
    words = set(re.split(r"[/_]", str(module))) & set(re.split(r"[/_]", file.name))
    return -shared, -len(words)


def record_tests(database: Path) -> None:
    """Runs the quick tests and records which of them execute which line, and their durations."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={database}.xml"]
    command += ["--cov=tunebook", "--cov-context=test", "--cov-report=", "--numprocesses=2", "--dist=loadfile"]
    command += [f"--ignore={path}" for path in _NOT_RECORDED]
    env = os.environ | {"COVERAGE_FILE": str(database), "COVERAGE_CORE": "ctrace"}
    subprocess.run(command, cwd=ROOT, env=env, check=False)


def read_record(database: Path) -> Record:
    """Reads what :func:`record_tests` wrote; tests that failed or were skipped are left out."""
    seconds = {}
    for case in ET.parse(f"{database}.xml").iter("testcase"):  # noqa: S314  pytest wrote it
        if all(case.find(word) is None for word in ("failure", "error", "skipped")):
            file = case.attrib["classname"].replace(".", "/") + ".py"
            seconds[f"{file}::{case.attrib['name']}"] = float(case.attrib["time"])
    executed: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    with closing(sqlite3.connect(database)) as connection:
        for path, context, packed in connection.execute(_EXECUTED):
            executed[path.partition("/src/")[2]].append((context, packed))
    return Record(executed, seconds)


@dataclass(frozen=True)
class Trial:
    """One faulty file and the tests that run with it."""

    name: str
    path: str
    faulty: str
    tests: tuple[str, ...]
    limit_s: float


@dataclass
class _Running:
    trial: Trial
    scratch: Path
    started: float = field(default_factory=time.monotonic)

    def outcome(self) -> tuple[bool, str]:
        """Whether a test failed, and its name."""
        seconds = time.monotonic() - self.started
        try:
            failed = json.loads((self.scratch / "failed.json").read_text(encoding="utf-8"))
        except OSError:
            return True, f"the interpreter ended before the tests did, {seconds:.0f} s"
        if failed == [_BROKEN]:
            raise RuntimeError(f"{_BROKEN} with {self.trial.name}; see {self.scratch.with_suffix('.log')}")
        why = failed[0] if failed else f"{len(self.trial.tests)} tests"
        return bool(failed), f"{why}, {seconds:.0f} s"


def run_trials(trials: Sequence[Trial], workers: int) -> Iterator[tuple[Trial, tuple[bool, str]]]:
    """Runs the trials, ``workers`` at a time, and yields whether a test noticed the fault, and which."""
    for library in _LIBRARIES:
        importlib.import_module(library)
    waiting = list(trials)
    running: dict[int, _Running] = {}
    while waiting or running:
        while waiting and len(running) < workers:
            trial = waiting.pop(0)
            if not trial.tests:
                yield trial, (False, "no quick test executes the line")
                continue
            scratch = Path(tempfile.mkdtemp(prefix="mutant-"))
            process = os.fork()
            if process == 0:
                _run_tests(trial, scratch)
            running[process] = _Running(trial, scratch)
        for process, one in list(running.items()):
            ended, _ = os.waitpid(process, os.WNOHANG)
            if ended:
                result = one.outcome()
            elif time.monotonic() - one.started > one.trial.limit_s:
                _kill(process)
                result = True, f"the tests hang: over {one.trial.limit_s:.0f} s"
            else:
                continue
            del running[process]
            shutil.rmtree(one.scratch, ignore_errors=True)
            yield one.trial, result
        time.sleep(0.05)


def _run_tests(trial: Trial, scratch: Path) -> None:
    """Runs the tests on a copy of ``src`` with the fault. Never returns: this is the forked process."""
    failed: list[str] = []
    try:
        source = scratch / "src"
        shutil.copytree(ROOT / "src", source)
        (source / trial.path).write_text(trial.faulty, encoding="utf-8")
        _set_up_process(source, scratch)
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:anyio", "-p", "no:pytest_cov"]
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning", f"--basetemp={scratch / 'tests'}"]
        code = pytest.main([*options, *trial.tests], plugins=[_Failures(failed)])
        if code == pytest.ExitCode.USAGE_ERROR and b"while loading conftest" in (scratch / "output").read_bytes():
            failed.append("conftest.py cannot be imported")
        elif code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED}:
            failed = [_BROKEN]
            shutil.copy(scratch / "output", scratch.with_suffix(".log"))
        (scratch / "failed.json").write_text(json.dumps(failed), encoding="utf-8")
    finally:
        os._exit(0)


def _set_up_process(source: Path, scratch: Path) -> None:
    from hypothesis import settings

    os.setsid()
    with (scratch / "output").open("wb") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    os.chdir(ROOT)
    os.environ |= {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(source))
    # The same examples on every run, without those that an earlier fault left behind.
    settings.register_profile("mutants", database=None, derandomize=True)
    settings.load_profile("mutants")


@dataclass(eq=False)  # pytest keeps plug-ins in a set
class _Failures:
    """A plug-in of pytest that keeps the names of the tests that failed."""

    names: list[str]

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.names.append(report.nodeid)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.names.append(f"{report.nodeid} (collecting)")


def _kill(process: int) -> None:
    tree = [*psutil.Process(process).children(recursive=True), psutil.Process(process)]
    for one in tree:
        one.kill()
    os.waitpid(process, 0)
