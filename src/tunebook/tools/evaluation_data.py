"""The data and the prompts of an evaluation: those of the run's training, unless the tasks table names other data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunebook.core.plan import EvaluationTask, Run
from tunebook.core.plan.settings import effective
from tunebook.tools.base import Context
from tunebook.tools.plan_inputs import absolute_path, dataset_path

__all__ = ["EvaluationData"]


@dataclass(frozen=True)
class EvaluationData:
    """What one run is asked by one task: the settings of its training, which a person may have edited, come first."""

    context: Context
    run: Run
    task: EvaluationTask

    @property
    def _values(self) -> Mapping[str, Any]:
        prepared = self.context.prepared.get(self.run.name)
        return prepared.values if prepared is not None else {}

    @property
    def of_run(self) -> str:
        """The path of the run's own data set, as the plan or its training's settings write it."""
        return str(self._values.get("dataset_path") or dataset_path(self.context.plan, self.run))

    @property
    def path(self) -> str:
        """The absolute path of the data set that the task reads; empty if the plan names no data set."""
        written = self.task.dataset or self.of_run
        if not written:
            return ""
        return self.absolute(written)

    def absolute(self, path: str) -> str:
        """A path of the plan from the root."""
        return absolute_path(self.context, path)

    def splits(self) -> dict[str, int]:
        """The number of examples of each split of these data, as far as they could be read here."""
        path = self.task.dataset or dataset_path(self.context.plan, self.run)
        facts = self.context.datasets.get(path)
        if facts is None or self.path != self.absolute(path):
            return {}  # an edited training reads other data
        return dict(facts.splits)

    def setting(self, key: str) -> Any:
        """A setting of the run's training, otherwise the plan's."""
        return self._values.get(key, effective(self.context.plan, self.run, key))

    def prompts(self) -> tuple[str, str]:
        """System prompt and prompt."""
        return str(self.setting("system_prompt") or ""), str(self.setting("prompt") or "{input}")
