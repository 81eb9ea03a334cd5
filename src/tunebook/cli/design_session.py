"""Asks on a terminal for the missing parts of a design; every answer is the value of an option."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tunebook import api
from tunebook.cli.asking import answered, confirmed, fitted
from tunebook.cli.design_show import show_design
from tunebook.cli.output import console

__all__ = ["ask_answers", "ask_directory", "ask_write"]

_OTHER = "another path …"


def ask_answers(sources: api.DesignSources) -> api.DesignSources:
    """The sources with answers for the missing parts, and for the usual decisions that they leave open."""
    return _Session(sources).ask()


class _Session:
    """The options, with one answer more after each question."""

    def __init__(self, sources: api.DesignSources) -> None:
        self._sources = sources
        self.answers = {name: list(texts) for name, texts in sources.options.items()}

    def read(self) -> api.DesignInputs:
        return api.read_inputs(replace(self._sources, options=self.answers))

    def ask(self) -> api.DesignSources:
        missing = api.missing_answers(self.read())
        if missing:
            console().print("Enter takes the answer that is shown; Ctrl-C leaves without writing anything.\n")
            self._resources(missing)
            self._factors()
            self._parameters()
            self._prompts()
            self._epochs_and_seeds()
            self._hypotheses()
        return replace(self._sources, options=self.answers)

    def _resources(self, missing: tuple[str, ...]) -> None:
        found = api.suggestions()
        if "question" in missing:
            self.answers["question"] = [_text("The scientific question, in a sentence?", needed=True)]
        if "model" in missing:
            self.answers["model"] = _models(found.models)
        if "dataset" in missing:
            paths = [path for path, _ in found.datasets]
            self.answers["dataset"] = [_choice("The data set?", paths, dict(found.datasets))]
        if "task" in missing:
            self.answers["task"] = [_choice("The evaluation task? SCRIPT.py or SCRIPT.py@task", list(found.tasks))]

    def _factors(self) -> None:
        design = self.read().design
        if design.is_trained and not design.factors and not design.listed:
            self._each("factor", "What varies? Such as lora_rank=8,16 (empty: nothing)", "What else varies?", "nothing")
            self._combination()

    def _each(self, name: str, question: str, others: str, nothing: str) -> None:
        """Asks for one occurrence of an option after the other, until an answer is empty."""

        def check(text: str) -> Any:
            return not text or api.answer_problem(name, text, beside=self.answers) or True

        while text := _text(question, check=check):
            self.answers.setdefault(name, []).append(text)
            question = f"{others} (empty: {nothing})"

    def _combination(self) -> None:
        """How several factors are combined."""
        import questionary

        if len(self.answers.get("factor", ())) > 1 and "combine" not in self.answers:
            ways = [questionary.Choice("all combinations", "factorial")]
            ways += [questionary.Choice("one factor at a time, around each factor's first level", "one-at-a-time")]
            self.answers["combine"] = [str(answered(questionary.select("How are they combined?", ways)))]
            if self.answers["combine"] == ["factorial"] and "exclude" not in self.answers:
                message = "Combinations to leave out? Such as rank=64,lr=5e-5 (empty: none)"
                self._each("exclude", message, "Others to leave out?", "none")

    def _parameters(self) -> None:
        """Parameters that every training needs and that nothing gives yet."""
        for key in api.missing_answers(self.read()):
            if key in api.DEFAULTS:
                column = api.every_parameter().by_key(key).column
                text = _text(f"{column}?", api.DEFAULTS[key], check=_problem("set", f"{key}="))
                self.answers.setdefault("set", []).append(f"{key}={text}")

    def _prompts(self) -> None:
        """The prompts, unless they were given."""
        given = _given(self.read().design)
        if "system_prompt" not in given:
            self.answers["system-prompt"] = [_text("The system prompt, for training and evaluation? (empty: none)")]
        if "prompt" not in given:
            message = "The prompt, with {input} where the example's input goes?"
            self.answers["prompt"] = [_text(message, "{input}", check=_holds_input)]

    def _epochs_and_seeds(self) -> None:
        """How often each combination is trained and which epochs are evaluated, unless this was given."""
        design = self.read().design
        if not design.is_trained:
            return
        if not design.seeds and design.replicates is None and "seed" not in _given(design):
            message = "How many runs of each combination, with different seeds?"
            self.answers["replicates"] = [_text(message, "1", check=_problem("replicates"))]
        if not design.epochs and design.settings.get("epochs") != "1":
            message = "Which epochs are evaluated: last, all, or zero-based ones such as 0,2?"
            self.answers["evaluate-epochs"] = [_text(message, "last", check=_problem("evaluate-epochs"))]

    def _hypotheses(self) -> None:
        """What the person expects, while no result can have an influence on it."""
        if not self.read().design.hypotheses:
            message = "What do you expect? Such as H1: lora_rank = 64 > lora_rank = 8 (empty: nothing)"
            self._each("hypothesis", message, "Anything else?", "nothing")


def _given(design: api.Design) -> set[str]:
    """The keys of the parameters that have a value or levels."""
    return {*design.settings, *design.factor_keys}


def _models(known: tuple[str, ...]) -> list[str]:
    import questionary

    models: list[str] = []
    if known:
        question = questionary.checkbox(
            "Which models?", [*known, _OTHER], validate=lambda picked: bool(picked) or "choose at least one"
        )
        chosen: list[str] = answered(question)
        models = [path for path in chosen if path != _OTHER]
        if _OTHER not in chosen:
            return models
    own = _text("The model: a directory, or NAME=PATH?", needed=True, path=True, check=_problem("model"))
    return [*models, own]


def _choice(message: str, known: list[str], words: dict[str, str] | None = None) -> str:
    """One of what was found, or another path."""
    import questionary

    if known:
        described = [questionary.Choice(f"{path}  {(words or {}).get(path, '')}".rstrip(), path) for path in known]
        chosen = str(answered(questionary.select(fitted(message), [*described, _OTHER])))
        if chosen != _OTHER:
            return chosen
    return _text(message, needed=True, path=True)


def _text(
    message: str,
    default: str = "",
    *,
    needed: bool = False,
    path: bool = False,
    check: Callable[[str], Any] = lambda _: True,
) -> str:
    """A text; with ``path``, the tabulator completes names of files."""
    import questionary

    kind = questionary.path if path else questionary.text

    def validate(text: str) -> Any:
        return "an answer is needed" if needed and not text.strip() else check(text)

    return str(answered(kind(fitted(message), default=default, validate=validate))).strip()


def _problem(name: str, start: str = "") -> Callable[[str], Any]:
    """Checks the value of an option, which has this start."""
    return lambda text: api.answer_problem(name, start + text) or True


def _holds_input(text: str) -> Any:
    return "{input}" in text or "it must contain {input}: otherwise all examples would be the same text"


def ask_directory(inputs: api.DesignInputs) -> Path:
    """The experiment's directory."""
    name = inputs.design.name or api.experiment_name(inputs.design)
    return Path(_text("The experiment's directory?", default=name, needed=True))


def ask_write(report: api.DesignReport) -> bool:
    """Shows the plan or its changes, and asks whether to write."""
    show_design(report, dry_run=False)
    question = "Write these changes to the plan?" if report.before is not None else "Write the plan?"
    return confirmed(question)
