"""Reading a plan: every section, every value with its line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from support.plans import parse_plan, plan_of, problems_of
from tunebook.core.markdown import code_span, literal, parse_markdown, plain
from tunebook.core.plan import PlanDetails, RunType, read_tools, write_plan
from tunebook.core.plan import parse_plan as parse_with
from tunebook.core.plan.evaluation_plan import parse_epochs
from tunebook.core.plan.settings import effective, evaluations
from tunebook.core.plan.values import Model

Edit = Callable[..., str]


def test_the_example_is_read_completely(page: str) -> None:
    plan = plan_of(page)
    assert plan.name == "cap_4L_lora_lr_sweep_2025-10-22"
    assert (plan.tools.preparation, plan.tools.evaluation, plan.tools.assumed) == ("torchtune", ("inspect-ai",), False)
    assert [run.type for run in plan.runs] == [RunType.FINE_TUNED] * 8 + [RunType.CONTROL]
    assert plan.dataset is not None
    assert dict(plan.dataset.splits) == {"train": 240, "validation": 30, "test": 30}
    assert plan.tasks[0].script == "/scratch/gpfs/LAB/tasks/cap_task.py"
    assert plan.estimates.training_min == {"Llama-3.2-1B-Instruct": 10.0}
    assert plan.estimates.evaluation_min == 5.0
    assert plan.runs[0].estimate_min == 8.0
    assert plan.paths["models"] == "/scratch/gpfs/LAB/pretrained-llms"


def test_values_keep_their_line_and_their_writing(page: str) -> None:
    run = plan_of(page).runs[1]
    lines = page.splitlines()
    written = run.parameters["lr"]
    assert written.line is not None
    assert "rank8_lr5e-5" in lines[written.line - 1]
    assert (written.text, written.value) == ("5e-5", 5e-5)
    assert '"{input}"' in lines[(plan_of(page).configuration["prompt"].line or 0) - 1]


def test_alpha_as_a_multiple_of_the_rank(page: str) -> None:
    plan = plan_of(page)
    assert [effective(plan, run, "lora_alpha") for run in plan.fine_tuned[::2]] == [16, 32, 64, 128]


def test_without_a_tools_section_the_defaults_are_assumed(page: str) -> None:
    start, end = page.index("## Tools"), page.index("## Variables")
    plan = plan_of(page[:start] + page[end:])
    assert plan.tools.assumed
    assert (plan.tools.preparation, plan.tools.evaluation) == ("torchtune", ("inspect-ai",))


def test_the_tools_are_read_alone_to_choose_the_parameters(page: str) -> None:
    assert read_tools(page) == plan_of(page).tools
    assert read_tools("# x\n## Tools\n- **Evaluation:** other\n").evaluation == ("other",)
    assert read_tools("# x\n").assumed


def test_unknown_names_are_no_mistakes_while_the_parameters_are_incomplete(edited: Edit) -> None:
    text = edited(("Batch Size | Type", "Size of Batches | Type"), ("- **GPUs:**", "- **Chips:**"))
    table = plan_of(edited()).parameters
    assert [problem.line for problem in parse_with(text, table).problems] == [30, 80]
    incomplete = parse_with(text, replace(table, is_complete=False))
    assert incomplete.problems == ()
    assert (80, "Chips: 1") in [(item.block.line, item.block.text) for item in incomplete.unread]


def test_headings_match_without_regard_to_case_and_unknown_sections_are_ignored(edited: Edit) -> None:
    text = edited(("## All Runs", "## ALL RUNS"), ("## Notes", "## Whatever\n| a | b |\n|---|---|\n| 1 | 2 |\n\n## X"))
    assert len(plan_of(text).runs) == 9


def test_bare_title_is_the_name(edited: Edit) -> None:
    assert plan_of(edited(("# Experiment: cap", "# cap"))).name == "cap_4L_lora_lr_sweep_2025-10-22"


def test_no_matrix_means_all_runs_on_all_tasks(page: str) -> None:
    start, end = page.index("### Evaluation Matrix"), page.index("## Configuration\n- **Recipe")
    plan = plan_of(page[:start] + page[end:])
    assert len(evaluations(plan)) == 9
    assert evaluations(plan)[-1].epoch is None


def test_all_epochs_count_from_zero(edited: Edit) -> None:
    text = edited(
        ("- **Epochs:** 1", "- **Epochs:** 3"),
        ("**Epochs to evaluate:** last", "**Epochs to evaluate:** all"),
        ("✓ epoch 0", "✓"),
        ("- **Total evaluations:** 9\n\n### Evaluation Matrix", "- **Total evaluations:** 25\n\n### Evaluation Matrix"),
    )
    epochs = [item.epoch for item in evaluations(plan_of(text)) if item.run.endswith("rank8_lr1e-5")]
    assert epochs == [0, 1, 2]


def test_last_epoch_is_epochs_minus_one(edited: Edit) -> None:
    plan = plan_of(edited(("- **Epochs:** 1", "- **Epochs:** 3"), ("✓ epoch 0", "✓ last")))
    assert {item.epoch for item in evaluations(plan)} == {2, None}


@pytest.mark.parametrize(
    ("text", "epochs"),
    [
        ("last", "last"),
        ("all", "all"),
        ("0, 2", (0, 2)),
        ("epochs 0-2", (0, 1, 2)),
        ("epoch 1", (1,)),
        ("0, 0", (0,)),
        ("first", None),
        ("-1", None),
        ("1e3", None),
    ],
)
def test_epochs_as_people_write_them(text: str, epochs: object) -> None:
    assert parse_epochs(text) == epochs


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ('"a\\nb"', "a\nb"),
        ('"say \\"hi\\""', 'say "hi"'),
        (r"`\d+ ${x} {input}`", r"\d+ ${x} {input}"),
        ("`` a`b ``", " a`b "),
        ("Translate *this*: {input}", "Translate *this*: {input}"),
        ('""', ""),
        ('"{input} "', "{input} "),
    ],
)
def test_prompts_are_read_unchanged(raw: str, text: str) -> None:
    assert literal(raw) == text


def test_prompt_in_a_code_block(edited: Edit) -> None:
    text = edited(('- **Prompt:** "{input}"', "- **Prompt:**\n  ```\n  Word: {input}\n  Answer:\n  ```"))
    assert plan_of(text).configuration["prompt"].value == "Word: {input}\nAnswer:"


def test_a_prompt_with_broken_quotes_is_a_problem(edited: Edit) -> None:
    (problem,) = problems_of(edited(('"{input}"', r'"\d {input}"')))
    assert problem.line == 86
    assert "Prompt is not a valid quoted text" in problem.message
    assert "backticks" in problem.hint


def test_ticks_and_markup_are_not_part_of_values() -> None:
    assert plain("`/a/b_c` ✓ verified") == "/a/b_c"
    assert plain("**bold** *it* \\_x") == "bold it _x"
    assert plain("rank8_lr1e-5") == "rank8_lr1e-5"


def test_escaped_pipes_stay_in_cells() -> None:
    section = parse_markdown("| a |\n|---|\n| x \\| y |\n")
    assert section.tables[0].rows[0].cells[0].text == "x | y"


def test_tables_inside_code_blocks_are_not_read(edited: Edit) -> None:
    text = edited(("## All Runs\n", "## All Runs\n```\n| Run Name |\n|---|\n| fake |\n```\n\n"))
    assert len(plan_of(text).runs) == 9


@given(st.text(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_without_an_exception(text: str) -> None:
    problems_of(text)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_damage_to_the_example_is_read_without_an_exception(data: st.DataObject) -> None:
    from support.plans import EXAMPLE

    page = (EXAMPLE / "experiment_summary.md").read_text()
    start = data.draw(st.integers(0, len(page)))
    length = data.draw(st.integers(0, 200))
    problems_of(page[:start] + data.draw(st.text('|-`*#✓\n x9"\\', max_size=8)) + page[start + length :])


@given(name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._=@-]{0,20}", fullmatch=True), rank=st.integers(1, 10**6))
@settings(max_examples=40, deadline=None)
def test_the_name_and_the_rank_in_a_row_are_read(name: str, rank: int) -> None:
    table = f"| Run Name | Model | LoRA Rank | Type |\n|--|--|--|--|\n| {name} | m | {rank} | Control |\n"
    text = f"# x\n\n## All Runs\n{table}"
    run = parse_plan(text).plan.runs[0]
    assert (run.name, run.parameters["lora_rank"].value) == (name, rank)


@pytest.mark.parametrize(
    ("cell", "levels"),
    [
        ('"a, b", "c"', ("a, b", "c")),
        ("`a, b`, `c`", ("a, b", "c")),
        ('"two\\nlines", "c"', ("two\nlines", "c")),
        # No JSON: the text between the quotes is taken as it is written.
        ('"C:\\data, all", "c"', ("C:\\data, all", "c")),
        ("a, `b, c`", ("b, c",)),
        ("a, , b", ("a", "b")),
    ],
)
def test_levels_may_be_quoted_and_then_hold_commas(
    edited: Callable[..., str], cell: str, levels: tuple[str, ...]
) -> None:
    plan = parse_plan(edited(("| Learning Rate | 1e-5, 5e-5 |", f"| Prompt | {cell} |"))).plan
    assert plan.factors[1].levels == levels


def test_a_written_plan_marks_the_paths_that_were_found_and_no_others(page: str) -> None:
    plan = plan_of(page)
    assert plan.dataset is not None
    data, model = plan.dataset.path, plan.models[0].path
    text = write_plan(plan, PlanDetails(verified=frozenset({data})))
    assert f"`{data}` ✓ verified" in text
    assert f"`{model}`\n" in text
    assert f"`{model}` ✓" not in text
    assert "✓ verified" not in write_plan(plan, PlanDetails())


def test_a_written_plan_gives_a_location_only_where_all_models_are_in_one_directory(page: str) -> None:
    plan = plan_of(page)
    model = plan.models[0]
    near = replace(model, name="near", path=f"{PurePosixPath(model.path).parent}/near")
    far = replace(model, name="far", path="/elsewhere/far")

    def written(*models: Model) -> str:
        return write_plan(replace(plan, models=models, models_location=None), PlanDetails())

    location = f"- **Location:** `{PurePosixPath(model.path).parent}`"
    assert location in written(model)
    assert location in written(model, near)
    assert "- **Location:**" not in written(model, far)


@pytest.mark.parametrize("value", ["a", " a b ", " a", "a ", "`", "``a", "a`b", "a``", " `a` "])
def test_a_code_span_reads_back_unchanged(value: str) -> None:
    paragraph = MarkdownIt("commonmark").parse(f"x {code_span(value)} x")[1]
    (code,) = [token.content for token in paragraph.children or () if token.type == "code_inline"]
    assert code == value
