"""From what a person gave to a Design: the same keys from options, from a YAML file and from a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

from tunebook.core.parameters import suggestion
from tunebook.design.given import Given, assignments, levels
from tunebook.design.read_parts import (
    read_controls,
    read_eval_only,
    read_matrix,
    read_models,
    read_task_datasets,
    read_task_descriptions,
    read_tasks,
)
from tunebook.design.reader import Changes, Read, Reader, number, one, text, yes
from tunebook.design.values import MODEL, MOST_RUNS, Combine, Design, Factor, ListedRun
from tunebook.errors import TunebookError

__all__ = ["KEYS", "Read", "read_design"]

_SHORTCUTS = ("prompt", "system-prompt", "recipe", "gpus")
_PLURALS = {
    "models": "model",
    "tasks": "task",
    "factors": "factor",
    "settings": "set",
    "configuration": "set",
    "exclusions": "exclude",
    "runs": "with",
    "controls": "control",
    "notes": "note",
    "pairs": "pair",
    "epochs-to-evaluate": "evaluate-epochs",
}


def read_design(documents: list[dict[str, list[Given]]], *, base: Read | Design | None = None, here: Path) -> Read:
    """Reads all documents, later ones over earlier ones: by name for models, tasks, factors and settings.

    Args:
        base: what holds where nothing is given.
        here: what relative paths are relative to.
    """
    read = base if isinstance(base, Read) else Read(base or Design())
    for document in documents:
        named: set[tuple[str, str]] = set()
        for name, occurrences in document.items():
            key = _PLURALS.get(name, name)
            reader = _READERS.get(key)
            if reader is None:
                place = occurrences[0].place
                read.problems.append(place.problem(f"unknown key `{name}`", suggestion(name, KEYS)))
                continue
            for given in occurrences:
                read.places.setdefault((key,), given.place)
                try:
                    read.design = replace(read.design, **reader(Reader(read, key, here, named), given))
                except TunebookError as error:
                    read.problems.extend(error.problems)
                except ValueError as error:
                    read.problems.append(given.place.problem(str(error)))
    _leave_moot(read, base if isinstance(base, Design) else Design())
    return read


def _leave_moot(read: Read, base: Design) -> None:
    """Drops pairs and exclusions of the page that is updated whose factors it has no longer."""
    design = read.design
    factors = {MODEL, *(factor.key for factor in design.factors)}
    gone = [keys for keys in base.paired if keys in design.paired and not factors.issuperset(keys)]
    rules = [rule for rule in base.exclusions if not factors.issuperset(rule)]
    for key in dict.fromkeys(key for keys in (*gone, *rules) for key in keys if key not in factors):
        read.decisions.append((f"pairs and exclusions of the page with {key} are left out", "it is no factor now"))
    read.design = replace(
        design,
        paired=tuple(keys for keys in design.paired if keys not in gone),
        exclusions=tuple(rule for rule in design.exclusions if not any(rule is other for other in rules)),
    )


def _factors(reader: Reader, given: Given) -> Changes:
    factors = {factor.key: factor for factor in reader.design.factors}
    settings = dict(reader.design.settings)
    if isinstance(given.value, Mapping):
        pairs = dict(given.value)
    else:
        name, sign, text = one(given).partition("=")
        if not sign:
            raise TunebookError([given.place.problem(f"`{given.text}` is no factor", "write lora_rank=8,16")])
        pairs = {name: Given(text, given.place)}
    for name, item in pairs.items():
        key = reader.parameter(name, item.place, factor=True)
        if key is None:
            continue
        reader.once(key, item.place)
        factors[key] = Factor(key, tuple(reader.level(key, level) for level in levels(item)))
        if ("set", key) not in reader.read.places:
            settings.pop(key, None)  # the page that is updated had one value for all
    listed = reader.design.listed if ("with",) in reader.read.places else ()  # those of the page that is updated
    changes: Changes = {"factors": tuple(factors.values()), "settings": settings, "listed": listed}
    if "seed" in factors and ("seeds",) not in reader.read.places:
        changes["seeds"] = ()
    return changes


def _settings(reader: Reader, given: Given) -> Changes:
    settings = dict(reader.design.settings)
    factors = reader.design.factors
    for name, item in _single_or_mapping(given).items():
        key = reader.parameter(name, item.place, factor=False)
        if key is None:
            continue
        reader.once(key, item.place)
        settings[key] = reader.level(key, one(item))
        if ("factor", key) not in reader.read.places:
            factors = tuple(factor for factor in factors if factor.key != key)
    return {"settings": settings, "factors": factors}


def _single_or_mapping(given: Given) -> dict[str, Given]:
    """``key=value``, where the value is all that follows."""
    if isinstance(given.value, Mapping):
        return dict(given.value)
    name, sign, text = one(given).partition("=")
    if not sign:
        raise TunebookError([given.place.problem(f"`{given.text}` is no setting", "write key=value")])
    return {name.strip(): Given(text, given.place)}


def _shortcut(key: str) -> Callable[[Reader, Given], Changes]:
    def read(reader: Reader, given: Given) -> Changes:
        reader.key = "set"
        return _settings(reader, Given({key.replace("-", "_"): Given(one(given), given.place)}, given.place))

    return read


def _combine(_: Reader, given: Given) -> Changes:
    names = [kind.value for kind in Combine]
    text = one(given).lower().replace("_", "-").replace(" ", "-")
    if text not in names:
        raise TunebookError([given.place.problem(f"`{given.text}` is no way to combine", suggestion(text, names))])
    return {"combine": Combine(text)}


def _base(reader: Reader, given: Given) -> Changes:
    return {"base": {**reader.design.base, **reader.keyed(given)}}


def _pairs(reader: Reader, given: Given) -> Changes:
    nested = isinstance(given.value, tuple) and any(isinstance(item.value, tuple) for item in given.value)
    groups = given.items() if nested else iter((given,))
    named = [[reader.parameter(name, group.place, factor=True) for name in levels(group)] for group in groups]
    found = [tuple(key for key in keys if key) for keys in named]
    kept = [keys for keys in reader.design.paired if ("pair", ",".join(keys)) in reader.named]
    kept += [keys for keys in reader.design.paired if keys not in kept and not {*keys} & {*chain(*found)}]
    reader.named |= {("pair", ",".join(keys)) for keys in found}
    return {"paired": (*kept, *found)}


def _listed(reader: Reader, given: Given) -> Changes:
    found = list(reader.design.listed)
    for item in given.items():
        pairs = assignments(item)
        name = pairs.pop("name", Given("", item.place)).text
        values = reader.keyed(Given(pairs, item.place))
        reader.at(str(len(found)), item.place)
        found.append(ListedRun(values, name))
    return {"listed": tuple(found)}


def _exclusions(reader: Reader, given: Given) -> Changes:
    found = list(reader.design.exclusions)
    for item in given.items():
        reader.at(str(len(found)), item.place)
        found.append(reader.keyed(item))
    return {"exclusions": tuple(found)}


def _seeds(reader: Reader, given: Given) -> Changes:
    reader.named.add(("seeds", ""))
    replicates = reader.design.replicates if ("replicates", "") in reader.named else 1
    return {"seeds": tuple(levels(given)), "factors": _without_seed(reader), "replicates": replicates}


def _replicates(reader: Reader, given: Given) -> Changes:
    reader.named.add(("replicates", ""))
    changes = number("replicates")(reader, given)
    seeds = reader.design.seeds if ("seeds", "") in reader.named else ()
    if ("seeds",) not in reader.read.places:
        seeds = _extended(reader.design.seeds, changes["replicates"])
    return changes | {"factors": _without_seed(reader), "seeds": seeds}


def _extended(seeds: tuple[str, ...], count: int) -> tuple[str, ...]:
    """The seeds of a page that is updated, the first ones or with others after the largest."""
    largest = max((int(seed) for seed in seeds if seed.isdecimal()), default=0)
    more = min(count, MOST_RUNS + 1) - len(seeds)
    return (*seeds[:count], *(str(largest + number + 1) for number in range(more))) if seeds else ()


def _without_seed(reader: Reader) -> tuple[Factor, ...]:
    """The factors but the seed of a page that is updated: replicates take its place."""
    given = ("factor", "seed") in reader.read.places
    return tuple(factor for factor in reader.design.factors if factor.key != "seed" or given)


def _notes(reader: Reader, given: Given) -> Changes:
    return {"notes": (*reader.design.notes, *(item.text for item in given.items()))}


def _dataset(reader: Reader, given: Given) -> Changes:
    return {"dataset": reader.path(one(given))}


def _tools(_: Reader, given: Given) -> Changes:
    if not isinstance(given.value, Mapping) or set(given.value) - {"preparation", "evaluation"}:
        raise ValueError("tools are `preparation` and `evaluation`")
    return {key: one(value) for key, value in given.value.items()}


_READERS: dict[str, Callable[[Reader, Given], Changes]] = {
    "question": text("question"),
    "name": text("name"),
    "tools": _tools,
    "preparation": text("preparation"),
    "evaluation": text("evaluation"),
    "model": read_models,
    "dataset": _dataset,
    "dataset-format": text("dataset_format"),
    "task": read_tasks,
    "task-dataset": read_task_datasets,
    "task-description": read_task_descriptions,
    "factor": _factors,
    "combine": _combine,
    "base": _base,
    "pair": _pairs,
    "with": _listed,
    "sample": number("sample"),
    "sample-seed": number("sample_seed"),
    "seeds": _seeds,
    "replicates": _replicates,
    "exclude": _exclusions,
    "train": lambda _, given: {"train": yes(given)},
    "control": read_controls,
    "eval-only": read_eval_only,
    "set": _settings,
    **{key: _shortcut(key) for key in _SHORTCUTS},
    "evaluate-epochs": text("epochs"),
    "matrix": read_matrix,
    "note": _notes,
}
KEYS = tuple(_READERS)
"""Every key, as an option is named; files may write them with underscores, and some in the plural."""
