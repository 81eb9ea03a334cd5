"""A Llama with a tokenizer and a chat template of its own, made in seconds: small enough to train in a test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tunebook.core.plan import Tools
from tunebook.demo.data import task_source
from tunebook.demo.plan import DemoPlan
from tunebook.tools.parameters import installed_parameters

__all__ = ["CHAT_TEMPLATE", "MODEL", "build_family_model", "build_tiny_model", "write_tiny_experiment"]

MODEL = "SmolLM2-135M-Instruct"  # the name in the demo's plan; the weights are the tiny model's

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_TEXT = "capitalize the given word: house House table Table water Water user assistant system"


def build_tiny_model(directory: Path, *, chat_template: str | None = CHAT_TEMPLATE) -> Path:
    """Two layers of width 64 with random weights (seeded), a byte-level vocabulary of a few hundred tokens."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator([_TEXT], trainer)
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = chat_template
    torch.manual_seed(7)
    config = LlamaConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=len(tokenizer),
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def build_family_model(directory: Path, family: str, **settings: Any) -> Path:
    """A model of another family of Transformers, such as ``Qwen2``, with the tiny model's sizes and tokenizer."""
    import torch
    import transformers

    build_tiny_model(directory)
    tiny = json.loads((directory / "config.json").read_text())
    sizes = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    keys = (*sizes, "vocab_size", "max_position_embeddings", "bos_token_id", "eos_token_id", "pad_token_id")
    kind = getattr(transformers, f"{family}TextConfig", None) or getattr(transformers, f"{family}Config")
    config = kind(**({key: tiny[key] for key in keys} | settings))
    torch.manual_seed(7)
    model = getattr(transformers, f"{family}ForCausalLM")(config)
    for parameter in model.parameters():  # weights of a size at which caps and permutations show
        torch.nn.init.normal_(parameter, std=0.1)
    model.tie_weights()
    model.save_pretrained(directory)
    return directory


def write_tiny_experiment(
    directory: Path,
    model: Path,
    *replacements: tuple[str, str],
    ranks: Sequence[int] = (4, 16),
    tools: Tools = Tools(assumed=False),  # noqa: B008  a frozen value
    scripts: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Writes plan, data, task and site settings of trainings and a base model; returns the plan's text.

    Args:
        ranks: one training for each.
        scripts: evaluation tool to the Script of its task, where that is not the file.
    """
    directory.mkdir()
    words = [{"input": word, "output": word.capitalize()} for word in ("house", "table", "water", "stone")]
    data = {"train": words * 80, "validation": words * 10, "test": words * 10}
    (directory / "words.json").write_text(json.dumps(data))
    (directory / "cap_task.py").write_text(task_source())
    (directory / "claude.local.md").write_text("# Site\n")
    plan = DemoPlan(
        name=directory.name,
        directory=directory,
        model=model,
        dataset=directory / "words.json",
        task=directory / "cap_task.py",
        created="2026-01-01 00:00",
        parameters=installed_parameters(tools),
        ranks=ranks,
        splits={split: len(records) for split, records in data.items()},
        tools=tools,
        scripts=scripts,
    )
    page = plan.text()
    for old, new in (("3e-4", "1e-2"), *replacements):
        assert old in page
        page = page.replace(old, new)
    (directory / "experiment_summary.md").write_text(page)
    return page
