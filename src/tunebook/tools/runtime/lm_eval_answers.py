"""Reads what a model was asked and what it answered from lm-eval's samples, and writes it for ``tunebook spot-check``.

Runs inside the script of a spot check
(``python -P -m tunebook.tools.runtime.lm_eval_answers --logs DIR --asked FILE --out FILE``), and needs only other
modules of this package. The analysis reads samples with the same functions.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.job_errors import JobError, reported
from tunebook.tools.runtime.lm_eval_log import Logged, read_logged

__all__ = ["is_question", "logged_answer", "logged_prompt", "logged_target", "main", "write_answers"]

_QUESTION = {"id", "input", "prompt", "target"}
_PLACE = re.compile(r"\d{1,9}", re.ASCII)


def is_question(doc: Any) -> bool:
    """Whether a sample's document is a question that tunebook made of a data set."""
    return isinstance(doc, dict) and doc.keys() == _QUESTION


def logged_prompt(line: Mapping[str, Any]) -> str:
    """The text that the model continued, without what it was asked to rate."""
    request = next(iter(line["arguments"].values()))
    return str(request["arg_0"])


def logged_target(line: Mapping[str, Any]) -> str:
    """The right answer; for a number among choices the choice's text, as for the answer."""
    target = str(line["target"])
    requests = list(line["arguments"].values())
    is_place = len(requests) > 1 and _PLACE.fullmatch(target)
    if is_place and int(target) < len(requests):
        return str(requests[int(target)].get("arg_1", "")).strip() or target
    return target


def logged_answer(line: Mapping[str, Any]) -> str:
    """The text that the model wrote, as it wrote it, or the choice that it found most probable."""
    answers = line["filtered_resps"]
    if len(answers) == 1:
        only = answers[0]
        return only if isinstance(only, str) else json.dumps(only, ensure_ascii=False)
    if answers and all(isinstance(answer, list) and answer for answer in answers):
        best = max(range(len(answers)), key=lambda place: _likelihood(answers[place][0]))
        request = list(line["arguments"].values())[best]
        return str(request.get("arg_1", "")).strip()
    return json.dumps(answers, ensure_ascii=False)


def _likelihood(value: Any) -> float:
    """The logarithm of a choice's probability; a value that is not a finite number is the least."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return -math.inf
    return number if math.isfinite(number) else -math.inf


def write_answers(logs: Path, name: str, out: Path) -> None:
    """Writes ``{"answers": […]}``; docs/reference/tool-contract.md describes the keys.

    Args:
        logs: the directory with lm-eval's own files, of which the names of those with results begin with ``name``.

    Raises:
        JobError: there are no samples.
        ValueError: lm-eval wrote no results, or not all samples.
    """
    answers = list(_answers(read_logged(logs, name)))
    if not answers:
        raise JobError(f"{logs} has no samples")
    out.write_text(json.dumps({"answers": answers}, ensure_ascii=False) + "\n", encoding="utf-8")


def _answers(logged: Logged) -> Iterator[dict[str, Any]]:
    """One answer per sample, in the order of the data; a sample has a line per filter, of which the first counts."""
    for task, lines in logged.samples.items():
        prefix = f"{task}/" if len(logged.samples) > 1 else ""
        first: dict[int, Mapping[str, Any]] = {}
        for line in lines:
            first.setdefault(line["doc_id"], line)
        for _, line in sorted(first.items()):
            yield _answer(line, prefix)


def _answer(line: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    doc, prompt = line["doc"], logged_prompt(line)
    is_ours = is_question(doc)
    return {
        "id": f"{prefix}{doc['id'] if is_ours else line['doc_id']}",
        "input": str(doc["input"]) if is_ours else prompt,
        "prompt": prompt,
        "calls": len(line["arguments"]),
        "target": logged_target(line) or None,
        "answer": logged_answer(line),
        "cut": None,
    }


def main(arguments: Sequence[str]) -> int:
    """``--logs DIR --asked FILE --out FILE``."""
    parser = argparse.ArgumentParser(prog="tunebook.tools.runtime.lm_eval_answers")
    for option in ("--logs", "--asked", "--out"):
        parser.add_argument(option, type=Path, required=True)
    given = parser.parse_args(arguments)

    def step() -> None:
        asked = json.loads(given.asked.read_text(encoding="utf-8"))
        write_answers(given.logs, str(asked["name"]), given.out)

    return reported(step)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
