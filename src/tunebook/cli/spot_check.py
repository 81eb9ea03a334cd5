"""``tunebook spot-check``: a trained model's answers beside those of its base model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunebook import api
from tunebook.cli.complete import complete_run
from tunebook.cli.options import Directory, Json, located
from tunebook.cli.output import console, finish
from tunebook.cli.visible import visible_text
from tunebook.core.shortened import counted, first_lines

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

__all__ = ["register"]

_TABLE_FROM = 90  # columns of a terminal on which texts beside each other can be read
_MOST_LINES = 12  # of one answer
_LONGEST = 70  # characters of a folded prompt
_WORDS = {True: "equal", False: "different", None: ""}
_COLOURS = {True: "dim", False: "green", None: ""}

RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="The run: its name or directory.", autocompletion=complete_run)
]
Prompts = Annotated[
    list[str] | None,
    typer.Option(
        "--prompt",
        metavar="TEXT",
        help="Ask this instead of samples: it is put into the plan's prompt as an input. Repeatable.",
    ),
]
Samples = Annotated[
    int | None,
    typer.Option("--samples", metavar="N", min=1, help="Ask the first N samples of the task's data. [default: 3]"),
]
TaskName = Annotated[
    str, typer.Option("--task", metavar="NAME", help="The evaluation task. [default: the run's first one]")
]
Epoch = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="The checkpoint of this epoch, from 0. [default: the last evaluated one]"),
]
MaxTokens = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="The most new tokens of an answer. [default: as in the evaluations]"),
]
Cpu = Annotated[bool, typer.Option("--cpu", help="Ask on the CPU although the evaluations use a GPU.")]
TimeoutS = Annotated[float, typer.Option(metavar="SECONDS", help="The longest time for each of the two models.")]
ShowPrompt = Annotated[
    bool, typer.Option("--show-prompt", help="Show the whole text that the model got, with its chat template.")
]


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command("spot-check")
    def spot_check(
        run: RunName,
        directory: Directory = None,
        *,
        prompt: Prompts = None,
        samples: Samples = None,
        task: TaskName = "",
        epoch: Epoch = None,
        max_tokens: MaxTokens = None,
        cpu: Cpu = False,
        timeout_s: TimeoutS = 1800.0,
        show_prompt: ShowPrompt = False,
        as_json: Json = False,
    ) -> None:
        """Ask a trained model and its base model a few questions, as the evaluations ask them. Writes nothing.

        Without `--prompt` it asks the first samples of the data.
        """
        options = api.SpotCheckOptions(
            prompts=tuple(prompt or ()),
            samples=samples,
            task=task,
            epoch=epoch,
            max_tokens=max_tokens,
            timeout_s=timeout_s,
            cpu=cpu,
        )
        on_step = _ignore if as_json else _show_step
        report = api.spot_check(located(directory), run, options, on_step=on_step)
        finish("spot-check", report, data=_data, show=partial(_show, show_prompt=show_prompt), as_json=as_json)


def _ignore(_: str) -> None:
    """Takes a step that nobody wants to see."""


def _show_step(line: str) -> None:
    """On stderr: the answers alone are the output."""
    console(stderr=True).print(f"{line} …", markup=False, style="dim")


def _data(report: api.SpotCheckReport) -> dict[str, Any]:
    return {
        "experiment": str(report.experiment),
        "run": report.run,
        "epoch": report.epoch,
        "task": report.task,
        "tool": report.tool,
        "model": report.model or None,
        "base": report.base or None,
        "generation": dict(report.generation),
        "own_inputs": report.own_inputs,
        "answers": [_row_data(row) for row in report.rows],
    }


def _row_data(row: api.SpotRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "input": row.input,
        "target": row.target,
        "prompt": row.prompt,
        "base_prompt": row.base_prompt or None,
        "base": row.base,
        "run": row.run,
        "equal": row.is_equal,
        "cut": row.cut,
    }


def _show(report: api.SpotCheckReport, *, show_prompt: bool) -> None:
    out = console()
    for line in _head(report):
        out.print(line, markup=False)
    if out.is_terminal and out.width >= _TABLE_FROM and not show_prompt:
        out.print(_table(report))
    else:
        for number, row in enumerate(report.rows):
            out.print()
            out.print(_title(report, row, number), markup=False)
            for line in _block(row, show_prompt=show_prompt):
                out.print(line, markup=False)
    out.print()
    for line in _summary(report):
        out.print(line, markup=False)


def _head(report: api.SpotCheckReport) -> Iterator[str]:
    own = report.run if report.epoch is None else f"{report.run}, epoch {report.epoch}"
    if not report.model:
        yield f"{report.run}: the base model {report.base_name}"
    elif report.base:
        yield f"{own}, beside the base model {report.base_name}"
    else:
        yield f"{own}; its base model is not known"
    asked = "your inputs, in the plan's prompt" if report.own_inputs else f"the first samples of {report.task}"
    temperature, most = report.generation.get("temperature"), report.generation.get("max_tokens")
    how = f"drawn at temperature {temperature}" if temperature else "greedy"
    if most:
        how += f", at most {counted(int(str(most)), 'token')}"
    yield f"{asked} ({report.tool}); {how}"


def _table(report: api.SpotCheckReport) -> Table:
    """One row per question, for a terminal."""
    from rich.table import Table

    columns = {name: values for name, values in _columns(report).items() if any(values)}
    table = Table(*columns, box=None, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*cells)
    return table


def _columns(report: api.SpotCheckReport) -> dict[str, list[Text]]:
    rows = report.rows
    return {
        "Asked": [_text(row.input) for row in rows],
        "Expected": [_text(row.target) for row in rows],
        "Base model": [_text(row.base) for row in rows],
        "Run": [_text(row.run, style="bold") for row in rows],
        "": [_text(_WORDS[row.is_equal] or None, style=_COLOURS[row.is_equal]) for row in rows],
    }


def _text(value: str | None, *, style: str = "") -> Text:
    from rich.text import Text

    return Text("" if value is None else "\n".join(_lines(value)), style=style)


def _lines(text: str) -> list[str]:
    """The lines of an answer, as a terminal may show them; several empty lines are one with their number."""
    if not text.strip("\n"):
        return [f"({counted(len(text), 'line break')})" if text else "(empty)"]
    lines: list[str] = []
    for line, same in groupby(visible_text(text).split("\n")):
        number = len(list(same))
        lines += [f"({number} empty lines)"] if not line and number > 1 else [line] * number
    return first_lines(lines, _MOST_LINES, more="lines: `--json` has them")


def _title(report: api.SpotCheckReport, row: api.SpotRow, number: int) -> str:
    title = f"{number + 1} of {len(report.rows)}"
    if not report.own_inputs:
        title += f", sample {row.id}"
    word = _WORDS[row.is_equal]
    return f"{title}: {word}" if word else title


def _block(row: api.SpotRow, *, show_prompt: bool) -> Iterator[str]:
    """The parts of one question, each with its name before the first line."""
    parts: list[tuple[str, list[str]]] = [("asked", _lines(row.input))]
    if row.prompt:
        parts.append(("prompt", _whole(row.prompt) if show_prompt else [_folded(row.prompt)]))
    if show_prompt and row.base_prompt and row.base_prompt != row.prompt:
        parts.append(("base got", _whole(row.base_prompt)))
    if row.target is not None:
        parts.append(("expected", _lines(row.target)))
    if row.base is not None:
        parts.append(("base", _lines(row.base)))
    if row.run is not None:
        parts.append(("run", _lines(row.run)))
    for name, lines in parts:
        for place, line in enumerate(lines):
            yield f"  {name if place == 0 else '':<9} {line}".rstrip()


def _whole(prompt: str) -> list[str]:
    return [f"│ {line}" for line in visible_text(prompt).split("\n")]


def _folded(prompt: str) -> str:
    """The beginning of a prompt on one line."""
    text = visible_text(prompt).replace("\n", "\\n")
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… ({len(prompt):,} characters: `--show-prompt`)"


def _summary(report: api.SpotCheckReport) -> Iterator[str]:
    compared = [row for row in report.rows if row.is_equal is not None]
    if compared:
        different = sum(not row.is_equal for row in compared)
        yield f"answers that differ from the base model's: {different} of {len(compared)}"
    cut = sum(bool(row.cut) for row in report.rows)
    if cut:
        verb = "has" if cut == 1 else "have"
        yield f"{counted(cut, 'answer')} {verb} as many tokens as allowed and may be cut: `--max-tokens` allows more"
