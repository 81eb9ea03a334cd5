"""Parameters by any of their names: key, column or short name."""

from __future__ import annotations

from collections.abc import Mapping

from tunebook.core.parameters import Kind, suggestion
from tunebook.design.values import MODEL
from tunebook.tools.parameters import every_parameter

__all__ = ["column_of", "find_key", "is_literal", "nearest_key", "values_text", "varies"]


def find_key(name: str, *, is_factor: bool) -> str | None:
    """The key of the parameter that has this name; a factor may also be :data:`MODEL`."""
    if is_factor and name.strip().lower() == MODEL:
        return MODEL
    found = every_parameter().by_name(name)
    return found.key if found else None


def nearest_key(name: str, *, is_factor: bool) -> tuple[str | None, str]:
    """The key that an unknown name probably means (``None`` if no name is near), and the hint for a person."""
    parameters = every_parameter()
    known: list[str] = []
    if is_factor:
        for parameter in parameters.varying:
            known += [parameter.key, parameter.short]
        known = [*dict.fromkeys(known), MODEL]
    else:
        known = [parameter.key for parameter in parameters]
    hint = suggestion(name, known)
    if not hint.startswith("did you mean"):
        return None, hint
    return find_key(hint.split("`")[1], is_factor=is_factor), hint


def varies(key: str) -> bool:
    """Whether this can differ from run to run."""
    return key == MODEL or bool(every_parameter().by_key(key).short)


def is_literal(key: str) -> bool:
    """Whether this is a prompt: models that are not trained are asked with it too."""
    return key != MODEL and every_parameter().by_key(key).kind is Kind.LITERAL


def values_text(values: Mapping[str, str], sep: str = ", ") -> str:
    """``lora_rank=8, lr=1e-5``."""
    return sep.join(f"{key}={text}" for key, text in values.items())


def column_of(key: str) -> str:
    """The name of the column in the runs table."""
    return "Model" if key == MODEL else every_parameter().by_key(key).column
