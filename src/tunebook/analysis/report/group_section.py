"""The report's part on scores by group of samples: scores, largest gaps, and whether groups gain differently."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.formatting import Scale, plural
from tunebook.analysis.report import cells
from tunebook.analysis.report.aggregate_cells import NUMBER
from tunebook.analysis.report.content import Block, Cell, Column, Entries, Entry, Table
from tunebook.analysis.statistics.group_results import GroupGap, GroupInteraction, GroupScore
from tunebook.analysis.values import Analysis

__all__ = ["group_blocks"]

_MOST_ROWS = 40
_SCORES = (
    "After each run's last evaluated epoch. Groups are the values of a column of the samples' metadata with at least "
    "10 samples each. Intervals: Wilson's for right and wrong, DeLong's for AUC, otherwise Student's t."
)
_GAPS = (
    "The largest gap between two groups of a run. It was chosen among all pairs of groups, so that chance alone makes "
    "it positive; its interval holds for all pairs of the run together (Bonferroni)."
)
_TESTS = (
    "Whether the difference between two runs on the same samples is the same in all groups: each sample has one "
    "difference, and the groups' means of them are compared (Welch's F; of AUC, Cochran's Q). P-values are corrected "
    "by Holm's method over all runs and columns of the measure; these tests are exploratory."
)


def group_blocks(analysis: Analysis, scores: TaskScores, number: int) -> Iterator[Block]:
    """The tables of one task, and the columns that are left out.

    Args:
        number: of the task, from 1: keys of tables end with it.
    """
    task = scores.task.name
    gaps = [each for each in analysis.groups.gaps if each.task == task]
    tests = [each for each in analysis.groups.interactions if each.task == task]
    own = [each for each in analysis.groups.scores if each.task == task]
    if own:
        yield _test_table(analysis, tests, number)
        yield _gap_table(analysis, gaps, number)
        yield _score_table(analysis, own, number)
        left_out = [Entry(each.why, each.column) for each in analysis.groups.left_out if each.task == task]
        if left_out:
            fold = plural(len(left_out), "column or small group left out", "columns or small groups left out")
            yield Entries(tuple(left_out), fold=fold)


def _scale(analysis: Analysis, item: GroupScore | GroupGap | GroupInteraction) -> Scale:
    """Percent only for the shares among the task's measures."""
    measures = {measure.name for measure in analysis.task(item.task).measures}
    return analysis.scale(item.task, item.measure) if item.measure in measures else NUMBER


def _first_columns(analysis: Analysis) -> Iterator[Column]:
    labels = analysis.labels
    yield Column("run", "Run", lambda each: cells.text(labels[each.run]), has_filter=True)
    yield Column("column", "Group by", lambda each: cells.text(each.column), has_filter=True)
    yield Column("measure", "Measure", lambda each: cells.text(each.measure), has_filter=True)


def _score_table(analysis: Analysis, scores: list[GroupScore], number: int) -> Table:
    def value(each: GroupScore) -> Cell:
        if each.value is None:
            return cells.text(each.undefined)
        return cells.score(each.value, each.interval, _scale(analysis, each))

    columns = (
        *_first_columns(analysis),
        Column("group", "Group", lambda each: cells.text(each.group)),
        Column("score", "Score", value, is_number=True, detail=analysis.interval_title),
        Column("n", "Samples", lambda each: cells.number(each.n), is_number=True),
    )
    label = f"{scores[0].task}: scores by group"
    return Table.of(f"groups-{number}", label, columns, scores, note=_SCORES, file="groups.csv", is_folded=True)


def _gap_table(analysis: Analysis, gaps: list[GroupGap], number: int) -> Table:
    def gap(each: GroupGap) -> Cell:
        return cells.difference(each.gap, each.interval, _scale(analysis, each))

    columns = (
        *_first_columns(analysis),
        Column("highest", "Highest", lambda each: cells.text(each.highest)),
        Column("lowest", "Lowest", lambda each: cells.text(each.lowest)),
        Column("gap", "Gap", gap, is_number=True, detail=analysis.interval_title),
    )
    label = "Largest gap between groups"
    is_folded = len(gaps) > _MOST_ROWS
    return Table.of(f"gaps-{number}", label, columns, gaps, note=_GAPS, is_folded=is_folded)


def _test_table(analysis: Analysis, tests: list[GroupInteraction], number: int) -> Table:
    labels = analysis.labels

    def differences(each: GroupInteraction) -> Cell:
        scale = _scale(analysis, each)
        parts = [f"{group}: {scale.difference(*found)}" for group, found in each.differences.items()]
        return cells.text(", ".join(parts))

    columns = (
        *_first_columns(analysis),
        Column("other", "Against", lambda each: cells.text(labels[each.other])),
        Column("differences", "Difference by group", differences, is_long=True),
        Column("n", "Samples", lambda each: cells.number(each.n), is_number=True),
        Column("test", "Test", lambda each: cells.text(each.test)),
        Column("p", "p", lambda each: cells.p_value(each.p_holm, each.significant), is_number=True),
    )
    label = "Do groups differ in what a run changes?"
    is_folded = len(tests) > _MOST_ROWS
    return Table.of(f"group-tests-{number}", label, columns, tests, note=_TESTS, is_folded=is_folded)
