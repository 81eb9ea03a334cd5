"""Trains a shrunk model with the recipe and the configuration of a run, and looks at the steps and the checkpoints.

Runs in the process of the deep checks: torch and torchtune are imported inside the functions. The real tokenizer makes
the tokens; the numbers that occur are counted through, so that any vocabulary fits into a small model.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tunebook.core.json_text import parse_json
from tunebook.tools.deep.plain_training import PlainSettings, PlainTraining, adapted_places
from tunebook.tools.deep.random_model import random_model
from tunebook.tools.deep.saved_adapter import compare_checkpoint
from tunebook.tools.deep.small_tokenizer import WORDS, SmallTokenizer
from tunebook.tools.deep.tokenizer_files import link_tokenizer
from tunebook.tools.deep.training_tokens import compare

__all__ = ["checkpoints", "small_tokenizer", "steps", "tokens"]

_STD = 0.1


def small_tokenizer(path: str, max_seq_len: int | None = None) -> SmallTokenizer:
    """The component that the small configuration names in place of the real tokenizer."""
    return SmallTokenizer(path, max_seq_len)


def steps(config: Mapping[str, Any], values: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """The losses and learning rates of every step: of the recipe, and of a plain loop over Transformers.

    Args:
        config: the shrunk ``config.json``.
        values: the recipe's configuration, without the places of model, data and output.
        plain: the settings of the plain loop.
    """
    with tempfile.TemporaryDirectory() as folder:
        cfg = _configuration(config, values, Path(folder))
        session = _set_up(cfg)
        first = _adapters(session)
        data = session._dataloader.dataset  # noqa: SLF001 - torchtune's recipes have no public names
        orders = _orders(session, int(values["epochs"]))
        reference = PlainTraining(Path(folder) / "model", PlainSettings(**plain), first)
        reference.run([[data[index] for index in order] for order in orders])
        session.train()
        session.cleanup()
        logged = _metrics(cfg)
        resumed = _resumed(cfg)
        other = _set_up(_with_seed(cfg, int(values["seed"]) + 1))
        follows_seed = _orders(other, 1) != orders[:1] and _differ(first, _adapters(other))
    return reference.compared(logged, resumed=resumed, follows_seed=follows_seed, order=orders[0])


def checkpoints(config: Mapping[str, Any], values: Mapping[str, Any], precision: str) -> dict[str, Any]:
    """The last checkpoint as evaluations load it, against the weights of the base plus (α/r) · B · A.

    Args:
        precision: of the evaluation's weights.
    """
    with tempfile.TemporaryDirectory() as folder:
        session = _set_up(_configuration(config, values, Path(folder)))
        session.train()
        session.cleanup()
        live = {name: tensor.detach().clone() for name, tensor in session._model.state_dict().items()}  # noqa: SLF001
        section = values["model"]
        modules = [name.removesuffix(".lora_a.weight") for name in live if name.endswith(".lora_a.weight")]
        return compare_checkpoint(
            {name: (live[f"{name}.lora_a.weight"], live[f"{name}.lora_b.weight"]) for name in modules},
            partial(adapted_places, live),
            float(section["lora_alpha"]) / float(section["lora_rank"]),
            base=Path(folder) / "model",
            checkpoint=Path(folder) / "output" / f"epoch_{int(values['epochs']) - 1}",
            precision=precision,
            has_turned_heads=True,
        )


def _configuration(config: Mapping[str, Any], values: Mapping[str, Any], folder: Path) -> Any:
    """The recipe's configuration with model and data in a folder, which are written."""
    from omegaconf import OmegaConf

    model, data = folder / "model", folder / "data.json"
    written = parse_json(json.dumps(dict(values)))
    examples = written.pop("examples")
    data.write_text(json.dumps({"train": examples, "validation": examples[:2]}), encoding="utf-8")
    random_model({**config, "vocab_size": WORDS}, model, std=_STD, dtype=str(written["dtype"]))
    link_tokenizer(Path(written["tokenizer"]["path"]), model)
    for section in ("dataset", "dataset_val"):
        if section in written:
            written[section]["path"] = str(data)
    output = folder / "output"
    written["checkpointer"] |= {"checkpoint_dir": str(model), "checkpoint_files": ["model.safetensors"]}
    written["checkpointer"]["output_dir"] = str(output)
    written["output_dir"] = str(output)
    written["metric_logger"]["path"] = str(output / "metrics.jsonl")
    written["model"]["vocab_size"] = WORDS
    return OmegaConf.create(written)


def tokens(
    tokenizer: Mapping[str, Any], dataset: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The tokens and labels of the recipe's data set, against those of the whole conversation.

    Args:
        tokenizer: the section of the recipe's configuration; so is ``dataset``.
        records: of the training data.
    """
    from torchtune import config

    made: Any = config.instantiate(_section(tokenizer))
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.json"
        data.write_text(json.dumps({"train": list(records)}), encoding="utf-8")
        section = _section({**dataset, "path": str(data), "split": "train", "packed": False})
        ready: Any = config.instantiate(section, made)
    examples = [(ready[number]["tokens"], ready[number]["labels"]) for number in range(len(records))]
    return compare(made.hf, dataset, records, examples)


def _section(values: Mapping[str, Any]) -> Any:
    from omegaconf import OmegaConf

    return OmegaConf.create(dict(values))


def _set_up(cfg: Any) -> Any:
    """The recipe as ``tune run`` would set it up."""
    from tunebook.tools.runtime import torchtune_recipe

    session = torchtune_recipe.recipe_class(str(cfg.stock_recipe))(cfg=cfg)
    session.setup(cfg=cfg)
    return session


def _with_seed(cfg: Any, seed: int) -> Any:
    """The same training with another seed."""
    other = cfg.copy()
    other.seed = seed
    return other


def _resumed(cfg: Any) -> list[float]:
    """The losses of the last epoch, trained again from the state that the epoch before it has left."""
    other = cfg.copy()
    other.resume_from_checkpoint = True
    other.metric_logger.path = str(Path(cfg.output_dir) / "resumed.jsonl")
    session = _set_up(other)
    session.train()
    session.cleanup()
    return [entry["loss"] for entry in _metrics(other)]


def _differ(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether adapters begin differently; trainings of all weights have none."""
    downs = [name for name in first if name.endswith("lora_a.weight")]
    return not downs or any(not first[name].equal(second[name]) for name in downs)


def _adapters(session: Any) -> dict[str, Any]:
    """The first weights of the adapters, copied."""
    weights = session._model.state_dict()  # noqa: SLF001
    return {name: tensor.detach().clone() for name, tensor in weights.items() if "lora_" in name}


def _orders(session: Any, epochs: int) -> list[list[int]]:
    """The order of the examples in each epoch."""
    sampler = session._dataloader.sampler  # noqa: SLF001
    orders = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
    return orders


def _metrics(cfg: Any) -> list[dict[str, Any]]:
    lines = Path(cfg.metric_logger.path).read_text(encoding="utf-8").splitlines()
    return [entry for entry in map(parse_json, lines) if "loss" in entry]
