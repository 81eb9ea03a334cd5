"""The checkpoints that a training leaves."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from tunebook.artifacts.text_files import MOST_DOCUMENT_BYTES
from tunebook.disk.read import is_no_file, read_text

__all__ = ["missing_checkpoints", "trained_inputs"]

_MARK = "inputs.sha256"


def missing_checkpoints(checkpoints: Sequence[str], experiment: str | os.PathLike[str]) -> tuple[str, ...]:
    """Returns those of a job's checkpoints whose directory does not exist.

    Raises:
        OSError: the system cannot say.
    """
    places = ((path, os.path.join(experiment, path)) for path in checkpoints)  # noqa: PTH118  a sweep has thousands
    return tuple(path for path, place in places if not _is_directory(place))


def _is_directory(place: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(place).st_mode)  # noqa: PTH116
    except ValueError:  # no file has such a name
        return False
    except OSError as error:
        if is_no_file(error):
            return False
        raise


def trained_inputs(metrics: str | None) -> str:
    """The one digest of the inputs of the training that last wrote beside these metrics; empty if it is not known."""
    if metrics is None:
        return ""
    text = read_text(f"{metrics.rpartition('/')[0]}/{_MARK}", most=MOST_DOCUMENT_BYTES)
    return (text or "").strip()
