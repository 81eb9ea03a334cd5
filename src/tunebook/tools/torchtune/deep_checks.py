"""torchtune's deep checks: proofs, on shrunk models, about the configurations that were generated for the runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from tunebook.core.deep_checks import Ask, DeepCheck, DeepResult
from tunebook.core.plan import Run
from tunebook.errors import Problem
from tunebook.tools.base import Context, Unit
from tunebook.tools.deep.figures import magnitude
from tunebook.tools.deep.shrunk import ShrunkConfig, shrunk_config
from tunebook.tools.deep.versions import versions
from tunebook.tools.finetuning.deep_training import model_config, training_checks
from tunebook.tools.torchtune.deep_training import PACKAGES, small_training
from tunebook.tools.torchtune.files import FINETUNE_CONFIG
from tunebook.tools.torchtune.omegaconf_yaml import read_config

__all__ = ["torchtune_checks"]

_FUNCTION = "model function"
_TOLERANCE = 2e-5  # of the largest logit; in fp32 both agree to 3e-6
# The argument of a builder that a field of config.json becomes, where the names differ.
_ARGUMENTS = {
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_heads",
    "num_key_value_heads": "num_kv_heads",
    "hidden_size": "embed_dim",
    "intermediate_size": "intermediate_dim",
    "sliding_window": "sliding_window_size",
}
_RANK = {"lora_rank": 4, "lora_alpha": 8}
_OF_TRAINING = ("lora_rank", "lora_alpha", "lora_dropout")  # they do not change the function of an untrained adapter


def torchtune_checks(context: Context, built: Sequence[tuple[Run, Unit]]) -> Iterator[DeepCheck]:
    """The checks of all runs; those of one shape have one key."""
    for run, unit in built:
        generated, config = _generated(unit), model_config(context, run)
        yield _function_check(context, run, generated, shrunk_config(config))
        shrunk = shrunk_config(config, shrinks_window=False)  # examples may be longer than a small window
        model = shrunk_model(generated["model"], shrunk)
        yield from training_checks(small_training(context, run, generated, shrunk, model))


def _generated(unit: Unit) -> Mapping[str, Any]:
    """The torchtune configuration of a run, read as torchtune reads it."""
    text = next(file.text for file in unit.files if file.path.endswith(f"/{FINETUNE_CONFIG}"))
    values: Mapping[str, Any] = read_config(text)
    return values


def _function_check(context: Context, run: Run, generated: Mapping[str, Any], shrunk: ShrunkConfig) -> DeepCheck:
    model = shrunk_model(generated["model"], shrunk)
    sections = {"model": model, "checkpointer": _conversion(generated["checkpointer"])}
    key = {"config": shrunk.config, **sections, "versions": versions(PACKAGES)}
    look = partial(_compare, problem=_at_model(context, run), config=shrunk.config, sections=sections)
    return DeepCheck(_FUNCTION, run.model, look, key, runs=(run.name,))


def _compare(ask: Ask, *, problem: Problem, config: Mapping[str, Any], sections: Mapping[str, Any]) -> DeepResult:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        return DeepResult(unchecked=f"{', '.join(missing)} is not installed here")
    answer = ask("tunebook.tools.torchtune.same_function:compare", {"config": config, **sections})
    differences: Mapping[str, float] = answer["differences"]
    where = max(differences, key=lambda name: differences[name])
    figure = f"max difference {magnitude(differences[where])} of the largest logit ({', '.join(differences)})"
    if differences[where] <= _TOLERANCE:
        return DeepResult(figure=figure)
    message = f"torchtune's model as configured computes another function than Transformers': at {where} the logits "
    message += f"of a shrunk copy differ by {differences[where]:.1e} of the largest one"
    hint = "what would be evaluated is another model than the one that is trained: use another model or tool"
    return DeepResult(errors=(Problem(message, problem.file, problem.line, hint),), figure=figure)


def _at_model(context: Context, run: Run) -> Problem:
    """The place of the run's model in the plan."""
    listed = context.plan.model_of(run)
    return Problem("", context.plan.file, listed.line if listed is not None else run.line)


def shrunk_model(section: Mapping[str, Any], shrunk: ShrunkConfig) -> dict[str, Any]:
    """The builder with the arguments of the shrunk model: an argument that has the real model's size is shrunk."""
    arguments = dict(section)
    for field, (before, after) in shrunk.sizes.items():
        name = _argument(field, section)
        if arguments.get(name) == before:
            arguments[name] = after
    for name in _OF_TRAINING:
        if name in arguments:
            arguments[name] = _RANK.get(name, 0.0)
    return arguments


def _argument(field: str, section: Mapping[str, Any]) -> str:
    """The argument's name; a builder that ignores the window has the longest sequence in its place."""
    name = _ARGUMENTS.get(field, field)
    if field == "sliding_window" and name not in section:
        return "max_seq_len"
    return name


def _conversion(section: Mapping[str, Any]) -> dict[str, Any]:
    """The checkpointer without its paths."""
    return {key: value for key, value in section.items() if key in {"_component_", "model_type"}}
