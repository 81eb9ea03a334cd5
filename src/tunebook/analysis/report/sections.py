"""Builds the report's content from an analysis: its sections, in reading order."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.formatting import MISSING, plural
from tunebook.analysis.records import EvaluationRecord, Training
from tunebook.analysis.report.answer import answer_of, answer_section
from tunebook.analysis.report.content import Block, Content, Entries, Entry, Samples, Section, Style, Text
from tunebook.analysis.report.difference_table import difference_table
from tunebook.analysis.report.findings_section import finding_entries, findings_sections
from tunebook.analysis.report.hypotheses import hypotheses_section
from tunebook.analysis.report.methods import methods_section
from tunebook.analysis.report.proof_table import proof_section
from tunebook.analysis.report.sample_data import sample_browser
from tunebook.analysis.report.settings_table import settings_section
from tunebook.analysis.report.tables import job_table, run_table
from tunebook.analysis.report.task_sections import left_out, task_section
from tunebook.analysis.report.tests_table import tests_section
from tunebook.analysis.statistics.cases import MOST_CASES
from tunebook.analysis.values import Analysis
from tunebook.core.jobs import JobState, count_states
from tunebook.core.plan import RunType
from tunebook.core.times import local_text

__all__ = ["content_of"]

_DATA = (
    "runs.csv",
    "evaluations.csv",
    "comparisons.csv",
    "ranking.csv",
    "effects.csv",
    "hypotheses.csv",
    "aggregates.csv",
    "groups.csv",
    "samples.parquet",
)
_PART_OF = {"differences": "scores"}  # of all tasks but the first
_CODE = ("Experiment", "Plan", "Data set", "Model ", "Commits")  # the beginnings of facts that are paths or hashes
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
    findings, answer = finding_entries(analysis), answer_of(analysis)
    sections = (
        answer_section(answer, figures),
        *([hypotheses_section(analysis)] if analysis.hypotheses else []),
        *findings_sections(analysis, findings),
        _varied(analysis),
        Section("runs", "All runs", (run_table(analysis, [task for task in tasks if task.final]),)),
        *_tasks(analysis, tasks, figures),
        *_training(figures),
        _samples(analysis),
        *([] if analysis.hypotheses else [hypotheses_section(analysis)]),
        tests_section(analysis),
        _missing(analysis, as_of),
        _next_steps(analysis),
        _deviations(analysis),
        proof_section(analysis),
        settings_section(analysis),
        _jobs(analysis),
        methods_section(analysis),
        _provenance(analysis),
    )
    return Content(
        name=analysis.name,
        kind=" · ".join(filter(None, (analysis.type, analysis.created))) or "Experiment",
        question=analysis.question,
        status=_status(analysis, as_of),
        is_finished=analysis.is_finished,
        answer=answer,
        findings=findings,
        sections=sections,
        tasks=tuple(task.name for task in analysis.tasks),
        viewer=analysis.viewer,
    )


def _tasks(analysis: Analysis, tasks: Sequence[TaskScores], figures: Sequence[Figure]) -> Iterator[Section]:
    for number, task in enumerate(tasks, start=1):
        own = [figure for figure in figures if figure.task == task.task.name]
        if number > 1:  # the first one's differences are in the answer
            own = [replace(figure, part=_PART_OF.get(figure.part, figure.part)) for figure in own]
        yield task_section(analysis, task, own, number)


def _training(figures: Sequence[Figure]) -> Iterator[Section]:
    own = [figure for figure in figures if figure.part == "training"]
    if own:
        drawn: list[Block] = [figure for figure in own if figure.spec]
        yield Section("training", "Training", (*drawn, *left_out(own)))


def _progress(analysis: Analysis) -> Iterator[tuple[str, int, list[JobState]]]:
    """Trainings and evaluations: how many have results, and every one's state."""
    stages: dict[str, Sequence[Training | EvaluationRecord]] = {
        "training": analysis.trainings,
        "evaluation": analysis.evaluations,
    }
    for noun, jobs in stages.items():
        states = [JobState.COMPLETED if job.is_done and job.state is JobState.UNKNOWN else job.state for job in jobs]
        yield noun, sum(job.is_done for job in jobs), states


def _status(analysis: Analysis, as_of: str) -> str:
    """One line: the runs, how much has results, and since when that is known."""
    controls = sum(run.type is RunType.CONTROL for run in analysis.runs)
    runs = f"{plural(len(analysis.runs), 'run')}, including {plural(controls, 'base model')}"
    parts = [f"{done} of {plural(len(states), noun)}" for noun, done, states in _progress(analysis)]
    text = f"{runs}; {' and '.join(parts)} have results."
    if analysis.is_finished:
        return text
    time = f" (as of {as_of})" if as_of else ""
    return f"Not complete: {text} The report uses the results that exist so far{time}."


def _missing(analysis: Analysis, as_of: str) -> Section:
    blocks: list[Block] = []
    if not analysis.is_finished:
        parts = [_status(analysis, as_of)]
        for noun, _, states in _progress(analysis):
            if states:
                counts = count_states(states).replace(JobState.UNKNOWN.value, "without a job")
                parts.append(f"{plural(len(states), noun)}: {counts}.")
        blocks.append(Text(" ".join(parts)))
    if not analysis.gaps:
        blocks.append(Text("Nothing: every planned training and evaluation has results."))
    else:
        entries = [Entry(gap.what, gap.subject, gap.hint) for gap in analysis.gaps]
        blocks.append(Entries(tuple(entries), fold=plural(len(entries), "missing result")))
    return Section("missing", "What is missing", tuple(blocks), short="Missing")


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


def _samples(analysis: Analysis) -> Section:
    logs = _last_logs(analysis)
    groups = []
    for kind, title in _SAMPLES.items():
        found = tuple(case for case in analysis.cases if case.kind == kind)
        if found:
            total = f"{len(found)} or more" if len(found) >= MOST_CASES else str(len(found))
            groups.append(Samples(title, found, total, analysis.labels, logs))
    browser = sample_browser(analysis)
    blocks: list[Block] = [] if browser is None else [browser]
    if not groups:
        blocks.append(Text("There are no samples that every run got wrong, or that fine-tuning fixed or broke."))
    return Section("samples", "Samples", (*blocks, *groups))


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
            text = f"({log.status}, {local_text(log.created)}): {log.why}"
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
    facts = tuple(Entry(_fact(name, value), name) for name, value in analysis.provenance.items())
    blocks: list[Block] = []
    if analysis.differences:
        blocks.append(difference_table(analysis))
    blocks += [Entries(facts, Style.TERMS), Text("All numbers are in", files=_DATA)]
    return Section("provenance", "Provenance", tuple(blocks))


def _fact(name: str, value: str) -> str:
    """Paths and hashes as code, and times like all other times."""
    is_code = name.startswith(_CODE) and "`" not in value
    return f"`{value}`" if is_code else local_text(value)
