"""Writes the site settings as ``claude.local.md``: a text that reads back as the same settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from tunebook.core.markdown import backtick_fence, code_span, escape_cell, table_row
from tunebook.core.paths import SITE_FILE
from tunebook.core.site import SETTINGS, Environment, Setting, Site, setting, site_of, values_of
from tunebook.core.site_reading import parse_site
from tunebook.core.site_values import normalized
from tunebook.errors import PlanError, Problem

__all__ = ["site_text"]

_HEAD = """\
# Site settings

Written by `tunebook site init`. Edit it freely: `tunebook site` shows the settings in effect, and checks them.
"""
_PARENTS = {"Shared Resources": "### ", "Experiments & Outputs": "## Common Paths\n\n### "}
_LOCAL = "There is no SLURM here: jobs run on this machine, one after the other.\n"


def site_text(
    values: Mapping[str, str], *, has_slurm: bool = True, tables: Mapping[str, Sequence[Sequence[str]]] | None = None
) -> str:
    """The file, in the order of :data:`tunebook.core.site.SETTINGS`.

    Args:
        values: settings by key; missing and empty ones are written as unset.
        has_slurm: without it, SLURM's settings appear only if they are set.
        tables: title to rows, the header first: what was found on the cluster, for people.

    Raises:
        PlanError: a value would not read back as it is: it contains a line break or another control character, has
            white space around it, is a word for "unset", or has the wrong type.
    """
    site = site_of(values)
    parts = [_HEAD]
    for section, items in groupby(SETTINGS, key=lambda item: item.section):
        body = "".join(_bullets(items, site, has_slurm=has_slurm))
        if section == "SLURM Defaults" and not has_slurm:
            body = f"{_LOCAL}\n{body}".rstrip("\n") + "\n"
        if not body.startswith("-"):
            body = f"\n{body}"
        if body.strip():
            parts.append(f"{_PARENTS.get(section, '## ')}{section}\n{body}")
    for title, rows in (tables or {}).items():
        if len(rows) > 1:
            parts.append(f"## {title}\n\n{_table(rows)}")
    text = "\n".join(parts)
    _prove(site, text)
    return text


def _bullets(items: Iterable[Setting], site: Site, *, has_slurm: bool) -> Iterable[str]:
    values = values_of(site)
    for item in items:
        value = values[item.key]
        if item.key == "modules":
            yield _fenced(site.modules)
        elif item.key == "training":
            yield from _environments(site)
        elif item.key != "evaluation" and (value or has_slurm or not item.is_of_slurm):
            yield from _bullet(item, value, has_slurm=has_slurm)


def _bullet(item: Setting, value: str, *, has_slurm: bool) -> Iterable[str]:
    if item.key != "gpu_syntax":
        text = code_span(value) if value else f"(unset: {item.default})"
        yield f"- **{item.label}**: {text}\n"
    elif has_slurm:
        yield f"- **{item.label}**: `--{value}`\n"


def _environments(site: Site) -> Iterable[str]:
    """The environments of both stages; both are written with the bullet ``Training`` of ``SETTINGS``."""
    if site.training == site.evaluation == Environment():
        yield "- **Default conda environment**: (unset: the Python that runs tunebook)\n"
    elif site.training == site.evaluation:
        yield from _environment("Default ", site.training)
    else:
        yield from _environment("Training ", site.training)
        yield from _environment("Evaluation ", site.evaluation)
    for tool, environment in site.tool_environments.items():
        yield from _environment(f"{tool} ", environment)


def _environment(prefix: str, environment: Environment) -> Iterable[str]:
    if environment.conda_env:
        yield f"- **{prefix}conda environment**: {code_span(environment.conda_env)}\n"
    if environment.venv:
        yield f"- **{prefix}virtual environment**: {code_span(environment.venv)}\n"


def _fenced(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    fence = backtick_fence("\n".join(lines), shortest=3)
    return "\n".join([f"{fence}bash", *lines, fence]) + "\n"


def _table(rows: Sequence[Sequence[str]]) -> str:
    header, *body = ([escape_cell(cell) for cell in row] for row in rows)
    return "\n".join([table_row(header), table_row(["---"] * len(header)), *map(table_row, body)]) + "\n"


def _prove(site: Site, text: str) -> None:
    """Reads the text again and compares.

    Raises:
        PlanError: a setting is not the same.
    """
    parsed = parse_site(text)
    found, problems = values_of(parsed.site), list[Problem]()
    for key, value in values_of(site).items():
        is_printable = all(line.isprintable() for line in value.split("\n"))
        if found.get(key) != normalized(key, value) or not is_printable:
            message = f"{setting(key).label} is {value!r}, which the site file cannot hold"
            allowed = setting(key).allowed or "one line of printable text, and no word for unset such as `none` or `-`"
            problems.append(Problem(message, SITE_FILE, hint=f"it must be {allowed}"))
    if problems or parsed.errors:
        raise PlanError(problems or parsed.errors)
