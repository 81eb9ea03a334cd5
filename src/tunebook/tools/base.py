"""The contract of a tool: the values that it exchanges with tunebook, and the members that it promises.

A tool turns runs of the plan into files and jobs, as values: it writes nothing and submits nothing. It is registered
under the entry point group ``tunebook.tools``; docs/reference/tool-contract.md describes each member with an example.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from tunebook.core.deep_checks import DeepCheck
from tunebook.core.jobs import Stage
from tunebook.core.parameters import Parameter
from tunebook.core.plan import Evaluation, EvaluationTask, Plan, Run
from tunebook.core.site import Site
from tunebook.errors import Problem, UsageError
from tunebook.tools.exchanged import Context, FileKind, Package, PlannedFile, Prepared, Shrunk, Unit
from tunebook.tools.findings import PROMPTS, Effect, Findings
from tunebook.tools.model_facts import ModelFacts
from tunebook.tools.new_task import TaskWriter
from tunebook.tools.results import EvaluationResults, TrainingResults
from tunebook.tools.spot_values import Questions, SpotScript
from tunebook.tools.task_script import TaskScript

__all__ = [
    "PROMPTS",
    "Context",
    "Effect",
    "EvaluationTool",
    "FileKind",
    "Findings",
    "Package",
    "PlannedFile",
    "PreparationTool",
    "Prepared",
    "Shrunk",
    "Tool",
    "Unit",
]


class Tool(Protocol):
    """What preparation tools and evaluation tools have in common.

    A class that derives from :class:`PreparationTool` or :class:`EvaluationTool` inherits the members with a default.
    """

    name: str
    """As the plan's Tools section names it, in lower case: ``torchtune``, ``inspect-ai``."""
    short: str
    """As verbs and logs name it, and as its entry point is called: ``torchtune``, ``inspect``."""
    stage: Stage
    package: Package
    files: tuple[FileKind, ...]
    """The kinds of files that a run gets, in the order in which a person should read about them."""
    editable: tuple[str, ...] = ()
    """Names of the files, in a run's directory, from which others are derived once a person has edited them."""
    services: tuple[Package, ...] = ()
    """Programs that its jobs start in an environment of their own, which the site settings name after them."""
    parameters: tuple[Parameter, ...] = ()
    """Its rows of the parameter table; a row with the key of a shared row narrows that row (choices, required)."""

    def rules(self, plan: Plan) -> tuple[Problem, ...]:  # noqa: ARG002
        """Requests of the plan that this tool cannot honour, beyond the columns of the table; pure."""
        return ()

    def survey(self, plan: Plan, site: Site, experiment: Path) -> Any:  # noqa: ARG002
        """Reads what the disk holds beside models and data; missing files are not an error here."""
        return None

    def check(self, context: Context) -> Findings:
        """Compares the plan with the survey: contradictions are errors, missing files are warnings."""
        ...

    def runs(self, plan: Plan) -> tuple[Run, ...]:
        """The runs that get files from this tool."""
        ...

    def build(self, context: Context, run: Run) -> Unit:
        """The files and jobs of one run; pure: the same context gives the same bytes.

        Raises:
            TunebookError: this run cannot be built; the others are built.
        """
        ...

    def effects(self, context: Context, run: Run, unit: Unit) -> Sequence[Effect]:  # noqa: ARG002
        """The values that the run's jobs use but the plan does not state: resolved defaults, and derived values."""
        return ()

    def verify(self, context: Context, run: Run, unit: Unit, read: Callable[[str], str]) -> tuple[Problem, ...]:
        """Reads a run's files back, as their consumers will, and compares them with the plan as values.

        Args:
            read: relative path to the text on disk; empty for a missing file.

        Returns:
            One problem per difference, with the path of the file that differs.
        """
        ...

    def deep_checks(self, context: Context, built: Sequence[tuple[Run, Unit]]) -> Sequence[DeepCheck]:  # noqa: ARG002
        """Proofs, made by running something small, that the jobs of the built runs do what the plan says.

        One per distinct shape, not per run: checks with the same title and key are done once.
        """
        return ()

    def manual_commands(self, scripts: Sequence[str]) -> tuple[str, ...]:
        """Shell commands that submit these scripts by hand from the experiment's directory.

        Args:
            scripts: paths of the scripts of this tool's jobs, relative to the experiment's directory.
        """
        names = " ".join(map(shlex.quote, scripts))
        return (f'for script in {names}; do (cd "$(dirname "$script")" && sbatch "$(basename "$script")"); done',)


class PreparationTool(Tool, Protocol):
    """A tool that trains models: it makes checkpoints out of models and data."""

    stage: Stage = Stage.PREPARATION

    results: TrainingResults = TrainingResults()
    """Reads the training's curve and settings; the default is enough for a tool whose jobs write ``metrics.jsonl``."""

    def model_size_b(self, name: str, facts: ModelFacts | None) -> float | None:
        """Billions of parameters of a model; ``None`` if unknown.

        Args:
            facts: what its directory holds; ``None`` if the directory was not found.

        Raises:
            PlanError: the model is known, and this tool cannot train it.
        """
        ...

    def checkpoint_bytes(self, context: Context, run: Run) -> float | None:  # noqa: ARG002
        """The disk space of one epoch's checkpoint; ``None`` if unknown, ``design`` then assumes a whole model."""
        return None

    def first_example(self, context: Context, run: Run) -> Sequence[tuple[str, bool]]:  # noqa: ARG002
        """The run's first training example as the model sees it: texts, each with whether it is learnt.

        Empty if it cannot be shown here.
        """
        return ()

    def download_command(self, repository: str, directory: str) -> str:  # noqa: ARG002
        """The tool's own shell command that downloads a model from the Hugging Face Hub; empty without one.

        Args:
            repository: ``OWNER/NAME``; this and ``directory`` are quoted for the shell.
        """
        return ""

    def edit(self, text: str, assignments: Sequence[str], *, file: str, experiment: Path) -> str:  # noqa: ARG002
        """The text of the first editable file with each ``key=value`` put in; comments and order stay.

        Args:
            file: the file's name in messages.
            experiment: the directory that relative paths are relative to.

        Raises:
            UsageError: an assignment without ``=``, an unknown key, or a path that does not exist.
            PlanError: the text, or a new value, is wrong.
        """
        raise UsageError(f"{self.name} has no file with settings to change")

    def shrink(self, text: str, *, file: str) -> Shrunk | None:  # noqa: ARG002
        """Settings for :meth:`edit` that need less GPU memory and train the same; ``None`` if nothing can shrink.

        Args:
            text: the first editable file.

        Raises:
            PlanError: the text cannot be read.
        """
        return None


class EvaluationTool(Tool, Protocol):
    """A tool that evaluates checkpoints and base models on the plan's tasks."""

    stage: Stage = Stage.EVALUATION

    results: EvaluationResults
    """Reads the evaluations' logs: their headers, samples and scores."""

    task_form: str
    """The kind of script that a task needs, as a noun phrase in Markdown for a person who has to write one."""

    exact_match: str = ""
    """The Script of a task that asks the questions of a data set and counts exact matches; empty without one."""
    task_writer: TaskWriter | None = None
    """Writes tasks for a person, who then owns them; ``None`` for a tool that writes none."""
    loads_adapters: bool = False
    """Whether it evaluates checkpoints that are adapters, in the format of PEFT, on their base model."""

    def first_prompt(self, context: Context, run: Run, task: EvaluationTask) -> str:  # noqa: ARG002
        """The first prompt of an evaluation, for a task that puts the plan's prompts around the data set's inputs.

        Empty if it cannot be shown here.
        """
        return ""

    def read_tasks(self, script: Path) -> TaskScript | None:
        """The tasks that a script defines, read without importing it; ``None`` for a missing file."""
        ...

    def spot_check(
        self,
        context: Context,  # noqa: ARG002
        run: Run,  # noqa: ARG002
        evaluation: Evaluation,  # noqa: ARG002
        questions: Questions,  # noqa: ARG002
        folder: Path,  # noqa: ARG002
    ) -> SpotScript:
        """A script that asks one model a few questions as its evaluations do, and writes the answers into a folder.

        Args:
            evaluation: of the run, at any epoch that is trained; without an epoch that of the base model.
            folder: an absolute path; the script's files will be in it, and it leaves ``answers.json`` there.

        Raises:
            TunebookError: the tool cannot ask them.
        """
        raise UsageError(f"{self.name} has no spot check: its evaluations answer no single questions")
