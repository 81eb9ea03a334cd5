"""Every file name that tunebook owns."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

__all__ = [
    "ANALYSIS",
    "ANALYZE_LOG",
    "ARRAYS",
    "DATA_RECORD",
    "DESIGN",
    "DESIGN_LOG",
    "DEVIATIONS",
    "GIVEN_UP",
    "LEDGER",
    "LOCK",
    "MANIFEST",
    "METRICS",
    "PLAN_FILE",
    "RUN_LOG",
    "SCAFFOLD_LOG",
    "SITE_FILE",
    "STATE_DIRECTORY",
    "checkpoint",
    "evaluation_script",
    "evaluation_stem",
    "output_directory",
    "tool_log",
]

PLAN_FILE = "experiment_summary.md"
SITE_FILE = "claude.local.md"
STATE_DIRECTORY = ".tunebook"
DESIGN = f"{STATE_DIRECTORY}/design.json"
MANIFEST = f"{STATE_DIRECTORY}/manifest.json"
LEDGER = f"{STATE_DIRECTORY}/ledger.jsonl"
DATA_RECORD = f"{STATE_DIRECTORY}/data.json"
ARRAYS = f"{STATE_DIRECTORY}/arrays"
GIVEN_UP = f"{STATE_DIRECTORY}/given-up"
LOCK = f"{STATE_DIRECTORY}/lock"
DESIGN_LOG = "design-experiment.log"
SCAFFOLD_LOG = "scaffold-experiment.log"
RUN_LOG = "run-experiment.log"
ANALYZE_LOG = "analyze-experiment.log"
ANALYSIS = "analysis"
DEVIATIONS = "deviations.jsonl"
METRICS = "metrics.jsonl"


def tool_log(verb: str, tool: str) -> str:
    """The log of a tool's own part, such as ``scaffold-NAME.log``, by the tool's short name."""
    return f"{verb}-{tool}.log"


def evaluation_stem(task: str, epoch: int | None) -> str:
    """``capitalization_epoch0``, or ``capitalization_base`` for a model that was not trained here."""
    return f"{task}_base" if epoch is None else f"{task}_epoch{epoch}"


def evaluation_script(directory: str, task: str, epoch: int | None) -> str:
    """The evaluation's script, relative to the experiment's directory."""
    return str(PurePosixPath(directory, "eval", f"{evaluation_stem(task, epoch)}.slurm"))


def output_directory(experiment: Path, name: str, directory: str, output_dir_base: str) -> Path:
    """The directory of a run's checkpoints; the experiment's name is part of it, since experiments may share a base."""
    if output_dir_base:
        return Path(output_dir_base).expanduser() / name / f"ck-out-{directory}"
    return experiment / directory / "artifacts"


def checkpoint(output: Path, epoch: int) -> Path:
    """The directory of one zero-based epoch's checkpoint."""
    return output / f"epoch_{epoch}"
