"""Asks lm-eval's model, as the job makes it, which tokens it hands on for the questions of a data set.

The model is a tiny random one with the real tokenizer. Runs in the process of the deep checks; torch, Transformers and
lm-eval are imported inside the function.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunebook.tools.deep.evaluated_prompts import first_difference, learnt_share, prompt_tokens
from tunebook.tools.deep.generation_probe import tiny_model
from tunebook.tools.runtime.lm_eval_model import language_model
from tunebook.tools.runtime.lm_eval_run import load_model
from tunebook.tools.runtime.questions import question_of_record, question_records

__all__ = ["compare_prompts"]

_MOST = 64  # questions that are compared


def compare_prompts(
    model: str,
    config: Mapping[str, Any],
    data: str,
    questions: Mapping[str, Any],
    examples: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Training's tokens of the prompts against those that lm-eval hands to the model.

    Args:
        model: the directory of the real model; ``config`` is its shrunk ``config.json``.
        data: the data set, and ``questions`` how it is read and asked.
        examples: records of the training data, whose answers are looked at.
    """
    prompts = (str(questions["system_prompt"]), str(questions["prompt"]))
    answer: dict[str, Any] = {"samples": 0, "compared": 0, "difference": ""}
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "model"
        trained_with = tiny_model(Path(model), config, directory)
        loaded = load_model(directory, precision="fp32", base=None, sample=False, plain_text=False)
        lm = language_model(
            loaded.model, loaded.tokenizer, batch_size=1, adds_special_tokens=loaded.adds_special_tokens
        )
        for example, record in question_records(Path(data), str(questions["dataset_type"])):
            answer["samples"] += 1
            if answer["samples"] > _MOST:
                continue
            question = question_of_record(loaded.tokenizer, record, example.number, *prompts)
            given = lm.tok_batch_encode([question.prompt])[0][0].tolist()
            trained = prompt_tokens(trained_with, record, prompts)
            answer["compared"] += 1
            if trained != given and not answer["difference"]:
                answer["difference"] = first_difference(trained_with, trained, given)
    return answer | learnt_share(trained_with, examples, prompts)
