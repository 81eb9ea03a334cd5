"""The checks of a training job around ``tune run``: before, everything is there; after, the checkpoints are clean.

Runs inside the job (``python -m tunebook.tools.runtime.torchtune_job``). Imports only other modules of this package.
Every failure is one line on stderr and exit code 1.
"""

from __future__ import annotations

import argparse
import json
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.checkpoint_files import (
    ADAPTER_CONFIG,
    adapter_flaw,
    checkpoint_precision,
    expected_adapter,
    weights_flaw,
)
from tunebook.tools.runtime.job_errors import JobError
from tunebook.tools.runtime.job_output import check_metrics, forget_epochs, has_same_inputs, mark_inputs
from tunebook.tools.runtime.training_data import load_records

__all__ = ["begin", "finish", "main", "preflight", "prove"]

_ADAPTER_FILES = ("adapter_model.pt", "adapter_model.safetensors", "adapter_model.bin", "adapter_config.json")
_RECIPE_STATE = "recipe_state"
_SAFETENSORS = {"bf16": "BF16", "fp32": "F32"}


def preflight(config: Path) -> None:
    """Checks everything that the configuration names, before minutes are spent on starting up.

    Raises:
        JobError: something is missing or cannot be used.
    """
    values = _config(config)
    checkpointer = values["checkpointer"]
    folder = Path(checkpointer["checkpoint_dir"])
    if not folder.is_dir():
        raise JobError(f"the model's directory {folder} was not found")
    missing = [name for name in checkpointer["checkpoint_files"] if not (folder / name).is_file()]
    if missing:
        raise JobError(f"the model's directory {folder} lacks {', '.join(missing)}")
    for key in ("dataset", "dataset_val"):
        if key in values:
            data = values[key]
            load_records(Path(data["path"]), data["split"], data["dataset_type"])
    if values["device"] == "cuda":
        import torch

        if not torch.cuda.is_available():
            hint = "check the job's GPU request and the CUDA driver"
            raise JobError(f"the configuration needs a GPU, but torch finds none: {hint}")


def _config(path: Path) -> dict[str, Any]:
    from omegaconf import OmegaConf

    try:
        values = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except Exception as error:  # YAML's and OmegaConf's errors share no other ancestor
        raise JobError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise JobError(f"{path} holds no configuration")
    return {str(key): value for key, value in values.items()}


def finish(output: Path, *, epochs: int, adapter: str, config: Path | None = None) -> None:
    """Checks the checkpoints; what torchtune's own recipes have written is brought into the form of tunebook's.

    torchtune 0.6.1 writes merged weights and the adapter side by side; Transformers would apply the adapter to weights
    that contain it already.

    Args:
        output: the directory with the metrics and the checkpoints.
        epochs: how many were trained.
        adapter: ``stash`` moves it to ``epoch_N/adapter``, ``keep`` leaves it, ``only`` expects checkpoints without
            merged weights.
        config: the recipe's configuration, which says what each checkpoint has to hold.

    Raises:
        JobError: no step was logged, the last loss is not finite, or a checkpoint is missing or not what was trained.
    """
    check_metrics(output / "metrics.jsonl")
    values = _config(config) if config is not None else {}
    for epoch in range(epochs):
        folder = output / f"epoch_{epoch}"
        weights = [*folder.glob("*.safetensors"), *folder.glob("*.bin"), *folder.glob("*.pt")]
        if adapter != "only":
            weights = [file for file in weights if file.name not in _ADAPTER_FILES]
        if not weights:
            raise JobError(f"training ended without writing weights to {folder}")
        if adapter == "stash":
            _stash(folder)
        if "stock_recipe" in values:
            _check_content(folder, weights, values, is_adapter=adapter == "only")
        elif values and adapter == "only":
            _name_base(folder / ADAPTER_CONFIG, values)


def prove(config: Path, output: Path, *, epochs: int) -> None:
    """Makes each checkpoint stop where its answers end, and proves that evaluations load the model that was trained.

    Only tunebook's own recipe records the loss as trained; after another one there is nothing to compare.

    Raises:
        JobError: a checkpoint is another model than the one that was trained.
    """
    values = _config(config)
    if "stock_recipe" in values:
        _compare_losses(values, output, epochs=epochs)
    else:
        sys.stderr.write(
            "tunebook: this recipe records no loss, so nothing proves that its model is the one evaluated\n"
        )
    # Only now: until its very end, an interrupted job resumes from its last epoch.
    shutil.rmtree(output / _RECIPE_STATE, ignore_errors=True)


def _compare_losses(values: dict[str, Any], output: Path, *, epochs: int) -> None:
    from tunebook.tools.runtime.torchtune_proof import prove as compare

    reason = compare(values, output, epochs=epochs)
    if reason:
        raise JobError(f"the checkpoint is another model than the one that was trained: {reason}")


def _name_base(path: Path, values: dict[str, Any]) -> None:
    """Completes the adapter's configuration, in which torchtune 0.6.1 names no base model and no task."""
    if not path.is_file():
        return
    written = json.loads(path.read_text(encoding="utf-8"))
    missing = {
        "base_model_name_or_path": values["checkpointer"]["checkpoint_dir"],
        "task_type": "CAUSAL_LM",
        "lora_dropout": float(values["model"].get("lora_dropout") or 0.0),
        "bias": "none",
    }
    path.write_text(json.dumps(missing | written, indent=2) + "\n", encoding="utf-8")


def _check_content(folder: Path, weights: list[Path], values: dict[str, Any], *, is_adapter: bool) -> None:
    """Checks what tunebook's recipe has written: the adapter by its tensors, whole models by the names of theirs."""
    base = Path(values["checkpointer"]["checkpoint_dir"])
    if not is_adapter:
        dtype = _SAFETENSORS[checkpoint_precision(values)]
        flaw = weights_flaw(weights, [base / name for name in values["checkpointer"]["checkpoint_files"]], dtype)
    else:
        layers = int(json.loads((base / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"])
        flaw = adapter_flaw(folder, expected_adapter(values["model"], base, layers=layers))
    if flaw:
        raise JobError(f"the checkpoint is not what was trained: {flaw}")


def _stash(folder: Path) -> None:
    found = [folder / name for name in _ADAPTER_FILES if (folder / name).exists()]
    if found:
        (folder / "adapter").mkdir(exist_ok=True)
    for file in found:
        file.replace(folder / "adapter" / file.name)


def begin(config: Path, *, inputs: str, interrupted: bool, recipe: str) -> tuple[str, ...]:
    """Prepares the output directory for a training that starts from scratch, or resumes an interrupted attempt.

    Args:
        config: the recipe's configuration.
        inputs: the digest of the job's inputs; an attempt with other inputs is never resumed.
        interrupted: whether the cluster ended an earlier attempt of this job.
        recipe: the recipe with which training starts from scratch.

    Returns:
        The recipe with which ``tune run`` resumes, and overrides of the configuration; empty if training starts from
        scratch.
    """
    output = Path(_config(config)["output_dir"])
    if interrupted and has_same_inputs(output, inputs) and _rewind(output):
        return (recipe, "resume_from_checkpoint=True")
    shutil.rmtree(output / _RECIPE_STATE, ignore_errors=True)
    mark_inputs(output, inputs)
    return ()


def _rewind(output: Path) -> bool:
    """Goes back to the last epoch with a whole checkpoint, and returns whether there is one.

    torchtune 0.6.1 writes its recipe state after the checkpoint: the state tells how many checkpoints are whole. The
    files and the metrics of later epochs are removed.
    """
    import torch

    try:
        state = torch.load(output / _RECIPE_STATE / "recipe_state.pt", map_location="cpu", weights_only=True)
        done = int(state["epochs_run"])
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.UnpicklingError):
        return False  # torn, or never written
    last = output / f"epoch_{done - 1}"
    if done < 1 or not any(last.glob("*.*")):
        return False
    for file in (last / "adapter").glob("*"):  # moved there by a job that was ended while it moved them
        file.replace(last / file.name)
    forget_epochs(output, done)
    return True


def main(arguments: list[str] | None = None) -> int:
    """``preflight``, ``begin``, ``finish`` or ``prove``, each with its options."""
    parser = argparse.ArgumentParser(prog="tunebook.tools.runtime.torchtune_job")
    verbs = parser.add_subparsers(dest="verb", required=True)
    before = verbs.add_parser("preflight")
    before.add_argument("--config", type=Path, required=True)
    start = verbs.add_parser("begin")
    start.add_argument("--config", type=Path, required=True)
    start.add_argument("--inputs", default="")
    start.add_argument("--recipe", required=True)
    start.add_argument("--interrupted", action="store_true")
    after = verbs.add_parser("finish")
    after.add_argument("--output-dir", type=Path, required=True)
    after.add_argument("--epochs", type=int, required=True)
    after.add_argument("--config", type=Path)
    after.add_argument("--adapter", choices=("stash", "keep", "only"), default="stash")
    proof = verbs.add_parser("prove")
    proof.add_argument("--config", type=Path, required=True)
    proof.add_argument("--output-dir", type=Path, required=True)
    proof.add_argument("--epochs", type=int, required=True)
    given = parser.parse_args(arguments)
    try:
        if given.verb == "preflight":
            preflight(given.config)
        elif given.verb == "begin":
            resumed = begin(given.config, inputs=given.inputs, interrupted=given.interrupted, recipe=given.recipe)
            sys.stdout.write("\n".join(resumed))
        elif given.verb == "prove":
            prove(given.config, given.output_dir, epochs=given.epochs)
        else:
            finish(given.output_dir, epochs=given.epochs, adapter=given.adapter, config=given.config)
    except (JobError, OSError, ValueError) as error:
        sys.stderr.write(f"tunebook: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
