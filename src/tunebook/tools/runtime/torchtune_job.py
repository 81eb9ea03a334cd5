"""What a training job does before and after ``tune run``: says early what is missing, and leaves clean checkpoints.

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

from tunebook.tools.runtime.training_data import load_records

__all__ = ["begin", "finish", "main", "preflight"]

_ADAPTER_FILES = ("adapter_model.pt", "adapter_model.safetensors", "adapter_model.bin", "adapter_config.json")

_RECIPE_STATE = "recipe_state"
_RESUMING = "tunebook/tools/runtime/torchtune_recipe.py"
_MISCOUNTING = ("lora_finetune_single_device",)
"""Recipes of torchtune 0.6.1 that begin at step 0 again when they resume, and with it their learning rate."""


class JobError(Exception):
    """One line for the person who reads the job's output."""


def preflight(config: Path) -> None:
    """Looks at everything that the configuration names, before minutes are spent on starting up.

    Raises:
        JobError: something is not there, or cannot be used.
    """
    values = _config(config)
    checkpointer = values["checkpointer"]
    folder = Path(checkpointer["checkpoint_dir"])
    if not folder.is_dir():
        raise JobError(f"the model's directory {folder} is not there")
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
            raise JobError("a GPU is asked for, and torch finds none: see the job's GPU request and the CUDA driver")


def _config(path: Path) -> dict[str, Any]:
    from omegaconf import OmegaConf

    try:
        values = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except Exception as error:  # YAML's and OmegaConf's errors share no other ancestor
        raise JobError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise JobError(f"{path} holds no configuration")
    return {str(key): value for key, value in values.items()}


def finish(output: Path, *, epochs: int, adapter: str) -> None:
    """Checks what training left, and puts each epoch's adapter into a folder of its own.

    torchtune 0.6.1 writes merged weights and the adapter side by side; Transformers would load the adapter on top of
    the weights that hold it already.

    Args:
        adapter: ``stash`` moves it to ``epoch_N/adapter``, ``keep`` leaves it, ``only`` is for checkpoints that hold
            nothing else.

    Raises:
        JobError: no step was made, the loss is no number, or a checkpoint is missing.
    """
    _check_metrics(output / "metrics.jsonl")
    for epoch in range(epochs):
        folder = output / f"epoch_{epoch}"
        weights = [*folder.glob("*.safetensors"), *folder.glob("*.bin"), *folder.glob("*.pt")]
        merged = [file for file in weights if file.name not in _ADAPTER_FILES]
        if not (weights if adapter == "only" else merged):
            raise JobError(f"training has ended and left no weights in {folder}")
        if adapter == "stash":
            _stash(folder)


def _stash(folder: Path) -> None:
    found = [folder / name for name in _ADAPTER_FILES if (folder / name).exists()]
    if found:
        (folder / "adapter").mkdir(exist_ok=True)
    for file in found:
        file.replace(folder / "adapter" / file.name)


def _check_metrics(path: Path) -> None:
    """Custom recipes may log elsewhere; where there are metrics they must tell of training that worked."""
    if not path.is_file():
        return
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    losses = [entry for entry in entries if "loss" in entry]
    if not losses:
        raise JobError(f"training has ended without a single step: {path} is empty")
    if losses[-1]["loss"] is None:
        raise JobError(f"training diverged: the loss of step {losses[-1]['step']} is not finite")


def begin(config: Path, *, inputs: str, interrupted: bool, recipe: str) -> tuple[str, ...]:
    """Makes sure that training starts from nothing, or goes on from what an interrupted attempt left.

    Args:
        inputs: the digest of the job's inputs: what was trained with others is never gone on from.
        interrupted: whether the cluster ended an earlier attempt of this job.
        recipe: what ``tune run`` is given when training starts from nothing.

    Returns:
        What ``tune run`` is given instead: a recipe, and overrides of the configuration; nothing if training starts
        from nothing.
    """
    output = Path(_config(config)["output_dir"])
    mark = output / "inputs.sha256"
    if interrupted and inputs and mark.is_file() and mark.read_text() == inputs and _has_rewound(output):
        resumed = ("resume_from_checkpoint=True",)
        return (_RESUMING, *resumed, f"stock_recipe={recipe}") if recipe in _MISCOUNTING else (recipe, *resumed)
    shutil.rmtree(output / _RECIPE_STATE, ignore_errors=True)
    output.mkdir(parents=True, exist_ok=True)
    mark.write_text(inputs)
    return ()


def _has_rewound(output: Path) -> bool:
    """Goes back to the last epoch whose checkpoint is whole: torchtune 0.6.1 writes its recipe state behind it.

    What later epochs left is removed, and so are their metrics.
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
    for file in (last / "adapter").glob("*"):  # put apart by a job that was ended while it did so
        file.replace(last / file.name)
    for folder in output.glob("epoch_*"):
        number = folder.name.removeprefix("epoch_")
        if number.isdecimal() and int(number) >= done:
            shutil.rmtree(folder)
    _forget_from(output / "metrics.jsonl", done)
    return True


def _forget_from(metrics: Path, epoch: int) -> None:
    """Keeps the metrics of the epochs before this one."""
    if not metrics.is_file():
        return
    kept = []
    for line in metrics.read_text(encoding="utf-8").splitlines():
        try:
            before = json.loads(line)["epoch"] < epoch
        except (ValueError, KeyError, TypeError):
            before = False  # a torn line
        kept += [line] if before else []
    metrics.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """``preflight``, ``begin`` or ``finish``, each with its options."""
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
    after.add_argument("--adapter", choices=("stash", "keep", "only"), default="stash")
    given = parser.parse_args(arguments)
    try:
        if given.verb == "preflight":
            preflight(given.config)
        elif given.verb == "begin":
            words = begin(given.config, inputs=given.inputs, interrupted=given.interrupted, recipe=given.recipe)
            sys.stdout.write("\n".join(words))
        else:
            finish(given.output_dir, epochs=given.epochs, adapter=given.adapter)
    except (JobError, OSError, ValueError) as error:
        sys.stderr.write(f"tunebook: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
