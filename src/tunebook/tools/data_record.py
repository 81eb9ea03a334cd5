"""Records the flaws of the training data when an experiment is scaffolded, so that its report can name them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tunebook.core.paths import DATA_RECORD, expanded
from tunebook.core.plan import Plan
from tunebook.core.plan.settings import effective
from tunebook.disk.atomic import write_text
from tunebook.disk.read import read_text
from tunebook.disk.remembered import read_remembered
from tunebook.tools.base import Context
from tunebook.tools.data_quality import overlap_cautions, split_cautions
from tunebook.tools.datasets import read_dataset_facts
from tunebook.tools.plan_inputs import dataset_path

__all__ = ["data_flaws", "files_state", "trained_data", "write_data_record"]


def write_data_record(context: Context) -> None:
    """Writes the flaws of each data set that was read, with the state of its files; reports work without them."""
    found = {}
    trained = {dataset_path(context.plan, run) for run in context.plan.fine_tuned}
    for path, facts in context.datasets.items():
        if path in trained and facts is not None and not facts.problem and not facts.unread:
            flaws = [text for text, _ in split_cautions(path, facts)]
            overlaps = [text for text, _ in overlap_cautions(path, facts)]
            files = files_state(context.experiment, path)
            found[path] = {"files": files, "flaws": flaws, "overlaps": overlaps}
    text = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    if found and read_text(context.experiment / DATA_RECORD) != text:
        with suppress(OSError):
            write_text(context.experiment / DATA_RECORD, text, within=context.experiment)


def trained_data(plan: Plan) -> dict[str, str | None]:
    """The paths of the data sets that the plan's runs are trained on, each with the type that its runs give it."""
    kinds: dict[str, str | None] = {}
    for run in plan.fine_tuned:
        kind = effective(plan, run, "dataset_type")
        kinds[dataset_path(plan, run)] = kind if isinstance(kind, str) else None
    return kinds


def data_flaws(experiment: Path, plan: Plan, *, overlapping: Collection[str] = ()) -> Iterator[str]:
    """A sentence for each flaw of the data that the plan's runs are trained on.

    As they were recorded, if the files have not changed since or are not here; otherwise the data is read.

    Args:
        overlapping: paths of data sets whose overlaps with evaluations are known: those of their splits are left out.
    """
    recorded: dict[str, Any] = read_remembered(experiment / DATA_RECORD, dict) or {}
    for path, kind in trained_data(plan).items():
        record = recorded.get(path)
        state = files_state(experiment, path)
        flaws: list[str] = []
        overlaps: list[str] = []
        if isinstance(record, dict) and state in ([], record.get("files")):
            flaws, overlaps = list(map(str, record.get("flaws", ()))), list(map(str, record.get("overlaps", ())))
        elif path:
            facts = read_dataset_facts(experiment / expanded(path), kind)
            if facts is not None:
                flaws = [text for text, _ in split_cautions(path, facts)]
                overlaps = [text for text, _ in overlap_cautions(path, facts)]
        yield from flaws
        if path not in overlapping:
            yield from overlaps


def files_state(experiment: Path, path: str) -> list[list[str | int]]:
    """Name, size and time of change of each of a data set's files; empty if it is not here."""
    place = experiment / expanded(path)
    files = [place]
    if place.is_dir():
        files = sorted(file for file in (*place.glob("*"), *place.glob("data/*")) if file.is_file())
    if not place.exists():
        return []
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
