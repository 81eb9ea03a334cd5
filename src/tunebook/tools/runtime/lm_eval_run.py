"""Runs lm-evaluation-harness so that nothing but the job's script steers the evaluation.

lm-eval's ``hf`` model reads no ``.env`` file; variables that act are removed.

The model is loaded by :mod:`tunebook.tools.runtime.evaluated_model`, prompts are finished before lm-eval sees them, and
every setting that lm-eval has a default for is given. lm-eval writes its own results and samples into a new directory;
:mod:`tunebook.tools.runtime.lm_eval_job` then decides whether they are what was asked for.

Runs inside jobs, and needs nothing else of tunebook.
Every failure is one line on stderr and exit code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.chat import plain_text_arguments
from tunebook.tools.runtime.checked_model import checked_model
from tunebook.tools.runtime.evaluated_model import hide_old_torchao, load_evaluated_model, model_in_effect
from tunebook.tools.runtime.generation import DEFAULT_MAX_TOKENS
from tunebook.tools.runtime.installing import install_here
from tunebook.tools.runtime.lean_start import start_transformers_lean
from tunebook.tools.runtime.lm_eval_data import use_shared_cache
from tunebook.tools.runtime.lm_eval_index import folder_of
from tunebook.tools.runtime.lm_eval_model import language_model
from tunebook.tools.runtime.lm_eval_task import generation_arguments, task_of_questions
from tunebook.tools.runtime.questions import Question, questions_of, write_questions
from tunebook.tools.runtime.steering import remove_steering, report_removed

__all__ = ["Attempt", "LoadedModel", "add_options", "evaluate", "load_model", "run"]


@dataclass(frozen=True)
class Attempt:
    """The files of one attempt, in a directory that is new."""

    directory: Path

    @property
    def logs(self) -> Path:
        """The directory with lm-eval's own files."""
        return self.directory / "logs"

    @property
    def questions(self) -> Path:
        """The questions, as the model should be asked."""
        return self.directory / "questions.jsonl"

    @property
    def in_effect(self) -> Path:
        """How the model was loaded, and how it generated."""
        return self.directory / "in_effect.json"


@dataclass(frozen=True)
class LoadedModel:
    """The model of an evaluation with its tokenizer.

    Attributes:
        adds_special_tokens: whether the tokenizer adds special tokens to finished prompts.
        in_effect: how it was loaded.
    """

    model: Any
    tokenizer: Any
    adds_special_tokens: bool
    in_effect: Mapping[str, Any]


def load_model(path: Path, *, precision: str, base: Path | None, sample: bool, plain_text: bool) -> LoadedModel:
    """Loads the model as every evaluation does, on the GPU if there is one.

    Raises:
        ValueError: the directory holds no model that can be evaluated as it is.
    """
    from transformers import AutoTokenizer

    directory, whole = checked_model(path, base)
    base = whole if whole != directory else None
    tokenizer: Any = AutoTokenizer.from_pretrained(str(whole), local_files_only=True)
    adds = False
    if plain_text:
        arguments = plain_text_arguments(tokenizer)
        tokenizer.chat_template = arguments["chat_template"]
        adds = arguments["tokenizer_call_args"]["add_special_tokens"]
    device = _device()
    model = load_evaluated_model(directory, precision=precision, base=base, device=device, sampling=sample)
    in_effect = model_in_effect(directory, model, precision=precision, base=base)
    return LoadedModel(model, tokenizer, adds, in_effect | {"device": device})


def _device() -> str:
    import torch

    if torch.backends.mps.is_available():
        return "mps"
    return "cuda:0" if torch.cuda.is_available() else "cpu"


def evaluate(loaded: LoadedModel, asked: Mapping[str, Any], attempt: Attempt, *, model: str) -> None:
    """Evaluates and lets lm-eval write its results and samples.

    Args:
        asked: what is asked for; see docs/reference/job-scripts.md.
        model: how logs name the model.

    Raises:
        ValueError: the data or the model cannot be used as asked.
    """
    generation = asked["generation"]
    is_benchmark = "benchmark" in asked
    lm = language_model(
        loaded.model,
        loaded.tokenizer,
        batch_size=generation["max_connections"],
        adds_special_tokens=_adds_special_tokens(loaded, asked),
    )
    if is_benchmark:
        tasks, arguments = [asked["benchmark"]], _of_benchmark(asked)
        in_effect = dict(generation)
    else:
        questions = questions_of(loaded.tokenizer, Path(asked["dataset"]), limit=asked["limit"], **asked["questions"])
        write_questions(attempt.questions, questions)
        longest = _most_new_tokens(lm, questions, generation.get("max_tokens"))
        in_effect = {**generation, "max_tokens": longest}
        own = generation_arguments(max_tokens=longest, temperature=generation.get("temperature"))
        tasks, arguments = [task_of_questions(asked["task"], questions, own)], {}
    document = {"model": loaded.in_effect, "generation": in_effect}
    attempt.in_effect.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    _run(lm, tasks, asked, attempt, model=model, **arguments)


def _adds_special_tokens(loaded: LoadedModel, asked: Mapping[str, Any]) -> bool | None:
    """Finished prompts have their special tokens; a benchmark without a chat template leaves them to the tokenizer."""
    if "benchmark" in asked:
        return False if asked["chat_template"] else None
    return loaded.adds_special_tokens


def _of_benchmark(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of lm-eval's evaluator that only benchmarks have; their own settings of generation stay."""
    generation = asked["generation"]
    own: dict[str, Any] = {}
    if "max_tokens" in generation:
        own["max_gen_toks"] = generation["max_tokens"]
    own |= {"do_sample": False, "temperature": 0.0}
    if "temperature" in generation:
        own |= {"do_sample": True, "temperature": generation["temperature"]}
    arguments: dict[str, Any] = {"gen_kwargs": own, "num_fewshot": asked["shots"]}
    if asked["chat_template"]:
        arguments |= {"apply_chat_template": True, "system_instruction": asked["system_prompt"] or None}
    return arguments


def _most_new_tokens(lm: Any, questions: Sequence[Question], planned: int | None) -> int:
    """The most new tokens of an answer: the plan's number, otherwise what fits behind the longest prompt.

    Raises:
        ValueError: the longest prompt leaves no room for it.
    """
    reads = int(lm.max_length)
    lengths = [(len(lm.tok_encode(question.prompt)), question.id) for question in questions]
    longest, sample = max(lengths)
    room = reads - longest
    if planned is not None and planned > room:
        message = f"the prompt of sample {sample} has {longest} tokens, and the model reads {reads}: "
        message += f"Evaluation Max Tokens is {planned}, but {max(room, 0)} fit behind it"
        raise ValueError(message)
    if room < 1:
        raise ValueError(f"the prompt of sample {sample} has {longest} tokens, but the model reads only {reads}")
    return planned or min(DEFAULT_MAX_TOKENS, room)


def _run(
    lm: Any, tasks: Sequence[Any], asked: Mapping[str, Any], attempt: Attempt, *, model: str, **arguments: Any
) -> None:
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.loggers import EvaluationTracker

    attempt.logs.mkdir(parents=True)
    tracker: Any = EvaluationTracker(output_path=str(attempt.logs / f"{asked['name']}.json"))
    seed = asked["generation"]["seed"]
    run: Any = simple_evaluate
    results = run(
        model=lm,
        model_args={"pretrained": model},
        tasks=list(tasks),
        task_manager=_task_manager(asked.get("benchmark", "")),
        batch_size=asked["generation"]["max_connections"],
        limit=asked["limit"],
        log_samples=True,
        evaluation_tracker=tracker,
        random_seed=seed,
        numpy_random_seed=seed,
        torch_random_seed=seed,
        fewshot_random_seed=seed,
        **arguments,
    )
    samples = results.pop("samples")
    results["tunebook"] = {
        "task": asked["task"],
        "script": asked["script"],
        "dataset": asked.get("dataset", ""),
        "tokens": lm.tokens,
    }
    tracker.save_results_aggregated(results=results, samples=samples)
    for name, own in samples.items():
        tracker.save_results_samples(task_name=name, samples=own)


def _task_manager(benchmark: str) -> Any:
    """lm-eval's index of its tasks: of one folder where that is enough, since the whole takes long to build."""
    from lm_eval.tasks import TaskManager

    if not benchmark:
        return TaskManager(include_defaults=False)
    folder = folder_of(benchmark)
    if folder is not None:
        narrow: Any = TaskManager(include_defaults=False, include_path=str(folder))
        try:
            narrow.load([benchmark])
        except KeyError:  # a group of tasks of other folders
            return TaskManager()
        return narrow
    return TaskManager()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that :func:`run` needs."""
    parser.add_argument("--model", required=True)
    parser.add_argument("--model-path", type=Path, required=True)
    parser.add_argument("--precision", required=True)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--plain-text", action="store_true")
    parser.add_argument("--asked", type=Path, required=True)
    parser.add_argument("--attempt", type=Path, required=True)


def run(given: argparse.Namespace) -> int:
    """Evaluates as the options say, and returns the exit code."""
    report_removed(remove_steering(os.environ))
    hide_old_torchao()
    start_transformers_lean()
    try:
        asked = json.loads(given.asked.read_text(encoding="utf-8"))
        attempt = Attempt(given.attempt)
        attempt.directory.mkdir(parents=True)
        if "benchmark" in asked:
            use_shared_cache(os.environ)
        loaded = load_model(
            given.model_path,
            precision=given.precision,
            base=given.base,
            sample=given.sample,
            plain_text=given.plain_text,
        )
        evaluate(loaded, asked, attempt, model=given.model)
    except ImportError as error:
        sys.stderr.write(f"tunebook: {error}: install what evaluations need: {install_here('tunebook[lm-eval]')}\n")
        return 1
    except (AssertionError, KeyError, OSError, ValueError) as error:  # lm-eval's own checks are assertions
        sys.stderr.write(f"tunebook: {str(error) or type(error).__name__}\n")
        return 1
    return 0
