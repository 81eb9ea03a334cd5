"""The manifest: the digests of the files that were generated last, and the jobs of their scripts."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from tunebook.core.jobs import Job, job_from_json, job_to_json
from tunebook.core.json_text import UNFIT, parse_json
from tunebook.core.paths import LEDGER, MANIFEST, PLAN_FILE
from tunebook.core.text_of_plan import without_status
from tunebook.disk.atomic import write_text
from tunebook.disk.inside import place_inside
from tunebook.disk.originals import original_of
from tunebook.disk.read import read_text
from tunebook.disk.schema import Schema
from tunebook.errors import DamagedError

__all__ = [
    "Manifest",
    "changed_scripts",
    "digest",
    "is_edited",
    "manifest_text",
    "plan_digest",
    "read_manifest",
    "refuse_lost",
    "rescued_manifest",
    "write_manifest",
]

_SCHEMA = Schema(MANIFEST, version=1)


@dataclass(frozen=True)
class Manifest:
    """What tunebook generated in an experiment.

    Attributes:
        generated: relative path to the SHA-256 of its text as generated; two digests during a write, so that after an
            interrupted one neither text counts as edited.
        jobs: the jobs whose scripts exist.
        plan: digest of the plan, without its status tables, for which all of this was generated; empty if parts of it
            are those of an earlier plan.
    """

    generated: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    jobs: tuple[Job, ...] = ()
    plan: str = ""


def read_manifest(experiment: Path) -> Manifest:
    """Reads the manifest; an empty one if the experiment was never scaffolded.

    Raises:
        DamagedError: the manifest exists but cannot be read.
        NewerFormatError: a newer tunebook wrote it.
    """
    text = read_text(experiment / MANIFEST)
    if text is None:
        return Manifest()
    try:
        document = _SCHEMA.upgraded(parse_json(text))
        generated = {str(path): tuple(map(str, digests)) for path, digests in document["generated"].items()}
        jobs = tuple(_placed(job_from_json(job), experiment) for job in document["jobs"])
        return Manifest(MappingProxyType(generated), jobs, str(document.get("plan", "")))
    except UNFIT as error:
        hint = "`tunebook scaffold` keeps a copy and makes it again from the files that are as the plan asks for"
        message = f"the manifest cannot be read: it {_damage(text, error)}"
        raise DamagedError(message, file=MANIFEST, hint=hint) from None


def _damage(text: str, error: Exception) -> str:
    if not text.strip("\0 \t\r\n"):
        return "is empty"
    if isinstance(error, json.JSONDecodeError) and not text.rstrip().endswith("}"):
        return "ends in the middle"
    return "has another form than tunebook writes"


def rescued_manifest(experiment: Path) -> tuple[Manifest, str]:
    """Reads the manifest; moves one that cannot be read aside, so that scaffolding makes it again, with a warning.

    Raises:
        NewerFormatError: a newer tunebook wrote it.
    """
    try:
        return read_manifest(experiment), ""
    except DamagedError:
        path = Path(place_inside(experiment / MANIFEST, experiment))
        kept = original_of(path)
        path.rename(kept)
        notice = (
            f"{MANIFEST} could not be read and is kept as {kept.name}; it was made again: files that are as the plan "
            "asks for count as generated, and all others as edited"
        )
        return Manifest(), notice


def refuse_lost(experiment: Path) -> None:
    """Accepts an experiment that has a manifest, or that was never scaffolded.

    Raises:
        DamagedError: jobs were submitted, but the manifest that describes them is missing.
    """
    if not (experiment / MANIFEST).exists() and (experiment / LEDGER).exists():
        hint = "`tunebook scaffold` makes it again: files that are as the plan asks for count as generated"
        raise DamagedError("the manifest is missing, but jobs were submitted", file=MANIFEST, hint=hint)


def _placed(job: Job, experiment: Path) -> Job:
    """The job with absolute paths of what it leaves; the manifest has relative ones inside the experiment."""
    if not job.metrics and not job.checkpoints:
        return job
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


def plan_digest(experiment: Path) -> str:
    """The digest of the plan without its status tables, which `tunebook run` rewrites."""
    return digest(without_status(read_text(experiment / PLAN_FILE) or "").strip())


def is_edited(text: str | None, generated: Collection[str]) -> bool:
    """Whether a file's text differs from those that were generated for it; ``None`` is a missing file.

    A generated file that is empty, or zeros, is what a power failure leaves: only records are written durably.
    """
    if text is None or (generated and not text.strip("\0")):
        return False
    return digest(text) not in generated


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


def manifest_text(experiment: Path, manifest: Manifest) -> str:
    """The text of the file; paths inside the experiment are relative in it."""
    document = {
        "version": _SCHEMA.version,
        "plan": manifest.plan,
        "generated": {path: list(digests) for path, digests in sorted(manifest.generated.items())},
        "jobs": [job_to_json(_portable(job, experiment)) for job in manifest.jobs],
    }
    # An item a line, as with `indent=0`, which Python's fast encoder does not have.
    return json.dumps(document, ensure_ascii=False, separators=(",\n", ": ")) + "\n"


def write_manifest(experiment: Path, manifest: Manifest) -> None:
    """Writes the manifest if it has changed, and returns when it is on the disk."""
    text = manifest_text(experiment, manifest)
    if read_text(experiment / MANIFEST) != text:
        write_text(experiment / MANIFEST, text, within=experiment, durable=True)
