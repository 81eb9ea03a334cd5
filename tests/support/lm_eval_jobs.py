"""Helpers for tests of lm-eval's jobs: both steps of a job in this process, and a benchmark's data in a cache."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tunebook.tools.runtime import lm_eval_job, lm_eval_run

__all__ = ["GENERATION", "LmEvalJob", "asked_for", "cache_benchmark"]

GENERATION: dict[str, Any] = {"seed": 14, "max_connections": 4, "max_tokens": 6}


def asked_for(data: Path, **changes: Any) -> dict[str, Any]:
    """What a job asks for: an exact match on a data set, as the tool writes it; a change to ``None`` removes a key."""
    asked: dict[str, Any] = {
        "name": "words_base",
        "task": "words",
        "script": "exact_match",
        "limit": None,
        "generation": GENERATION,
        "dataset": str(data),
        "questions": {"dataset_type": "instruct", "system_prompt": "", "prompt": "{input}"},
    }
    return asked | changes


@dataclass(frozen=True)
class LmEvalJob:
    """A job of a model in a directory of its own."""

    folder: Path
    model: Path
    asked: Mapping[str, Any]

    @property
    def attempt(self) -> lm_eval_run.Attempt:
        return lm_eval_run.Attempt(self.folder / "attempt")

    @property
    def logs(self) -> Path:
        return self.folder / "run" / "eval" / "logs"

    @property
    def _asked_file(self) -> Path:
        return self.folder / "asked.json"

    def _options(self, *more: str) -> Any:
        """The options of the job's process."""
        arguments = ["--model", "tiny_base", "--model-path", str(self.model), "--precision", "fp32", *more]
        arguments += ["--asked", str(self._asked_file), "--attempt", str(self.attempt.directory)]
        arguments += ["--log-dir", str(self.logs), "--out", str(self.folder / "words_base.result.json")]
        return lm_eval_job.options(arguments)

    def run(self, *options: str) -> int:
        """The exit code of the step that evaluates."""
        self.logs.mkdir(parents=True)
        self._asked_file.write_text(json.dumps(self.asked))
        with pytest.MonkeyPatch.context() as process:  # what a job's own process may keep
            process.setattr(os, "environ", os.environ.copy())
            if "torchao" in sys.modules:
                process.setitem(sys.modules, "torchao", sys.modules["torchao"])
            else:
                process.setitem(sys.modules, "torchao", None)
            return lm_eval_run.run(self._options(*options))

    def verify(self, asked: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """The exit code of the step that verifies, and the result; empty if it wrote none."""
        self._asked_file.write_text(json.dumps(asked or self.asked))
        out = self.folder / "words_base.result.json"
        code = lm_eval_job.check(self._options())
        return code, json.loads(out.read_text()) if out.exists() else {}


def cache_benchmark(cache: Path, name: str, splits: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Writes a data set of the Hugging Face Hub into a cache, as the library prepares it.

    Args:
        name: ``OWNER/NAME``.
    """
    from datasets import Dataset, DatasetInfo, SplitDict, SplitInfo, Version
    from datasets.arrow_writer import ArrowWriter

    short = name.rpartition("/")[2]
    folder = cache / name.replace("/", "___") / "default" / "0.0.0" / "0123456789abcdef"
    folder.mkdir(parents=True)
    infos = SplitDict(dataset_name=short)
    for split, rows in splits.items():
        features = Dataset.from_list(list(rows)).features
        with ArrowWriter(path=str(folder / f"{short}-{split}.arrow"), features=features) as writer:
            for row in rows:
                writer.write(dict(row))
            writer.finalize()
        infos.add(SplitInfo(split, num_bytes=1, num_examples=len(rows), dataset_name=short))
    info = DatasetInfo(
        features=features,
        splits=infos,
        builder_name="parquet",
        dataset_name=short,
        config_name="default",
        version=Version("0.0.0"),
    )
    info.write_to_directory(str(folder))
