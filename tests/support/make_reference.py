"""Generates docs/reference from the code; a test holds the files to what this makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import typer.main

from support.make_llms import llms_text
from support.reference_api import api_reference
from support.reference_failures import failures_reference
from support.reference_files import files_reference
from tunebook.cli.main import app
from tunebook.core.error_pages import ERROR_PAGES
from tunebook.core.parameters import Parameter
from tunebook.core.shared_parameters import SHARED_PARAMETERS
from tunebook.errors import ExitCode
from tunebook.tools.base import Tool
from tunebook.tools.finetuning.recipes import STOCK_RECIPES
from tunebook.tools.known_models import KNOWN_MODELS
from tunebook.tools.parameters import every_parameter
from tunebook.tools.registry import installed_tools

__all__ = ["DOCS", "REFERENCE", "cli_reference", "commands", "error_reference", "plan_reference"]

DOCS = Path(__file__).parents[2] / "docs" / "reference"

_PLAN = """\
# The plan: `experiment_summary.md`

The plan is a Markdown file in UTF-8 that describes the whole experiment. Everything in the sections that decide what runs (from `## Tools` to `## Compute Estimates` in this
table) is read, or is an error with its line. `tunebook run` writes the two tables of `## Status`, and nothing else in the file.

| section | what is read |
|---|---|
| `# Experiment: NAME` | the experiment's name: it becomes part of paths |
| `## Overview` | `**Scientific Question:**`, `**Created:**`; `**Total Runs:**`, checked against the table; `**Authors:**` and `**License:**`, for [an archive](../how-to/archive.md) |
| `## Hypotheses` | a list, one hypothesis per item: `- **H1:** lora_rank = 64 > lora_rank = 8 — WORDS`; see [Hypotheses](#hypotheses). Its text is frozen when `run` submits the first job |
| `## Prerequisites` | nothing: what `tunebook design` found missing, for people |
| `## Tools` | `**Model Preparation:** torchtune`, `**Evaluation:** inspect-ai`; without the section these two. Evaluation may name several: `inspect-ai, lm-eval` |
| `## Variables` | table Factor, Levels: checked against the runs |
| `## All Runs` | one row per run: Run Name, Model, Type (`Fine-tuned`, `Control`, `Eval-only`), parameter columns, Est. Time, Notes, Checkpoint (of eval-only runs); `-` is "not applicable" |
| `## Resources` → `### Models` | `- NAME: PATH` (or the path as a bullet `Path` below the name), and `**Location:**` for models without a path |
| `## Resources` → `### Dataset` | `**Path:**`, `**Splits:** train (N), validation (N), test (N)` |
| `## Resources` → `### Evaluation Tasks` | table Task Name, Tool (which one, where the plan has several for evaluation), Script (`file.py` or `file.py@task`), Dataset, Measure (the one that decides, as the log names it; by default its first), Direction (`higher`, `lower` or `unknown`: which values of the measure are better; by default what its name tells), Description |
| `## Evaluation Plan` | `**Epochs to evaluate:**` `last`, `all` or zero-based epochs; `### Evaluation Matrix`: `✓`, `✓ epoch 0,1`, `-`; without a matrix every run gets every task |
| `## Configuration` | the parameters below, for all runs |
| `## Compute Estimates` | time per run and evaluation: twice that becomes the time limit |

## How it may be written

A parameter varies as a column of the runs table, or applies to all runs as a setting in `## Configuration`. A run's row wins
where it gives another prompt; for every other parameter the two must agree. Only what varies goes into directory names.

- **Headings** may have a number, an emoji, or a remark in parentheses: `## 3. Tools`, `## ⚙️ Configuration`,
  `## Tools & Frameworks`. A heading that is only near a known one (`## Evaluaton Plan`) is an error. A section with a clearly
  different name is your own: tunebook does not read it, and warns if it names settings. A section may appear twice.
- **Settings** may be bullets (also nested ones and task lists), lines of their own, or rows of a table Parameter, Value:
  `- **Seed:** 7`, `*Seed:* 7`, `Seed: 7`, `- Seed = 7`. They may be below a heading or a label, such as `### Training`. Below
  `### Evaluation`, `Seed`, `Temperature` and `Max Tokens` are those of the evaluation. A setting in a quotation, in a code
  block, in a sentence, or below a heading such as `### Previous run` or a run's name is an error, and so is a setting that
  has two values. `none` is an error where the default is another value: `-` means the default. `Overview` may only repeat
  settings.
- **Prompts** are between quotes (a JSON string: `\\n` is a new line), between backticks (verbatim), or in a code block below
  the bullet. Text after the closing quote is an error. `none`, `-`, `n/a`, `(none)` or `(empty)` without quotes means an empty
  system prompt. A text without quotes is one line; one that may be a remark (`see below`, `TBD`, a tick at its end) is an
  error.
- **Other values** end with the code span that they begin with; the rest is a remark: `` `data.json` (from the wiki) ``.
  Two code spans for one path are an error. Without a code span, only a remark such as `(default)` or `(fixed for all runs)`
  is left out.
- **Numbers** may be `1e-5`, `10⁻⁵`, `2 × 10⁻⁵`, `1,000` (a whole number) or `8 GPUs`; a decimal comma is an error.
- **Times** are `8 min`, `1 h 30 min`, `90 s`, `2 days` or `0:45:00`, and `-` or `TBD` if they are not known.
- **Remarks** are bullets named `Notes`, paragraphs that give no value, and comments (`<!-- … -->`).
- **Tables** may be split in several. A row with more cells than its header is an error: write `\\|` for a bar in a cell.

## Hypotheses

An item is a contrast, with a name before it and the author's words behind a dash, both optional:
`- **H1:** SIDE > SIDE on TASK — WORDS`. Items without a relation, below an item, are words; so are paragraphs.

| part | how it is written |
|---|---|
| side | what runs have in common: a setting `lora_rank = 64`, a model `model NAME`, a level of a factor `64`, its short name `rank64`, a run's name or directory (`run NAME` where it may be something else); several with commas. `base` is the base model of the other side's runs. Only fine-tuned runs count, unless the side names others |
| relation | `>` higher, `<` lower (which need not be better), `≠` or `!=` different, `better than`, `worse than` (by the measure's direction), `=` with `within MARGIN` (`equals` where another `=` is near) |
| margin | `by at least 2 points` behind a direction, `within 5 points` behind `=`. Points are percentage points, which only shares have; without a unit it is the measure's own. A negative `by at least` says "at most that much lower" |
| `on TASK` | needed if the plan has several tasks |
| `with MEASURE` | another measure than the task's first |
| `for SIDE` | limits both sides |
| tasks | `task A > task B for RUN` compares two tasks |

Names with spaces are between backticks. Both sides are compared within each combination of the other factors' levels that
both have. `check`, `scaffold` and `run` refuse a hypothesis that the plan cannot decide: unknown runs, levels, factors or
tasks, names with several meanings, two equal sides, runs that are not evaluated.

## Parameters

| in the plan | key in files and for `--set` | in directory names | tool | runs | allowed | default |
|---|---|---|---|---|---|---|
"""

_ANY_NUMBER = -1
_CLI = """\
# The command line

Every verb of tunebook with its arguments and options; `tunebook VERB --help` prints the same in your terminal. An argument in brackets may be left
out, and one with dots may be repeated.
"""
_SIGNALS = """
So is the answer to a wrong command line, with exit code 2. Each of the document's `errors` and `warnings` has `message`, `file`, `line`, `hint`,
`code` and `page`: see [errors](errors.md). Times are those of this machine and name their offset.

Without a directory, a verb works in the experiment that the current directory is in: its own directory, one of its runs, or anything below.

Ctrl-C, `SIGTERM` and a closed terminal (`SIGHUP`) end a verb alike, with exit code 130, 143 or 129; signals that are ignored
when it starts stay ignored (`nohup tunebook run &`). Jobs that SLURM runs continue. Jobs that run on this machine are ended: each
has ten seconds to write its outcome, and a second signal kills it at once. Either way `tunebook run` runs them again, and a
training resumes from the checkpoint of its last epoch. The same goes for jobs that ended with this machine, as in a power cut. If
`tunebook run` itself was killed (`SIGKILL`), its jobs continue, and the next `tunebook run` watches them; those that it finds dead
have failed, and `--retry-failed` runs them again.
"""
_TRAINING = """
## Optimizer steps

An epoch trains on every example exactly once, in an order that follows from the seed and differs from epoch to epoch. A
batch has `Batch Size` examples, the last one of an epoch may have fewer. A step takes `Gradient Accumulation Steps` batches,
the last one of an epoch may take fewer: an epoch has ⌈⌈examples ÷ batch size⌉ ÷ accumulation⌉ steps, at most `Max Steps Per
Epoch`. The loss and the gradients of a step are means over all tokens that the step learns. `Warmup Ratio` is a share of
these steps, rounded up. Two kinds of recipes round down instead: torchtune's distributed recipes, which drop the last
incomplete batch and make no step of an incomplete accumulation, and recipes of your own, for all that tunebook knows.
`check` warns of both.

## Precision and checkpoints

`Precision` is that of the base weights, in training and in evaluation: `bf16`, or `fp32`; without it bf16 on GPUs and
fp32 elsewhere. Adapters are in fp32 with both, and so are their optimizer state and their merge. Where all weights are
trained, weights and optimizer state have this precision, and `check` warns of bf16, which loses small updates.

`Save` is the form of each epoch's checkpoint. `adapter` is an adapter in PEFT's format that names its base model; it takes
little space. `merged` is a whole model in fp32, with the adapter in a folder of its own; it takes 4 bytes per weight and
epoch, and is evaluated in fp32. The default is `adapter` where tunebook's recipe trains, the evaluation tool loads
adapters, and PEFT has a form for the model's adapters; otherwise it is `merged`.

`Quantization: nf4` (TRL only) trains adapters on base weights in 4 bits, as QLoRA does: it needs a GPU with CUDA, and
`Save: adapter`. Evaluations load such an adapter on the base in `Precision`.
"""
_ERRORS = """\
# Errors

A message ends with the command that explains it, such as `more: tunebook explain locked`. The command prints the section below
that has this name; it needs no network. With `--json`, each error has `code`, the name, and `page`, its place in this file.
"""


def plan_reference() -> str:
    """The plan's sections, parameters, recipes and models."""
    rows = "".join(_row(parameter) for parameter in every_parameter())
    recipes = "".join(f"- `{recipe}`\n" for recipe in STOCK_RECIPES)
    models = ", ".join(model.names[0] for model in KNOWN_MODELS)
    return (
        f"{_PLAN}{rows}{_TRAINING}\n## Recipes\n\n{recipes}- a module of your own, by its dotted name (torchtune only)\n\n"
        "The names are torchtune's. To every tool they say whether adapters or all weights are trained, and whether on\n"
        "one device or on several GPUs.\n\n## Models\n\n"
        "- With torchtune any Llama, Qwen 2, Mistral, Gemma 2 or Phi 3 model whose `config.json` can be read\n"
        "- With TRL every causal language model of Transformers whose files can be read: the size and the names of the\n"
        "  modules that LoRA adapts come from its weights. `q_proj`, `k_proj` and `v_proj` mean the fused projection of\n"
        "  models that have one (Phi 3: `qkv_proj`), `output_proj` the output of the attention, `mlp` all its matrices;\n"
        "  the names of the model's own modules may be given too\n"
        f"- With both, by name: {models}\n"
    )


def _row(parameter: Parameter) -> str:
    cells = [
        parameter.column,
        f"`{parameter.key}`",
        f"`{parameter.short}`" if parameter.short else "cannot vary",
        _tools_of(parameter),
        "LoRA only" if parameter.lora_only else "all",
        _allowed(parameter),
        _default(parameter),
    ]
    return f"| {' | '.join(cells)} |\n"


def _tools_of(parameter: Parameter) -> str:
    if SHARED_PARAMETERS.get(parameter.key) is not None:
        return "all"
    return ", ".join(tool.name for tool, _ in _rows_of(parameter))


def _rows_of(parameter: Parameter) -> list[tuple[Tool, Parameter]]:
    """Each tool that has a parameter, with its own row."""
    return [(tool, row) for tool in installed_tools().tools for row in tool.parameters if row.key == parameter.key]


def _allowed(parameter: Parameter) -> str:
    """The allowed values, and those of tools that allow others."""
    others = [
        f"; with {tool.name} {row.allowed}" for tool, row in _rows_of(parameter) if row.allowed != parameter.allowed
    ]
    return parameter.allowed + "".join(others)


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
    codes = codes.replace("130 ", "130, 143 or 129 ")  # by the signal
    codes_and_json = f"\nExit codes: {codes}. With `--json` a verb prints one document on stdout and nothing else.\n"
    return "".join([_CLI, codes_and_json, _SIGNALS, *(_verb(name, command) for name, command in commands(group))])


def _verb(name: str, command: Any) -> str:
    """One verb: its help, its usage, its examples, its arguments and options."""
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    options = [item for item in command.params if item.param_type_name == "option" and item.name != "help"]
    usage = " ".join([f"tunebook {name}", *map(_usage, arguments), *(["[OPTIONS]"] if options else [])])
    lines = [f"- `{item.metavar}`: {_one_form(item.help)}\n" for item in arguments]
    lines += [f"- `{_spelling(item)}`: {_help(item)}\n" for item in options]
    text = (command.help or "").strip()
    return f"\n## `tunebook {name}`\n\n{text}\n\n`{usage}`\n\n{_example(command)}{''.join(lines)}"


def _usage(argument: Any) -> str:
    """An argument as usage lines show it: in brackets if it may be left out, with dots if it may be repeated."""
    name = argument.metavar if argument.required else f"[{argument.metavar}]"
    return f"{name}..." if argument.nargs == _ANY_NUMBER else name


def _spelling(option: Any) -> str:
    """An option with its value, or with its opposite."""
    names = ", ".join(option.opts)
    if option.is_flag:
        return " / ".join([names, *option.secondary_opts])
    return f"{names} {option.metavar}"


def _help(option: Any) -> str:
    """An option's help, which does not repeat the option's value, and its default."""
    text = _one_form(option.help)
    value, _, rest = text.partition(": ")
    if value == option.metavar:
        text = rest[0].upper() + rest[1:]
    if option.is_flag or "(default: " in text or option.default in (None, "", (), []):
        return text
    return f"{text} (default: {_default_value(option.default)})"


def _one_form(text: str) -> str:
    """A help whose default is in parentheses, as most are."""
    return re.sub(r"\[(default: [^\]]*)\]", r"(\1)", text)


def _default_value(default: object) -> str:
    if isinstance(default, Enum):
        return str(default.value)
    return f"{default:g}" if isinstance(default, float) else str(default)


def _example(command: Any) -> str:
    """The examples of a command's help, as a block."""
    _, *lines = (command.epilog or "").removeprefix("\b\n").splitlines()
    return "```bash\n" + "".join(f"{line.removeprefix('  ')}\n" for line in lines) + "```\n\n"


def error_reference() -> str:
    """The page of every kind of errors, each below a heading of its own."""
    parts = [_ERRORS]
    for page in ERROR_PAGES.values():
        code = "" if page.exit_code is None else f" Exit code {int(page.exit_code)}."
        steps = "".join(f"- {step}\n" for step in page.steps)
        parts.append(
            f"\n## {page.code}\n\n**{page.title[0].upper()}{page.title[1:]}.**{code} {page.meaning}\n\n{steps}"
        )
    return "".join(parts)


def commands(group: Any) -> list[tuple[str, Any]]:
    """Every command by the words that call it."""
    found: list[tuple[str, Any]] = []
    for name in group.list_commands(None):
        command = group.loaded(name) if hasattr(group, "loaded") else group.commands[name]
        below = commands(command) if hasattr(command, "commands") else []
        found += [(f"{name} {inner}", item) for inner, item in below] or [(name, command)]
    return found


REFERENCE: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "plan.md": plan_reference,
        "cli.md": cli_reference,
        "api.md": api_reference,
        "errors.md": error_reference,
        "failures.md": failures_reference,
        "files.md": files_reference,
    }
)
"""File name to the function that makes its text."""


if __name__ == "__main__":
    DOCS.mkdir(parents=True, exist_ok=True)
    for name, text in REFERENCE.items():
        (DOCS / name).write_text(text())
    (DOCS.parent / "llms.txt").write_text(llms_text(DOCS.parent))
