"""Generates docs/reference from the code; a test holds the files to what this makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer.main

from tunebook.cli.main import app
from tunebook.core.parameters import SHARED_PARAMETERS, Parameter
from tunebook.errors import ExitCode
from tunebook.tools.known_models import KNOWN_MODELS
from tunebook.tools.parameters import every_parameter
from tunebook.tools.registry import installed_tools
from tunebook.tools.torchtune.recipes import STOCK_RECIPES

__all__ = ["DOCS", "cli_reference", "plan_reference"]

DOCS = Path(__file__).parents[2] / "docs" / "reference"

_PLAN = """\
# The plan: `experiment_summary.md`

Markdown. Headings match without regard to case; sections that are not listed are kept and ignored. `tunebook run` writes
the two tables of `## Status`, and nothing else in the file.

| section | what is read |
|---|---|
| `# Experiment: NAME` | the experiment's name: it becomes part of paths |
| `## Overview` | `**Scientific Question:**`, `**Created:**`; `**Total Runs:**`, checked against the table |
| `## Prerequisites` | nothing: what `tunebook design` found missing, for people |
| `## Tools` | `**Model Preparation:** torchtune`, `**Evaluation:** inspect-ai`; without the section these two |
| `## Variables` | table Factor, Levels: checked against the runs |
| `## All Runs` | one row per run: Run Name, Model, Type (`Fine-tuned`, `Control`, `Eval-only`), parameter columns, Est. Time, Notes, Checkpoint (of eval-only runs); `-` is "not applicable" |
| `## Resources` → `### Models` | `- NAME: PATH`, and `**Location:**` for models without a path |
| `## Resources` → `### Dataset` | `**Path:**`, `**Splits:** train (N), validation (N), test (N)` |
| `## Resources` → `### Evaluation Tasks` | table Task Name, Script (`file.py` or `file.py@task`), Dataset, Description |
| `## Evaluation Plan` | `**Epochs to evaluate:**` `last`, `all` or zero-based epochs; `### Evaluation Matrix`: `✓`, `✓ epoch 0,1`, `-`; without a matrix every run gets every task |
| `## Configuration` | the parameters below, for all runs |
| `## Compute Estimates` | time per run and evaluation: twice that becomes the time limit |

A parameter varies as a column of the runs table, or holds for all runs as a bullet of `## Configuration`. Prompts stand
between double quotes (a JSON string: `\\n` is a new line), between backticks (verbatim), or in a code block below the
bullet. Only what varies goes into directory names.

## Parameters

| in the plan | key in files and for `--set` | in directory names | tool | runs | allowed | default |
|---|---|---|---|---|---|---|
"""


def plan_reference() -> str:
    """The plan's sections, parameters, recipes and models."""
    rows = "".join(_row(parameter) for parameter in every_parameter())
    recipes = "".join(f"- `{recipe}`\n" for recipe in STOCK_RECIPES)
    models = ", ".join(model.names[0] for model in KNOWN_MODELS)
    return (
        f"{_PLAN}{rows}\n## Recipes\n\n{recipes}- a module of your own, by its dotted name\n\n## Models\n\n"
        "Any Llama, Qwen 2, Mistral, Gemma 2 or Phi 3 model whose `config.json` can be read, and by name: "
        f"{models}.\n"
    )


def _row(parameter: Parameter) -> str:
    cells = [
        parameter.column,
        f"`{parameter.key}`",
        f"`{parameter.short}`" if parameter.short else "cannot vary",
        _tools_of(parameter),
        "LoRA only" if parameter.lora_only else "all",
        parameter.allowed,
        _default(parameter),
    ]
    return f"| {' | '.join(cells)} |\n"


def _tools_of(parameter: Parameter) -> str:
    if SHARED_PARAMETERS.get(parameter.key) is not None:
        return "all"
    return ", ".join(tool.name for tool in installed_tools().tools if parameter in tool.parameters)


def _default(parameter: Parameter) -> str:
    if parameter.required:
        return "required"
    if parameter.default_text is None:
        return "–"
    return f"`{parameter.default_text}`" if parameter.default_text else "empty"


def cli_reference() -> str:
    """Every verb with its options."""
    group: Any = typer.main.get_command(app)
    codes = ", ".join(f"{int(code)} {code.name.lower().replace('_', ' ')}" for code in ExitCode)
    parts = [
        "# The command line\n",
        f"Exit codes: {codes}. With `--json` a verb prints one document on stdout and nothing else.\n",
    ]
    for name, command in _commands(group):
        arguments = [item for item in command.params if item.param_type_name == "argument"]
        usage = " ".join([f"tunebook {name}", *(f"[{(item.name or '').upper()}]" for item in arguments)])
        options = [item for item in command.params if item.param_type_name == "option" and item.name != "help"]
        lines = [f"- `{', '.join(item.opts)}`: {item.help}\n" for item in options]
        parts.append(f"\n## `{usage}`\n\n{(command.help or '').strip()}\n\n{''.join(lines)}")
    return "".join(parts)


def _commands(group: Any) -> list[tuple[str, Any]]:
    """Every command by the words that call it."""
    found: list[tuple[str, Any]] = []
    for name, command in group.commands.items():
        below = _commands(command) if hasattr(command, "commands") else []
        found += [(f"{name} {inner}", item) for inner, item in below] or [(name, command)]
    return found


if __name__ == "__main__":
    DOCS.mkdir(parents=True, exist_ok=True)
    (DOCS / "plan.md").write_text(plan_reference())
    (DOCS / "cli.md").write_text(cli_reference())
