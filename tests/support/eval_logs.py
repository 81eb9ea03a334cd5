"""Real inspect-ai logs without a real model: one evaluation of ``mockllm/model``, then copies with other samples."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any

__all__ = ["write_log"]


@lru_cache
def _template() -> Any:
    """What inspect-ai itself logs of two samples; its outputs carry their usage, so that no tokenizer is wanted."""
    from inspect_ai import Task
    from inspect_ai import eval as evaluate
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import exact

    outputs = [ModelOutput.from_content("mockllm/model", text) for text in ("House", "table")]
    for output in outputs:
        output.usage = ModelUsage(input_tokens=12, output_tokens=3, total_tokens=15)
    samples = [Sample(id=1, input="house", target="House"), Sample(id=2, input="table", target="Table")]
    task = Task(dataset=samples, scorer=exact(), name="template")
    model = get_model("mockllm/model", custom_outputs=outputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a library's warning, raised as an error, would be the log's error
        (log,) = evaluate(task, model=model, log_dir=tempfile.mkdtemp(), max_samples=1, display="none")
    assert log.status == "success"
    return log


def write_log(  # noqa: PLR0913
    path: Path,
    *,
    model: str,
    values: Sequence[Any],
    task: str = "capitalization",
    task_file: str = "cap_task.py",
    ids: Sequence[str | int] | None = None,
    prompts: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    answers: Sequence[str | None] | None = None,
    scorer: str = "exactly",
    status: Any = "success",
    created: str = "2026-01-02T10:00:00+00:00",
    epochs: int = 1,
    commit: str | None = None,
    unique: str = "",
    arguments: Mapping[str, Any] | None = None,
    metadata: Sequence[Mapping[str, Any]] = (),
    score_metadata: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Writes an ``.eval`` file in which each sample has the given score values (a list of lists with several epochs).

    Args:
        model: as the log names it: ``hf/rank4_epoch0``.
        unique: the evaluation's own id; copies of one log have the same.
        values: what the scorer said of each sample: ``C``, ``I``, a number, or a mapping.
        metadata: of each sample; ``score_metadata`` of its score.
    """
    from inspect_ai.log import EvalMetric, EvalResults, EvalScore, write_eval_log
    from inspect_ai.scorer import Score, value_to_float

    template = _template()
    log = template.model_copy(update={"eval": template.eval.model_copy(deep=True)})
    unique = unique or "/".join(path.parts[-4:])
    keys = list(ids) if ids is not None else list(range(1, len(values) + 1))
    samples = []
    for index, key in enumerate(keys):
        for repeat in range(1, epochs + 1):
            sample = template.samples[0].model_copy()
            value = values[index][repeat - 1] if epochs > 1 else values[index]
            answer = answers[index] if answers else f"answer {key}"
            sample.id, sample.epoch, sample.uuid = key, repeat, f"{unique}-{key}-{repeat}"
            sample.input = prompts[index] if prompts else f"prompt {key}"
            sample.target = targets[index] if targets else f"target {key}"
            sample.metadata = dict(metadata[index]) if metadata else {}
            extra = dict(score_metadata[index]) if score_metadata else None
            sample.scores = {} if value is None else {scorer: Score(value=value, answer=answer, metadata=extra)}
            sample.events, sample.messages, sample.attachments = [], [], {}
            samples.append(sample)
    log.samples, log.status = samples, status
    log.eval.model, log.eval.task, log.eval.task_file, log.eval.created = model, task, task_file, created
    log.eval.eval_id, log.eval.task_id, log.eval.run_id = f"eval-{unique}", f"task-{unique}", f"run-{unique}"
    log.eval.task_args = dict(arguments or {})
    log.eval.dataset.samples, log.eval.dataset.sample_ids = len(keys), keys
    log.eval.config.epochs = epochs
    if commit:
        from inspect_ai.log import EvalRevision

        log.eval.revision = EvalRevision(type="git", origin="https://example.org/lab/tasks", commit=commit)
    log.results = None
    if status == "success":
        scalars = [sample.scores[scorer].value for sample in samples if sample.scores]
        numbers = [value_to_float()(value) for value in scalars if not isinstance(value, dict)]
        metrics = {"accuracy": EvalMetric(name="accuracy", value=fmean(numbers))} if numbers else {}
        log.results = EvalResults(
            total_samples=len(samples),
            completed_samples=len(samples),
            scores=[EvalScore(name=scorer, scorer=scorer, metrics=metrics)],
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_eval_log(log, str(path))
    return path
