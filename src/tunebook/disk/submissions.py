"""``.tunebook/submissions.jsonl``: what is known only when a job is submitted, for the record of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.core.paths import SUBMISSIONS
from tunebook.disk.git import Commit
from tunebook.disk.json_lines import KeyedDocuments
from tunebook.disk.schema import LineSchema

__all__ = ["SubmissionFacts", "SubmissionRecord"]

Setting = Mapping[str, str]
_SCHEMA = LineSchema(SUBMISSIONS, version=1)


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
    """The facts of all submissions by their tags; only appended to."""

    def __init__(self, experiment: Path) -> None:
        self._documents = KeyedDocuments(experiment, _SCHEMA, "tag")

    def add(self, facts: Sequence[tuple[str, SubmissionFacts]]) -> None:
        """Records submissions by their tags, before the jobs are submitted.

        Raises:
            OSError: the record cannot be written.
        """
        self._documents.append({"tag": tag, **one.document} for tag, one in facts)

    def get(self, tag: str) -> SubmissionFacts | None:
        """The facts of one submission; ``None`` if there are none, or of another form."""
        document = self._documents.get(tag)
        if document is None:
            return None
        try:
            commit = document["commit"]
            if commit is not None:
                commit = Commit(str(commit["sha"]), tuple(commit["changed"]))
            return SubmissionFacts(commit, tuple(document["settings"]))
        except (KeyError, TypeError):
            return None
