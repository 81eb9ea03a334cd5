"""From ``sft.yaml`` to the arguments of TRL's trainer: every one that decides a training has a value from us.

Runs inside the training job, and needs nothing of tunebook but its other job-side modules.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from trl.trainer.sft_config import SFTConfig

from tunebook.tools.runtime.trl_checkpoints import state_folder
from tunebook.tools.runtime.trl_keys import FIXED
from tunebook.tools.runtime.trl_settings import Settings

__all__ = ["arguments_of"]

# Keys of the file that tunebook's own modules read: TRL's trainer would act on them in its own way.
_OWN = ("output_dir", "eval_strategy", "eval_steps", "report_to", "project", "run_name", "logging_steps")


def arguments_of(settings: Settings) -> SFTConfig:
    """The arguments of the trainer; it logs every step to us, and keeps its state in a directory of its own."""
    known = {field.name for field in fields(SFTConfig)}
    given = {key: value for key, value in settings.trl.items() if key in known and key not in _OWN}
    fixed = {key: value for key, value in FIXED.items() if key in known}
    values: dict[str, Any] = {
        **fixed,
        **given,
        "output_dir": str(state_folder(settings.output)),
        "eval_strategy": "no",
        "report_to": "none",
        "logging_steps": 1,
    }
    return SFTConfig(**values)
