"""The child of the part ``plug-ins``: tools and executors that are broken in one method each.

``python -m stress.broken_plugins EXPERIMENT FOLDER SEED MOST`` tries each method with one fault by chance, at most
``MOST`` of them. It writes each fault as a line into ``FOLDER/faults.jsonl``, and how many it tried into ``count``.
"""

from __future__ import annotations

import importlib
import inspect
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from stress.verbs import Ended, keep_inside, verb
from support.plugins import write_distribution
from tunebook.executors.base import Executor
from tunebook.tools.base import EvaluationTool, PreparationTool
from tunebook.tools.results import EvaluationResults, TrainingResults

__all__ = ["main"]

_FAULTS = {
    "raises": "raise KeyError('k')",
    "exits": "import sys; sys.exit(0)",
    "recurses": "return self.{method}(*_, **__)",
    "returns an object": "return object()",
    "returns a number": "return 7",
    "raises later": "yield 1; raise ValueError('late')",
    "cannot say why": "raise type('Odd', (Exception,), {{'__str__': lambda self: 1 / 0}})()",
}
_IMPORTS = {
    "raises at import": "1 / 0",
    "exits at import": "import sys; sys.exit('no licence')",
    "is no Python": "def (",
    "prints escapes": "raise ValueError('\\x1b]0;title\\x07')",
}


@dataclass(frozen=True)
class _Kind:
    """What a plug-in can be.

    Attributes:
        group: the entry point group.
        code: the module, with places for a method and its body.
        contracts: the classes whose methods can be broken.
        old: the name in the plan that the plug-in's replaces; empty if the plan names none.
        verbs: the commands to try.
    """

    group: str
    code: str
    contract: type
    old: str
    verbs: tuple[tuple[str, ...], ...]


_VERBS = (("check",), ("scaffold",), ("status",), ("run", "--dry-run", "--executor", "local"), ("analyze",))
_METHOD = "    def {method}(self, *_, **__):\n        {body}\n"
_TOOL = "from {module} import {base}\nclass Broken({base}):\n    name = short = 'broken'\n"
_RESULTS = "from {module} import {base}\nfrom {of} import {results}\nclass Results({results}):\n"
_TORCHTUNE = {"module": "tunebook.tools.torchtune.tool", "base": "TorchtuneTool"}
_INSPECT = {"module": "tunebook.tools.inspect.tool", "base": "InspectTool"}


def _tool(names: dict[str, str], contract: type, old: str) -> _Kind:
    return _Kind("tunebook.tools", _TOOL.format(**names) + _METHOD, contract, old, _VERBS)


def _results(names: dict[str, str], of: str, results: str, contract: type, old: str) -> _Kind:
    head = _RESULTS.format(**names, of=of, results=results) + _METHOD
    tool = f"class Broken({names['base']}):\n    name = short = 'broken'\n    results = Results()\n"
    return _Kind("tunebook.tools", head + tool, contract, old, (("analyze",), ("status",)))


_EXECUTOR = """
from tunebook.executors.local import LocalExecutor
class Mine(LocalExecutor):
    name = 'broken'
{method}
def Broken(options):
    return Mine(1)
"""
_KINDS = {
    "training tool": _tool(_TORCHTUNE, PreparationTool, "torchtune"),
    "evaluation tool": _tool(_INSPECT, EvaluationTool, "inspect-ai"),
    "training results": _results(
        _TORCHTUNE, "tunebook.tools.finetuning.results", "FinetuningResults", TrainingResults, "torchtune"
    ),
    "evaluation results": _results(
        _INSPECT, "tunebook.tools.inspect.results", "InspectResults", EvaluationResults, "inspect-ai"
    ),
    "executor": _Kind(
        "tunebook.executors",
        _EXECUTOR.replace("{method}", _METHOD),
        Executor,
        "",
        (("run", "--executor", "broken", "--yes", "--poll-s", "0.05"), ("status",)),
    ),
}


def _methods(contract: type) -> list[str]:
    found = inspect.getmembers(contract, inspect.isfunction)
    return [name for name, _ in found if not name.startswith("_")]


def _cases(random: Random) -> Iterator[tuple[str, _Kind, str]]:
    """Each plug-in: what is wrong with it, and the module."""
    for told, kind in _KINDS.items():
        for method in _methods(kind.contract):
            fault, body = random.choice(list(_FAULTS.items()))
            code = kind.code.format(method=method, body=body.format(method=method))
            yield f"{told} whose {method} {fault}", kind, code
        for fault, body in _IMPORTS.items():
            yield f"{told} that {fault}", kind, body


def _try(pristine: Path, folder: Path, kind: _Kind, code: str) -> Iterator[str]:
    """What is wrong with how verbs end where this plug-in is installed."""
    site, experiment = folder / "site", folder / "experiment"
    shutil.copytree(pristine, experiment, symlinks=True)
    write_distribution(site, name="my-plug-in", entry_points={"broken": "broken:Broken"}, group=kind.group)
    (site / "broken.py").write_text(code)
    if kind.old:
        plan = experiment / "experiment_summary.md"
        plan.write_text(plan.read_text().replace(f":** {kind.old}", ":** broken"))
    sys.path.insert(0, str(site))
    sys.modules.pop("broken", None)
    importlib.invalidate_caches()
    try:
        for arguments in kind.verbs:
            ended = verb([*arguments, str(experiment)])
            fault = ended.fault or _unnamed(ended)
            if fault:
                yield f"{' '.join(arguments)}: {fault}"
    finally:
        sys.path.remove(str(site))
        shutil.rmtree(site)
        shutil.rmtree(experiment, ignore_errors=True)


def _unnamed(ended: Ended) -> str:
    """A failure that is the plug-in's names it, and its package or its module."""
    if ended.code == 1 and "broken" not in ended.output:
        return f"the plug-in is not named: {ended.output[-300:]}"
    return ""


def main() -> int:
    """Returns 0; faults are in the file."""
    pristine, folder, random, most = Path(sys.argv[1]), Path(sys.argv[2]), Random(sys.argv[3]), int(sys.argv[4])
    keep_inside(folder)
    cases = list(_cases(random))
    cases = random.sample(cases, min(most, len(cases)))
    with (folder / "faults.jsonl").open("a", encoding="utf-8") as stream:
        for told, kind, code in cases:
            (folder / "now").write_text(told)
            for fault in _try(pristine, folder, kind, code):
                stream.write(json.dumps(f"a {told}: {fault}") + "\n")
                stream.flush()
    (folder / "count").write_text(str(len(cases)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
