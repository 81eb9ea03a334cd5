"""How an evaluation generates: the settings that the plan gives, and those in effect that ``check`` lists."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import evaluation_settings
from tunebook.tools.base import Context, Effect
from tunebook.tools.deep.tokenizer_files import TOKENIZER_FILES
from tunebook.tools.evaluated_model import is_merged, precision_of
from tunebook.tools.light_tokenizer import LightTokenizer, TokenizerUnavailableError
from tunebook.tools.model_inputs import whole_model
from tunebook.tools.plan_inputs import model_path
from tunebook.tools.runtime.generation import (
    neutralized,
    own_stop_ids,
    read_generation_config,
    stop_tokens,
)

__all__ = ["EVALUATION_GROUP", "Generation", "generation_effects", "planned_generation"]

EVALUATION_GROUP = "evaluation"
"""The heading under which `check` lists the effects of evaluations."""
_HEAD = 500_000  # characters that hold all special tokens
_ADDED = '"added_tokens":'

_State = tuple[int, int] | None


@dataclass(frozen=True)
class Generation:
    """The plan's settings of how answers are generated, and on how many samples; ``None`` leaves them to the task."""

    seed: int
    max_connections: int
    max_tokens: int | None
    temperature: float | None
    limit: int | None

    def values(self) -> dict[str, Any]:
        """The settings by name, as a log must show them."""
        found = {"seed": self.seed, "max_connections": self.max_connections}
        optional = {"max_tokens": self.max_tokens, "temperature": self.temperature}
        return found | {name: value for name, value in optional.items() if value is not None}


def planned_generation(plan: Plan) -> Generation:
    """The settings of every evaluation of a plan."""
    return plan.memo.once("generation", lambda: _generation(plan))


def _generation(plan: Plan) -> Generation:
    settings = evaluation_settings(plan)
    temperature = settings["eval_temperature"]
    return Generation(
        seed=_whole(settings["eval_seed"]),
        max_connections=_whole(settings["max_connections"]),
        max_tokens=_optional(settings["eval_max_tokens"]),
        temperature=float(str(temperature)) if temperature else None,
        limit=_optional(settings["eval_limit"]),
    )


def _whole(value: object) -> int:
    return int(str(value))


def _optional(value: object) -> int | None:
    return None if value is None else _whole(value)


def generation_effects(context: Context, run: Run, *, longest: str, source: str) -> Iterator[Effect]:
    """The settings of a run's evaluations that the plan does not state.

    Args:
        longest: the most new tokens of an answer where the plan does not say; ``source`` says where that comes from.
    """
    evaluations = context.evaluations.get(run.name, ())
    is_trained = any(evaluation.epoch is not None for evaluation in evaluations)
    yield _precision(context, run, is_trained=is_trained)
    if planned_generation(context.plan).max_tokens is None:
        yield Effect("eval_max_tokens", "Evaluation Max Tokens", longest, source, EVALUATION_GROUP)
    facts = whole_model(context.models.get(model_path(context.plan, context.site, run)))
    if facts is not None and not facts.flaws:
        states = tuple(_state(facts.directory / name) for name in (*TOKENIZER_FILES, "config.json"))
        yield from _of_files(facts.directory, states)


def _precision(context: Context, run: Run, *, is_trained: bool) -> Effect:
    precision = precision_of(context, run, is_trained=is_trained)
    prepared = context.prepared.get(run.name)
    source = "as in training"
    if is_trained and is_merged(prepared, context, run):
        source = "merged adapters: bf16 would round small ones away"
    elif is_trained and prepared is not None and prepared.base:
        precision = f"{precision}, adapters fp32"
    return Effect("eval_precision", "Evaluation Precision", precision, source, EVALUATION_GROUP)


def _state(file: Path) -> _State:
    """Time and size of a file; ``None`` if it is missing."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


@lru_cache
def _of_files(directory: Path, states: tuple[_State, ...]) -> tuple[Effect, ...]:  # noqa: ARG001  for the cache
    """The effects of a model's files in this state; the runs of a sweep share a few models."""
    try:
        values = read_generation_config(directory)
        tokenizer = LightTokenizer(directory)
    except (TokenizerUnavailableError, OSError, ValueError):
        return ()
    own = [_token_text(directory, number) for number in own_stop_ids(values)]
    stops = ", ".join(f"`{token}`" for token in dict.fromkeys([*stop_tokens(tokenizer), *own]))
    source = "the tokens that end an answer in training, and the model's"
    effects = [Effect("stop_tokens", "Stop Tokens", stops, source, EVALUATION_GROUP)]
    replaced = neutralized(values)
    if replaced:
        shown = ", ".join(f"{name} {json.dumps(value, ensure_ascii=False):.60}" for name, value in replaced.items())
        source = "the model's generation_config.json"
        effects.append(Effect("neutralized", "Settings Without Effect", shown, source, EVALUATION_GROUP))
    return tuple(effects)


def _token_text(directory: Path, number: int) -> str:
    """A special token's text, or its number where the tokenizer's files do not say."""
    for entry in _added_tokens(directory / "tokenizer.json"):
        if entry.get("id") == number:
            return str(entry.get("content"))
    return str(number)


def _added_tokens(file: Path) -> list[Mapping[str, Any]]:
    """The special tokens at the head of a ``tokenizer.json``, of which the rest has many megabytes."""
    head = ""
    if file.is_file():
        with file.open(encoding="utf-8") as stream:
            head = stream.read(_HEAD)
    start = head.find(_ADDED)
    if start < 0:
        return []
    try:
        entries, _ = json.JSONDecoder().raw_decode(head[start + len(_ADDED) :].lstrip())
    except ValueError:
        return []
    return [entry for entry in entries if isinstance(entry, dict)]
