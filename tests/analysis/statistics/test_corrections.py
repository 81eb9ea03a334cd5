"""Holm's correction of a family of p-values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunebook.analysis.statistics.corrections import holm, holm_where_tested


def test_holms_correction_by_hand() -> None:
    """The step-down of S. Holm (1979): 0.005·4, 0.01·3, 0.03·2, 0.04·1 and never downwards."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=30))
def test_corrected_p_values_keep_their_order_and_are_at_least_as_large(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(p <= after <= 1 for p, after in zip(p_values, corrected, strict=True))
    by_p = [after for _, after in sorted(zip(p_values, corrected, strict=True))]
    assert by_p == sorted(by_p)
    if p_values:
        assert min(corrected) == pytest.approx(min(1.0, len(p_values) * min(p_values)))


def test_what_was_not_tested_stays_out_of_the_family() -> None:
    corrected = holm_where_tested([0.03, None, 0.01, None])
    assert corrected == (0.03, None, 0.02, None)
    assert holm_where_tested([None]) == (None,)
