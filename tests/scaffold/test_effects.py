"""Every setting in effect of every run, with its source, and samples of the jobs' input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from support.scaffolding import replace, scaffolded
from support.tiny_model import build_tiny_model
from tunebook import api
from tunebook.cli.main import app
from tunebook.scaffold.effects import tabulate
from tunebook.tools.base import Effect

PLAN = "experiment_summary.md"
FIRST = "Llama-3.2-1B-Instruct_rank8_lr1e-5"
BASE = "Llama-3.2-1B-Instruct_base"
MODEL = "/scratch/gpfs/LAB/pretrained-llms/Llama-3.2-1B-Instruct"
DATA = "/scratch/gpfs/LAB/data/words_4L_80P_300.json"


def in_effect(experiment: Path, run: str, key: str, group: str = "preparation") -> tuple[str, str]:
    """Value and source of one setting of a run."""
    found = {(item.group, item.key): item for item in api.check(experiment).effects[run]}
    return found[group, key].value, found[group, key].source


def line_of(file: Path, text: str) -> str:
    """The place of the first line with a text, as messages write it."""
    number = next(number for number, line in enumerate(file.read_text().splitlines(), 1) if text in line)
    return f"{file.name}:{number}"


def test_each_setting_has_the_line_that_it_comes_from(experiment: Path) -> None:
    plan = experiment / PLAN
    assert in_effect(experiment, FIRST, "lora_rank") == ("8", line_of(plan, f"| {FIRST} |"))
    assert in_effect(experiment, FIRST, "seed") == ("14", line_of(plan, "- **Seed:**"))
    assert in_effect(experiment, FIRST, "optimizer") == ("adamw", "default")
    assert in_effect(experiment, FIRST, "model", "models and data") == (MODEL, line_of(plan, "  - Llama-3.2-1B"))
    assert in_effect(experiment, FIRST, "dataset", "models and data") == (DATA, line_of(plan, "- **Path:**"))
    assert in_effect(experiment, BASE, "system_prompt", "prompts")[0] == "Capitalize the given word"


def test_settings_that_the_plan_leaves_to_the_tool_are_resolved(experiment: Path) -> None:
    assert in_effect(experiment, FIRST, "precision") == ("bf16", "default on a GPU")
    assert in_effect(experiment, FIRST, "lora_alpha")[0] == "16"
    targets = in_effect(experiment, FIRST, "lora_target_modules")
    assert targets == ("q_proj, v_proj, output_proj, mlp", "default")
    assert in_effect(experiment, FIRST, "recipe") == ("lora_finetune_single_device", "follows from LoRA and 1 GPU")
    steps = (
        "60",
        "240 examples, batches of 4 × 1 on 1 device(s), 1 epoch(s); the last step of an epoch may be smaller",
    )
    assert in_effect(experiment, FIRST, "steps") == steps
    assert in_effect(experiment, FIRST, "save") == ("adapter", "default: the evaluation loads adapters")
    assert in_effect(experiment, FIRST, "adapter_precision") == ("fp32", "base weights in bf16")
    form = "adapters in fp32, evaluated on their base in bf16"
    assert in_effect(experiment, FIRST, "checkpoints") == (form, "follows from Save and Precision")


def test_warm_up_as_a_share_is_a_number_of_steps(experiment: Path) -> None:
    replace(experiment / PLAN, "- **Seed:** 14", "- **Seed:** 14\n- **Warmup Ratio:** 0.1")
    assert in_effect(experiment, FIRST, "num_warmup_steps") == ("6", "0.1 of 60 steps")


def test_jobs_ask_for_what_the_site_settings_and_the_estimates_say(experiment: Path) -> None:
    site = experiment / "claude.local.md"
    training = "jobs of preparation"
    assert in_effect(experiment, FIRST, "job_account", training) == ("lab", line_of(site, "**Account**"))
    assert in_effect(experiment, FIRST, "job_constraint", training) == ("gpu80", line_of(site, "**Constraint**"))
    estimated = ("00:16:00", "computed from the plan and the model")
    assert in_effect(experiment, FIRST, "job_time", training) == estimated
    assert in_effect(experiment, BASE, "job_gpus", "jobs of evaluation")[0] == "1"
    conda = ("tuning", line_of(site, "conda environment"))
    assert in_effect(experiment, FIRST, "conda_env") == conda


def test_an_edited_setting_is_in_effect_with_its_file(experiment: Path) -> None:
    scaffolded(experiment)
    replace(experiment / "rank8_lr1e-5/setup_finetune.yaml", "lr: 1.0e-05", "lr: 3e-4")
    assert in_effect(experiment, FIRST, "lr") == ("0.0003", "rank8_lr1e-5/setup_finetune.yaml, edited by hand")


def test_settings_that_all_runs_share_appear_once() -> None:
    def effect(key: str, value: str, source: str) -> Effect:
        return Effect(key, key.title(), value, source, "training")

    a = [effect("seed", "1", "p:1"), effect("rank", "8", "p:5"), effect("batch", "4", "p:5")]
    b = [effect("seed", "1", "p:1"), effect("rank", "16", "p:6"), effect("batch", "4", "p:6"), effect("x", "1", "p:6")]
    (table,) = tabulate({"a": a, "b": b})
    assert [(item.key, item.source) for item in table.common] == [("seed", "p:1"), ("batch", "p:5 and further lines")]
    assert (table.names, table.rows) == (("Rank", "X"), {"a": ("8", ""), "b": ("16", "1")})


@pytest.fixture
def with_model(experiment: Path, tmp_path: Path) -> Path:
    """The experiment with a model and data that exist."""
    build_tiny_model(tmp_path / "tiny")
    records = [{"input": f"word{number}", "output": f"WORD{number}"} for number in range(240)]
    data = {"train": records, "validation": records[:30], "test": [{"input": "last", "output": "LAST"}] * 30}
    (experiment / "words.json").write_text(json.dumps(data))
    plan = experiment / PLAN
    text = plan.read_text().replace(MODEL, str(tmp_path / "tiny")).replace(DATA, "words.json")
    plan.write_text(text.replace("Llama-3.2-1B-Instruct", "tiny"))
    return experiment


def test_the_first_example_marks_what_is_learnt(with_model: Path) -> None:
    report = api.check(with_model)
    (sample,) = report.examples
    assert len(sample.runs) == 8
    shown = "".join(text for text, is_learnt in sample.parts if not is_learnt)
    learnt = "".join(text for text, is_learnt in sample.parts if is_learnt)
    assert "Capitalize the given word" in shown
    assert "word0" in shown
    assert "WORD0" in learnt
    assert "word0" not in learnt
    (prompt,) = report.prompts
    assert len(prompt.runs) == 9
    assert prompt.parts[0][0].count("last") == 1
    assert "LAST" not in prompt.parts[0][0]


def test_runs_with_other_prompts_have_examples_of_their_own(with_model: Path) -> None:
    scaffolded(with_model)
    replace(with_model / "rank8_lr1e-5/setup_finetune.yaml", "prompt: '{input}'", "prompt: 'Mine: {input}'")
    first, second = api.check(with_model).examples
    assert {len(first.runs), len(second.runs)} == {1, 7}


def test_check_prints_all_of_it_and_a_persons_own_sections(with_model: Path) -> None:
    with (with_model / PLAN).open("a") as file:
        file.write("\n## My thoughts\nNothing to read.\n")
    printed = CliRunner().invoke(app, ["check", str(with_model)]).stdout
    for words in (
        "Precision                    bf16",
        "differ between runs:",
        "⟦WORD0",
        "Sections of your own, which are not read:",
        "My thoughts",
    ):
        assert words in printed
    document = json.loads(CliRunner().invoke(app, ["check", str(with_model), "--json"]).stdout)["data"]
    assert {item["key"] for item in document["settings"]["tiny_rank8_lr1e-5"]} >= {
        "lr",
        "precision",
        "steps",
        "job_time",
    }
    assert document["first_examples"][0]["parts"][-1]["learnt"] is True
    assert document["not_read"][0]["title"] == "My thoughts"


def test_a_wrong_plan_has_no_settings_in_effect(experiment: Path) -> None:
    shutil.copy(experiment / PLAN, experiment / "copy.md")
    replace(experiment / PLAN, "- **Seed:** 14", "- **Seed:** fourteen")
    report = api.check(experiment)
    assert report.errors
    assert report.effects == {}


def test_each_of_several_evaluation_tools_has_its_own_settings_in_effect(experiment: Path) -> None:
    plan = experiment / PLAN
    replace(plan, "**Evaluation:** inspect-ai", "**Evaluation:** inspect-ai, lm-eval")
    text = plan.read_text()
    task = next(line for line in text.splitlines() if line.startswith("| capitalization |"))
    again = f"| words | lm-eval | `exact_match` | `{DATA}` | |"
    tasks = text[text.index("| Task Name") : text.index(task) + len(task)]
    table = f"| Task Name | Tool | Script | Dataset | Description |\n|---|---|---|---|---|\n{task}\n{again}"
    table = table.replace("| capitalization |", "| capitalization | inspect-ai |")
    text = text.replace(tasks, table)
    start = text.index("### Evaluation Matrix")
    matrix = text[start : text.index("\n## ", start)]
    total = next(line for line in text.splitlines() if "Total evaluations" in line)
    plan.write_text(text.replace(matrix, "").replace(f"{total}\n", ""))
    replace(plan, "- **GPUs:**", "- **Inference:** vllm\n- **GPUs:**")
    report = api.check(experiment)
    assert report.errors == ()
    assert any("Inference is vllm, which lm-eval does not have" in problem.message for problem in report.warnings)
    groups = {item.group for item in report.effects[FIRST]}
    assert {"evaluation with inspect-ai", "evaluation with lm-eval", "jobs of evaluation with lm-eval"} <= groups
