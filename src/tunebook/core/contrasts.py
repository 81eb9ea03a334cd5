"""Contrasts: what the sides of a hypothesis stand for in a plan, and what is wrong with them.

A side stands for runs; both sides are compared within each combination of the other factors' levels that both have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from tunebook.core.hypotheses import Hypothesis, Side, Term, TermKind
from tunebook.core.hypothesis_grammar import HypothesisError
from tunebook.core.measures import is_error, is_share
from tunebook.core.parameters import suggestion
from tunebook.core.plan import EvaluationTask, Plan, Run, RunType
from tunebook.core.plan.settings import effective, evaluations
from tunebook.core.sides import Sides, side_text
from tunebook.errors import Problem

__all__ = ["Cell", "Contrast", "check_hypotheses", "resolve"]

_Names = tuple[str, ...]
_MODEL = "model"


@dataclass(frozen=True)
class Cell:
    """The runs of both sides that have the same levels of all other factors; on each side they differ by seed only."""

    left: _Names
    right: _Names


@dataclass(frozen=True)
class Contrast:
    """A hypothesis with what its sides stand for in a plan.

    Attributes:
        cells: at least one.
        task: of the left side; ``other_task`` of the right one is the same, unless tasks are compared.
        left_out: runs that have no partner with the same levels of the other factors.
        confounded: other settings in which the two sides differ throughout, by their columns.
    """

    hypothesis: Hypothesis
    cells: tuple[Cell, ...]
    task: str
    other_task: str
    left_out: _Names = ()
    confounded: tuple[str, ...] = ()

    @property
    def is_of_tasks(self) -> bool:
        """Whether two tasks are compared, which have no samples in common."""
        return self.task != self.other_task


def check_hypotheses(plan: Plan) -> Iterator[Problem]:
    """Every hypothesis that the plan cannot decide, and why."""
    if plan.unreadable or not plan.runs:
        return
    for hypothesis in plan.hypotheses:
        try:
            resolve(plan, hypothesis)
        except HypothesisError as error:
            yield Problem(f"{_label(hypothesis)}: {error}", plan.file, hypothesis.line or None, error.hint)


def _label(hypothesis: Hypothesis) -> str:
    return f"hypothesis `{hypothesis.name or hypothesis.contrast}`"


def resolve(plan: Plan, hypothesis: Hypothesis) -> Contrast:
    """The contrast that a hypothesis means in this plan.

    Raises:
        HypothesisError: the plan has no such thing, or several.
    """
    resolver = _Resolver(plan)
    _check_measure(plan, hypothesis)
    left, right = (resolver.task_of(side) for side in (hypothesis.left, hypothesis.right))
    if left is not None or right is not None:
        return resolver.of_tasks(hypothesis, left, right)
    return resolver.of_runs(hypothesis)


def _check_measure(plan: Plan, hypothesis: Hypothesis) -> None:
    """The margin's unit must be that of the measure, as far as its name says what it is."""
    named = [task.measure for task in plan.tasks if hypothesis.task.lower() in {"", task.name.lower()}]
    measure = hypothesis.measure or (named[0] if len(named) == 1 else "")
    margin = hypothesis.margin
    if margin is None or not measure:
        return
    if margin.in_points and is_error(measure):
        message = f"the margin `{margin.text}` is in points, but `{measure}` is a number and not a share"
        raise HypothesisError(message, "write the margin in the measure's own unit, without `points`")
    if not margin.in_points and is_share(measure) and abs(margin.value) >= 1:
        message = f"the margin `{margin.text}` is 1 or more, but `{measure}` is a share between 0 and 1"
        raise HypothesisError(message, f"write `{margin.text} points`")


class _Resolver:
    """Finds runs and tasks of one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._sides = Sides(plan)
        self._runs = self._sides.runs

    @cached_property
    def _evaluated(self) -> frozenset[tuple[str, str]]:
        return frozenset((item.run, item.task) for item in evaluations(self._plan))

    # --- tasks -----------------------------------------------------------------------------------------------------

    def task_of(self, side: Side) -> EvaluationTask | None:
        """The task that a side is; ``None`` if it stands for runs."""
        tasks = [term for term in side if self._is_task(term)]
        if not tasks:
            return None
        if len(side) > 1:
            hint = "compare `task A > task B for RUN`"
            raise HypothesisError(f"`{side_text(side)}` has a task and something else", hint)
        return self._task(tasks[0].name)

    def _is_task(self, term: Term) -> bool:
        if term.kind is not TermKind.NAME:
            return term.kind is TermKind.TASK
        names = {task.name.lower() for task in self._plan.tasks}
        return term.name.lower() in names and not self._sides.candidates(term.name)

    def _task(self, name: str) -> EvaluationTask:
        for task in self._plan.tasks:
            if task.name.lower() == name.lower():
                return task
        names = [task.name for task in self._plan.tasks]
        raise HypothesisError(f"the plan has no task `{name}`", suggestion(name, names))

    def _single_task(self, hypothesis: Hypothesis) -> EvaluationTask:
        tasks = self._plan.tasks
        if hypothesis.task:
            return self._task(hypothesis.task)
        if not tasks:
            raise HypothesisError("the plan has no evaluation task", "add one to `### Evaluation Tasks`")
        if len(tasks) > 1:
            names = ", ".join(task.name for task in tasks)
            raise HypothesisError("it names no task, and the plan has several", f"add `on TASK` with one of: {names}")
        return tasks[0]

    def of_tasks(self, hypothesis: Hypothesis, left: EvaluationTask | None, right: EvaluationTask | None) -> Contrast:
        """A contrast of two tasks for the same runs."""
        if left is None or right is None:
            raise HypothesisError("one side is a task and the other is not", "compare two tasks, or two sets of runs")
        if left is right:
            raise HypothesisError("both sides are the same task", "compare two different tasks")
        if hypothesis.task:
            raise HypothesisError("it compares tasks and has `on`", "leave out `on`; write `for RUN` to limit the runs")
        runs = tuple(run.name for run in self._plan.fine_tuned or self._plan.runs)
        if hypothesis.only:
            runs = self._sides.runs_of(hypothesis.only)
        for task in (left, right):
            self._check_evaluated(runs, task.name)
        cells = tuple(Cell(own, own) for own in self._by_levels(runs, frozenset()).values())
        return Contrast(hypothesis, cells, left.name, right.name)

    # --- runs ------------------------------------------------------------------------------------------------------

    def of_runs(self, hypothesis: Hypothesis) -> Contrast:
        """A contrast of two sets of runs on one task."""
        task = self._single_task(hypothesis)
        bases = [_is_base(side) for side in (hypothesis.left, hypothesis.right)]
        if all(bases):
            raise HypothesisError("both sides are the base model", "compare two different sides")
        if any(bases):
            cells = self._with_bases(hypothesis, base_is_left=bases[0])
            found = Contrast(hypothesis, cells, task.name, task.name)
        else:
            left, right = self._limited(hypothesis, hypothesis.left), self._limited(hypothesis, hypothesis.right)
            self._check_sides(hypothesis, left, right)
            found = self._matched(hypothesis, left, right, task.name)
        for cell in found.cells:
            self._check_evaluated((*cell.left, *cell.right), task.name)
        return found

    def _limited(self, hypothesis: Hypothesis, side: Side) -> _Names:
        """The runs of a side that ``for`` leaves."""
        runs = self._sides.runs_of(side)
        if not hypothesis.only:
            return runs
        allowed = set(self._sides.having(hypothesis.only))
        kept = tuple(name for name in runs if name in allowed)
        if not kept:
            message = f"`for {side_text(hypothesis.only)}` leaves no run of `{side_text(side)}`"
            raise HypothesisError(message, "name something that runs of both sides have")
        return kept

    def _check_sides(self, hypothesis: Hypothesis, left: _Names, right: _Names) -> None:
        one, other = side_text(hypothesis.left), side_text(hypothesis.right)
        if set(left) == set(right):
            message = f"`{one}` and `{other}` are the same runs: {_listed(left)}"
            raise HypothesisError(message, "compare two different sides")
        both = [name for name in left if name in right]
        if both:
            message = f"`{one}` and `{other}` have runs in common: {_listed(both)}"
            raise HypothesisError(message, "compare sides without a common run")
        if not self._are_exact(hypothesis) and self._are_trained(left) != self._are_trained(right):
            message = f"`{one}` and `{other}` are not alike: one is fine-tuned, the other is not"
            raise HypothesisError(message, "name the runs, or write `model NAME, base` for a base model")

    def _are_exact(self, hypothesis: Hypothesis) -> bool:
        """Whether a side names its runs one by one, or asks for base models."""
        kinds = {term.kind for side in (hypothesis.left, hypothesis.right) for term in side}
        names = [term.name for side in (hypothesis.left, hypothesis.right) for term in side]
        known = {*self._runs, *self._sides.directories.values()}
        return not kinds.isdisjoint({TermKind.RUN, TermKind.BASE}) or not known.isdisjoint(names)

    def _are_trained(self, names: _Names) -> bool:
        return all(self._runs[name].type is RunType.FINE_TUNED for name in names)

    def _with_bases(self, hypothesis: Hypothesis, *, base_is_left: bool) -> tuple[Cell, ...]:
        """The runs of a side, each combination against the base model of its own."""
        side = hypothesis.right if base_is_left else hypothesis.left
        runs = self._limited(hypothesis, side)
        controls = {run.model: run.name for run in reversed(self._plan.runs) if run.type is RunType.CONTROL}
        cells = []
        for own in self._by_levels(runs, frozenset()).values():
            model = self._runs[own[0]].model
            base = controls.get(model)
            if base is None:
                hint = f"add a run of type `Control` with the model `{model}`"
                raise HypothesisError(f"the plan evaluates no base model of `{side_text(side)}`", hint)
            if base in own:
                raise HypothesisError(f"`{side_text(side)}` is the base model itself", "compare two different sides")
            cells.append(Cell((base,), own) if base_is_left else Cell(own, (base,)))
        return tuple(cells)

    def _matched(self, hypothesis: Hypothesis, left: _Names, right: _Names, task: str) -> Contrast:
        """The combinations of the other factors' levels that both sides have."""
        if len(left) == len(right) == 1 and self._are_exact(hypothesis):
            return Contrast(hypothesis, (Cell(left, right),), task, task)
        if self._are_trained(left) != self._are_trained(right):
            return Contrast(hypothesis, self._against_untrained(hypothesis, left, right), task, task)
        said = self._sides.settings_of(hypothesis.left) | self._sides.settings_of(hypothesis.right)
        differing = self._differing(left, right)
        ours, theirs = (self._by_levels(side, differing) for side in (left, right))
        common = [levels for levels in ours if levels in theirs]
        if not common:
            sides = f"`{side_text(hypothesis.left)}` and `{side_text(hypothesis.right)}`"
            hint = "limit both sides with `for`, or plan runs that differ in nothing else"
            raise HypothesisError(f"{sides} have no combination of the other factors' levels in common", hint)
        cells = tuple(Cell(ours[levels], theirs[levels]) for levels in common)
        used = {name for cell in cells for name in (*cell.left, *cell.right)}
        left_out = tuple(name for name in (*left, *right) if name not in used)
        return Contrast(hypothesis, cells, task, task, left_out, tuple(self._columns(differing - said)))

    def _against_untrained(self, hypothesis: Hypothesis, left: _Names, right: _Names) -> tuple[Cell, ...]:
        """Each combination of the trained side against the one model of the other side."""
        untrained = right if self._are_trained(left) else left
        if len(untrained) > 1:
            sides = f"`{side_text(hypothesis.left)}` and `{side_text(hypothesis.right)}`"
            message = f"{sides} compare fine-tuned runs with several models that are not trained here"
            raise HypothesisError(message, "name one of them with `run NAME`, or write `base` for each run's own")
        if untrained is right:
            return tuple(Cell(own, right) for own in self._by_levels(left, frozenset()).values())
        return tuple(Cell(left, own) for own in self._by_levels(right, frozenset()).values())

    def _differing(self, left: _Names, right: _Names) -> frozenset[str]:
        """The keys of all settings, and of the model, that have one value on each side, but not the same."""
        found = set()
        for key in (_MODEL, *self._plan.columns):
            ours, theirs = ({self._level(self._runs[name], key) for name in side} for side in (left, right))
            if key != "seed" and len(ours) == len(theirs) == 1 and ours != theirs:
                found.add(key)
        return frozenset(found)

    def _level(self, run: Run, key: str) -> object:
        return run.model if key == _MODEL else effective(self._plan, run, key)

    def _columns(self, keys: frozenset[str]) -> Iterator[str]:
        for key in (_MODEL, *self._plan.columns):
            if key in keys:
                yield "Model" if key == _MODEL else self._plan.parameters.by_key(key).column

    def _by_levels(self, names: Sequence[str], without: frozenset[str]) -> dict[tuple[object, ...], _Names]:
        """The runs by their model and the levels of what varies, apart from seeds and these keys."""
        keys = [key for key in (_MODEL, *self._plan.columns) if key != "seed" and key not in without]
        found: dict[tuple[object, ...], _Names] = {}
        for name in names:
            run = self._runs[name]
            levels = tuple(self._level(run, key) for key in keys)
            if run.type is RunType.EVAL_ONLY:
                levels = (name,)
            found[levels] = (*found.get(levels, ()), name)
        return found

    def _check_evaluated(self, names: Sequence[str], task: str) -> None:
        missing = [name for name in names if (name, task) not in self._evaluated]
        if missing:
            message = f"{_listed(missing)} {'is' if len(missing) == 1 else 'are'} not evaluated in task `{task}`"
            raise HypothesisError(message, "mark the evaluation in the matrix, or name another task with `on`")


def _is_base(side: Side) -> bool:
    """Whether a side is the other side's own base model."""
    return len(side) == 1 and side[0].kind is TermKind.BASE


def _listed(names: Sequence[str]) -> str:
    most = 4
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"`{name}`" for name in names[:most]) + more
