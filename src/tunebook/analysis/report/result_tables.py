"""The tables of results: scores, the best configurations, settings over seeds, effects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.formatting import capitalized, scale_of
from tunebook.analysis.records import Score
from tunebook.analysis.report import cells
from tunebook.analysis.report.content import Cell, Column, Style, Table, Text
from tunebook.analysis.report.run_tables import factor_cells, factor_columns
from tunebook.analysis.statistics.effects import Effect
from tunebook.analysis.values import Analysis

__all__ = ["best_runs", "effect_table", "scopes", "score_tables", "seed_table"]

_BEST = 5
_HOLM = "p-values are corrected for the number of tests by Holm's method."


def score_tables(analysis: Analysis) -> Iterator[Table]:
    """One table per measure of a task: every score with its interval and comparisons, the highest first."""
    number = 0
    for task in analysis.tasks:
        for measure in task.measures:
            number += 1
            scores = [score for score in analysis.scores(task.name, measure) if score.value is not None]
            if scores:
                scores.sort(key=lambda score: -(score.value or 0.0))
                yield _score_table(analysis, scores, f"scores-{number}", f"{task.name}, {measure}")


def _score_table(analysis: Analysis, scores: Sequence[Score], key: str, label: str) -> Table:
    methods = {score.interval.method for score in scores if score.interval}
    tests = {each.test for each in analysis.comparisons if each.task == scores[0].evaluation.task}
    notes = []
    if methods:
        notes.append(f"Method of the intervals: {', '.join(sorted(methods))}.")
    if tests:
        notes.append(f"Tests on the same samples: {', '.join(sorted(tests))}; {_HOLM}")
    columns, rows = _score_columns(analysis), tuple(_score_rows(analysis, scores))
    return Table(key, label, columns, rows, " ".join(notes), "evaluations.csv", is_folded=True)


def _score_columns(analysis: Analysis) -> tuple[Column, ...]:
    interval = analysis.interval_title
    return (
        Column("run", "Run"),
        *factor_columns(analysis),
        Column("epoch", "Epoch", is_number=True),
        Column("score", "Score", is_number=True, detail=interval),
        Column("n", "n", is_number=True, note="n is the number of samples."),
        Column("base", "Against its base model", is_number=True, detail=interval),
        Column("p:base", "p", is_number=True, detail="verdict"),
        Column("best", "Against the best run", is_number=True, detail=interval),
        Column("p:best", "p", is_number=True, detail="verdict"),
        Column("log", "Log"),
    )


def _score_rows(analysis: Analysis, scores: Sequence[Score]) -> list[dict[str, Cell]]:
    scale = scale_of(score.value for score in scores)
    logs = {evaluation.key: evaluation.log for evaluation in analysis.evaluations}
    compared = {against: analysis.comparisons_with(against) for against in ("base", "best")}
    rows = []
    for score in scores:
        key = score.evaluation
        row = {
            "run": cells.text(analysis.labels[key.run]),
            **factor_cells(analysis, analysis.run_of[key.run]),
            "epoch": cells.epoch(key.epoch),
            "score": cells.score(score.value, score.interval, scale),
            "n": cells.count(score.n),
            "log": cells.log(logs[key]),
        }
        for against, comparisons in compared.items():
            found = comparisons.get((key, score.measure))
            if found is not None:
                row[against] = cells.difference(found.difference, found.interval, scale)
                row[f"p:{against}"] = cells.p_value(found.p_holm, significant=found.significant)
        rows.append(row)
    return rows


def best_runs(analysis: Analysis, task: TaskScores) -> tuple[Text, Table] | None:
    """The highest final scores of a task, and a sentence on how sure their order is; ``None`` without scores."""
    ranked = sorted(task.final.values(), key=lambda score: -(score.value or 0.0))
    if not ranked:
        return None
    key = f"best-{analysis.tasks.index(task.task) + 1}"
    label = f"Best configurations: {task.task.name}"
    rows = tuple(_score_rows(analysis, ranked[:_BEST]))
    table = Table(key, label, _score_columns(analysis), rows, capitalized(_HOLM)).without("epoch", "n", "log")
    return Text(_best_sentence(analysis, task, ranked)), table


def _best_sentence(analysis: Analysis, task: TaskScores, ranked: Sequence[Score]) -> str:
    """How many scores there are, and how sure their order is."""
    intervals = f"with {analysis.interval_title}s"
    if len(ranked) == 1:
        return f"One run has a score ({task.measure}) so far, {intervals}."
    text = f"{len(ranked)} scores ({task.measure}), the highest first, {intervals}."
    if len(ranked) > _BEST:
        text = f"The {_BEST} highest of {len(ranked)} scores ({task.measure}), {intervals}."
    compared = analysis.comparisons_with("best")
    keys = [(score.evaluation, score.measure) for score in ranked]
    found = [compared[key] for key in keys if key in compared]
    ties = sum(not each.significant for each in found)
    if not found:
        return f"{text} No test compared them with the best run: their order may be chance."
    if not ties:
        return f"{text} The best run differs significantly from every run that it was compared with."
    others = "One other run is" if ties == 1 else f"{ties} other runs are"
    return f"{text} {others} statistically indistinguishable from the best one: the order among them may be chance."


def seed_table(analysis: Analysis) -> Table:
    """Settings over their seeds, the highest mean first, each with its interval."""
    interval = analysis.interval_title
    mean_note = (
        "Means, standard deviations (n − 1) and Student's t intervals are over runs that differ in their seed only."
    )
    base_note = (
        f"The difference from the base model is tested over the samples, each with its mean over the seeds; {_HOLM}"
    )
    columns = (
        Column("setting", "Setting", is_long=True),
        Column("task", "Task"),
        Column("measure", "Measure"),
        Column("seeds", "Seeds", is_number=True),
        Column("mean", "Mean", is_number=True, detail=interval, note=mean_note),
        Column("deviation", "Standard deviation", is_number=True),
        Column("base", "Against the base model", is_number=True, detail=interval, note=base_note),
        Column("p", "p", is_number=True, detail="verdict"),
    )
    rows = []
    for item in sorted(analysis.replicates, key=lambda item: (item.task, item.measure, -item.mean)):
        scale = scale_of(score.value for score in analysis.scores(item.task, item.measure))
        row = {
            "task": cells.text(item.task),
            "measure": cells.text(item.measure),
            "setting": cells.text(item.setting),
            "seeds": cells.count(len(item.runs)),
            "mean": cells.score(item.mean, item.interval, scale),
            "deviation": cells.score(item.sd, None, scale),
            "base": cells.difference(item.difference, item.difference_interval, scale),
            "p": cells.p_value(item.p_holm, significant=item.significant),
        }
        rows.append(row)
    return Table("seeds", "Settings over seeds", columns, tuple(rows))


def effect_table(analysis: Analysis) -> Table:
    """Main effects and interactions with their tests."""
    f_note = (
        "F compares the differences between levels with those that chance would make; df are its degrees of freedom."
    )
    eta_note = "Partial η² is the effect's share of the variance that the other effects leave."
    columns = (
        Column("effect", "Effect"),
        Column("task", "Task"),
        Column("measure", "Measure"),
        Column("means", "Means", is_long=True, note="Means are over the runs with that level."),
        Column("f", "F", is_number=True, note=f_note),
        Column("df", "df", is_number=True),
        Column("p", "p", is_number=True, note=capitalized(_HOLM)),
        Column("eta", "Partial η²", is_number=True, note=eta_note),
        Column("verdict", "Verdict", is_long=True),
    )
    rows = tuple(map(_effect_row, analysis.effects))
    return Table("effects", "Effects of the varied factors", columns, rows, file="effects.csv")


def _effect_row(effect: Effect) -> dict[str, Cell]:
    scale = scale_of(item.mean for item in effect.means)
    verdict = {True: "significant", False: "not significant", None: "not tested"}[effect.significant]
    if effect.note:
        verdict += f": {effect.note}"
    means = [f"{item.levels[0]}: {scale.value(item.mean)}" for item in effect.means if effect.is_main]
    return {
        "task": cells.text(effect.task),
        "measure": cells.text(effect.measure),
        "effect": cells.text(" × ".join(effect.labels)),
        "means": cells.text(", ".join(means)),
        "f": cells.number(effect.statistic, ".2f"),
        "df": cells.text(", ".join(f"{each:g}" for each in effect.df or ())),
        "p": cells.p_value(effect.p_holm, significant=effect.significant),
        "eta": cells.number(effect.partial_eta_squared, ".3f"),
        "verdict": cells.text(verdict),
    }


def scopes(analysis: Analysis) -> Iterator[Text]:
    """A note on what the tests of the effects generalize to, if there are tests."""
    found = []
    for effect in analysis.effects:
        if effect.test:
            scope = "to new test samples, not to retraining"
            if effect.generalizes == "seeds":
                scope = "to retraining with other seeds, not to other samples"
            found.append(f"{capitalized(effect.test)}: its p-value generalizes {scope}.")
    if found:
        yield Text(" ".join(dict.fromkeys(found)), Style.NOTE)
