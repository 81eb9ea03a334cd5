"""The rules of the plan: each broken one is reported with its line, what is allowed and what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.plans import problems_of

Edit = Callable[..., str]
ROW = "| Llama-3.2-1B-Instruct_rank8_lr1e-5 | Llama-3.2-1B-Instruct | 8 | 1e-5 | 4 | Fine-tuned | ~8 min |"
DISTRIBUTED = [("lora_finetune_single_device", "lora_finetune_distributed"), ("- **GPUs:** 1", "- **GPUs:** 2")]
CONTROL = "| Llama-3.2-1B-Instruct_base | Llama-3.2-1B-Instruct | - | - | - | Control | N/A |"


def _row(**cells: str) -> str:
    values = {
        "name": "Llama-3.2-1B-Instruct_rank8_lr1e-5",
        "model": "Llama-3.2-1B-Instruct",
        "rank": "8",
        "lr": "1e-5",
        "batch": "4",
        "type": "Fine-tuned",
        "time": "~8 min",
    } | cells
    return "| " + " | ".join(values.values()) + " |"


RULES = [
    ("misspelt column", [("| Learning Rate | Batch", "| Learning Rat | Batch")], 30, "unknown column `Learning Rat`", "did you mean `Learning Rate`?"),
    ("unknown column", [("Batch Size | Type", "Colour | Type")], 30, "unknown column `Colour`", "LoRA Rank"),
    ("column twice", [("LoRA Rank | Learning Rate | Batch", "LoRA Rank | LoRA Rank | Batch")], 30, "appears twice", ""),
    ("column that cannot vary", [("Batch Size | Type", "Recipe | Type")], 30, "cannot differ between runs", "Configuration"),
    ("unknown tool", [("**Model Preparation:** torchtune", "**Model Preparation:** torchtun")], 13, "unknown preparation tool `torchtun`", "did you mean `torchtune`?"),
    ("unknown evaluation tool", [("**Evaluation:** inspect-ai", "**Evaluation:** helm")], 18, "unknown evaluation tool `helm`", "supported: inspect-ai"),
    ("tool of a package that is not installed", [("**Model Preparation:** torchtune", "**Model Preparation:** toytrainer")], 13, "unknown preparation tool `toytrainer`", "once that is installed beside tunebook"),
    ("duplicate run", [(ROW, ROW + "\n" + ROW), ("Runs:** 9", "Runs:** 10")], 33, "appears twice, first on line 32", "rename"),
    ("run name with a slash", [(ROW, _row(name="a/b"))], 32, "cannot be one path component", "letters"),
    ("run name with a blank", [(ROW, _row(name="a b"))], 32, "cannot be one path component", "letters"),
    ("run name like an option", [(ROW, _row(name="-rf"))], 32, "cannot be one path component", "letters"),
    ("unknown type", [(ROW, _row(type="Finetune"))], 32, "must be one of Fine-tuned, Control, Eval-only", "did you mean `Fine-tuned`?"),
    ("rank 0", [(ROW, _row(rank="0"))], 32, "LoRA Rank is `0`; it must be a whole number of at least 1", ""),
    ("rank no number", [(ROW, _row(rank="eight"))], 32, "LoRA Rank is `eight`", ""),
    ("rank not whole", [(ROW, _row(rank="8.5"))], 32, "LoRA Rank is `8.5`", ""),
    ("rate 0", [(ROW, _row(lr="0"))], 32, "it must be a number above 0", ""),
    ("decimal comma", [(ROW, _row(lr="0,01"))], 32, "a number above 0, with a point instead of the comma", ""),
    ("rate not finite", [(ROW, _row(lr="inf"))], 32, "Learning Rate is `inf`", ""),
    ("batch 0", [(ROW, _row(batch="0"))], 32, "Batch Size is `0`", ""),
    ("epochs 0", [("- **Epochs:** 1", "- **Epochs:** 0")], 81, "Epochs is `0`", ""),
    ("seed no integer", [("- **Seed:** 14", "- **Seed:** 14.0")], 88, "Seed is `14.0`; it must be a whole number", ""),
    ("evaluation seed", [("- **Evaluation seed:** 14", "- **Evaluation seed:** x")], 89, "Evaluation Seed is `x`", ""),
    ("unknown configuration", [("- **Seed:** 14", "- **Sede:** 14")], 88, "unknown configuration `Sede`", "did you mean `Seed`?"),
    ("level without a run", [("| 8, 16, 32, 64 |", "| 8, 16, 32, 64, 128 |")], 26, "no fine-tuned run has LoRA Rank 128", "agree"),
    ("run without a level", [("| 8, 16, 32, 64 |", "| 8, 16, 32 |")], 26, "runs have LoRA Rank 64", "agree"),
    ("unknown factor", [("| LoRA Rank | 8,", "| Lora Rnk | 8,")], 26, "unknown factor `Lora Rnk`", "did you mean `LoRA Rank`?"),
    ("run count", [("**Total Runs:** 9", "**Total Runs:** 12")], 5, "Total Runs is 12, but the runs table has 9 rows", "agree"),
    ("evaluation count", [("**Epochs to evaluate:** last\n- **Total evaluations:** 9", "**Epochs to evaluate:** last\n- **Total evaluations:** 8")], 63, "asks for 9", "agree"),
    ("matrix run that is not there", [("| Llama-3.2-1B-Instruct_rank8_lr1e-5 | ✓", "| Llama-3.2-1B-Instruct_rank9_lr1e-5 | ✓")], 68, "not in the runs table", "did you mean"),
    ("run that is not in the matrix", [("| Llama-3.2-1B-Instruct_base | ✓ | Base model, once |\n", "")], 40, "is not in the evaluation matrix", "with `-`"),
    ("matrix task that is not there", [("| Run Name | capitalization | Notes |", "| Run Name | capitalisation | Notes |")], 66, "unknown column `capitalisation`", "did you mean `capitalization`?"),
    ("matrix cell", [("_rank8_lr1e-5 | ✓ epoch 0", "_rank8_lr1e-5 | maybe")], 68, "`maybe` in the evaluation matrix cannot be read", "✓ epoch 0,1"),
    ("epoch out of range", [("_rank8_lr1e-5 | ✓ epoch 0", "_rank8_lr1e-5 | ✓ epoch 1")], 68, "cannot evaluate epoch 1: run `Llama-3.2-1B-Instruct_rank8_lr1e-5` trains 1 epoch (epoch 0)", "count from 0"),
    ("control with epochs", [("_base | ✓ |", "_base | ✓ epoch 0 |")], 76, "is not trained here and has no epochs", "`✓`"),
    ("control with parameters", [(CONTROL, CONTROL.replace("| - | - | - |", "| 8 | - | - |"))], 40, "is not trained, but has LoRA Rank", "`-`"),
    ("prompt without input", [('"{input}"', '"the word"')], 86, "the prompt does not contain `{input}`", "same text"),
    ("warm-up too long", [("- **Seed:** 14", "- **Seed:** 14\n- **Warmup steps:** 60")], 89, "a warm-up of 60 steps does not fit into 60 steps", "never reach"),
    ("no step at all", [(ROW, _row(batch="250")), ("**Batch sizes:** 4", "**Batch sizes:** 4, 250"), *DISTRIBUTED], 32, "makes no step: 240 examples", "smaller"),
    ("listed values", [(ROW, _row(batch="8"))], 32, "has Batch Size 8, but the configuration lists 4", "line 82"),
    ("several GPUs on one device", [("- **GPUs:** 1", "- **GPUs:** 4")], 79, "runs on one GPU, but the plan asks for 4", "lora_finetune_distributed"),
    ("one GPU for a distributed recipe", [("lora_finetune_single_device", "lora_finetune_distributed")], 79, "runs on several GPUs, but the plan asks for 1", "single_device"),
    ("unknown recipe", [("lora_finetune_single_device", "lora_finetune_single_devise")], 79, "unknown recipe", "did you mean"),
    ("rank with a full recipe", [("lora_finetune_single_device", "full_finetune_single_device")], 32, "trains all weights, so it cannot have LoRA Rank", "train with LoRA"),
    ("packing without a length", [("packing:** false", "packing:** true")], 83, "packing needs a maximum sequence length", "Max Sequence Length"),
    ("no training split", [("train (240), validation", "validation")], 52, "has no training split", "train (N)"),
    ("unreadable splits", [("train (240), validation (30), test (30)", "some")], 52, "splits `some` cannot be read", "train (240)"),
    ("no path for the model", [("  - Llama-3.2-1B-Instruct: `/scratch/gpfs/LAB/pretrained-llms/Llama-3.2-1B-Instruct` ✓ verified\n", ""), ("- **Location:** `/scratch/gpfs/LAB/pretrained-llms`\n", "")], 32, "no path is given for model", "### Models"),
    ("task without a script", [("| `/scratch/gpfs/LAB/tasks/cap_task.py` ✓ |", "| - |")], 57, "has no script", "FILE.py"),
    ("a merge in bf16", DISTRIBUTED, 32, "merges adapters into weights in bf16", "`Save: adapter`, or `Precision: fp32`"),
    ("another form of checkpoints", [("- **Seed:** 14", "- **Seed:** 14\n- **Save:** both")], 89, "it must be one of adapter, merged", ""),
    ("adapters of all weights", [("lora_finetune_single_device", "full_finetune_single_device"), ("- **Seed:** 14", "- **Seed:** 14\n- **Save:** merged")], 89, "cannot have Save", "train with LoRA"),
]  # fmt: skip


@pytest.mark.parametrize(("edits", "line", "message", "hint"), [rule[1:] for rule in RULES], ids=[r[0] for r in RULES])
def test_a_broken_rule_names_its_line_and_what_to_do(
    edited: Edit, edits: list[tuple[str, str]], line: int, message: str, hint: str
) -> None:
    found = [problem for problem in problems_of(edited(*edits)) if message in problem.message]
    assert found, [str(problem) for problem in problems_of(edited(*edits))]
    assert found[0].line == line
    assert found[0].file == "experiment_summary.md"
    assert hint in found[0].hint or hint in found[0].message


def test_all_problems_come_together(edited: Edit) -> None:
    text = edited(
        ("| Learning Rate | Batch", "| Learning Rat | Batch"),
        ("**Evaluation:** inspect-ai", "**Evaluation:** helm"),
        ('"{input}"', '"x"'),
        (ROW, _row(rank="x")),
    )
    messages = " ".join(problem.message for problem in problems_of(text))
    assert all(part in messages for part in ("Learning Rat", "helm", "{input}", "LoRA Rank is `x`"))


def test_a_misspelt_column_is_not_also_reported_as_missing_for_every_run(edited: Edit) -> None:
    (problem,) = problems_of(edited(("| Learning Rate | Batch", "| Learning Rat | Batch")))
    assert problem.line == 30


def test_runs_that_would_share_a_directory_are_both_named(edited: Edit) -> None:
    second = _row(name="again")
    text = edited((ROW, ROW + "\n" + second), ("Runs:** 9", "Runs:** 10"))
    found = next(problem for problem in problems_of(text) if "share the directory `rank8_lr1e-5/`" in problem.message)
    assert "Llama-3.2-1B-Instruct_rank8_lr1e-5" in found.message
    assert "again" in found.message
    assert "Seed" in found.hint


def test_runs_that_a_parameter_of_a_missing_tool_makes_different_are_not_called_equal(edited: Edit) -> None:
    second = ("Runs:** 9", "Runs:** 10"), (ROW, ROW + "\n" + _row(name="again"))
    messages = [problem.message for problem in problems_of(edited(*second, ("torchtune", "toytrainer")))]
    assert "unknown preparation tool `toytrainer`" in messages
    assert not any("same training" in message or "share the directory" in message for message in messages)


def test_one_number_written_twice_is_one_directory(edited: Edit) -> None:
    text = edited((ROW, ROW + "\n" + _row(name="again", lr="0.00001")), ("Runs:** 9", "Runs:** 10"))
    assert any("share the directory `rank8_lr1e-5/`" in problem.message for problem in problems_of(text))


def test_steps_round_up_so_that_every_example_is_trained_on() -> None:
    from tunebook.tools.runtime.epoch_steps import steps_per_epoch

    assert steps_per_epoch(320, batch_size=8, accumulation=1) == 40
    assert steps_per_epoch(325, batch_size=8, accumulation=3) == 14
    assert steps_per_epoch(3, batch_size=8, accumulation=2) == 1
    assert steps_per_epoch(325, batch_size=8, accumulation=1, max_steps=5) == 5


def test_steps_of_a_stock_recipe_drop_the_incomplete_batch() -> None:
    from tunebook.tools.runtime.epoch_steps import steps_per_epoch

    assert steps_per_epoch(325, batch_size=8, accumulation=3, drops_last=True) == 13
    assert steps_per_epoch(320, batch_size=8, accumulation=1, gpus=2, drops_last=True) == 20
    assert steps_per_epoch(3, batch_size=8, accumulation=2, drops_last=True) == 0
    assert steps_per_epoch(320, batch_size=8, accumulation=1, max_steps=5, drops_last=True) == 5


def test_a_value_that_one_run_lacks_is_reported_at_its_row_and_a_wrong_bullet_once(edited: Edit) -> None:
    """Eight runs are trained: a column that they all lack is eight problems, one bullet for all of them is one."""
    lines = list(range(32, 40))
    without_rates = edited(
        ("| Learning Rate | Batch Size |", "| Notes | Batch Size |"), ("| Learning Rate | 1e-5, 5e-5 |\n", "")
    )
    found = [problem for problem in problems_of(without_rates) if "has no Learning Rate" in problem.message]
    assert [problem.line for problem in found] == [line - 1 for line in lines]
    validated = edited(
        ("Validation during training:** no", "Validation during training:** yes"), (", validation (30)", "")
    )
    found = [problem for problem in problems_of(validated) if "no validation split" in problem.message]
    assert [problem.line for problem in found] == [52]


@pytest.mark.parametrize(
    ("missing", "edits"),
    [
        (
            "LoRA Rank",
            [
                ("| LoRA Rank | Learning", "| Seed | Learning"),
                ("| LoRA Rank | 8,", "| Seed | 8,"),
                ("- **Seed:** 14\n", ""),
            ],
        ),
        ("Epochs", [("- **Epochs:** 1\n", "")]),
    ],
    ids=["rank of adapters", "epochs"],
)
def test_a_training_without_a_setting_that_it_needs_is_refused(
    edited: Edit, missing: str, edits: list[tuple[str, str]]
) -> None:
    messages = [problem.message for problem in problems_of(edited(*edits))]
    assert any(message.endswith(f"has no {missing}") for message in messages), messages
