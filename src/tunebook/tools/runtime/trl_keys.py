"""The table of the keys of ``sft.yaml``: their types and allowed values, and the keys of TRL that are never in it.

The names are those of TRL 1.16 (``SFTConfig``, ``ModelConfig``). Needs nothing else of tunebook.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

__all__ = ["DATA", "DATA_SETTINGS", "FIXED", "OWN", "OWN_SETTINGS", "TRL_SETTINGS", "Setting"]

DATA = "data"
OWN = "tunebook"
_MOST = 2**32 - 1  # numpy takes no larger seed


@dataclass(frozen=True)
class Setting:
    """One key and its allowed values.

    Attributes:
        kind: ``text``, ``flag``, ``integer``, ``number`` or ``list`` (of texts, at least one).
        nullable: whether it may be ``null``.
        choices: the only texts that are allowed.
        minimum: the smallest number; ``above`` excludes it. ``maximum``: the largest; ``below`` excludes it.
        may_be_empty: whether a text may have no characters.
    """

    key: str
    kind: str
    nullable: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    above: bool = False
    maximum: float | None = None
    below: bool = False
    may_be_empty: bool = False

    @property
    def allowed(self) -> str:
        """The allowed values, for a message."""
        if self.choices:
            words = " or ".join(self.choices)
        else:
            words = {"text": "a text", "flag": "true or false", "list": "a list of texts"}.get(self.kind, "")
            words = words or {"integer": "a whole number", "number": "a number"}[self.kind]
        if self.minimum is not None:
            words += f" above {self.minimum:g}" if self.above else f" of at least {self.minimum:g}"
        if self.maximum is not None:
            words += f" and below {self.maximum:g}" if self.below else f" and at most {self.maximum:g}"
        return f"{words}, or null" if self.nullable else words

    def accepts(self, value: Any) -> bool:
        """Whether a value has the type and is one of the allowed values."""
        if value is None:
            return self.nullable
        if isinstance(value, bool) or self.kind == "flag":
            return isinstance(value, bool) and self.kind == "flag"
        if self.kind in {"integer", "number"}:
            return self._accepts_number(value)
        if self.kind == "list":
            return isinstance(value, list) and bool(value) and all(isinstance(item, str) and item for item in value)
        if not isinstance(value, str) or (self.choices and value not in self.choices):
            return False
        return bool(value) or self.may_be_empty

    def _accepts_number(self, value: Any) -> bool:
        is_right_type = isinstance(value, int) or (self.kind == "number" and isinstance(value, float))
        if not is_right_type or value in {float("inf"), float("-inf")} or value != value:  # noqa: PLR0124  NaN
            return False
        if self.minimum is not None and (value < self.minimum or (self.above and value == self.minimum)):
            return False
        return self.maximum is None or value < self.maximum or (value == self.maximum and not self.below)


def _count(key: str, *, nullable: bool = False, minimum: int = 1) -> Setting:
    return Setting(key, "integer", nullable=nullable, minimum=minimum)


def _seed(key: str) -> Setting:
    return Setting(key, "integer", minimum=0, maximum=_MOST)


TRL_SETTINGS = (
    # the model and its adapters; use_peft: false trains all weights, and the keys of adapters are null
    Setting("model_name_or_path", "text"),
    Setting("dtype", "text", choices=("bfloat16", "float32")),  # of the base, or of all weights; adapters are in fp32
    Setting("attn_implementation", "text", choices=("sdpa", "eager", "flash_attention_2")),
    Setting("use_peft", "flag"),
    _count("lora_r", nullable=True),
    Setting("lora_alpha", "number", nullable=True, minimum=0, above=True),
    Setting("lora_dropout", "number", nullable=True, minimum=0, maximum=1, below=True),
    Setting("lora_target_modules", "list", nullable=True),  # the last parts of the names of Transformers' modules
    Setting("load_in_4bit", "flag"),
    Setting("bnb_4bit_quant_type", "text", nullable=True, choices=("nf4", "fp4")),
    Setting("use_bnb_nested_quant", "flag"),
    # steps
    Setting("output_dir", "text"),
    _seed("seed"),  # of the first adapters and of dropout
    _seed("data_seed"),  # of the order of the examples
    _count("num_train_epochs"),
    _count("per_device_train_batch_size"),
    _count("per_device_eval_batch_size"),
    _count("gradient_accumulation_steps"),
    _count("max_length", nullable=True),
    # the optimizer
    Setting("optim", "text", choices=("adamw_torch", "adamw_torch_fused", "sgd")),
    Setting("learning_rate", "number", minimum=0, above=True),
    Setting("lr_scheduler_type", "text", choices=("cosine", "linear", "constant_with_warmup")),
    _count("warmup_steps", minimum=0),
    Setting("weight_decay", "number", minimum=0),
    Setting("adam_beta1", "number", minimum=0, maximum=1, below=True),
    Setting("adam_beta2", "number", minimum=0, maximum=1, below=True),
    Setting("adam_epsilon", "number", minimum=0, above=True),
    Setting("max_grad_norm", "number", minimum=0),  # 0 means no clipping
    # validation, logs and the machine
    Setting("eval_strategy", "text", choices=("no", "epoch", "steps")),  # steps: every eval_steps, and after each epoch
    _count("eval_steps", nullable=True),
    _count("logging_steps"),
    Setting("report_to", "text", choices=("none", "wandb")),
    Setting("project", "text", nullable=True),
    Setting("run_name", "text", nullable=True),
    Setting("gradient_checkpointing", "flag"),
    Setting("use_cpu", "flag"),
)
"""The keys of TRL, in the order of the file."""

DATA_SETTINGS = (
    Setting("path", "text"),
    Setting("dataset_type", "text", choices=("instruct", "chat", "text_completion")),
    Setting("system_prompt", "text", may_be_empty=True),
    Setting("prompt", "text"),
    Setting("train_on_input", "flag"),
    Setting("packed", "flag"),  # several examples in one sequence, in the way of torchtune
)
"""The keys of the section ``data``."""

OWN_SETTINGS = (
    _count("max_steps_per_epoch", nullable=True),
    Setting("save", "text", nullable=True, choices=("adapter", "merged")),  # null where all weights are trained
    Setting("wandb_entity", "text", nullable=True),  # whose project it is
)
"""The keys of the section ``tunebook``."""

FIXED: Mapping[str, Any] = MappingProxyType(
    {
        # Weights and adapters are computed in their own precision, as evaluations compute them: no autocast.
        "bf16": False,
        "fp16": False,
        "bf16_full_eval": False,
        "fp16_full_eval": False,
        "tf32": None,
        # Token ids, labels, packs and the order are tunebook's: TRL gets finished batches.
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "packing": False,
        "padding_free": False,
        "eval_packing": False,
        "pad_to_multiple_of": None,
        "shuffle_dataset": False,
        "completion_only_loss": None,
        "assistant_only_loss": False,
        "chat_template_path": None,
        "eos_token": None,
        "pad_token": None,
        "dataset_num_proc": None,
        "remove_unused_columns": False,
        "train_sampling_strategy": "random",
        "dataloader_drop_last": False,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": False,
        # The loss is the mean over all learnt tokens of a step, on all devices together.
        "loss_type": "nll",
        "average_tokens_across_devices": True,
        "label_smoothing_factor": 0.0,
        "neftune_noise_alpha": None,
        "router_aux_loss_coef": 0.0,
        "use_liger_kernel": False,
        # The optimizer's and the schedule's own settings are all in the file.
        "optim_args": None,
        "optim_target_modules": None,
        "lr_scheduler_kwargs": None,
        "auto_find_batch_size": False,
        "max_steps": -1,
        "full_determinism": False,
        "torch_compile": False,
        "activation_offloading": False,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
        "trust_remote_code": False,
        # Adapters are plain LoRA.
        "use_rslora": False,
        "use_dora": False,
        "load_in_8bit": False,
        "lora_modules_to_save": None,
        "lora_target_parameters": None,
        "lora_task_type": "CAUSAL_LM",
        # tunebook's own modules validate and log; TRL saves what a resumed training needs.
        "save_strategy": "epoch",
        "save_total_limit": 1,
        "save_only_model": False,
        "load_best_model_at_end": False,
        "logging_nan_inf_filter": False,
        "logging_strategy": "steps",
        "logging_first_step": False,
        "eval_on_start": False,
        "push_to_hub": False,
        "ignore_data_skip": True,
        "disable_tqdm": True,
        "deepspeed": None,
        "fsdp": None,
    }
)
"""The keys of TRL that have one value in every training of tunebook's, and are not in the file."""
