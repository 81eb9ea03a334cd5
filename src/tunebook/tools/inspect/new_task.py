"""Writes a task for inspect-ai, and a test of it, from what a person asked for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

from tunebook.core.plan import Plan
from tunebook.core.scorers import Scorer
from tunebook.errors import Problem
from tunebook.tools.inspect.served import is_served
from tunebook.tools.inspect.task_parts import SCRIPT, TEST, TEST_OF_GROUPS, TEST_OF_PROMPTS, Parts, parts_of
from tunebook.tools.new_task import NewTask

__all__ = ["InspectTaskWriter"]

_KIT = "tunebook.tools.runtime.inspect_tasks"
_TEST_KIT = "tunebook.tools.runtime.inspect_task_tests"
_LINE = 120


class InspectTaskWriter:
    """Fulfils :class:`tunebook.tools.new_task.TaskWriter`."""

    def problems(self, task: NewTask, plan: Plan | None) -> Iterator[Problem]:
        """Log-probabilities behind a server, and a name that the script needs for something else."""
        if _bound_names(self.script(task)).count(task.name) > 1:
            message = f"`{task.name}` is also the name of something that the task needs"
            yield Problem(message, hint=f"choose another name, such as `{task.name}_task`")
        if task.scorer is Scorer.RISK and plan is not None and is_served(plan):
            message = "`Inference: vllm` gives no log-probabilities, which the scorer `risk` reads"
            written = plan.configuration.get("inference")
            yield Problem(message, plan.file, written.line if written else None, "write `Inference: hf`")

    def script(self, task: NewTask) -> str:
        """The text of the script."""
        parts = parts_of(task.scorer)
        grader = "\n    grader: str | Model = GRADER," if task.scorer is Scorer.MODEL_GRADED else ""
        values = {
            "NAME": task.name,
            "MEANING": task.scorer.meaning,
            "TEST_FILE": f"test_{task.name}.py",
            "IMPORTS": _script_imports(parts),
            "CONSTANTS": _constants(task),
            "PARAMETERS": grader,
            "GROUPS": ", groups=GROUPS" if task.groups else "",
            "TASK": _task_call(parts),
            "CODE": parts.code,
        }
        return _filled(SCRIPT, values)

    def test(self, task: NewTask) -> str:
        """The text of the test."""
        tests = [parts_of(task.scorer).tests]
        if task.groups:
            tests.append(TEST_OF_GROUPS)
        if task.prompts is not None:
            tests.append(TEST_OF_PROMPTS)
        values = {"NAME": task.name, "TEST_FILE": f"test_{task.name}.py", "PROMPTS": _literal(task.prompts)}
        text = _filled("\n".join(tests), values)
        return _filled(TEST, {**values, "IMPORTS": _test_imports(task, text), "DATASET": _dataset(task), "TESTS": text})


def _filled(template: str, values: Mapping[str, str]) -> str:
    """The template with each name in braces replaced once: what comes in is not read again."""
    return re.sub(r"\{([A-Z_]+)\}", lambda found: values.get(found[1], found[0]), template)


def _literal(value: object) -> str:
    """A value as Python source, with double quotes where that is possible."""
    if isinstance(value, str):
        text = repr(value)
        return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in text else text
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, tuple):
        return ", ".join(map(_literal, value))
    return repr(value)


def _constants(task: NewTask) -> str:
    """The lines that a person is most likely to change, above the task."""
    lines = []
    if task.scorer is Scorer.RISK:
        lines.append("# The last option is the outcome, whose probability is the risk.")
        lines.append(_assignment("OPTIONS", task.choices))
    elif task.scorer is Scorer.CHOICE:
        lines.append(_assignment("CHOICES", task.choices))
    elif task.scorer is Scorer.MODEL_GRADED:
        lines.append(f"GRADER = {_literal(task.grader)}")
    if task.groups:
        lines.append("# Columns of the data by which results are compared.")
        lines.append(_assignment("GROUPS", task.groups))
    return "\n".join(["", *lines, ""]) if lines else ""


def _assignment(name: str, texts: Sequence[str]) -> str:
    line = f"{name} = {_literal(list(texts))}"
    if len(line) <= _LINE:
        return line
    return "\n".join([f"{name} = [", *(f"    {_literal(text)}," for text in texts), "]"])


def _task_call(parts: Parts) -> str:
    arguments = ["dataset=dataset", "solver=generate()", f"scorer={parts.scorer}"]
    if not parts.config:
        return f"Task({', '.join(arguments)})"
    lines = [f"        {argument}," for argument in (*arguments, f"config={parts.config}")]
    return "\n".join(["Task(", *lines, "    )"])


def _script_imports(parts: Parts) -> str:
    lines = [f"import {module}" for module in parts.modules]
    if lines:
        lines.append("")
    lines.append("from inspect_ai import Task, task")
    lines += [f"from {module} import {', '.join(names)}" for module, names in sorted(parts.inspect_imports.items())]
    return "\n".join([*lines, f"from {_KIT} import {', '.join(sorted([*parts.kit, 'read_dataset']))}"])


def _test_imports(task: NewTask, text: str) -> str:
    """The imports of the tests, in the order of import sorters."""
    own = [name for name in ("CHOICES", "GROUPS", "OPTIONS") if name in text]
    lines = ["import math"] if "math." in text else []
    lines += ["from pathlib import Path", ""]
    helpers = [name for name in ("graded", "written") if f"{name}(" in text]
    lines.append(f"from {_TEST_KIT} import {', '.join(helpers)}")
    if "number_of(" in text:
        lines.append(f"from {_KIT} import number_of")
    return "\n".join([*lines, "", f"from {task.name} import {', '.join([*own, task.name])}"])


def _dataset(task: NewTask) -> str:
    if task.beside:
        return f"DATASET = str(Path(__file__).parent / {_literal(task.beside)})"
    return f"DATASET = {_literal(task.dataset)}"


def _bound_names(text: str) -> list[str]:
    """The names that a script's module binds, each as often as it does."""
    names: list[str] = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names += [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, ast.FunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return names
