"""Builds the report's content from an analysis: its sections, in reading order."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.formatting import MISSING, percent_text, plural
from tunebook.analysis.records import EvaluationRecord, Training
from tunebook.analysis.report.content import Block, Content, Entries, Entry, Samples, Section, Style, Text
from tunebook.analysis.report.difference_table import difference_table
from tunebook.analysis.report.effect_tables import effect_blocks
from tunebook.analysis.report.proof_table import proof_section
from tunebook.analysis.report.settings_table import settings_section
from tunebook.analysis.report.tables import (
    best_runs,
    job_table,
    run_table,
    score_tables,
    seed_table,
)
from tunebook.analysis.statistics.cases import MOST_CASES
from tunebook.analysis.values import Analysis
from tunebook.core.jobs import JobState, count_states
from tunebook.core.plan import RunType

__all__ = ["content_of"]

_DATA = ("runs.csv", "evaluations.csv", "comparisons.csv", "effects.csv", "samples.parquet")
_SAMPLES = {
    "all wrong": "Samples that every run got wrong",
    "fixed": "Samples that fine-tuning fixed",
    "broken": "Samples that fine-tuning broke",
}


def content_of(analysis: Analysis, figures: Sequence[Figure] = (), *, as_of: str = "") -> Content:
    """The whole report.

    Args:
        as_of: when the analysis was made; only an unfinished experiment's report shows it, so that a finished one has
            the same bytes whenever it is written.
    """
    tasks = tuple(TaskScores(analysis, task) for task in analysis.tasks)
    findings = tuple(_finding(finding, has_tasks=len(tasks) > 1) for finding in analysis.findings)
    missing = _missing(analysis, as_of)
    sections = [
        _findings(analysis, findings),
        _varied(analysis),
        _best(analysis, tasks),
        _figures(figures),
        Section("runs", "All runs", (run_table(analysis, [task for task in tasks if task.final]),)),
        *_results(analysis),
        _samples(analysis),
        _deviations(analysis),
        proof_section(analysis),
        settings_section(analysis),
        _jobs(analysis),
        _next_steps(analysis),
        _provenance(analysis),
    ]
    sections.insert(-6 if analysis.is_finished else 0, missing)
    return Content(
        name=analysis.name,
        kind=" · ".join(filter(None, (analysis.type, analysis.created))) or "Experiment",
        question=analysis.question,
        status=_status(analysis),
        is_finished=analysis.is_finished,
        facts=tuple(_facts(analysis, tasks)),
        findings=findings,
        sections=tuple(sections),
        tasks=tuple(task.name for task in analysis.tasks),
        viewer=analysis.viewer,
    )


def _progress(analysis: Analysis) -> Iterator[tuple[str, int, list[JobState]]]:
    """Trainings and evaluations: how many have results, and every one's state."""
    stages: dict[str, Sequence[Training | EvaluationRecord]] = {
        "training": analysis.trainings,
        "evaluation": analysis.evaluations,
    }
    for noun, jobs in stages.items():
        yield noun, sum(job.is_done for job in jobs), [job.state for job in jobs]


def _status(analysis: Analysis) -> str:
    parts = [f"{done} of {plural(len(states), noun)}" for noun, done, states in _progress(analysis)]
    text = f"{' and '.join(parts)} have results."
    if analysis.is_finished:
        return text
    return f"Not complete: {text}"


def _facts(analysis: Analysis, tasks: Sequence[TaskScores]) -> Iterator[Entry]:
    controls = sum(run.type is RunType.CONTROL for run in analysis.runs)
    yield Entry(str(len(analysis.runs)), "Runs", f"including {plural(controls, 'base model')}")
    for noun, done, states in _progress(analysis):
        if states:
            counts = count_states(states, (JobState.RUNNING, JobState.FAILED))
            words = ", ".join(filter(None, ("with results", counts)))
            yield Entry(f"{done} of {len(states)}", f"{noun.capitalize()}s", words)
    for task in tasks[:3]:
        best = analysis.best_score(task.task.name)
        if best is not None:
            more = [analysis.labels[best.evaluation.run]]
            if best.interval is not None:
                more.append(f"{analysis.interval_title} {task.scale.interval(best.interval)}")
            name = "Best score" if len(tasks) == 1 else f"Best score, {task.task.name}"
            yield Entry(task.scale.value(best.value), name, ", ".join(more))


def _missing(analysis: Analysis, as_of: str) -> Section:
    blocks: list[Block] = []
    if not analysis.is_finished:
        parts = [_status(analysis)]
        for noun, _, states in _progress(analysis):
            if states:
                parts.append(f"{plural(len(states), noun)}: {count_states(states)}.")
        time = f" (as of {as_of})" if as_of else ""
        blocks.append(Text(f"{' '.join(parts)} The report uses the results that exist so far{time}."))
    if not analysis.gaps:
        blocks.append(Text("Nothing: every planned training and evaluation has results."))
    else:
        entries = [Entry(gap.what, gap.subject, gap.hint) for gap in analysis.gaps]
        blocks.append(Entries(tuple(entries), fold=plural(len(entries), "missing result")))
    return Section("missing", "What is missing", tuple(blocks), short="Missing")


def _finding(finding: Finding, *, has_tasks: bool) -> Entry:
    tags = []
    if finding.significant is not None:
        tags = ["significant after correction"] if finding.significant else ["not significant"]
        if has_tasks and finding.task:
            tags.append(finding.task)
    return Entry(finding.text, tag=" · ".join(tags), significant=finding.significant)


def _findings(analysis: Analysis, findings: tuple[Entry, ...]) -> Section:
    if not findings:
        return Section("findings", "Findings", (Text("No findings yet: no evaluation has a log that counts."),))
    level = f"{1 - analysis.level:.2g}"
    note = (
        f"Intervals are {percent_text(analysis.level)} confidence intervals. A difference is called significant if its "
        f"p-value, corrected for the number of tests by Holm's method, is below {level}."
    )
    return Section("findings", "Findings", (Entries(findings), Text(note, Style.NOTE)))


def _varied(analysis: Analysis) -> Section:
    blocks: list[Block] = [Text("No parameter was varied between the fine-tuned runs.")]
    if analysis.factors:
        factors = []
        for factor in analysis.factors:
            label = f"{factor.label} (repetitions)" if factor.is_seed else factor.label
            factors.append(Entry(", ".join(factor.levels), label))
        blocks = [Entries(tuple(factors), Style.TERMS), Text(_design(analysis), Style.NOTE)]
    if analysis.tasks:
        tasks = []
        for task in analysis.tasks:
            measures = f" ({', '.join(each.name for each in task.measures)})" if task.measures else ""
            tasks.append(Entry(f"{task.description or MISSING}{measures}", task.name))
        blocks += [Text("Evaluated by", Style.HEADING), Entries(tuple(tasks), Style.TERMS)]
    return Section("varied", "What was varied", tuple(blocks), short="Varied")


def _design(analysis: Analysis) -> str:
    runs = plural(sum(run.type is RunType.FINE_TUNED for run in analysis.runs), "fine-tuned run")
    if len(analysis.factors) == 1:
        return f"{runs}."
    balance = "every combination has" if analysis.balanced else "not every combination has"
    return f"{runs}; {balance} the same number of scored runs."


def _best(analysis: Analysis, tasks: Sequence[TaskScores]) -> Section:
    blocks: list[Block] = []
    for task in tasks:
        found = best_runs(analysis, task)
        if found is not None:
            if len(tasks) > 1:
                blocks.append(Text(task.task.name, Style.HEADING))
            blocks += found
    return Section("best", "Best configurations", tuple(blocks) or (Text("No run has a score yet."),), short="Best")


def _figures(figures: Sequence[Figure]) -> Section:
    blocks: list[Block] = [figure for figure in figures if figure.spec]
    left_out = tuple(Entry(figure.reason, figure.title) for figure in figures if not figure.spec)
    if left_out:
        blocks += [Text("Figures without data", Style.HEADING), Entries(left_out)]
    return Section("figures", "Figures", tuple(blocks))


def _results(analysis: Analysis) -> Iterator[Section]:
    """The tables of scores, seeds and effects, where there are any."""
    blocks: list[Block] = []
    for table in score_tables(analysis):
        blocks += [Text(table.label, Style.HEADING), table]
    if blocks:
        yield Section("scores", "All scores", tuple(blocks), short="Scores")
    if analysis.replicates:
        yield Section("seeds", "Settings over seeds", (seed_table(analysis),), short="Seeds")
    if analysis.effects:
        results = tuple(effect_blocks(analysis))
        yield Section("effects", "Effects of the varied factors", results, short="Effects")


def _samples(analysis: Analysis) -> Section:
    logs = _last_logs(analysis)
    groups = []
    for kind, title in _SAMPLES.items():
        found = tuple(case for case in analysis.cases if case.kind == kind)
        if found:
            total = f"{len(found)} or more" if len(found) >= MOST_CASES else str(len(found))
            groups.append(Samples(title, found, total, analysis.labels, logs))
    if not groups:
        text = "There are no samples that every run got wrong, or that fine-tuning fixed or broke."
        return Section("samples", "Samples", (Text(text),))
    return Section("samples", "Samples", tuple(groups))


def _last_logs(analysis: Analysis) -> dict[tuple[str, str], str]:
    """The log of each run's last evaluated epoch, by task and run."""
    logs = {each.key: each.log or "" for each in analysis.evaluations}
    last = {}
    for task in analysis.tasks:
        for run, score in analysis.final_scores(task.name).items():
            last[task.name, run] = logs[score.evaluation]
    return last


def _deviations(analysis: Analysis) -> Section:
    blocks: tuple[Block, ...] = (Text("None: no job was retried, and no file or setting differs from the plan."),)
    if analysis.deviations:
        blocks = (Entries(tuple(Entry(item.what, item.subject, tag=item.kind) for item in analysis.deviations)),)
    return Section("deviations", "Deviations from the plan", blocks, short="Deviations")


def _jobs(analysis: Analysis) -> Section:
    blocks: list[Block] = []
    if analysis.viewer is not None:
        text = f"This command shows the logs in {analysis.viewer.name}; links to it work while it runs:"
        command = shlex.join([*analysis.viewer.command, analysis.experiment])
        blocks += [Text(text), Text(command, Style.COMMAND)]
    blocks.append(job_table(analysis))
    others = []
    for each in analysis.evaluations:
        for log in each.others:
            text = f"({log.status}, {log.created}): {log.why}"
            others.append(Entry(text, analysis.labels[each.key.run], log=log.path))
    if others:
        count = plural(len(others), "log that does not count", "logs that do not count")
        blocks.append(Entries(tuple(others), fold=count))
    return Section("jobs", "Jobs and logs", tuple(blocks))


def _next_steps(analysis: Analysis) -> Section:
    blocks: tuple[Block, ...] = (Text("None."),)
    if analysis.next_steps:
        blocks = (Entries(tuple(map(Entry, analysis.next_steps)), Style.ORDERED),)
    return Section("next", "Next steps", blocks)


def _provenance(analysis: Analysis) -> Section:
    facts = tuple(Entry(value, name) for name, value in analysis.provenance.items())
    blocks: list[Block] = []
    if analysis.differences:
        blocks.append(difference_table(analysis))
    blocks += [Entries(facts, Style.TERMS), Text("All numbers are in", files=_DATA)]
    return Section("provenance", "Provenance", tuple(blocks))
