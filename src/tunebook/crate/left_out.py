"""Records the checkpoints, models and data sets that are not in a crate: their places, sizes and digests."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tunebook.crate.values import CrateOptions, ExportedExperiment
from tunebook.disk.archive_record import LeftOut
from tunebook.disk.digests import digest_of, directory_list, file_digest, listed_files, model_list, part_digest

__all__ = ["left_out_of", "sum_of"]


def left_out_of(experiment: ExportedExperiment, options: CrateOptions) -> Iterator[LeftOut]:
    """Checkpoints unless weights are included, models always, data sets unless they are included."""
    if not options.weights:
        for path in dict.fromkeys(path for job in experiment.jobs for path in job.checkpoints):
            yield _directory("weights", path, path)
    for name, place in experiment.models.items():
        yield _directory("model", name, str(place))
    if not options.data:
        for name, place in experiment.data.items():
            yield _data(name, str(place))


def _directory(kind: str, name: str, place: str) -> LeftOut:
    """A checkpoint or a model; weights are read only at their beginning and their end."""
    try:
        listed = model_list(place, file_digest, part_digest)
        return LeftOut(kind, name, *_extent(place), digest_of(listed) if listed else "")
    except OSError:
        return LeftOut(kind, name)


def _data(name: str, place: str) -> LeftOut:
    try:
        if os.path.isdir(place):  # noqa: PTH112
            return LeftOut("data", name, *_extent(place), digest_of(directory_list(place, file_digest)))
        return LeftOut("data", name, 1, os.stat(place).st_size, file_digest(place))  # noqa: PTH116
    except OSError:
        return LeftOut("data", name)


def _extent(folder: str) -> tuple[int, int]:
    """How many files a directory has, and their bytes."""
    sizes = [os.stat(path).st_size for path in listed_files(folder)]  # noqa: PTH116
    return len(sizes), sum(sizes)


def sum_of(items: list[LeftOut], kind: str) -> tuple[int, int]:
    """How many of a kind there are, and their bytes."""
    sizes = [item.size for item in items if item.kind == kind and item.files]
    return len(sizes), sum(sizes)
