"""Generates docs/reference/files.md: every file that tunebook reads or writes."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from tunebook.core import paths
from tunebook.core.jobs import Stage
from tunebook.tools.finetuning.rows import SetupParameter
from tunebook.tools.finetuning.tool import FinetuningTool
from tunebook.tools.registry import installed_tools

__all__ = ["STATE", "files_reference", "state_names"]

_HEAD = """\
# Files

All files are text in UTF-8 unless this page says otherwise. The commands that work on an experiment write only below its directory; checkpoints
may be elsewhere, if the site settings name an output directory. Every file is replaced as a whole or appended to in whole lines, so that a killed
command leaves no half-written file.

## Files that you write

| file | content |
|---|---|
| `experiment_summary.md` | [the plan](plan.md). `tunebook run` writes its status tables, and nothing else in it |
| `claude.local.md` | the [site settings](../how-to/site.md); in the experiment's directory, in the working directory or a directory above it, or in `~/.claude/` |
| data sets | JSON, JSONL or Parquet: see [Prepare data and models](../how-to/data-and-models.md) |
| task scripts | Python files with inspect-ai tasks |
| models | directories in Hugging Face's format, or entries of the Hugging Face cache |
| `design.yaml`, any name | the answers for `tunebook design --config` |
| `experiment_summary.yaml` | a plan in YAML, for [`tunebook import`](../how-to/yaml-plans.md) |

## Files of a run

Directory names contain only what varies between the trained runs: `rank8_lr1e-5/`, `Llama-3.2-1B_rank8/`. If nothing varies, the name is the run's own.
A base model has the directory `MODEL_base/`. Files marked ✎ are yours to edit: the other files of the run follow them.

```text
capitalization_sweep/
├── experiment_summary.md               the plan
├── claude.local.md                     the site settings
├── scaffold-experiment.log …           logs
├── .tunebook/                          the experiment's state
├── rank8_lr1e-5/
│   ├── setup_finetune.yaml          ✎  this run's settings
│   ├── finetune.yaml                   torchtune's configuration, derived from it
│   ├── finetune.slurm                  the job's script, derived from it
│   ├── finetune.outcome.json           how the training ended
│   ├── finetune.versions.json          the packages of its environment
│   ├── slurm-4711.out                  its output
│   ├── provenance.json                 the record of the run
│   ├── artifacts/
│   │   ├── epoch_0/                    a checkpoint
│   │   ├── metrics.jsonl               one line per step
│   │   └── proof.json                  the losses as trained and as evaluated
│   └── eval/
│       ├── setup_finetune.yaml         a copy for the task
│       ├── capitalization_epoch0.slurm
│       ├── capitalization_epoch0.outcome.json
│       ├── capitalization_epoch0.result.json
│       └── logs/                       inspect-ai's .eval files
├── Llama-3.2-1B_base/eval/…
└── analysis/                           tables, figures, report
```

| tool | file | content |
|---|---|---|
"""
_RUN_FILES = """\

| file | written by | content |
|---|---|---|
| `JOB.outcome.json` | the job's script, when it ends | exit code, times, host, digests of its inputs: see [Job scripts](job-scripts.md#the-outcome-file) |
| `JOB.versions.json` | the job's script | Python, packages, GPUs and driver of its environment |
| `JOB.result.json` | an evaluation | the name of its log, its scores, and how the model was loaded and asked |
| `slurm-ID.out` | SLURM or this machine | the job's output |
| `metrics.jsonl` | the training | one JSON object per step: `step` (from 1), `epoch` (from 0), `total_steps`, `loss`, `lr`, `tokens_per_second`, `peak_memory_gb`, `val_loss` where validated |
| `proof.json` | the training | [the proof](../explanation/training.md#the-proof) that each checkpoint is evaluated as it was trained |
| `deviations.jsonl` | `run --retry-oom` | what was changed so that the training fits into memory |
| `provenance.json` | `tunebook run` | [the record of the run](provenance.md) |

Checkpoints are in `RUN/artifacts/epoch_N`, with N counted from zero. If the site settings name an *output base directory*, they are in
`OUTPUT_BASE/EXPERIMENT/ck-out-RUN/epoch_N` instead; the experiment's name is part of the path because two experiments may both have a `rank8`.

## `setup_finetune.yaml`

One run's settings, as YAML. Every key is there; an unknown key is an error with a suggestion, and so is a value that the table does not allow. After an edit,
[`tunebook setup-finetune RUN`](../how-to/own-experiment.md#change-one-run-by-hand) derives the other files again. `learning_rate` is accepted for `lr`.

| key | in the plan | allowed | tool |
|---|---|---|---|
"""
_LOGS = """\

## Logs

| file | written by |
|---|---|
| `design-experiment.log` | `tunebook design`, `tunebook import` |
| `scaffold-experiment.log` | `tunebook scaffold`: the steps |
| `scaffold-TOOL.log` | the part of one tool: each file |
| `run-experiment.log`, `run-TOOL.log` | `tunebook run`: submissions and ends of jobs |
| `analyze-experiment.log` | `tunebook analyze`: its findings |

Every command appends entries in this form, with one blank line between them. Lines without content are left out. Line breaks inside a value are
escaped, so that no value can look like an entry.

```text
[2026-11-29 00:52:53] READ_TOOL_SPECS: Parsing tool specifications
Details: Reading Tools section, line 14
Result: Preparation tool = torchtune, Evaluation tool = inspect-ai
Explanation: Preparation comes first: evaluation is added to the run directories
```

## The status tables

While `tunebook run` watches the jobs, it keeps two tables in the plan's section `## Status` current. `tunebook cancel` updates them too:

| table | columns |
|---|---|
| `### Fine-tuning` | Run Name, Status, Job ID, Started, Completed, Notes |
| `### Evaluations` | Run Name, Task, Epoch, Status, Job ID, Completed, Notes |

The status is `pending`, `running`, `completed` or `failed`; a job whose end is unknown counts as running until the next `tunebook run`. The notes give the reason of a failure: `TIMEOUT`, `OUT_OF_MEMORY`, `exit code 1`;
[Failures of jobs](failures.md#failures-of-jobs) lists the words. Your own remarks in the notes are kept. A job
that the plan no longer has keeps the state with which it ended; if nobody saw it end, its status becomes `-`.

## The state of an experiment

`.tunebook/` belongs to the experiment: copy or move it together with the other files. Do not edit it. Records state their format; one of a newer
format is [refused](errors.md#newer-format).

| file | content | if it is lost |
|---|---|---|
"""

STATE = MappingProxyType(
    {
        "DESIGN": ("the stored design, which `design --update` reads", "give the whole design once with `--update`"),
        "MANIFEST": (
            "the digest of each generated file: how tunebook recognizes your edits",
            "scaffolding reports every file that differs from the plan as edited",
        ),
        "LEDGER": (
            "every submission of a job, before and after it",
            "completed jobs stay completed; jobs in the queue are not recognized",
        ),
        "SUBMISSIONS": ("what each submission ran with", "`provenance.json` lacks these facts"),
        "INPUTS": ("the digests of the jobs' inputs", "`run` cannot name what changed"),
        "HYPOTHESES": ("the frozen hypotheses with their times", "hypotheses count as stated now"),
        "DATA_RECORD": ("what was read from the data sets", "they are read again"),
        "DIGESTS": ("digests of data, models and scripts, with size and time of each file", "they are computed again"),
        "VERIFIED": ("which files were verified against which values", "they are verified again"),
        "PASSED_CHECKS": ("proofs of `check --deep` that passed", "they are made again"),
        "REPLACED_PLANS": (
            "replaced versions of the plan for some seconds, and `last-good.md`, its last whole copy",
            "nothing: it is a safety net",
        ),
        "ARRAYS": ("the scripts of job arrays", "they are written again at the next submission"),
        "PACKS": ("the scripts and records of jobs that share an allocation", "jobs that have not started are lost"),
        "ARCHIVE_RECORD": (
            "in an archive of `tunebook export`: how its jobs ended, and what was left out",
            "unpack the archive again",
        ),
        "GIVEN_UP": ("markers of submissions that must not start any more", "such a job could run a second time"),
        "PARTS": ("temporary files; the next command removes those of ended processes", "nothing"),
        "LOCK": ("`lock.*`: which command works in the experiment", "nothing, while no command runs"),
        "ANALYSIS_MEMORY": ("what the last analysis read and drew", "everything is read and drawn again"),
    }
)
"""Constant of ``tunebook.core.paths`` to the content of the file or directory, and the consequence of its loss."""

_STAGES = {Stage.PREPARATION: "RUN/", Stage.EVALUATION: "RUN/eval/"}


def state_names() -> set[str]:
    """The constants for files in the state directory."""
    below = f"{paths.STATE_DIRECTORY}/"
    return {name for name in paths.__all__ if str(getattr(paths, name)).startswith(below)} - {"LAST_GOOD_PLAN"}


def files_reference() -> str:
    """The page."""
    return f"{_HEAD}{''.join(_tool_files())}{_RUN_FILES}{''.join(_keys())}{_LOGS}{''.join(_state())}"


def _tool_files() -> Iterator[str]:
    for tool in installed_tools().tools:
        for file in tool.files:
            names = ", or ".join(
                f"`{_STAGES[tool.stage]}{name}`" + (f" {rest}" if rest else "")
                for name, _, rest in (part.partition(" ") for part in file.name.split(", or "))
            )
            yield f"| {tool.name} | {names}{' ✎' if file.name in tool.editable else ''} | {file.description} |\n"


def _keys() -> Iterator[str]:
    rows: dict[str, SetupParameter] = {}
    tools: dict[str, list[str]] = {}
    for tool in installed_tools().tools:
        for row in tool.form.rows if isinstance(tool, FinetuningTool) else ():
            rows.setdefault(row.key, row)
            tools.setdefault(row.key, []).append(tool.name)
    count = max(map(len, tools.values()))
    for key, row in rows.items():
        names = "all" if len(tools[key]) == count else ", ".join(tools[key])
        yield f"| `{key}` | {row.column or '–'} | {row.allowed} | {names} |\n"


def _state() -> Iterator[str]:
    for name, (content, loss) in STATE.items():
        yield f"| `{getattr(paths, name)}` | {content} | {loss} |\n"
