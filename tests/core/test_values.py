"""Names, units, quoting, YAML and log entries, many as properties."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from support.plans import plan_of
from tunebook.core.log_entry import format_entry
from tunebook.core.naming import is_one_component, run_directories, short_model_name
from tunebook.core.parameters import Value
from tunebook.core.quoting import escape_interpolation, shell_word
from tunebook.core.times import local_iso, local_text, time_text
from tunebook.core.units import clock_minutes, minutes, sbatch_time, spoken_duration
from tunebook.errors import PlanError
from tunebook.tools.torchtune.omegaconf_yaml import read_config
from tunebook.tools.torchtune.parameters import SETUP_PARAMETERS
from tunebook.tools.torchtune.setup import TorchtuneSetup
from tunebook.tools.torchtune.tool import SETUP_FILE
from tunebook.tools.yaml_text import yaml_lines

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=40)
TRICKY = st.text(alphabet="${}\\ab'\": #-\n,%&*!|>?1e.~", max_size=25)
SCALARS: st.SearchStrategy[Any] = st.one_of(
    TEXT,
    TRICKY,
    st.integers(-(10**9), 10**9),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
)


@given(
    st.dictionaries(
        st.from_regex(r"k_[a-z]{1,6}", fullmatch=True), st.one_of(SCALARS, st.lists(SCALARS, max_size=3)), max_size=5
    )
)
@example({"k_a": "0E0", "k_b": "1e-5", "k_c": ["-.5E+3"]})
@settings(max_examples=300, deadline=None)
def test_yaml_is_read_back_equal_by_yaml_1_1_and_by_omegaconf(values: dict[str, Any]) -> None:
    text = "\n".join(yaml_lines(values)) + "\n"
    assert (yaml.safe_load(text) or {}) == values
    escaped = {key: _escaped(value) for key, value in values.items()}
    text = "\n".join(yaml_lines(escaped)) + "\n"
    assert (read_config(text) or {}) == values
    assert OmegaConf.to_container(OmegaConf.create(text), resolve=True) == values


def test_values_that_python_takes_for_equal_are_written_apart() -> None:
    values = {"a": 0.0, "b": -0.0, "c": 0, "d": False}
    assert list(yaml_lines(values)) == ["a: 0.0", "b: -0.0", "c: 0", "d: false"]


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return escape_interpolation(value)
    return [_escaped(item) for item in value] if isinstance(value, list) else value


@given(st.one_of(st.from_regex(r"[+-]?[0-9_.]{0,6}([eE][+-]?[0-9]{1,2})?", fullmatch=True), TRICKY))
@settings(max_examples=300, deadline=None)
def test_our_reader_takes_every_plain_scalar_as_omegaconf_does(scalar: str) -> None:
    """Our fast reader and OmegaConf read the same value from any text in a configuration."""
    text = f"a: {scalar}\n"
    try:
        expected: Any = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    except Exception:  # noqa: BLE001  what OmegaConf cannot read need not be read equal
        return
    assert repr(read_config(text)) == repr(expected)


@given(TRICKY)
@settings(max_examples=300, deadline=None)
def test_no_text_is_an_interpolation(text: str) -> None:
    assert OmegaConf.create({"a": escape_interpolation(text)})["a"] == text


@given(TEXT)
@settings(max_examples=40, deadline=None)
def test_a_shell_word_is_one_word_to_bash(text: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f'value={shell_word(text)}; printf %s "$value"'], capture_output=True, check=True
    )
    assert done.stdout.decode() == text


@given(
    st.dictionaries(st.sampled_from(["details", "result", "explanation"]), st.text(max_size=60)), st.text(max_size=30)
)
@settings(max_examples=100, deadline=None)
def test_no_value_can_forge_a_log_entry(lines: dict[str, str], description: str) -> None:
    text = format_entry(datetime(2025, 1, 2, 3, 4, 5), "ACTION", description, **lines)  # noqa: DTZ001
    assert text.startswith("[2025-01-02 03:04:05] ACTION: ")
    assert text.endswith("\n\n")
    assert len(text.rstrip("\n").splitlines()) <= 1 + len(lines)


def test_an_entry_has_the_documented_format() -> None:
    when = datetime(2025, 10, 24, 17, 30)  # noqa: DTZ001
    text = format_entry(when, "READ_TOOL_SPECS", "Parsing", details="a\nb", result="c", explanation="")
    assert text == "[2025-10-24 17:30:00] READ_TOOL_SPECS: Parsing\nDetails: a\\nb\nResult: c\n\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~8 min", 8),
        ("1 h 30 min", 90),
        ("90 s", 1.5),
        ("0:59:00", 59),
        ("~10 min per run × 8 runs = 80 min", 10),
        ("2 hours", 120),
        ("about 8 min", 8),
        ("8 min, at most 10 min", 8),
        ("N/A", None),
    ],
)
def test_durations_as_people_write_them(text: str, expected: float | None) -> None:
    assert minutes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90),
        ("0:59:00", 59),
        ("1-00", 1440),
        ("1-02:30", 1590),
        ("1-02:30:15", 1590.25),
        ("0:00:30", 0.5),
        ("10:30", 10.5),
        ("x", None),
    ],
)
def test_slurm_times(text: str, expected: float | None) -> None:
    assert clock_minutes(text) == expected


def test_times_for_sbatch_are_rounded_up() -> None:
    assert [sbatch_time(value) for value in (0.2, 16, 59.5, 1500)] == ["00:01:00", "00:16:00", "01:00:00", "1-01:00:00"]
    assert [spoken_duration(value) for value in (40, 80, 7500)] == ["40s", "1m 20s", "2h 5m"]


@pytest.mark.parametrize("name", ["a/b", "", ".", "..", ".hidden", "-rf", "a b", "a\nb", "x" * 300, "a;b", "$(x)"])
def test_names_that_are_no_path_component(name: str) -> None:
    assert not is_one_component(name)


def test_short_model_names() -> None:
    assert short_model_name("meta-llama/Llama-3.2-1B-Instruct") == "Llama-3.2-1B"
    assert short_model_name("Qwen2.5-0.5B") == "Qwen2.5-0.5B"


def test_directories_hold_only_what_varies_and_models_come_first(edited: Callable[..., str]) -> None:
    rows = "".join(
        f"| {model}_r{rank} | {model} | {rank} | 1e-5 | 4 | Fine-tuned | 1 min |\n"
        for model in ("Llama-3.2-1B", "Llama-3.2-3B")
        for rank in (8, 16)
    )
    page = (
        "# x\n\n## All Runs\n| Run Name | Model | LoRA Rank | Learning Rate | Batch Size | Type | Est. Time |\n"
        f"|--|--|--|--|--|--|--|\n{rows}\n## Resources\n### Models\n- **Location:** `/m`\n\n### Dataset\n- **Path:** `/d.json`\n\n"
        "## Configuration\n- **Epochs:** 1\n"
    )
    assert list(run_directories(plan_of(page)).values()) == [
        "Llama-3.2-1B_rank8",
        "Llama-3.2-1B_rank16",
        "Llama-3.2-3B_rank8",
        "Llama-3.2-3B_rank16",
    ]
    del edited


def test_prompts_are_numbered_and_a_single_run_keeps_its_name() -> None:
    head = "# x\n\n## All Runs\n| Run Name | Model | LoRA Rank | Prompt | Learning Rate | Batch Size | Type |\n|--|--|--|--|--|--|--|\n"
    tail = "\n## Resources\n### Models\n- **Location:** `/m`\n\n### Dataset\n- **Path:** `/d.json`\n\n## Configuration\n- **Epochs:** 1\n"
    rows = [f'| r{i} | m | 8 | "{text} {{input}}" | 1e-5 | 4 | Fine-tuned |\n' for i, text in enumerate(("Say", "Do"))]
    assert list(run_directories(plan_of(head + "".join(rows) + tail)).values()) == ["prompt1", "prompt2"]
    assert list(run_directories(plan_of(head + rows[0] + tail)).values()) == ["r0"]


DEFAULTS: dict[str, Value] = {
    parameter.key: None if parameter.nullable else parameter.default or "" for parameter in SETUP_PARAMETERS
}
SETUP = TorchtuneSetup(
    {
        **DEFAULTS,
        "packed": False,
        "train_on_input": False,
        "save_adapter_weights_only": False,
        "stash_adapter_weights": True,
        "weight_decay": 0.01,
        "num_warmup_steps": 0,
        "modules": (),
        "gpus": 0,
        "cpus": 4,
        "lr": 1e-5,
        "batch_size": 4,
        "epochs": 1,
        "lora_rank": 8,
        "lora_alpha": 16,
        "lora_dropout": 0.0,
        "lora_target_modules": ("q_proj", "mlp"),
    }
)


@given(
    TEXT,
    TEXT,
    st.floats(1e-9, 1.0),
    st.integers(1, 4096),
    st.lists(st.from_regex(r"[a-z /.0-9]{1,12}", fullmatch=True), max_size=2),
)
@settings(max_examples=150, deadline=None)
def test_settings_are_read_back_equal(system: str, prompt: str, lr: float, rank: int, modules: list[str]) -> None:
    prompt += "{input}"
    changed: dict[str, Value] = {
        "system_prompt": system,
        "prompt": prompt,
        "lr": lr,
        "lora_rank": rank,
        "modules": tuple(modules),
    }
    setup = TorchtuneSetup({**SETUP.values, **changed})
    text = SETUP_FILE.write(setup)
    assert SETUP_FILE.read(text, file="setup_finetune.yaml") == setup
    assert yaml.safe_load(text)["prompt"] == prompt


def test_learning_rate_is_taken_for_lr_and_nothing_else_is_guessed() -> None:
    text = SETUP_FILE.write(SETUP)
    assert SETUP_FILE.read(text.replace("\nlr: 1.0e-05", "\nlearning_rate: 1e-5"), file="s").values["lr"] == 1e-5
    with pytest.raises(PlanError, match="missing: seed"):
        SETUP_FILE.read(text.replace("seed: 14\n", ""), file="s")
    with pytest.raises(PlanError) as caught:
        SETUP_FILE.read(text.replace("seed: 14\n", "seed: 14\nsede: 1\nlr: 2\n"), file="s.yaml")
    assert [(item.file, item.line) for item in caught.value.problems] == [("s.yaml", 34), ("s.yaml", 35)]


@pytest.mark.parametrize(
    ("written", "steps"), [("1", 1), ("10", 10), ("0", None), ("no", None), ("off", None), ("epoch", "epoch")]
)
def test_a_setup_file_says_after_how_many_steps_to_validate(written: str, steps: Value) -> None:
    text = SETUP_FILE.write(SETUP)
    assert "\nrun_val_every_n_steps: null\n" in text
    edited = text.replace("\nrun_val_every_n_steps: null\n", f"\nrun_val_every_n_steps: {written}\n")
    assert SETUP_FILE.read(edited, file="s").values["run_val_every_n_steps"] == steps


def test_unset_settings_are_read_back_unset() -> None:
    unset = ("lora_rank", "lora_alpha", "lora_dropout", "lora_target_modules", "my_wandb_project", "custom_recipe")
    setup = TorchtuneSetup({**SETUP.values, **dict.fromkeys(unset)})
    read = SETUP_FILE.read(SETUP_FILE.write(setup), file="setup_finetune.yaml")
    assert {key: read.values[key] for key in unset} == dict.fromkeys(unset)


@pytest.mark.parametrize(
    ("changed", "recipe"),
    [
        ({}, "lora_finetune_single_device"),
        ({"gpus": 1}, "lora_finetune_single_device"),
        ({"gpus": 2}, "lora_finetune_distributed"),
        ({"gpus": 2, "lora_rank": None}, "full_finetune_distributed"),
        ({"gpus": 2, "custom_recipe": "my_lab.train"}, "my_lab.train"),
    ],
)
def test_the_recipe_follows_from_the_settings_unless_a_person_names_one(changed: dict[str, Value], recipe: str) -> None:
    assert TorchtuneSetup({**SETUP.values, **changed}).settings["recipe"] == recipe


def test_times_are_local_and_name_their_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert local_text("2026-11-28T12:10:05Z") == "2026-11-28 17:40:05 +05:30"
        assert local_iso("2026-11-28T12:10:05.250+00:00") == "2026-11-28T17:40:05+05:30"
        assert time_text(datetime.fromisoformat("2026-11-28T12:10:05+01:00")) == "2026-11-28 12:10:05 +01:00"
        assert time_text(datetime.fromisoformat("2026-11-28T17:40:05")) == "2026-11-28 17:40:05 +05:30"
        assert local_text("| odd |", otherwise="") == ""
        assert [local_text(text) for text in ("", "soon", "2026-11-28T12:10:05")] == ["", "soon", "2026-11-28T12:10:05"]
    finally:
        monkeypatch.undo()
        time.tzset()
