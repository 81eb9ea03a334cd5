"""The table of parameters: names, values, a tool's rows, and a plan whose tool is not known."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.plans import parse_plan, problems_of
from tunebook.core.naming import run_directories
from tunebook.core.parameters import Kind, Parameter, ParameterTable
from tunebook.core.shared_parameters import SHARED_PARAMETERS

MODULES = Parameter("modules", "Modules", Kind.LIST, "mods", choices=("q_proj", "v_proj", "mlp"))


@pytest.mark.parametrize("text", ["q_proj, mlp", "mlp,q_proj", "[q_proj, mlp]", "Q_PROJ + mlp", "mlp mlp q_proj"])
def test_a_list_is_its_members_in_the_order_of_the_choices(text: str) -> None:
    assert MODULES.convert(text) == ("q_proj", "mlp")


@pytest.mark.parametrize("text", ["", "o_proj", "q_proj, o_proj"])
def test_a_list_with_another_member_names_those_that_are_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="must be one or more of q_proj, v_proj, mlp"):
        MODULES.convert(text)


def test_a_choice_may_be_written_in_any_case() -> None:
    assert SHARED_PARAMETERS.by_key("lr_scheduler").convert("Cosine") == "cosine"


def test_every_default_is_written_so_that_it_reads_back() -> None:
    for parameter in SHARED_PARAMETERS:
        if parameter.default_text is not None:
            assert parameter.convert(parameter.default_text) == parameter.default


def test_a_default_is_shown_as_a_plan_writes_it() -> None:
    texts = {row.key: row.default_text for row in SHARED_PARAMETERS}
    assert (texts["lr_scheduler"], texts["lora_alpha"], texts["weight_decay"]) == ("cosine", "2 × rank", "0.01")


@pytest.mark.parametrize("name", ["lora_rank", "LoRA Rank", "lora-rank", "rank", " RANK "])
def test_a_parameter_is_found_by_key_column_and_short_name(name: str) -> None:
    assert SHARED_PARAMETERS.by_name(name) is SHARED_PARAMETERS.by_key("lora_rank")


def test_a_tools_row_takes_the_place_of_a_shared_one_and_others_follow() -> None:
    narrowed = Parameter("lr_scheduler", "Scheduler", Kind.TEXT, choices=("linear",), required=True)
    table = SHARED_PARAMETERS.with_rows([MODULES, narrowed])
    assert table.by_key("lr_scheduler") is narrowed
    assert [row.key for row in table] == [*(row.key for row in SHARED_PARAMETERS), "modules"]


def test_a_misspelt_name_gets_the_nearest_column_that_can_vary() -> None:
    table = ParameterTable((MODULES, Parameter("moodles", "Moodles", Kind.TEXT)))
    assert table.suggest("Moodule", varying=True) == "did you mean `Modules`?"
    assert table.suggest("Moodle") == "did you mean `Moodles`?"


def test_a_plan_with_an_unknown_tool_has_one_problem_the_tool(edited: Callable[..., str]) -> None:
    """Its recipe may be that tool's; its learning rate is everybody's, and is read."""
    text = edited(("**Model Preparation:** torchtune", "**Model Preparation:** trl"))
    (problem,) = problems_of(text)
    assert (problem.line, problem.message) == (13, "unknown preparation tool `trl`")
    run = parse_plan(text).plan.runs[0]
    assert run.parameters["lr"].value == 1e-5


def test_a_list_as_a_column_names_directories_and_levels(edited: Callable[..., str]) -> None:
    text = edited(
        ("| Learning Rate | Batch Size |", "| LoRA Target Modules | Batch Size |"),
        ("| 1e-5 | 4 |", "| q_proj, v_proj | 4 |"),
        ("| 5e-5 | 4 |", "| q_proj, v_proj, mlp | 4 |"),
        ("| Learning Rate | 1e-5, 5e-5 |", '| LoRA Target Modules | "v_proj, q_proj", "q_proj, v_proj, mlp" |'),
        ("- **Seed:** 14", "- **Seed:** 14\n- **Learning rate:** 1e-4"),
    )
    assert problems_of(text) == ()
    directories = list(run_directories(parse_plan(text).plan).values())
    assert directories[:2] == ["rank8_targetsq_proj+v_proj", "rank8_targetsq_proj+v_proj+mlp"]


def test_a_list_cannot_be_a_bullet_and_a_column(edited: Callable[..., str]) -> None:
    text = edited(
        ("| Learning Rate | Batch Size |", "| LoRA Target Modules | Batch Size |"),
        ("| 1e-5 | 4 |", "| q_proj | 4 |"),
        ("| 5e-5 | 4 |", "| v_proj | 4 |"),
        ("| Learning Rate | 1e-5, 5e-5 |", "| LoRA Target Modules | `q_proj`, `v_proj` |"),
        ("- **Seed:** 14", "- **Seed:** 14\n- **Learning rate:** 1e-4\n- **LoRA target modules:** q_proj, v_proj"),
    )
    (problem,) = problems_of(text)
    assert (problem.line, problem.message) == (90, "`LoRA target modules` is a column of the runs table too")
