"""The parts of ``report.md`` that show results: scores, seeds, effects, samples. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from tunebook.analysis.markdown_text import link, markdown_table, text
from tunebook.analysis.records import EvaluationRecord, Score
from tunebook.analysis.statistics.cases import Case
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.analysis.statistics.seeds import Replicates
from tunebook.analysis.values import Analysis
from tunebook.analysis.wording import Scale, p_text, scale_of

__all__ = ["Results"]

_MOST_ROWS = 60
_MOST_CASES = 10


class Results:
    """An analysis' results on their way to lines."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis
        self._labels = {run.name: run.directory for run in analysis.runs}

    def scores(self) -> Iterator[str]:
        """A table a measure of a task, the highest score first, each with its interval and comparisons."""
        for task in self._analysis.tasks:
            for measure in task.measures:
                scores = [score for score in self._analysis.scores(task.name, measure) if score.value is not None]
                if scores:
                    yield f"## Scores: {text(task.name)}, {text(measure)}"
                    yield ""
                    if task.description and measure == task.measures[0]:
                        yield text(task.description)
                        yield ""
                    yield from self._score_table(scores)

    def _score_table(self, scores: Sequence[Score]) -> Iterator[str]:
        scale = scale_of(score.value for score in scores)
        records = {evaluation.key: evaluation for evaluation in self._analysis.evaluations}
        ordered = sorted(scores, key=lambda score: -(score.value or 0.0))
        header = (
            "Run",
            "Epoch",
            "Score",
            f"{100 * self._analysis.level:g} % interval",
            "n",
            "Against the base model",
            "Against the best run",
            "Log",
        )
        rows = [self._score(score, scale, records[score.evaluation]) for score in ordered[:_MOST_ROWS]]
        yield from markdown_table(header, rows, right=(1, 2, 3, 4))
        yield ""
        methods = ", ".join(sorted({score.interval.method for score in scores if score.interval}))
        tests = ", ".join(
            sorted({item.test for item in self._analysis.comparisons if item.task == scores[0].evaluation.task})
        )
        notes = f"Intervals: {methods}." if methods else ""
        yield (
            f"{notes} Comparisons are on the same samples ({tests}); p-values are corrected by Holm."
            if tests
            else notes
        )
        if self._analysis.viewer is not None:
            command = shlex.join([*self._analysis.viewer.command, "."])
            yield f"`{command}` in the experiment's directory opens the logs."
        if len(ordered) > _MOST_ROWS:
            yield ""
            yield f"{len(ordered) - _MOST_ROWS} more in [evaluations.csv](evaluations.csv)."
        yield ""

    def _score(self, score: Score, scale: Scale, record: EvaluationRecord) -> list[str]:
        key = score.evaluation
        found = {
            item.against: item
            for item in self._analysis.comparisons
            if (item.run, item.task, item.epoch, item.measure) == (key.run, key.task, key.epoch, score.measure)
        }
        return [
            text(self._labels[key.run]),
            str(key.epoch) if key.epoch >= 0 else "",
            scale.value(score.value),
            scale.interval(score.interval),
            str(score.n),
            _comparison(scale, found.get("base")),
            _comparison(scale, found.get("best")),
            f"[log](<{link('../' + record.log)}>)" if record.log else "",
        ]

    def seeds(self) -> Iterator[str]:
        """Settings over their seeds, the highest mean first, each with its interval."""
        groups = self._analysis.replicates
        if not groups:
            return
        yield "## Settings over seeds"
        yield ""
        rows = []
        for item in sorted(groups, key=lambda item: (item.task, item.measure, -item.mean))[:_MOST_ROWS]:
            scale = scale_of(score.value for score in self._analysis.scores(item.task, item.measure))
            numbers = [str(len(item.runs)), scale.value(item.mean), scale.value(item.sd), scale.interval(item.interval)]
            numbers.append(_against_base(scale, item))
            rows.append([text(item.task), text(item.measure), text(item.setting), *numbers])
        interval = f"{100 * self._analysis.level:g} % interval"
        header = (
            "Task",
            "Measure",
            "Setting",
            "Seeds",
            "Mean",
            "Standard deviation",
            interval,
            "Against the base model",
        )
        yield from markdown_table(header, rows, right=(3, 4, 5, 6))
        yield ""
        yield (
            "Means, deviations (n − 1) and Student's t intervals are over the runs that differ in their seed only; the "
            "difference from the base model is tested over the samples, each with its mean over the seeds."
        )
        yield ""

    def effects(self) -> Iterator[str]:
        """Main effects and interactions with their tests."""
        effects = self._analysis.effects
        if not effects:
            return
        yield "## Effects of what was varied"
        yield ""
        rows = []
        for effect in effects:
            scale = scale_of([*(level.mean for level in effect.levels), *(cell.mean for cell in effect.cells)])
            means = [f"{text(level.level, most=40)}: {scale.value(level.mean)}" for level in effect.levels]
            test = (
                f"F({effect.df[0]:g}, {effect.df[1]:g}) = {effect.statistic:.2f}, {p_text(effect.p_holm)}"
                if effect.df
                else text(effect.note)
            )
            verdict = {True: "significant", False: "not significant", None: "not tested"}[effect.significant]
            rows.append(
                [
                    text(effect.task),
                    text(effect.measure),
                    text(" × ".join(effect.labels)),
                    ", ".join(means),
                    test,
                    verdict,
                ]
            )
        yield from markdown_table(("Task", "Measure", "Effect", "Means", "Test", "Verdict"), rows)
        yield ""
        yield from dict.fromkeys(_scope_of(effect.generalizes, effect.test) for effect in effects if effect.test)
        yield ""

    def cases(self) -> Iterator[str]:
        """Samples that every run got wrong, and that fine-tuning fixed or broke."""
        titles = {
            "all wrong": "Samples that every run got wrong",
            "fixed": "Samples that fine-tuning fixed",
            "broken": "Samples that fine-tuning broke",
        }
        for kind, title in titles.items():
            cases = [case for case in self._analysis.cases if case.kind == kind]
            if not cases:
                continue
            yield f"## {title}"
            yield ""
            rows = [self._case(case) for case in cases[:_MOST_CASES]]
            yield from markdown_table(("Task", "Sample", "Prompt", "Target", "Answers", "Runs"), rows, right=(5,))
            if len(cases) > _MOST_CASES:
                yield ""
                yield f"{len(cases) - _MOST_CASES} more or further ones in [samples.parquet](samples.parquet)."
            yield ""

    def _case(self, case: Case) -> list[str]:
        answers = [
            f"{text(self._labels[run])}: {text(answer, most=80) or '(empty)'}" for run, answer in case.answers.items()
        ]
        return [
            text(case.task),
            text(case.sample),
            text(case.prompt, most=200),
            text(case.target, most=100),
            "<br>".join(answers[:3]),
            str(len(case.runs)),
        ]


def _comparison(scale: Scale, item: Comparison | None) -> str:
    if item is None:
        return ""
    verdict = "" if item.significant else ", not significant"
    return f"{scale.difference(item.difference, item.interval)}, {p_text(item.p_holm)}{verdict}"


def _against_base(scale: Scale, item: Replicates) -> str:
    if item.difference is None:
        return ""
    verdict = "" if item.significant else ", not significant"
    return f"{scale.difference(item.difference, item.difference_interval)}, {p_text(item.p_holm)}{verdict}"


def _scope_of(generalizes: str, test: str) -> str:
    if generalizes == "seeds":
        return f"{test[0].upper()}{test[1:]}: it speaks of other trainings (seeds), on these samples."
    return f"{test[0].upper()}{test[1:]}: it speaks of these trained models on other samples, not of other trainings."
