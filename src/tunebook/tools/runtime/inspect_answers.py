"""Writes what a model was asked and what it answered, from the log of inspect-ai, for ``tunebook spot-check``.

Runs inside the script of a spot check
(``python -P -m tunebook.tools.runtime.inspect_answers --log-dir DIR --out FILE``), and needs only other modules of this
package.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.inspect_job import newest_log
from tunebook.tools.runtime.inspect_prompts import recorded_prompts
from tunebook.tools.runtime.job_errors import JobError, reported

__all__ = ["main", "write_answers"]


def write_answers(logs: Path, out: Path) -> None:
    """Writes ``{"answers": […]}``; docs/reference/tool-contract.md describes the keys.

    Raises:
        JobError: there is no log, or it has no samples.
    """
    from inspect_ai.log import read_eval_log

    newest = newest_log(logs, 0)
    log = read_eval_log(str(newest), resolve_attachments=True)
    answers = [_answer(sample) for sample in log.samples or () if sample.epoch == 1]
    if not answers:
        raise JobError(f"{newest} has no samples")
    out.write_text(json.dumps({"answers": answers}, ensure_ascii=False) + "\n", encoding="utf-8")


def _answer(sample: Any) -> dict[str, Any]:
    prompts = recorded_prompts(sample)
    target = sample.target if isinstance(sample.target, str) else ", ".join(map(str, sample.target))
    return {
        "id": str(sample.id),
        "input": _last_words(sample.input),
        "prompt": prompts[-1] if prompts else "",
        "calls": len(prompts),
        "target": target or None,
        "answer": sample.output.completion,
        "cut": _is_cut(sample),
    }


def _last_words(asked: Any) -> str:
    """The text of the last message."""
    if isinstance(asked, str):
        return asked
    return str(asked[-1].text) if asked else ""


def _is_cut(sample: Any) -> bool | None:
    """Whether the last answer has as many tokens as it may have; ``None`` if the log does not say."""
    last = None
    for event in sample.events or ():
        if event.event == "model":
            last = event
    if last is None or last.output.usage is None or not last.config.max_tokens:
        return None
    return bool(last.output.usage.output_tokens >= last.config.max_tokens)


def main(arguments: Sequence[str]) -> int:
    """``--log-dir DIR --out FILE``."""
    parser = argparse.ArgumentParser(prog="tunebook.tools.runtime.inspect_answers")
    parser.add_argument("--log-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    return reported(lambda: write_answers(given.log_dir, given.out))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
