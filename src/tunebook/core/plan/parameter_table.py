"""The parameters that a plan is read and written with."""

from __future__ import annotations

from dataclasses import dataclass

from tunebook.core.parameters import EVALUATION_PARAMETERS, PARAMETERS, Parameter, by_column, by_key

__all__ = ["PARAMETER_TABLE", "ParameterTable"]


@dataclass(frozen=True)
class ParameterTable:
    """Parameters of trainings and of evaluations, found by the name that the plan uses or by key."""

    training: tuple[Parameter, ...] = PARAMETERS
    evaluation: tuple[Parameter, ...] = EVALUATION_PARAMETERS

    @property
    def all(self) -> tuple[Parameter, ...]:
        """Every parameter, in the order of the table."""
        return (*self.training, *self.evaluation)

    def by_column(self, name: str) -> Parameter | None:
        """The parameter that a column or a bullet names."""
        return by_column(name)

    def by_key(self, key: str) -> Parameter:
        """The parameter with this key; there must be one."""
        return by_key(key)


PARAMETER_TABLE = ParameterTable()
