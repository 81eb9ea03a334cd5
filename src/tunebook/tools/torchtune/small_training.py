"""Trains a shrunk model with the recipe and the configuration of a run, and looks at the steps and the checkpoints.

Runs in the process of the deep checks: torch and torchtune are imported inside the functions. The real tokenizer makes
the tokens; the numbers that occur are counted through, so that any vocabulary fits into a small model.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunebook.tools.deep.random_model import random_model
from tunebook.tools.deep.tokenizer_files import link_tokenizer
from tunebook.tools.torchtune.plain_training import PlainSettings, PlainTraining, adapted_places

__all__ = ["SmallTokenizer", "checkpoints", "small_tokenizer", "steps"]

_STD = 0.1
_FP32 = 2.0**-22
_WORDS = 4096  # distinct tokens of the few examples


class SmallTokenizer:
    """A tokenizer of tunebook's recipe that numbers the tokens in the order in which they occur."""

    def __init__(self, path: str, max_seq_len: int | None = None) -> None:
        from tunebook.tools.runtime.torchtune_components import chat_tokenizer

        self._whole = chat_tokenizer(path, max_seq_len)
        self.hf = self._whole.hf
        self.max_seq_len = max_seq_len
        self._numbers: dict[int, int] = {}
        self.pad_id = self._number(self._whole.pad_id)
        self.eos_id = self._number(self._whole.eos_id)
        self.bos_id = None if self._whole.bos_id is None else self._number(int(self._whole.bos_id))

    def _number(self, token: int) -> int:
        number = self._numbers.setdefault(token, len(self._numbers))
        if number >= _WORDS:
            raise ValueError(f"the few examples have more than {_WORDS} different tokens")
        return number

    def encode(self, text: str, *, add_bos: bool = False, add_eos: bool = False) -> list[int]:
        """The numbers of a text's tokens."""
        return [self._number(token) for token in self._whole.encode(text, add_bos=add_bos, add_eos=add_eos)]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of numbers."""
        tokens_of = {number: token for token, number in self._numbers.items()}
        return self._whole.decode([tokens_of[number] for number in tokens])


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
    return {
        "resumed": resumed,
        "follows_seed": follows_seed,
        "losses": [entry["loss"] for entry in logged],
        "rates": [entry["lr"] for entry in logged],
        "plain_losses": reference.losses,
        "plain_rates": reference.rates,
        "examples": sorted(orders[0]),
    }


def checkpoints(config: Mapping[str, Any], values: Mapping[str, Any], precision: str) -> dict[str, Any]:
    """The last checkpoint as evaluations load it, against the weights of the base plus (α/r) · B · A.

    Args:
        precision: of the evaluation's weights.
    """
    import torch

    with tempfile.TemporaryDirectory() as folder:
        session = _set_up(_configuration(config, values, Path(folder)))
        base = Path(folder) / "model"
        session.train()
        session.cleanup()
        live = {name: tensor.detach().clone() for name, tensor in session._model.state_dict().items()}  # noqa: SLF001
        section = values["model"]
        scale = float(section["lora_alpha"]) / float(section["lora_rank"])
        checkpoint = Path(folder) / "output" / f"epoch_{int(values['epochs']) - 1}"
        with torch.no_grad():
            found = _compared(live, scale, base=base, checkpoint=checkpoint, precision=precision)
    trained = {str(tensor.dtype).removeprefix("torch.") for name, tensor in live.items() if "lora_" in name}
    return found | {"trained_in": sorted(trained)}


def _compared(live: Mapping[str, Any], scale: float, *, base: Path, checkpoint: Path, precision: str) -> dict[str, Any]:
    """The largest error of a weight, relative to the largest change of that weight."""
    import torch
    from transformers import AutoModelForCausalLM

    from tunebook.tools.runtime.evaluated_model import load_evaluated_model

    kind: Any = AutoModelForCausalLM
    before = kind.from_pretrained(base, dtype=torch.float32)
    after = load_evaluated_model(checkpoint, precision=precision, base=None)
    errors: dict[str, float] = {}
    for name, place in adapted_places(live, before).items():
        rows = place.rows or slice(None)
        product = scale * live[f"{name}.lora_b.weight"].float() @ live[f"{name}.lora_a.weight"].float()
        weight = _base(before, place.module)[rows]
        change = _effective(after.get_submodule(place.module))[rows] - weight
        rounding = _FP32 * float(weight.abs().max())
        errors[name] = _error(change, product, rounding, is_turned=name.endswith((".q_proj", ".k_proj")))
    worst = max(errors, key=lambda name: errors[name])
    untouched = _untouched(before, after, live)
    return {"error": errors[worst], "module": worst, "modules": len(errors), "untouched": untouched}


def _base(model: Any, name: str) -> Any:
    return model.get_submodule(name).weight.detach().float()


def _effective(layer: Any) -> Any:
    """The weight that a layer computes with, whether or not its adapter is merged."""
    if hasattr(layer, "get_delta_weight"):
        (adapter,) = layer.active_adapters
        return layer.base_layer.weight.detach().float() + layer.get_delta_weight(adapter).detach().float()
    return layer.weight.detach().float()


def _error(change: Any, product: Any, rounding: float, *, is_turned: bool) -> float:
    """The difference of the two beyond the rounding of a weight in fp32, relative to the product.

    torchtune has the rows of queries and keys in another order than Transformers: there the sorted values are compared.
    """
    size = float(product.abs().max())
    if is_turned:
        change, product = change.flatten().sort().values, product.flatten().sort().values
    difference = max(0.0, float((change - product).abs().max()) - rounding)
    return difference / size if size else difference


def _untouched(before: Any, after: Any, live: Mapping[str, Any]) -> float:
    """The largest change of a weight that has no adapter, which should be none."""
    adapted = {place.module for place in adapted_places(live, before).values()}
    found = {name.replace(".base_layer", ""): tensor for name, tensor in after.state_dict().items()}
    largest = 0.0
    for name, tensor in before.state_dict().items():
        if name.rpartition(".")[0] not in adapted and name in found:
            largest = max(largest, float((found[name].float() - tensor.float()).abs().max()))
    return largest


def _configuration(config: Mapping[str, Any], values: Mapping[str, Any], folder: Path) -> Any:
    """The recipe's configuration with model and data in a folder, which are written."""
    from omegaconf import OmegaConf

    model, data = folder / "model", folder / "data.json"
    written = json.loads(json.dumps(dict(values)))
    examples = written.pop("examples")
    data.write_text(json.dumps({"train": examples, "validation": examples[:2]}), encoding="utf-8")
    random_model({**config, "vocab_size": _WORDS}, model, std=_STD, dtype=str(written["dtype"]))
    link_tokenizer(Path(written["tokenizer"]["path"]), model)
    for section in ("dataset", "dataset_val"):
        if section in written:
            written[section]["path"] = str(data)
    output = folder / "output"
    written["checkpointer"] |= {"checkpoint_dir": str(model), "checkpoint_files": ["model.safetensors"]}
    written["checkpointer"]["output_dir"] = str(output)
    written["output_dir"] = str(output)
    written["metric_logger"]["path"] = str(output / "metrics.jsonl")
    written["model"]["vocab_size"] = _WORDS
    return OmegaConf.create(written)


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
    return [entry for entry in map(json.loads, lines) if "loss" in entry]
