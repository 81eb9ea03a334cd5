"""The rows of the parameter table that all tools share."""

from __future__ import annotations

from tunebook.core.jobs import Stage
from tunebook.core.parameters import Kind, Parameter, ParameterTable

__all__ = ["SHARED_PARAMETERS"]

_WHOLE, _NUMBER, _TEXT, _LITERAL = Kind.INTEGER, Kind.NUMBER, Kind.TEXT, Kind.LITERAL

# In the order in which they appear in a directory's name.
SHARED_PARAMETERS = ParameterTable(
    (
        Parameter(
            "lora_rank",
            "LoRA Rank",
            _WHOLE,
            "rank",
            minimum=1,
            required=True,
            lora_only=True,
            aliases=("rank", "lora r"),
        ),
        Parameter(
            "lr",
            "Learning Rate",
            _NUMBER,
            "lr",
            minimum=0,
            above_minimum=True,
            required=True,
            aliases=("lr",),
        ),
        Parameter("batch_size", "Batch Size", _WHOLE, "bs", minimum=1, required=True, aliases=("batch sizes",)),
        Parameter(
            "lora_alpha",
            "LoRA Alpha",
            Kind.ALPHA,
            "alpha",
            minimum=0,
            above_minimum=True,
            default="2*rank",
            lora_only=True,
            aliases=("alpha",),
            is_shown=True,
        ),
        Parameter(
            "lora_dropout",
            "LoRA Dropout",
            _NUMBER,
            "dropout",
            minimum=0,
            below=1,
            default=0.0,
            lora_only=True,
            aliases=("dropout",),
        ),
        Parameter(
            "epochs",
            "Epochs",
            _WHOLE,
            "ep",
            minimum=1,
            required=True,
            aliases=("number of epochs", "num epochs", "training epochs"),
        ),
        Parameter(
            "seed",
            "Seed",
            _WHOLE,
            "seed",
            minimum=0,
            below=2**32,
            default=14,
            aliases=("training seed", "random seed"),
            is_shown=True,
        ),
        Parameter("weight_decay", "Weight Decay", _NUMBER, "wd", minimum=0, default=0.01, is_shown=True),
        Parameter(
            "num_warmup_steps",
            "Warmup Steps",
            _WHOLE,
            "warmup",
            minimum=0,
            default=0,
            aliases=("warm-up steps", "warm-up", "warmup"),
            is_shown=True,
        ),
        Parameter(
            "gradient_accumulation_steps",
            "Gradient Accumulation Steps",
            _WHOLE,
            "accum",
            minimum=1,
            default=1,
            aliases=("gradient accumulation",),
        ),
        Parameter(
            "max_seq_len",
            "Max Sequence Length",
            _WHOLE,
            "seq",
            minimum=1,
            aliases=("maximum sequence length",),
            units=("tokens",),
        ),
        Parameter("dataset", "Dataset", _TEXT, "data"),
        Parameter("prompt", "Prompt", _LITERAL, "prompt", default="{input}", is_shown=True),
        Parameter("system_prompt", "System Prompt", _LITERAL, "sysprompt", default="", is_shown=True),
        Parameter("precision", "Precision", _TEXT, "precision", choices=("bf16", "fp32")),
        Parameter("gpus", "GPUs", _WHOLE, minimum=0),
        Parameter(
            "runs_per_gpu",
            "Runs per GPU",
            _WHOLE,
            minimum=1,
            default=1,
            aliases=("trainings per gpu", "runs per job"),
        ),
        Parameter(
            "evaluations_per_job",
            "Evaluations per Job",
            _WHOLE,
            minimum=1,
            default=1,
            aliases=("evals per job",),
            stage=Stage.EVALUATION,
        ),
        Parameter(
            "run_val_every_n_steps",
            "Validation During Training",
            Kind.VALIDATION,
            default=0,
            aliases=("validation every n steps",),
            is_shown=True,
        ),
        Parameter(
            "lr_scheduler",
            "Scheduler",
            _TEXT,
            choices=("cosine", "linear", "constant"),
            default="cosine",
            aliases=("lr scheduler", "learning rate scheduler"),
            is_shown=True,
        ),
    )
)
