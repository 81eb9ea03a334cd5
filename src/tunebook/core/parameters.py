"""What a run can be given: every parameter's column, key, short name, type and range, in one table.

The columns of ``## All Runs``, the bullets of ``## Configuration`` and the keys of ``setup_finetune.yaml`` are three
spellings of the same parameters; all three are read through this table, so that none can drift from the others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

__all__ = [
    "EVALUATION_PARAMETERS",
    "PARAMETERS",
    "Kind",
    "Parameter",
    "Value",
    "Written",
    "by_column",
    "by_key",
    "suggestion",
]

Value = int | float | bool | str | None


class Kind(Enum):
    """What a parameter's text is converted to."""

    INTEGER = "a whole number"
    NUMBER = "a number"
    FLAG = "yes or no"
    TEXT = "text"
    LITERAL = "text, to the letter"
    ALPHA = "a number, or a multiple of the rank such as `2 × rank`"
    VALIDATION = "`no`, `yes` (after every epoch) or `every N steps`"


@dataclass(frozen=True)
class Written:
    """A value together with how, and on which line, it was written."""

    value: Value
    text: str
    line: int | None = None


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes:
        key: its name in ``setup_finetune.yaml``.
        column: its name in the plan.
        short: its name in directory names; empty if it cannot be a column of the runs table.
        minimum: the smallest allowed number.
        above_minimum: whether the minimum itself is excluded.
        below: the number that it must stay below.
        default: what holds where the plan is silent; ``None`` is "unset".
        required: whether every fine-tuned run needs it.
        aliases: other spellings in the plan, lower case.
    """

    key: str
    column: str
    kind: Kind
    short: str = ""
    minimum: float | None = None
    above_minimum: bool = False
    below: float | None = None
    choices: tuple[str, ...] = ()
    default: Value = None
    required: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """The allowed values, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        words = self.kind.value
        if self.minimum is not None:
            words += f" {'above' if self.above_minimum else 'of at least'} {self.minimum:g}"
        if self.below is not None:
            words += f" and below {self.below:g}"
        return words

    def convert(self, text: str) -> Value:
        """The text as a value of this parameter's type and within its range.

        Raises:
            ValueError: it is not; the message gives the text and what is allowed.
        """
        value: Value = _CONVERTERS[self.kind](text.strip())
        if value is None or not self.accepts(value):
            raise ValueError(f"{self.column} is `{text.strip()}`; it must be {self.allowed}")
        return value

    def accepts(self, value: Value) -> bool:
        """Whether a value of this parameter's type lies within its range."""
        if self.choices:
            return value in self.choices
        if isinstance(value, bool) or not isinstance(value, int | float):
            return True
        low = self.minimum is None or (value > self.minimum if self.above_minimum else value >= self.minimum)
        return low and (self.below is None or value < self.below)


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else None


def _number(text: str) -> float | int | None:
    if re.fullmatch(r"[+-]?\d{1,18}", text):
        return int(text)
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def _flag(text: str) -> bool | None:
    return {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}.get(text.lower())


def _alpha(text: str) -> Value:
    """A number, or ``F*rank``: the plan may say ``Auto-set to 2 × rank``."""
    factor = re.search(r"(\d+(?:\.\d+)?)\s*[×x*]\s*(?:the\s+)?(?:lora[ _]?)?rank", text, re.IGNORECASE)
    if factor:
        return f"{factor[1]}*rank"
    return (
        "1*rank" if re.search(r"(same as|equal to|=)\s*(the\s+)?(lora\s)?rank", text, re.IGNORECASE) else _number(text)
    )


def _validation(text: str) -> Value:
    """0 for none, ``epoch`` for once an epoch, else the number of steps between two validations."""
    if text.lower() in {"no", "false", "none", "never", "off", "null", "0"}:
        return 0
    if text.lower() in {"yes", "true", "on", "epoch", "every epoch"}:
        return "epoch"
    steps = re.fullmatch(r"(?:every\s+)?(\d{1,9})(?:\s+steps?)?", text, re.IGNORECASE)
    return int(steps[1]) if steps else None


_CONVERTERS: dict[Kind, Callable[[str], Value]] = {
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.FLAG: _flag,
    Kind.TEXT: lambda text: text or None,
    Kind.LITERAL: lambda text: text,
    Kind.ALPHA: _alpha,
    Kind.VALIDATION: _validation,
}

_WHOLE, _NUMBER, _FLAG, _TEXT, _LITERAL = Kind.INTEGER, Kind.NUMBER, Kind.FLAG, Kind.TEXT, Kind.LITERAL

# In the order in which they appear in a directory's name.
PARAMETERS = (
    Parameter("lora_rank", "LoRA Rank", _WHOLE, "rank", minimum=1),
    Parameter("lr", "Learning Rate", _NUMBER, "lr", minimum=0, above_minimum=True, required=True),
    Parameter("batch_size", "Batch Size", _WHOLE, "bs", minimum=1, required=True, aliases=("batch sizes",)),
    Parameter("lora_alpha", "LoRA Alpha", Kind.ALPHA, "alpha", minimum=0, above_minimum=True, default="2*rank"),
    Parameter("lora_dropout", "LoRA Dropout", _NUMBER, "dropout", minimum=0, below=1, default=0.0),
    Parameter("epochs", "Epochs", _WHOLE, "ep", minimum=1, required=True),
    Parameter("seed", "Seed", _WHOLE, "seed", minimum=0, below=2**32, default=14, aliases=("training seed",)),
    Parameter("weight_decay", "Weight Decay", _NUMBER, "wd", minimum=0, default=0.01),
    Parameter(
        "num_warmup_steps",
        "Warmup Steps",
        _WHOLE,
        "warmup",
        minimum=0,
        default=0,
        aliases=("warm-up steps", "warm-up", "warmup"),
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
    Parameter("max_seq_len", "Max Sequence Length", _WHOLE, "seq", minimum=1, aliases=("maximum sequence length",)),
    Parameter("dataset", "Dataset", _TEXT, "data"),
    Parameter("prompt", "Prompt", _LITERAL, "prompt", default="{input}"),
    Parameter("system_prompt", "System Prompt", _LITERAL, "sysprompt", default=""),
    Parameter("recipe", "Recipe", _TEXT, default="lora_finetune_single_device"),
    Parameter("gpus", "GPUs", _WHOLE, minimum=0),
    Parameter("packed", "Dataset Packing", _FLAG, default=False, aliases=("packing", "packed")),
    Parameter(
        "run_val_every_n_steps",
        "Validation During Training",
        Kind.VALIDATION,
        default=0,
        aliases=("validation every n steps",),
    ),
    Parameter(
        "lr_scheduler",
        "Scheduler",
        _TEXT,
        choices=("cosine", "linear", "constant"),
        default="cosine",
        aliases=("lr scheduler", "learning rate scheduler"),
    ),
    Parameter("max_steps_per_epoch", "Max Steps Per Epoch", _WHOLE, minimum=1),
    Parameter("log_every_n_steps", "Log Every N Steps", _WHOLE, minimum=1, default=1),
    Parameter("train_on_input", "Train On Input", _FLAG, default=False),
    Parameter(
        "dataset_type",
        "Dataset Type",
        _TEXT,
        choices=("instruct", "chat", "text_completion"),
        default="instruct",
    ),
    Parameter("save_adapter_weights_only", "Save Adapter Weights Only", _FLAG, default=False),
    Parameter("stash_adapter_weights", "Stash Adapter Weights", _FLAG, default=True),
)

EVALUATION_PARAMETERS = (
    Parameter("eval_temperature", "Evaluation Temperature", _NUMBER, minimum=0, default=0, aliases=("temperature",)),
    Parameter("eval_max_tokens", "Evaluation Max Tokens", _WHOLE, minimum=1, aliases=("max tokens",)),
    Parameter("eval_seed", "Evaluation Seed", _WHOLE, minimum=0, below=2**32, default=14),
    Parameter("eval_limit", "Evaluation Limit", _WHOLE, minimum=1, aliases=("sample limit",)),
)

_BY_COLUMN = {
    name: parameter
    for parameter in (*PARAMETERS, *EVALUATION_PARAMETERS)
    for name in (parameter.column.lower(), *parameter.aliases)
}
_BY_KEY = {parameter.key: parameter for parameter in (*PARAMETERS, *EVALUATION_PARAMETERS)}


def by_column(name: str) -> Parameter | None:
    """The parameter that a column or a bullet names, without regard to case and hyphens."""
    name = " ".join(name.lower().split())
    return _BY_COLUMN.get(name) or _BY_COLUMN.get(name.replace("-", " ")) or _BY_COLUMN.get(name.replace("_", " "))


def by_key(key: str) -> Parameter:
    """The parameter with this key; the key is one of ours."""
    return _BY_KEY[key]


def suggestion(name: str, known: Iterable[str]) -> str:
    """``did you mean `X`?`` for the known name that is nearest, else the list of all."""
    names = list(known)
    lowered = {candidate.lower(): candidate for candidate in names}
    near = get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return f"did you mean `{lowered[near[0]]}`?" if near else "known: " + ", ".join(names)
