"""``.tunebook/submissions.jsonl``: what is known only when a job is submitted, for the record of its run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.core.paths import SUBMISSIONS
from tunebook.disk.append import append_lines
from tunebook.disk.git import Commit
from tunebook.disk.json_lines import read_documents
from tunebook.disk.schema import head_line, is_head

__all__ = ["SubmissionFacts", "SubmissionRecord"]

Setting = Mapping[str, str]
_FORMAT = 1
_HEAD = head_line(_FORMAT)


@dataclass(frozen=True)
class SubmissionFacts:
    """One submission.

    Attributes:
        commit: of the experiment; ``None`` outside of a repository.
        settings: those in effect, each with its source.
    """

    commit: Commit | None = None
    settings: tuple[Setting, ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        """The facts as files have them."""
        commit = None
        if self.commit is not None:
            commit = {"sha": self.commit.sha, "changed": list(self.commit.changed)}
        return {"commit": commit, "settings": [dict(setting) for setting in self.settings]}


class SubmissionRecord:
    """The facts of all submissions by their tags; read when it is first needed, and only appended to."""

    def __init__(self, experiment: Path) -> None:
        self._experiment = experiment
        self._path = experiment / SUBMISSIONS
        self._known: dict[str, SubmissionFacts] | None = None

    def add(self, facts: Sequence[tuple[str, SubmissionFacts]]) -> None:
        """Records submissions by their tags, before the jobs are submitted.

        Raises:
            OSError: the record cannot be written.
        """
        self._entries().update(facts)
        lines = "".join(json.dumps({"tag": tag, **one.document}, ensure_ascii=False) + "\n" for tag, one in facts)
        append_lines(self._path, lines.encode("utf-8", "surrogateescape"), within=self._experiment, head=_HEAD)

    def get(self, tag: str) -> SubmissionFacts | None:
        """The facts of one submission."""
        return self._entries().get(tag)

    def _entries(self) -> dict[str, SubmissionFacts]:
        if self._known is None:
            self._known = _read(self._path)
        return self._known


def _read(path: Path) -> dict[str, SubmissionFacts]:
    known: dict[str, SubmissionFacts] = {}
    for document in read_documents(path):
        if is_head(document, _FORMAT, SUBMISSIONS):
            continue
        with suppress(KeyError, TypeError):  # a line of another form
            commit = document["commit"]
            if commit is not None:
                commit = Commit(str(commit["sha"]), tuple(commit["changed"]))
            known[document["tag"]] = SubmissionFacts(commit, tuple(document["settings"]))
    return known
