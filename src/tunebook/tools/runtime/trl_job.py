"""The checks of a training job around TRL: before, everything is there; after, the checkpoints are what was trained.

Runs inside the job (``python -m tunebook.tools.runtime.trl_job``). Imports only other modules of this package.
Every failure is one line on stderr and exit code 1.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from tunebook.tools.runtime.checkpoint_files import adapter_flaw, weights_flaw
from tunebook.tools.runtime.job_errors import JobError, TrainingError
from tunebook.tools.runtime.job_output import METRICS, check_metrics, forget_epochs, has_same_inputs, mark_inputs
from tunebook.tools.runtime.training_data import load_records
from tunebook.tools.runtime.trl_settings import Settings, load_settings

__all__ = ["begin", "finish", "main", "preflight", "prove"]

_SAFETENSORS = {"bf16": "BF16", "fp32": "F32"}


def preflight(settings: Settings) -> None:
    """Checks everything that the settings name, before minutes are spent on starting up.

    Raises:
        JobError: something is missing or cannot be used.
    """
    import torch

    from tunebook.tools.runtime.trl_model import base_of, quantization_problem

    base = base_of(settings)
    if not (base / "config.json").is_file():
        raise JobError(f"the model's directory {base} has no config.json, or was not found")
    splits = ["train"]
    if settings.trl["eval_strategy"] != "no":
        splits.append("validation")
    for split in splits:
        load_records(Path(settings.data["path"]), split, settings.data["dataset_type"])
    if not settings.trl["use_cpu"] and not torch.cuda.is_available():
        hint = "check the job's GPU request and the CUDA driver"
        raise JobError(f"the configuration needs a GPU, but torch finds none: {hint}")
    problem = quantization_problem(settings)
    if problem:
        raise JobError(problem)


def begin(settings: Settings, *, inputs: str, interrupted: bool) -> Path | None:
    """Prepares the output directory for a training that starts from scratch, or for one that resumes.

    Args:
        inputs: the digest of the job's inputs; an attempt with other inputs is never resumed.
        interrupted: whether the cluster ended an earlier attempt of this job.

    Returns:
        The state from which training resumes; ``None`` if it starts from scratch.
    """
    from tunebook.tools.runtime.trl_checkpoints import whole_state

    output = settings.output
    if interrupted and has_same_inputs(output, inputs):
        found = whole_state(output)
        if found is not None:
            done, state = found
            forget_epochs(output, done)
            return state
    _forget_state(output)
    mark_inputs(output, inputs)
    return None


def _forget_state(output: Path) -> None:
    from tunebook.tools.runtime.trl_checkpoints import state_folder

    shutil.rmtree(state_folder(output), ignore_errors=True)


def finish(settings: Settings) -> None:
    """Checks the metrics and the checkpoint of every epoch.

    Raises:
        JobError: no step was logged, the last loss is not finite, or a checkpoint is missing or not what was trained.
    """
    check_metrics(settings.output / METRICS)
    for epoch in range(settings.epochs):
        folder = settings.output / f"epoch_{epoch}"
        if not folder.is_dir():
            raise JobError(f"training ended without writing {folder}")
        flaw = _flaw(settings, folder)
        if flaw:
            raise JobError(f"the checkpoint is not what was trained: {flaw}")


def _flaw(settings: Settings, folder: Path) -> str:
    from tunebook.tools.runtime.trl_checkpoints import MERGED_ADAPTER
    from tunebook.tools.runtime.trl_model import base_of, expected_adapter

    if settings.own["save"] == "adapter":
        return adapter_flaw(folder, expected_adapter(settings))
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        return f"{folder} has no weights"
    dtype = _SAFETENSORS[settings.saved_precision]
    flaw = weights_flaw(files, sorted(base_of(settings).glob("*.safetensors")), dtype)
    if not flaw and settings.trains_adapters:
        flaw = adapter_flaw(folder / MERGED_ADAPTER, expected_adapter(settings))
    return flaw


def prove(settings: Settings) -> None:
    """Makes each checkpoint stop where its answers end, and proves that evaluations load the model that was trained.

    Raises:
        JobError: a checkpoint is another model than the one that was trained.
    """
    from tunebook.tools.runtime.held_out import TrainedAs, compare_losses
    from tunebook.tools.runtime.trl_model import base_of

    device = "cuda:0"
    if settings.trl["use_cpu"]:
        device = "cpu"
    trained = TrainedAs(
        data=settings.data,
        base=base_of(settings),
        max_seq_len=settings.trl["max_length"],
        precision=settings.saved_precision,
        trained_in=settings.computed_in,
        device=device,
    )
    reason = compare_losses(trained, settings.output, epochs=settings.epochs)
    if reason:
        raise JobError(f"the checkpoint is another model than the one that was trained: {reason}")
    # Only now: until its very end, an interrupted job resumes from its last epoch.
    _forget_state(settings.output)


def main(arguments: list[str] | None = None) -> int:
    """``preflight``, ``begin``, ``finish`` or ``prove``, each with its options."""
    parser = argparse.ArgumentParser(prog="tunebook.tools.runtime.trl_job")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("preflight", "begin", "finish", "prove"):
        verbs.add_parser(verb).add_argument("--config", type=Path, required=True)
    start = verbs.choices["begin"]
    start.add_argument("--inputs", default="")
    start.add_argument("--interrupted", action="store_true")
    given = parser.parse_args(arguments)
    try:
        settings = load_settings(given.config)
        if given.verb == "begin":
            state = begin(settings, inputs=given.inputs, interrupted=given.interrupted)
            sys.stdout.write(str(state or ""))
        else:
            {"preflight": preflight, "finish": finish, "prove": prove}[given.verb](settings)
    except (JobError, TrainingError, OSError, ValueError) as error:
        sys.stderr.write(f"tunebook: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
