"""The parameters that a plan is read and written with."""

from __future__ import annotations

from dataclasses import dataclass

from tunebook.core.parameters import EVALUATION_PARAMETERS, PARAMETERS, Parameter, by_column, by_key, suggestion

__all__ = ["PARAMETER_TABLE", "ParameterTable"]


@dataclass(frozen=True)
class ParameterTable:
    """Parameters by key, or by the name that the plan uses; ``is_complete`` if every other name is a mistake."""

    rows: tuple[Parameter, ...]
    is_complete: bool = True

    def by_column(self, name: str) -> Parameter | None:
        """The parameter that a column or a bullet names."""
        return by_column(name)

    def by_key(self, key: str) -> Parameter:
        """The parameter with this key, which must be in the table."""
        return by_key(key)

    @property
    def varying(self) -> tuple[Parameter, ...]:
        """The parameters that can be a column of the runs table."""
        return tuple(parameter for parameter in self.rows if parameter.short)

    def suggest(self, name: str, *others: str, varying: bool = False) -> str:
        """``did you mean `X`?`` for the nearest column (one that can vary) or other name; otherwise the list of all."""
        rows = self.varying if varying else self.rows
        return suggestion(name, (*others, *(parameter.column for parameter in rows)))


PARAMETER_TABLE = ParameterTable((*PARAMETERS, *EVALUATION_PARAMETERS))
