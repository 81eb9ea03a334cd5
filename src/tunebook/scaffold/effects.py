"""Lists the settings in effect: every value that a run's jobs use, with the line, default or setting it comes from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from tunebook.core.jobs import Job, Resources, Stage
from tunebook.core.parameters import Kind
from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import Origin, SettingInEffect, settings_in_effect
from tunebook.core.site import Site, line_of
from tunebook.scaffold.blueprint import Blueprint
from tunebook.tools.base import PROMPTS, Context, Effect, Tool
from tunebook.tools.plan_inputs import dataset_path, model_path

__all__ = ["EffectTable", "effects_by_run", "tabulate"]

_RESOURCES = {
    "time": "Time Limit",
    "memory": "Memory",
    "cpus": "CPUs",
    "gpus": "GPUs",
    "gpu_type": "GPU Type",
    "account": "Account",
    "partition": "Partition",
    "constraint": "Constraint",
    "qos": "QOS",
}
_SITE_KEYS = {"memory": "mem"}
_PATHS = "models and data"
_ESTIMATED = "computed from the plan and the model"


def effects_by_run(
    blueprint: Blueprint, context: Context, *, only: Collection[str] | None = None
) -> Mapping[str, tuple[Effect, ...]]:
    """Run name to everything that is in effect for it; a run that could not be built has the plan's settings only.

    Args:
        only: the names of the runs; all runs without it.
    """
    plan, site = context.plan, context.site
    several = len(plan.tools.evaluation) > 1
    found: dict[str, dict[tuple[str, str], Effect]] = {}
    shared: dict[int, Effect] = {}
    for run in plan.runs:
        if only is None or run.name in only:
            effects = _planned(plan, site, run, shared)
            found[run.name] = {(item.group, item.key): item for item in effects}
    for part in blueprint.parts:
        is_one_of_several = several and part.tool.stage is Stage.EVALUATION
        for built in part.built:
            if built.run.name not in found:
                continue
            own = part.tool.effects(part.context, built.run, built.unit)
            resources = _of_jobs(built.unit.jobs, part.tool.stage, context)
            for item in (*own, *resources):
                kept = _of_one_tool(item, part.tool) if is_one_of_several else item
                found[built.run.name][kept.group, kept.key] = kept
    return {run: tuple(effects.values()) for run, effects in found.items()}


def _planned(plan: Plan, site: Site, run: Run, shared: dict[int, Effect]) -> Iterator[Effect]:
    """The plan's paths and settings; ``shared`` keeps the effects that many runs have."""
    yield from _of_paths(plan, site, run)
    for setting in settings_in_effect(plan, run):
        effect = shared.get(id(setting)) or _of_plan(plan, setting)
        if setting.origin is not Origin.ROW:  # the plan keeps it, and many runs have it
            shared[id(setting)] = effect
        if effect.key != "dataset":  # it is among the paths
            yield effect


def _of_one_tool(effect: Effect, tool: Tool) -> Effect:
    """The effect in a group of the tool's own, where the plan has several tools for a stage."""
    if effect.group == PROMPTS:
        return effect
    return replace(effect, group=f"{effect.group} with {tool.name}")


def _of_plan(plan: Plan, item: SettingInEffect) -> Effect:
    source = item.origin.value if item.line is None else f"{plan.file}:{item.line}"
    parameter, value = item.parameter, item.text
    if parameter.kind is Kind.ALPHA:
        value = str(item.value)
    group = PROMPTS if parameter.kind is Kind.LITERAL else parameter.stage.value
    return Effect(parameter.key, parameter.column, value, source, group)


def _of_paths(plan: Plan, site: Site, run: Run) -> Iterator[Effect]:
    model = plan.model_of(run)
    line = model.line if model is not None and not run.checkpoint else run.line
    yield Effect("model", "Model", model_path(plan, site, run), f"{plan.file}:{line}", _PATHS)
    written = plan.setting(run, "dataset")
    data_line = written.line if written is not None else plan.dataset and plan.dataset.line
    source = f"{plan.file}:{data_line or run.line}"
    yield Effect("dataset", "Dataset", dataset_path(plan, run), source, _PATHS)


def _of_jobs(jobs: Sequence[Job], stage: Stage, context: Context) -> tuple[Effect, ...]:
    """The resources of the first job; all jobs of one run and stage ask for the same."""
    if not jobs:
        return ()
    resources = jobs[0].resources
    key = ("effects", stage, resources)
    return context.memo.once(key, lambda: tuple(_of_resources(resources, stage, context.plan, context.site)))


def _of_resources(resources: Resources, stage: Stage, plan: Plan, site: Site) -> Iterator[Effect]:
    for key, name in _RESOURCES.items():
        value = str(getattr(resources, key))
        setting = _SITE_KEYS.get(key, key)
        line = line_of(site, setting)
        source = _ESTIMATED
        planned = plan.configuration.get(key)
        if planned is not None and value == planned.text:
            source = f"{plan.file}:{planned.line}"
        elif line and value == getattr(site, setting):
            source = f"{site.file}:{line}"
        if value:
            yield Effect(f"job_{key}", name, value, source, f"jobs of {stage.value}")


@dataclass(frozen=True)
class EffectTable:
    """One group of settings, in two parts.

    Attributes:
        common: the settings that are the same for all runs of the group.
        names: the settings that differ, in the order of the rows' cells.
        rows: run to its value of each of these; empty where a run has no such setting.
    """

    group: str
    common: tuple[Effect, ...]
    names: tuple[str, ...] = ()
    rows: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


def tabulate(effects: Mapping[str, Sequence[Effect]]) -> tuple[EffectTable, ...]:
    """The settings of all runs by group; what is the same everywhere appears once."""
    groups: dict[str, dict[str, dict[str, Effect]]] = {}
    for run, items in effects.items():
        for item in items:
            groups.setdefault(item.group, {}).setdefault(item.key, {})[run] = item
    return tuple(_table(group, by_key) for group, by_key in groups.items())


def _table(group: str, by_key: Mapping[str, Mapping[str, Effect]]) -> EffectTable:
    runs: dict[str, None] = {}
    for by_run in by_key.values():
        runs |= dict.fromkeys(by_run)
    common: list[Effect] = []
    names: list[str] = []
    rows: dict[str, list[str]] = {run: [] for run in runs}
    for by_run in by_key.values():
        effects = list(by_run.values())
        values = {item.value for item in effects}
        if len(values) == 1 and len(effects) == len(runs):
            common.append(_common(effects))
            continue
        names.append(effects[0].name)
        for run, cells in rows.items():
            cells.append(by_run[run].value if run in by_run else "")
    if not names:
        rows = {}
    return EffectTable(group, tuple(common), tuple(names), {run: tuple(cells) for run, cells in rows.items()})


def _common(effects: Sequence[Effect]) -> Effect:
    """One effect in place of equal ones, which may come from several lines, such as the rows of the runs table."""
    first = effects[0]
    if len({item.source for item in effects}) == 1:
        return first
    return replace(first, source=f"{first.source} and further lines")
