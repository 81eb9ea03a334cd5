"""The examples below the help of each verb, and the words for the values of options: NAME, N, PATH."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

__all__ = ["EXAMPLES", "add_help"]

EXAMPLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "": ("tunebook demo", "tunebook design", "tunebook run --help"),
        "design": (
            "tunebook design",
            "tunebook design --model Llama-3.2-1B --dataset words.json --task cap_task.py --factor lora_rank=8,16",
            "tunebook design --update --replicates 3",
        ),
        "import": ("tunebook import experiment_summary.yaml --dry-run",),
        "check": ("tunebook check", "tunebook check sweep --deep"),
        "scaffold": ("tunebook scaffold --dry-run", "tunebook scaffold sweep --run 'rank8*'"),
        "scaffold-TOOL": ("tunebook scaffold-TOOL sweep",),
        "setup-finetune": ("tunebook setup-finetune sweep/rank8 --set batch_size=2",),
        "run": ("tunebook run --dry-run", "tunebook run sweep --executor slurm --detach"),
        "run-TOOL": ("tunebook run-TOOL sweep --retry-failed",),
        "status": ("tunebook status", "tunebook status sweep --watch"),
        "spot-check": ("tunebook spot-check rank8", "tunebook spot-check rank8 sweep --prompt house"),
        "cancel": ("tunebook cancel sweep --run rank8",),
        "analyze": ("tunebook analyze --open", "tunebook analyze sweep1 sweep2 --output comparison"),
        "task": ("tunebook task new capitalization",),
        "task new": (
            "tunebook task new capitalization",
            "tunebook task new income --scorer risk --choices No,Yes --group age_band",
        ),
        "export": ("tunebook export sweep", "tunebook export sweep --to sweep-crate.zip --with-weights"),
        "site": ("tunebook site", "tunebook site init --set partition=gpu"),
        "site show": ("tunebook site sweep --quick",),
        "site init": ("tunebook site init --user", "tunebook site init --set partition=gpu --yes"),
        "doctor": ("tunebook doctor", "tunebook doctor sweep --json"),
        "tools": ("tunebook tools", "tunebook tools --json"),
        "skills": ("tunebook skills install", "tunebook skills list"),
        "skills install": ("tunebook skills install --layout agents", "tunebook skills install --dry-run"),
        "skills list": ("tunebook skills list",),
        "mcp": ("tunebook mcp",),
        "explain": ("tunebook explain", "tunebook explain locked"),
        "demo": ("tunebook demo", "tunebook demo --dir first --ranks 1"),
    }
)
"""The words that call a command to calls of it; TOOL is a tool's short name where each tool has a verb of its own."""
_NUMBERS = (int, float)
_BEFORE_OPTION = re.compile(r" (?=--)")
_LONGEST = 72
_WIDEST_LEFT = 30  # columns, as Click has it


def add_help(words: str, command: Any, *, tool: str = "") -> None:
    """Gives a command, and the commands below it, their examples and the words for their values.

    Args:
        words: the words that call the command, without `tunebook`.
        tool: the tool that the command is for; empty for all tools.
    """
    calls = EXAMPLES.get(words.removesuffix(f"-{tool}") + "-TOOL" if tool else words, ())
    if calls:
        lines = [line for call in calls for line in _lines(call.replace("TOOL", tool))]
        command.epilog = "\n".join(["\b", "Examples:" if len(calls) > 1 else "Example:", *lines])
    command.get_help = partial(_help, command)
    for parameter in command.params:
        _name_value(parameter)
    if hasattr(command, "commands"):
        command.format_commands = partial(_list_commands, command)
        for name, below in command.commands.items():
            add_help(f"{words} {name}".strip(), below)


def _help(command: Any, ctx: Any) -> str:
    """Formats the help; on a narrow terminal the left column of lists is narrow too."""
    formatter = ctx.make_formatter()
    write_list = formatter.write_dl

    def write(rows: Any, *widths: int) -> None:
        write_list(rows, *(widths or (min(_WIDEST_LEFT, formatter.width // 3),)))

    formatter.write_dl = write
    command.format_help(ctx, formatter)
    return str(formatter.getvalue()).rstrip("\n")


def _list_commands(group: Any, ctx: Any, formatter: Any) -> None:
    """Writes each command of a group with its whole summary into the help."""
    rows = [(name, str(group.get_command(ctx, name).help or "").split("\n\n")[0]) for name in group.list_commands(ctx)]
    with formatter.section("Commands"):
        formatter.write_dl(rows)


def _lines(call: str) -> Iterator[str]:
    """A call in lines that a shell reads as one, broken before options."""
    line = ""
    for part in _BEFORE_OPTION.split(call):
        if line and len(line) + len(part) > _LONGEST:
            yield f"  {line} \\"
            line = "  "
        line += f" {part}" if line else part
    yield f"  {line}"


def _name_value(parameter: Any) -> None:
    """Sets the word for the value of an option or argument, unless its declaration has one."""
    if parameter.param_type_name == "argument":
        parameter.metavar = parameter.metavar or str(parameter.name).upper()
        parameter.display_type_rich = lambda ctx: None  # noqa: ARG005  the word says it
        parameter.get_usage_pieces = lambda ctx: [_in_usage(parameter)]  # noqa: ARG005
    elif not parameter.is_flag:
        parameter.metavar = parameter.metavar or _word(parameter)


def _in_usage(argument: Any) -> str:
    """An argument in the usage: as it is if it is needed, otherwise in brackets."""
    word = argument.metavar if argument.required else f"[{argument.metavar}]"
    return word if argument.nargs == 1 else f"{word}..."


def _word(parameter: Any) -> str:
    described = parameter.type_descriptor
    if described.is_choice:
        return "|".join(str(getattr(choice, "value", choice)) for choice in described.choices)
    if described.is_path or described.annotation is Path:
        return "PATH"
    return "N" if described.is_ranged or described.annotation in _NUMBERS else "NAME"
