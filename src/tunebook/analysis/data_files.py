"""Writes data frames as CSV and Parquet, whole or not at all, with the same bytes for the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunebook.disk.atomic import replaced, write_text

__all__ = ["write_csv", "write_parquet"]

_FORMULA = "=+-@\t\r"


def write_csv(path: Path, frame: Any, *, within: Path) -> None:
    """Writes a data frame as UTF-8 CSV with a header; missing values are empty, floats have all their digits.

    A text that a spreadsheet would take for a formula gets an apostrophe in front; Parquet keeps it unchanged.
    """
    texts = frame.select_dtypes(include=["object", "string"])
    safe = frame.assign(**{name: frame[name].map(_as_text) for name in texts.columns}).rename(columns=_as_text)
    write_text(path, safe.to_csv(index=False, lineterminator="\n"), within=within)


def _as_text(value: Any) -> Any:
    """A cell that no spreadsheet computes; numbers with a sign stay unchanged."""
    if not isinstance(value, str) or len(value) < 2 or value[0] not in _FORMULA:  # noqa: PLR2004  a lone sign is not a formula
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def write_parquet(path: Path, table: Any, *, within: Path) -> None:
    """Writes a pyarrow table or a data frame as Parquet (Zstandard), whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not isinstance(table, pa.Table):
        table = pa.Table.from_pandas(table, preserve_index=False)
    with replaced(path, within=within) as part, Path(part).open("wb") as file:  # pyarrow refuses paths beyond UTF-8
        pq.write_table(table, file, compression="zstd")
