"""Tries the data of a plan's trainings with each model's chat template and tokenizer, before any job does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import effective
from tunebook.errors import Problem
from tunebook.tools.base import Context, Findings
from tunebook.tools.datasets import DatasetFacts, SplitFacts
from tunebook.tools.light_tokenizer import LightTokenizer, TokenizerUnavailableError
from tunebook.tools.model_facts import ModelFacts, context_length
from tunebook.tools.plan_inputs import model_path
from tunebook.tools.rendering import Rendering, render_sample
from tunebook.tools.runtime.chat import instruct_messages, render_plain_text, render_prompt
from tunebook.tools.runtime.examples import Part, cut_message, example_parts

__all__ = ["first_example", "first_prompt", "rendering_findings"]


def first_example(
    facts: DatasetFacts | None, model: ModelFacts | None, *, system_prompt: str, prompt: str
) -> tuple[Part, ...]:
    """The first training example as the model sees it; empty if it cannot be rendered here."""
    train = facts.parts.get("train") if facts else None
    if train is None or not train.sample or model is None:
        return ()
    try:
        tokenizer = LightTokenizer(model.directory)
        return tuple(example_parts(tokenizer, train.sample[0][1], system_prompt=system_prompt, prompt=prompt))
    except (TokenizerUnavailableError, OSError, ValueError):
        return ()


def first_prompt(
    facts: DatasetFacts | None,
    model: ModelFacts | None,
    *,
    system_prompt: str,
    prompt: str,
    is_plain_text: bool = False,
) -> str:
    """The first prompt of the test split as the model sees it; empty if it cannot be rendered here.

    Args:
        is_plain_text: whether the model is asked without a chat template, as in a training on plain text.
    """
    test = facts.parts.get("test") if facts else None
    if test is None or not test.sample or model is None or "input" not in test.sample[0][1]:
        return ""
    messages = instruct_messages(system_prompt, prompt, test.sample[0][1]["input"])
    render = render_plain_text if is_plain_text else render_prompt
    try:
        return render(LightTokenizer(model.directory), messages)
    except (TokenizerUnavailableError, OSError, ValueError):
        return ""


@dataclass(frozen=True)
class _Setting:
    """The settings that decide how an example is rendered and how long it may be."""

    model: str
    system_prompt: str
    prompt: str
    max_seq_len: int | None
    splits: tuple[str, ...]


def rendering_findings(
    context: Context, facts: DatasetFacts, runs: Sequence[Run], line: int | None, *, ignores_windows: bool
) -> Findings:
    """The examples that a template refuses or a sequence length cuts, once for each different setting.

    Args:
        ignores_windows: whether the training attends to all tokens, also where the model has a window.
    """
    found = Findings()
    for setting in dict.fromkeys(_setting(context, run) for run in runs):
        model = context.models.get(setting.model)
        if model is None or model.flaws:
            continue
        trial = _Trial(context.plan, str(context.experiment), setting, model, line, ignores_windows)
        for split in setting.splits:
            part = facts.parts.get(split)
            if part is not None and part.sample:
                found += trial.findings(split, part)
    return found


def _setting(context: Context, run: Run) -> _Setting:
    plan = context.plan
    length = effective(plan, run, "max_seq_len")
    prompt = effective(plan, run, "prompt")
    return _Setting(
        model=model_path(plan, context.site, run),
        system_prompt=str(effective(plan, run, "system_prompt") or ""),
        prompt="{input}" if prompt is None else str(prompt),
        max_seq_len=length if isinstance(length, int) else None,
        splits=("train", "validation") if effective(plan, run, "run_val_every_n_steps") else ("train",),
    )


@dataclass(frozen=True)
class _Trial:
    """One setting tried with its model.

    Attributes:
        root: the experiment's directory, which messages leave out of paths.
        line: the data set's line in the plan.
    """

    plan: Plan
    root: str
    setting: _Setting
    model: ModelFacts
    line: int | None
    ignores_windows: bool

    @property
    def reads(self) -> int | None:
        """The most tokens that the model reads."""
        return context_length(self.model.config or {}, ignores_windows=self.ignores_windows)

    def findings(self, split: str, part: SplitFacts) -> Findings:
        setting, reads = self.setting, self.reads
        if setting.max_seq_len and reads and setting.max_seq_len > reads:
            message = f"Max Sequence Length is {setting.max_seq_len}, but {setting.model} reads {reads} tokens at most"
            return Findings((self._problem("max_seq_len", message, f"write {reads} or fewer"),))
        rendering = render_sample(
            part.sample,
            self.model.directory,
            system_prompt=setting.system_prompt,
            prompt=setting.prompt,
            limit=setting.max_seq_len or reads,
        )
        if rendering.unverified:
            message = f"the examples of {split} could not be tried with {setting.model}: {rendering.unverified}"
            return Findings(warnings=(self._problem("", message, "the training tries all of them when it starts"),))
        refused = tuple(self._refusals(rendering))
        if not rendering.too_long:
            return Findings(refused)
        if not setting.max_seq_len:
            return Findings((*refused, self._beyond_the_model(rendering, part)))
        cut = self._cut(rendering, part)
        if "text" in part.sample[0][1]:  # a plain text has no answer whose end could be missing
            return Findings(refused, (cut,))
        return Findings((*refused, cut))

    def _refusals(self, rendering: Rendering) -> Iterator[Problem]:
        if not rendering.refused:
            return
        first = rendering.refusal.replace(f"{self.root}/", "")
        message = f"{rendering.refused} of {rendering.rendered} examples cannot be trained with {self.setting.model}"
        message = f"{message}: {first}"
        if self.setting.system_prompt and "system" in first.lower():
            hint = "write `- **System Prompt:** none`, and put its words into the prompt"
            yield self._problem("system_prompt", message, hint)
        else:
            yield self._problem("", message, "")

    def _cut(self, rendering: Rendering, part: SplitFacts) -> Problem:
        limit = self.setting.max_seq_len or 0
        cut = cut_message(rendering.too_long, part.examples, limit=limit, longest=rendering.longest)
        message, _, hint = cut.partition(": ")
        return self._problem("max_seq_len", f"{self._first(rendering)}: {message}", hint)

    def _beyond_the_model(self, rendering: Rendering, part: SplitFacts) -> Problem:
        message = (
            f"{self._first(rendering)}: {rendering.too_long} of {part.examples} examples are longer than the "
            f"{self.reads} tokens that {self.setting.model} reads; the longest has {rendering.longest}"
        )
        return self._problem("", message, "leave them out, or train a model that reads more")

    def _first(self, rendering: Rendering) -> str:
        return rendering.first.replace(f"{self.root}/", "")

    def _problem(self, key: str, message: str, hint: str) -> Problem:
        """A problem at the line of a parameter, or at that of the data set."""
        written = self.plan.configuration.get(key)
        return Problem(message, self.plan.file, written.line if written else self.line, hint)
