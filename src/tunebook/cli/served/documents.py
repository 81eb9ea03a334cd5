"""The typed results of the tools: the documents that ``--json`` prints, as schemas for clients.

Long lists are cut; ``left_out`` names each and how many items it lacks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "LARGEST",
    "LONGEST",
    "AnalyzeDocument",
    "CancelDocument",
    "CheckDocument",
    "RunDocument",
    "ScaffoldDocument",
    "StatusDocument",
    "cut",
    "fitted",
]

LONGEST = 50
"""How many items a list of a result has at most: an agent reads all of it."""
LARGEST = 30_000
"""How many characters the data of a result have at most, about 10,000 tokens; above it, the lists are cut shorter."""
_SETTINGS = "settings"

Row = dict[str, Any]
Counts = Annotated[dict[str, dict[str, int]], Field(description="Stage to state to the number of jobs.")]


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ProblemItem(_Value):
    """A problem, its place, and what to do about it."""

    message: str
    file: str | None = None
    line: int | None = Field(None, description="One-based.")
    hint: str = ""
    code: str | None = Field(None, description="What `tunebook explain` takes.")
    page: str | None = Field(None, description="The page about it in the repository.")


class _Document(_Value):
    ok: bool
    exit_code: int = Field(
        description="As of the command line: 0 done, 1 failed, 2 usage, 3 wrong plan, 4 unfinished or conflicts left."
    )
    warnings: list[ProblemItem]
    errors: list[ProblemItem]
    left_out: dict[str, int] = Field(description="List to the number of its items that are left out here.")


class RunItem(_Value):
    """A run of the plan."""

    name: str
    type: str
    line: int


class ToolsItem(_Value):
    """The tools that the plan names."""

    preparation: str
    evaluation: list[str]


class SettingItem(_Value):
    """A setting in effect, and where it comes from."""

    key: str
    name: str
    value: str
    source: str
    group: str


class TextPart(_Value):
    """A part of an example; the model learns those that are ``learnt``."""

    text: str
    learnt: bool


class SampleItem(_Value):
    """A first example or prompt, and the runs that have it."""

    runs: list[str]
    task: str
    parts: list[TextPart]


class ProofItem(_Value):
    """A deep check."""

    title: str
    subject: str
    state: str = Field(description="passed, failed, doubtful or not checked")
    figure: str
    reason: str
    seconds: float
    cached: bool
    runs: list[str]
    errors: list[str]
    warnings: list[str]


class SectionItem(_Value):
    """A section of the plan that is a person's own and is not read."""

    title: str
    line: int
    end_line: int


class CheckData(_Value):
    """The result of a check."""

    experiment: str
    name: str
    runs: list[RunItem]
    tools: ToolsItem
    site: str | None
    verified: list[str]
    not_checked: list[str] = Field(description="What could not be verified, and why.")
    settings: dict[str, list[SettingItem]] = Field(description="By run; only of the runs that `settings` names.")
    first_examples: list[SampleItem]
    first_prompts: list[SampleItem]
    deep: list[ProofItem]
    not_read: list[SectionItem]


class PartItem(_Value):
    """One tool's part of scaffolding."""

    tool: str
    stage: str
    ok: bool
    runs: list[str]
    scripts: list[str]
    failures: list[str]
    missing: list[str]
    skipped: str
    log: str
    duration_s: float


class FileItem(_Value):
    """A file, and what happened to it."""

    path: str
    action: str
    diff: str | None = Field(None, description="In a dry run: the change that would be written.")


class PointItem(_Value):
    """One point of the validation after scaffolding."""

    text: str
    holds: bool


class ScaffoldData(_Value):
    """The files that were written."""

    experiment: str
    name: str
    dry_run: bool
    parts: list[PartItem]
    files: list[FileItem]
    conflicts: list[str] = Field(description="Files that a person edited and that were kept.")
    validation: list[PointItem]
    orphans: list[str]
    pruned: list[str]


class PaceItem(_Value):
    """The pace of a training that takes clearly longer than planned; seconds."""

    seconds_per_step: float
    projected_s: float
    total_steps: int
    estimate_s: float | None
    limit_s: float | None = Field(description="The time limit that will end it.")
    cut_at: int | None = Field(description="The step at which that happens.")


class JobItem(_Value):
    """A training or an evaluation in its present state."""

    name: str
    run: str
    stage: str
    task: str | None
    epoch: int | None = Field(description="Zero-based.")
    state: str = Field(description="pending, running, completed, failed or unknown")
    reason: str
    job_id: str
    loss: float | None
    score: float | None
    tail: list[str] = Field(description="Of a failed job: the lines of its output that show the failure best.")
    step: int | None
    total_steps: int | None
    pace: PaceItem | None
    started: str | None
    ended: str | None
    output: str | None = Field(description="The file with the job's output.")
    kind: str | None
    advice: str | None
    deviation: str | None
    node: str | None


class PreviewedItem(_Value):
    """A job that a run would run or leave, and why."""

    name: str
    run: str
    stage: str
    reason: str
    details: str
    repeats_completed: bool


class PlannedItem(_Value):
    """The preview of a run, before it submits anything."""

    to_run: list[PreviewedItem]
    watched: list[PreviewedItem]
    left: list[PreviewedItem]
    completed: int


class RunData(_Value):
    """How a run ended, what it would do (dry run), or that it goes on (detached)."""

    executor: str = Field(description="Empty in a dry run.")
    jobs: list[JobItem]
    counts_by_stage: Counts
    submitted: list[str]
    not_retried: list[str]
    planned: PlannedItem
    goes_on: str = Field(description="Of a detached run: who watches it, and what ends its jobs. Otherwise empty.")


class StatusData(_Value):
    """Every job."""

    jobs: list[JobItem]
    counts: dict[str, int]
    counts_by_stage: Counts


class CancelData(_Value):
    """The jobs that were ended."""

    cancelled: list[str]


class FindingItem(_Value):
    """A sentence that the numbers support."""

    kind: str
    task: str
    significant: bool | None
    text: str


class GapItem(_Value):
    """A planned result that is missing, and how to get it."""

    subject: str
    what: str
    hint: str
    planned: bool


class DeviationItem(_Value):
    """A deviation from the plan."""

    kind: str
    subject: str
    what: str


class AnalyzeData(_Value):
    """The analysis in short; scores are fractions."""

    experiments: list[str]
    report: str
    files: list[str]
    finished: bool
    findings: list[FindingItem]
    scores: list[Row]
    comparisons: list[Row]
    effects: list[Row]
    hypotheses: list[Row]
    aggregates: list[Row]
    groups: list[Row]
    gaps: list[GapItem]
    deviations: list[DeviationItem]
    next_steps: list[str]
    seconds: float


class CheckDocument(_Document):
    """The result of ``check``."""

    data: CheckData


class ScaffoldDocument(_Document):
    """The result of ``scaffold``."""

    data: ScaffoldData


class RunDocument(_Document):
    """The result of ``run``."""

    data: RunData


class StatusDocument(_Document):
    """The result of ``status``."""

    data: StatusData


class CancelDocument(_Document):
    """The result of ``cancel``."""

    data: CancelData


class AnalyzeDocument(_Document):
    """The result of ``analyze``."""

    data: AnalyzeData


def fitted(data: Mapping[str, Any], left_out: dict[str, int]) -> dict[str, Any]:
    """The data with lists so short that all of it has at most :data:`LARGEST` characters.

    Args:
        left_out: gets the name of each list that is cut, such as ``parts.scripts``, with the number of items it lacks.
    """
    most = LONGEST
    while True:
        counts: dict[str, int] = {}
        found: dict[str, Any] = cut(data, counts, most=most)
        if most == 1 or len(json.dumps(found, default=str)) <= LARGEST:
            left_out.update(counts)
            return found
        most //= 2


def cut(value: Any, left_out: dict[str, int], name: str = "", *, most: int = LONGEST) -> Any:
    """The value with at most so many items in each list, in any depth, and settings of at most so many runs.

    The settings of one run stay whole: half of them would look like all.
    """
    if isinstance(value, Mapping):
        items: Sequence[Any] = list(value.items())
        if name == _SETTINGS:
            items = _first(items, most, left_out, name)
        return {key: cut(item, left_out, f"{name}.{key}".lstrip("."), most=most) for key, item in items}
    if isinstance(value, list | tuple):
        kept = value if name.startswith(f"{_SETTINGS}.") else _first(value, most, left_out, name)
        return [cut(item, left_out, name, most=most) for item in kept]
    return value


def _first(items: Sequence[Any], most: int, left_out: dict[str, int], name: str) -> Sequence[Any]:
    """The first items; notes how many more there are."""
    if len(items) > most:
        left_out[name] = left_out.get(name, 0) + len(items) - most
    return items[:most]
