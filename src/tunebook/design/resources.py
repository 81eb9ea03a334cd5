"""Verifies the resources of a design: models, data, task scripts, the tools' environments. Downloads nothing."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tunebook.core.markdown import code_span
from tunebook.core.naming import is_one_component
from tunebook.core.paths import expanded
from tunebook.core.plan import EvaluationTask, Model, Plan
from tunebook.core.plan.resources import splits_text
from tunebook.core.site import Environment, Site
from tunebook.disk.program import run_program
from tunebook.errors import PlanError, Problem, ToolError
from tunebook.tools.base import EvaluationTool, PreparationTool, Tool
from tunebook.tools.datasets import DatasetFacts, read_dataset_facts
from tunebook.tools.known_models import known_model
from tunebook.tools.model_facts import ModelFacts, read_model_facts
from tunebook.tools.registry import installed_tools

__all__ = ["Entry", "ModelResource", "Resources", "free_bytes", "how_to_get", "survey"]

Entry = tuple[str, str, dict[str, str]]
"""A log entry: action, description and its lines."""

_MISSING = {"result": "missing", "explanation": "a prerequisite of the plan"}
_OWNERS = {
    "meta-llama": "meta-llama",
    "llama": "meta-llama",
    "qwen": "Qwen",
    "mistral": "mistralai",
    "gemma": "google",
    "phi": "microsoft",
    "smollm": "HuggingFaceTB",
}
_GATED = ("meta-llama", "google")
_PROBE_S = 60.0


@dataclass(frozen=True)
class ModelResource:
    """A model as it was found on the disk.

    Attributes:
        parameters_b: billions of parameters; ``None`` if neither its configuration nor its name shows it.
        weight_bytes: the size of its weight files; 0 if they are missing.
    """

    path: str
    facts: ModelFacts | None
    parameters_b: float | None
    weight_bytes: int = 0


@dataclass
class Resources:
    """The resources as they were found, and everything to report: entries for the log, prerequisites, warnings.

    Attributes:
        refused: model to the reason why the plan's tool cannot train it, with the tools that can.
        verified: paths that were found complete; ``missing`` are those that were not found, and
            models whose files are not complete.
        unchecked: what could not be verified on this machine, each with the reason.
    """

    models: dict[str, ModelResource] = field(default_factory=dict)
    datasets: dict[str, DatasetFacts | None] = field(default_factory=dict)
    refused: dict[str, Problem] = field(default_factory=dict)
    verified: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    prerequisites: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def record(self, action: str, description: str, **lines: str) -> None:
        """Adds an entry to the log."""
        self.entries.append((action, description, lines))

    def require(self, path: str, prerequisite: str) -> None:
        """Adds a prerequisite for what was not found at a path."""
        self.missing.add(path)
        self.prerequisites.append(prerequisite)

    def splits(self, path: str) -> Mapping[str, int]:
        """A data set's splits; empty if they could not be counted."""
        found = self.datasets.get(path)
        return found.splits if found else MappingProxyType({})


def survey(found: Resources, plan: Plan, site: Site, experiment: Path) -> None:
    """Reads everything that the plan names; a missing resource is a prerequisite, never an error."""
    registry = installed_tools()
    preparation = registry.preparation_tool(plan.tools.preparation)
    for model in plan.models:
        _model(found, model, experiment, preparation)
    for path in _datasets(plan):
        _dataset(found, path)
    for task in plan.tasks:
        evaluation = registry.evaluation_tool(plan.tool_of(task))
        if evaluation is not None:  # otherwise `check` reports that the plan names an unknown tool
            _task(found, task, evaluation)
    for run in plan.runs:
        if run.checkpoint:
            _checkpoint(found, run.name, run.checkpoint)
    for tool in (preparation, *map(registry.evaluation_tool, plan.tools.evaluation)):
        if tool is not None:
            _environment(found, tool, site.environment_for(tool.name, tool.stage))


def _model(found: Resources, model: Model, experiment: Path, tool: PreparationTool | None) -> None:
    name, path = model.name, model.path
    directory = experiment / expanded(path)
    facts = read_model_facts(directory)
    resource = ModelResource(path, facts, _size(found, name, facts, tool), _weight_bytes(facts))
    found.models[name] = resource
    if facts is None:
        found.require(path, f"Model {code_span(name)} is not at {code_span(path)}: {how_to_get(name, path, tool)}")
        found.record("VERIFY_MODEL", name, details=path, **_MISSING)
        return
    problems = list(_model_problems(facts))
    for problem in problems:
        found.prerequisites.append(f"Model {code_span(name)} at {code_span(path)}: {problem}")
    if facts.flaws:
        found.missing.add(path)
    if not problems:
        found.verified.add(path)
    size = f"{resource.parameters_b:.2f}B parameters" if resource.parameters_b else "size unknown"
    weights = f"{len(facts.weight_files)} weight file(s), {resource.weight_bytes / 2**30:.2f} GiB"
    found.record(
        "VERIFY_MODEL",
        name,
        details=path,
        command="read config.json, the tokenizer's files and the weights' index",
        result="; ".join(problems) or f"complete: {size}, {weights}, chat template",
    )


def _size(found: Resources, name: str, facts: ModelFacts | None, tool: PreparationTool | None) -> float | None:
    if tool is None:
        return None
    try:
        return tool.model_size_b(name, facts)
    except PlanError as error:
        hint = _recommendation(name, facts, tool) or "choose another model"
        found.refused[name] = Problem("; ".join(str(problem) for problem in error.problems), hint=hint)
        return None


def _recommendation(name: str, facts: ModelFacts | None, refusing: PreparationTool) -> str:
    """The other tools that can train a model, in words; empty without one."""
    able = [tool.name for tool in installed_tools().preparation if tool is not refusing and _trains(tool, name, facts)]
    if not able:
        return ""
    options = " or ".join(f"--preparation {tool}" for tool in able)
    return f"{' and '.join(able)} can train it: give {options}, or name the tool under `## Tools`"


def _trains(tool: PreparationTool, name: str, facts: ModelFacts | None) -> bool:
    try:
        return tool.model_size_b(name, facts) is not None
    except PlanError:
        return False


def how_to_get(name: str, path: str, tool: PreparationTool | None) -> str:
    """The commands that download a model to a path, as inline Markdown; one of them is the tool's own."""
    repository = _repository(name, path)
    target = shlex.quote(path)
    commands = [f"hf download {repository} --local-dir {target}"]
    if tool:
        commands += filter(None, [tool.download_command(repository, target)])
    gated = " (gated: ask for access first, then `hf auth login`)" if repository.split("/")[0] in _GATED else ""
    return ", or ".join(map(code_span, commands)) + gated


def _repository(name: str, path: str) -> str:
    """The Hub's name of a model: as given, else its owner's by the family, else a place to fill in."""
    last = path.rstrip("/").rsplit("/", 1)[-1]
    if name.count("/") == 1:
        return shlex.quote(name)
    model = next((item for item in (name, last) if known_model(item)), last if is_one_component(last) else name)
    owner = next((owner for prefix, owner in _OWNERS.items() if model.lower().startswith(prefix)), "OWNER")
    return shlex.quote(f"{owner}/{model}")


def _weight_bytes(facts: ModelFacts | None) -> int:
    total = 0
    if facts is None:
        return total
    for name in facts.weight_files:
        file = facts.directory / name
        if file.is_file():
            total += file.stat().st_size
    return total


def _model_problems(facts: ModelFacts) -> Iterator[str]:
    for flaw in facts.flaws:
        hint = f": {flaw.hint}" if flaw.hint else ""
        yield f"it {flaw.message}{hint}"
    if not facts.flaws and not facts.template:
        yield "its tokenizer has no chat template, which training and evaluation both need"


def _datasets(plan: Plan) -> Iterable[str]:
    """The paths of the plan's data set, of those of its runs, and of those of its tasks, each once."""
    paths: dict[str, None] = {}
    if plan.dataset:
        paths[plan.dataset.path] = None
    for run in plan.runs:
        if "dataset" in run.parameters:
            paths[str(run.parameters["dataset"].value)] = None
    for task in plan.tasks:
        if task.dataset:
            paths[task.dataset] = None
    return paths


def _dataset(found: Resources, path: str) -> None:
    facts = read_dataset_facts(Path(path))
    found.datasets[path] = facts
    if facts is None:
        shape = "JSON with the keys `train`, `validation` and `test`, each a list of `{input, output}`"
        found.require(path, f"Data set {code_span(path)} is missing: create it ({shape})")
        found.record("VERIFY_DATASET", path, **_MISSING)
        return
    if not facts.problem:
        found.verified.add(path)
    overlaps = "; ".join(f"{count} inputs in both {a} and {b}" for (a, b), count in facts.overlaps.items())
    result = facts.problem or facts.unread or splits_text(facts.splits)
    found.record("VERIFY_DATASET", path, command="read the file, count its splits", result=result, explanation=overlaps)


def _task(found: Resources, task: EvaluationTask, tool: EvaluationTool) -> None:
    script = task.script
    facts = tool.read_tasks(Path(script))

    if facts is None:
        how = "write it, or let `tunebook task new` write it" if tool.task_writer else "write it"
        found.require(script, f"Task script {code_span(script)} is missing: {how} ({tool.task_form})")
        found.record("VERIFY_TASK", script, **_MISSING)
        return
    function = facts.function_for(task)
    if not facts.problem and function:
        found.verified.add(script)
    accepted = "no such task in it"
    if function:
        accepted = f"{function.name}({', '.join(function.parameters)})"
    result = facts.problem or accepted
    found.record("VERIFY_TASK", script, command="read its source, without importing it", result=result)


def _checkpoint(found: Resources, run: str, path: str) -> None:
    if Path(path).is_dir():
        found.verified.add(path)
        found.record("VERIFY_CHECKPOINT", run, details=path, result="found")
        return
    found.prerequisites.append(f"The weights of eval-only run {code_span(run)} are not at {code_span(path)}")
    found.record("VERIFY_CHECKPOINT", run, details=path, **_MISSING)


def _environment(found: Resources, tool: Tool, environment: Environment) -> None:
    """The tool's version in the environment that jobs activate, or else in this one."""
    name, stage = tool.name, tool.stage.value
    argv = _probe(environment, tool.package.distribution)
    where = f"conda environment {environment.conda_env}" if environment.conda_env else environment.venv
    if argv is None and where:
        found.unchecked.append(f"{name} in {where}: there is no conda here")
        found.record("VERIFY_ENVIRONMENT", f"{name} ({stage})", details=where, result="not verified: no conda here")
        return
    if argv is None:
        installed = tool.package.version
        result = installed or "not installed here, which only running needs"
        found.record("VERIFY_ENVIRONMENT", f"{name} ({stage})", details="this environment", result=result)
        return
    try:
        done = run_program(argv, timeout_s=_PROBE_S)
        result = done.stdout.strip() if done.returncode == 0 else ""
    except ToolError as error:
        result = ""
        found.record("VERIFY_ENVIRONMENT", where, command=" ".join(argv), result="not verified", explanation=str(error))
    if not result:
        found.prerequisites.append(f"{name} could not be found in the {stage} environment {code_span(where)}")
    found.record("VERIFY_ENVIRONMENT", f"{name} ({stage})", details=where, result=result or "not found")


def _probe(environment: Environment, package: str) -> list[str] | None:
    code = ["-c", f"import importlib.metadata as m; print(m.version({package!r}))"]
    if environment.conda_env:
        conda = shutil.which("conda")
        return [conda, "run", "-n", environment.conda_env, "python", *code] if conda else None
    if environment.venv:
        return [f"{expanded(environment.venv)}/bin/python", *code]
    return None


def free_bytes(path: Path) -> tuple[Path, int] | None:
    """The nearest directory that exists, and the bytes that are free; ``None`` if only the root of its disk exists."""
    while not path.is_dir():
        path = path.parent
    if path == Path(path.anchor):
        return None
    return path, shutil.disk_usage(path).free
