"""Compares the log of an evaluation with what was asked for: each difference in one phrase, and what the task chose.

The log's own configuration is the last word on what was run: an option may have come from elsewhere. A setting that
the plan leaves to the task may be set by the task, and is recorded.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Asked", "chosen_by_task", "differences", "generation_in_effect"]

_BY_COMMAND_LINE = ("sample_id", "sample_shuffle")
_LIMITS = ("message_limit", "token_limit", "turn_limit", "time_limit", "working_limit", "cost_limit")
_IGNORED_WHEN_GREEDY = ("temperature",)  # a task that wants it must not believe that it has it
_SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Asked:
    """The request to an evaluation.

    Attributes:
        model: as the log names it.
        model_arguments: those of inspect-ai's ``hf`` provider.
        task_arguments: those of the task.
        limit: the number of samples; ``None`` for all of them.
        generation: the settings of the command line, by inspect-ai's names.
        dataset: the path of the data that the task should read; empty for a task with data of its own.
        splits: the number of examples of each split of that data, as far as it is known.
    """

    model: str
    model_arguments: Mapping[str, Any] = field(default_factory=dict)
    task_arguments: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    generation: Mapping[str, Any] = field(default_factory=dict)
    dataset: str = ""
    splits: Mapping[str, int] = field(default_factory=dict)


def differences(log: Any, sample: Any, asked: Asked) -> list[str]:
    """Every difference between a log and what was asked for.

    Args:
        log: the header, as inspect-ai's ``read_eval_log`` returns it.
        sample: the first sample with its events; ``None`` without one.
    """
    return [
        *_of_model(log.eval, asked),
        *_of_samples(log.eval, asked),
        *_of_generation(log, sample, asked),
    ]


def _differs(name: str, found: Any, wanted: Any) -> Iterator[str]:
    if found != wanted:
        yield f"{name} is {_shown(found)} instead of {_shown(wanted)}"


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    return f"{value!r:.200}"


def _of_model(spec: Any, asked: Asked) -> Iterator[str]:
    yield from _differs("the model", spec.model, asked.model)
    yield from _differs("the model's address", spec.model_base_url, None)
    yield from _of_mapping("model argument", spec.model_args, asked.model_arguments)
    yield from _of_mapping("task argument", spec.task_args_passed, asked.task_arguments)


def _of_mapping(kind: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*found, *wanted}):
        yield from _differs(f"{kind} {name}", found.get(name), wanted.get(name))


def _of_samples(spec: Any, asked: Asked) -> Iterator[str]:
    config = spec.config
    yield from _differs("limit", config.limit, asked.limit)
    for name in _BY_COMMAND_LINE:
        yield from _differs(name, getattr(config, name) or None, None)
    yield from _differs("solver", spec.solver, None)
    if config.log_samples is False:
        yield "the samples were not logged"
    location = spec.dataset.location
    if asked.dataset and location and _is_other_file(location, asked.dataset):
        yield f"the data set is {location} instead of {asked.dataset}"
    yield from _of_split(spec.dataset.samples, asked)


def _is_other_file(location: str, dataset: str) -> bool:
    """Whether a task read another file; names of data sets on a hub, and temporary copies, say nothing about that."""
    place, wanted = Path(location), Path(dataset).resolve()
    if not place.is_absolute() or place.resolve().is_relative_to(wanted):
        return False
    temporary = Path(tempfile.gettempdir()).resolve()
    return wanted.is_relative_to(temporary) or not place.resolve().is_relative_to(temporary)


def _of_split(samples: int | None, asked: Asked) -> Iterator[str]:
    """A task may leave samples out, which is recorded; more than the test split has come from elsewhere."""
    test = asked.splits.get("test")
    if samples and test and samples > test:
        yield f"the task has {samples} samples, but the test split has {test} (see the Dataset of the tasks table)"


def _of_generation(log: Any, sample: Any, asked: Asked) -> Iterator[str]:
    """First the command line, then the task, its solvers, and the settings that acted; each setting once."""
    given = log.eval.model_generate_config.model_dump(exclude_none=True)
    found: dict[str, str] = {}
    for name in sorted({*given, *asked.generation}):
        for message in _differs(name, given.get(name), asked.generation.get(name)):
            found[name] = message
    for who, values in _choices(log, sample, asked):
        for name, value in values.items():
            message = _chosen_instead(who, name, value, asked.generation)
            if message:
                found.setdefault(name, message)
    yield from found.values()


def _choices(log: Any, sample: Any, asked: Asked) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "the task", log.plan.config.model_dump(exclude_none=True)
    for step in log.plan.steps:
        yield f"the solver {step.solver}", step.params_passed
    yield "a solver", generation_in_effect(sample, asked)


def _chosen_instead(who: str, name: str, value: Any, planned: Mapping[str, Any]) -> str:
    """A value that takes the place of the plan's, or that would not act; empty for one that the plan leaves open."""
    if name in planned and value != planned[name]:
        return f"{who} sets {name} to {_shown(value)} instead of {_shown(planned[name])}"
    if name in _IGNORED_WHEN_GREEDY and name not in planned and value:
        return f"{who} sets {name} to {_shown(value)}, but the plan evaluates greedily (Evaluation Temperature)"
    return ""


def _calls(sample: Any, model: str) -> Iterator[Any]:
    for event in getattr(sample, "events", None) or ():
        if event.event == "model" and event.model in {model, model.partition("/")[2]}:
            yield event


def chosen_by_task(log: Any, asked: Asked) -> dict[str, Any]:
    """The settings that the task decides, since the plan does not."""
    config = log.eval.config
    chosen = {name: getattr(config, name) for name in _LIMITS if getattr(config, name) is not None}
    if (config.epochs or 1) > 1:
        chosen["epochs"] = config.epochs
        chosen["epochs_reducer"] = config.epochs_reducer
    for step in log.plan.steps:
        generation = {name: step.params_passed[name] for name in _own_names(step.params_passed)}
        chosen |= {name: value for name, value in generation.items() if name not in asked.generation}
    effective = log.plan.config.model_dump(exclude_none=True)
    chosen |= {name: value for name, value in effective.items() if name not in asked.generation}
    return chosen | _part(log.eval.dataset.samples, asked)


def _part(samples: int | None, asked: Asked) -> dict[str, str]:
    """The part of the data that a task may have read if it has fewer samples than the test split."""
    test = asked.splits.get("test")
    if not samples or not test or samples >= test:
        return {}
    same = [split for split in _SPLITS if asked.splits.get(split) == samples]
    shown = f"{samples}, but the test split has {test}"
    if same:
        shown += f" and {same[0]} has {samples}"
    return {"samples": shown}


def _own_names(values: Mapping[str, Any]) -> list[str]:
    from inspect_ai.model import GenerateConfig

    return [name for name in values if name in GenerateConfig.model_fields and values[name] is not None]


def generation_in_effect(sample: Any, asked: Asked) -> dict[str, Any]:
    """The settings of the first sample's first call of the model; without one, those of the command line."""
    for event in _calls(sample, asked.model):
        return dict(event.config.model_dump(exclude_none=True))
    return dict(asked.generation)
