"""Parameters by any of their names: key, column or short name."""

from __future__ import annotations

from tunebook.core.parameters import suggestion
from tunebook.design.values import MODEL
from tunebook.tools.parameters import every_parameter

__all__ = ["column_of", "find_key", "nearest_key", "varies"]


def find_key(name: str, *, is_factor: bool) -> str | None:
    """The key of the parameter that has this name; a factor may also be :data:`MODEL`."""
    if is_factor and name.strip().lower() == MODEL:
        return MODEL
    found = every_parameter().by_name(name)
    return found.key if found else None


def nearest_key(name: str, *, is_factor: bool) -> tuple[str | None, str]:
    """The key that an unknown name probably means (``None`` if no name is near), and the hint for a person."""
    parameters = every_parameter()
    known = [parameter.key for parameter in parameters]
    if is_factor:
        names = [name for parameter in parameters.varying for name in (parameter.key, parameter.short)]
        known = [*dict.fromkeys(names), MODEL]
    hint = suggestion(name, known)
    if not hint.startswith("did you mean"):
        return None, hint
    return find_key(hint.split("`")[1], is_factor=is_factor), hint


def varies(key: str) -> bool:
    """Whether this can differ from run to run."""
    return key == MODEL or bool(every_parameter().by_key(key).short)


def column_of(key: str) -> str:
    """The name of the column in the runs table."""
    return "Model" if key == MODEL else every_parameter().by_key(key).column
