"""The values that a training uses but the plan does not state: resolved defaults, step counts, a person's edits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tunebook.core.jobs import Stage
from tunebook.core.parameters import Value
from tunebook.core.site import Site, line_of
from tunebook.tools.base import PROMPTS, Effect
from tunebook.tools.torchtune.parameters import SETUP_PARAMETERS, configured_values
from tunebook.tools.torchtune.recipes import is_ours
from tunebook.tools.torchtune.setup import Setup
from tunebook.tools.torchtune.setup_file import differences
from tunebook.tools.torchtune.steps import total_steps, warmup_steps

__all__ = ["setup_effects"]

_GROUP = Stage.PREPARATION.value
_NAMES = {item.key: item.column or item.key for item in SETUP_PARAMETERS}
_OF_SITE = {"conda_env": "Conda Environment", "venv": "Virtual Environment", "output_dir_base": "Output Base Directory"}


def setup_effects(
    planned: Setup, setup: Setup, *, examples: int | None, site: Site, file: str, save_source: str
) -> Iterator[Effect]:
    """The effects of one run's settings.

    Args:
        planned: the settings before a person's edits, which are in ``file``.
        examples: how many training examples there are; ``None`` if that is not known.
        save_source: where the form of the checkpoints comes from.
    """
    values = configured_values(setup, examples)
    if setup.values["precision"] is None:
        where = "on a GPU" if setup.gpus else "without a GPU"
        yield Effect("precision", "Precision", str(values["dtype"]), f"default {where}", _GROUP)
    yield Effect("recipe", "Recipe", setup.recipe, _recipe_source(setup), _GROUP)
    yield from _saving(setup, str(values["dtype"]), save_source)
    yield from _steps(setup.settings, examples)
    for key, name in _OF_SITE.items():
        value = setup.values[key]
        line = line_of(site, key if key == "output_dir_base" else "training")
        if value:
            yield Effect(key, name, str(value), f"{site.file}:{line}" if line else "default", _GROUP)
    for key, (_, after) in differences(planned, setup).items():
        group = PROMPTS if key in {"system_prompt", "prompt"} else _GROUP
        yield Effect(key, _NAMES[key], _text(after), f"{file}, edited by hand", group)


def _recipe_source(setup: Setup) -> str:
    if setup.custom_recipe:
        return "a recipe of your own"
    adapters = "all weights" if setup.lora_rank is None else "LoRA"
    return f"follows from {adapters} and {setup.gpus} GPU(s)"


def _saving(setup: Setup, precision: str, source: str) -> Iterator[Effect]:
    """The form and precision of what is evaluated."""
    if setup.lora_rank is None:
        yield Effect("checkpoints", "Checkpoints", f"all weights in {precision}", "follows from training them", _GROUP)
        return
    yield Effect("save", "Save", str(setup.settings["save"]), source, _GROUP)
    adapters = "fp32" if is_ours(setup.recipe) else precision
    yield Effect("adapter_precision", "Precision of Adapters", adapters, f"base weights in {precision}", _GROUP)
    form = f"adapters in {adapters}, evaluated on their base in {precision}"
    if not setup.saves_adapters:
        merged = "fp32" if is_ours(setup.recipe) else precision
        form = f"merged weights in {merged}, evaluated in fp32"
    yield Effect("checkpoints", "Checkpoints", form, "follows from Save and Precision", _GROUP)


def _steps(settings: Mapping[str, Value], examples: int | None) -> Iterator[Effect]:
    steps, warmup = total_steps(settings, examples), warmup_steps(settings, examples)
    if steps is None:
        reason = "the training examples are packed" if examples else "the number of training examples is not known here"
        yield Effect("steps", "Optimizer Steps", "not known beforehand", reason, _GROUP)
        return
    batch = f"{settings['batch_size']} × {settings['gradient_accumulation_steps']}"
    devices = max(1, _gpus(settings))
    rounding = "the last step of an epoch may be smaller"
    if not is_ours(settings["recipe"]):
        rounding = "an incomplete last step of an epoch is dropped"
    source = (
        f"{examples} examples, batches of {batch} on {devices} device(s), {settings['epochs']} epoch(s); {rounding}"
    )
    yield Effect("steps", "Optimizer Steps", str(steps), source, _GROUP)
    if settings["warmup_ratio"] is not None and warmup is not None:
        source = f"{settings['warmup_ratio']} of {steps} steps"
        yield Effect("num_warmup_steps", "Warm-up Steps", str(warmup), source, _GROUP)


def _gpus(settings: Mapping[str, Value]) -> int:
    gpus = settings["gpus"]
    return gpus if isinstance(gpus, int) else 0


def _text(value: Value) -> str:
    if value is None:
        return "unset"
    if isinstance(value, tuple):
        return ", ".join(value)
    return str(value)
