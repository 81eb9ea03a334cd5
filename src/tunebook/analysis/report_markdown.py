"""``report.md``: the analysis for people, and for whoever reads it on GitHub. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.markdown_text import link, markdown_table, text
from tunebook.analysis.records import RunRecord
from tunebook.analysis.report_results import Results
from tunebook.analysis.values import Analysis
from tunebook.analysis.wording import plural
from tunebook.core.jobs import JobState
from tunebook.core.plan import RunType
from tunebook.core.units import spoken_duration
from tunebook.slurm.accounting import SlurmUse

__all__ = ["markdown_report"]

_MOST_ROWS = 60
_MOST_CASES = 10


def markdown_report(analysis: Analysis, *, figures: Mapping[str, str] | None = None) -> str:
    """The whole report.

    Args:
        figures: a figure's title to its path, relative to the report.
    """
    return "\n".join(_Report(analysis, figures or {}).lines()) + "\n"


class _Report:
    """One report on its way to lines."""

    def __init__(self, analysis: Analysis, figures: Mapping[str, str]) -> None:
        self._analysis = analysis
        self._figures = figures

    def lines(self) -> Iterator[str]:
        results = Results(self._analysis)
        parts = (
            self._head(),
            self._findings(),
            self._varied(),
            self._runs(),
            results.scores(),
            results.seeds(),
            results.effects(),
            self._pictures(),
            results.cases(),
            self._departures(),
            self._steps(),
            self._provenance(),
        )
        for part in parts:
            yield from part

    def _head(self) -> Iterator[str]:
        analysis = self._analysis
        yield f"# {text(analysis.name)}"
        yield ""
        if analysis.question:
            yield f"**Question:** {text(analysis.question, most=2000)}"
            yield ""
        done = sum(item.is_done for item in analysis.evaluations)
        trained = [run.training for run in analysis.runs if run.training is not None]
        ready = sum(item.is_done for item in trained)
        evaluations = plural(len(analysis.evaluations), "evaluation")
        state = f"{ready} of {plural(len(trained), 'training')} and {done} of {evaluations} are in"
        yield (
            f"{state}."
            if analysis.is_finished
            else f"**Not complete:** {state}; see [what is missing](#what-is-missing)."
        )
        yield ""

    def _findings(self) -> Iterator[str]:
        yield "## Findings"
        yield ""
        if not self._analysis.findings:
            yield "Nothing can be said yet: no evaluation has a log that counts."
        for finding in self._analysis.findings:
            yield f"- {_finding(finding)}"
        yield ""
        yield (
            f"Intervals are {100 * self._analysis.level:g} % intervals; a difference is called significant if its "
            f"p-value, corrected for the number of tests by Holm's method, is below {1 - self._analysis.level:.2g}."
        )
        yield ""

    def _varied(self) -> Iterator[str]:
        yield "## What was varied"
        yield ""
        factors = self._analysis.factors
        if not factors:
            yield "Nothing was varied between fine-tuned runs."
        else:
            rows = [
                [
                    text(factor.label),
                    text(", ".join(factor.levels)),
                    "repetitions" if factor.is_seed else str(len(factor.levels)),
                ]
                for factor in factors
            ]
            yield from markdown_table(("Factor", "Levels", "Number"), rows)
            yield ""
            balanced = (
                "every combination has the same number of runs"
                if self._analysis.balanced
                else ("not every combination has the same number of runs")
            )
            yield f"{balanced[0].upper()}{balanced[1:]}."
        yield ""

    def _runs(self) -> Iterator[str]:
        runs = self._analysis.runs
        yield "## Runs"
        yield ""
        factors = self._analysis.factors
        header = [
            "Run",
            *(text(factor.label) for factor in factors),
            "Training",
            "Loss",
            "Validation loss",
            "Time",
            "GPU hours",
            "GPU use",
            "Peak memory",
        ]
        rows = [self._run(run) for run in runs[:_MOST_ROWS]]
        used = [place for place in range(len(header)) if place < 2 or any(row[place] for row in rows)]  # noqa: PLR2004
        yield from markdown_table(
            [header[place] for place in used],
            [[row[place] for place in used] for row in rows],
            right=[index for index, place in enumerate(used) if place > len(factors) + 1],
        )
        if len(runs) > _MOST_ROWS:
            yield ""
            yield f"{len(runs) - _MOST_ROWS} more in [runs.csv](runs.csv)."
        yield ""

    def _run(self, run: RunRecord) -> list[str]:
        levels = [text(run.levels.get(factor.key, ""), most=60) for factor in self._analysis.factors]
        training = run.training
        if training is None:
            return [
                text(run.directory),
                *levels,
                "not trained here" if run.type is not RunType.CONTROL else "base model",
                *[""] * 6,
            ]
        state = JobState.COMPLETED.value if training.is_done else training.state.value
        return [
            text(run.directory),
            *levels,
            state,
            "" if training.tail_loss is None else f"{training.tail_loss:.4g}",
            "" if training.final_validation_loss is None else f"{training.final_validation_loss:.4g}",
            "" if training.elapsed_s is None else spoken_duration(training.elapsed_s),
            "" if training.gpu_hours is None else f"{training.gpu_hours:.3g}",
            _gpu_use(training.slurm),
            "" if training.peak_memory_gb is None else f"{training.peak_memory_gb:.3g} GB",
        ]

    def _pictures(self) -> Iterator[str]:
        if not self._figures:
            return
        yield "## Figures"
        yield ""
        for title, path in self._figures.items():
            yield f"![{text(title)}](<{link(path)}>)"
            yield ""

    def _departures(self) -> Iterator[str]:
        analysis = self._analysis
        yield "## What is missing"
        yield ""
        if not analysis.gaps:
            yield "Nothing: every training and every evaluation that was planned is in."
        for gap in analysis.gaps[:_MOST_ROWS]:
            yield f"- {text(gap.subject)}: {text(gap.what)}" + (f" ({text(gap.hint)})" if gap.hint else "")
        yield from _more(len(analysis.gaps))
        yield ""
        yield "## Deviations from the page"
        yield ""
        if not analysis.deviations:
            yield "None: nothing was retried, edited or set otherwise than the page says."
        for item in analysis.deviations[:_MOST_ROWS]:
            yield f"- {text(item.subject)}: {text(item.what)}"
        yield from _more(len(analysis.deviations))
        yield ""

    def _steps(self) -> Iterator[str]:
        if not self._analysis.next_steps:
            return
        yield "## Next steps"
        yield ""
        for step in self._analysis.next_steps:
            yield f"- {text(step, most=1000)}"
        yield ""

    def _provenance(self) -> Iterator[str]:
        facts = self._analysis.provenance
        yield "## Where this comes from"
        yield ""
        rows = [
            ["Page", f"SHA-256 {facts.plan_sha256[:16]}… (without its status tables)"],
            ["Created", text(self._analysis.created)],
            ["First job", text(facts.first)],
            ["Last job", text(facts.last)],
            *[[f"Model {text(name)}", text(path)] for name, path in facts.models.items()],
            ["Data set", text(facts.dataset)],
            ["Hosts", text(", ".join(facts.hosts))],
            ["Git commits", text(", ".join(facts.commits))],
            *[[text(package), text(number)] for package, number in facts.versions.items()],
        ]
        yield from markdown_table(("What", "Value"), [row for row in rows if row[1]])
        yield ""
        yield (
            "The numbers stand in [runs.csv](runs.csv), [evaluations.csv](evaluations.csv), "
            "[comparisons.csv](comparisons.csv), [effects.csv](effects.csv) and [samples.parquet](samples.parquet)."
        )


def _gpu_use(slurm: SlurmUse | None) -> str:
    """SLURM's mean utilization, where it counts it."""
    used = slurm.gpu_utilization_percent if slurm is not None else None
    return "" if used is None else f"{used:.0f} %"


def _finding(finding: Finding) -> str:
    return f"{text(finding.text, most=2000)}"


def _more(count: int) -> Iterator[str]:
    if count > _MOST_ROWS:
        yield f"- and {count - _MOST_ROWS} more"
