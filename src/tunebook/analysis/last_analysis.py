"""Remembers the last analysis that was written, so that one of the same inputs need not be made again.

An input is everything that can change a result: each file below the experiment's directory, the places outside that the
analysis reads, the states of the jobs, the options, and the installed code. Files are compared by size, time and inode;
those that were written just before they were looked at are compared by their contents.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tunebook.analysis.destination import Destination
from tunebook.analysis.summary import Summary, summary_from_json, summary_to_json
from tunebook.core.paths import ANALYSIS, ANALYSIS_MEMORY, ANALYZE_LOG, DIGESTS, LOCK, STATE_DIRECTORY
from tunebook.disk.atomic import write_text
from tunebook.disk.remembered import read_remembered
from tunebook.disk.stamps import NEVER_FRESH_NS, FileState, files_below, stamp_of
from tunebook.tools.installed_code import installed_code

__all__ = ["Inputs", "KnownInputs", "WrittenAnalysis", "look_at_inputs", "recall", "remember"]

_STORE = "last.json"
_VERSION = 1
_NO_INPUTS = (ANALYSIS, ANALYZE_LOG, ANALYSIS_MEMORY, DIGESTS)


@dataclass(frozen=True)
class WrittenAnalysis:
    """An analysis whose files are as they were written; ``files`` are named as the report of the verb names them."""

    files: tuple[str, ...]
    summary: Summary


@dataclass(frozen=True)
class Inputs:
    """The inputs of an analysis, as they were when it began.

    Attributes:
        seen_ns: when the files were looked at.
        files: everything below the experiments' directories that may be an input.
        values: inputs that are not files: options, states of jobs, site settings, in words.
    """

    seen_ns: int
    files: Sequence[FileState]
    values: str

    def known(self, outside: Sequence[Path]) -> KnownInputs:
        """All inputs, once the places outside are known; to be called before one of them is read."""
        places = tuple(map(str, outside))
        return KnownInputs(self.seen_ns, places, self.stamp(places, self.seen_ns))

    def stamp(self, outside: Sequence[str], seen_ns: int) -> str:
        """One digest of all inputs."""
        files = list(self.files)
        for place in outside:
            files += files_below(Path(place))
        digest = hashlib.sha256(self.values.encode("utf-8", "surrogateescape"))
        for part in (stamp_of(files, seen_ns=seen_ns), installed_code()):
            digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
        return digest.hexdigest()


@dataclass(frozen=True)
class KnownInputs:
    """The stamp of an analysis's inputs, to be remembered when it is written."""

    seen_ns: int
    outside: tuple[str, ...]
    stamp: str


def look_at_inputs(experiments: Sequence[Path], values: str) -> Inputs:
    """Looks at the files of experiments, before any of them is read."""
    seen_ns = time.time_ns()
    files: list[FileState] = []
    for experiment in experiments:
        files += files_below(experiment, ignored=_is_no_input)
    return Inputs(seen_ns, files, values)


def _is_no_input(name: str) -> bool:
    """Whether a file below the experiment's directory is hidden or made by analyses, or says nothing about results."""
    last = name.rpartition("/")[2]
    is_hidden = last.startswith(".") and name != STATE_DIRECTORY
    return is_hidden or name in _NO_INPUTS or name.startswith(LOCK) or last == "__pycache__"


def recall(inputs: Inputs, destination: Destination) -> WrittenAnalysis | None:
    """The last analysis, if it is of the same inputs and its files are as it wrote them; otherwise ``None``."""
    recalled = partial(_recalled, inputs, destination)
    return read_remembered(destination.memory / _STORE, recalled, version=_VERSION)


def _recalled(inputs: Inputs, destination: Destination, document: Mapping[str, Any]) -> WrittenAnalysis | None:
    if document["written"] != _stamp_of_files(destination):
        return None
    if document["inputs"] != inputs.stamp(document["outside"], document["seen_ns"]):
        return None
    return WrittenAnalysis(tuple(document["files"]), summary_from_json(document["summary"]))


def remember(inputs: KnownInputs, written: WrittenAnalysis, destination: Destination) -> None:
    """Remembers an analysis whose files were just written."""
    document = {
        "version": _VERSION,
        "seen_ns": inputs.seen_ns,
        "inputs": inputs.stamp,
        "outside": inputs.outside,
        "written": _stamp_of_files(destination),
        "files": written.files,
        "summary": summary_to_json(written.summary),
    }
    write_text(destination.memory / _STORE, json.dumps(document) + "\n", within=destination.root)


def _stamp_of_files(destination: Destination) -> str:
    files = files_below(destination.folder, ignored=lambda name: name.startswith(".") or name == ANALYZE_LOG)
    return stamp_of(files, seen_ns=NEVER_FRESH_NS)
