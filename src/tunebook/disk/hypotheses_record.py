"""``.tunebook/hypotheses.json``: every version of the plan's hypotheses that tunebook saw, the frozen one first.

Versions are only added. Each says whether jobs had been submitted, and results were there, when it was first seen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tunebook.core.json_text import UNFIT, parse_json
from tunebook.core.paths import HYPOTHESES
from tunebook.disk.atomic import write_text
from tunebook.disk.read import read_text
from tunebook.disk.schema import Schema
from tunebook.errors import PlanError

__all__ = ["HypothesesVersion", "Seen", "hypotheses_digest", "read_versions", "write_versions"]

_SCHEMA = Schema(HYPOTHESES, version=1)


class Seen(StrEnum):
    """When a version was first seen."""

    BEFORE_JOBS = "before the first job"
    AFTER_JOB = "after the first job"
    AFTER_RESULT = "after the first result"


@dataclass(frozen=True)
class HypothesesVersion:
    """The hypotheses of a plan at one moment.

    Attributes:
        time: ISO 8601 with the time zone, when this version was first seen.
        sha256: the digest of ``texts``, see :func:`hypotheses_digest`.
        texts: each hypothesis as it is written on the plan, in the plan's order.
        first_job: when the first job was submitted, and ``first_result`` when the first evaluation was completed, as
            known at that time; empty if none was.
    """

    time: str
    when: Seen
    sha256: str
    texts: tuple[str, ...]
    first_job: str = ""
    first_result: str = ""


def hypotheses_digest(texts: Sequence[str]) -> str:
    """The SHA-256 of the texts in UTF-8, each followed by a line break."""
    return hashlib.sha256("".join(f"{text}\n" for text in texts).encode("utf-8", "surrogateescape")).hexdigest()


def read_versions(experiment: Path) -> tuple[HypothesesVersion, ...]:
    """All versions, the oldest first; empty without the file.

    Raises:
        PlanError: the file is damaged: what was frozen cannot be known any more.
    """
    text = read_text(experiment / HYPOTHESES)
    if text is None:
        return ()
    with suppress(*UNFIT):
        document = _SCHEMA.upgraded(parse_json(text))
        versions = tuple(_version(item) for item in document["versions"])
        if all(item.sha256 == hypotheses_digest(item.texts) for item in versions):
            return versions
    hint = "restore it from a backup; if you remove it, all hypotheses count as written after the jobs that exist"
    raise PlanError("the record of the frozen hypotheses is damaged, or was edited", file=HYPOTHESES, hint=hint)


def _version(item: Any) -> HypothesesVersion:
    texts = tuple(str(text) for text in item["texts"])
    times = str(item["time"]), Seen(item["when"])
    return HypothesesVersion(*times, str(item["sha256"]), texts, str(item["first_job"]), str(item["first_result"]))


def write_versions(experiment: Path, versions: Sequence[HypothesesVersion]) -> None:
    """Replaces the file, and returns when it is on the disk.

    Raises:
        OSError: the experiment's directory cannot be written.
    """
    document = {"version": _SCHEMA.version, "versions": [asdict(item) for item in versions]}
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    write_text(experiment / HYPOTHESES, text, within=experiment, durable=True)
