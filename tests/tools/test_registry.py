"""Plug-ins as other packages register them: usable ones, and broken ones, which harm nobody who does not need them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.command_line import tunebook
from support.plugins import write_distribution
from support.scaffolding import replace, scaffolded
from tunebook import api
from tunebook.core.jobs import Stage
from tunebook.core.plan import Tools
from tunebook.errors import ExitCode, PlanError, ToolError
from tunebook.tools.entry_points import tool_names
from tunebook.tools.parameters import every_parameter, installed_parameters
from tunebook.tools.registry import installed_tools

TOOL = """
from tunebook.tools.base import Findings, PreparationTool, Package, Prepared, Unit

class Mine(PreparationTool):
    name = short = "mine"
    package = Package("mine", "my-tools", "my-tools")
    files = ()
    def survey(self, plan, site, experiment): return None
    def check(self, context): return Findings()
    def runs(self, plan): return plan.fine_tuned
    def build(self, context, run): return Unit(run.name, prepared=Prepared("", {0: "/ck"}, None, {}))
    def verify(self, context, run, unit, read): return ()
    def model_size_b(self, name, facts): return None
"""
Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs the distribution ``my-tools``, whose tool ``mine`` has the given source."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "mine", raising=False)

    def write(source: str) -> None:
        write_distribution(tmp_path / "site", name="my-tools", entry_points={"mine": "mine:Mine"})
        (tmp_path / "site" / "mine.py").write_text(source)

    return write


BROKEN = [
    ("import absent_module", "ModuleNotFoundError: No module named 'absent_module'"),
    ("1 / 0", "ZeroDivisionError: division by zero"),
    ("import sys; sys.exit('no licence')", "SystemExit: no licence"),
    ("class Mine:\n    def __init__(self, key): ...", "TypeError: Mine.__init__() missing 1 required positional"),
    ("class Mine: ...", "its `stage` is not a Stage"),
    ("def Mine(): return None", "its `stage` is not a Stage"),
    (TOOL.replace('"mine"\n', '"other"\n', 1), "its `short` is 'other', but its entry point is called 'mine'"),
    (TOOL.replace("files = ()", "files = None"), "its `files` is not of the type tuple"),
    (TOOL.replace("files = ()", "files = (); results = None"), "its `results` is not of the type TrainingResults"),
    (TOOL.replace("def runs(self, plan): return plan.fine_tuned", "runs = ()"), "its `runs` is not a method"),
    (TOOL.replace('"mine"\n', '"torchtune"\n', 1), "its `short` is 'torchtune'"),
    (TOOL.replace('name = short = "mine"', 'name, short = "torchtune", "mine"'), "another tool has the name torchtune"),
    (
        "from tunebook.core.jobs import Stage\nclass Mine:\n    name = short = 'mine'\n    stage = Stage.EVALUATION",
        "it lacks `results`, `task_form`, `exact_match`, `task_writer`, `loads_adapters`, `first_prompt`, `read_tasks`",
    ),
]


@pytest.mark.parametrize(("source", "reason"), BROKEN, ids=[reason[:40] for _, reason in BROKEN])
def test_a_broken_plug_in_is_named_with_its_package_and_reason_and_skipped(
    source: str, reason: str, install: Install, experiment: Path
) -> None:
    install(source)
    report = scaffolded(experiment)
    (warning,) = [str(item) for item in report.warnings if "my-tools" in str(item)]
    assert f"the tool `mine` of the package my-tools cannot be used: {reason}" in warning
    assert report.exit_code is ExitCode.DONE
    assert {tool.name for tool in installed_tools().tools} == {"torchtune", "trl", "inspect-ai", "lm-eval"}
    assert reason in str(api.tools().warnings[0])


def test_a_broken_plug_in_that_the_plan_names_is_an_error_with_the_same_reason(
    install: Install, experiment: Path
) -> None:
    install("1 / 0")
    replace(experiment / "experiment_summary.md", "**Model Preparation:** torchtune", "**Model Preparation:** mine")
    with pytest.raises(PlanError) as caught:
        scaffolded(experiment)
    (problem,) = caught.value.problems
    reason = "ZeroDivisionError: division by zero (mine.py:1)"
    assert problem.message == f"the tool `mine` of the package my-tools cannot be used: {reason}"
    assert problem.line is not None
    assert "my-tools" not in str(api.check(experiment).warnings)


def test_what_a_plug_in_prints_at_import_is_not_in_a_document(
    install: Install, experiment: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install("print('hello from the plug-in')\n" + TOOL)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    done = tunebook(experiment, "check", "--json")
    assert json.loads(done.stdout)["ok"] is True
    assert "hello from the plug-in" in done.stderr


def test_a_usable_plug_in_can_be_named_by_a_plan_and_has_verbs(install: Install, experiment: Path) -> None:
    install(TOOL)
    assert tool_names() == ("inspect", "lm-eval", "mine", "torchtune", "trl")
    assert "mine" not in sys.modules
    registry = installed_tools()
    assert registry.broken == ()
    assert registry.names(Stage.PREPARATION) == ["torchtune", "trl", "mine"]
    replace(experiment / "experiment_summary.md", "**Model Preparation:** torchtune", "**Model Preparation:** Mine")
    problems = [problem.message for problem in api.check(experiment).errors]
    assert problems == ["unknown configuration `Recipe`", "unknown configuration `Dataset packing`"]
    replace(experiment / "experiment_summary.md", "- **Recipe:** `lora_finetune_single_device`\n", "")
    replace(experiment / "experiment_summary.md", "- **Dataset packing:** false\n", "")
    assert api.check(experiment).errors == ()


def test_a_plug_in_that_is_installed_later_is_found_with_its_parameters(install: Install) -> None:
    assert every_parameter().get("decay") is None
    row = 'Parameter("decay", "Loss Decay", Kind.NUMBER)'
    parameters = f"parameters = ({row},)\n    def survey"
    install("from tunebook.core.parameters import Kind, Parameter" + TOOL.replace("def survey", parameters))
    named = Tools(preparation="mine")
    assert every_parameter().by_name("Loss Decay") == installed_parameters(named).get("decay") is not None


def test_the_tools_of_tunebook_keep_their_own_contract() -> None:
    registry = installed_tools()
    assert registry.broken == ()
    assert [(tool.name, tool.short) for tool in registry.tools] == [
        ("torchtune", "torchtune"),
        ("trl", "trl"),
        ("inspect-ai", "inspect"),
        ("lm-eval", "lm-eval"),
    ]


@pytest.mark.parametrize("content", [b"[tunebook.tools]\nmine\n", b"[tunebook.tools]\nm\xff = a:b\n"], ids=ascii)
def test_a_package_whose_entry_points_cannot_be_read_is_named_and_the_others_are_found(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "site" / "damaged-1.0.dist-info"
    damaged.mkdir(parents=True)
    (damaged / "entry_points.txt").write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert tool_names() == ("inspect", "lm-eval", "torchtune", "trl")
    (broken,) = installed_tools().broken
    assert broken.distribution == str(damaged)
    assert "its entry points: " in broken.reason


def test_a_tool_whose_name_holds_control_characters_gets_no_verb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_distribution(tmp_path / "site", name="my-tools", entry_points={"\x1b[31mred": "mine:Mine"})
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert tool_names() == ("inspect", "lm-eval", "torchtune", "trl")
    assert "other characters than letters" in installed_tools().broken[0].reason


FAULTS = ["raise KeyError('k')", "import sys; sys.exit(0)", "return 7"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_method_of_a_plug_in_is_an_error_that_names_it(
    fault: str, install: Install, experiment: Path
) -> None:
    install(TOOL.replace("return Findings()", fault))
    plan = experiment / "experiment_summary.md"
    replace(plan, "**Model Preparation:** torchtune", "**Model Preparation:** mine")
    replace(plan, "- **Recipe:** `lora_finetune_single_device`\n", "")
    replace(plan, "- **Dataset packing:** false\n", "")
    with pytest.raises(ToolError, match=r"the tool `mine` of the package my-tools .*`check`"):
        api.check(experiment)
