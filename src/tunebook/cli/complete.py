"""Shell completion of values: run names, parameters, site settings, executors and tools.

A plan that cannot be read gives no completions: the shell would print an error into the line that a person types.
"""

from __future__ import annotations

from pathlib import Path

import typer

from tunebook import api
from tunebook.core.jobs import Stage
from tunebook.core.paths import PLAN_FILE, expanded

__all__ = [
    "complete_error",
    "complete_evaluation_tool",
    "complete_executor",
    "complete_parameter",
    "complete_preparation_tool",
    "complete_run",
    "complete_site_setting",
]


def complete_run(context: typer.Context, incomplete: str) -> list[str]:
    """The runs of the plan in the directory that the command names, or in the experiment that the current one is in."""
    from tunebook.core.plan import parse_plan
    from tunebook.core.shared_parameters import SHARED_PARAMETERS

    # An option without its value ends the parsing; the directory before it is then among the unparsed arguments.
    named = context.params.get("directory") or next(iter(context.args), "")
    try:
        path = (Path(expanded(named)) if named else api.experiment_here() or Path()) / PLAN_FILE
        if not path.is_file():  # a pipe would be waited for
            return []
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return []
    plan = parse_plan(text, SHARED_PARAMETERS).plan  # names of runs need no tool's parameters
    return [run.name for run in plan.runs if run.name.startswith(incomplete)]


def complete_parameter(incomplete: str) -> list[str]:
    """The keys of the plan's parameters, each with ``=``."""
    return _assignments([parameter.key for parameter in api.every_parameter()], incomplete)


def complete_site_setting(incomplete: str) -> list[str]:
    """The keys of the site settings, each with ``=``."""
    from tunebook.core.site import SETTINGS

    return _assignments([setting.key for setting in SETTINGS], incomplete)


def _assignments(keys: list[str], incomplete: str) -> list[str]:
    return [f"{key}=" for key in keys if key.startswith(incomplete)]


def complete_executor(incomplete: str) -> list[str]:
    """The installed executors."""
    return [name for name in api.executor_names() if name.startswith(incomplete)]


def complete_error(incomplete: str) -> list[str]:
    """The kinds of errors."""
    from tunebook.core.error_pages import ERROR_PAGES

    return [code for code in ERROR_PAGES if code.startswith(incomplete)]


def complete_preparation_tool(incomplete: str) -> list[str]:
    """The tools that train."""
    return _tools(Stage.PREPARATION, incomplete)


def complete_evaluation_tool(incomplete: str) -> list[str]:
    """The tools that evaluate."""
    return _tools(Stage.EVALUATION, incomplete)


def _tools(stage: Stage, incomplete: str) -> list[str]:
    return [tool.name for tool in api.tools().tools if tool.stage is stage and tool.name.startswith(incomplete)]
