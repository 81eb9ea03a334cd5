"""An evaluation with lm-evaluation-harness: runs it, reads what it wrote, and compares that with what was asked.

Runs inside the job (``python -P -m tunebook.tools.runtime.lm_eval_job``). Imports only other modules of this package.
Every failure is one line on stderr and exit code 1.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.job_errors import JobError, reported
from tunebook.tools.runtime.lm_eval_log import Logged, differences, read_logged, scores
from tunebook.tools.runtime.lm_eval_run import Attempt, add_options, run
from tunebook.tools.runtime.questions import read_questions
from tunebook.tools.runtime.whole_json import write_whole_json

__all__ = ["check", "main", "options", "verify"]

_NAMES_OF_LENGTH = frozenset({"max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens"})
_DEFAULT_TOKENS = 256  # the longest answer to a benchmark that does not say how long it may be


def verify(attempt: Attempt, asked: Mapping[str, Any], *, model: str, log_directory: Path, out: Path) -> None:
    """Keeps the attempt's logs, writes the result, and decides whether the evaluation is completed.

    Args:
        asked: what was asked for; see docs/reference/job-scripts.md.
        model: as the logs name it.
        log_directory: where the logs of all attempts are kept, each in a directory of its own.
        out: where the result is written, also that of an evaluation that is not what was asked for.

    Raises:
        JobError: samples are missing, or the logs show another evaluation than the one that was asked for.
        ValueError: lm-eval wrote no results, or not all samples.
    """
    logged = read_logged(attempt.logs, asked["name"])
    in_effect = json.loads(attempt.in_effect.read_text(encoding="utf-8"))
    questions = []
    if "benchmark" not in asked:
        questions = list(read_questions(attempt.questions))
    differing = differences(logged, asked, questions, in_effect["generation"], model=model)
    completed = sum(len({sample["doc_id"] for sample in samples}) for samples in logged.samples.values())
    log = _keep(logged, attempt.logs, log_directory)
    document = {
        "log": str(log),
        "status": "success",
        "samples": completed,
        "completed": completed,
        "failed": 0,
        "scores": scores(logged.results),
        "in_effect": {**in_effect, "limit": asked["limit"], "by_task": _by_task(logged, asked)},
        "differences": differing,
    }
    write_whole_json(out, document)
    if not completed:
        raise JobError(f"{log}: the task has no samples")
    if differing:
        raise JobError(f"{log} is not the evaluation that was asked for: {'; '.join(differing)}")


def _by_task(logged: Logged, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The choices that a benchmark makes, since the plan does not: shots, version, and how answers end."""
    if "benchmark" not in asked:
        return {}
    chosen: dict[str, Any] = {}
    for task, config in logged.results["configs"].items():
        chosen[task] = {
            "shots": logged.results["n-shot"].get(task),
            "version": logged.results["versions"].get(task),
            "generation": _generation(config),
        }
    return chosen


def _generation(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """How a benchmark's answers were generated; ``None`` for one that rates given answers."""
    if config.get("output_type") != "generate_until":
        return None
    own = dict(config.get("generation_kwargs") or {})
    if _NAMES_OF_LENGTH.isdisjoint(own):
        own = {"max_gen_toks": _DEFAULT_TOKENS, **own}
    return own


def _keep(logged: Logged, directory: Path, log_directory: Path) -> Path:
    """Copies the logs under a name that only this attempt has; they appear whole or not at all."""
    kept = log_directory / logged.file.stem
    part = log_directory / f".{logged.file.stem}.part"
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(directory, part)
    part.rename(kept)
    return kept / logged.file.name


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Reads the options of :func:`main`."""
    parser = argparse.ArgumentParser(prog="tunebook.tools.runtime.lm_eval_job")
    add_options(parser)
    for option in ("--log-dir", "--out"):
        parser.add_argument(option, type=Path, required=True)
    return parser.parse_args(arguments)


def check(given: argparse.Namespace) -> int:
    """Reads what lm-eval wrote, and returns the exit code; a failure is one line on stderr."""

    def step() -> None:
        asked = json.loads(given.asked.read_text(encoding="utf-8"))
        verify(Attempt(given.attempt), asked, model=given.model, log_directory=given.log_dir, out=given.out)

    return reported(step)


def main(arguments: Sequence[str]) -> int:
    """``--model NAME --model-path DIR --precision P … --asked FILE --attempt DIR --log-dir DIR --out FILE``."""
    given = options(arguments)
    return run(given) or check(given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
