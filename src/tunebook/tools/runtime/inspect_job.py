"""The checks of an evaluation job around ``inspect eval``: before, the model is complete; after, the log is complete.

Runs inside the job (``python -m tunebook.tools.runtime.inspect_job``). Imports only other modules of this package.
Every failure is one line on stderr and exit code 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.chat import pinned_template
from tunebook.tools.runtime.model_files import TOKENIZERS, read_chat_template, snapshot_of

__all__ = ["main", "prepare", "verify"]

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


class JobError(Exception):
    """One line for the person who reads the job's output."""


def prepare(model_path: Path, out: Path, *, sample: bool) -> None:
    """Checks the model's directory and writes the arguments of inspect-ai's ``hf`` provider.

    Greedy decoding is ``do_sample: false`` (Transformers refuses a temperature of 0). Special tokens come from the chat
    template only, as in training. A template that asks for today's date gets the fixed date of the training.

    Raises:
        JobError: the directory holds no model that can be evaluated.
    """
    try:
        model_path = snapshot_of(model_path)
    except ValueError as error:
        raise JobError(f"{model_path} {error}") from None
    _check_model(model_path)
    arguments: dict[str, Any] = {
        "model_path": str(model_path),
        "do_sample": sample,
        "tokenizer_call_args": {"add_special_tokens": False},
    }
    template = read_chat_template(model_path)
    if template and pinned_template(template) != template:
        arguments["chat_template"] = pinned_template(template)
    _write(out, arguments)


def _check_model(path: Path) -> None:
    if not path.is_dir():
        is_checkpoint = path.name.startswith("epoch_")
        hint = "its training has not ended, or has failed" if is_checkpoint else "download it first"
        raise JobError(f"the model {path} was not found: {hint}")
    if not (path / "config.json").is_file() or not _has_weights(path):
        raise JobError(f"{path} holds no complete model: it needs config.json and weights")
    if (path / "adapter_config.json").is_file():
        hint = "move adapter_* into a sub-folder; otherwise the adapter is applied to the merged weights again"
        raise JobError(f"{path} holds both merged weights and an adapter: {hint}")
    if not any((path / name).is_file() for name in TOKENIZERS):
        raise JobError(f"{path} holds no tokenizer: it needs one of {', '.join(TOKENIZERS)}")


def _has_weights(path: Path) -> bool:
    files = [file for pattern in _WEIGHTS for file in path.glob(pattern)]
    return not all(file.name.startswith("adapter_") for file in files)


def verify(log_dir: Path, out: Path, *, since: float, samples: int) -> None:
    """Reads the log, which decides whether the evaluation is completed: inspect's exit code is 0 even if it failed.

    Args:
        log_dir: the directory with the logs.
        out: where the result is written, for failed evaluations too.
        since: seconds since the epoch; older logs belong to earlier attempts.
        samples: how many samples were planned; 0 for all samples of the task.

    Raises:
        JobError: no log was written, its status is not success, or samples are missing or failed.
    """
    from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries

    newest = _newest_log(log_dir, since)
    log = read_eval_log(str(newest), header_only=True)
    total, completed = 0, 0
    if log.results is not None:
        total, completed = log.results.total_samples, log.results.completed_samples
    failed = sum(1 for item in read_eval_log_sample_summaries(str(newest)) if item.error)
    document = {"log": str(newest), "status": log.status, "samples": total, "completed": completed, "failed": failed}
    _write(out, document | {"scores": list(_scores(log.results))})
    if log.status != "success":
        reason = log.error.message.partition("\n")[0] if log.error else ""
        raise JobError(f"the status of the evaluation's log {newest} is {log.status}: {reason}")
    if failed or completed < total or total < samples:
        raise JobError(f"{newest}: {completed} of {max(total, samples)} samples are completed, {failed} failed")
    if not total:
        raise JobError(f"{newest}: the task has no samples")


def _newest_log(log_dir: Path, since: float) -> Path:
    logs = [file for file in log_dir.glob("*.eval") if file.stat().st_mtime >= since]
    if not logs:
        raise JobError(f"inspect ended without writing a log to {log_dir}")
    return max(logs, key=lambda file: file.stat().st_mtime)


def _scores(results: Any) -> Iterator[dict[str, Any]]:
    if results is None:
        return
    for score in results.scores:
        for name, metric in score.metrics.items():
            yield {"scorer": score.name, "metric": name, "value": metric.value}


def _write(path: Path, document: dict[str, Any]) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tunebook.tools.runtime.inspect_job")
    verbs = parser.add_subparsers(dest="verb", required=True)
    before = verbs.add_parser("prepare")
    before.add_argument("--model-path", type=Path, required=True)
    before.add_argument("--out", type=Path, required=True)
    before.add_argument("--sample", action="store_true")
    after = verbs.add_parser("verify")
    after.add_argument("--log-dir", type=Path, required=True)
    after.add_argument("--since", type=float, required=True)
    after.add_argument("--samples", type=int, default=0)
    after.add_argument("--out", type=Path, required=True)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """``prepare --model-path DIR --out FILE [--sample]``; ``verify --log-dir DIR --since S --samples N --out FILE``."""
    given = _arguments(arguments)
    try:
        if given.verb == "prepare":
            prepare(given.model_path, given.out, sample=given.sample)
        else:
            verify(given.log_dir, given.out, since=given.since, samples=given.samples)
    except (JobError, OSError, ValueError) as error:
        sys.stderr.write(f"tunebook: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
