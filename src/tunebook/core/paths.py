"""Every file name that tunebook owns."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = [
    "ANALYSIS",
    "ANALYSIS_MEMORY",
    "ANALYZE_LOG",
    "ARCHIVE_RECORD",
    "ARRAYS",
    "DATA_RECORD",
    "DESIGN",
    "DESIGN_LOG",
    "DEVIATIONS",
    "DIGESTS",
    "FIGURES",
    "GIVEN_UP",
    "HYPOTHESES",
    "INPUTS",
    "LAST_GOOD_PLAN",
    "LEDGER",
    "LOCK",
    "MANIFEST",
    "METRICS",
    "PACKS",
    "PARTS",
    "PASSED_CHECKS",
    "PLAN_FILE",
    "PROOF",
    "PROVENANCE",
    "REPLACED_PLANS",
    "RUN_LOG",
    "SCAFFOLD_LOG",
    "SITE_FILE",
    "STATE_DIRECTORY",
    "SUBMISSIONS",
    "VERIFIED",
    "absolute_path",
    "checkpoint",
    "evaluation_script",
    "evaluation_stem",
    "expanded",
    "output_directory",
    "path_problem",
    "tool_log",
]

PLAN_FILE = "experiment_summary.md"
SITE_FILE = "claude.local.md"
STATE_DIRECTORY = ".tunebook"
DESIGN = f"{STATE_DIRECTORY}/design.json"
MANIFEST = f"{STATE_DIRECTORY}/manifest.json"
LEDGER = f"{STATE_DIRECTORY}/ledger.jsonl"
DATA_RECORD = f"{STATE_DIRECTORY}/data.json"
PASSED_CHECKS = f"{STATE_DIRECTORY}/passed_checks.json"
ARCHIVE_RECORD = f"{STATE_DIRECTORY}/archive.json"
ARRAYS = f"{STATE_DIRECTORY}/arrays"
PACKS = f"{STATE_DIRECTORY}/packs"
PARTS = f"{STATE_DIRECTORY}/parts"
GIVEN_UP = f"{STATE_DIRECTORY}/given-up"
DIGESTS = f"{STATE_DIRECTORY}/digests.json"
INPUTS = f"{STATE_DIRECTORY}/inputs.jsonl"
HYPOTHESES = f"{STATE_DIRECTORY}/hypotheses.json"
REPLACED_PLANS = f"{STATE_DIRECTORY}/plan"
LAST_GOOD_PLAN = f"{REPLACED_PLANS}/last-good.md"
SUBMISSIONS = f"{STATE_DIRECTORY}/submissions.jsonl"
VERIFIED = f"{STATE_DIRECTORY}/verified.json"
LOCK = f"{STATE_DIRECTORY}/lock"
DESIGN_LOG = "design-experiment.log"
SCAFFOLD_LOG = "scaffold-experiment.log"
RUN_LOG = "run-experiment.log"
ANALYZE_LOG = "analyze-experiment.log"
ANALYSIS = "analysis"
FIGURES = "figures"  # below the report's directory
ANALYSIS_MEMORY = f"{STATE_DIRECTORY}/analysis"
DEVIATIONS = "deviations.jsonl"
METRICS = "metrics.jsonl"
PROOF = "proof.json"
PROVENANCE = "provenance.json"
_VARIABLE = re.compile(r"(?:^|/)\$(?:\w+|\{\w+\})(?:/|$)")
_PLACEHOLDER = re.compile(r"<[^<>/]+>")
_LONGEST_NAME = 255  # bytes, on the file systems of Linux


def expanded(path: str | os.PathLike[str]) -> str:
    """A path with the home directory in place of its ``~``; the home of an unknown user stays as it is written."""
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        return os.fspath(path)


def absolute_path(path: str | os.PathLike[str]) -> Path:
    """The absolute path with the home directory in place of its ``~``."""
    return Path(expanded(path)).absolute()


def path_problem(path: str) -> tuple[str, str]:
    """Why no file can lie at a path as it is written, and what to do; both are empty if one can."""
    whole = "write the path in full"
    if "://" in path:
        return "is a URL", "write a path on this machine"
    if _VARIABLE.search(path):
        return "contains a variable, and variables are not expanded", whole
    if _PLACEHOLDER.search(path):
        return "contains a placeholder", whole
    if path.startswith("~") and expanded(path).startswith("~"):
        return "begins with the home directory of an unknown user", whole
    if any(len(name.encode("utf-8", "surrogatepass")) > _LONGEST_NAME for name in path.split("/")):
        return f"contains a name that is longer than {_LONGEST_NAME} bytes", whole
    return "", ""


def tool_log(verb: str, tool: str) -> str:
    """The log of a tool's own part, such as ``scaffold-NAME.log``, by the tool's short name."""
    return f"{verb}-{tool}.log"


def evaluation_stem(task: str, epoch: int | None) -> str:
    """``capitalization_epoch0``, or ``capitalization_base`` for a model that was not trained here."""
    return f"{task}_base" if epoch is None else f"{task}_epoch{epoch}"


def evaluation_script(directory: str, task: str, epoch: int | None) -> str:
    """The evaluation's script, relative to the experiment's directory."""
    return f"{directory}/eval/{evaluation_stem(task, epoch)}.slurm"


def output_directory(experiment: Path, name: str, directory: str, output_dir_base: str) -> str:
    """The directory of a run's checkpoints; the experiment's name is part of it, since experiments may share a base."""
    if output_dir_base:
        return str(Path(expanded(output_dir_base)) / name / f"ck-out-{directory}")
    return f"{experiment}/{directory}/artifacts"  # not joined as a Path: a sweep has thousands of runs


def checkpoint(output: str, epoch: int) -> str:
    """The directory of one zero-based epoch's checkpoint."""
    return f"{output}/epoch_{epoch}"
