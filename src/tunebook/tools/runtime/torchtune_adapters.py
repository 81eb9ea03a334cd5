"""LoRA adapters in fp32 on a base in any precision, as PEFT has them, in torchtune 0.6.1's models.

torchtune's own adapters have the precision of the base. In bf16 most of them do not change at small learning rates, and
merging loses most of what they have learnt. Runs inside the training job, and needs nothing of tunebook but its other
job-side modules.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from torchtune import config, modules, training
from torchtune.modules.peft import (
    LoRALinear,
    get_adapter_params,
    set_trainable_params,
    validate_missing_and_unexpected_for_lora,
)

from tunebook.tools.runtime.first_adapters import first_weights

__all__ = ["AdaptersInFP32"]


class _CastLinear(torch.autograd.Function):
    """A linear layer without bias whose input is cast to the weight's precision, and saved in its own.

    Otherwise each adapted layer would save a copy of its input in fp32 for the backward pass: twice the activations.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Computes the output in the weight's precision."""
        ctx.save_for_backward(x, weight)
        return functional.linear(x.to(weight.dtype), weight)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Computes the gradients of input and weight."""
        x, weight = ctx.saved_tensors
        grad = grads[0]
        rows = grad.flatten(0, -2)
        return (grad @ weight).to(x.dtype), rows.T @ x.flatten(0, -2).to(weight.dtype)


class _LoRALinear(LoRALinear):  # type: ignore[misc]  # torchtune is untyped
    """A linear layer whose adapter computes in its own precision; the sum is rounded once, as in PEFT."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = functional.linear(x, self.weight, self.bias)
        if self.disabled:
            return out
        total: torch.Tensor = out + (self.alpha / self.rank) * self.lora_b(self._down(x))
        return total.to(out.dtype)

    def _down(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.lora_a.weight
        down: torch.Tensor
        if x.dtype != weight.dtype and isinstance(self.dropout, torch.nn.Identity):
            down = _CastLinear.apply(x, weight)  # type: ignore[no-untyped-call]  # as torch declares it
        else:
            down = self.lora_a(self.dropout(x.to(weight.dtype)))
        return down


class AdaptersInFP32:
    """Builds the recipe's model with adapters in fp32; a base class in front of torchtune's LoRA recipe."""

    seed: int
    _device: torch.device
    _dtype: torch.dtype
    activations_handling_ctx: Any

    def _setup_model(
        self,
        cfg_model: Any,
        enable_activation_checkpointing: bool,  # noqa: FBT001  torchtune's signature, as of the next two
        enable_activation_offloading: bool,  # noqa: FBT001
        compile_model: bool,  # noqa: FBT001
        base_model_state_dict: dict[str, Any],
        lora_weights_state_dict: dict[str, Any] | None = None,
    ) -> Any:
        """Builds the model and loads the weights of the base and, where training resumes, of the adapters."""
        with training.set_default_dtype(self._dtype), self._device:
            model = config.instantiate(cfg_model)
        _put_adapters_in_fp32(model, seed=self.seed)
        self._remember_adapters(cfg_model, model)
        if compile_model:
            training.compile_model(model)
        if enable_activation_checkpointing:
            training.set_activation_checkpointing(model, auto_wrap_policy={modules.TransformerSelfAttentionLayer})
        self._load(model, base_model_state_dict, lora_weights_state_dict)
        self.activations_handling_ctx = training.get_act_offloading_ctx_manager(model, enable_activation_offloading)
        return model

    def _remember_adapters(self, cfg_model: Any, model: Any) -> None:
        """Sets the attributes that torchtune's recipe sets here, and freezes the base."""
        self._lora_rank = cfg_model.lora_rank
        self._lora_alpha = cfg_model.lora_alpha
        self._lora_attn_modules = list(cfg_model.lora_attn_modules)
        self._apply_lora_to_mlp = cfg_model.apply_lora_to_mlp
        self._apply_lora_to_output = bool(cfg_model.get("apply_lora_to_output", False))
        self.adapter_params = get_adapter_params(model)
        self._is_dora = False
        set_trainable_params(model, self.adapter_params)

    def _load(self, model: Any, base: dict[str, Any], adapters: dict[str, Any] | None) -> None:
        base_missing, base_unexpected = model.load_state_dict(base, strict=False)
        missing, unexpected = None, None
        if adapters:
            missing, unexpected = model.load_state_dict(adapters, strict=False)
        validate_missing_and_unexpected_for_lora(
            lora_attn_modules=self._lora_attn_modules,
            apply_lora_to_mlp=self._apply_lora_to_mlp,
            apply_lora_to_output=self._apply_lora_to_output,
            base_missing=base_missing,
            base_unexpected=base_unexpected,
            lora_missing=missing,
            lora_unexpected=unexpected,
        )
        training.validate_expected_param_dtype(self.adapter_params.items(), dtype=torch.float32)


def _put_adapters_in_fp32(model: Any, *, seed: int) -> None:
    """Converts every adapter, and draws its first weights from the seed, as every tool does."""
    for name, module in model.named_modules():
        if not isinstance(module, LoRALinear):
            continue
        module.__class__ = _LoRALinear
        module.lora_a.to(torch.float32)
        module.lora_b.to(torch.float32)
        down, up = module.lora_a.weight, module.lora_b.weight
        with torch.no_grad():
            down.copy_(first_weights(seed, name, down.shape))
            up.zero_()
