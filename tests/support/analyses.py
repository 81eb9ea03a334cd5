"""Analyses made up for tests of what shows them: a few runs, dozens, hundreds; running, empty and hostile ones."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist, fmean, stdev

from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.records import (
    Deviation,
    EvaluationKey,
    EvaluationRecord,
    FactorUse,
    Family,
    Gap,
    Interval,
    Measure,
    OtherLog,
    RunRecord,
    Score,
    TaskUse,
    Training,
)
from tunebook.analysis.statistics.cases import Case
from tunebook.analysis.statistics.effects import Effect
from tunebook.analysis.statistics.marginal_means import GroupMean
from tunebook.analysis.statistics.measure_results import CostPoint
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.analysis.statistics.ranking import RankedSetting
from tunebook.analysis.statistics.seeds import Replicates
from tunebook.analysis.values import Analysis
from tunebook.artifacts.curve import Curve
from tunebook.artifacts.proof import EpochProof
from tunebook.core.jobs import JobState
from tunebook.core.measures import Direction
from tunebook.core.plan import RunType
from tunebook.tools.inspect.results import INSPECT_VIEWER
from tunebook.tools.results import Samples

__all__ = ["HOSTILE", "Texts", "dozens", "hundreds", "made_up"]

MEASURE = "exact"
MADE_UP_MEASURE = Measure(MEASURE, Direction.HIGHER, is_share=True)
MODELS = ("SmolLM2-135M-Instruct", "SmolLM2-360M-Instruct")
HOSTILE = (
    "<script>window.hacked=1</script>",
    "</script><script>window.hacked=2</script>",
    "<img src=x onerror=window.hacked=3>",
    "<svg onload=window.hacked=4>",
    "${window.hacked=5}{{7*7}}{% raw %}",
    "'+(window.hacked=6)+'",
    "javascript:window.hacked=7",
    "<!--<script>",
    "]]><iframe srcdoc='<script>parent.hacked=8</script>'>",
    "a|b\n# no heading\r\n\u2028\u2029 \u202eright to left",
    "__proto__",
    '=HYPERLINK("http://example.invalid","x")',
)


@dataclass(frozen=True)
class Texts:
    """Where texts come from: plain ones, or hostile ones in turn."""

    hostile: bool = False
    _turn: itertools.cycle[str] = field(default_factory=lambda: itertools.cycle(HOSTILE))

    def __call__(self, plain: str) -> str:
        return f"{plain} {next(self._turn)}" if self.hostile else plain


def made_up(
    *,
    ranks: Sequence[int] = (4, 16, 64),
    rates: Sequence[str] = ("3e-4",),
    seeds: Sequence[int] = (1,),
    models: Sequence[str] = ("SmolLM2-135M-Instruct",),
    samples: int = 40,
    epochs: int = 2,
    steps: int = 120,
    running: bool = False,
    hostile: bool = False,
) -> Analysis:
    """An analysis with a control for each model and a run for each combination of the factors."""
    say = Texts(hostile)
    factors = tuple(
        FactorUse(key, say(label), tuple(map(str, levels)), key == "seed")
        for key, label, levels in (
            ("model", "Model", models),
            ("lora_rank", "LoRA Rank", ranks),
            ("lr", "Learning Rate", rates),
            ("seed", "Seed", seeds),
        )
        if len(levels) > 1
    )
    maker = _Maker(say, samples, epochs, steps, tuple(factor.key for factor in factors))
    for model in models:
        maker.control(model)
        for number, (rank, rate, seed) in enumerate(itertools.product(ranks, rates, seeds)):
            state = JobState.COMPLETED
            if running:
                state = (JobState.COMPLETED, JobState.RUNNING, JobState.PENDING, JobState.FAILED)[number % 4]
            maker.run(model, rank, rate, seed, state)
    return maker.analysis(factors, running=running)


@dataclass
class _Maker:
    say: Texts
    n: int
    epochs: int
    steps: int
    keys: tuple[str, ...]
    task: str = "capitalization"
    random: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311  no secret
    runs: list[RunRecord] = field(default_factory=list)
    evaluations: list[EvaluationRecord] = field(default_factory=list)
    samples: dict[EvaluationKey, Samples] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.task = self.say("capitalization")
        self.ids = [f"{self.say('sample')} {number}" for number in range(self.n)]
        self.hardness = [self.random.gauss(0, 1.2) for _ in self.ids]

    def control(self, model: str) -> None:
        name = self.say(f"{model}_base")
        self.runs.append(RunRecord(name, f"{self.short(model)}_base", RunType.CONTROL, self.say(model)))
        self.evaluate(name, -1, -1.6, JobState.COMPLETED)

    def run(self, model: str, rank: int, rate: str, seed: int, state: JobState) -> None:
        levels = {"model": model, "lora_rank": str(rank), "lr": rate, "seed": str(seed)}
        levels = {key: value for key, value in levels.items() if key in self.keys}
        directory = "_".join(f"{key.removeprefix('lora_')}{value}" for key, value in levels.items() if key != "model")
        if "model" in levels:
            directory = f"{self.short(model)}_{directory}"
        base = next(run.name for run in reversed(self.runs) if run.type is RunType.CONTROL)
        name = self.say(f"{model}_{directory}")
        skill = 0.35 * math.log2(rank) + 0.8 * (4 + math.log10(float(rate))) - 0.6 + self.random.gauss(0, 0.25)
        skill += 0.7 if "360M" in model else 0.0
        training = self.training(rank, float(rate), state)
        parameters = {"lora_rank": rank, "lr": float(rate), "seed": seed, "epochs": self.epochs, "batch_size": 8}
        self.runs.append(
            RunRecord(
                name,
                self.say(directory),
                RunType.FINE_TUNED,
                self.say(model),
                base,
                parameters,
                levels,
                training=training,
            )
        )
        for epoch in range(self.epochs):
            self.evaluate(name, epoch, skill - 0.5 * (self.epochs - 1 - epoch), state)

    @staticmethod
    def short(model: str) -> str:
        return model.removesuffix("-Instruct")

    def training(self, rank: int, rate: float, state: JobState) -> Training:
        done = {JobState.COMPLETED: self.steps, JobState.RUNNING: self.steps // 3, JobState.FAILED: 9}.get(state, 0)
        if not done:
            return Training(state, "waits for its turn", total_steps=self.steps)
        floor = 0.9 - 0.09 * math.log2(rank)
        losses = tuple(
            floor + 2.2 * math.exp(-step * (rate / 3e-4) ** 0.5 / 18) + self.random.gauss(0, 0.05)
            for step in range(1, done + 1)
        )
        warm = max(1, self.steps // 10)
        rates = tuple(
            rate * min(step / warm, 0.5 * (1 + math.cos(math.pi * step / self.steps))) for step in range(1, done + 1)
        )
        checks = tuple(range(self.steps // 4, done + 1, self.steps // 4))
        curve = Curve(
            tuple(range(1, done + 1)),
            tuple(step * self.epochs // (self.steps + 1) for step in range(1, done + 1)),
            losses,
            rates,
            validation_steps=checks,
            validation_losses=tuple(losses[step - 1] + 0.12 for step in checks),
        )
        return Training(
            state,
            "OUT_OF_MEMORY" if state is JobState.FAILED else "",
            "metrics.jsonl",
            curve,
            done,
            self.steps,
            losses[0],
            losses[-1],
            fmean(losses[-max(1, done // 10) :]),
            final_validation_loss=curve.validation_losses[-1] if checks else None,
            peak_memory_gb=1.7 + rank / 64,
            elapsed_s=(60 + 2.4 * rank) * (1 + self.random.random() / 5),
            proof=(EpochProof(1, "validation", 16, 0.0611, 0.0612, 0.0011),) if state is JobState.COMPLETED else (),
            attempts=1,
            host="node1",
        )

    def evaluate(self, run: str, epoch: int, skill: float, state: JobState) -> None:
        key = EvaluationKey(run, self.task, epoch)
        if state is not JobState.COMPLETED:
            waits = JobState.PENDING if state is not JobState.FAILED else JobState.FAILED
            self.evaluations.append(EvaluationRecord(key, waits, "training failed" if state is JobState.FAILED else ""))
            return
        values = tuple(float(self.random.random() < NormalDist().cdf(skill - hardness)) for hardness in self.hardness)
        right, mean = sum(values), fmean(values)
        score = Score(key, MEASURE, mean, self.n, wilson(right, self.n), True, math.sqrt(mean * (1 - mean) / self.n))
        number = len(self.evaluations)
        self.evaluations.append(
            EvaluationRecord(
                key,
                state,
                log=f"{self.say('run')}/eval/logs/2026-01-01T00-00-{number:02d}_{number}.eval",
                scores=(score,),
                samples=self.n,
                completed=self.n,
                elapsed_s=18.0 + number,
                total_tokens=5000,
                attempts=1,
                others=(OtherLog("old.eval", "error", "2026-01-01", "it ended with an error"),) if number == 1 else (),
            )
        )
        self.samples[key] = Samples(
            tuple(self.ids),
            (1,) * self.n,
            tuple(self.say(f"Capitalize the word number {each}") for each in self.ids),
            tuple(self.say(f"Word {each}") for each in self.ids),
            tuple(self.say("Word" if value else "word") for value in values),
            ("",) * self.n,
            {MEASURE: values},
        )

    def analysis(self, factors: tuple[FactorUse, ...], *, running: bool) -> Analysis:
        say = self.say
        scores = {score.evaluation: score for each in self.evaluations for score in each.scores}
        final = {run.name: scores[key] for run in self.runs for key in sorted(scores) if key.run == run.name}
        best = max(final.values(), key=lambda score: score.value or 0.0)
        comparisons = tuple(self.compared(run, final) for run in self.runs if run.base and run.name in final)
        return Analysis(
            experiment="/experiments/cap sweep",
            name=say("cap_4L_lora_lr_sweep"),
            question=say("Does a higher LoRA rank teach capitalization better, and at what cost?"),
            created="2026-01-01 12:00",
            type="Parameter sweep",
            factors=factors,
            tasks=(
                TaskUse(
                    self.task,
                    say("Is every word written with a capital?"),
                    (MADE_UP_MEASURE,),
                ),
            ),
            runs=tuple(self.runs),
            evaluations=tuple(self.evaluations),
            samples=self.samples,
            headers={},
            unreadable=(),
            strays=(),
            comparisons=comparisons,
            ranking=self.ranking(final),
            effects=self.effects(factors, final),
            replicates=self.replicates(final),
            costs=self.costs(final),
            cases=self.cases(final),
            findings=(
                Finding("base", say(f"{best.evaluation.run} scores {best.value:.1%}."), True, self.task),
                Finding("effect", say("No effect of the learning rate was detected."), False),
                Finding("caution", say("Each setting was trained with one seed only.")),
            ),
            next_steps=(say("Train the best configuration with more seeds."),),
            gaps=(Gap(say("rank64"), say("no evaluation has a log that counts"), "tunebook run --retry-failed"),)
            if running
            else (),
            deviations=(Deviation("retry", say("rank4"), say("trained twice: OUT_OF_MEMORY at first")),),
            provenance={
                "Experiment": "/experiments/cap sweep",
                "Plan (SHA-256, without its status tables)": "0f" * 32,
                "Created": "2026-01-01 12:00",
                "First job started": "2026-01-01T12:00:00+00:00",
                "Last job ended": "2026-01-01T13:00:00+00:00",
                "Data set": say("/data/words.json"),
                f"Model {say('SmolLM2')}": say("/models/x"),
                "Versions": "torchtune 0.6.1, inspect_ai 0.3.285",
                "Commits": say("abc123"),
                "Hosts": "node1",
            },
            balanced=True,
            viewer=INSPECT_VIEWER,
        )

    def compared(self, run: RunRecord, final: dict[str, Score]) -> Comparison:
        score, base = final[run.name], final[str(run.base)]
        difference = (score.value or 0) - (base.value or 0)
        p = min(1.0, math.exp(-abs(difference) * 20))
        interval = Interval(difference - 0.12, difference + 0.12, "bootstrap")
        return Comparison(
            against="base",
            task=self.task,
            measure=MEASURE,
            run=run.name,
            epoch=score.evaluation.epoch,
            other=str(run.base),
            other_epoch=-1,
            n=self.n,
            unpaired=0,
            value=score.value or 0,
            other_value=base.value or 0,
            difference=difference,
            interval=interval,
            test="McNemar, exact",
            p=p,
            p_holm=min(1.0, p * len(final)),
            family=Family("final epoch against the base model", len(final), "Holm"),
            significant=p * len(final) < 0.05,
        )

    def settings(self, final: dict[str, Score]) -> dict[str, list[RunRecord]]:
        """The trained runs with a score by their levels without the seed."""
        found: dict[str, list[RunRecord]] = {}
        for run in self.runs:
            if run.base and run.name in final:
                levels = [f"{key} {level}" for key, level in run.levels.items() if key != "seed"]
                name = self.say(", ".join(levels)) if "seed" in self.keys else run.directory
                found.setdefault(name, []).append(run)
        return found

    def replicates(self, final: dict[str, Score]) -> tuple[Replicates, ...]:
        found = []
        for setting, runs in self.settings(final).items():
            if len(runs) > 1:
                values = [final[run.name].value or 0.0 for run in runs]
                mean, difference = fmean(values), fmean(values) - (final[str(runs[0].base)].value or 0.0)
                found.append(
                    Replicates(
                        task=self.task,
                        measure=MEASURE,
                        setting=setting,
                        runs=tuple(run.name for run in runs),
                        mean=mean,
                        sd=stdev(values),
                        difference=difference,
                        difference_interval=Interval(difference - 0.1, difference + 0.1, "bootstrap"),
                        p=0.001,
                        p_holm=0.01,
                        significant=difference > 0.2,
                        test="paired bootstrap",
                        family=Family("settings over seeds against the base model", len(self.settings(final)), "Holm"),
                        simultaneous=Interval(difference - 0.15, difference + 0.15, "bootstrap"),
                    )
                )
        return tuple(found)

    def ranking(self, final: dict[str, Score]) -> tuple[RankedSetting, ...]:
        values = {}
        for setting, runs in self.settings(final).items():
            values[setting] = fmean(final[run.name].value or 0.0 for run in runs), tuple(run.name for run in runs)
        ranked = sorted(values.items(), key=lambda item: -item[1][0])
        best = ranked[0][1][0] if ranked else 0.0
        found = []
        for place, (setting, (value, names)) in enumerate(ranked):
            interval = Interval(value - 0.08, value + 0.08, "Student t")
            item = RankedSetting(self.task, MEASURE, setting, {}, names, value, interval)
            if place == 0:
                found.append(replace(item, corrected=value - 0.02))
                continue
            away = value - best
            found.append(
                replace(
                    item,
                    difference=away,
                    simultaneous=Interval(away - 0.1, away + 0.1, "Student t"),
                    p_holm=0.01,
                    significant=away < -0.1,
                )
            )
        return tuple(found)

    def effects(self, factors: tuple[FactorUse, ...], final: dict[str, Score]) -> tuple[Effect, ...]:
        def mean(**wanted: str) -> tuple[int, float]:
            of = [run for run in self.runs if run.name in final and wanted.items() <= run.levels.items()]
            return len(of), fmean(final[run.name].value or 0 for run in of) if of else 0.0

        treatments = [factor for factor in factors if not factor.is_seed]
        found = []
        for factor in treatments:
            levels = tuple(
                GroupMean((level,), n, value, Interval(value - 0.06, value + 0.06, "Student t"))
                for level in factor.levels
                for n, value in [mean(**{factor.key: level})]
            )
            found.append(
                Effect(self.task, MEASURE, (factor.key,), (factor.label,), levels, test="F", p=0.01, p_holm=0.02)
            )
        for one, other in itertools.combinations(treatments, 2):
            cells = tuple(
                GroupMean((a, b), *mean(**{one.key: a, other.key: b}))
                for a in one.levels
                for b in other.levels
                if mean(**{one.key: a, other.key: b})[0]
            )
            found.append(Effect(self.task, MEASURE, (one.key, other.key), (one.label, other.label), cells))
        return tuple(found)

    def costs(self, final: dict[str, Score]) -> tuple[CostPoint, ...]:
        points = {
            run.name: (run.training.elapsed_s / 3600, final[run.name].value or 0.0)
            for run in self.runs
            if run.name in final and run.training and run.training.elapsed_s
        }

        def is_beaten(point: tuple[float, float]) -> bool:
            return any(
                cost <= point[0] and score >= point[1] for cost, score in points.values() if (cost, score) != point
            )

        return tuple(
            CostPoint(
                task=self.task,
                measure=MEASURE,
                run=run,
                epoch=final[run].evaluation.epoch,
                cost=point[0],
                unit="hours",
                score=point[1],
                interval=final[run].interval,
                on_front=not is_beaten(point),
            )
            for run, point in points.items()
        )

    def cases(self, final: dict[str, Score]) -> tuple[Case, ...]:
        say, runs = self.say, tuple(final)
        return tuple(
            Case(
                kind=kind,
                task=self.task,
                measure=MEASURE,
                sample=self.ids[number],
                prompt=say("Capitalize: word"),
                target=say("Word"),
                runs=runs[1:4],
                answers={run: say("word") for run in runs[:4]},
            )
            for number, kind in enumerate(("all wrong", "fixed", "broken") * 2)
        )


def wilson(right: float, n: int, level: float = 0.95) -> Interval:
    z = NormalDist().inv_cdf(0.5 + level / 2)
    centre = (right + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(right * (n - right) / n + z * z / 4)
    return Interval(centre - half, centre + half, "Wilson", level)


def dozens() -> Analysis:
    """38 runs."""
    return made_up(models=MODELS, rates=("1e-5", "1e-4", "1e-3"), seeds=(1, 2))


def hundreds() -> Analysis:
    """202 runs."""
    rates = ("1e-5", "3e-5", "1e-4", "3e-4")
    return made_up(models=MODELS, ranks=(4, 8, 16, 32, 64), rates=rates, seeds=(1, 2, 3, 4, 5), samples=100, steps=400)
