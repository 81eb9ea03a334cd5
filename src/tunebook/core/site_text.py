"""The text of ``claude.local.md``, which reads back as the values that it was made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from tunebook.core.markdown import escape_cell, table_row
from tunebook.core.site import SITE_FILE, Environment, Site, parse_site
from tunebook.core.site_settings import SETTINGS, Setting, site_of, values_of
from tunebook.errors import PlanError, Problem

__all__ = ["site_text"]

_HEAD = """\
# Site settings

Written by `tunebook site init`. Edit it freely: `tunebook site` shows what is in force, and checks it.
"""
_PARENTS = {"Shared Resources": "### ", "Experiments & Outputs": "## Common Paths\n\n### "}
_LOCAL = "There is no SLURM here: jobs run on this machine, one after the other.\n"


def site_text(
    values: Mapping[str, str], *, has_slurm: bool = True, tables: Mapping[str, Sequence[Sequence[str]]] | None = None
) -> str:
    """The file, in the order of :data:`tunebook.core.site_settings.SETTINGS`.

    Args:
        values: settings by key; what is missing or empty is written as unset.
        has_slurm: without it, SLURM's settings appear only if they are set.
        tables: title to rows, the header first: what was seen, for people.

    Raises:
        PlanError: a value would not read back as it is: it holds a line break or another control character, has white
            space around it, is a word for "unset", or has the wrong type.
    """
    site = site_of(values)
    parts = [_HEAD]
    for section, items in groupby(SETTINGS, key=lambda item: item.section):
        body = "".join(_bullets(list(items), site, has_slurm=has_slurm))
        if section == "SLURM Defaults" and not has_slurm:
            body = _LOCAL + (f"\n{body}" if body else "")
        if body:
            parts.append(f"{_PARENTS.get(section, '## ')}{section}\n{'' if body.startswith('-') else chr(10)}{body}")
    parts += [f"## {title}\n\n{_table(rows)}" for title, rows in (tables or {}).items() if len(rows) > 1]
    text = "\n".join(parts)
    _prove(site, text)
    return text


def _bullets(items: Sequence[Setting], site: Site, *, has_slurm: bool) -> Iterable[str]:
    values = values_of(site)
    for item in items:
        if item.key == "modules":
            yield _fenced(site.modules)
        elif item.key == "training":
            yield from _environments(site)
        elif item.key == "gpu_syntax":
            if has_slurm:
                yield f"- **{item.label}**: `--{site.gpu_syntax}`\n"
        elif item.key != "evaluation" and (values[item.key] or has_slurm or not item.of_slurm):
            yield f"- **{item.label}**: {_code(values[item.key]) if values[item.key] else f'(unset: {item.default})'}\n"


def _environments(site: Site) -> Iterable[str]:
    if site.training == site.evaluation:
        yield from _environment("Default ", site.training)
    else:
        yield from _environment("Training ", site.training)
        yield from _environment("Evaluation ", site.evaluation)
    if site.training == site.evaluation == Environment():
        yield "- **Default conda environment**: (unset: the Python that runs tunebook)\n"


def _environment(prefix: str, environment: Environment) -> Iterable[str]:
    if environment.conda_env:
        yield f"- **{prefix}conda environment**: {_code(environment.conda_env)}\n"
    if environment.venv:
        yield f"- **{prefix}virtual environment**: {_code(environment.venv)}\n"


def _fenced(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    fence = "`" * max(3, _longest_run("\n".join(lines)) + 1)
    return "\n".join([f"{fence}bash", *lines, fence]) + "\n"


def _code(value: str) -> str:
    """A code span that holds the value to the letter."""
    ticks = "`" * (_longest_run(value) + 1)
    pad = " " if value.startswith("`") or value.endswith("`") else ""
    return f"{ticks}{pad}{value}{pad}{ticks}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def _table(rows: Sequence[Sequence[str]]) -> str:
    header, *body = ([escape_cell(cell) for cell in row] for row in rows)
    return "\n".join([table_row(header), table_row(["---"] * len(header)), *map(table_row, body)]) + "\n"


def _prove(site: Site, text: str) -> None:
    """What is written is read again, and must be the same."""
    wanted, found = values_of(site), values_of(parse_site(text)[0])
    labels = {item.key: item.label for item in SETTINGS}
    problems = [
        Problem(f"{labels[key]} is {value!r}, which the site file cannot hold", SITE_FILE, hint=_allowed(key))
        for key, value in wanted.items()
        if found[key] != value or not all(line.isprintable() for line in value.split("\n"))
    ]
    if problems:
        raise PlanError(problems)


def _allowed(key: str) -> str:
    special = {
        "gpus": "it must be a whole number",
        "cpus": "it must be a whole number",
        "mem": "it must be a size such as 32G",
        "time": "write HH:MM:SS",
        "gpu_syntax": "it must be --gres or --gpus",
        "modules": "one command a line, no comments",
    }
    return special.get(key, "one line of printable text, and no word that means unset, such as `none` or `-`")
