"""Files that are proven to be right are not parsed again; whatever weakens the proof has them parsed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import pytest

from support.scaffolding import replace, scaffolded
from tunebook.api.loading import load
from tunebook.core.paths import VERIFIED
from tunebook.errors import ExitCode
from tunebook.scaffold import verified
from tunebook.scaffold.blueprint import Part, build_blueprint
from tunebook.scaffold.verified import VerifiedRuns
from tunebook.scaffold.verify import verify_part
from tunebook.tools.base import Unit
from tunebook.tools.inspect.tool import InspectTool
from tunebook.tools.torchtune.tool import TorchtuneTool

PLAN = "experiment_summary.md"
FIRST = "rank8_lr1e-5"


@pytest.fixture
def read_back(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The directories of the runs whose files are verified, once for each tool."""
    found: list[str] = []
    for tool in (TorchtuneTool, InspectTool):
        verify = tool.verify

        def recorded(
            self: Any, context: Any, run: Any, unit: Unit, read: Any, verify: Callable[..., Any] = verify
        ) -> Any:
            found.append(context.directories[run.name])
            return verify(self, context, run, unit, read)

        monkeypatch.setattr(tool, "verify", recorded)
    return found


@pytest.fixture
def done(experiment: Path, read_back: list[str]) -> Path:
    """The experiment, scaffolded and verified."""
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    assert read_back.count(FIRST) == 2
    read_back.clear()
    return experiment


def record(experiment: Path) -> dict[str, dict[str, str]]:
    return dict(json.loads((experiment / VERIFIED).read_text())["runs"])


def write_record(experiment: Path, runs: object) -> None:
    (experiment / VERIFIED).write_text(json.dumps({"version": 1, "runs": runs}))


def reads_and_accepts(_: object, _context: object, _run: object, unit: Unit, read: Callable[[str], str]) -> tuple[()]:
    for file in unit.files:
        read(file.path)
    return ()


def part_of(experiment: Path) -> Part:
    loaded = load(experiment)
    return build_blueprint(loaded.tools, loaded.context).parts[0]


def test_unchanged_files_are_verified_once(done: Path, read_back: list[str]) -> None:
    assert scaffolded(done).exit_code is ExitCode.DONE
    assert read_back == []


def test_a_changed_file_is_verified_again_and_again(done: Path, read_back: list[str]) -> None:
    script = done / FIRST / "finetune.slurm"
    script.write_text(script.read_text().replace("epochs=", "epochs=7"))
    for _ in range(2):
        report = scaffolded(done)
        assert any("epochs should be" in problem.message for problem in report.warnings)
    assert read_back == [FIRST, FIRST]
    read_back.clear()
    scaffolded(done, overwrite=True)
    assert read_back == [FIRST]
    scaffolded(done)
    assert read_back == [FIRST]


def test_a_missing_file_is_written_and_verified(done: Path, read_back: list[str]) -> None:
    (done / FIRST / "finetune.yaml").unlink()
    assert scaffolded(done).exit_code is ExitCode.DONE
    assert read_back == [FIRST]


def test_another_digest_in_the_record_proves_nothing(done: Path, read_back: list[str]) -> None:
    runs = record(done)
    names = list(runs["torchtune"])
    runs["torchtune"][names[0]], runs["torchtune"][names[1]] = (runs["torchtune"][name] for name in names[1::-1])
    write_record(done, runs)
    scaffolded(done)
    assert len(read_back) == 2
    scaffolded(done)
    assert len(read_back) == 2


@pytest.mark.parametrize(
    "text", ["", "[]", "\xff{", '{"version": 2, "runs": {}}', '{"version": 1, "runs": {"torchtune": 1}}']
)
def test_a_record_that_cannot_be_read_proves_nothing(done: Path, read_back: list[str], text: str) -> None:
    known = record(done)
    (done / VERIFIED).write_text(text, encoding="latin-1")
    assert scaffolded(done).exit_code is ExitCode.DONE
    assert len(read_back) == sum(map(len, known.values()))
    assert record(done) == known


def test_a_changed_plan_is_verified(done: Path, read_back: list[str]) -> None:
    replace(done / PLAN, "- **Seed:** 14", "- **Seed:** 15")
    assert scaffolded(done).exit_code is ExitCode.DONE
    trained = 2 * len(record(done)["torchtune"])  # the base model has no seed
    assert len(read_back) == trained


def test_another_version_of_the_code_verifies_again(
    done: Path, read_back: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified, "installed_code", lambda: "another version")
    assert scaffolded(done).exit_code is ExitCode.DONE
    assert len(read_back) == sum(map(len, record(done).values()))


def test_the_proof_is_of_these_values_and_these_texts(done: Path) -> None:
    part, known = part_of(done), VerifiedRuns(done)
    unit = part.built[0].unit
    assert known.has(part.tool, unit)
    assert not known.has(part.tool, changed(unit, values="f" * 64))
    longer = changed(unit.files[0], end="# more\n")
    assert not known.has(part.tool, changed(unit, files=(longer, *unit.files[1:])))
    assert not known.has(InspectTool(), unit)


def test_a_tool_that_promises_nothing_is_always_asked(done: Path) -> None:
    part, known = part_of(done), VerifiedRuns(done)
    unit = changed(part.built[0].unit, values="")
    known.add(part.tool, unit)
    assert not known.has(part.tool, unit)


def test_other_texts_on_the_disk_are_no_proof_even_if_they_are_right(
    done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file may have changed between writing and reading."""
    part = part_of(done)
    write_record(done, {})
    known = VerifiedRuns(done)
    monkeypatch.setattr(TorchtuneTool, "verify", reads_and_accepts)
    verify_part(known, part, (), lambda _: "another text")
    known.save({part.tool.short: part.runs})
    assert record(done) == {part.tool.short: {}}


def test_runs_that_left_the_plan_leave_the_record(done: Path) -> None:
    name = next(iter(record(done)["torchtune"]))
    known = VerifiedRuns(done)
    known.save({"torchtune": [name]})
    assert list(record(done)) == ["torchtune"]
    assert list(record(done)["torchtune"]) == [name]


def test_the_log_says_which_runs_were_read_back(done: Path) -> None:
    log = done / "scaffold-torchtune.log"
    runs = len(record(done)["torchtune"])
    assert f"every file of {runs} runs was read back and matches the plan" in log.read_text()
    log.unlink()
    scaffolded(done)
    assert "read back" not in log.read_text()
    assert f"Result: {runs} runs not read again: unchanged since they were found to match the plan" in log.read_text()
    log.unlink()
    (done / FIRST / "finetune.yaml").unlink()
    scaffolded(done)
    assert f"every file of 1 run was read back and matches the plan; {runs - 1} runs not read again" in log.read_text()
