"""The commands that README and documentation show, and how each is tested.

A command that is in none of these tables fails a test: add it to ``RUN`` if it can be run on two tiny models, and
otherwise to ``SHOWN_ONLY`` with the reason. Verbs and options of all commands are compared with the program's own.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType

from support.website import DOCS, ROOT

__all__ = ["PAGES", "RUN", "SHOWN_ONLY", "TESTED_ELSEWHERE", "Command", "Place", "commands", "inline_commands"]

PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
_BLOCK = re.compile(r"^( *)```(?:bash|sh|shell|console)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`(tunebook [a-z][^`\n]*)`(?!`)")


class Place(Enum):
    """The directory in which a command is run."""

    EMPTY = "an empty directory, with a home directory of its own"
    INPUTS = "a directory with a model, data, a task, and files of the pages"
    EXPERIMENT = "the directory of an experiment of two trainings, which is completed"
    ABOVE = "the directory above that experiment"
    TOY = "a directory with the inputs, where the example's tool is installed"
    TOY_EXPERIMENT = "the experiment that the example's tool trains"


@dataclass(frozen=True)
class Command:
    """A shown command and the page that shows it; ``words`` without remarks and line breaks."""

    page: str
    words: str

    @property
    def arguments(self) -> list[str]:
        """The words of the first program of the line, as a shell splits them."""
        found: list[str] = []
        for word in shlex.split(self.words):
            if word in {"|", "&&", ";", "&"}:
                break
            found.append(word)
        return found


RUN: Mapping[Place, Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        Place.EXPERIMENT: {
            "tunebook check": (0,),
            "tunebook check --json": (0,),
            "tunebook doctor": (0,),
            "tunebook check --deep": (0,),
            "tunebook scaffold": (0,),
            "tunebook run --dry-run": (0,),
            "tunebook run": (0,),
            "tunebook status": (0,),
            "tunebook status --watch": (0,),
            "tunebook analyze": (0,),
            "tunebook analyze --latex": (0,),
            "tunebook analyze --figure-width 8.5 --figure-font 7 --figure-ppi 600": (0,),
            "tunebook run --retry-failed": (0,),
            "tunebook run --retry-failed --run 'rank64*'": (0,),
            "tunebook run --retry-oom": (0,),
            "tunebook cancel --run 'rank64*'": (0,),
            "tunebook cancel": (0,),
            "tunebook setup-finetune rank8_lr1e-5": (0,),
            "tunebook site": (0,),
            "tunebook design my_sweep --config design.yaml": (0,),
            "tunebook design my_sweep --update --factor lora_rank=8,16,64": (0,),
            "rm -r rank8_lr1e-5/finetune.outcome.json rank8_lr1e-5/artifacts": (0,),
            "tunebook run --run rank8_lr1e-5": (0,),
        },
        Place.ABOVE: {"tunebook analyze first-sweep second-sweep": (0,)},
        Place.INPUTS: {
            "tunebook design": (2,),  # without a terminal it lists what is missing
            "tunebook design --question 'Does the LoRA rank matter?' --model models/Llama-3.2-1B-Instruct "
            "--dataset words.json --task capitalization=cap_task.py --factor lora_rank=8,16 --factor lr=1e-5,5e-5 "
            "--set batch_size=4 --set epochs=1 --system-prompt 'Capitalize the given word'": (0,),
            "tunebook import experiment_summary.yaml --dry-run": (0,),
            "tunebook import experiment_summary.yaml": (0,),
            "tunebook import experiment_summary.yaml my_experiment --json": (0,),
        },
        Place.EMPTY: {
            "tunebook site init": (0,),
            "tunebook site init --user": (0,),
            "tunebook site init --yes --set partition=gpu --set training=conda:tuning "
            "--set evaluation=venv:/venvs/judge": (0,),
            "tunebook tools": (0,),
            "python3 --version": (0,),
            "make --version": (0,),
        },
        Place.TOY: {
            "tunebook design toy --preparation toytrainer --question 'Does the decay matter?' --model models/tiny "
            "--dataset words.json --task capitalization=cap_task.py --factor decay=0.1,0.2 --yes": (0,),
        },
        Place.TOY_EXPERIMENT: {
            "tunebook check": (0,),
            "tunebook scaffold": (0,),
            "tunebook run --executor local": (0,),
            "tunebook analyze": (0,),
        },
    }
)
"""Place to the commands that are run there, in this order, each with its allowed exit codes."""

_INSTALLS = "installs packages, or takes an index of packages; what it names is compared with pyproject.toml"
_WHOLE = "takes the machine for minutes; its target is compared with the Makefile"
_PLACE = "the tests start each command in its place"
SHOWN_ONLY: Mapping[str, str] = MappingProxyType(
    {
        "make ": _WHOLE,
        "pip install ": _INSTALLS,
        "pipx ": _INSTALLS,
        "uv ": _INSTALLS,
        "python -m venv ": _INSTALLS,
        "python3 -m venv ": _INSTALLS,
        "python -m pip ": _INSTALLS,
        "cd ": _PLACE,
        "source ": _PLACE,
        "cp ": "the tests install the example as it is",
        "inspect view ": "starts a server of inspect-ai, which runs until it is ended",
        "tunebook --install-completion": "changes the start-up file of a shell: tests/cli/test_completion.py runs it",
        "git ": "a program of its own",
        "export ": "a word of the shell",
        "hf ": "needs the Hugging Face Hub",
    }
)
"""The beginning of a command that is not run, to the reason."""

TESTED_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "reference/cli.md": "generated from the help: its examples are those of tests/cli/test_help.py",
        "how-to/install.md": "the test of the package",
        "how-to/own-task.md": "the tests of `tunebook task`",
        "how-to/agents.md": "the tests of the skills and of the server",
        "how-to/archive.md": "the tests of `tunebook export`",
        "how-to/spot-check.md": "the tests of `tunebook spot-check`",
        "how-to/move-an-experiment.md": "the tests of the examples",
        "how-to/doctor.md": "the tests of `tunebook doctor`",
        "reference/task-contract.md": "the tests of `tunebook task`",
    }
)
"""Pages whose own tests run their commands; verbs and options are compared here all the same."""


def commands(page: Path) -> Iterator[Command]:
    """The commands in the shell's blocks of a page."""
    name = str(page.relative_to(DOCS)) if page.is_relative_to(DOCS) else page.name
    for _, block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = _without_remark(line)
            if words:
                yield Command(name, words)


def inline_commands(page: Path) -> Iterator[Command]:
    """The calls of tunebook in the text of a page."""
    name = str(page.relative_to(DOCS)) if page.is_relative_to(DOCS) else page.name
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for found in _INLINE.findall(text):
        yield Command(name, found.replace("\\|", "|"))


def _without_remark(line: str) -> str:
    """The line without a remark behind it, with single blanks; quotes stay as they are."""
    parts = re.split(r"""('[^']*'|"[^"]*")""", line)
    kept = ""
    for part in parts:
        if part.startswith(("'", '"')):
            kept += part
            continue
        before, mark, _ = re.sub(r"\s+", " ", part).partition(" #") if not part.startswith("#") else ("", "#", "")
        kept += before
        if mark:
            break
    return kept.strip()
