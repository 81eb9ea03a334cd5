"""The correction of p-values for the number of tests in a family."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["holm", "holm_where_tested"]


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down correction of a family of p-values, in their order.

    It controls the family-wise error rate however the tests depend on each other.

    Source: S. Holm (1979), Scandinavian Journal of Statistics 6:65-70.
    """
    from statsmodels.stats.multitest import multipletests

    if not p_values:
        return ()
    corrected: list[float] = multipletests(p_values, method="holm")[1].tolist()
    return tuple(corrected)


def holm_where_tested(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Holm's correction of the p-values; ``None`` stands for what was not tested, and stays."""
    corrected = iter(holm([p for p in p_values if p is not None]))
    return tuple(None if p is None else next(corrected) for p in p_values)
