"""``tunebook check``: reports every problem of the plan, and prints every setting in effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any

import typer

from tunebook import api
from tunebook.cli.options import All, Directory, Json, located
from tunebook.cli.output import console, finish, most_lines, notes_data
from tunebook.cli.visible import visible_text
from tunebook.cli.waiting import waiting
from tunebook.core.notes import with_sign
from tunebook.core.shortened import counted, first_lines, shortened

__all__ = ["check_data", "register"]

Deep = Annotated[
    bool,
    typer.Option(
        "--deep", help="Also prove it, for what is installed here, on shrunk models; runs the tasks' own code."
    ),
]
_TITLES = {
    "models and data": "Models and data",
    "prompts": "Prompts of trainings and evaluations",
    "preparation": "Training",
    "evaluation": "Evaluation",
    "jobs of preparation": "Jobs of the trainings",
    "jobs of evaluation": "Jobs of the evaluations",
}
_SIGNS = {"passed": "✓", "failed": "✗", "doubtful": "!", "not checked": "–"}
_LONGEST = 60  # characters of a value on one line
_MOST_RUNS = 3
_INDENT = "  "
_FEW_ROWS = 11  # of a table that is longer than a screenful, with its titles
_HOW_TO_SEE_ALL = "rows: `tunebook check --all` shows them"
_EXAMPLE = "The first training example as the model sees it; the parts between ⟦ and ⟧ are learnt"
_PROMPT = "The first prompt of each evaluation whose task puts the plan's prompts around the data set's inputs"


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command()
    def check(directory: Directory = None, *, deep: Deep = False, every: All = False, as_json: Json = False) -> None:
        """Read the plan and the site settings, verify them, and print every setting in effect. Writes nothing.

        With `--deep`, prove on shrunk models that the jobs will do what the plan says.
        """
        experiment = located(directory)
        with waiting("checking", quiet=as_json) as wait:
            on_deep = None if as_json else wait.before(_show_deep)
            report = api.check(experiment, deep=deep, on_deep=on_deep)
        finish("check", report, data=check_data, show=partial(_show, every=every), as_json=as_json, every=every)


def check_data(report: api.CheckReport) -> dict[str, Any]:
    """What was checked, for ``--json``."""
    plan = report.plan
    return {
        "experiment": str(report.experiment),
        "name": plan.name,
        "runs": [{"name": run.name, "type": run.type.value, "line": run.line} for run in plan.runs],
        "tools": {"preparation": plan.tools.preparation, "evaluation": list(plan.tools.evaluation)},
        "site": report.site.file,
        **notes_data(report.notes),
        "settings": {run: [vars(effect) for effect in effects] for run, effects in report.effects.items()},
        "first_examples": [_sample(sample) for sample in report.examples],
        "first_prompts": [_sample(sample) for sample in report.prompts],
        "deep": [_deep(outcome) for outcome in report.deep],
        "not_read": [vars(section) for section in report.own],
    }


def _sample(sample: api.Sample) -> dict[str, Any]:
    parts = [{"text": text, "learnt": is_learnt} for text, is_learnt in sample.parts]
    return {"runs": list(sample.runs), "task": sample.task, "parts": parts}


def _deep(outcome: api.DeepOutcome) -> dict[str, Any]:
    return {
        "title": outcome.title,
        "subject": outcome.subject,
        "state": outcome.state,
        "figure": outcome.result.figure,
        "reason": outcome.result.unchecked,
        "seconds": round(outcome.seconds, 2),
        "cached": outcome.cached,
        "runs": list(outcome.runs),
        "errors": [problem.message for problem in outcome.result.errors],
        "warnings": [problem.message for problem in outcome.result.warnings],
    }


def _show_deep(outcome: api.DeepOutcome) -> None:
    """One line when a deep check ends, with its time and its figures; before it, what it announces."""
    if outcome.started:
        line = f"  {outcome.announcement}"
    else:
        details = [outcome.result.figure]
        if outcome.result.unchecked:
            details = [f"not checked: {outcome.result.unchecked}"]
        details.append("unchanged since it passed" if outcome.cached else f"{outcome.seconds:.1f} s")
        shown = ", ".join(detail for detail in details if detail)
        line = f"{_SIGNS[outcome.state]} {outcome.title} ({outcome.subject}): {shown}"
    console().print(line, markup=False, highlight=False, soft_wrap=True)


def _show(report: api.CheckReport, *, every: bool) -> None:
    out, most = console(), most_lines(every=every)
    for table in report.tables:
        _show_table(table, most)
    for title, samples in ((_EXAMPLE, report.examples), (_PROMPT, report.prompts)):
        if samples:
            out.print(f"\n{title}:", markup=False)
        for sample in samples:
            out.print(_subject(sample), markup=False)
            out.print("\n".join(_lines(sample)), markup=False, soft_wrap=True)
    if report.own:
        out.print("\nSections of your own, which are not read:", markup=False)
        for section in report.own:
            out.print(f"  {report.plan.file}:{section.line}  {section.title}", markup=False)
    if report.notes:
        out.print()
    for line in first_lines(list(map(with_sign, report.notes)), most, more=_HOW_TO_SEE_ALL):
        out.print(line, markup=False)
    if report.errors:
        out.print(f"\n{counted(len(report.errors), 'error')} in {report.experiment}", markup=False)
    else:
        runs = f"{counted(len(report.plan.runs), 'run')}, {len(report.plan.fine_tuned):,} of them fine-tuned"
        out.print(f"{_sign(report)} {shortened(report.plan.name)}: {runs}; {_warnings(report)}", markup=False)


def _sign(report: api.CheckReport) -> str:
    """A tick if all that the plan names was checked."""
    return _SIGNS["not checked" if _unchecked(report) else "passed"]


def _unchecked(report: api.CheckReport) -> int:
    """How many files were not found here, and deep checks not made."""
    missing = {problem.missing for problem in report.warnings if problem.missing}
    return len(missing) + sum(outcome.state == "not checked" for outcome in report.deep)


def _warnings(report: api.CheckReport) -> str:
    count, unchecked = counted(len(report.warnings), "warning"), _unchecked(report)
    return f"{count}; {unchecked:,} not checked, as said above" if unchecked else count


def _show_table(table: api.EffectTable, most: int | None) -> None:
    out = console()
    out.print(f"\n{_TITLES.get(table.group, table.group)}", markup=False, style="bold")
    rows = [(effect.name, _short(effect.value), effect.source) for effect in table.common]
    _print_columns(rows, None)
    if table.rows:
        out.print("  differ between runs:", markup=False)
        of_runs = [(run, *map(_short, values)) for run, values in table.rows.items()]
        _print_columns(of_runs, most, titles=("", *table.names))


def _print_columns(rows: Sequence[tuple[str, ...]], most: int | None, *, titles: tuple[str, ...] = ()) -> None:
    from rich.text import Text

    from tunebook.cli.wrapped import in_columns

    out = console()
    width = out.width - len(_INDENT) if out.is_terminal else None
    cells = [[Text(visible_text(cell)) for cell in row] for row in rows]
    lines = in_columns(cells, titles=titles, width=width, labelled=bool(titles))
    is_short = most is None or len(lines) <= most
    shown = lines if is_short else lines[:_FEW_ROWS]
    for line in shown:
        out.print(Text(_INDENT) + line)
    if not is_short:
        out.print(f"… and {len(lines) - len(shown):,} more {_HOW_TO_SEE_ALL}", markup=False)


def _short(value: str) -> str:
    """A value on one line; ``--json`` has long values whole."""
    text = " ".join(value.split())
    if not text:
        return "(none)"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _subject(sample: api.Sample) -> str:
    others = len(sample.runs) - _MOST_RUNS
    runs = ", ".join(sample.runs[:_MOST_RUNS])
    if others > 0:
        runs += f" and {others} more"
    return f"  {sample.task}: {runs}" if sample.task else f"  {runs}"


def _lines(sample: api.Sample) -> Iterator[str]:
    text = "".join(f"⟦{text}⟧" if is_learnt else text for text, is_learnt in sample.parts)
    for line in text.split("\n"):
        yield f"    │ {line}"
