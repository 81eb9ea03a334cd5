"""Served evaluations (``Inference: vllm``): which server answers each of them, and the script that starts it.

Evaluations of one base model and precision share a server: it has the base model's weights, and loads the adapters of
the sweep one by one. Checkpoints that are whole models need a server each.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from tunebook.core.jobs import Pack, Resources, Stage
from tunebook.core.naming import as_component
from tunebook.core.parameters import Kind, Parameter
from tunebook.core.paths import expanded
from tunebook.core.plan import Evaluation, Plan, Run
from tunebook.core.plan.settings import effective, evaluations
from tunebook.core.quoting import shell_word
from tunebook.core.site import Environment, Site
from tunebook.core.units import megabytes, sbatch_time
from tunebook.errors import PlanError, Problem
from tunebook.tools.base import Context, Effect, PlannedFile
from tunebook.tools.evaluated_model import EvaluatedModel, evaluated_model
from tunebook.tools.evaluation_data import EvaluationData
from tunebook.tools.evaluation_generation import EVALUATION_GROUP, planned_generation
from tunebook.tools.job_script import Shell, assigned, environment_lines, shell_body
from tunebook.tools.plan_inputs import model_path, planned_gpus

__all__ = [
    "INFERENCE",
    "SERVER",
    "VLLM",
    "Server",
    "is_served",
    "served_effects",
    "served_problems",
    "served_request",
    "served_resources",
    "served_warnings",
    "server_of",
]

HF, VLLM = "hf", "vllm"
INFERENCE = Parameter("inference", "Inference", Kind.TEXT, choices=(HF, VLLM), default=HF, stage=Stage.EVALUATION)
"""Who computes the answers: the job itself, with Transformers, or a server."""
SERVER = "vllm"
"""The name under which the site settings give the environment of the server."""

_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The limits that vLLM knows for the ranks of adapters."""
_DTYPES = {"bf16": "bfloat16", "fp32": "float32"}
_latest: list[tuple[Context, Mapping[tuple[str, str], Server]]] = []
_START_MIN = 10.0  # to load the weights and to prepare the GPU
_MEMORY_GB = 8  # of the server's program, and of its cache where it computes on the CPU
_CPU_CACHE_BYTES = 4 * 1024**3  # without a number, vLLM takes most of the machine's memory


def is_served(plan: Plan) -> bool:
    """Whether the plan's evaluations ask a server."""
    return plan.value("inference", HF) == VLLM


def served_problems(plan: Plan) -> Iterator[Problem]:
    """Trainings whose adapters vLLM does not serve."""
    if not is_served(plan):
        return
    wanted = {evaluation.run for evaluation in evaluations(plan)}
    for run in plan.fine_tuned:
        rank = effective(plan, run, "lora_rank")
        if run.name in wanted and isinstance(rank, int) and rank > _RANKS[-1]:
            message = f"run `{run.name}` has LoRA Rank {rank}, but vLLM serves adapters up to rank {_RANKS[-1]}"
            yield Problem(message, plan.file, run.line, "write `Inference: hf`, or a lower rank")


@dataclass(frozen=True)
class Server:
    """The server of some evaluations.

    Attributes:
        name: of the file that starts it, without its suffix.
        model: the absolute path of the directory with the weights.
        precision: of the weights, ``bf16`` or ``fp32``.
        rank: the highest rank of the adapters that it loads; 0 if it loads none.
    """

    name: str
    model: str
    precision: str
    rank: int

    @property
    def path(self) -> str:
        """The script that starts it, relative to the experiment's directory."""
        return f"{self.name}.sh"

    def pack(self, plan: Plan) -> Pack:
        """The allocation that its evaluations share, one after another: all of them, or as many as the plan says."""
        number = plan.value("evaluations_per_job")
        size = number if isinstance(number, int) and number > 1 else None
        return Pack(key=self.name, size=size, at_once=1, service=self.path)

    @property
    def max_rank(self) -> int:
        """The limit of ranks that vLLM is started with; 0 without adapters."""
        return next((limit for limit in _RANKS if 0 < self.rank <= limit), 0)

    def options(self, plan: Plan, *, on_gpu: bool) -> list[str]:
        """The options of vLLM that decide the answers, and those of its adapters.

        The model's own generation settings have no effect, and prompts are computed one like the other.
        """
        options = ["--dtype", _DTYPES[self.precision], "--seed", str(planned_generation(plan).seed)]
        options += ["--max-model-len", "auto", "--generation-config", "vllm", "--no-enable-prefix-caching"]
        options.append("--disable-uvicorn-access-log")  # a line for each request
        if self.max_rank:
            options += ["--enable-lora", "--max-lora-rank", str(self.max_rank), "--max-loras", "1"]
        if not on_gpu:
            options += ["--kv-cache-memory-bytes", str(_CPU_CACHE_BYTES)]
        return options

    def file(self, context: Context, evaluation_environment: Environment) -> PlannedFile:
        """The script that starts it.

        Raises:
            ValueError: a value cannot be written into a script.
        """
        site = context.site
        own = site.tool_environments.get(SERVER, evaluation_environment)
        on_gpu = planned_gpus(context.plan, site) > 0
        variables: dict[str, Shell] = {
            "model": self.model,
            "precision": self.precision,
            "max_rank": self.max_rank,
            "server_options": self.options(context.plan, on_gpu=on_gpu),
        }
        lines = ["#!/usr/bin/env bash", "# Generated by tunebook: starts the server of served evaluations."]
        lines += ["# shellcheck disable=SC2016  # quoted values must not be expanded", "set -euo pipefail", ""]
        lines += [f"{name}={assigned(value)}" for name, value in variables.items()]
        lines.append(f"server_conda_env={shell_word(own.conda_env and expanded(own.conda_env))}")
        lines.append(f"server_venv={shell_word(own.venv and expanded(own.venv))}")
        lines += environment_lines(site.modules, evaluation_environment)
        body = "".join(shell_body(name) for name in ("serve_start", "environment", "serve"))
        return PlannedFile(self.path, "\n".join(lines) + "\n\n" + body, executable=True)


@dataclass(frozen=True)
class _Use:
    """One evaluation, and what a server needs to answer it."""

    label: str
    model: str
    precision: str
    rank: int


def server_of(context: Context, run: Run, evaluation: Evaluation) -> Server:
    """The server that answers an evaluation.

    Raises:
        PlanError: no training writes the checkpoint.
    """
    own = _use(context, run, evaluation)
    return _servers(context)[own.model, own.precision]


def _servers(context: Context) -> Mapping[tuple[str, str], Server]:
    """The servers of all evaluations by model and precision; computed once for all runs of a context."""
    if _latest and _latest[0][0] is context:
        return _latest[0][1]
    ranks: dict[tuple[str, str], int] = {}
    labels: dict[tuple[str, str], str] = {}
    for use in _uses(context):
        kind = (use.model, use.precision)
        ranks[kind] = max(use.rank, ranks.get(kind, 0))
        labels.setdefault(kind, use.label)
    names = _names(labels)
    servers = {kind: Server(names[kind], *kind, rank) for kind, rank in ranks.items()}
    _latest[:] = [(context, servers)]
    return servers


def _uses(context: Context) -> Iterator[_Use]:
    """Those of all evaluations that can be built."""
    for run in context.plan.runs:
        for evaluation in context.evaluations.get(run.name, ()):
            try:
                yield _use(context, run, evaluation)
            except PlanError:
                continue  # the run that cannot be built is reported


def _use(context: Context, run: Run, evaluation: Evaluation) -> _Use:
    model = evaluated_model(context, run, evaluation)
    directory, rank = _weights(context, run, evaluation, model)
    label = PurePosixPath(directory).name
    if directory == model.directory and evaluation.epoch is not None:
        label = f"{context.directories[run.name]}_epoch{evaluation.epoch}"
    return _Use(label, directory, model.precision, rank)


def _weights(context: Context, run: Run, evaluation: Evaluation, model: EvaluatedModel) -> tuple[str, int]:
    """The directory of the weights that a server loads, and the rank of the adapter on them; 0 without one."""
    if model.base:
        prepared = context.prepared[run.name]
        return model.base, prepared.rank or 0
    if evaluation.epoch is None:
        facts = context.models.get(model_path(context.plan, context.site, run))
        if facts is not None and facts.base is not None:
            return str(facts.base.directory), int((facts.config or {}).get("r") or 0)
    return model.directory, 0


def _names(labels: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """A name for each server, by what it serves; a number after those that would be equal."""
    names: dict[tuple[str, str], str] = {}
    counts: Counter[str] = Counter()
    for (model, precision), label in labels.items():
        name = f"serve_{as_component(label)}_{precision}"
        counts[name] += 1
        names[model, precision] = f"{name}_{counts[name]}" if counts[name] > 1 else name
    return names


def served_warnings(context: Context) -> Iterator[Problem]:
    """Warnings before a server is started."""
    plan, site = context.plan, context.site
    if is_served(plan) and SERVER not in site.tool_environments:
        message = "Inference is vllm, but the site settings name no environment for vllm: "
        message += "the server starts in the environment of the evaluations"
        hint = "install vLLM in an environment of its own, since it needs other versions than evaluations do"
        yield Problem(message, plan.file, None, hint)


def served_effects(context: Context, run: Run) -> Iterator[Effect]:
    """The server of each of the run's evaluations, and the precision of its adapters."""
    if not is_served(context.plan):
        return
    for evaluation in context.evaluations.get(run.name, ()):
        server = server_of(context, run, evaluation)
        shown = f"{VLLM}, a server with {PurePosixPath(server.model).name}"
        source = "evaluations of one base model share a server"
        if evaluation.epoch is not None and not context.prepared[run.name].base:
            source = "checkpoints that are whole models have a server each"
        elif evaluation.epoch is not None:
            shown += f" and adapters up to rank {server.max_rank}"
            precision = f"{server.precision}, adapters {server.precision}"
            reason = "vLLM computes adapters in the precision of their base"
            yield Effect("eval_precision", "Evaluation Precision", precision, reason, EVALUATION_GROUP)
        yield Effect(INFERENCE.key, INFERENCE.column, shown, source, EVALUATION_GROUP)


def served_resources(resources: Resources, site: Site) -> Resources:
    """The resources of a job that may have to start the server itself: more memory and time than its evaluation."""
    minutes = resources.time_min
    time = sbatch_time(minutes + _START_MIN) if minutes else resources.time
    memory = resources.memory
    if not site.mem:
        memory = f"{int(megabytes(memory) / 1024) + _MEMORY_GB}G"
    return replace(resources, time=time, memory=memory)


def served_request(context: Context, run: Run, evaluation: Evaluation) -> str:
    """The values that a job needs to ask its server: the seed, and the data that the server is compared on."""
    request: dict[str, Any] = {"seed": planned_generation(context.plan).seed}
    prepared = context.prepared.get(run.name)
    if evaluation.epoch is not None and prepared is not None:
        task = context.plan.task_named(evaluation.task)
        data = EvaluationData(context, run, task)
        system_prompt, prompt = data.prompts()
        request["training"] = {
            "epoch": evaluation.epoch,
            "dataset": data.absolute(data.of_run),
            "dataset_type": str(data.setting("dataset_type") or "instruct"),
            "prompt": prompt,
            "system_prompt": system_prompt,
            "max_seq_len": data.setting("max_seq_len"),
        }
    return json.dumps(request, ensure_ascii=False)
