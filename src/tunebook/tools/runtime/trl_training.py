"""Trains with TRL as an ``sft.yaml`` says; started by Python, or by ``accelerate launch`` for several processes.

Runs inside the training job, and needs nothing of tunebook but its other job-side modules.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunebook.tools.runtime.evaluated_model import without_old_torchao
from tunebook.tools.runtime.held_out import held_out_examples
from tunebook.tools.runtime.job_errors import TrainingError
from tunebook.tools.runtime.job_output import METRICS
from tunebook.tools.runtime.metrics_file import MetricsFile
from tunebook.tools.runtime.tokenized_data import ChatTokenizer
from tunebook.tools.runtime.trl_data import batch_of, rows_of
from tunebook.tools.runtime.trl_model import base_of, quantization_problem, trained_model
from tunebook.tools.runtime.trl_settings import Settings, load_settings

if TYPE_CHECKING:
    from tunebook.tools.runtime.trl_trainer import PlannedTrainer

__all__ = ["main", "set_up", "train"]


def set_up(settings: Settings, *, tokenizer_kind: type[ChatTokenizer] = ChatTokenizer) -> PlannedTrainer:
    """The trainer with model, data and log, before its first step.

    Args:
        tokenizer_kind: another one numbers the tokens of a small model.

    Raises:
        TrainingError: the model, or the way in which it would be trained, is not what the settings ask for.
        ValueError: the data cannot be read or used.
    """
    problem = quantization_problem(settings)
    if problem:
        raise TrainingError(problem)
    with without_old_torchao():
        return _trainer(settings, tokenizer_kind)


def _trainer(settings: Settings, tokenizer_kind: type[ChatTokenizer]) -> PlannedTrainer:
    from datasets import Dataset
    from transformers import PrinterCallback

    from tunebook.tools.runtime.trl_arguments import arguments_of
    from tunebook.tools.runtime.trl_epochs import Epochs
    from tunebook.tools.runtime.trl_trainer import PlannedTrainer
    from tunebook.tools.runtime.trl_validation import Validation

    arguments = arguments_of(settings)
    tokenizer = tokenizer_kind(str(base_of(settings)), settings.trl["max_length"])
    collate = partial(batch_of, pad_id=tokenizer.pad_id)
    validation = None
    if settings.trl["eval_strategy"] != "no":
        columns = rows_of(settings, tokenizer, "validation")
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        size = int(settings.trl["per_device_eval_batch_size"])
        validation = Validation(rows, batch_size=size, collate=collate)
    trainer = PlannedTrainer(
        settings,
        metrics=_metrics(settings, is_written=arguments.process_index == 0),
        validation=validation,
        model=trained_model(settings, arguments.device),
        args=arguments,
        train_dataset=Dataset.from_dict(rows_of(settings, tokenizer, "train")),
        processing_class=tokenizer.hf,
        data_collator=collate,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Epochs(trainer, held_out_examples(tokenizer, settings.data)))
    _refuse_long_warmup(trainer)
    return trainer


def _metrics(settings: Settings, *, is_written: bool) -> MetricsFile:
    project, run_name = settings.trl["project"], settings.trl["run_name"]
    entity = settings.own["wandb_entity"]
    return MetricsFile(
        settings.output / METRICS, is_written=is_written, project=project, entity=entity, run_name=run_name
    )


def _refuse_long_warmup(trainer: PlannedTrainer) -> None:
    warmup = int(trainer.settings.trl["warmup_steps"])
    total = trainer.progress(1)["total_steps"]
    if warmup >= total:
        raise TrainingError(f"`warmup_steps` is {warmup}, but training has {total} steps: give fewer")


def train(trainer: PlannedTrainer, *, resume: Path | None = None) -> None:
    """Trains all epochs, or those after the state in a directory.

    Raises:
        TrainingError: a loss is not finite, or a step has nothing to learn.
    """
    settings = trainer.settings
    shown = {**settings.trl, "data": dict(settings.data), "tunebook": dict(settings.own)}
    trainer.metrics.begin(resumes=resume is not None, settings=shown)
    state = None
    if resume is not None:
        trainer.resumes = True
        state = str(resume)
    try:
        trainer.train(resume_from_checkpoint=state)
    finally:
        trainer.metrics.close()


def main(arguments: list[str] | None = None) -> int:
    """Trains; an error is one line on stderr and exit code 1."""
    parser = argparse.ArgumentParser(prog="tunebook.tools.runtime.trl_training")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args(arguments)
    _be_quiet()
    try:
        settings = load_settings(given.config)
        trainer = set_up(settings)
        _refuse_other_processes(trainer, given.processes)
        train(trainer, resume=given.resume)
    except (TrainingError, OSError, ValueError) as error:
        sys.stderr.write(f"tunebook: {error}\n")
        return 1
    finally:
        _leave_processes()
    return 0


def _be_quiet() -> None:
    """Hides the progress bars of loading, and warnings of names that Transformers 6 will not have."""
    from transformers.utils import logging

    bars: Any = logging
    bars.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning)


def _refuse_other_processes(trainer: PlannedTrainer, processes: int) -> None:
    """A launcher that starts fewer processes than it was asked for makes another training: other batches and steps.

    Raises:
        TrainingError: another number of processes takes part.
    """
    found = trainer.accelerator.num_processes
    if found != processes:
        raise TrainingError(f"{processes} processes should train together, but {found} do: check accelerate.yaml")


def _leave_processes() -> None:
    import torch.distributed

    backend: Any = torch.distributed
    if backend.is_available() and backend.is_initialized():
        backend.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
