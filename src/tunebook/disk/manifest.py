"""The manifest: the digests of the files that were generated last, and the jobs of their scripts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from tunebook.core.jobs import Job, job_from_json, job_to_json
from tunebook.core.json_text import UNFIT, parse_json
from tunebook.core.paths import MANIFEST
from tunebook.disk.atomic import write_text
from tunebook.disk.read import read_text
from tunebook.errors import PlanError

__all__ = ["Manifest", "changed_scripts", "digest", "is_edited", "read_manifest", "write_manifest"]

_VERSION = 1


@dataclass(frozen=True)
class Manifest:
    """What tunebook generated in an experiment.

    Attributes:
        generated: relative path to the SHA-256 of its text as generated; two digests during a write, so that after an
            interrupted one neither text counts as edited.
        jobs: the jobs whose scripts exist.
    """

    generated: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    jobs: tuple[Job, ...] = ()


def read_manifest(experiment: Path) -> Manifest:
    """Reads the manifest; an empty one if the experiment was never scaffolded.

    Raises:
        PlanError: the manifest exists but cannot be read.
    """
    text = read_text(experiment / MANIFEST)
    if text is None:
        return Manifest()
    try:
        document = parse_json(text)
        generated = {str(path): tuple(map(str, digests)) for path, digests in document["generated"].items()}
        jobs = tuple(_placed(job_from_json(job), experiment) for job in document["jobs"])
        return Manifest(MappingProxyType(generated), jobs)
    except UNFIT as error:
        hint = "restore it, or remove it: then every generated file that differs from the plan counts as edited"
        raise PlanError(f"the manifest cannot be read: {error!r}", file=MANIFEST, hint=hint) from None


def _placed(job: Job, experiment: Path) -> Job:
    """The job with absolute paths of what it leaves; the manifest has relative ones inside the experiment."""
    metrics = job.metrics and os.path.join(experiment, job.metrics)  # noqa: PTH118  a sweep has thousands
    checkpoints = tuple(os.path.join(experiment, path) for path in job.checkpoints)  # noqa: PTH118
    return replace(job, metrics=metrics, checkpoints=checkpoints)


def _portable(job: Job, experiment: Path) -> Job:
    """The job with relative paths where an experiment that is moved takes the files along."""
    inside = f"{experiment}/"
    metrics = job.metrics and job.metrics.removeprefix(inside)
    checkpoints = tuple(path.removeprefix(inside) for path in job.checkpoints)
    return replace(job, metrics=metrics, checkpoints=checkpoints)


def digest(text: str) -> str:
    """Returns the SHA-256 of a text as UTF-8, in hexadecimal."""
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def is_edited(text: str | None, generated: Iterable[str]) -> bool:
    """Whether a file's text differs from those that were generated for it; ``None`` is a missing file."""
    return text is not None and digest(text) not in generated


def changed_scripts(experiment: Path, jobs: Iterable[Job]) -> frozenset[str]:
    """The names of the jobs whose scripts may ask for other resources than the job does.

    They are those whose script a person edited, and those whose script is missing, unreadable or generated again for
    other resources since the job was read.

    Raises:
        PlanError: the manifest cannot be read.
    """
    manifest = read_manifest(experiment)
    resources = {job.name: job.resources for job in manifest.jobs}
    changed = set()
    for job in jobs:
        try:
            text = read_text(experiment / job.script)
        except OSError:
            text = None
        edited = text is None or is_edited(text, manifest.generated.get(job.script, ()))
        if edited or resources.get(job.name) != job.resources:
            changed.add(job.name)
    return frozenset(changed)


def write_manifest(experiment: Path, manifest: Manifest) -> None:
    """Writes the manifest if it has changed."""
    document = {
        "version": _VERSION,
        "generated": {path: list(digests) for path, digests in sorted(manifest.generated.items())},
        "jobs": [job_to_json(_portable(job, experiment)) for job in manifest.jobs],
    }
    # An item a line, as with `indent=0`, which Python's fast encoder does not have.
    text = json.dumps(document, ensure_ascii=False, separators=(",\n", ": ")) + "\n"
    if read_text(experiment / MANIFEST) != text:
        write_text(experiment / MANIFEST, text)
