"""Writes small random models in the format of Transformers; torch is imported inside the functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["random_model"]

_SEED = 11


def random_model(config: Mapping[str, Any], directory: Path, *, std: float, dtype: str = "fp32") -> Any:
    """A random model of Transformers in a directory.

    Args:
        std: the standard deviation of its weights.
        dtype: ``fp32`` or ``bf16``, of the weights in the files; the model that is returned is in fp32.
    """
    import torch
    import transformers

    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps(dict(config)), encoding="utf-8")
    read = transformers.AutoConfig.from_pretrained(directory, local_files_only=True)
    torch.manual_seed(_SEED)
    kind: Any = transformers.AutoModelForCausalLM
    model = kind.from_config(read, dtype=torch.float32).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=std)
    model.tie_weights()
    if dtype == "bf16":
        model.to(torch.bfloat16).save_pretrained(directory)
        model.to(torch.float32)
    else:
        model.save_pretrained(directory)
    (directory / "config.json").write_text(json.dumps(dict(config)), encoding="utf-8")  # the fields as they were
    return model
