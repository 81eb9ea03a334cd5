"""Deep checks of trainings: a run's training on a shrunk model, against a plain loop over Transformers.

A tool gives a :class:`SmallTraining`, and the functions ``tokens``, ``steps`` and ``checkpoints`` of a module that runs
in the process of the deep checks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunebook.core.deep_checks import Ask, DeepCheck, DeepResult
from tunebook.core.paths import expanded
from tunebook.core.plan import Run
from tunebook.errors import Problem
from tunebook.tools.base import Context
from tunebook.tools.deep.figures import magnitude
from tunebook.tools.deep.plain_training import PlainSettings
from tunebook.tools.deep.tokenizer_files import TOKENIZER_FILES
from tunebook.tools.deep.versions import content_digest, versions
from tunebook.tools.model_inputs import config_of
from tunebook.tools.plan_inputs import model_path

__all__ = [
    "EPOCHS",
    "LR",
    "RANK",
    "SmallTraining",
    "few_examples",
    "model_config",
    "sample_of",
    "small_accumulation",
    "small_batch",
    "training_checks",
    "unusable",
    "without_path",
]

LR = 1e-2
"""The learning rate of a small training: large enough for every step to change the next step's loss."""
RANK = 4
"""The rank of its adapters."""
EPOCHS = 2
"""The epochs of a small training."""
_TOKENS, _STEPS, _CHECKPOINTS = "training tokens", "training steps", "checkpoints"
_TOLERANCE = 1e-5
_RATE_TOLERANCE = 1e-9
_ERROR = 1e-3  # of the largest change of a weight; a merge in bf16 is off by more than a hundredth
_MOST_BATCH, _MOST_ACCUMULATED = 3, 2

Record = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class SmallTraining:
    """A run's training on a shrunk model.

    Attributes:
        place: where the run is in the plan; its message is empty.
        reason: why the training cannot be made here; empty if it can. ``values`` and ``plain`` are then not used.
        worker: the module whose functions compute.
        packages: the libraries that compute.
        config: the shrunk ``config.json``.
        values: the tool's configuration of the small training, with ``examples``.
        decisive: of these values those that decide the outcome: where the files lie does not.
        plain: the settings of the plain loop.
        batches: the batch size and the accumulation, for people.
        sample: records of the training data.
        tokens: the arguments of the worker's ``tokens``, without the records.
        decisive_tokens: the settings that decide the tokens.
        tokenizer: the directory of the model's tokenizer.
        saved: ``adapter`` or ``merged``; ``None`` where all weights are trained.
        precisions: those of the base in training, and of the evaluation's weights.
        checkpoint_values: the tool's configuration with which the checkpoint is made.
        note: what the small training leaves out, in words.
    """

    run: str
    model: str
    place: Problem
    reason: str
    worker: str
    packages: tuple[str, ...]
    config: Mapping[str, Any]
    values: Mapping[str, Any]
    decisive: Mapping[str, Any]
    plain: PlainSettings | None
    batches: tuple[int, int]
    sample: Sequence[Record]
    tokens: Mapping[str, Any]
    decisive_tokens: Mapping[str, Any]
    tokenizer: Path
    saved: str | None
    precisions: tuple[str, str]
    checkpoint_values: Mapping[str, Any]
    note: str = ""

    def problem(self, message: str, hint: str) -> Problem:
        """A problem at the run's line."""
        return Problem(f"run `{self.run}`: {message}", self.place.file, self.place.line, hint)

    @property
    def in_words(self) -> str:
        """The shape of the training, for people."""
        kind = "all weights"
        if self.saved is not None:
            kind = "LoRA, saved as adapter" if self.saved == "adapter" else "LoRA, merged"
        return f"{self.model}, {kind}, batches of {self.batches[0]} × {self.batches[1]}"


def model_config(context: Context, run: Run) -> Mapping[str, Any]:
    """The real ``config.json``; the table of well-known models where the directory cannot be read here."""
    facts = context.models.get(model_path(context.plan, context.site, run))
    return config_of(run.model, facts) or {}  # a run of an unknown model is not built


def small_batch(size: int) -> int:
    """The batch size of the small training."""
    return min(size, _MOST_BATCH)


def small_accumulation(steps: int) -> int:
    """The accumulation of the small training."""
    return min(steps, _MOST_ACCUMULATED)


def sample_of(context: Context, data: str) -> list[Record]:
    """The first and the longest examples of the run's training data, as far as they could be read here.

    Args:
        data: the absolute path of the data set.
    """
    for path, facts in context.datasets.items():
        train = facts.parts.get("train") if facts else None
        if train is not None and str(context.experiment / expanded(path)) == data:
            return [record for _, record in train.sample]
    return []


def few_examples(sample: Sequence[Record], batch: int, accumulation: int) -> list[Record]:
    """As many examples as leave a batch and an accumulation incomplete, in the form that every reader knows."""
    records = sorted(sample, key=lambda record: len(str(record)))
    if not records:
        return []
    count = small_batch(batch) * small_accumulation(accumulation) + small_batch(batch) + 1
    return [records[number % len(records)] for number in range(count)]


def unusable(packages: Sequence[str], sample: Sequence[Record], *, data: str, tokenizer: str) -> str:
    """Why no training can be made here, in words; empty if one can."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        return f"{', '.join(missing)} is not installed here"
    if not sample:
        return f"the examples of {data} could not be read here"
    if not Path(tokenizer).is_dir():
        return f"the model's tokenizer in {tokenizer} was not found here"
    return ""


def training_checks(run: SmallTraining) -> Iterator[DeepCheck]:
    """The checks of one run; those of runs of the same shape are equal."""
    files = [content_digest(run.tokenizer / name) for name in TOKENIZER_FILES]
    common: dict[str, Any] = {"tokenizer": files, "versions": versions(run.packages), "reason": run.reason}
    tokens = {"dataset": run.decisive_tokens, "examples": run.sample, **common}
    key = {"config": run.config, "values": run.decisive, **common}
    yield DeepCheck(_TOKENS, run.model, _unless_unusable(run, _look_at_tokens), tokens, runs=(run.run,))
    yield DeepCheck(_STEPS, run.in_words, _unless_unusable(run, _look_at_steps), key, runs=(run.run,))
    if run.saved is None:
        return
    trained, evaluated = run.precisions
    key = {**key, "trained": trained, "precision": evaluated, "more": versions(("peft",))}
    yield DeepCheck(_CHECKPOINTS, run.in_words, _unless_unusable(run, _look_at_checkpoints), key, runs=(run.run,))


def _unless_unusable(run: SmallTraining, look: Any) -> Any:
    if run.reason:
        return partial(_unchecked, run.reason)
    return partial(look, run)


def _unchecked(reason: str, _: Ask) -> DeepResult:
    return DeepResult(unchecked=reason)


def _look_at_tokens(run: SmallTraining, ask: Ask) -> DeepResult:
    answer = ask(f"{run.worker}:tokens", {**run.tokens, "records": run.sample})
    figure = f"{answer['examples']} examples, {answer['share']:.0%} of their {answer['tokens']} tokens are learnt"
    if not answer["difference"]:
        return DeepResult(figure=figure)
    message = "trainings learn other tokens than those of the conversation as Transformers renders it: "
    hint = "write the data as the model's chat template renders it, or choose another model"
    return DeepResult(errors=(run.problem(message + str(answer["difference"]), hint),), figure=figure)


def _look_at_steps(run: SmallTraining, ask: Ask) -> DeepResult:
    plain_settings = vars(run.plain)
    answer = ask(f"{run.worker}:steps", {"config": run.config, "values": run.values, "plain": plain_settings})
    losses, plain = answer["losses"], answer["plain_losses"]
    problem = _wrong_steps(answer, examples=len(run.values["examples"]))
    figure = f"{len(plain)} steps of {EPOCHS} epochs"
    if len(losses) == len(plain):
        figure += f", max difference of a loss {magnitude(_largest(losses, plain))}"
    if not problem:
        return DeepResult(figure=figure + run.note)
    message = f"training on a shrunk model is not what a plain loop over Transformers does: {problem}"
    hint = f"do not train with this recipe and these versions of {', '.join(run.packages)}"
    return DeepResult(errors=(run.problem(message, hint),), figure=figure + run.note)


def _wrong_steps(answer: Mapping[str, Any], *, examples: int) -> str:
    """The first difference, in words; empty without one."""
    losses, plain = answer["losses"], answer["plain_losses"]
    if answer["examples"] != list(range(examples)):
        return f"an epoch has {len(answer['examples'])} of {examples} examples, but not each once"
    if len(losses) != len(plain):
        return f"it makes {len(losses)} steps instead of {len(plain)}"
    for number, (rate, wanted) in enumerate(zip(answer["rates"], answer["plain_rates"], strict=True), 1):
        if abs(rate - wanted) > _RATE_TOLERANCE:
            return f"the learning rate of step {number} is {rate:.6g} instead of {wanted:.6g}"
    for number, (loss, wanted) in enumerate(zip(losses, plain, strict=True), 1):
        if loss is None or abs(loss - wanted) > _TOLERANCE:
            return f"the loss of step {number} is {loss} instead of {wanted}"
    return _wrong_repetition(answer)


def _wrong_repetition(answer: Mapping[str, Any]) -> str:
    """How a training that is resumed, or has another seed, is wrong; empty if it is right."""
    losses, resumed = answer["losses"], answer["resumed"]
    last = losses[len(losses) // EPOCHS * (EPOCHS - 1) :]
    if len(resumed) != len(last) or _largest(resumed, last) > _TOLERANCE:
        return f"the losses of the last epoch are {resumed} where training is resumed, instead of {last}"
    if not answer["follows_seed"]:
        return "the order of the examples, or the adapters' first weights, do not follow from the seed"
    return ""


def _largest(losses: Sequence[float], plain: Sequence[float]) -> float:
    return max(abs((loss or 0.0) - wanted) for loss, wanted in zip(losses, plain, strict=True))


def _look_at_checkpoints(run: SmallTraining, ask: Ask) -> DeepResult:
    request = {"config": run.config, "values": run.checkpoint_values, "precision": run.precisions[1]}
    answer = ask(f"{run.worker}:checkpoints", request)
    error, modules = float(answer["error"]), int(answer["modules"])
    form = "adapter" if run.saved == "adapter" else "merged weights"
    figure = f"{form} of {modules} modules, max error {magnitude(error)} of a weight's change"
    hint = "what would be evaluated is another model than the one that is trained"
    errors = []
    if error > _ERROR:
        message = "the checkpoint as evaluations load it is not W + (α/r) · B · A: "
        errors.append(run.problem(f"{message}{answer['module']} is off by {error:.1e} of its largest change", hint))
    if answer["trained_in"] != ["float32"]:
        message = f"adapters are trained in {', '.join(answer['trained_in'])}, not in fp32"
        errors.append(run.problem(message, "bf16 rounds most small changes of an adapter away"))
    if float(answer["untouched"]):
        message = f"a weight without an adapter differs by {answer['untouched']:.1e} from the base's"
        errors.append(run.problem(message, hint))
    return DeepResult(tuple(errors), figure=figure)


def without_path(section: Mapping[str, Any]) -> dict[str, Any]:
    """A section of settings without the place of its files, which decides no outcome."""
    return {key: value for key, value in section.items() if key != "path"}
