"""The settings that `check` prints are those in the files that scaffolding writes, for every run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.scaffolding import replace, scaffolded
from tunebook import api
from tunebook.core.parameters import Kind, Value
from tunebook.tools.finetuning.rows import SetupParameter
from tunebook.tools.torchtune.parameters import SETUP_PARAMETERS

PLAN = "experiment_summary.md"
EVERY_SETTING = """\
- **LoRA Dropout:** 0.05
- **Weight Decay:** 0.1
- **Warmup Ratio:** 10e-2
- **Gradient Accumulation Steps:** 2
- **Max Sequence Length:** 1,024 tokens
- **Scheduler:** Linear
- **Dataset Type:** instruct
- **LoRA Target Modules:** v_proj, q_proj
- **Optimizer:** AdamW
- **Max Steps Per Epoch:** 20
- **Precision:** fp32
- **Max Gradient Norm:** 1
- **Log Every N Steps:** 5
- **Save:** merged
- **Train On Input:** yes
- **Evaluation Temperature:** 0.5
- **Evaluation Max Tokens:** 20
- **Evaluation Limit:** 10
"""
SBATCH = {"time": "time", "memory": "mem", "cpus": "cpus-per-task", "account": "account", "constraint": "constraint"}
OPTIONS = {
    "eval_temperature": "temperature",
    "eval_max_tokens": "max-tokens",
    "eval_seed": "seed",
    "eval_limit": "limit",
    "max_connections": "max-connections",
}


@pytest.fixture(params=["the example", "an edited file", "every setting"])
def scaffolded_experiment(request: pytest.FixtureRequest, experiment: Path) -> Path:
    plan = experiment / PLAN
    if request.param == "every setting":
        replace(plan, "- **Seed:** 14\n", f"- **Seed:** 7\n{EVERY_SETTING}")
        replace(plan, "- **Validation during training:** no", "- **Validation during training:** every 10 steps")
    scaffolded(experiment)
    if request.param == "an edited file":
        settings = experiment / "rank8_lr1e-5/setup_finetune.yaml"
        for old, new in (
            ("lr: 1.0e-05", "lr: 3e-4"),
            ("lora_alpha: 16", "lora_alpha: 40"),
            ("packed: false", "packed: true"),
            ("max_seq_len: null", "max_seq_len: 512"),
            ("precision: null", "precision: fp32"),
            ("system_prompt: Capitalize the given word", "system_prompt: Mine"),
            ("time: 00:16:00", "time: 00:40:00"),
        ):
            replace(settings, old, new)
        scaffolded(experiment)
    return experiment


def printed(row: SetupParameter, text: str) -> Value:
    """A printed setting as a value of its parameter; the texts of unset ones are empty or say so."""
    if text in {"", "unset"} and row.kind is not Kind.LITERAL:
        return None
    return row.convert(text)


def written(value: Any) -> Any:
    """A value of a YAML file as a value of a parameter."""
    return tuple(value) if isinstance(value, list) else value


def at(config: dict[str, Any], place: str) -> Any:
    """The value at a dotted path."""
    value: Any = config
    for part in place.split("."):
        value = value[part]
    return value


def runs_of(experiment: Path) -> list[tuple[Path, dict[tuple[str, str], str]]]:
    """The directory and the printed settings of every fine-tuned run."""
    report = api.check(experiment)
    assert report.errors == ()
    found = []
    for run in report.plan.fine_tuned:
        directory = experiment / run.name.removeprefix(f"{run.model}_")
        found.append((directory, {(item.group, item.key): item.value for item in report.effects[run.name]}))
    return found


def test_printed_settings_are_in_the_files_of_the_training(scaffolded_experiment: Path) -> None:
    for directory, effects in runs_of(scaffolded_experiment):
        setup = yaml.safe_load((directory / "setup_finetune.yaml").read_text())
        config = yaml.safe_load((directory / "finetune.yaml").read_text())
        for row in (row for row in SETUP_PARAMETERS if row.column and row.key != "dataset"):
            group = "prompts" if row.kind is Kind.LITERAL else "preparation"
            value = printed(row, effects[group, row.key])
            if row.place:
                assert written(at(config, row.place)) == value, row.key
            elif row.key == "precision":
                assert config["dtype"] == value
            elif row.key == "num_warmup_steps":
                assert config["lr_scheduler"]["num_warmup_steps"] == value
            elif row.key != "run_val_every_n_steps" or value:
                assert written(setup[row.key]) == value, row.key
        assert config["checkpointer"]["checkpoint_dir"] == effects["models and data", "model"]
        assert config["dataset"]["path"] == effects["models and data", "dataset"]


def test_printed_resources_are_those_of_the_scripts(scaffolded_experiment: Path) -> None:
    for directory, effects in runs_of(scaffolded_experiment):
        scripts = {"preparation": directory / "finetune.slurm"}
        scripts["evaluation"] = directory / "eval/capitalization_epoch0.slurm"
        for stage, script in scripts.items():
            given = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)$", script.read_text(), re.MULTILINE))
            for key, option in SBATCH.items():
                assert given.get(option) == effects.get((f"jobs of {stage}", f"job_{key}")), (script, option)


def test_printed_settings_of_the_evaluation_are_its_options(scaffolded_experiment: Path) -> None:
    for directory, effects in runs_of(scaffolded_experiment):
        script = (directory / "eval/capitalization_epoch0.slurm").read_text()
        given = dict(re.findall(r"--([\w-]+) (\S+?)(?=[\s)])", re.search(r"^options=\(.*\)$", script, re.MULTILINE)[0]))  # type: ignore[index]
        for key, option in OPTIONS.items():
            value = effects["evaluation", key]
            is_default = (value in {"", "0"} or "unless the task says" in value) and option not in given
            assert is_default or given.get(option) == value, option
