"""Parameters by any of their names: key, column or short name."""

from __future__ import annotations

from tunebook.core.parameters import EVALUATION_PARAMETERS, PARAMETERS, Parameter, by_column, by_key, suggestion
from tunebook.design.values import MODEL

__all__ = ["column_of", "find_key", "nearest_key", "varies"]

_BY_KEY = {parameter.key: parameter for parameter in (*PARAMETERS, *EVALUATION_PARAMETERS)}
_BY_SHORT = {parameter.short: parameter for parameter in PARAMETERS if parameter.short}


def find_key(name: str, *, is_factor: bool) -> str | None:
    """The key of the parameter that has this name; a factor may also be :data:`MODEL`."""
    lowered = name.strip().lower()
    if is_factor and lowered == MODEL:
        return MODEL
    found = _find(lowered)
    return found.key if found else None


def _find(name: str) -> Parameter | None:
    return _BY_KEY.get(name) or by_column(name) or _BY_SHORT.get(name)


def nearest_key(name: str, *, is_factor: bool) -> tuple[str | None, str]:
    """The key that an unknown name probably means (``None`` if no name is near), and the hint for a person."""
    known = list(_BY_KEY)
    if is_factor:
        varying = [parameter for parameter in PARAMETERS if parameter.short]
        names = [name for parameter in varying for name in (parameter.key, parameter.short)]
        known = [*dict.fromkeys(names), MODEL]
    hint = suggestion(name, known)
    if not hint.startswith("did you mean"):
        return None, hint
    return find_key(hint.split("`")[1], is_factor=is_factor), hint


def varies(key: str) -> bool:
    """Whether this can differ from run to run."""
    return key == MODEL or bool(by_key(key).short)


def column_of(key: str) -> str:
    """The name of the column in the runs table."""
    return "Model" if key == MODEL else by_key(key).column
