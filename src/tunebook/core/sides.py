"""The sides of a hypothesis: the runs of a plan that a name, a model, a setting or a level stands for."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from tunebook.core.hypotheses import Side, Term, TermKind
from tunebook.core.hypothesis_grammar import HypothesisError
from tunebook.core.naming import run_directories, run_labels
from tunebook.core.parameters import Kind, Parameter, suggestion
from tunebook.core.plan import Plan, Run, RunType
from tunebook.core.plan.settings import effective

__all__ = ["Sides", "side_text"]

_Names = tuple[str, ...]


def side_text(side: Side) -> str:
    """A side as a person would write it."""
    return ", ".join(map(str, side))


class Sides:
    """Finds the runs of sides in one plan.

    Attributes:
        runs: the plan's runs by name.
        directories: run name to the name of its directory.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.runs: Mapping[str, Run] = {run.name: run for run in plan.runs}
        self.directories = run_directories(plan)
        self._labels = run_labels(plan)

    def runs_of(self, side: Side) -> _Names:
        """The runs of a side: those that all its terms have; only the trained ones, unless it says otherwise."""
        runs = self.having(side)
        kinds = {term.kind for term in side}
        names = {*runs, *map(self.directories.get, runs)}
        is_exact = TermKind.RUN in kinds or any(term.name in names for term in side)
        trained = tuple(name for name in runs if self.runs[name].type is RunType.FINE_TUNED)
        if TermKind.BASE in kinds or is_exact or not trained:
            return runs
        return trained

    def having(self, side: Side) -> _Names:
        """The runs that all terms of a side have, trained or not."""
        runs = tuple(self.runs)
        for term in side:
            own = set(self._term(term))
            runs = tuple(name for name in runs if name in own)
        if not runs:
            raise HypothesisError(f"no run is `{side_text(side)}`", "name a combination that the plan has")
        return runs

    def _term(self, term: Term) -> _Names:
        plan = self._plan
        if term.kind is TermKind.BASE:
            return tuple(run.name for run in plan.runs if run.type is RunType.CONTROL)
        if term.kind is TermKind.RUN:
            return self._run(term.name)
        if term.kind is TermKind.MODEL:
            return self._model(term.name)
        if term.kind is TermKind.SETTING:
            return self._setting(term)
        if term.kind is TermKind.TASK:
            raise HypothesisError(f"`{term}` is a task where runs are needed", "write `on TASK` at the end")
        return self._name(term.name)

    def _run(self, name: str) -> _Names:
        found = tuple(run for run in self.runs if name in {run, self.directories[run]})
        if not found:
            raise HypothesisError(f"the plan has no run `{name}`", suggestion(name, self.runs))
        return found

    def _model(self, name: str) -> _Names:
        models = list(dict.fromkeys(run.model for run in self._plan.runs))
        found = [model for model in models if model.lower() == name.lower()]
        if not found:
            raise HypothesisError(f"no run has the model `{name}`", suggestion(name, models))
        return tuple(run.name for run in self._plan.runs if run.model == found[0])

    def _parameter(self, term: Term) -> Parameter:
        parameter = self._plan.parameters.by_name(term.name)
        if parameter is None:
            hint = self._plan.parameters.suggest(term.name, varying=True)
            raise HypothesisError(f"unknown setting `{term.name}`", hint)
        return parameter

    def _setting(self, term: Term) -> _Names:
        parameter = self._parameter(term)
        try:
            value = term.value if parameter.kind is Kind.LITERAL else parameter.convert(term.value)
        except ValueError as error:
            raise HypothesisError(str(error), f"write `{parameter.key} = VALUE`") from None
        runs = self._plan.fine_tuned
        found = tuple(run.name for run in runs if effective(self._plan, run, parameter.key) == value)
        if not found:
            levels = dict.fromkeys(str(effective(self._plan, run, parameter.key)) for run in runs)
            message = f"no fine-tuned run has {parameter.column} {term.value}"
            raise HypothesisError(message, f"the runs have {', '.join(levels)}")
        return found

    def _name(self, name: str) -> _Names:
        """The runs that a name alone means: a run, a model, a level of a factor, or its short name."""
        candidates = self.candidates(name)
        if not candidates:
            known = [*self.runs, *self.directories.values(), *chain.from_iterable(self._labels.values())]
            known += [model.name for model in self._plan.models] + [task.name for task in self._plan.tasks]
            message = f"the plan has no run, model, level or task `{name}`"
            raise HypothesisError(message, suggestion(name, dict.fromkeys(known)))
        if len({runs for _, _, runs in candidates}) > 1:
            words = " or ".join(f"`{how}`" for how, _, _ in candidates)
            raise HypothesisError(f"`{name}` may mean several things", f"write {words}")
        return candidates[0][2]

    def candidates(self, name: str) -> list[tuple[str, str, _Names]]:
        """The meanings of a name: how to write it without doubt, the key of the setting that it gives, and its runs."""
        found: list[tuple[str, str, _Names]] = []
        runs = tuple(run for run in self.runs if name in {run, self.directories[run]})
        if runs:
            found.append((f"run {name}", "", runs))
        models = {run.model for run in self._plan.runs if run.model.lower() == name.lower()}
        if models:
            found.append((f"model {name}", "model", self._model(name)))
        for parameter in self._plan.parameters.rows:
            if parameter.key not in self._plan.columns:
                continue
            texts = {run.name: self._plan.setting(run, parameter.key) for run in self._plan.fine_tuned}
            ways = {name, name.removeprefix(parameter.short)}
            own = tuple(run for run, text in texts.items() if text is not None and text.text in ways)
            if own and own not in [each for _, _, each in found]:
                level = next(text.text for run, text in texts.items() if text is not None and run in own)
                found.append((f"{parameter.key} = {level}", parameter.key, own))
        return found

    def settings_of(self, side: Side) -> frozenset[str]:
        """The keys of the settings that a side says; the sides differ in them on purpose."""
        keys = set()
        for term in side:
            if term.kind is TermKind.SETTING:
                keys.add(self._parameter(term).key)
            elif term.kind is TermKind.MODEL:
                keys.add("model")
            elif term.kind is TermKind.NAME:
                keys |= {key for _, key, _ in self.candidates(term.name) if key}
        return frozenset(keys)
