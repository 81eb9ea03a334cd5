"""Bootstrap draws of samples for measures of all samples together: the totals of several columns in every draw.

A measure that is a function of totals, such as a root mean squared error, is computed of all draws at once. SciPy's
``bootstrap`` draws again for every run and measure.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

__all__ = ["DRAWS", "bootstrap_totals"]

DRAWS = 1_999
_SEED = 20_260_102
_ROWS_AT_A_TIME = 1 << 21  # numbers
_MOST_KEPT = 1 << 25  # numbers of one byte, for the next run: 32 MB


def bootstrap_totals(columns: Any) -> Any:
    """The totals of each column in 1,999 draws with replacement of the rows: one row per draw.

    Args:
        columns: one row per sample. Which rows are drawn depends only on how many there are, so that two runs with the
            same samples have the same draws.
    """
    import numpy as np

    values = np.asarray(columns, dtype="float32")
    count = len(values)
    chunks = _kept_counts(count) if count * DRAWS <= _MOST_KEPT else _counts(count)
    return np.concatenate([chunk.astype("float32") @ values for chunk in chunks]).astype(float)


@lru_cache(maxsize=2)  # the runs of a sweep have the same number of samples
def _kept_counts(count: int) -> tuple[Any, ...]:
    return tuple(_counts(count))


def _counts(count: int) -> Iterator[Any]:
    """How often each of ``count`` samples is drawn, one row per draw, in chunks."""
    import numpy as np

    random = np.random.default_rng(_SEED)
    rows = max(1, _ROWS_AT_A_TIME // count)
    for start in range(0, DRAWS, rows):
        draws = min(rows, DRAWS - start)
        places = random.integers(0, count, size=(draws, count)) + count * np.arange(draws)[:, None]
        counts = np.bincount(places.ravel(), minlength=draws * count).reshape(draws, count)
        yield np.minimum(counts, 255).astype("uint8")  # no sample is ever drawn that often
