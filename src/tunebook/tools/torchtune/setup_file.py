"""``setup_finetune.yaml``: one run's settings, as the plan gives them and as a person may edit them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import PurePosixPath
from typing import Any

import yaml

from tunebook.core.parameters import by_key, suggestion
from tunebook.errors import PlanError, Problem
from tunebook.tools.yaml_text import yaml_lines

__all__ = ["SETUP_KEYS", "TEXT_KEYS", "Setup", "differences", "read_generated_setup", "read_setup", "write_setup"]


@dataclass(frozen=True)
class Setup:
    """Every key of ``setup_finetune.yaml``, in the file's order; ``None`` is "unset".

    Attributes:
        input_dir_base: where the data set is; its file is ``dataset_label`` + ``dataset_ext``, in the sub-folder
            ``input_formatting`` if that is set.
        model_checkpoint: the directory of the model that training starts from.
        lora_rank: ``None`` trains all weights.
        run_val_every_n_steps: steps between two validations, ``epoch`` for once an epoch, ``None`` for no validation.
        output_dir_base: checkpoints go to ``{output_dir_base}/{experiment}/ck-out-{run directory}``; if it is empty to
            ``artifacts`` in the run's directory.
        time: SLURM's time limit; ``mem`` SLURM's memory.
        custom_recipe: a module of the user's own in place of torchtune's recipe.
    """

    my_wandb_project: str | None
    my_wandb_run_name: str | None
    input_dir_base: str
    input_formatting: str
    dataset_label: str
    dataset_ext: str
    dataset_type: str
    model_checkpoint: str
    lora_rank: int | None
    lora_alpha: float | None
    lora_dropout: float | None
    lr: float
    batch_size: int
    gradient_accumulation_steps: int
    epochs: int
    max_steps_per_epoch: int | None
    max_seq_len: int | None
    packed: bool
    seed: int
    weight_decay: float
    lr_scheduler: str
    num_warmup_steps: int
    log_every_n_steps: int
    run_val_every_n_steps: int | str | None
    save_adapter_weights_only: bool
    stash_adapter_weights: bool
    train_on_input: bool
    system_prompt: str
    prompt: str
    output_dir_base: str
    conda_env: str
    venv: str
    modules: tuple[str, ...]
    account: str
    partition: str
    constraint: str
    qos: str
    time: str
    gpus: int
    cpus: int
    mem: str
    custom_recipe: str | None

    @property
    def dataset_path(self) -> str:
        """The data set's file or directory."""
        name = self.dataset_label + self.dataset_ext
        return str(PurePosixPath(self.input_dir_base, self.input_formatting, name))

    @property
    def recipe(self) -> str:
        """The recipe that follows from the settings: a custom one, else torchtune's own."""
        if self.custom_recipe:
            return self.custom_recipe
        kind = "full" if self.lora_rank is None else "lora"
        return f"{kind}_finetune_{'distributed' if self.gpus > 1 else 'single_device'}"


SETUP_KEYS = tuple(item.name for item in fields(Setup))
_NULLABLE = {item.name for item in fields(Setup) if "None" in str(item.type)}
TEXT_KEYS = {item.name for item in fields(Setup) if str(item.type).startswith("str")}
_HEADINGS = {
    "my_wandb_project": "Weights & Biases: unset project means metrics.jsonl only",
    "input_dir_base": "Data",
    "model_checkpoint": "Model and adapters: lora_rank unset trains all weights",
    "lr": "Training",
    "system_prompt": "Prompts: evaluation takes the same",
    "output_dir_base": "Where and how it runs",
}
_HEADER = """\
# What a person edits. finetune.yaml and finetune.slurm are derived from it:
# after a change, run `tunebook setup-finetune` on this directory, or `tunebook scaffold`.
"""


def write_setup(setup: Setup) -> str:
    """The file's text."""
    lines = []
    for line in yaml_lines({key: getattr(setup, key) for key in SETUP_KEYS}):
        heading = _HEADINGS.get(line.partition(":")[0])
        lines.extend(["", f"# {heading}"] if heading else [])
        lines.append(line)
    return _HEADER + "\n".join(lines) + "\n"


def read_setup(text: str, *, file: str) -> Setup:
    """The settings out of a file's text, every value converted to its type.

    ``learning_rate`` is accepted for ``lr``. Keys that are missing take no default: a setting that is not there is not
    known, and guessing one trains the wrong model.

    Raises:
        PlanError: unknown, repeated or missing keys, and values of the wrong type or range, all together.
    """
    nodes, problems = _nodes(text, file)
    values: dict[str, Any] = {}
    for key, node in nodes.items():
        try:
            values[key] = _convert(key, node)
        except ValueError as error:
            problems.append(Problem(str(error), file, node.start_mark.line + 1))
    missing = [key for key in SETUP_KEYS if key not in nodes]
    if missing and not problems:
        hint = "scaffold the run again, or write them back"
        problems.append(Problem("missing: " + ", ".join(missing), file, None, hint))
    if problems:
        raise PlanError(problems)
    setup = Setup(**values)
    broken = [
        Problem(message, file, nodes[key].start_mark.line + 1, hint) for key, message, hint in _broken_rules(setup)
    ]
    if broken:
        raise PlanError(broken)
    return setup


def _broken_rules(setup: Setup) -> Iterator[tuple[str, str, str]]:
    """Key, message and hint of every rule of the plan that these settings break: an edit is held to them too."""
    if setup.packed and setup.max_seq_len is None:
        yield "packed", "packed needs max_seq_len", "set it to a number of tokens"
    if setup.dataset_type == "instruct" and "{input}" not in setup.prompt:
        yield "prompt", "the prompt holds no `{input}`", "without it all examples train on one text"
    if setup.run_val_every_n_steps is not None and setup.gpus > 1 and not setup.custom_recipe:
        yield "run_val_every_n_steps", "torchtune 0.6.1 has no validation on several GPUs", "set it to null"
    if setup.lora_rank is not None and setup.lora_alpha is None:
        yield "lora_alpha", "lora_alpha is unset, and lora_rank is not", "twice the rank is usual"


def read_generated_setup(text: str) -> Setup | None:
    """The settings out of a text as :func:`write_setup` makes them, by a plain YAML reader and three times as fast.

    ``None`` if it is not such a text; :func:`read_setup` then says what is wrong with it.
    """
    values = yaml.load(text, Loader=yaml.CSafeLoader)
    if not isinstance(values, dict) or tuple(values) != SETUP_KEYS or not isinstance(values["modules"], list):
        return None
    return Setup(**(values | {"modules": tuple(values["modules"])}))


def _nodes(text: str, file: str) -> tuple[dict[str, yaml.Node], list[Problem]]:
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        reason = getattr(error, "problem", None) or "cannot be read"
        raise PlanError(f"not valid YAML: {reason}", file=file, line=line) from None
    if not isinstance(root, yaml.MappingNode):
        raise PlanError("holds no settings", file=file, hint="scaffold the run again")
    nodes: dict[str, yaml.Node] = {}
    problems = []
    for key_node, value_node in root.value:
        line = key_node.start_mark.line + 1
        key = {"learning_rate": "lr"}.get(str(key_node.value), str(key_node.value))
        if key not in SETUP_KEYS:
            problems.append(Problem(f"unknown key `{key}`", file, line, suggestion(key, SETUP_KEYS)))
        elif key in nodes:
            problems.append(Problem(f"`{key}` is given twice", file, line))
        else:
            nodes[key] = value_node
    return nodes, problems


def _convert(key: str, node: yaml.Node) -> Any:
    if key == "modules":
        return _texts(key, node)
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError(f"{key} must be a single value")  # noqa: TRY004  all are told alike
    text = str(node.value)
    is_null = node.tag.endswith(":null") and not node.style
    if is_null and key in _NULLABLE:
        return None
    if is_null and key in TEXT_KEYS:
        return ""
    if key == "lora_alpha" and not re.fullmatch(r"[+\d.eE-]+", text):
        raise ValueError(f"lora_alpha is `{text}`; it must be a number above 0")
    if key in {"cpus", "gpus"} and not re.fullmatch(r"\d{1,6}", text):
        raise ValueError(f"{key} is `{text}`; it must be a whole number")
    if key in {"cpus", "gpus"}:
        return int(text)
    if key in TEXT_KEYS and key not in {"dataset_type", "lr_scheduler"}:
        return text
    value = by_key(key).convert(text)
    return None if key == "run_val_every_n_steps" and value == 0 else value


def _texts(key: str, node: yaml.Node) -> tuple[str, ...]:
    if node.tag.endswith(":null"):
        return ()
    if not isinstance(node, yaml.SequenceNode) or not all(isinstance(item, yaml.ScalarNode) for item in node.value):
        raise ValueError(f"{key} must be a list of lines, such as [module load anaconda3]")
    return tuple(str(item.value) for item in node.value)


def differences(planned: Setup, edited: Setup) -> Mapping[str, tuple[Any, Any]]:
    """Key to (planned, edited) for every setting that was changed; numbers are compared as numbers."""
    pairs = {key: (getattr(planned, key), getattr(edited, key)) for key in SETUP_KEYS}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
