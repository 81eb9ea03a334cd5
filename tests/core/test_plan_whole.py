"""Plans of which a part could be ignored silently: each gives the right value, or an error on its line."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from core.test_plan_spellings import PLAN
from support.plans import EXAMPLE, parse_plan, plan_of, problems_of
from tunebook.core.check import plan_warnings
from tunebook.core.plan import Plan
from tunebook.core.plan.settings import Origin, effective, evaluations, settings_in_effect
from tunebook.core.units import read_duration

CONFIGURATION = PLAN[PLAN.index("## Configuration") : PLAN.index("\n## Compute Estimates")]
REQUIRED = "## Configuration\n- **Learning Rate:** 3e-4\n- **Epochs:** 2\n- **Batch Size:** 4\n"


def configured(text: str) -> str:
    """The plan with this after the required settings."""
    return PLAN.replace(CONFIGURATION, REQUIRED + text)


def line_of(page: str, text: str) -> int:
    return page[: page.index(text)].count("\n") + 1


def value(plan: Plan, key: str) -> object:
    return effective(plan, plan.runs[0], key)


def errors_at(page: str, text: str) -> list[str]:
    """The errors on the line of a text."""
    return [problem.message for problem in problems_of(page) if problem.line == line_of(page, text)]


# --- Configuration ----------------------------------------------------------------------------------------------------


def test_a_table_of_parameters_in_the_configuration_is_read() -> None:
    table = "\n| Parameter | Value |\n|---|---|\n| LoRA Alpha | 64 |\n| Weight Decay | 0.1 |\n"
    plan = plan_of(configured(f'{table}| System Prompt | "Capitalize the given word" |\n'))
    assert (value(plan, "lora_alpha"), value(plan, "weight_decay")) == (64, 0.1)
    assert value(plan, "system_prompt") == "Capitalize the given word"


def test_settings_below_headings_of_the_configuration_are_read() -> None:
    plan = plan_of(
        configured(
            '\n### Prompts\n- **LoRA Alpha:** 2 × rank\n- **Prompt:** "{input}!"\n- **System Prompt:** "Capitalize"\n'
            "\n### Evaluation\n- **Evaluation Max Tokens:** 12\n"
        )
    )
    assert (value(plan, "prompt"), value(plan, "system_prompt")) == ("{input}!", "Capitalize")
    assert (value(plan, "lora_alpha"), plan.value("eval_max_tokens")) == (8, 12)


def test_settings_nested_below_another_setting_are_read() -> None:
    plan = plan_of(configured('- **Seed:** 5\n  - **System Prompt:** "Capitalize"\n  - **Weight Decay:** 0.1\n'))
    assert (value(plan, "seed"), value(plan, "system_prompt"), value(plan, "weight_decay")) == (5, "Capitalize", 0.1)


def test_the_older_template_is_read_and_one_prompt_for_both_stages_may_be_given_twice() -> None:
    plan = plan_of(
        configured(
            '\n### Training\n- **System prompt:** "Capitalize"\n- **LoRA alpha:** 64\n'
            '\n### Evaluation\n- **Temperature:** 0.7\n- **System prompt:** "Capitalize"\n'
        )
    )
    assert (value(plan, "lora_alpha"), plan.value("eval_temperature")) == (64, 0.7)
    assert value(plan, "system_prompt") == "Capitalize"


def test_lines_of_the_older_template_without_effect_are_warnings_that_name_the_place() -> None:
    page = configured(
        "\n### Evaluation\n- **Scorer:** exact match\n"
        "\n### Output\n- **Checkpoint directory:** `/scratch/out`\n- **Naming pattern:** `ck-out-{run_name}`\n"
        "- **Example:** `/scratch/out/ck-out-rank8`\n"
    )
    assert problems_of(page) == ()
    warnings = parse_plan(page).warnings
    names = ("**Sco", "**Check", "**Nam", "**Example")
    assert [warning.line for warning in warnings] == [line_of(page, name) for name in names]
    assert "claude.local.md" in warnings[1].hint


@pytest.mark.parametrize("text", ["- **Example:** 5\n", "### Output\n- **Sede:** 5\n", "### Evaluation\n- Model: b\n"])
def test_other_lines_that_are_no_settings_stay_errors(text: str) -> None:
    page = configured(f"\n{text}")
    assert [problem.line for problem in problems_of(page)] == [line_of(page, text.splitlines()[-1])]


def test_the_older_templates_estimates_are_read(page: str) -> None:
    text = page.replace("- **Per evaluation:** ~5 min", "- **Per-eval time:** ~7 minutes")
    text = text.replace("- **Basis:**", "- **Per-run time:** ~8 minutes/epoch\n- **Basis:**")
    assert plan_of(text).estimates.evaluation_min == 7
    assert parse_plan(text).warnings == ()
    (warning,) = parse_plan(text.replace("~8 min |", "- |")).warnings
    assert "`Per-run time` is not read" in warning.message


def test_below_evaluation_a_seed_is_the_evaluations() -> None:
    plan = plan_of(configured("- Seed: 5\n\n### Evaluation\n- Seed: 6\n- Max tokens: 9\n"))
    assert (value(plan, "seed"), plan.value("eval_seed"), plan.value("eval_max_tokens")) == (5, 6, 9)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("### Evaluation\n- Batch Size: 9\n", "- Batch Size: 9", "not a setting of the evaluation"),
        ("### Training\n- Max tokens: 9\n", "- Max tokens", "is a setting of the evaluation, but is below `training`"),
        ('### Evaluation\n- System Prompt: "a"\n', "- System", "given for the evaluation only"),
        ('- System Prompt: "a"\n### Evaluation\n- System Prompt: "b"\n', '- System Prompt: "b"', "on line 51"),
        ("- Seed: 5\n- Seed: 6\n", "- Seed: 6", "`Seed` is given twice: `5` on line 51, and `6`"),
        ("- Seed: 5\n\n| Parameter | Value |\n|---|---|\n| seed | 6 |\n", "| seed", "given twice"),
        ("- Seed: 5\n\n## 9. Configuration\n- Seed: 6\n", "- Seed: 6", "given twice"),
        ("- Seed:\n", "- Seed", "has no value"),
        ("- Seed:\n  ```\n  5\n  ```\n", "- Seed", "has no value"),
        ("- Weight decay: 0,1\n", "- Weight", "Weight Decay is `0,1`"),
        ("- LoRA alpha: 2 × rank, but 64 for rank 8\n", "- LoRA", "LoRA Alpha is"),
        ("- Prompt: none\n", "- Prompt", "Prompt is not clear"),
        ('- Prompt: "{input}" or so\n', "- Prompt", "`or so` follows its closing mark"),
        ("- Prompt: “{input}\n", "- Prompt", "is not closed by ”"),
        ("- Prompt:\n  > {input}\n", "- Prompt", "has no value"),
        ("| Parameter | Value |\n|---|---|\n| Seed | 5 | 6 |\n", "| Seed", "the row has 3 cells"),
        ("- Sede: 5\n", "- Sede", "unknown configuration `Sede`"),
        ("- Seed – 5\n", "- Seed", "`Seed – 5` in `Configuration` is not read"),
    ],
)
def test_unclear_settings_in_the_configuration_are_an_error(text: str, line: str, message: str) -> None:
    page = configured(f"\n{text}")
    assert any(message in found for found in errors_at(page, line)), [str(item) for item in problems_of(page)]


@pytest.mark.parametrize("text", ["none", "-", "n/a", "(none)", "(empty)", "*none*", '""', "N/A", "None."])
def test_a_system_prompt_may_be_empty(text: str) -> None:
    assert plan_of(configured(f"- **System Prompt:** {text}\n")).configuration["system_prompt"].value == ""


@pytest.mark.parametrize("text", ['"none"', "`none`", "“none”"])
def test_a_quoted_none_is_a_text(text: str) -> None:
    assert plan_of(configured(f"- **System Prompt:** {text}\n")).configuration["system_prompt"].value == "none"


@pytest.mark.parametrize(
    ("text", "number"),
    [("10⁻⁵", 1e-5), ("2 × 10⁻⁵", 2e-5), ("2*10^-5", 2e-5), ("2e−5", 2e-5), ("`0.1` (as before)", 0.1)],
)
def test_numbers_as_people_write_them(text: str, number: float) -> None:
    assert plan_of(configured(f"- Weight decay: {text}\n")).configuration["weight_decay"].value == number


def test_whole_numbers_may_have_their_unit_and_thousands() -> None:
    plan = plan_of(configured("- GPUs: 0 GPUs\n- Max Sequence Length: 1,024\n"))
    assert (plan.value("gpus"), plan.value("max_seq_len")) == (0, 1024)


def test_every_setting_in_effect_has_its_origin() -> None:
    plan = plan_of(configured("- Seed: 5\n"))
    found = {item.parameter.key: item for item in settings_in_effect(plan, plan.runs[1])}
    assert (found["lora_rank"].origin, found["lora_rank"].line) == (Origin.ROW, line_of(PLAN, "| rank16"))
    assert (found["seed"].origin, found["seed"].text) == (Origin.CONFIGURATION, "5")
    assert (found["lora_alpha"].origin, found["lora_alpha"].value) == (Origin.DEFAULT, 32)
    assert found["eval_seed"].line is None
    of_control = {item.parameter.key for item in settings_in_effect(plan, plan.runs[2])}
    assert {"prompt", "eval_seed"} <= of_control
    assert "lr" not in of_control


# --- headings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("heading", ["## 2. Tools", "## Tools & Frameworks", "## 🛠 Tools", "# Tools", "## Tools:"])
def test_the_tools_are_read_below_any_heading_that_means_them(heading: str) -> None:
    page = PLAN.replace("## Tools", heading).replace("torchtune", "unsloth").replace("inspect-ai", "lm-eval")
    messages = [problem.message for problem in problems_of(page)]
    assert messages == ["unknown preparation tool `unsloth`", "unknown evaluation tool `lm-eval`"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("## Evaluation Plan", "## 4. Evaluation Plan"),
        ("### Evaluation Matrix", "### Matrix"),
        ("### Evaluation Matrix", "## Evaluation Matrix"),
        ("### Evaluation Matrix", "### Which run gets which task"),
        ("## All Runs", "## Run Table"),
        ("### Dataset", "### Data"),
    ],
)
def test_a_heading_in_other_words_is_understood(old: str, new: str) -> None:
    plan = plan_of(PLAN.replace(f"{old}\n", f"{new}\n"))
    assert [(item.run, item.epoch) for item in evaluations(plan)] == [("rank4", 0), ("base", None)]
    assert plan.dataset_path == "words.json"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("## Evaluation Plan", "## Evaluaton Plan"),
        ("## Configuration", "## Model Configuration"),
        ("### Dataset", "### Datsaet"),
        ("## Tools", "## Our Tools"),
        ("## Compute Estimates", "## Compute Estimate Table"),
    ],
)
def test_a_heading_near_a_known_one_is_an_error_that_names_it(old: str, new: str) -> None:
    page = PLAN.replace(f"{old}\n", f"{new}\n")
    assert errors_at(page, f"{new}\n") == [f"the heading `{new}` is near `{old.lstrip('# ')}`, but is not read"]


def test_a_section_below_another_heading_is_an_error() -> None:
    page = PLAN.replace("## Tools\n", "## Design\n### Tools\n")
    assert errors_at(page, "### Tools") == ["`Tools` is below `Design`, and is not read there"]


def test_own_sections_that_name_settings_are_a_warning() -> None:
    parsed = parse_plan(f"{PLAN}\n## Thoughts\n- Seed: 3\n\n## Ideas\n- none\n")
    messages = [warning.message for warning in parsed.warnings]
    assert messages == ["`Thoughts` is a section of your own, so it does not set Seed"]
    assert [own.title for own in parsed.own] == ["Thoughts", "Ideas"]


# --- rows, times, runs and tasks --------------------------------------------------------------------------------------


def test_a_second_table_of_runs_is_read() -> None:
    second = (
        "\n| Run Name | Model | LoRA Rank | Seed | Type |\n|---|---|---|---|---|\n| more | m | 16 | 3 | Fine-tuned |\n"
    )
    page = PLAN.replace("| Control | - |\n", f"| Control | - |\n{second}")
    assert [run.name for run in parse_plan(page).plan.runs] == ["rank4", "rank16", "base", "more"]
    assert parse_plan(page).plan.columns == ("lora_rank", "seed")


@pytest.mark.parametrize(
    "text", ["3 weeks", "2-3 hours", "1:30", "soon", "2 weeks 3 h", "8", "10 min – 2 h", "1 month"]
)
def test_a_time_that_cannot_be_read_is_an_error(text: str) -> None:
    assert read_duration(text) is None
    assert errors_at(PLAN.replace("8 min", text), "| rank4 |")
    assert errors_at(PLAN.replace("~10 min per run", text), "- **m:**")
    assert errors_at(PLAN.replace("~5 min", text), "- **Per evaluation")


@pytest.mark.parametrize("text", ["-", "N/A", "TBD", "?", ""])
def test_a_time_may_be_open(text: str) -> None:
    assert plan_of(PLAN.replace("8 min", text)).runs[0].estimate_min is None


def test_a_time_of_a_model_that_no_run_has_is_an_error() -> None:
    page = PLAN.replace("- **m:** ~10", "- **n:** ~10")
    assert errors_at(page, "- **n:**") == ["unknown `n` in `Training`"]


def test_runs_that_train_the_same_are_an_error_that_names_both() -> None:
    page = PLAN.replace("LoRA Rank | Type", "LoRA Rank | LoRA Alpha | Type").replace("- **LoRA Alpha:** 48\n", "")
    page = page.replace("|---|---|---|---|---|\n| rank4", "|---|---|---|---|---|---|\n| rank4")
    page = page.replace("| 4 | Fine", "| 4 | 8 | Fine").replace("| 16 | Fine", "| 4 | 2 × rank | Fine")
    page = page.replace("| m | - | Control", "| m | - | - | Control").replace("4, 16 |", "4 |")
    assert errors_at(page, "| rank16 | m") == ["run `rank16` is the same training as run `rank4` on line 18"]


@pytest.mark.parametrize(
    ("before", "text", "line"),
    [
        (
            "| base | m | - | Control | - |\n",
            "### Planned later\n| Run Name | Model | Type |\n|--|--|--|\n| x | m | Control |\n",
            "| Run Name | Model | Type",
        ),
        ("- **LoRA Alpha:** 48\n", "### Previous run\n- **Optimizer:** sgd\n", "- **Optimizer:**"),
        ("- **LoRA Alpha:** 48\n", "- **Not used:**\n  - **Optimizer:** sgd\n", "  - **Optimizer:**"),
    ],
)
def test_settings_that_may_not_apply_are_an_error(before: str, text: str, line: str) -> None:
    """Reading it would train another experiment, and so would ignoring it."""
    page = PLAN.replace(before, f"{before}\n{text}\n")
    assert any("not read" in message for message in errors_at(page, line))


def test_a_task_that_no_run_gets_is_a_warning() -> None:
    page = PLAN.replace("Exact match |\n", "Exact match |\n| more | `cap_task.py` | - | More |\n")
    warning = plan_warnings(parse_plan(page).plan)[-1]
    assert warning.message == "no run is evaluated in task `more`"
    assert warning.line == line_of(page, "| more |")


def test_a_misspelt_model_is_an_error_although_all_models_have_a_location() -> None:
    page = PLAN.replace("- m: `models/m`", "- **Location:** `models`\n- tiny-modl: `other/m`").replace(
        "| m |", "| tiny-model |"
    )
    assert errors_at(page, "- tiny-modl") == ["no run has the model `tiny-modl`"]


@pytest.mark.parametrize("cell", ["-", ""])
def test_a_cell_that_is_left_empty_beside_a_value_in_the_configuration_is_an_error(cell: str) -> None:
    page = PLAN.replace("LoRA Rank | Type", "LoRA Rank | Seed | Type").replace("| 4 | Fine", f"| 4 | {cell} | Fine")
    page = page.replace("|---|---|---|---|---|\n| rank4", "|---|---|---|---|---|---|\n| rank4")
    page = page.replace("| 16 | Fine", "| 16 | 7 | Fine").replace("| m | - | Control", "| m | - | - | Control")
    assert errors_at(page, "| rank4 | m") == ["run `rank4` has no Seed in its row, but the configuration gives 7"]


def test_a_value_that_begins_with_a_code_span_is_the_code_span() -> None:
    page = PLAN.replace("`words.json`\n", "`words.json` (80 words, see the lab's wiki)\n").replace(
        "`models/m`", "`models/m` from the hub"
    )
    plan = plan_of(page)
    assert (plan.dataset_path, plan.models[0].path) == ("words.json", "models/m")
    assert plan_of(PLAN.replace("`cap_task.py`", "`cap_task.py`@x")).tasks[0].function == "x"


@pytest.mark.parametrize(
    "written", ["train: 80, validation: 10, test: 10", "train=80; validation = 10; test (10)", "train: 80, test: 10"]
)
def test_splits_with_colons_are_read(written: str) -> None:
    dataset = plan_of(PLAN.replace("train (80), validation (10), test (10)", written)).dataset
    assert dataset is not None
    expected = {"train": 80, "validation": 10, "test": 10}
    assert dict(dataset.splits) == {name: count for name, count in expected.items() if name in written}


def test_thousands_in_splits_are_no_separators() -> None:
    dataset = plan_of(PLAN.replace("train (80), validation (10), test (10)", "train: 1,200, test: 10")).dataset
    assert dataset is not None
    assert dict(dataset.splits) == {"train": 1200, "test": 10}


def test_splits_are_read_whole_or_are_an_error() -> None:
    assert errors_at(PLAN.replace("test (10)", "test (ten)"), "- **Splits:**")
    nested = PLAN.replace(
        "train (80), validation (10), test (10)", "\n  - train: 80\n  - validation: 10 words\n  - test: 10"
    )
    assert plan_of(nested).dataset == plan_of(PLAN).dataset


def test_a_label_may_have_a_remark_in_parentheses() -> None:
    assert plan_of(PLAN.replace("- m: `models/m`", "- **m** (1B): `models/m`")).models == parse_plan(PLAN).plan.models


def test_the_path_of_a_model_may_be_below_its_name() -> None:
    page = PLAN.replace("- m: `models/m`", "- **m**\n  - Path: `models/m`\n  - Size: 0.3 GB\n  - Verified: ✓")
    assert [(model.name, model.path) for model in plan_of(page).models] == [("m", "models/m")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("- **Evaluation:** inspect-ai", "- **Evaluation:** lm-eval"),
        ("- **Evaluation:** inspect-ai", "\n| Stage | Tool |\n|---|---|\n| Evaluation | lm-eval |\n"),
        ("- **Evaluation:** inspect-ai", "\n## 2. Tools\nEvaluation: lm-eval\n"),
        ("- **Path:** `words.json`", "- Path = other.json"),
        ("- **Epochs to evaluate:** all", "- Epochs to evaluate: last"),
        ("- **Epochs to evaluate:** all", "\n### Schedule\n- Epochs to evaluate: last\n"),
        ("- **Per evaluation:** ~5 min", "- **Per evaluation:** ~6 min"),
        ("- **m:** ~10 min per run", "- **m:** ~11 min per run"),
        ("- m: `models/m`", "- m: `models/n`"),
    ],
)
def test_two_values_are_an_error_in_every_section(first: str, second: str) -> None:
    page = PLAN.replace(first, f"{first}\n{second}")
    start = line_of(page, f"{first}\n{second}") + 1
    lines = {problem.line for problem in problems_of(page)}
    assert lines & set(range(start, start + second.count("\n") + 1)), [str(item) for item in problems_of(page)]


@pytest.mark.parametrize("table", ["| Stage | Tool |", "| Parameter | Value |", "| Role | Value | Notes |"])
def test_tools_may_be_a_table(table: str) -> None:
    dashes = re.sub(r"[^|]+", "---", table)
    rest = " x |" * (table.count("|") - 3)
    rows = f"| Model Preparation | torchtune |{rest}\n| Evaluation | inspect-ai |{rest}"
    start, end = PLAN.index("- **Model Prep"), PLAN.index("\n## Variables")
    plan = plan_of(f"{PLAN[:start]}{table}\n{dashes}\n{rows}\n{PLAN[end:]}")
    assert (plan.tools.preparation, plan.tools.assumed) == ("torchtune", False)


def test_tools_without_a_tool_are_an_error() -> None:
    start, end = PLAN.index("- **Model Prep"), PLAN.index("\n## Variables")
    page = f"{PLAN[:start]}The usual ones.\n{PLAN[end:]}"
    assert errors_at(page, "## Tools") == ["`Tools` names no tool"]


# --- encodings --------------------------------------------------------------------------------------------------------


def test_a_byte_order_mark_is_no_part_of_the_plan() -> None:
    assert parse_plan(f"\ufeff{PLAN}") == parse_plan(PLAN)


@pytest.mark.parametrize(
    ("encode", "line", "byte"),
    [
        (lambda text: text.replace("Exact", "Ex\u00e4ct").encode("latin-1", "replace"), 34, "0xE4"),
        (lambda text: text.encode("utf-16"), 1, "0xFF"),
    ],
)
def test_another_encoding_is_an_error_with_line_and_byte(encode: Callable[[str], bytes], line: int, byte: str) -> None:
    text = encode(PLAN).decode("utf-8", "surrogateescape")
    problem = parse_plan(text).problems[0]
    assert (problem.line, problem.message) == (line, f"the byte {byte} is not UTF-8 text")


def test_nul_bytes_are_those_of_another_encoding_or_of_no_text() -> None:
    problem = parse_plan(PLAN.encode("utf-16-le").decode("utf-8", "surrogateescape")).problems[0]
    assert (problem.line, problem.message) == (1, "the file has NUL bytes: it is UTF-16, or no text file")


@pytest.mark.parametrize("word", ["none", "NA", "base", "n/a", "–"])
@pytest.mark.parametrize("kind", ["Control", "Base", "baseline"])
def test_the_cells_of_a_run_that_is_not_trained_may_say_so_in_words(page: str, word: str, kind: str) -> None:
    row = "| Llama-3.2-1B-Instruct_base | Llama-3.2-1B-Instruct | - | - | - | Control |"
    assert row in page
    assert problems_of(page.replace(row, row.replace("| - ", f"| {word} ").replace("Control", kind))) == ()


def test_a_trained_run_needs_a_value_and_not_a_word(page: str) -> None:
    tuned = page.replace("| 8 | 1e-5 |", "| none | 1e-5 |")
    assert any("LoRA Rank is `none`" in problem.message for problem in problems_of(tuned))


def test_a_matrix_that_follows_no_default_after_a_change_of_epochs_is_a_warning() -> None:
    page = (EXAMPLE / "experiment_summary.md").read_text()
    assert plan_warnings(parse_plan(page).plan) == ()
    more = page.replace("- **Epochs:** 1", "- **Epochs:** 20")
    (warning,) = plan_warnings(parse_plan(more).plan)
    assert "`Epochs to evaluate` is `last`, but the matrix names other epochs for every run" in warning.message
    assert warning.line == line_of(more, "- **Epochs to evaluate:**")
    one_follows = more.replace("_rank8_lr1e-5 | ✓ epoch 0", "_rank8_lr1e-5 | ✓")
    without_epochs = page.replace("- **Epochs:** 1\n", "")
    for text in (one_follows, without_epochs):
        assert plan_warnings(parse_plan(text).plan) == ()
