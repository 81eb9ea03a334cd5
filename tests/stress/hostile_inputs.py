"""The child of the part ``hostile``: every value of the corpus may stand wherever a person can write one.

``python -m stress.hostile_inputs SWEEP FOLDER SEED COUNT`` puts values into cells and settings of the plan, the site
settings, a plan in YAML, options of ``design``, rows of the data, names of tasks, records and variables. Programs that
record play torchtune and inspect-ai: what a value asks a shell to execute would leave a file named ``executed``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import yaml

from stress.hostile_values import json_fragments, long_texts, texts
from stress.verbs import keep_inside, restore, verb
from tunebook.core.markdown import code_span, escape_cell, quoted

__all__ = ["main"]

_BULLET = re.compile(r"^(\s*- \*\*[^*]+:\*\* )(\S.*)$", re.MULTILINE)
_CELL = re.compile(r"(?<=\| )[^|\n]+(?= \|)")
_JSON_VALUE = re.compile(r'(?<=": )("[^"\n]*"|-?\d[\d.e+-]*|true|false|null)')
_YAML_VALUE = re.compile(r"(?<=: )\S.*$", re.MULTILINE)
_VARIABLES = ("COLUMNS", "LINES", "TERM", "LANG", "TZ", "NO_COLOR", "HF_HOME", "XDG_CACHE_HOME", "TMPDIR", "USER")
_OPTIONS = (
    "--question",
    "--model",
    "--dataset",
    "--task",
    "--factor",
    "--set",
    "--matrix",
    "--name",
    "--gpus",
    "--sample",
)
_PLAN, _SITE = "experiment_summary.md", "claude.local.md"
_YAML_PLAN = Path(__file__).parents[1] / "yaml_plans" / "complete.yaml"
_FORMS: tuple[Callable[[str], str], ...] = (str, code_span, quoted, escape_cell)


@dataclass(frozen=True)
class _Tried:
    """What was given, and what is wrong with how it was answered."""

    told: str
    fault: str


class _Sweep:
    """A finished experiment in which one thing after the other is hostile."""

    def __init__(self, pristine: Path, folder: Path, random: Random) -> None:
        self.path = folder / "sweep"
        self._pristine, self._folder, self._random = pristine, folder, random
        restore(self._pristine, self.path)
        records = [path for path in self.path.rglob("*.json*") if path.is_file() and "lock" not in path.name]
        self._records = sorted(str(path.relative_to(self.path)) for path in records)

    def _value(self) -> str:
        return self._random.choice(long_texts() if self._random.random() < 0.15 else texts())

    def _verbs(self, *commands: Sequence[str]) -> str:
        faults = [verb([*command, str(self.path)]).fault for command in commands]
        return "; ".join(filter(None, faults))

    def _put(self, name: str, pattern: re.Pattern[str], value: str) -> str:
        """Replaces one place of a file by chance; returns what was there."""
        file = self.path / name
        text = file.read_text(encoding="utf-8")
        places = list(pattern.finditer(text))
        if not places:
            return ""
        place = self._random.choice(places)
        group = (place.re.groups and place.lastindex) or 0
        start, end = place.span(group)
        whole = text[:start] + value + text[end:]
        file.write_bytes(whole.encode("utf-8", "surrogatepass"))
        return text[place.start() : place.end()]

    def plan(self) -> _Tried:
        """A cell or a setting of the plan; a plan that is accepted is scaffolded, and its jobs are executed."""
        value, form = self._value(), self._random.choice(_FORMS)
        with suppress(ValueError):
            value = form(value)
        place = self._put(_PLAN, self._random.choice([_BULLET, _CELL]), value)
        fault = self._verbs(("check",), ("scaffold",))
        if not fault and self._random.random() < 0.1:
            fault = self._verbs(("run", "--executor", "local", "--jobs", "2", "--poll-s", "0.05", "--yes"), ("status",))
        return _Tried(f"the plan's {place!r}: {value!r}", fault)

    def prompt(self) -> _Tried:
        """A prompt arrives whole in the files that trainings read, or is refused."""
        value = self._value()
        plan = self.path / _PLAN
        text = plan.read_text(encoding="utf-8")
        line = f"- **System prompt:** {quoted(value) if value else '``'}\n"
        changed = re.sub(r"- \*\*System prompt:\*\* .*\n", lambda _: line, text, count=1, flags=re.IGNORECASE)
        if changed == text:
            changed = text.replace("## Configuration\n", f"## Configuration\n{line}", 1)
        plan.write_bytes(changed.encode("utf-8", "surrogatepass"))
        ended = verb(["scaffold", str(self.path)])
        return _Tried(f"the system prompt {value!r}", ended.fault or self._arrived(value, ended.code))

    def _arrived(self, value: str, code: int) -> str:
        if code != 0:
            return ""
        for file in self.path.glob("*/setup_finetune.yaml"):
            found = yaml.safe_load(file.read_text(encoding="utf-8")).get("system_prompt")
            if found not in {value, value.replace("\r\n", "\n")}:
                return f"it arrived as {found!r}"
        return ""

    def site(self) -> _Tried:
        """A value of the site settings; jobs are executed with what is accepted."""
        value = self._value()
        site = self.path / _SITE
        key = self._random.choice(
            ["Account", "Partition", "Email", "Default mem", "Output base directory", "QOS", "Constraint"]
        )
        with site.open("ab") as stream:
            stream.write(f"- **{key}:** {value}\n".encode("utf-8", "surrogatepass"))
        fault = self._verbs(("site",), ("scaffold",))
        if not fault and self._random.random() < 0.2:
            fault = self._verbs(("run", "--executor", "local", "--jobs", "2", "--poll-s", "0.05", "--yes"))
        return _Tried(f"the site's {key}: {value!r}", fault)

    def record(self) -> _Tried:
        """A field of what tunebook or a job has written."""
        name = self._random.choice(self._records)
        value = self._random.choice(json_fragments())
        place = self._put(name, _JSON_VALUE, value)
        return _Tried(
            f"{name}: {place} is {value!r}", self._verbs(("status",), ("run", "--dry-run", "--executor", "local"))
        )

    def yaml_plan(self) -> _Tried:
        """A value of a plan in YAML."""
        shutil.copyfile(_YAML_PLAN, self.path / "plan.yaml")
        value = self._value()
        written = self._random.choice([value, json.dumps(value)])
        place = self._put("plan.yaml", _YAML_VALUE, written)
        told = verb(["import", "--dry-run", str(self.path / "plan.yaml"), str(self._folder / "imported")])
        return _Tried(f"the YAML plan's {place!r}: {written!r}", told.fault)

    def options(self) -> _Tried:
        """An option of ``design``, of which arguments cannot hold NUL."""
        option, value = self._random.choice(_OPTIONS), self._value().replace("\0", "")
        arguments = ["design", str(self._folder / "designed"), "--dry-run", "--yes", option, value]
        return _Tried(f"design {option} {value!r}", verb(arguments).fault)

    def data(self) -> _Tried:
        """A field of a row of the data, and the name of the task's file."""
        value = self._value()
        data = self.path / "words.json"
        place = self._put(
            "words.json", re.compile(r'"[a-z]+"'), json.dumps(value) if self._random.random() < 0.7 else value
        )
        fault = self._verbs(("check",), ("scaffold", "--dry-run"))
        return _Tried(f"{data.name}: {place} is {value!r}", fault)

    def variable(self) -> _Tried:
        """A variable of the environment."""
        name, value = self._random.choice(_VARIABLES), self._value().replace("\0", "")[:4000]
        before = os.environ.get(name)
        os.environ[name] = value.encode("utf-8", "replace").decode()
        try:
            fault = self._verbs(self._random.choice([("status",), ("check",), ("scaffold", "--dry-run")]))
        finally:
            if before is None:
                os.environ.pop(name)
            else:
                os.environ[name] = before
        return _Tried(f"{name}={value!r}", fault)

    def tried(self) -> _Tried:
        """Tries one value at one entry point, and puts everything back."""
        kinds = (self.plan, self.plan, self.plan, self.prompt, self.site, self.record, self.record)
        found = self._random.choice((*kinds, self.yaml_plan, self.options, self.data, self.variable))()
        executed = [path for path in self._folder.rglob("executed*") if path.is_file()]
        fault = "a value was executed" if executed else found.fault
        for path in executed:
            path.unlink()
        restore(self._pristine, self.path)
        return _Tried(found.told, fault)


def main() -> int:
    """Returns 0; faults are in the file."""
    pristine, folder = Path(sys.argv[1]), Path(sys.argv[2])
    keep_inside(folder)
    random = Random(sys.argv[3])
    sweep = _Sweep(pristine, folder, random)
    with (folder / "faults.jsonl").open("a", encoding="utf-8") as stream:
        for _ in range(int(sys.argv[4])):
            tried = sweep.tried()
            if tried.fault:
                stream.write(json.dumps(f"{tried.told[:300]}: {tried.fault}") + "\n")
                stream.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
