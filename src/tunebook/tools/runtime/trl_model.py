"""The model of a training with TRL: loaded as evaluations load it, with LoRA adapters of PEFT in fp32.

Runs inside the training job, and needs nothing of tunebook but its other job-side modules.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tunebook.tools.runtime.checkpoint_files import ExpectedAdapter
from tunebook.tools.runtime.evaluated_model import refuse_incomplete
from tunebook.tools.runtime.first_adapters import first_weights
from tunebook.tools.runtime.installing import install_here
from tunebook.tools.runtime.job_errors import TrainingError
from tunebook.tools.runtime.model_files import snapshot_of
from tunebook.tools.runtime.trl_keys import FIXED
from tunebook.tools.runtime.trl_settings import Settings

__all__ = ["PREFIX", "base_of", "expected_adapter", "quantization_problem", "trained_model"]

PREFIX = "base_model.model."
"""Of the names of a base model's parameters, in PEFT's."""

Shape = tuple[int, int]
"""Rows (outputs) and columns (inputs) of a linear layer."""


def base_of(settings: Settings) -> Path:
    """The directory with the files of the model that is trained, absolute."""
    return snapshot_of(settings.model.absolute())


def quantization_problem(settings: Settings) -> str:
    """Why 4-bit weights cannot be used here; empty if they can, or are not asked for."""
    if not settings.trl["load_in_4bit"]:
        return ""
    if not torch.cuda.is_available():
        return "`load_in_4bit` needs a GPU with CUDA, but torch finds none: run the job on a GPU, or train without it"
    if importlib.util.find_spec("bitsandbytes") is None:
        return f"`load_in_4bit` needs bitsandbytes: {install_here('bitsandbytes')}"
    return ""


def trained_model(settings: Settings, device: torch.device) -> Any:
    """The model with its trainable parameters, which are compared with what the settings ask for.

    Args:
        device: where quantized weights are loaded; others are moved there by the trainer.

    Raises:
        TrainingError: the model cannot be loaded as it is, or other parameters would be trained than were asked for.
    """
    model = _base_model(settings, device)
    if model.config.get_text_config() is not model.config:
        raise TrainingError(f"{settings.model} is a model of texts and images, which cannot be trained here")
    if not settings.trains_adapters:
        _refuse_mixed_precision(model, settings)
        for parameter in model.parameters():
            parameter.requires_grad = True
        return model
    targets = tuple(settings.trl["lora_target_modules"])
    wanted = _adaptable(model, targets, settings.model)
    adapted = _with_adapters(model, settings)
    _compare_trained(adapted, wanted, rank=int(settings.trl["lora_r"]))
    return adapted


def _refuse_mixed_precision(model: Any, settings: Settings) -> None:
    """Transformers keeps some weights of some models in fp32, whatever is asked for."""
    wanted = getattr(torch, settings.trl["dtype"])
    for name, parameter in model.named_parameters():
        if parameter.dtype != wanted:
            message = f"{settings.model}: Transformers keeps {name} in {parameter.dtype}, also if {wanted} is asked for"
            raise TrainingError(f"{message}: write `Precision: fp32`, or train adapters")


def expected_adapter(settings: Settings) -> ExpectedAdapter:
    """The adapter that a checkpoint must hold, found without its weights.

    Raises:
        TrainingError: the model has no module with the name of a target.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    base = base_of(settings)
    loader: Any = AutoModelForCausalLM
    with torch.device("meta"):
        empty = loader.from_config(AutoConfig.from_pretrained(str(base), local_files_only=True))
    modules = _adaptable(empty, tuple(settings.trl["lora_target_modules"]), settings.model)
    return ExpectedAdapter(base, int(settings.trl["lora_r"]), len(modules))


def _base_model(settings: Settings, device: torch.device) -> Any:
    from transformers import AutoModelForCausalLM

    loader: Any = AutoModelForCausalLM
    base = base_of(settings)
    options: dict[str, Any] = {}
    if settings.trl["load_in_4bit"]:
        options = {"quantization_config": _quantization(settings), "device_map": {"": device}}
    try:
        model, report = loader.from_pretrained(
            str(base),
            dtype=getattr(torch, settings.trl["dtype"]),
            attn_implementation=settings.trl["attn_implementation"],
            local_files_only=True,
            trust_remote_code=bool(FIXED["trust_remote_code"]),
            output_loading_info=True,
            **options,
        )
        refuse_incomplete(base, report)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise TrainingError(f"the model {base} cannot be loaded: {error}") from error
    return model


def _quantization(settings: Settings) -> Any:
    from transformers import BitsAndBytesConfig

    config: Any = BitsAndBytesConfig
    return config(
        load_in_4bit=True,
        bnb_4bit_compute_dtype=getattr(torch, settings.trl["dtype"]),
        bnb_4bit_quant_type=settings.trl["bnb_4bit_quant_type"],
        bnb_4bit_use_double_quant=settings.trl["use_bnb_nested_quant"],
    )


def _with_adapters(model: Any, settings: Settings) -> Any:
    from peft import LoraConfig, get_peft_model

    values = settings.trl
    config = LoraConfig(
        r=int(values["lora_r"]),
        lora_alpha=values["lora_alpha"],
        lora_dropout=float(values["lora_dropout"]),
        target_modules=list(values["lora_target_modules"]),
        bias="none",
        use_rslora=bool(FIXED["use_rslora"]),
        use_dora=bool(FIXED["use_dora"]),
        modules_to_save=FIXED["lora_modules_to_save"],
        task_type=FIXED["lora_task_type"],
    )
    adapted = get_peft_model(model, config, autocast_adapter_dtype=True)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if ".lora_A." in name:
                module = name.removeprefix(PREFIX).partition(".lora_A.")[0]
                parameter.copy_(first_weights(int(values["seed"]), module, parameter.shape))
    return adapted


def _adaptable(model: Any, targets: Sequence[str], directory: Path) -> dict[str, Shape]:
    """The linear layers whose name ends with a target, before any adapter is put on them.

    Raises:
        TrainingError: there is none for one of the targets.
    """
    found: dict[str, Shape] = {}
    names: dict[str, None] = {}
    for name, module in model.named_modules():
        if not isinstance(module, torch.nn.Linear):
            continue
        last = name.rpartition(".")[2]
        names[last] = None
        if last in targets:
            found[name] = (module.out_features, module.in_features)
    missing = [target for target in targets if target not in names]
    if missing:
        allowed = ", ".join(name for name in names if name != "lm_head")
        raise TrainingError(f"{directory} has no linear layer named {', '.join(missing)}; allowed: {allowed}")
    return found


def _compare_trained(model: Any, wanted: Mapping[str, Shape], *, rank: int) -> None:
    """PEFT skips targets that it does not find as soon as it finds another one.

    Raises:
        TrainingError: other parameters would be trained, or they are not in fp32.
    """
    expected = {f"{name}.lora_A": rank * columns for name, (_, columns) in wanted.items()}
    expected |= {f"{name}.lora_B": rank * rows for name, (rows, _) in wanted.items()}
    found: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            if parameter.dtype != torch.float32:
                raise TrainingError(f"the adapter {name} is not in fp32")
            short = name.removeprefix(PREFIX).removesuffix(".default.weight")
            found[short] = parameter.numel()
    if found != expected:
        wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise TrainingError(
            f"{len(expected)} parameters of adapters should be trained, but PEFT trains {len(found)}; "
            f"the first that differs is {wrong[0]}"
        )
