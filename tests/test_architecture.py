"""The import table of docs/explanation/architecture.md, held for every module at any depth of a function."""

import ast
import re
from pathlib import Path

import pytest

import tunebook

PACKAGE = Path(tunebook.__file__).parent
MAY_IMPORT = {
    "errors": set(),
    "core": {"errors"},
    "disk": {"errors", "core"},
    "slurm": {"errors", "core", "disk"},
    "artifacts": {"errors", "core", "disk"},
    "tools": {"errors", "core", "disk", "artifacts"},
    "executors": {"errors", "core", "disk", "artifacts", "slurm"},
    "scaffold": {"errors", "core", "disk", "tools"},
    "run": {"errors", "core", "disk", "artifacts", "executors"},
    "analysis": {"errors", "core", "disk", "artifacts", "slurm", "tools"},
    "crate": {"errors", "core", "disk", "artifacts"},
    "demo": {"errors", "core", "disk"},
    "design": {"errors", "core", "disk", "artifacts", "tools"},
    "site": {"errors", "core", "disk", "slurm", "tools"},
    "agents": {"errors", "core", "disk"},
    "api": {
        "errors",
        "core",
        "disk",
        "artifacts",
        "slurm",
        "tools",
        "executors",
        "scaffold",
        "run",
        "analysis",
        "crate",
        "demo",
        "design",
        "site",
        "agents",
    },
    "cli": {"errors", "core", "api"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))
RUNTIME = PACKAGE / "tools" / "runtime"


ANALYSIS = PACKAGE / "analysis"
ANALYSIS_ORDER = ["collect", "statistics", "findings", "values", "charts", "report", "analyze"]


def imported_modules(path: Path) -> set[str]:
    """Dotted names below ``tunebook`` that the module imports, wherever in the file it does so."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides which room is entered"
            module = node.module or ""
            names |= {f"{module}.{alias.name}" for alias in node.names} if module == "tunebook" else {module}
    return {name.removeprefix("tunebook.") for name in names if name.split(".")[0] == "tunebook"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rooms_import_only_what_the_table_allows(path: Path) -> None:
    room = room_of(path)
    if room in {"__init__", "__main__"}:
        return
    allowed = MAY_IMPORT[room] | {room, "__version__"}
    assert {name.split(".")[0] for name in imported_modules(path)} <= allowed


@pytest.mark.parametrize("path", sorted(ANALYSIS.rglob("*.py")), ids=lambda path: str(path.relative_to(ANALYSIS)))
def test_rooms_of_the_analysis_import_only_earlier_ones(path: Path) -> None:
    """Collect → statistics → findings → the value ``Analysis`` → charts → report; other modules may be used by all."""
    room = path.relative_to(ANALYSIS).parts[0].removesuffix(".py")
    own = ANALYSIS_ORDER.index(room) if room in ANALYSIS_ORDER else len(ANALYSIS_ORDER)
    for name in imported_modules(path):
        parts = name.split(".")
        if parts[0] == "analysis" and parts[1] in ANALYSIS_ORDER:
            assert ANALYSIS_ORDER.index(parts[1]) <= own, f"{room} imports {name}"


@pytest.mark.parametrize("path", sorted(RUNTIME.glob("*.py")), ids=lambda path: path.stem)
def test_what_runs_inside_a_job_needs_nothing_else_of_tunebook(path: Path) -> None:
    assert {name.rpartition(".")[0] for name in imported_modules(path)} <= {"tools", "tools.runtime"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_and_functions_stay_readable(path: Path) -> None:
    source = path.read_text()
    assert len(source.splitlines()) <= 400
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno
            assert length <= 60, f"{path}:{node.lineno}: {node.name} has {length} lines"  # docstring included


def test_the_architecture_page_has_the_same_table() -> None:
    page = (Path(__file__).parents[1] / "docs" / "explanation" / "architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*) \|$", page, re.MULTILINE)
    written = {room: set() if allowed == "–" else set(allowed.split(", ")) for room, allowed in rows}
    everything = set(MAY_IMPORT) - {"api", "cli"}
    assert written == MAY_IMPORT | {"api": {"all but cli"}}
    assert MAY_IMPORT["api"] == everything


TOOLS = PACKAGE / "tools"
TOOL_PACKAGES = {path.parent.name for path in TOOLS.glob("*/tool.py") if path.parent.name != "finetuning"}
TOOL_NAMES = re.compile(r"torchtune|\btrl\b|inspect[-_]ai|lm[-_]eval", re.IGNORECASE)
# The tools of a plan that names none, the hint about such a plan, and examples in help texts.
MAY_NAME_TOOLS = {"core/plan/values.py", "core/plan/overview.py", "cli/design.py", "cli/demo.py"}


def texts_of(path: Path) -> list[str]:
    """The texts in a module's code, without its docstrings."""
    tree = ast.parse(path.read_text())
    statements = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in statements]
    return [node.value for node in constants if isinstance(node.value, str)]


def test_only_the_room_of_tools_knows_tools() -> None:
    known = {*TOOL_PACKAGES, "finetuning", "runtime"}
    imported: dict[str, set[str]] = {}
    named: dict[str, list[str]] = {}
    for path in MODULES:
        if room_of(path) in {"tools", "demo"}:
            continue
        name = str(path.relative_to(PACKAGE))
        imported[name] = known & {item.split(".")[1] for item in imported_modules(path) if item.startswith("tools.")}
        named[name] = [text for text in texts_of(path) if TOOL_NAMES.search(text)]
    assert {name for name, found in imported.items() if found} == set()
    assert {name for name, found in named.items() if found} - MAY_NAME_TOOLS == set()


def test_a_tool_knows_no_other_tool() -> None:
    """The packages that tools share know none; what runs inside a job has a rule of its own."""
    others: dict[str, set[str]] = {}
    for path in sorted(TOOLS.glob("*/*.py")):
        tools = {item.split(".")[1] for item in imported_modules(path) if item.startswith("tools.")}
        others[str(path.relative_to(TOOLS))] = tools & TOOL_PACKAGES - {path.parent.name}
    assert {name: found for name, found in others.items() if found} == {}
