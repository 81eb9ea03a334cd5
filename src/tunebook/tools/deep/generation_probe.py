"""Generates with a tiny random model that has the real tokenizer and settings, through the loader of evaluations.

Greedy decoding must be the most probable token at every step, and must stop at the token with which training ends an
answer. Runs in the process of the deep checks; torch is imported inside the functions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunebook.tools.deep.random_model import random_model
from tunebook.tools.deep.tokenizer_files import link_tokenizer
from tunebook.tools.runtime.examples import example_parts, joint_tokens, plain_encoder
from tunebook.tools.runtime.generation import neutralized

__all__ = ["generate", "tiny_model"]

_NEW = 24
_STD = 0.05
_CERTAIN = 1e6


def generate(
    model: str,
    config: Mapping[str, Any],
    example: Mapping[str, Any],
    prompts: Sequence[str],
    *,
    sampling: bool,
) -> dict[str, Any]:
    """The generation settings in effect when the model answers.

    Args:
        model: the directory of the real model.
        config: the shrunk ``config.json``; its vocabulary becomes that of the real tokenizer.
        example: a record of the data, and ``prompts`` the plan's system prompt and prompt.
        sampling: whether tokens are drawn at a temperature.
    """
    import torch

    from tunebook.tools.runtime.evaluated_model import load_evaluated_model

    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "model"
        tokenizer = tiny_model(Path(model), config, directory)
        loaded = load_evaluated_model(directory, precision="fp32", sampling=sampling)
        prompt, end = _prompt_and_end(tokenizer, example, prompts)
        with torch.inference_mode():
            answer = _greedy(loaded, prompt) if not sampling else {}
            stops = _stops_at(loaded, prompt, end)
    settings = loaded.generation_config.to_dict()
    answer |= {
        "end": tokenizer.convert_ids_to_tokens(end),
        "stops": stops,
        "stop_tokens": tokenizer.convert_ids_to_tokens(list(loaded.generation_config.eos_token_id)),
        "acting": {name: str(value) for name, value in neutralized(settings).items()},
    }
    return answer


def tiny_model(real: Path, config: Mapping[str, Any], directory: Path) -> Any:
    """Writes the tiny model with the real tokenizer and settings, and returns the tokenizer."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(str(real), local_files_only=True)
    random_model({**config, "vocab_size": len(tokenizer)}, directory, std=_STD)
    link_tokenizer(real, directory)
    return tokenizer


def _prompt_and_end(tokenizer: Any, example: Mapping[str, Any], prompts: Sequence[str]) -> tuple[list[int], int]:
    """The tokens of a prompt, and the last token that training teaches."""
    parts = example_parts(tokenizer, dict(example), system_prompt=prompts[0], prompt=prompts[1])
    encode = plain_encoder(tokenizer)
    if "text" in example:
        return encode(example["text"])[:_NEW], int(tokenizer.eos_token_id)
    tokens_of = joint_tokens(encode, parts)
    prompt = [token for tokens, _ in tokens_of[:-1] for token in tokens]
    return prompt, int(tokens_of[-1][0][-1])


def _greedy(model: Any, prompt: Sequence[int]) -> dict[str, Any]:
    """The first step at which the answer is not the most probable token; -1 if all are."""
    import torch

    given = torch.tensor([list(prompt)])
    found = model.generate(given, attention_mask=torch.ones_like(given), do_sample=False, max_new_tokens=_NEW)
    stops = set(model.generation_config.eos_token_id)
    tokens = list(prompt)
    for step, token in enumerate(found[0, len(prompt) :].tolist()):
        likely = int(model(torch.tensor([tokens])).logits[0, -1].argmax())
        if token != likely:
            return {"differs_at": step, "generated": found.shape[1] - len(prompt)}
        tokens.append(token)
    generated = len(tokens) - len(prompt)
    complete = generated == _NEW or tokens[-1] in stops
    return {"differs_at": -1 if complete else generated, "generated": generated}


def _stops_at(model: Any, prompt: Sequence[int], end: int) -> bool:
    """Whether an answer ends where the model is certain of the learnt end."""
    import torch

    given = torch.tensor([list(prompt)])
    output = model.get_output_embeddings()

    def certain(_: Any, __: Any, logits: Any) -> Any:
        logits = logits.clone()
        logits[..., end] = _CERTAIN
        return logits

    hook = output.register_forward_hook(certain)
    try:
        found = model.generate(given, attention_mask=torch.ones_like(given), max_new_tokens=_NEW)
    finally:
        hook.remove()
    return bool(found[0, len(prompt) :].tolist() == [end])
