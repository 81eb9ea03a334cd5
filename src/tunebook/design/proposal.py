"""From a complete design to what the page says: the plan with its estimates, and the details for people."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from tunebook.core.page import Fact, PageDetails
from tunebook.core.parameters import Kind
from tunebook.core.paths import output_directory
from tunebook.core.plan import Estimates, Plan, Run, RunType
from tunebook.core.settings import effective, evaluations, trains_adapters
from tunebook.core.site import Site
from tunebook.core.units import spoken_minutes
from tunebook.design.complete import gpu_memory_gb
from tunebook.design.estimate import (
    Estimate,
    Workload,
    checkpoint_bytes,
    evaluation_estimate,
    largest_batch,
    memory_gb,
    training_estimate,
)
from tunebook.design.history import History
from tunebook.design.resources import Entry, Resources, free_bytes
from tunebook.design.runs import identity
from tunebook.design.values import Design
from tunebook.design.words import design_words, naming_facts
from tunebook.errors import Problem

__all__ = ["Proposal", "Totals", "propose"]

_GIB = 2**30
_BUFFER = 1.2
_EXAMPLES = 1000
_EXAMPLE_BYTES = 1000.0
_SAMPLES = 100
_TEMPLATE_TOKENS = 24
_BYTES_PER_TOKEN = 4.0


@dataclass(frozen=True)
class Totals:
    """What the whole experiment takes: hours of jobs and of GPUs, GiB of checkpoints and what is free (if known)."""

    runs: int
    fine_tuned: int
    evaluations: int
    training_h: float
    evaluation_h: float
    gpu_h: float
    disk_gib: float
    free_gib: float | None


@dataclass(frozen=True)
class Proposal:
    """A plan and what the page tells beside it; the entries go to the log; ``old`` is the page that it replaces."""

    plan: Plan
    details: PageDetails
    totals: Totals
    entries: tuple[Entry, ...]
    warnings: tuple[Problem, ...]
    old: Plan | None = None


def propose(
    design: Design,
    plan: Plan,
    *,
    site: Site,
    experiment: Path,
    created: str,
    found: Resources,
    history: History,
    old: Plan | None = None,
    begun: tuple[frozenset[str], bool] = (frozenset(), False),
) -> Proposal:
    """Adds splits, estimates and everything that a reader of the page wants to know.

    Args:
        old: the page that is planned again: what stays keeps its estimate, since time limits follow from it, and a job
            is done only for the script that it ran with. What has not begun gets a longer one where it needs it.
        begun: the runs whose training was submitted by that page's word, and whether any evaluation was.
    """
    plan = _with_splits(plan, found)
    make = _Maker(plan, site, experiment, found, history)
    training = {run.name: make.training(run) for run in plan.fine_tuned}
    evaluation = make.evaluation()
    plan = _with_estimates(plan, training, evaluation, old, begun)
    totals = make.totals(plan)
    details = PageDetails(
        design=_kind(design, plan, old),
        created=created,
        directory=str(experiment),
        verified=frozenset(found.verified),
        dataset=tuple(_dataset_facts(plan, experiment)),
        prerequisites=tuple(found.prerequisites),
        training=tuple(make.training_facts(training, totals)),
        evaluation=(("Basis", _evaluation_basis(plan, evaluation)),) if evaluation else (),
        disk=tuple(make.disk_facts(plan, totals)),
        naming=naming_facts(plan),
        matrix_notes=MappingProxyType(_matrix_notes(plan) | dict(design.matrix_notes)),
        notes=design.notes,
    )
    return Proposal(plan, details, totals, tuple(make.entries), tuple(make.warnings), old)


def _kind(design: Design, plan: Plan, old: Plan | None) -> str:
    """The design in words: those of the page while its runs are the same."""
    if old and old.kind and [identity(old, run) for run in old.runs] == [identity(plan, run) for run in plan.runs]:
        return old.kind
    return design_words(design, plan)


def _with_splits(plan: Plan, found: Resources) -> Plan:
    if plan.dataset is None:
        return plan
    splits = {name: count for name, count in found.splits(plan.dataset.path).items() if name.isidentifier()}
    return replace(plan, dataset=replace(plan.dataset, splits=MappingProxyType(splits)))


def _with_estimates(
    plan: Plan,
    training: dict[str, Estimate],
    evaluation: Estimate | None,
    old: Plan | None,
    begun: tuple[frozenset[str], bool],
) -> Plan:
    """Rounded as the page writes them, so that the page and this plan say the same."""
    kept = {identity(old, run): run for run in old.fine_tuned if run.estimate_min} if old else {}
    trained, evaluated = begun

    def minutes(run: Run) -> float:
        before = kept.get(identity(plan, run))
        now = _rounded(training[run.name].minutes)
        if before is None:
            return now
        return _kept(before.estimate_min, now, has_begun=before.name in trained)

    runs = tuple(replace(run, estimate_min=minutes(run)) if run.name in training else run for run in plan.runs)
    models: dict[str, float] = {}
    for run in runs:
        if run.estimate_min:
            models[run.model] = max(run.estimate_min, models.get(run.model, 0.0))
    before = old.estimates.evaluation_min if old else None
    each = _kept(before, _rounded(evaluation.minutes), has_begun=evaluated) if evaluation else None
    return replace(plan, runs=runs, estimates=Estimates(MappingProxyType(models), each))


def _kept(before: float | None, now: float, *, has_begun: bool) -> float:
    """The page's own minutes, unless they are too few by now and nothing ran with them."""
    if not before:
        return now
    return before if has_begun else max(before, now)


def _evaluation_basis(plan: Plan, estimate: Estimate) -> str:
    kept = plan.estimates.evaluation_min != _rounded(estimate.minutes)
    return "as before, since time limits follow from it" if kept else estimate.basis


def _rounded(minutes: float) -> float:
    return float(math.ceil(minutes)) if minutes > 1 else math.ceil(minutes * 60) / 60


def _dataset_facts(plan: Plan, experiment: Path) -> Iterator[Fact]:
    size = _size(experiment / plan.dataset.path) if plan.dataset else 0
    if size:
        yield "Size", f"{size / 1024:,.0f} KiB" if size < 10 * 2**20 else f"{size / 2**20:,.0f} MiB"


def _size(path: Path) -> int:
    """Bytes of a file, or of the files in a directory; 0 if it is not there."""
    try:
        if path.is_dir():
            return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return 0


def _matrix_notes(plan: Plan) -> dict[str, str]:
    varied = any(plan.parameters.by_key(key).kind is Kind.LITERAL for key in plan.columns)
    asked = ", with the prompts of the configuration" if varied else ""
    words = {RunType.CONTROL: f"Base model, once{asked}", RunType.EVAL_ONLY: "Weights as they are, once"}
    evaluated = {item.run for item in evaluations(plan)}
    return {run.name: words[run.type] for run in plan.runs if run.type in words and run.name in evaluated}


class _Maker:
    """Estimates of one plan; notes for the log what each rests on."""

    def __init__(self, plan: Plan, site: Site, experiment: Path, found: Resources, history: History) -> None:
        self.plan = plan
        self.site = site
        self.experiment = experiment
        self.found = found
        self.history = history
        self.entries: list[Entry] = []
        self.warnings: list[Problem] = []
        gpus = plan.value("gpus")
        self.gpus = gpus if isinstance(gpus, int) else 1
        self.gpu = site.constraint or site.partition if self.gpus else ""

    def training(self, run: Run) -> Estimate:
        work = self._workload(run)
        return training_estimate(work, self.history)

    def _workload(self, run: Run) -> Workload:
        numbers = {
            key: value if isinstance(value := effective(self.plan, run, key), int) else 0
            for key in ("epochs", "batch_size", "gradient_accumulation_steps", "max_seq_len", "max_steps_per_epoch")
        }
        batch, accumulation = max(1, numbers["batch_size"]), max(1, numbers["gradient_accumulation_steps"])
        examples, tokens = self._data(run)
        if numbers["max_steps_per_epoch"]:
            examples = min(examples, numbers["max_steps_per_epoch"] * batch * accumulation * max(1, self.gpus))
        resource = self.found.models.get(run.model)
        return Workload(
            model=PurePosixPath(resource.path).name if resource else run.model,
            parameters_b=resource.parameters_b if resource else None,
            examples=examples,
            tokens_per_example=min(tokens, numbers["max_seq_len"] or tokens),
            epochs=numbers["epochs"],
            batch_size=batch,
            accumulation=accumulation,
            gpus=self.gpus,
            gpu=self.gpu,
            lora=trains_adapters(self.plan, run),
            max_seq_len=numbers["max_seq_len"],
        )

    def _path(self, run: Run) -> str:
        return str(effective(self.plan, run, "dataset") or (self.plan.dataset.path if self.plan.dataset else ""))

    def _is_counted(self, run: Run) -> bool:
        return bool(self.found.splits(self._path(run)).get("train"))

    def _data(self, run: Run) -> tuple[int, float]:
        """Training examples, and tokens of one: four bytes of the file a token, the prompts, and the template."""
        path = self._path(run)
        splits = self.found.splits(path)
        total = sum(splits.values())
        each = _size(self.experiment / path) / total if total else _EXAMPLE_BYTES
        prompts = "".join(str(effective(self.plan, run, key) or "") for key in ("prompt", "system_prompt"))
        return splits.get("train") or _EXAMPLES, (each + len(prompts.encode())) / _BYTES_PER_TOKEN + _TEMPLATE_TOKENS

    def evaluation(self) -> Estimate | None:
        """The longest of all evaluations: the page has one figure for them."""
        runs = {run.name: run for run in self.plan.runs}
        limit, tokens = self.plan.value("eval_limit"), self.plan.value("eval_max_tokens")
        found = []
        for model, task in dict.fromkeys((runs[item.run].model, item.task) for item in evaluations(self.plan)):
            resource = self.found.models.get(model)
            samples = self._samples(task)
            found.append(
                evaluation_estimate(
                    model=PurePosixPath(resource.path).name if resource else model,
                    parameters_b=resource.parameters_b if resource else None,
                    samples=min(samples, limit) if isinstance(limit, int) else samples,
                    max_tokens=tokens if isinstance(tokens, int) else None,
                    gpus=min(1, self.gpus),
                    history=self.history,
                )
            )
        return max(found, key=lambda estimate: estimate.minutes, default=None)

    def _samples(self, name: str) -> int:
        task = next(task for task in self.plan.tasks if task.name == name)
        path = task.dataset or (self.plan.dataset.path if self.plan.dataset else "")
        splits = self.found.splits(path)
        return splits.get("test") or splits.get("validation") or sum(splits.values()) or _SAMPLES

    def totals(self, plan: Plan) -> Totals:
        training = sum(run.estimate_min or 0 for run in plan.fine_tuned) / 60
        count = len(evaluations(plan))
        evaluation = count * (plan.estimates.evaluation_min or 0) / 60
        free = self._free(plan)
        return Totals(
            runs=len(plan.runs),
            fine_tuned=len(plan.fine_tuned),
            evaluations=count,
            training_h=training,
            evaluation_h=evaluation,
            gpu_h=training * self.gpus + evaluation * min(1, self.gpus),
            disk_gib=self._checkpoints(plan) * _BUFFER / _GIB,
            free_gib=free[1] / _GIB if free else None,
        )

    def _free(self, plan: Plan) -> tuple[Path, int] | None:
        return free_bytes(output_directory(self.experiment, plan.name, "run", self.site.output_dir_base))

    def _checkpoints(self, plan: Plan) -> float:
        total = 0.0
        for run in plan.fine_tuned:
            resource = self.found.models.get(run.model)
            epochs = effective(plan, run, "epochs")
            size = resource.parameters_b if resource else None
            total += (epochs if isinstance(epochs, int) else 1) * checkpoint_bytes(size, gpus=self.gpus)
        return total

    def training_facts(self, training: dict[str, Estimate], totals: Totals) -> Iterator[Fact]:
        if training:
            yield "Total training time", f"{spoken_minutes(totals.training_h * 60)}, one run at a time"
            yield "Total GPU hours", f"{totals.gpu_h:.1f} with evaluations" if self.gpus else "0: no GPU is asked for"
            yield "Basis", "; ".join(self._bases(training))
            yield from self._memory_facts()

    def _bases(self, training: dict[str, Estimate]) -> Iterator[str]:
        """What the estimates rest on, once for each model and figure; the log tells it run by run."""
        models = _by_model(self.plan)
        for model, runs in models.items():
            estimates = {training[run.name].minutes: training[run.name] for run in runs}
            longest = estimates[max(estimates)]
            basis = longest.basis + ("" if all(map(self._is_counted, runs)) else f", {_EXAMPLES:,} examples assumed")
            yield basis if len(models) == 1 else f"{model}: {basis}"
            for minutes, estimate in sorted(estimates.items()):
                names = ", ".join(run.name for run in runs if training[run.name].minutes == minutes)
                lines = {"details": names, "result": f"~{spoken_minutes(minutes)}", "explanation": estimate.basis}
                self.entries.append(("ESTIMATE_TRAINING", f"{model}, {names.count(',') + 1} runs", lines))

    def _memory_facts(self) -> Iterator[Fact]:
        """What the largest batch of each model needs, and what would fit."""
        if not self.gpus:
            return
        memory, known = gpu_memory_gb(self.site)
        for model, runs in _by_model(self.plan).items():
            resource = self.found.models.get(model)
            if resource is None or resource.parameters_b is None or resource.facts is None:
                continue
            work = max((self._workload(run) for run in runs), key=lambda work: work.batch_size)
            config = resource.facts.config or {}
            tokens = work.max_seq_len or math.ceil(2 * work.tokens_per_example)
            size, shape = resource.parameters_b, {"tokens": tokens, "gpus": self.gpus}
            needed = memory_gb(config, size, batch_size=work.batch_size, lora=work.lora, **shape)
            fits = largest_batch(config, size, lora=work.lora, gpu_gb=memory, **shape)
            text = f"batch {work.batch_size} needs about {needed:.0f} GB at {tokens} tokens; up to {fits} fits into "
            text += f"{memory:.0f} GB ({known})"
            self.entries.append(("ESTIMATE_MEMORY", model, {"result": text}))
            if work.batch_size > fits:
                hint = "make the batch smaller and accumulate gradients, or shorten the sequences"
                self.warnings.append(Problem(f"{model}: {text}", hint=hint))
            yield f"Memory of {model}", text

    def disk_facts(self, plan: Plan, totals: Totals) -> Iterator[Fact]:
        if not plan.fine_tuned:
            return
        count = sum(value for run in plan.fine_tuned if isinstance(value := effective(plan, run, "epochs"), int))
        needed = _gib(totals.disk_gib)
        yield "Checkpoints", f"~{needed} for {count} epochs of all runs, {_BUFFER - 1:.0%} buffer included"
        free = self._free(plan)
        if free is None or totals.free_gib is None:
            self.entries.append(
                ("ESTIMATE_DISK", f"{needed} for {count} checkpoints", {"result": "space unknown here"})
            )
            yield "Available", "unknown: the output directory cannot be seen from here"
            return
        enough = totals.disk_gib < totals.free_gib
        yield "Available", f"{_gib(totals.free_gib)} {'✓' if enough else '✗ not enough'}"
        lines = {"command": f"free space of {free[0]}", "result": _gib(totals.free_gib)}
        self.entries.append(("ESTIMATE_DISK", f"{needed} for {count} checkpoints", lines))
        if not enough:
            message = f"the checkpoints need {needed}, and {free[0]} has {_gib(totals.free_gib)}"
            hint = "evaluate in stages and remove checkpoints, or name another `Output base directory` for the site"
            self.warnings.append(Problem(message, hint=hint))


def _gib(size: float) -> str:
    if size < 0.1:  # noqa: PLR2004
        return f"{size * 1024:,.0f} MiB"
    return f"{size:,.1f} GiB" if size < 10 else f"{size:,.0f} GiB"  # noqa: PLR2004


def _by_model(plan: Plan) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for run in plan.fine_tuned:
        found.setdefault(run.model, []).append(run)
    return found
