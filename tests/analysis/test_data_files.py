"""The data files of an analysis."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from tunebook.analysis.data_files import write_parquet


def test_parquet_is_written_where_the_directory_has_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"l\xe4t")
    folder.mkdir()
    write_parquet(folder / "samples.parquet", pd.DataFrame({"a": [1]}), within=folder)
    assert (folder / "samples.parquet").read_bytes().startswith(b"PAR1")
