"""The values that a training uses but the plan does not state: resolved defaults, step counts, a person's edits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from tunebook.core.jobs import Stage
from tunebook.core.parameters import Value
from tunebook.core.shortened import counted
from tunebook.core.site import Site, line_of
from tunebook.tools.base import PROMPTS, Effect
from tunebook.tools.finetuning.setup import Setup
from tunebook.tools.finetuning.setup_file import SetupFile
from tunebook.tools.finetuning.steps import total_steps, warmup_of

__all__ = ["edit_effects", "precision_effects", "saving_effects", "site_effects", "step_effects"]

S = TypeVar("S", bound=Setup)

_GROUP = Stage.PREPARATION.value
_OF_SITE = {"conda_env": "Conda Environment", "venv": "Virtual Environment", "output_dir_base": "Output Base Directory"}


def precision_effects(setup: Setup) -> Iterator[Effect]:
    """The precision of the base, where nobody gave it."""
    if setup.values["precision"] is None:
        where = "on a GPU" if setup.gpus else "without a GPU"
        yield Effect("precision", "Precision", setup.precision, f"default {where}", _GROUP)


def recipe_effect(setup: Setup) -> Effect:
    """The recipe that the other settings mean."""
    adapters = "all weights" if setup.lora_rank is None else "LoRA"
    devices = counted(setup.gpus, "GPU")
    return Effect("recipe", "Recipe", setup.recipe, f"follows from {adapters} and {devices}", _GROUP)


def saving_effects(setup: Setup, *, adapters: str, merged: str, source: str) -> Iterator[Effect]:
    """The form and precision of what is evaluated.

    Args:
        adapters: the precision of trained adapters; ``merged``: that of merged weights.
        source: where the form comes from.
    """
    precision = setup.precision
    if setup.lora_rank is None:
        yield Effect("checkpoints", "Checkpoints", f"all weights in {precision}", "follows from training them", _GROUP)
        return
    yield Effect("save", "Save", str(setup.save), source, _GROUP)
    yield Effect("adapter_precision", "Precision of Adapters", adapters, f"base weights in {precision}", _GROUP)
    form = f"adapters in {adapters}, evaluated on their base in {precision}"
    if not setup.saves_adapters:
        form = f"merged weights in {merged}, evaluated in fp32"
    yield Effect("checkpoints", "Checkpoints", form, "follows from Save and Precision", _GROUP)


def step_effects(setup: Setup, examples: int | None, *, drops_last: bool = False) -> Iterator[Effect]:
    """The number of steps and of those that warm up.

    Args:
        examples: how many training examples there are; ``None`` if that is not known.
        drops_last: whether an incomplete last step of an epoch is dropped.
    """
    settings = setup.settings
    steps = total_steps(settings, examples, drops_last=drops_last)
    if steps is None:
        reason = "the training examples are packed" if examples else "the number of training examples is not known here"
        yield Effect("steps", "Optimizer Steps", "not known beforehand", reason, _GROUP)
        return
    batch = f"{setup.batch_size} × {setup.gradient_accumulation_steps}"
    rounding = "the last step of an epoch may be smaller"
    if drops_last:
        rounding = "an incomplete last step of an epoch is dropped"
    source = f"{examples} examples, batches of {batch} on {max(1, setup.gpus)} device(s), "
    source += f"{setup.epochs} epoch(s); {rounding}"
    yield Effect("steps", "Optimizer Steps", str(steps), source, _GROUP)
    if settings["warmup_ratio"] is not None:
        source = f"{settings['warmup_ratio']} of {steps} steps"
        yield Effect("num_warmup_steps", "Warm-up Steps", str(warmup_of(settings, steps)), source, _GROUP)


def site_effects(setup: Setup, site: Site) -> Iterator[Effect]:
    """The environment and the place of checkpoints."""
    for key, name in _OF_SITE.items():
        value = setup.values[key]
        line = line_of(site, key if key == "output_dir_base" else "training")
        if value:
            yield Effect(key, name, str(value), f"{site.file}:{line}" if line else "default", _GROUP)


def edit_effects(form: SetupFile[S], planned: S, setup: S, *, file: str) -> Iterator[Effect]:
    """The settings that a person changed in ``file``."""
    for key, (_, after) in form.differences(planned, setup).items():
        group = PROMPTS if key in {"system_prompt", "prompt"} else _GROUP
        yield Effect(key, form.by_key[key].column or key, _text(after), f"{file}, edited by hand", group)


def _text(value: Value) -> str:
    if value is None:
        return "unset"
    if isinstance(value, tuple):
        return ", ".join(value)
    return str(value)
