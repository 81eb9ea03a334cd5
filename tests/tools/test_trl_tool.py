"""The plan side of TRL: from a plan to ``sft.yaml``, ``accelerate.yaml`` and a job, and what TRL cannot honour."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.design_inputs import make_inputs
from support.plans import parse_plan, problems_of
from support.scaffolding import golden, replace, scaffolded, tree
from tunebook import api
from tunebook.core.naming import run_directories
from tunebook.core.paths import PLAN_FILE
from tunebook.core.plan import Run
from tunebook.core.site import Site
from tunebook.errors import ExitCode, PlanError
from tunebook.tools.base import Context, Unit
from tunebook.tools.model_facts import ModelFacts, context_length
from tunebook.tools.runtime.trl_settings import read_settings
from tunebook.tools.torchtune.omegaconf_yaml import read_config
from tunebook.tools.torchtune.tool import TorchtuneTool
from tunebook.tools.trl.models import TrlModel, resolve_model
from tunebook.tools.trl.parameters import SETUP_PARAMETERS
from tunebook.tools.trl.targets import adapter_weights, module_names
from tunebook.tools.trl.tool import TrlTool

GOLDEN = Path(__file__).parents[1] / "golden" / "trl"
TORCHTUNE = "- **Model Preparation:** torchtune"
TRL = "- **Model Preparation:** trl"
SEED = "- **Seed:** 14"
SINGLE, FULL = "lora_finetune_single_device", "full_finetune_single_device"
FIRST = "rank8_lr1e-5"
ALL_WEIGHTS = (
    (SINGLE, FULL),
    ("- **LoRA alpha:** Auto-set to 2 × rank\n", ""),
    ("| LoRA Rank | Learning Rate | Batch Size |", "| Seed | Learning Rate | Batch Size |"),
    ("| LoRA Rank | 8, 16", "| Seed | 8, 16"),
    (f"{SEED}\n", ""),
)
Edit = Callable[..., str]


def bullet(text: str) -> tuple[str, str]:
    """The edit that adds a bullet to the configuration."""
    name, value = text.split(": ")
    return SEED, f"{SEED}\n- **{name}:** {value}"


def first_unit(text: str, tool: TrlTool | TorchtuneTool, **facts: Any) -> tuple[Context, Run, Unit]:
    """The first run of a plan, as a tool builds it."""
    parsed = parse_plan(text)
    assert [str(problem) for problem in (*parsed.problems, *tool.rules(parsed.plan))] == []
    plan = parsed.plan
    context = Context(plan, Site(), Path("/EXPERIMENT"), run_directories(plan), loads_adapters=True, **facts)
    run = plan.fine_tuned[0]
    return context, run, tool.build(context, run)


def file_of(unit: Unit, name: str) -> str:
    """The text of one of the unit's files."""
    return next(file.text for file in unit.files if file.path.endswith(f"/{name}"))


def sft(text: str) -> Mapping[str, Any]:
    """Every value of ``sft.yaml`` of the plan's first run, by dotted key, read as the job reads it."""
    _, _, unit = first_unit(text, TrlTool())
    found = read_settings(file_of(unit, "sft.yaml"), file="sft.yaml")
    sections = {"data": found.data, "tunebook": found.own}
    flat = {f"{name}.{key}": value for name, section in sections.items() for key, value in section.items()}
    return {**found.trl, **flat}


def test_the_example_with_trl_makes_its_golden_tree(experiment: Path, tmp_path: Path) -> None:
    """After a deliberate change: TUNEBOOK_UPDATE_GOLDEN=1 pytest -k golden, and read the difference."""
    plain = tmp_path / "plain"
    shutil.copytree(experiment, plain)
    replace(plain / PLAN_FILE, TORCHTUNE, TRL)
    assert scaffolded(plain).exit_code is ExitCode.DONE
    found = {path: text.replace(str(plain), "/EXPERIMENT") for path, text in tree(plain).items()}
    found = {path: text for path, text in found.items() if re.match(r"rank(8|64)_lr1e-5/[^/]+$", path)}
    found = {path: text.partition("# ---- the same in every script")[0] for path, text in found.items()}
    assert found == golden(found, GOLDEN)


# Bullet of the plan, and the values of sft.yaml that change with it, and no others.
SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("LoRA Target Modules: q_proj, v_proj", {"lora_target_modules": ["q_proj", "v_proj"]}),
    ("LoRA Dropout: 0.05", {"lora_dropout": 0.05}),
    ("LoRA Alpha: 12", {"lora_alpha": 12.0}),
    (
        "Quantization: nf4",
        {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "use_bnb_nested_quant": True},
    ),
    ("Save: merged", {"tunebook.save": "merged"}),
    ("Optimizer: SGD", {"optim": "sgd"}),
    ("Gradient Accumulation Steps: 2", {"gradient_accumulation_steps": 2}),
    ("Max Steps Per Epoch: 20", {"tunebook.max_steps_per_epoch": 20}),
    ("Max Sequence Length: 512", {"max_length": 512}),
    ("Dataset Type: instruct", {}),
    ("Seed: 15", {"seed": 15, "data_seed": 15}),
    ("Precision: fp32", {"dtype": "float32"}),
    ("Weight Decay: 0.1", {"weight_decay": 0.1}),
    ("Max Gradient Norm: 0.5", {"max_grad_norm": 0.5}),
    ("Scheduler: linear", {"lr_scheduler_type": "linear"}),
    ("Scheduler: constant", {"lr_scheduler_type": "constant_with_warmup"}),
    ("Warmup Steps: 5", {"warmup_steps": 5}),
    ("Warmup Ratio: 0.11", {"warmup_steps": 7}),  # of 240 examples / 4 = 60 steps, rounded up
    ("Log Every N Steps: 5", {"logging_steps": 5}),
    ("Validation During Training: yes", {"eval_strategy": "epoch"}),
    ("Validation During Training: every 10 steps", {"eval_strategy": "steps", "eval_steps": 10}),
    ("Train On Input: yes", {"data.train_on_input": True}),
    ("Epochs: 3", {"num_train_epochs": 3}),
    ("GPUs: 0", {"use_cpu": True, "dtype": "float32", "optim": "adamw_torch"}),
    ("Prompt: Please {input}", {"data.prompt": "Please {input}"}),
    ("System Prompt: Mine", {"data.system_prompt": "Mine"}),
]


def with_setting(page: str, setting: str) -> str:
    """The example for TRL with one setting, in place of the one that it has."""
    name, value = setting.split(": ")
    line = f"- **{name}:** {value}\n"
    lines = page.replace(TORCHTUNE, TRL).splitlines(keepends=True)
    place = next((number for number, item in enumerate(lines) if item.lower().startswith(f"- **{name.lower()}:**")), 0)
    if place:
        lines[place] = line
    else:
        lines.insert(lines.index(f"{SEED}\n") + 1, line)
    return "".join(lines)


@pytest.mark.parametrize(("setting", "changed"), SETTINGS, ids=[setting for setting, _ in SETTINGS])
def test_each_setting_of_the_plan_changes_its_own_values_of_the_configuration(
    page: str, setting: str, changed: Mapping[str, Any]
) -> None:
    before, after = sft(page.replace(TORCHTUNE, TRL)), sft(with_setting(page, setting))
    assert {key: value for key, value in after.items() if before[key] != value} == changed


def test_every_row_of_the_plan_is_tried_above() -> None:
    named = {setting.split(": ")[0].lower() for setting, _ in SETTINGS}
    rows = {row.column.lower() for row in SETUP_PARAMETERS if row.column}
    of_runs = {"lora rank", "learning rate", "batch size"}  # columns of the example's runs
    assert rows - named - of_runs == {"dataset packing"}


def test_columns_of_the_runs_reach_the_configuration(page: str) -> None:
    found = sft(page.replace(TORCHTUNE, TRL))
    assert (found["lora_r"], found["lora_alpha"], found["learning_rate"]) == (8, 16.0, 1e-5)
    assert found["per_device_train_batch_size"] == found["per_device_eval_batch_size"] == 4


def test_packing_reaches_the_configuration(page: str) -> None:
    text = with_setting(page, "Max Sequence Length: 512").replace("packing:** false", "packing:** true")
    assert sft(text)["data.packed"] is True


# Dotted key in torchtune's configuration, and in TRL's.
SAME = {
    "model.lora_rank": "lora_r",
    "model.lora_alpha": "lora_alpha",
    "model.lora_dropout": "lora_dropout",
    "optimizer.lr": "learning_rate",
    "optimizer.weight_decay": "weight_decay",
    "batch_size": "per_device_train_batch_size",
    "gradient_accumulation_steps": "gradient_accumulation_steps",
    "epochs": "num_train_epochs",
    "max_steps_per_epoch": "tunebook.max_steps_per_epoch",
    "tokenizer.max_seq_len": "max_length",
    "seed": "seed",
    "lr_scheduler.num_warmup_steps": "warmup_steps",
    "log_every_n_steps": "logging_steps",
    "dataset.path": "data.path",
    "dataset.dataset_type": "data.dataset_type",
    "dataset.packed": "data.packed",
    "dataset.train_on_input": "data.train_on_input",
    "dataset.system_prompt": "data.system_prompt",
    "dataset.prompt": "data.prompt",
    "checkpointer.checkpoint_dir": "model_name_or_path",
    "output_dir": "output_dir",
    "enable_activation_checkpointing": "gradient_checkpointing",
}


@pytest.mark.parametrize("setting", ["Seed: 14", "Warmup Ratio: 0.11", "GPUs: 0", "Scheduler: constant"])
def test_equal_plans_are_equal_trainings(page: str, setting: str) -> None:
    """The default of a setting is that of the plan, whatever TRL's own is."""
    text = with_setting(page, setting)
    _, _, unit = first_unit(text.replace(TRL, TORCHTUNE), TorchtuneTool())
    theirs, ours = read_config(file_of(unit, "finetune.yaml")), sft(text)
    for path, key in SAME.items():
        value: Any = theirs
        for part in path.split("."):
            value = value[part]
        assert ours[key] == value, key
    assert {"bf16": "bfloat16", "fp32": "float32"}[theirs["dtype"]] == ours["dtype"]
    assert theirs["optimizer"]["fused"] == (ours["optim"] == "adamw_torch_fused")
    assert ours["lora_target_modules"] == ["q_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    betas = (ours["adam_beta1"], ours["adam_beta2"], ours["adam_epsilon"])
    assert betas == (0.9, 0.999, 1e-8)  # of torch.optim.AdamW, which torchtune's configuration leaves as they are


def test_runs_share_the_settings_of_both_tools_and_their_defaults() -> None:
    rows = {row.key: row for row in TorchtuneTool().parameters}
    for row in TrlTool().parameters:
        other = rows.get(row.key)
        assert row.key == "quantization" or other is not None
        if other is not None:
            assert (row.column, row.short, row.kind, row.default) == (
                other.column,
                other.short,
                other.kind,
                other.default,
            )
            assert set(row.choices) <= set(other.choices) or not other.choices


def test_a_training_of_all_weights_has_no_adapter(edited: Edit) -> None:
    found = sft(edited((TORCHTUNE, TRL), *ALL_WEIGHTS))
    assert found["use_peft"] is False
    none = ("lora_r", "lora_alpha", "lora_dropout", "lora_target_modules", "tunebook.save")
    assert [found[key] for key in none] == [None] * len(none)


@pytest.mark.parametrize(
    ("gpus", "edits", "kind"),
    [
        (0, (), "NO"),
        (1, (), "NO"),
        (2, ((SINGLE, "lora_finetune_distributed"),), "MULTI_GPU"),
        (2, (*ALL_WEIGHTS[1:], (SINGLE, "full_finetune_distributed")), "FSDP"),
    ],
)
def test_the_launcher_starts_one_process_for_each_gpu(
    edited: Edit, gpus: int, edits: tuple[tuple[str, str], ...], kind: str
) -> None:
    text = edited((TORCHTUNE, TRL), ("- **GPUs:** 1", f"- **GPUs:** {gpus}"), *edits)
    _, _, unit = first_unit(text, TrlTool())
    found = yaml.safe_load(file_of(unit, "accelerate.yaml"))
    assert (found["distributed_type"], found["num_processes"]) == (kind, max(1, gpus))
    assert found["mixed_precision"] == "no"  # weights and adapters have their own precisions
    assert f"\nprocesses={max(1, gpus)}\n" in file_of(unit, "finetune.slurm")


def test_accelerate_reads_the_launcher_s_configuration(edited: Edit, tmp_path: Path) -> None:
    accelerate = import_module("accelerate.commands.config.config_args")
    text = edited((TORCHTUNE, TRL), (SINGLE, "lora_finetune_distributed"), ("- **GPUs:** 1", "- **GPUs:** 2"))
    _, _, unit = first_unit(text, TrlTool())
    file = tmp_path / "accelerate.yaml"
    file.write_text(file_of(unit, "accelerate.yaml"))
    found = accelerate.load_config_from_file(str(file))
    assert (str(found.distributed_type), found.num_processes) == ("DistributedType.MULTI_GPU", 2)


# The edit of the plan, the bullets after the seed (line 88), the line of the problem, and its message.
REFUSED: dict[str, tuple[str, str, list[str], int, str]] = {
    "4-bit weights without a GPU": (
        *("- **GPUs:** 1", "- **GPUs:** 0"),
        ["Quantization: nf4"],
        89,
        "Quantization nf4 needs a GPU",
    ),
    "4-bit weights that are merged": (SEED, SEED, ["Quantization: nf4", "Save: merged"], 90, "trained on nf4 weights"),
    "4-bit weights without adapters": (SINGLE, FULL, ["Quantization: nf4"], 89, "cannot have Quantization"),
    "another quantization": (SEED, SEED, ["Quantization: int8"], 89, "it must be one of nf4"),
    "an optimizer of torchtune": (SEED, SEED, ["Optimizer: adam"], 89, "it must be one of adamw, sgd"),
    "the output layer": (
        SEED,
        SEED,
        ["LoRA Target Modules: q_proj, output"],
        89,
        "does not train an adapter of the output layer",
    ),
    "a recipe of a person's own": (SINGLE, "mine.recipe", [], 79, "it must be one of lora_finetune_single_device"),
    "a recipe for several GPUs": (SINGLE, "lora_finetune_distributed", [], 79, "runs on several GPUs"),
    "packing without a length": ("packing:** false", "packing:** true", [], 83, "packing needs a maximum"),
    "a long warm-up": (SEED, SEED, ["Warmup Steps: 60"], 89, "a warm-up of 60 steps does not fit"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_settings_that_trl_cannot_honour_are_refused_with_their_line(edited: Edit, kind: str) -> None:
    old, new, bullets, line, message = REFUSED[kind]
    lines = [f"- **{name}:** {value}" for name, value in (item.split(": ") for item in bullets)]
    text = edited((TORCHTUNE, TRL), (old, new)).replace(f"{SEED}\n", "\n".join([SEED, *lines]) + "\n")
    found = [problem for problem in problems_of(text) if message in problem.message]
    assert [problem.line for problem in found] == [line], problems_of(text)


# --- models ----------------------------------------------------------------------------------------------------------

_ATTENTION = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
_LLAMA = (*_ATTENTION, "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
LAYERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "qwen3": ("model.layers.0", _LLAMA),
    "phi3": (
        "model.layers.0",
        ("self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj"),
    ),
    "phi": ("model.layers.0", (*_ATTENTION, "self_attn.dense", "mlp.fc1", "mlp.fc2")),
    "gpt_neox": (
        "gpt_neox.layers.0",
        ("attention.query_key_value", "attention.dense", "mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
    ),
    "gpt_bigcode": ("transformer.h.0", ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")),
    "mystery": ("model.blocks.0", ("attention.mixer", "mlp.up")),
}


def model_of(family: str) -> TrlModel:
    """A model of a family whose weights are here: matrices of 8 × 4 in its only layer, and an embedding."""
    prefix, modules = LAYERS[family]
    shapes: dict[str, tuple[int, ...]] = {f"{prefix}.{module}.weight": (8, 4) for module in modules}
    shapes |= {"model.embed_tokens.weight": (100, 4), f"{prefix}.input_layernorm.weight": (4,)}
    return TrlModel(0.1, {"model_type": family}, shapes)


@pytest.mark.parametrize(
    ("family", "targets", "names"),
    [
        ("qwen3", ("q_proj", "mlp"), ("q_proj", "gate_proj", "up_proj", "down_proj")),
        ("qwen3", ("q_proj", "v_proj", "output_proj"), ("q_proj", "v_proj", "o_proj")),
        ("phi3", ("q_proj", "v_proj", "output_proj", "mlp"), ("qkv_proj", "o_proj", "down_proj", "gate_up_proj")),
        ("phi", ("q_proj", "output_proj", "mlp"), ("q_proj", "dense", "fc1", "fc2")),
        ("gpt_neox", ("q_proj", "output_proj", "mlp"), ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h")),
        ("gpt_bigcode", ("q_proj", "output_proj", "mlp"), ("c_attn", "c_proj", "c_fc")),
        ("gpt_bigcode", ("c_proj",), ("c_proj",)),
        ("mystery", ("mixer",), ("mixer",)),
    ],
)
def test_targets_are_the_modules_of_the_family(family: str, targets: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert module_names(model_of(family), targets) == names


def test_a_family_whose_modules_have_other_names_is_an_error_that_names_them() -> None:
    with pytest.raises(PlanError, match=r"no module for q_proj; the modules in its layers are: mixer, up"):
        module_names(model_of("mystery"), ("q_proj",))


def test_a_name_that_two_kinds_of_modules_share_is_an_error() -> None:
    with pytest.raises(PlanError, match=r"attn\.c_proj and mlp\.c_proj alike"):
        module_names(model_of("gpt_bigcode"), ("q_proj", "output_proj"))


def test_the_experts_of_a_model_are_not_adapted_without_a_word() -> None:
    """The file names a matrix for each expert, but Transformers has one tensor for all of them."""
    modules = (*_ATTENTION, "mlp.experts.0.gate_proj", "mlp.experts.0.up_proj", "mlp.experts.1.gate_proj")
    shapes = {f"model.layers.0.{module}.weight": (8, 4) for module in (*modules, "mlp.shared_expert.gate_proj")}
    model = TrlModel(0.1, {"model_type": "qwen2_moe"}, shapes)
    assert module_names(model, ("q_proj", "v_proj")) == ("q_proj", "v_proj")
    with pytest.raises(PlanError, match=r"mlp is in the experts of this model \(mlp\.experts\.0\.gate_proj\)"):
        module_names(model, ("q_proj", "mlp"))


def test_layers_that_lora_does_not_adapt_are_an_error() -> None:
    with pytest.raises(PlanError, match="the family gpt2 has no linear layers"):
        module_names(TrlModel(0.1, {"model_type": "gpt2"}, {}), ("q_proj",))


def test_without_weights_the_family_gives_the_names_and_an_unknown_one_is_an_error() -> None:
    targets = ("q_proj", "v_proj", "mlp")
    names = module_names(TrlModel(1.0, {"model_type": "phi3"}, {}), targets)
    assert names == ("qkv_proj", "gate_up_proj", "down_proj")
    assert module_names(TrlModel(1.0, {"model_type": "qwen3"}, {}), ("up_proj", "q_proj")) == ("up_proj", "q_proj")
    with pytest.raises(PlanError, match="no module for q_porj; its modules are: down_proj, gate_proj"):
        module_names(TrlModel(1.0, {"model_type": "qwen3"}, {}), ("q_porj",))
    with pytest.raises(PlanError, match="family mystery are not known without its weights"):
        module_names(TrlModel(1.0, {"model_type": "mystery"}, {}), targets)


def test_the_weights_of_adapters_are_counted_from_the_shapes() -> None:
    assert adapter_weights(model_of("qwen3"), ("q_proj", "down_proj"), 4) == 2 * 4 * (8 + 4)


def facts_of(config: Mapping[str, Any], directory: Path = Path("/nowhere")) -> ModelFacts:
    return ModelFacts(config, (), directory)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "has no model_type"),
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, "it is a BertForMaskedLM, not a causal"),
        (
            {"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"]},
            "it is a Gemma3ForConditionalGeneration, not a causal language model",
        ),
        ({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}, "the size of model M is not known"),
    ],
)
def test_models_that_cannot_be_trained_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        resolve_model("M", facts_of(config))


def test_the_size_of_any_architecture_is_that_of_its_weights_or_of_its_files(tmp_path: Path) -> None:
    config = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "dtype": "bfloat16"}
    index = {"metadata": {"total_size": 3_000_000_000}, "weight_map": {}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert resolve_model("M", facts_of(config, tmp_path)).parameters_b == 1.5


def test_a_capped_attention_is_computed_as_evaluations_compute_it() -> None:
    sizes = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 9}
    config = {"model_type": "gemma2", "num_hidden_layers": 1, **sizes}
    assert resolve_model("M", facts_of({**config, "attn_logit_softcapping": 50.0})).attention == "eager"
    assert resolve_model("M", facts_of(config)).attention == "sdpa"


def test_a_window_is_no_limit_of_the_examples_as_it_is_for_torchtune() -> None:
    config = {"model_type": "mistral", "max_position_embeddings": 32_768, "sliding_window": 4096}
    limits = {tool: context_length(config, ignores_windows=tool.ignores_windows) for tool in (TorchtuneTool, TrlTool)}
    assert limits == {TorchtuneTool: 4096, TrlTool: 32_768}


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def with_trl(experiment: Path) -> Path:
    replace(experiment / PLAN_FILE, TORCHTUNE, TRL)
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    return experiment


def test_an_edit_of_the_settings_reaches_every_file(with_trl: Path) -> None:
    changes = ["batch_size=8", "lora_target_modules=q_proj", "warmup_ratio=0.5", "gpus=0"]
    report = api.setup_finetune(with_trl / FIRST, assignments=changes)
    assert report.exit_code is ExitCode.DONE
    found = read_settings((with_trl / FIRST / "sft.yaml").read_text(), file="sft.yaml").trl
    assert (found["per_device_train_batch_size"], found["warmup_steps"], found["use_cpu"]) == (8, 15, True)
    assert found["lora_target_modules"] == ["q_proj"]
    assert "use_cpu: true" in (with_trl / FIRST / "accelerate.yaml").read_text()
    with pytest.raises(PlanError, match="Quantization nf4 needs a GPU"):
        api.setup_finetune(with_trl / FIRST, assignments=["quantization=nf4"])


def test_an_analysis_reads_the_settings_that_a_person_edited(with_trl: Path) -> None:
    assert api.setup_finetune(with_trl / FIRST, assignments=["batch_size=8"]).exit_code is ExitCode.DONE
    used = TrlTool().results.read_settings(with_trl / FIRST)
    assert (used.file, used.values["batch_size"], used.values["lr"]) == ("setup_finetune.yaml", 8, 1e-5)


def test_a_smaller_batch_trains_the_same(with_trl: Path) -> None:
    text = (with_trl / FIRST / "setup_finetune.yaml").read_text()
    found = TrlTool().shrink(text, file="setup")
    assert found is not None
    assert dict(found.after) == {"batch_size": 2, "gradient_accumulation_steps": 2}


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("sft.yaml", "learning_rate: 1.0e-05", "learning_rate: 1.0e-04", "learning_rate is 0.0001"),
        ("sft.yaml", "adam_beta1: 0.9\n", "adam_beta1: 0.8\n", "adam_beta1 is 0.8"),
        ("sft.yaml", "seed: 14", "sede: 14", "unknown key `sede`"),
        ("sft.yaml", "save: adapter", "save: merged", "tunebook.save is 'merged'"),
        ("accelerate.yaml", "num_processes: 1", "num_processes: 2", "num_processes is 2"),
        ("finetune.slurm", "\nprocesses=1\n", "\nprocesses=2\n", "processes should be 1"),
    ],
)
def test_a_file_that_differs_from_the_plan_is_reported(
    with_trl: Path, file: str, old: str, new: str, message: str
) -> None:
    replace(with_trl / FIRST / file, old, new)
    warnings = [warning.message for warning in scaffolded(with_trl).warnings]
    assert any(message in warning for warning in warnings), warnings


# --- designs ---------------------------------------------------------------------------------------------------------


def design(work: Path, *tools: str) -> tuple[list[str], str]:
    """The errors and the plan of a design with a Qwen 3, which torchtune cannot train."""
    directory = make_inputs(work) / "models" / "Qwen3-0.6B"
    shutil.copytree(work / "models" / "Llama-3.2-1B-Instruct", directory)
    config = json.loads((directory / "config.json").read_text())
    config |= {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}
    (directory / "config.json").write_text(json.dumps(config))
    options = {
        "question": ["Does it help?"],
        "model": [f"Qwen3-0.6B={directory}"],
        "dataset": [str(work / "words.json")],
        "task": [f"capitalization={work / 'cap_task.py'}"],
        "factor": ["lora_rank=8,16"],
        "set": ["lr=1e-4", "batch_size=4", "epochs=1", "gpus=1"],
        "preparation": list(tools),
    }
    report = api.design(work / "exp", given=api.read_inputs(api.DesignSources(options=options)))
    return [str(error) for error in report.errors], report.text


def test_a_design_recommends_a_tool_that_can_train_the_model_and_says_why(tmp_path: Path) -> None:
    errors, text = design(tmp_path)
    (error,) = [error for error in errors if "model_type" in error]
    assert "its model_type is qwen3; torchtune 0.6.1 builds llama" in error
    assert "trl can train it: give --preparation trl" in error
    assert TORCHTUNE in text  # a recommendation, no more


def test_a_design_with_the_recommended_tool_has_no_errors(tmp_path: Path) -> None:
    errors, text = design(tmp_path, "trl")
    assert errors == []
    assert TRL in text
