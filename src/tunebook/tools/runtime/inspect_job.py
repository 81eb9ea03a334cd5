"""What an evaluation job does before and after ``inspect eval``: is the checkpoint there, and is the log complete?

Runs inside the job (``python -m tunebook.tools.runtime.inspect_job``). Imports only other modules of this package.
Every failure is one line on stderr and exit code 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.chat import pinned_template

__all__ = ["main", "prepare", "verify"]

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


class JobError(Exception):
    """One line for the person who reads the job's output."""


def prepare(model_path: Path, out: Path, *, sample: bool) -> None:
    """Checks the model's directory and writes the arguments of inspect-ai's ``hf`` provider.

    Greedy decoding is ``do_sample: false`` (a temperature of 0 is refused by Transformers); special tokens come from
    the chat template only, as in training; a template that asks for today's date gets training's fixed one.

    Raises:
        JobError: there is no model that could be evaluated.
    """
    _check_model(model_path)
    arguments: dict[str, Any] = {
        "model_path": str(model_path),
        "do_sample": sample,
        "tokenizer_call_args": {"add_special_tokens": False},
    }
    template = _chat_template(model_path)
    if template and pinned_template(template) != template:
        arguments["chat_template"] = pinned_template(template)
    _write(out, arguments)


def _check_model(path: Path) -> None:
    if not path.is_dir():
        hint = "its training has not ended, or has failed" if path.name.startswith("epoch_") else "get it first"
        raise JobError(f"the model {path} is not there: {hint}")
    weights = [file for pattern in _WEIGHTS for file in path.glob(pattern) if not file.name.startswith("adapter_")]
    if not (path / "config.json").is_file() or not weights:
        raise JobError(f"{path} holds no complete model: it needs config.json and weights")
    if (path / "adapter_config.json").is_file():
        hint = "move adapter_* into a sub-folder: they would be applied to the merged weights once more"
        raise JobError(f"{path} holds merged weights and an adapter side by side: {hint}")
    if not any((path / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")):
        raise JobError(f"{path} holds no tokenizer")


def _chat_template(path: Path) -> str | None:
    """The template that Transformers would use: the file of its own, else the tokenizer's configuration."""
    own = path / "chat_template.jinja"
    if own.is_file():
        return own.read_text(encoding="utf-8")
    config = path / "tokenizer_config.json"
    template = json.loads(config.read_text(encoding="utf-8")).get("chat_template") if config.is_file() else None
    if isinstance(template, list):
        template = next((item["template"] for item in template if item.get("name") == "default"), None)
    return str(template) if template else None


def verify(log_dir: Path, out: Path, *, since: float, samples: int) -> None:
    """Reads the evaluation's log, which decides whether it is completed; inspect's exit code does not.

    Args:
        since: seconds since the epoch; older logs are of earlier attempts.
        samples: how many samples were planned; 0 for all that the task has.

    Raises:
        JobError: no log, a status other than success, or samples that are missing or failed.
    """
    from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries

    logs = [file for file in log_dir.glob("*.eval") if file.stat().st_mtime >= since]
    if not logs:
        raise JobError(f"inspect has ended and left no log in {log_dir}")
    newest = max(logs, key=lambda file: file.stat().st_mtime)
    log = read_eval_log(str(newest), header_only=True)
    results = log.results
    total = results.total_samples if results else 0
    completed = results.completed_samples if results else 0
    failed = sum(1 for item in read_eval_log_sample_summaries(str(newest)) if item.error)
    scores = [
        {"scorer": score.name, "metric": name, "value": metric.value}
        for score in (results.scores if results else [])
        for name, metric in score.metrics.items()
    ]
    document = {"log": str(newest), "status": log.status, "samples": total, "completed": completed, "failed": failed}
    _write(out, document | {"scores": scores})
    if log.status != "success":
        reason = (log.error.message.splitlines() or [""])[0] if log.error else ""
        raise JobError(f"the evaluation's log {newest} says {log.status}: {reason}")
    if failed or completed < total or total < samples:
        raise JobError(f"{newest}: {completed} of {max(total, samples)} samples are completed, {failed} failed")
    if not total:
        raise JobError(f"{newest}: the task has no samples")


def _write(path: Path, document: dict[str, Any]) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def main(arguments: list[str] | None = None) -> int:
    """``prepare --model-path DIR --out FILE [--sample]``; ``verify --log-dir DIR --since S --samples N --out FILE``."""
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
    given = parser.parse_args(arguments)
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
