"""The child of the part ``fuzz``: gives changed files to tunebook, one after the other, and records what it does.

``python -m stress.fuzzed EXPERIMENT FOLDER SEED FIRST LAST`` writes the input that it is at into ``FOLDER/now``, and
each fault as a line into ``FOLDER/faults.jsonl``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import yaml

from stress.hostile_values import texts
from stress.mutation import mutated
from stress.verbs import LONGEST_S, TooSlowError, keep_inside, place_of, restore, verb, within
from support.plans import EXAMPLE
from tunebook.artifacts.metrics import parse_metrics
from tunebook.artifacts.outcome import parse_outcome
from tunebook.core.hypothesis_grammar import parse_hypothesis
from tunebook.core.plan import parse_plan, read_tools
from tunebook.core.site_reading import parse_site
from tunebook.core.units import read_duration
from tunebook.errors import TunebookError
from tunebook.tools.parameters import installed_parameters
from tunebook.tools.runtime.yaml_reading import load_yaml

__all__ = ["COMMANDS", "FOUND", "main", "replay"]

FOUND = Path(__file__).with_name("found")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("check",),
    ("status",),
    ("scaffold", "--dry-run"),
    ("run", "--dry-run", "--executor", "local"),
    ("status", "--json"),
    ("check", "--json"),
)
_SENTENCES = (
    "H1: rank 64 > rank 8 on capitalization by 5 points: more capacity helps",
    "`a` = `b` within 2 points (for model x), measured by exact",
    "fine-tuned > base",
)
_YAML_PLANS = Path(__file__).parents[1] / "yaml_plans"


class _Experiment:
    """A finished experiment; a file of it is changed for one command and then put back."""

    def __init__(self, pristine: Path, folder: Path) -> None:
        self.path = folder / "experiment"
        self._pristine = pristine
        restore(self._pristine, self.path)
        self.files = [str(path.relative_to(self.path)) for path in sorted(self.path.rglob("*")) if _is_input(path)]

    def with_content(self, name: str, content: bytes, command: Sequence[str]) -> str:
        """What is wrong with how a command ends where the file has this content."""
        file = self.path / name
        before = file.read_bytes()
        file.write_bytes(content)
        try:
            fault = verb([*command, str(self.path)]).fault
        finally:
            for report in (self.path / ".tunebook").glob("bug-*.txt"):
                report.unlink()
        try:
            file.write_bytes(before)
        except OSError:
            restore(self._pristine, self.path)
        return fault


def _is_input(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and "lock" not in path.name and path.suffix != ".log"


def _parse(function: Callable[[str], object], content: bytes) -> str:
    """What is wrong with how a function of text ends: it may raise ``ValueError``, ``YAMLError`` or one of ours."""
    text = content.decode("utf-8", "surrogateescape")
    try:
        with suppress(ValueError, yaml.YAMLError, TunebookError), within():
            function(text)
    except TooSlowError:
        return f"it took over {LONGEST_S} s"
    except BaseException as error:  # noqa: BLE001
        return f"{error!r}: {place_of(error)}"
    return ""


_PLAN = (EXAMPLE / "experiment_summary.md").read_bytes()
_PARAMETERS = installed_parameters(read_tools(_PLAN.decode()))
_METRICS = b'{"step": 1, "loss": 0.5, "epoch": 0, "time": 1.5}\n'
_PARSERS: dict[str, tuple[Callable[[str], object], Sequence[bytes]]] = {
    "plan": (lambda text: parse_plan(text, _PARAMETERS), [_PLAN]),
    "site": (parse_site, [(EXAMPLE / "claude.local.md").read_bytes()]),
    "tools": (read_tools, [_PLAN]),
    "hypothesis": (parse_hypothesis, [sentence.encode() for sentence in _SENTENCES]),
    "duration": (read_duration, [b"1:30:00", b"2 hours", b"1-00:00:00", b"90 min"]),
    "yaml": (load_yaml, [path.read_bytes() for path in sorted(_YAML_PLANS.glob("*.yaml"))]),
    "outcome": (parse_outcome, [b'{"exit_code": 0, "started": "2026-01-01T10:00:00Z", "ended": "", "host": "a"}']),
    "metrics": (lambda text: parse_metrics(text.split("\n")), [3 * _METRICS]),
}


def _try(number: int, random: Random, experiment: _Experiment, folder: Path) -> tuple[dict[str, str], str]:
    """Makes one input, and returns its description and what is wrong."""
    kind = random.random()
    if kind < 0.85:
        name = random.choice(list(_PARSERS))
        function, seeds = _PARSERS[name]
        content = mutated(random.choice(list(seeds)), random)
        _note(folder, number, {"parser": name}, content)
        return {"parser": name}, _parse(function, content)
    if kind < 0.88:
        content = mutated(random.choice([path.read_bytes() for path in sorted(_YAML_PLANS.glob("*.yaml"))]), random)
        _note(folder, number, {"yaml": ""}, content)
        return {"yaml": ""}, _import(content, folder)
    if kind < 0.90:
        option = random.choice(["--run", "--stage", "--tool", "--set", "--sample", "--name", "--model", "--epochs"])
        arguments = [random.choice(["check", "run", "design", "setup-finetune"]), "--dry-run", option]
        arguments.append(random.choice(texts()))
        _note(folder, number, {"arguments": json.dumps(arguments)}, b"")
        return {"arguments": json.dumps(arguments)}, verb([*arguments, str(experiment.path)]).fault
    name = random.choice(experiment.files)
    if kind > 0.96:
        name = "experiment_summary.md"
    content = mutated((experiment.path / name).read_bytes(), random)
    command = random.choice(COMMANDS)
    told = {"file": name, "command": " ".join(command)}
    _note(folder, number, told, content)
    return told, experiment.with_content(name, content, command)


def _import(content: bytes, folder: Path) -> str:
    file = folder / "plan.yaml"
    file.write_bytes(content)
    return verb(["import", "--dry-run", str(file), str(folder / "imported")]).fault


def _note(folder: Path, number: int, told: dict[str, str], content: bytes) -> None:
    case = {"number": number, **told, "content": content.decode("latin-1")}
    (folder / "now").write_text(json.dumps(case), encoding="utf-8")


def replay(case: dict[str, str], pristine: Path, folder: Path) -> str:
    """What is wrong with a case that an earlier run found."""
    content = case["content"].encode("latin-1")
    if "parser" in case:
        return _parse(_PARSERS[case["parser"]][0], content)
    if "yaml" in case:
        return _import(content, folder)
    if "arguments" in case:
        return verb([*json.loads(case["arguments"]), str(pristine)]).fault
    return _Experiment(pristine, folder).with_content(case["file"], content, case["command"].split())


def main() -> int:
    """Returns 0; faults are in the file."""
    pristine, folder = Path(sys.argv[1]), Path(sys.argv[2])
    seed, first, last = map(int, sys.argv[3:6])
    keep_inside(folder)
    if first < 0:
        _replay_all(pristine, folder)
        return 0
    experiment = _Experiment(pristine, folder)
    for number in range(first, last):
        told, fault = _try(number, Random(f"{seed} {number}"), experiment, folder)
        if fault:
            _record(folder, {**told, "fault": fault, "seed": str(seed), "number": str(number)})
    return 0


def _replay_all(pristine: Path, folder: Path) -> None:
    for file in sorted(FOUND.glob("*.json")):
        case = json.loads(file.read_text(encoding="utf-8"))
        (folder / "now").write_text(json.dumps({"number": 0, "file": file.name}))
        fault = replay(case, pristine, folder)
        if fault:
            _record(folder, {"found": file.name, "fault": fault})


def _record(folder: Path, fault: dict[str, str]) -> None:
    now = json.loads((folder / "now").read_text(encoding="utf-8"))
    with (folder / "faults.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({**fault, "content": now.get("content", "")}) + "\n")


if __name__ == "__main__":
    sys.exit(main())
