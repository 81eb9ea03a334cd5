"""Answers the questions of inspect-ai's ``hf`` provider by a server that vLLM runs.

The provider stays as it is up to the model: it renders and tokenizes the prompts and decodes the answers. In the
model's place stands a server, which gets finished token ids, the evaluation's stop tokens and neutral settings. So
prompts and texts are those of an evaluation without a server, by construction.

Runs inside evaluation jobs, and needs only other modules of this package.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tunebook.tools.runtime.checkpoint_files import ADAPTER_CONFIG
from tunebook.tools.runtime.evaluated_model import base_directory, evaluation_stop_ids, snapshot
from tunebook.tools.runtime.loaded_adapter import adapter_values
from tunebook.tools.runtime.served_client import Client, ServedError

__all__ = ["ServedModel", "answer_by_server", "connect"]

_KNOWN = {
    *("do_sample", "max_new_tokens", "temperature", "top_p", "top_k", "stopping_criteria"),
    *("return_dict_in_generate",),
}
_CONNECTIONS = 256
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass
class ServedModel:
    """The parts of a model that the ``hf`` provider uses, and the server behind them.

    Attributes:
        name: of the model or the adapter on the server.
        seed: of the draws at a temperature.
        reads: the most tokens that the model itself takes; 0 if its configuration does not say.
        found: how the server was compared with the training; for the record of the evaluation.
    """

    client: Client
    name: str
    stop_ids: list[int]
    seed: int
    found: dict[str, Any]
    reads: int = 0
    device: str = "cpu"
    cut: int = 0
    asked: Counter[str] = field(default_factory=Counter)

    @property
    def generation_config(self) -> Any:
        """The stop tokens, where a model of Transformers has them."""
        return SimpleNamespace(eos_token_id=self.stop_ids)

    def generate(self, **_: Any) -> Any:
        """Is only named: :func:`answer_by_server` answers before the provider would call it."""
        raise ServedError("this version of inspect-ai asks models in a way that tunebook does not know")

    def request(self, tokens: list[int], settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of vLLM that do what these settings of Transformers do.

        Raises:
            ServedError: a setting has no equal.
        """
        unknown = sorted(name for name, value in settings.items() if name not in _KNOWN and value not in (None, False))
        if unknown:
            raise ServedError(f"the task sets {', '.join(unknown)}, which needs `Inference: hf`")
        room = self.client.service.longest - len(tokens)
        if room < 1:
            raise ServedError(f"a prompt has {len(tokens)} tokens; the model takes {self.client.service.longest}")
        wanted = int(settings["max_new_tokens"])
        if wanted > room and self.client.service.longest < self.reads:
            message = (
                f"the server has memory for {self.client.service.longest} of the {self.reads} tokens that the model "
            )
            message += f"takes: a prompt has {len(tokens)}, and its answer may have {wanted}"
            raise ServedError(f"{message}: give the job more memory, or lower Evaluation Max Tokens")
        request: dict[str, Any] = {"max_tokens": min(wanted, room), "temperature": 0}
        request |= {"stop_token_ids": self.stop_ids, "ignore_eos": True}
        texts = [text for rule in settings.get("stopping_criteria") or () for text in rule.stop_strings]
        if texts:
            request |= {"stop": texts, "include_stop_str_in_output": True}
        if settings.get("do_sample"):
            request |= self._draw(tokens, settings)
        return request

    def _draw(self, tokens: list[int], settings: Mapping[str, Any]) -> dict[str, Any]:
        """A seed for each request: with one for all, a repeated sample would get the same answer again."""
        prompt = hashlib.sha256(json.dumps(tokens).encode()).hexdigest()
        self.asked[prompt] += 1
        text = f"{self.seed} {self.asked[prompt]} {prompt}"
        return {
            "temperature": settings.get("temperature", 1.0),
            "top_p": settings.get("top_p", 1.0),
            "top_k": settings.get("top_k") or 0,
            "seed": int(hashlib.sha256(text.encode()).hexdigest()[:8], 16),
        }

    def answer(self, tokens: list[int], request: Mapping[str, Any], *, wanted: int) -> list[int]:
        """The ids that the server generates; an answer that the model's length cuts short is counted."""
        answer = self.client.complete(self.name, tokens, request)
        if answer.reason == "length" and request["max_tokens"] < wanted:
            self.cut += 1
        return answer.tokens

    def close(self) -> None:
        """Makes a shared server forget the adapter, and reports what an evaluation by ``hf`` would have done."""
        if self.cut:
            longest = self.client.service.longest
            sys.stderr.write(
                f"tunebook: {self.cut} answers end at the {longest} tokens that the server takes; `hf` would continue: "
                "lower Evaluation Max Tokens\n"
            )
        with self.client:
            if self.name == self.client.service.model:
                return
            try:
                self.client.unload_adapter(self.name)
            except ServedError as error:
                sys.stderr.write(f"tunebook: the adapter stays loaded: {error}\n")


def connect(
    service: Path, directory: Path, *, precision: str, base: Path | None, asked: Mapping[str, Any]
) -> ServedModel:
    """The served model of a directory, proven to be what was trained.

    Args:
        service: the description of the server.
        directory: a whole model, or an adapter.
        asked: ``seed``, and ``training`` with the values of :class:`TrainingData` for a checkpoint.

    Raises:
        ServedError: the server has another model, refuses the adapter, or computes something else.
        ValueError: the directory holds no model that can be evaluated.
    """
    from transformers import AutoTokenizer

    from tunebook.tools.runtime.served_probe import TrainingData, prove_served  # it imports torch

    directory = snapshot(directory)
    whole = base_directory(directory, base)
    loader: Any = AutoTokenizer
    tokenizer: Any = loader.from_pretrained(str(whole or directory), local_files_only=True)
    stops = evaluation_stop_ids(tokenizer, whole or directory, directory)
    client = Client(service, connections=_CONNECTIONS)
    found: dict[str, Any] = {"vllm": client.service.version, "longest": client.service.longest}
    reads = _most_tokens(whole or directory)
    model = ServedModel(client, client.service.model, stops, int(asked["seed"]), found, reads)
    try:
        _refuse_other(client, whole or directory, precision)
        if whole is not None:
            _refuse_rank(client, directory)
            name = _name(directory)
            client.load_adapter(name, directory)
            model.name = name
        if asked.get("training"):
            data = TrainingData(**asked["training"])
            weights = whole or directory
            found["compared"] = prove_served(client, model.name, directory, weights, data, precision=precision)
    except BaseException:
        model.close()
        raise
    return model


def _most_tokens(model: Path) -> int:
    try:
        values = json.loads((model / "config.json").read_text(encoding="utf-8"))
        return int(values["max_position_embeddings"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _refuse_other(client: Client, model: Path, precision: str) -> None:
    service = client.service
    if Path(service.path).resolve() != model.resolve():
        raise ServedError(f"the server has the model {service.path} instead of {model}: scaffold again")
    if service.precision != precision:
        raise ServedError(f"the server has weights in {service.precision} instead of {precision}: scaffold again")


def _refuse_rank(client: Client, adapter: Path) -> None:
    rank = int(adapter_values(adapter / ADAPTER_CONFIG).get("r") or 0)
    if rank > client.service.max_rank:
        raise ServedError(f"{adapter} has rank {rank}; the server takes {client.service.max_rank}: scaffold again")


def _name(adapter: Path) -> str:
    """A name that no other adapter had on this server: answers are cached by it, and names end at a colon."""
    parts = _NO_NAME.sub("-", "-".join(adapter.parts[-3:]))
    return f"{parts}-{os.getpid()}-{secrets.token_hex(4)}"


def answer_by_server() -> None:
    """Takes the place of the ``hf`` provider's queue for served models; others keep it.

    Raises:
        ImportError: this version of inspect-ai has no such queue.
    """
    import anyio
    from inspect_ai.model._providers import hf

    if not hasattr(hf, "batched_generate") or not hasattr(hf, "GenerateOutput"):
        raise ImportError("this version of inspect-ai asks models in a way that tunebook does not know")
    queue = hf.batched_generate
    limits: dict[int, Any] = {}

    async def answer(given: Any) -> Any:
        model = getattr(given.generator.func, "__self__", None)
        if not isinstance(model, ServedModel):
            return await queue(given)
        started = time.monotonic()
        settings = given.generator.keywords
        tokens = given.tokenizer([given.input])["input_ids"][0].tolist()
        request = model.request(tokens, settings)
        limit = limits.setdefault(id(model), anyio.CapacityLimiter(given.batch_size))
        wanted = int(settings["max_new_tokens"])
        found = await anyio.to_thread.run_sync(lambda: model.answer(tokens, request, wanted=wanted), limiter=limit)
        return hf.GenerateOutput(
            output=given.decoder(sequences=[found])[0],
            input_tokens=len(tokens),
            output_tokens=len(found),
            total_tokens=len(tokens) + len(found),
            logprobs=None,
            hidden_states=None,
            time=time.monotonic() - started,
        )

    setattr(hf, "batched_generate", answer)  # noqa: B010  the provider's own function has another type
