"""Deep checks of trainings: the run's recipe and configuration on a shrunk model, against a plain loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunebook.core.deep_checks import Ask, DeepCheck, DeepResult
from tunebook.core.paths import expanded
from tunebook.errors import Problem
from tunebook.tools.base import Context
from tunebook.tools.deep.figures import magnitude
from tunebook.tools.deep.shrunk import ShrunkConfig
from tunebook.tools.deep.tokenizer_files import TOKENIZER_FILES
from tunebook.tools.deep.versions import content_digest, versions
from tunebook.tools.runtime.checkpoint_files import checkpoint_precision
from tunebook.tools.torchtune.plain_training import PlainSettings

__all__ = ["SmallRun", "training_checks"]

_TOKENS, _STEPS, _CHECKPOINTS = "training tokens", "training steps", "checkpoints"
_MODULE = "tunebook.tools.torchtune.small_training"
_PACKAGES = ("torch", "torchtune", "transformers")
_TOLERANCE = 1e-5
_RATE_TOLERANCE = 1e-9
_ERROR = 1e-3  # of the largest change of a weight; a merge in bf16 is off by more than a hundredth
_LR = 1e-2  # large enough for every step to change the next step's loss
_RANK = 4
_MOST_BATCH, _MOST_ACCUMULATED = 3, 2
_EPOCHS = 2
_SCHEDULES = {
    "torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup": "cosine",
    "tunebook.tools.runtime.torchtune_components.linear_schedule_with_warmup": "linear",
    "tunebook.tools.runtime.torchtune_components.constant_schedule_with_warmup": "constant",
}


@dataclass(frozen=True)
class SmallRun:
    """A run as the checks of its training need it.

    Attributes:
        place: where the run is in the plan; its message is empty.
        generated: the run's torchtune configuration.
        model: the section of the shrunk model, with the run's settings of the adapters.
    """

    name: str
    model_name: str
    place: Problem
    context: Context
    generated: Mapping[str, Any]
    shrunk: ShrunkConfig
    model: Mapping[str, Any]

    def problem(self, message: str, hint: str) -> Problem:
        """A problem at the run's line."""
        return Problem(message, self.place.file, self.place.line, hint)


def training_checks(run: SmallRun) -> Iterator[DeepCheck]:
    """The checks of one run; those of runs of the same shape are equal."""
    reason = _not_here(run)
    values = {} if reason else _small_values(run)
    described = _in_words(run.generated)
    subject = f"{run.model_name}, {described}"
    key: dict[str, Any] = {"config": run.shrunk.config, "values": _without_paths(values), "reason": reason}
    key |= {"tokenizer": _tokenizer(run.generated), "versions": versions(_PACKAGES)}
    examples = _sample(run)
    tokens: dict[str, Any] = {"dataset": _without_path(run.generated["dataset"]), "examples": examples}
    tokens |= {name: key[name] for name in ("tokenizer", "versions", "reason")}
    look = partial(_unchecked, reason) if reason else partial(_look_at_tokens, run)
    yield DeepCheck(_TOKENS, run.model_name, look, tokens, runs=(run.name,))
    look = partial(_unchecked, reason) if reason else partial(_look_at_steps, run, values)
    yield DeepCheck(_STEPS, subject, look, key, runs=(run.name,))
    if "lora_rank" not in run.generated["model"]:
        return
    precision = checkpoint_precision(run.generated)
    packages = ("peft",)
    look = partial(_unchecked, reason) if reason else partial(_look_at_checkpoints, run, values, precision)
    more = {"precision": precision, "trained": run.generated["dtype"], "more": versions(packages)}
    yield DeepCheck(_CHECKPOINTS, subject, look, {**key, **more}, runs=(run.name,))


def _unchecked(reason: str, _: Ask) -> DeepResult:
    return DeepResult(unchecked=reason)


def _not_here(run: SmallRun) -> str:
    """Why the training cannot be made here; empty if it can."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    values = run.generated
    if missing:
        return f"{', '.join(missing)} is not installed here"
    if "stock_recipe" not in values:
        return "the recipe is not tunebook's, which alone is compared"
    if not _examples(run):
        return f"the examples of {values['dataset']['path']} could not be read here"
    if not Path(values["tokenizer"]["path"]).is_dir():
        return f"the model's tokenizer in {values['tokenizer']['path']} was not found here"
    return _not_in_reference(values)


def _not_in_reference(values: Mapping[str, Any]) -> str:
    """What the plain loop does not have; empty if it has everything."""
    schedule, optimizer = values["lr_scheduler"], str(values["optimizer"]["_component_"])
    if set(schedule) - {"_component_", "num_warmup_steps"} or schedule.get("_component_") not in _SCHEDULES:
        return f"the reference has no schedule {schedule.get('_component_')}"
    if not optimizer.startswith("torch.optim."):
        return f"the reference has no optimizer {optimizer}"
    return ""


def _examples(run: SmallRun) -> list[Mapping[str, Any]]:
    """As many examples as leave a batch and an accumulation incomplete, in the form that every reader knows."""
    values = run.generated
    records = sorted(_sample(run), key=lambda record: len(str(record)))
    if not records:
        return []
    count = _batch(values) * _accumulated(values) + _batch(values) + 1
    return [records[number % len(records)] for number in range(count)]


def _sample(run: SmallRun) -> list[Mapping[str, Any]]:
    """The first and the longest examples of the run's training data, as far as they could be read here."""
    for path, facts in run.context.datasets.items():
        train = facts.parts.get("train") if facts else None
        if train is None or str(run.context.experiment / expanded(path)) != run.generated["dataset"]["path"]:
            continue
        return [record for _, record in train.sample]
    return []


def _batch(values: Mapping[str, Any]) -> int:
    return min(int(values["batch_size"]), _MOST_BATCH)


def _accumulated(values: Mapping[str, Any]) -> int:
    return min(int(values["gradient_accumulation_steps"]), _MOST_ACCUMULATED)


def _small_values(run: SmallRun) -> dict[str, Any]:
    """The run's configuration with what a small training on a CPU needs; every other setting stays."""
    given = run.generated
    values = {key: dict(value) if isinstance(value, Mapping) else value for key, value in given.items()}
    values["model"] = dict(run.model)
    if "lora_rank" in values["model"]:
        ratio = float(given["model"]["lora_alpha"]) / float(given["model"]["lora_rank"])
        values["model"] |= {"lora_rank": _RANK, "lora_alpha": ratio * _RANK, "lora_dropout": 0.0}
    values["tokenizer"] |= {"_component_": f"{_MODULE}.small_tokenizer"}
    values["optimizer"] |= {"lr": _LR}
    values["optimizer"].pop("fused", None)
    values["dataset"] |= {"packed": False}
    values |= {
        "device": "cpu",
        "dtype": "fp32",
        "batch_size": _batch(given),
        "gradient_accumulation_steps": _accumulated(given),
        "epochs": _EPOCHS,
        "seed": 1,
        "compile": False,
        "enable_activation_offloading": False,
        "log_peak_memory_stats": False,
        "log_every_n_steps": 1,
        "examples": _examples(run),
    }
    if given.get("max_steps_per_epoch"):
        values["max_steps_per_epoch"] = 1
    if given["lr_scheduler"].get("num_warmup_steps"):
        values["lr_scheduler"]["num_warmup_steps"] = 1
    for name in ("wandb_project", "wandb_entity", "wandb_run_name"):
        values["metric_logger"].pop(name, None)
    return values


def _without_paths(values: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the outcome: where the files lie does not."""
    if not values:
        return {}
    kept = {key: value for key, value in values.items() if key not in {"output_dir", "metric_logger", "tokenizer"}}
    kept["dataset"] = _without_path(kept["dataset"])
    kept["checkpointer"] = {"model_type": kept["checkpointer"]["model_type"]}
    if "dataset_val" in kept:
        kept["dataset_val"] = _without_path(kept["dataset_val"])
    return {**kept, "max_seq_len": values["tokenizer"].get("max_seq_len")}


def _without_path(section: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in section.items() if key != "path"}


def _tokenizer(values: Mapping[str, Any]) -> list[str]:
    folder = Path(values["tokenizer"]["path"])
    return [content_digest(folder / name) for name in TOKENIZER_FILES]


def _in_words(values: Mapping[str, Any]) -> str:
    """The shape of a training, for people."""
    parts = ["all weights"]
    if "lora_rank" in values["model"]:
        parts = ["LoRA, saved as adapter" if values.get("save_adapter_weights_only") else "LoRA, merged"]
    parts.append(f"batches of {_batch(values)} × {_accumulated(values)}")
    return ", ".join(parts)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the reference."""
    model, optimizer = values["model"], values["optimizer"]
    clip = values.get("clip_grad_norm")
    settings = PlainSettings(
        batch=int(values["batch_size"]),
        accumulation=int(values["gradient_accumulation_steps"]),
        lr=_LR,
        schedule=_SCHEDULES[values["lr_scheduler"]["_component_"]],
        warmup=int(values["lr_scheduler"].get("num_warmup_steps") or 0),
        weight_decay=float(optimizer.get("weight_decay") or 0.0),
        clip=None if clip is None else float(clip),
        most_steps=int(values.get("max_steps_per_epoch") or 0),
        rank=int(model.get("lora_rank") or 0),
        alpha=float(model.get("lora_alpha") or 0.0),
        optimizer=str(optimizer["_component_"]).rpartition(".")[2],
    )
    return vars(settings)


def _look_at_tokens(run: SmallRun, ask: Ask) -> DeepResult:
    request = {"tokenizer": run.generated["tokenizer"], "dataset": run.generated["dataset"], "examples": _sample(run)}
    answer = ask("tunebook.tools.torchtune.training_tokens:compare", request)
    figure = f"{answer['examples']} examples, {answer['share']:.0%} of their {answer['tokens']} tokens are learnt"
    if not answer["difference"]:
        return DeepResult(figure=figure)
    message = (
        f"run `{run.name}`: trainings learn other tokens than those of the conversation as Transformers renders it: "
    )
    hint = "write the data as the model's chat template renders it, or choose another model"
    return DeepResult(errors=(run.problem(message + str(answer["difference"]), hint),), figure=figure)


def _look_at_steps(run: SmallRun, values: Mapping[str, Any], ask: Ask) -> DeepResult:
    request = {"config": run.shrunk.config, "values": values, "plain": _plain(values)}
    answer = ask(f"{_MODULE}:steps", request)
    losses, plain = answer["losses"], answer["plain_losses"]
    problem = _wrong_steps(answer, examples=len(values["examples"]))
    figure = f"{len(plain)} steps of {_EPOCHS} epochs"
    if len(losses) == len(plain):
        figure += f", max difference of a loss {magnitude(_largest(losses, plain))}"
    note = " (without packing)" if run.generated["dataset"].get("packed") else ""
    if not problem:
        return DeepResult(figure=figure + note)
    message = f"run `{run.name}`: training on a shrunk model is not what a plain loop over Transformers does: {problem}"
    hint = "do not train with this recipe and these versions of torch, torchtune and Transformers"
    return DeepResult(errors=(run.problem(message, hint),), figure=figure + note)


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
    last = losses[len(losses) // _EPOCHS * (_EPOCHS - 1) :]
    if len(resumed) != len(last) or _largest(resumed, last) > _TOLERANCE:
        return f"the losses of the last epoch are {resumed} where training is resumed, instead of {last}"
    if not answer["follows_seed"]:
        return "the order of the examples, or the adapters' first weights, do not follow from the seed"
    return ""


def _largest(losses: Sequence[float], plain: Sequence[float]) -> float:
    return max(abs((loss or 0.0) - wanted) for loss, wanted in zip(losses, plain, strict=True))


def _look_at_checkpoints(run: SmallRun, values: Mapping[str, Any], precision: str, ask: Ask) -> DeepResult:
    own = {**values, "dtype": run.generated["dtype"]}
    request = {"config": run.shrunk.config, "values": own, "precision": precision}
    answer = ask(f"{_MODULE}:checkpoints", request)
    error, modules = float(answer["error"]), int(answer["modules"])
    form = "adapter" if values.get("save_adapter_weights_only") else "merged weights"
    figure = f"{form} of {modules} modules, max error {magnitude(error)} of a weight's change"
    hint = "what would be evaluated is another model than the one that is trained"
    errors = []
    if error > _ERROR:
        message = f"run `{run.name}`: the checkpoint as evaluations load it is not W + (α/r) · B · A: "
        message += f"{answer['module']} is off by {error:.1e} of its largest change"
        errors.append(run.problem(message, hint))
    if answer["trained_in"] != ["float32"]:
        message = f"run `{run.name}`: adapters are trained in {', '.join(answer['trained_in'])}, not in fp32"
        errors.append(run.problem(message, "bf16 rounds most small changes of an adapter away"))
    if float(answer["untouched"]):
        message = f"run `{run.name}`: a weight without an adapter differs by {answer['untouched']:.1e} from the base's"
        errors.append(run.problem(message, hint))
    return DeepResult(tuple(errors), figure=figure)
