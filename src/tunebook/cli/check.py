"""``tunebook check``: is the plan right?"""

from __future__ import annotations

from typing import Any

import typer

from tunebook import api
from tunebook.cli.options import Directory, Json, located
from tunebook.cli.output import console, finish

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command()
    def check(directory: Directory = None, *, as_json: Json = False) -> None:
        """Read the plan and the site settings and verify what can be verified on this machine. Writes nothing."""
        finish("check", api.check(located(directory)), data=_data, show=_show, as_json=as_json)


def _data(report: api.CheckReport) -> dict[str, Any]:
    plan = report.plan
    return {
        "experiment": str(report.experiment),
        "name": plan.name,
        "runs": [{"name": run.name, "type": run.type.value, "line": run.line} for run in plan.runs],
        "tools": {"preparation": plan.tools.preparation, "evaluation": plan.tools.evaluation},
        "site": report.site.file,
        "verified": list(report.notes),
    }


def _show(report: api.CheckReport) -> None:
    out = console()
    for note in report.notes:
        out.print(f"✓ {note}", markup=False)
    if report.errors:
        out.print(f"\n{len(report.errors)} error(s) in {report.experiment}: nothing was written", markup=False)
    else:
        runs = f"{len(report.plan.runs)} runs, {len(report.plan.fine_tuned)} of them fine-tuned"
        out.print(f"✓ {report.plan.name}: {runs}; {len(report.warnings)} warning(s)", markup=False)
