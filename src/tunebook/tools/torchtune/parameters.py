"""torchtune's rows of the parameter table: keys of ``setup_finetune.yaml``, and their places in ``finetune.yaml``."""

from __future__ import annotations

from tunebook.core.parameters import Kind, Parameter, Value
from tunebook.tools.finetuning.recipes import RECIPE
from tunebook.tools.finetuning.rows import ENVIRONMENT_ROWS, SAVE, Configured, own_row, row
from tunebook.tools.finetuning.training import Training
from tunebook.tools.torchtune.models import TorchtuneModel
from tunebook.tools.torchtune.recipes import is_ours
from tunebook.tools.torchtune.setup import TorchtuneSetup
from tunebook.tools.torchtune.steps import warmup_steps

__all__ = ["COMPONENTS", "PLAN_PARAMETERS", "SETUP_PARAMETERS", "Trained"]

Trained = Training[TorchtuneSetup, TorchtuneModel]
"""A training with torchtune."""

COMPONENTS = "tunebook.tools.runtime.torchtune_components"
_SCHEDULERS = {
    "cosine": "torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup",
    "linear": f"{COMPONENTS}.linear_schedule_with_warmup",
    "constant": f"{COMPONENTS}.constant_schedule_with_warmup",
}
_OPTIMIZERS = {"adamw": "torch.optim.AdamW", "adam": "torch.optim.Adam", "sgd": "torch.optim.SGD"}
_ATTENTION = ("q_proj", "k_proj", "v_proj", "output_proj")


def _targets(training: Trained) -> Configured:
    setup = training.setup
    targets = setup.values["lora_target_modules"] or ()
    assert isinstance(targets, tuple)  # noqa: S101  the row is a list
    values: dict[str, Value] = {
        "model.lora_attn_modules": tuple(name for name in targets if name in _ATTENTION),
        "model.apply_lora_to_mlp": "mlp" in targets,
    }
    if "output" in targets:  # not every builder of torchtune has this argument, and none needs it to be false
        values["model.apply_lora_to_output"] = True
    return values


def _precision(training: Trained) -> Configured:
    setup = training.setup
    return {"dtype": setup.precision}


def _optimizer(training: Trained) -> Configured:
    setup = training.setup
    return {"optimizer._component_": _OPTIMIZERS[setup.optimizer], "optimizer.fused": setup.gpus > 0}


def _scheduler(training: Trained) -> Configured:
    setup = training.setup
    return {"lr_scheduler._component_": _SCHEDULERS[setup.lr_scheduler]}


def _warmup(training: Trained) -> Configured:
    return {"lr_scheduler.num_warmup_steps": warmup_steps(training.setup.settings, training.examples)}


def _validation(training: Trained) -> Configured:
    """Only tunebook's recipe reads this; ``null`` there is once after every epoch."""
    setup = training.setup
    every = setup.values["run_val_every_n_steps"]
    if every is None:
        return {}
    return {"run_val_every_n_steps": every if isinstance(every, int) else None}


def _recipe(training: Trained) -> Configured:
    """The recipe of torchtune in whose place tunebook's runs."""
    setup = training.setup
    return {"stock_recipe": setup.recipe} if is_ours(setup.recipe) else {}


def _adapters_only(training: Trained) -> Configured:
    setup = training.setup
    if setup.lora_rank is None:
        return {}
    return {"save_adapter_weights_only": setup.save_adapter_weights_only}


def _stash(training: Trained) -> Configured:
    """Only tunebook's recipe reads this; the job moves what other recipes leave beside merged weights."""
    setup = training.setup
    if setup.lora_rank is None or setup.saves_adapters or not is_ours(setup.recipe):
        return {}
    return {"stash_adapter_weights": setup.stash_adapter_weights}


def _model(training: Trained) -> Configured:
    setup = training.setup
    return {"checkpointer.checkpoint_dir": setup.model_checkpoint, "tokenizer.path": setup.model_checkpoint}


def _dataset(training: Trained) -> Configured:
    setup = training.setup
    return {"dataset.path": setup.dataset_path}


# In the order of the file.
SETUP_PARAMETERS = (
    row("my_wandb_project", place="metric_logger.wandb_project"),
    row("my_wandb_run_name", place="metric_logger.wandb_run_name"),
    row("input_dir_base"),
    row("input_formatting"),
    row("dataset_label", configured=_dataset),
    row("dataset_ext"),
    row("dataset_type", place="dataset.dataset_type"),
    row("model_checkpoint", configured=_model),
    row("lora_rank", place="model.lora_rank"),
    row("lora_alpha", place="model.lora_alpha"),
    row("lora_dropout", place="model.lora_dropout"),
    row("lora_target_modules", configured=_targets),
    row("optimizer", choices=tuple(_OPTIMIZERS), configured=_optimizer),
    row("lr", place="optimizer.lr"),
    row("batch_size", place="batch_size"),
    row("gradient_accumulation_steps", place="gradient_accumulation_steps"),
    row("epochs", place="epochs"),
    row("max_steps_per_epoch", place="max_steps_per_epoch"),
    row("max_seq_len", place="tokenizer.max_seq_len"),
    row("packed", place="dataset.packed"),
    row("seed", place="seed"),
    row("precision", configured=_precision),
    row("weight_decay", place="optimizer.weight_decay"),
    row("max_grad_norm", place="clip_grad_norm"),
    row("lr_scheduler", configured=_scheduler),
    row("num_warmup_steps", configured=_warmup),
    row("warmup_ratio"),
    row("log_every_n_steps", place="log_every_n_steps"),
    row("run_val_every_n_steps", configured=_validation),
    # The plan's Save decides both. Beside merged weights, an adapter would be applied twice.
    own_row("save_adapter_weights_only", Kind.FLAG, configured=_adapters_only),
    own_row("stash_adapter_weights", Kind.FLAG, configured=_stash),
    row("train_on_input", place="dataset.train_on_input"),
    row("system_prompt", place="dataset.system_prompt"),
    row("prompt", place="dataset.prompt"),
    row("output_dir_base"),
    *ENVIRONMENT_ROWS,
    row("gpus"),
    row("cpus"),
    row("mem"),
    own_row("custom_recipe", nullable=True, configured=_recipe),
)

PLAN_PARAMETERS: tuple[Parameter, ...] = (
    RECIPE,
    SAVE,
    *(parameter for parameter in SETUP_PARAMETERS if parameter.column),
)
