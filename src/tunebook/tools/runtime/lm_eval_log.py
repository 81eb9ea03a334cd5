"""Compares what lm-evaluation-harness wrote with what was asked for: each difference in one phrase.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.lm_eval_task import METRIC, generation_arguments
from tunebook.tools.runtime.questions import Question

__all__ = ["Logged", "differences", "read_logged", "samples_file", "scores"]

_SEEDS = ("random_seed", "numpy_seed", "torch_seed", "fewshot_seed")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d.-]+$")
_MOST = 3  # samples that a message names
_STDERR = "_stderr"


@dataclass(frozen=True)
class Logged:
    """The files of one attempt.

    Attributes:
        file: with the results.
        samples: task to its samples.
    """

    file: Path
    results: Mapping[str, Any]
    samples: Mapping[str, Sequence[Mapping[str, Any]]]


def read_logged(directory: Path, name: str) -> Logged:
    """Reads the one file of results and the samples of its tasks.

    Args:
        name: that the file's name begins with.

    Raises:
        ValueError: lm-eval did not write them, which it only warns of.
    """
    files = sorted(directory.glob(f"{name}_*.json")) if directory.is_dir() else []
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise ValueError(f"lm-eval should have written one file of results to {directory}; it wrote: {found}")
    results = json.loads(files[0].read_text(encoding="utf-8"))
    samples = {}
    for task in results["configs"]:
        file = samples_file(files[0], task)
        if not file.is_file():
            raise ValueError(f"lm-eval did not write the samples of task {task} to {file}")
        with file.open(encoding="utf-8", newline="\n") as lines:
            samples[task] = [json.loads(line) for line in lines]
    return Logged(files[0], results, samples)


def samples_file(results: Path, task: str) -> Path:
    """The file with a task's samples, which ends in the same time as the file with the results.

    Raises:
        ValueError: the file's name does not end in a time.
    """
    time = _TIME.search(results.stem)
    if time is None:
        raise ValueError(f"{results.name} does not end in a time, as lm-eval names its results")
    return results.parent / f"samples_{task}_{time[0]}.jsonl"


def differences(
    logged: Logged,
    asked: Mapping[str, Any],
    questions: Sequence[Question],
    generation: Mapping[str, Any],
    *,
    model: str,
) -> list[str]:
    """Every difference between the files and what was asked for.

    Args:
        questions: that should have been asked; none for a benchmark.
        generation: the settings in effect, by tunebook's names.
    """
    found = list(_of_settings(logged.results, asked, generation, model))
    for task, samples in logged.samples.items():
        found += _of_number(logged.results, task, samples, asked["limit"])
        if "benchmark" not in asked:
            found += _of_samples(samples, questions, generation)
    return found


def _differs(name: str, found: Any, wanted: Any) -> Iterator[str]:
    if found != wanted:
        yield f"{name} is {found!r:.200} instead of {wanted!r:.200}"


def _of_settings(
    results: Mapping[str, Any], asked: Mapping[str, Any], generation: Mapping[str, Any], model: str
) -> Iterator[str]:
    config = results["config"]
    yield from _differs("the model", config["model_args"], {"pretrained": model})
    for name in _SEEDS:
        yield from _differs(name, config[name], generation["seed"])
    yield from _differs("batch_size", config["batch_size"], generation["max_connections"])
    yield from _differs("limit", config["limit"], asked["limit"])
    if "benchmark" not in asked:
        yield from _differs("the tasks", list(results["configs"]), [asked["task"]])
        return
    if asked["shots"] is not None:
        for task, shots in results["n-shot"].items():
            yield from _differs(f"the number of shots of {task}", shots, asked["shots"])
    wanted = (asked["system_prompt"] or None) if asked["chat_template"] else None
    yield from _differs("system_instruction", results.get("system_instruction"), wanted)
    yield from _differs("a chat template", bool(results.get("chat_template")), asked["chat_template"])


def _of_number(
    results: Mapping[str, Any], task: str, samples: Sequence[Mapping[str, Any]], limit: int | None
) -> Iterator[str]:
    numbers = results["n-samples"][task]
    wanted = numbers["original"] if limit is None else min(limit, numbers["original"])
    logged = len({sample["doc_id"] for sample in samples})
    if numbers["effective"] != wanted or logged != wanted:
        yield f"task {task} has {logged} samples instead of {wanted}"


def _of_samples(
    samples: Sequence[Mapping[str, Any]], questions: Sequence[Question], generation: Mapping[str, Any]
) -> Iterator[str]:
    """Every sample must be one question, asked with our prompt and settings, and scored by our rule."""
    by_id = {sample["doc"]["id"]: sample for sample in samples}
    wanted = {question.id: question for question in questions}
    missing, unknown = wanted.keys() - by_id.keys(), by_id.keys() - wanted.keys()
    if missing or unknown or len(samples) != len(questions):
        yield f"the samples are not those of the data: {len(missing)} are missing, {len(samples)} were logged"
        return
    settings = generation_arguments(max_tokens=generation["max_tokens"], temperature=generation.get("temperature"))
    wrong: dict[str, list[str]] = {}
    for number, question in wanted.items():
        for what in _faults(by_id[number], question, settings):
            wrong.setdefault(what, []).append(number)
    for what, numbers in wrong.items():
        yield f"{len(numbers)} {what} (samples {', '.join(numbers[:_MOST])})"


def _faults(sample: Mapping[str, Any], question: Question, settings: Mapping[str, Any]) -> Iterator[str]:
    prompt, generation = _request(sample)
    if prompt != question.prompt:
        yield "prompts differ"
    if sample["target"] != question.target:
        yield "targets differ"
    if generation != settings:
        yield "generation settings differ"
    if sample[METRIC] != float(sample["filtered_resps"][0].strip() == question.target):
        yield "scores are not those of an exact match"


def _request(sample: Mapping[str, Any]) -> tuple[Any, Any]:
    (request,) = sample["arguments"].values()
    return request["arg_0"], request["arg_1"]


def scores(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every metric, the groups' first: lm-eval names them ``METRIC,FILTER``, and ``METRIC_stderr,FILTER``."""
    found = []
    own = {**results.get("groups", {}), **results["results"]}
    for task, values in own.items():
        for key, value in values.items():
            name, comma, filtering = key.partition(",")
            if not comma:
                continue
            is_spread = name.endswith(_STDERR)
            scorer = name.removesuffix(_STDERR)
            if filtering != "none":
                scorer += f"/{filtering}"
            if len(own) > 1:
                scorer = f"{task}/{scorer}"
            number = value if isinstance(value, int | float) else None
            found.append({"scorer": scorer, "metric": "stderr" if is_spread else "mean", "value": number})
    return found
