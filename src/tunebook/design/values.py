"""A design as a value: everything that a person decides, each text as it was written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from tunebook.core.parameters import ParameterTable
from tunebook.core.paths import expanded
from tunebook.core.plan import EvaluationTask, Model, Tools
from tunebook.core.plan.overview import tool_names
from tunebook.design.documents import Text, place_of
from tunebook.errors import Problem
from tunebook.tools.parameters import installed_parameters

__all__ = [
    "EVERY_MODEL",
    "MODEL",
    "MOST_RUNS",
    "Combine",
    "Control",
    "Decision",
    "Design",
    "DesignInputs",
    "EvalOnly",
    "Factor",
    "ListedRun",
    "MatrixRule",
    "absolute",
    "with_absolute_paths",
]

MODEL = "model"
"""The key of the one factor that is not a parameter."""

MOST_RUNS = 20_000
"""A design with more runs than this is taken for a mistake."""

_SAMPLE_SEED = 14

Decision = tuple[str, str]
"""A decision that nobody gave, and its reason."""


class Combine(StrEnum):
    """How the levels of several factors are combined into runs."""

    FACTORIAL = "factorial"
    ONE_AT_A_TIME = "one-at-a-time"


@dataclass(frozen=True)
class Factor:
    """A parameter's key (or :data:`MODEL`) and its levels, as they were written (``1e-5``)."""

    key: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class ListedRun:
    """A run that is given by itself.

    Attributes:
        values: a parameter's key, or :data:`MODEL`, to its text; the settings apply to all other parameters.
        name: empty for a name by convention.
    """

    values: Mapping[str, str]
    name: str = ""


@dataclass(frozen=True)
class Control:
    """A base model that is evaluated without training; an empty ``name`` becomes ``{model}_base``."""

    model: str
    name: str = ""


EVERY_MODEL = (Control("*"),)
"""Controls of every model that is trained, which is the default."""


@dataclass(frozen=True)
class EvalOnly:
    """Weights that are evaluated without training."""

    name: str
    checkpoint: str
    model: str = ""


@dataclass(frozen=True)
class MatrixRule:
    """Runs and tasks as globs; ``epochs`` is ``last``, ``all``, zero-based epochs (``0,2``) or ``-`` for none."""

    run: str
    task: str
    epochs: str


@dataclass(frozen=True, kw_only=True)
class Design:
    """Everything that a person decides. An empty text or ``None`` means that nothing was given.

    A text or a number may know its place (:mod:`tunebook.design.documents`), so that a problem found later names it.

    Attributes:
        hypotheses: each as the plan writes it: ``**H1:** rank64 > rank4``.
        name: the experiment's; by default made of task, factors and date.
        preparation: the tool that trains.
        evaluation: the tool that evaluates, or several with commas.
        models: one without a path is in the site's models directory under its name.
        dataset: a directory, or a JSON, JSONL or Parquet file.
        tasks: one without a script adds a data set or a description to the task of its name that was given earlier.
        base: for ``one-at-a-time``: key to the level at which a factor stays while others vary; by default its first.
        paired: groups of factors whose levels go together, first with first: each group counts as one factor.
        listed: runs that are given one by one, in addition to those that the factors make.
        sample: how many of all combinations are drawn at random; by default all are taken.
        sample_seed: the seed of that draw; by default 14.
        seeds: one replicate of every combination for each; they win over ``replicates``.
        replicates: this many seeds, counted up from the design's seed.
        exclusions: combinations that have all of these values are left out; key to text.
        train: ``False`` if only controls and eval-only runs are evaluated.
        controls: an empty tuple for no controls; by default :data:`EVERY_MODEL`.
        settings: parameter's key to its text, for every run.
        epochs: which epochs are evaluated: ``last`` (the default), ``all``, or zero-based ones.
        matrix: exceptions from "every run gets every task at ``epochs``"; later rules win.
        notes: texts for the end of the plan.
        run_notes: run name to its remark in the runs table.
        matrix_notes: run name to its remark in the evaluation matrix.
    """

    question: str = ""
    hypotheses: tuple[str, ...] = ()
    name: str = ""
    preparation: str = ""
    evaluation: str = ""
    models: tuple[Model, ...] = ()
    dataset: str = ""
    dataset_format: str = ""
    tasks: tuple[EvaluationTask, ...] = ()
    factors: tuple[Factor, ...] = ()
    combine: str = ""
    base: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    paired: tuple[tuple[str, ...], ...] = ()
    listed: tuple[ListedRun, ...] = ()
    sample: int | None = None
    sample_seed: int | None = None
    seeds: tuple[str, ...] = ()
    replicates: int | None = None
    exclusions: tuple[Mapping[str, str], ...] = ()
    train: bool | None = None
    controls: tuple[Control, ...] | None = None
    eval_only: tuple[EvalOnly, ...] = ()
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    epochs: str = ""
    matrix: tuple[MatrixRule, ...] = ()
    notes: tuple[str, ...] = ()
    run_notes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    matrix_notes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_trained(self) -> bool:
        """Whether anything is trained."""
        return self.train is not False

    @property
    def is_one_at_a_time(self) -> bool:
        """Whether one factor varies at a time, instead of all combinations."""
        return self.combine == Combine.ONE_AT_A_TIME

    @property
    def has_every_control(self) -> bool:
        """Whether each model that is trained is a control."""
        return self.controls is None or self.controls == EVERY_MODEL

    @property
    def runs_per_combination(self) -> int:
        """How many seeds each combination is trained with."""
        if self.replicates is not None and not self.seeds:
            return self.replicates
        return len(self.seeds) or 1

    @property
    def drawing_seed(self) -> int:
        """The seed with which a sample of the combinations is drawn."""
        return _SAMPLE_SEED if self.sample_seed is None else self.sample_seed

    @property
    def tools(self) -> Tools:
        """The tools, with the usual ones where none are given."""
        usual = Tools()
        evaluation = tool_names(self.evaluation) or usual.evaluation
        return Tools(self.preparation or usual.preparation, evaluation, assumed=False)

    @property
    def parameters(self) -> ParameterTable:
        """The parameters that the tools have."""
        return installed_parameters(self.tools)

    @property
    def factor_keys(self) -> tuple[str, ...]:
        """The keys of the factors, in their order."""
        return tuple(factor.key for factor in self.factors)

    @property
    def listed_keys(self) -> frozenset[str]:
        """The keys that every listed run has."""
        first = next((run.values for run in self.listed), ())
        return frozenset(first).intersection(*(run.values for run in self.listed))

    @property
    def model_names(self) -> tuple[str, ...]:
        """The names of the models, in their order."""
        return tuple(model.name for model in self.models)

    def factor(self, key: str) -> Factor | None:
        """The factor of this key, if there is one."""
        return next((factor for factor in self.factors if factor.key == key), None)


@dataclass(frozen=True, kw_only=True)
class DesignInputs:
    """A design as a person gave it, and what was found while reading it.

    Attributes:
        misspelt: parameters that a misspelt name probably means; they are not reported as missing too.
        decisions: what a plan in YAML says in other words, and what an update leaves out.
        warnings: what could not be carried over from a plan in YAML.
        directory: the experiment's directory that a plan in YAML names, with its place.
    """

    design: Design
    problems: tuple[Problem, ...] = ()
    misspelt: frozenset[str] = frozenset()
    decisions: tuple[Decision, ...] = ()
    warnings: tuple[Problem, ...] = ()
    directory: str = ""


def absolute(text: str, here: Path) -> str:
    """The path, relative to ``here``; symbolic links stay, and an empty text stays empty."""
    if not text:
        return text
    return Text(os.path.abspath(here / expanded(text)), place_of(text))  # noqa: PTH100  resolves no links


def with_absolute_paths(design: Design, here: Path) -> Design:
    """The design with absolute paths of models, data sets, scripts and weights."""

    def at(text: str) -> str:
        return absolute(text, here)

    def values(texts: Mapping[str, str]) -> Mapping[str, str]:
        if "dataset" in texts:
            return {**texts, "dataset": at(texts["dataset"])}
        return texts

    def levels(factor: Factor) -> Factor:
        if factor.key == "dataset":
            return replace(factor, levels=tuple(map(at, factor.levels)))
        return factor

    def located(task: EvaluationTask) -> EvaluationTask:
        # A name without an ending is not a file: a benchmark, or a task of a package.
        script = at(task.script) if Path(task.script).suffix else task.script
        return replace(task, script=script, dataset=at(task.dataset or "") or None)

    def model(item: Model) -> Model:
        return replace(item, path=at(item.path))

    def listed(run: ListedRun) -> ListedRun:
        return replace(run, values=values(run.values))

    def weights(item: EvalOnly) -> EvalOnly:
        return replace(item, checkpoint=at(item.checkpoint))

    return replace(
        design,
        models=tuple(map(model, design.models)),
        dataset=at(design.dataset),
        tasks=tuple(map(located, design.tasks)),
        factors=tuple(map(levels, design.factors)),
        base=values(design.base),
        listed=tuple(map(listed, design.listed)),
        exclusions=tuple(map(values, design.exclusions)),
        eval_only=tuple(map(weights, design.eval_only)),
        settings=values(design.settings),
    )
