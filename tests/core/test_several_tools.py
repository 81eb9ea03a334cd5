"""A plan with several evaluation tools: each task belongs to one of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.plans import parse_plan, plan_of
from tunebook.core.check import check_plan, plan_warnings
from tunebook.core.plan import Plan, PlanDetails, read_tools, write_plan
from tunebook.core.plan.settings import evaluations

Edit = Callable[..., str]
TOOLS = ("- **Evaluation:** inspect-ai", "- **Evaluation:** inspect-ai, lm-eval")
WITH_TOOL = "| Task Name | Tool | Script | Dataset | Description |\n|---|---|---|---|---|\n"


def problems(plan: Plan) -> list[tuple[int | None, str]]:
    found = check_plan(plan, preparation_tools=["torchtune"], evaluation_tools=["inspect-ai", "lm-eval"])
    return [(problem.line, problem.message) for problem in found]


@pytest.fixture
def two_tools(edited: Edit) -> str:
    """The example with a second task, which belongs to a second tool."""
    text = edited(TOOLS)
    start = text.index("| Task Name")
    end = text.index("\n\n", start)
    tasks = "| capitalization | Inspect-AI | `cap_task.py` | - | |\n| words | lm-eval | | `w.json` | |"
    text = text[:start] + WITH_TOOL + tasks + text[end:]
    start = text.index("| Run Name", text.index("## Evaluation Plan"))
    end = text.index("\n\n", start)
    rows = [f"| {run.name} | ✓ | ✓ |" for run in parse_plan(text).plan.runs]
    rows[0] = rows[0].replace("✓ |", "- |").replace("- | - |", "✓ | - |")
    matrix = "| Run Name | capitalization | words |\n|---|---|---|\n" + "\n".join(rows)
    return text[:start] + matrix + text[end:]


@pytest.mark.parametrize("text", ["inspect-ai, lm-eval", "inspect-ai and lm-eval", "inspect-ai + lm-eval"])
def test_the_tools_section_may_name_several_evaluation_tools(text: str) -> None:
    tools = read_tools(f"# x\n## Tools\n- **Evaluation:** {text}\n")
    assert tools.evaluation == ("inspect-ai", "lm-eval")
    assert tools.evaluation_text == "inspect-ai, lm-eval"


def test_a_tool_that_is_named_twice_is_an_error(edited: Edit) -> None:
    text = edited((TOOLS[0], "- **Evaluation:** inspect-ai, Inspect-AI"))
    assert "`inspect-ai, Inspect-AI` names a tool twice" in [problem.message for problem in parse_plan(text).problems]


def test_each_tool_sees_its_own_tasks_and_evaluations_only(two_tools: str) -> None:
    plan = parse_plan(two_tools).plan
    assert [plan.tool_of(task) for task in plan.tasks] == ["inspect-ai", "lm-eval"]
    for tool, task, number in (("inspect-ai", "capitalization", 9), ("lm-eval", "words", 8)):
        narrowed = plan.for_tool(tool)
        assert [item.name for item in narrowed.tasks] == [task]
        assert [item.task for item in evaluations(narrowed)] == [task] * number
    assert len(evaluations(plan)) == 17


def test_a_plan_with_one_tool_is_not_narrowed(page: str) -> None:
    plan = plan_of(page)
    assert plan.for_tool("inspect-ai") is plan
    assert plan.for_tool("lm-eval").tasks == ()


def test_the_tool_column_is_written_and_read_back(two_tools: str) -> None:
    plan = parse_plan(two_tools).plan
    text = write_plan(plan, PlanDetails())
    assert "| Task Name | Tool | Script |" in text
    again = parse_plan(text).plan
    assert [(task.name, task.tool) for task in again.tasks] == [("capitalization", "Inspect-AI"), ("words", "lm-eval")]
    assert again.tools.evaluation == plan.tools.evaluation


def test_a_task_must_name_one_of_several_tools(two_tools: str) -> None:
    line = next(i for i, row in enumerate(two_tools.splitlines(), 1) if row.startswith("| words | lm-eval"))
    nameless = parse_plan(two_tools.replace("| words | lm-eval |", "| words | |")).plan
    assert (line, "the plan has 2 evaluation tools, and task `words` names none of them") in problems(nameless)
    other = parse_plan(two_tools.replace("| words | lm-eval |", "| words | helm |")).plan
    assert (line, "task `words` belongs to `helm`, which the plan's tools do not include") in problems(other)


def test_a_tool_without_a_task_is_a_warning(two_tools: str) -> None:
    plan = parse_plan(two_tools.replace("| words | lm-eval |", "| words | inspect-ai |")).plan
    assert "no task belongs to lm-eval" in [problem.message for problem in plan_warnings(plan)]
