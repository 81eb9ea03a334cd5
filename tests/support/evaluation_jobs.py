"""Helpers for tests of evaluation jobs: logs of a mock model, their verification, and adapters of the tiny model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.tiny_model import build_tiny_model
from tunebook.tools.runtime import inspect_job
from tunebook.tools.runtime.job_errors import reported

__all__ = ["MOCK", "evaluate_mock", "greedy_ids", "lively_model", "verified", "write_adapter"]

MOCK = "mockllm/model"


def evaluate_mock(
    folder: Path,
    *,
    solvers: Any = None,
    config: Any = None,
    scorer: Any = None,
    location: str | None = None,
    samples: Sequence[Any] = (),
    answers: Sequence[str] = ("yes",) * 20,
    metrics: Any = None,
    **options: Any,
) -> Path:
    """A real log of inspect-ai's own, on two samples unless others are given; returns the directory with the log.

    Args:
        solvers: the task's; without it a plain ``generate``.
        config: the task's own generation settings.
        location: where the samples come from, as the task says.
        samples: the task's, as inspect-ai's ``Sample``.
        answers: the model's, in the order in which it is asked.
        metrics: the task's, instead of those of the scorer.
        scorer: the task's; without it, whether the answer includes the target.
        options: those of inspect-ai's ``eval``.
    """
    from inspect_ai import Task, eval  # noqa: A004
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import GenerateConfig, ModelOutput, ModelUsage
    from inspect_ai.scorer import includes
    from inspect_ai.solver import generate

    outputs = [ModelOutput.from_content(MOCK, text) for text in answers]
    for output in outputs:
        written = len(output.completion.split())
        output.usage = ModelUsage(input_tokens=1, output_tokens=written, total_tokens=1 + written)
    own = list(samples) or [Sample(id=1, input="a", target="yes"), Sample(id=2, input="b", target="yes")]
    task = Task(
        dataset=MemoryDataset(own, location=location),
        solver=solvers or generate(),
        scorer=scorer or includes(),
        config=config or GenerateConfig(),
        metrics=metrics,
    )
    eval(task, model=MOCK, model_args={"custom_outputs": outputs}, log_dir=str(folder), display="none", **options)
    return folder


def verified(
    logs: Path, *, since: float = 0, model: str = MOCK, task: str = "", **asked: Any
) -> tuple[int, dict[str, Any]]:
    """The exit code of the job's last step, and the result that it wrote; empty if it wrote none.

    Args:
        task: the task as ``inspect eval`` takes it.
        asked: what was asked for beyond the arguments of model and task.
    """
    folder = logs.parent
    for name, values in (
        ("model", _model_arguments(logs)),
        ("task", {}),
        ("asked", asked),
        ("in_effect", {"precision": "fp32"}),
    ):
        (folder / f"{name}.json").write_text(json.dumps(values))
    result = folder / "result.json"
    files = inspect_job.Files(
        logs=logs,
        since=since,
        model_arguments=folder / "model.json",
        task_arguments=folder / "task.json",
        asked=folder / "asked.json",
        in_effect=folder / "in_effect.json",
        task=task,
    )
    code = reported(lambda: inspect_job.verify(files, result, model=model))
    if not result.exists():
        return code, {}
    document: dict[str, Any] = json.loads(result.read_text())
    return code, document


def _model_arguments(logs: Path) -> dict[str, Any]:
    """The mock model's own."""
    from inspect_ai.log import read_eval_log

    newest = max(logs.glob("*.eval"), key=lambda file: file.stat().st_mtime)
    return dict(read_eval_log(str(newest), header_only=True).eval.model_args)


def write_adapter(
    directory: Path, base: Path, *, rank: int = 4, scale: float = 1.0, changes: Mapping[str, Any] | None = None
) -> Path:
    """An adapter of the tiny model with random weights (seeded), in the format of PEFT.

    Args:
        scale: a factor for the product of its matrices.
        changes: values that differ in its ``adapter_config.json``.
    """
    import torch
    from safetensors.torch import save_file

    directory.mkdir(parents=True)
    torch.manual_seed(3)
    tensors = {}
    for layer in range(2):
        for module, rows in (("q_proj", 64), ("v_proj", 32)):
            name = f"base_model.model.model.layers.{layer}.self_attn.{module}"
            tensors[f"{name}.lora_A.weight"] = torch.randn(rank, 64) * 0.1
            tensors[f"{name}.lora_B.weight"] = torch.randn(rows, rank) * 0.1 * scale
    save_file(tensors, str(directory / "adapter_model.safetensors"))
    values: dict[str, Any] = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": 2 * rank,
        "target_modules": ["q_proj", "v_proj"],
        "base_model_name_or_path": str(base),
    }
    (directory / "adapter_config.json").write_text(json.dumps(values | dict(changes or {})))
    return directory


def lively_model(directory: Path) -> Path:
    """The tiny model with larger weights and an output layer of its own: its answers depend on the prompt."""
    import torch
    from transformers import AutoModelForCausalLM

    build_tiny_model(directory)
    model: Any = AutoModelForCausalLM.from_pretrained(directory)
    torch.manual_seed(5)
    for tensor in model.parameters():
        if tensor.dim() == 2:
            tensor.data *= 8
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight))
    model.save_pretrained(directory)
    return directory


def greedy_ids(model: Any, ids: list[int], *, stops: list[int], most: int = 6) -> list[int]:
    """The most probable tokens, one after the other, by hand; ``most`` of them at most."""
    import torch

    found: list[int] = []
    with torch.inference_mode():
        while len(found) < most and not (found and found[-1] in stops):
            found.append(int(model(torch.tensor([[*ids, *found]])).logits[0, -1].argmax()))
    return found
