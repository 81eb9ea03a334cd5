"""A design as a value: everything that a person decides, as texts in the way they were written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from tunebook.core.parameters import ParameterTable
from tunebook.core.plan import Tools
from tunebook.tools.parameters import installed_parameters

__all__ = [
    "MODEL",
    "MOST_RUNS",
    "Combine",
    "Control",
    "Design",
    "DesignModel",
    "DesignTask",
    "EvalOnly",
    "Factor",
    "ListedRun",
    "MatrixRule",
]

MODEL = "model"
"""The key of the factor that is no parameter."""

MOST_RUNS = 20_000
"""More runs than this are a mistake."""


class Combine(Enum):
    """How the levels of several factors make runs."""

    FACTORIAL = "factorial"
    ONE_AT_A_TIME = "one-at-a-time"


@dataclass(frozen=True)
class DesignModel:
    """A model; an empty ``path`` is the site's models directory and the name."""

    name: str
    path: str = ""


@dataclass(frozen=True)
class DesignTask:
    """An evaluation task; ``function`` is the task in the script, needed where it holds several."""

    name: str
    script: str
    function: str | None = None
    dataset: str | None = None
    description: str = ""


@dataclass(frozen=True)
class Factor:
    """A parameter's key (or :data:`MODEL`) and its levels, as they were written (``1e-5``)."""

    key: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class ListedRun:
    """A run that is given by itself.

    Attributes:
        values: a parameter's key, or :data:`MODEL`, to its text; what is left out is the design's setting.
        name: empty for a name by convention.
    """

    values: Mapping[str, str]
    name: str = ""


@dataclass(frozen=True)
class Control:
    """A base model that is evaluated without training; an empty ``name`` is ``{model}_base``."""

    model: str
    name: str = ""


@dataclass(frozen=True)
class EvalOnly:
    """Weights that are evaluated as they are."""

    name: str
    checkpoint: str
    model: str = ""


@dataclass(frozen=True)
class MatrixRule:
    """Runs and tasks as globs; ``epochs`` is ``last``, ``all``, zero-based epochs (``0,2``) or ``-`` for "not"."""

    run: str
    task: str
    epochs: str


@dataclass(frozen=True)
class Design:
    """Everything that a person decides; what is left empty has a default or is asked for.

    Attributes:
        name: the experiment's; empty for one out of task, factors and date.
        dataset: its path; a directory, or a JSON, JSONL or Parquet file.
        base: for ``one-at-a-time``: key to the level around which the others vary; else each factor's first level.
        paired: groups of factors whose levels go together, first with first: they count as one factor.
        listed: runs that are given one by one; together with factors they are added to those.
        sample: how many of all combinations are drawn at random; ``None`` takes all.
        seeds: one replicate of every combination for each; beats ``replicates``.
        replicates: this many seeds, from the design's seed upwards.
        exclusions: combinations that have all of these values are left out; key to text.
        train: whether anything is trained; without, only controls and eval-only runs are.
        controls: ``None`` is every model that is trained.
        settings: parameter's key to its text: what holds for every run.
        epochs: which epochs are evaluated: ``last``, ``all``, or zero-based ones.
        matrix: exceptions from "every run gets every task at ``epochs``"; later rules win.
        notes: texts for the end of the page, such as what another plan said that has no place here.
        run_names: names that stay as they were, by the run's identity; see :func:`tunebook.design.runs.identity`.
        level_order: for listed runs: key to its levels, in the order in which ``## Variables`` shows them.
        run_notes: run name to its remark, and likewise ``matrix_notes`` in the evaluation matrix.
    """

    question: str = ""
    name: str = ""
    preparation: str = "torchtune"
    evaluation: str = "inspect-ai"
    models: tuple[DesignModel, ...] = ()
    dataset: str = ""
    dataset_format: str = ""
    tasks: tuple[DesignTask, ...] = ()
    factors: tuple[Factor, ...] = ()
    combine: Combine = Combine.FACTORIAL
    base: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    paired: tuple[tuple[str, ...], ...] = ()
    listed: tuple[ListedRun, ...] = ()
    sample: int | None = None
    sample_seed: int = 14
    seeds: tuple[str, ...] = ()
    replicates: int = 1
    exclusions: tuple[Mapping[str, str], ...] = ()
    train: bool = True
    controls: tuple[Control, ...] | None = None
    eval_only: tuple[EvalOnly, ...] = ()
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    epochs: str = "last"
    matrix: tuple[MatrixRule, ...] = ()
    notes: tuple[str, ...] = ()
    run_names: Mapping[tuple[str, ...], str] = field(default_factory=lambda: MappingProxyType({}))
    level_order: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    run_notes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    matrix_notes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def parameters(self) -> ParameterTable:
        """The parameters of the tools."""
        return installed_parameters(Tools(self.preparation, self.evaluation))

    def column(self, key: str) -> str:
        """The plan's name of a parameter or of the model."""
        return "Model" if key == MODEL else self.parameters.by_key(key).column

    def factor(self, key: str) -> Factor | None:
        """The factor of this key, if there is one."""
        return next((factor for factor in self.factors if factor.key == key), None)
