"""Trains a shrunk model with TRL as a run's settings say, and looks at the tokens, the steps and the checkpoints.

Runs in the process of the deep checks: torch and TRL are imported inside the functions. The real tokenizer makes the
tokens; the numbers that occur are counted through, so that any vocabulary fits into a small model.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tunebook.tools.deep.plain_training import PlainSettings, PlainTraining, adapted_places
from tunebook.tools.deep.random_model import random_model
from tunebook.tools.deep.saved_adapter import compare_checkpoint
from tunebook.tools.deep.small_tokenizer import WORDS, SmallTokenizer
from tunebook.tools.deep.tokenizer_files import link_tokenizer
from tunebook.tools.deep.training_tokens import compare
from tunebook.tools.runtime.trl_settings import Settings

__all__ = ["checkpoints", "steps", "tokens"]

_STD = 0.1
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
_DIGEST = "small"


def tokens(settings: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The tokens and labels of the training's examples, against those of the whole conversation.

    Args:
        settings: of the run: ``trl``, ``data`` and ``own``.
        records: of the training data.
    """
    from tunebook.tools.runtime.tokenized_data import ChatTokenizer
    from tunebook.tools.runtime.trl_data import rows_of
    from tunebook.tools.runtime.trl_model import base_of

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.json"
        data.write_text(json.dumps({"train": list(records)}), encoding="utf-8")
        small = Settings(settings["trl"], {**settings["data"], "path": str(data), "packed": False}, settings["own"])
        tokenizer = ChatTokenizer(str(base_of(small)), small.trl["max_length"])
        rows = rows_of(small, tokenizer, "train")
    examples = list(zip(rows["input_ids"], rows["labels"], strict=True))
    return compare(tokenizer.hf, small.data, records, examples)


def steps(config: Mapping[str, Any], values: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """The losses and learning rates of every step: of TRL, and of a plain loop over Transformers.

    Args:
        config: the shrunk ``config.json``.
        values: the settings of the small training, with the examples and the model's real tokenizer.
        plain: the settings of the plain loop.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = _settings(config, values, Path(folder))
        _begin(settings, interrupted=False)
        trainer = _set_up(settings)
        first = _adapters(trainer)
        orders = _orders(trainer, settings.epochs)
        rows = [{"tokens": row["input_ids"], "labels": row["labels"]} for row in trainer.train_dataset]
        reference = PlainTraining(settings.model, PlainSettings(**plain), first)
        reference.run([[rows[index] for index in order] for order in orders])
        _train(trainer)
        logged = _metrics(settings)
        resumed = _resumed(settings)
        other = _set_up(_with_seed(settings))
        follows_seed = _orders(other, 1) != orders[:1] and _differ(first, _adapters(other))
    return reference.compared(logged, resumed=resumed, follows_seed=follows_seed, order=orders[0])


def checkpoints(config: Mapping[str, Any], values: Mapping[str, Any], precision: str) -> dict[str, Any]:
    """The last checkpoint as evaluations load it, against the weights of the base plus (α/r) · B · A.

    Args:
        precision: of the evaluation's weights.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = _settings(config, values, Path(folder))
        trainer = _set_up(settings)
        _train(trainer)
        live = _adapters(trainer)
        modules = [name.removesuffix(_DOWN) for name in live if name.endswith(_DOWN)]
        return compare_checkpoint(
            {name: (live[name + _DOWN], live[name + _UP]) for name in modules},
            partial(adapted_places, live),
            float(settings.trl["lora_alpha"]) / int(settings.trl["lora_r"]),
            base=settings.model,
            checkpoint=settings.output / f"epoch_{settings.epochs - 1}",
            precision=precision,
        )


def _settings(config: Mapping[str, Any], values: Mapping[str, Any], folder: Path) -> Settings:
    """The settings with model and data in a folder, which are written."""
    model, data = folder / "model", folder / "data.json"
    examples = list(values["examples"])
    data.write_text(json.dumps({"train": examples, "validation": examples[:2]}), encoding="utf-8")
    kind = {"float32": "fp32", "bfloat16": "bf16"}[values["trl"]["dtype"]]
    random_model({**config, "vocab_size": WORDS}, model, std=_STD, dtype=kind)
    link_tokenizer(Path(values["tokenizer"]), model)
    places = {"model_name_or_path": str(model), "output_dir": str(folder / "output")}
    return Settings({**values["trl"], **places}, {**values["data"], "path": str(data)}, values["own"])


def _begin(settings: Settings, *, interrupted: bool) -> Path | None:
    from tunebook.tools.runtime.trl_job import begin

    settings.output.mkdir(exist_ok=True)
    return begin(settings, inputs=_DIGEST, interrupted=interrupted)


def _set_up(settings: Settings) -> Any:
    """The trainer as the job sets it up."""
    from tunebook.tools.runtime.trl_training import set_up

    return set_up(settings, tokenizer_kind=SmallTokenizer)


def _train(trainer: Any, resume: Path | None = None) -> None:
    from tunebook.tools.runtime.trl_training import train

    train(trainer, resume=resume)


def _with_seed(settings: Settings) -> Settings:
    """The same training with another seed."""
    seeds = {name: int(settings.trl[name]) + 1 for name in ("seed", "data_seed")}
    return replace(settings, trl={**settings.trl, **seeds})


def _resumed(settings: Settings) -> list[float]:
    """The losses of the last epoch, trained again from the state that the epoch before it has left."""
    state = _begin(settings, interrupted=True)
    if state is None:
        return []
    kept = len(_metrics(settings))
    _train(_set_up(settings), state)
    return [entry["loss"] for entry in _metrics(settings)[kept:]]


def _differ(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether adapters begin differently; trainings of all weights have none."""
    downs = [name for name in first if name.endswith(_DOWN)]
    return not downs or any(not first[name].equal(second[name]) for name in downs)


def _adapters(trainer: Any) -> dict[str, Any]:
    """The weights of the adapters, copied, by the names of Transformers' modules."""
    found = {}
    for name, tensor in trainer.model.state_dict().items():
        if ".lora_" in name:
            found[name.removeprefix("base_model.model.").replace(".default.", ".")] = tensor.detach().clone()
    return found


def _orders(trainer: Any, epochs: int) -> list[list[int]]:
    """The order of the examples in each epoch."""
    orders = []
    for epoch in range(epochs):
        trainer.set_epoch(epoch)
        orders.append(list(trainer._batches.order))  # noqa: SLF001 - the trainer's own
    return orders


def _metrics(settings: Settings) -> list[dict[str, Any]]:
    lines = (settings.output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry for entry in map(json.loads, lines) if "loss" in entry]
