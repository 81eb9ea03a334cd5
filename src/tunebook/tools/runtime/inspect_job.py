"""An evaluation job's checks: before inspect-ai, the model is complete; after it, the log shows what was asked for.

Runs inside the job, in :mod:`tunebook.tools.runtime.inspect_evaluation`. Imports only other modules of this package.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.chat import pinned_template, plain_text_arguments
from tunebook.tools.runtime.checked_model import checked_model
from tunebook.tools.runtime.inspect_eval import LOADER
from tunebook.tools.runtime.inspect_log import Asked, chosen_by_task, differences, generation_in_effect
from tunebook.tools.runtime.job_errors import JobError
from tunebook.tools.runtime.model_files import read_chat_template
from tunebook.tools.runtime.whole_json import write_whole_json

__all__ = ["Files", "newest_log", "prepare", "verify"]


def prepare(
    model_path: Path,
    out: Path,
    *,
    precision: str,
    base: Path | None = None,
    sample: bool = False,
    plain_text: bool = False,
    inference: str = "",
) -> None:
    """Checks the model's directory and writes the arguments of inspect-ai's ``hf`` provider.

    Greedy decoding is ``do_sample: false`` (Transformers refuses a temperature of 0). Special tokens come from the chat
    template only, as in training. A template that asks for today's date gets the fixed date of the training.

    Args:
        model_path: the directory of a whole model, or of an adapter.
        out: the file that is written.
        precision: of the weights, ``bf16`` or ``fp32``; adapters are in fp32.
        base: the model that an adapter belongs to; without it the one that the adapter's file names.
        sample: whether tokens are drawn at a temperature.
        plain_text: whether the model is asked as in a training on plain text.
        inference: the program that serves the model; empty if the provider loads it.

    Raises:
        ValueError: the directory holds no model that can be evaluated.
    """
    model_path, whole = checked_model(model_path, base)
    arguments: dict[str, Any] = {
        "model_path": str(model_path),
        "auto_model_class": LOADER,
        "precision": precision,
        "do_sample": sample,
        "tokenizer_call_args": {"add_special_tokens": False},
    }
    if sample:
        arguments["sampling"] = True
    if inference:
        arguments["inference"] = inference
    if whole != model_path:
        arguments |= {"base": str(whole), "tokenizer_path": str(whole)}
    template = read_chat_template(whole)
    if plain_text:
        arguments |= _plain_text_arguments(whole)
    elif template and pinned_template(template) != template:
        arguments["chat_template"] = pinned_template(template)
    write_whole_json(out, arguments)


def _plain_text_arguments(model: Path) -> dict[str, Any]:
    from transformers import AutoTokenizer

    return plain_text_arguments(AutoTokenizer.from_pretrained(str(model), local_files_only=True))


@dataclass(frozen=True)
class Files:
    """The files of an evaluation job.

    Attributes:
        logs: the directory with the logs; those older than ``since`` belong to earlier attempts.
        asked: what was asked for beyond the arguments of model and task.
        in_effect: how the model was loaded.
        task: the task as ``inspect eval`` takes it; evaluations of one run share the directory of logs.
    """

    logs: Path
    since: float
    model_arguments: Path
    task_arguments: Path
    asked: Path
    in_effect: Path
    task: str = ""


def verify(files: Files, out: Path, *, model: str) -> None:
    """Reads the log, which decides whether the evaluation is completed: inspect's exit code is 0 even if it failed.

    Args:
        files: of the evaluation.
        out: where the result is written, for failed evaluations too.
        model: as the log names it.

    Raises:
        JobError: no log was written, its status is not success, samples are missing or failed, or the log shows
            another evaluation than the one that was asked for.
    """
    from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries

    asked = _asked(files, model)
    newest = _own_log(files, asked)
    log = read_eval_log(str(newest), header_only=True)
    total, completed = 0, 0
    if log.results is not None:
        total, completed = log.results.total_samples, log.results.completed_samples
    summaries = read_eval_log_sample_summaries(str(newest))
    failed = sum(1 for item in summaries if item.error)
    sample = _first_sample(newest, summaries)
    differing = differences(log, sample, asked)
    document = {"log": str(newest), "status": log.status, "samples": total, "completed": completed, "failed": failed}
    document |= {"scores": list(_scores(log.results)), "in_effect": _in_effect(log, sample, asked, files.in_effect)}
    write_whole_json(out, document | {"differences": differing})
    if log.status != "success":
        reason = log.error.message.partition("\n")[0] if log.error else ""
        raise JobError(f"the status of the evaluation's log {newest} is {log.status}: {reason}")
    wanted = (asked.limit or 0) * (log.eval.config.epochs or 1)
    if failed or completed < total or total < wanted:
        raise JobError(f"{newest}: {completed} of {max(total, wanted)} samples are completed, {failed} failed")
    if not total:
        raise JobError(f"{newest}: the task has no samples")
    if differing:
        raise JobError(f"{newest} is not the evaluation that was asked for: {'; '.join(differing)}")


def newest_log(log_dir: Path, since: float) -> Path:
    """The log that was written last.

    Raises:
        JobError: none was written since then.
    """
    return _logs(log_dir, since)[0]


def _logs(log_dir: Path, since: float) -> list[Path]:
    """The logs that were written since then, the last one first.

    Raises:
        JobError: there is none.
    """
    found = [(log.stat().st_mtime, log) for log in log_dir.glob("*.eval")]
    logs = [log for written, log in sorted(found, reverse=True) if written >= since]
    if not logs:
        raise JobError(f"inspect ended without writing a log to {log_dir}")
    return logs


def _own_log(files: Files, asked: Asked) -> Path:
    """The newest log of this evaluation: others of the same run may write to the directory at the same time.

    Without one of its own it is the newest of all, whose differences say what is wrong.
    """
    logs = _logs(files.logs, files.since)
    if len(logs) == 1:
        return logs[0]
    fitting = [log for log in logs if _is_of(log, asked)]
    named = [log for log in fitting if _is_of(log, asked, task=files.task.rpartition("@")[2])]
    return next(iter([*named, *fitting, *logs]))


def _is_of(path: Path, asked: Asked, *, task: str = "") -> bool:
    """Whether a log is of the model and the task's arguments, and of a task with this name if one is given."""
    from inspect_ai.log import read_eval_log

    try:
        spec = read_eval_log(str(path), header_only=True).eval
    except Exception:  # noqa: BLE001  zip, JSON and pydantic each fail in their own way while another job writes it
        return False
    names = {name.rpartition("/")[2] for name in (spec.task, spec.task_registry_name or "")}
    is_same = spec.model == asked.model and dict(spec.task_args_passed) == dict(asked.task_arguments)
    return is_same and (not task or task.rpartition("/")[2] in names)


def _asked(files: Files, model: str) -> Asked:
    return Asked(
        model=model,
        model_arguments=_read(files.model_arguments),
        task_arguments=_read(files.task_arguments),
        **_read(files.asked),
    )


def _first_sample(log: Path, summaries: list[Any]) -> Any:
    from inspect_ai.log import read_eval_log_sample

    if not summaries:
        return None
    return read_eval_log_sample(str(log), summaries[0].id, summaries[0].epoch)


def _in_effect(log: Any, sample: Any, asked: Asked, loaded: Path) -> dict[str, Any]:
    """How the model was loaded and asked; a model that could not be loaded has no file."""
    model = _read(loaded) if loaded.is_file() else {}
    generation = generation_in_effect(sample, asked)
    return {"model": model, "generation": generation, "limit": asked.limit, "by_task": chosen_by_task(log, asked)}


def _scores(results: Any) -> Iterator[dict[str, Any]]:
    if results is None:
        return
    for score in results.scores:
        for name, metric in score.metrics.items():
            yield {"scorer": score.name, "metric": name, "value": metric.value}


def _read(path: Path) -> dict[str, Any]:
    values = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise JobError(f"{path} holds no object")
    return values
