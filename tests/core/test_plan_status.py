"""The status tables of the plan: nothing else changes, and their values read back."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunebook.core.jobs import JobState
from tunebook.core.markdown import Table, parse_markdown
from tunebook.core.plan.status import EvaluationRow, TrainingRow, update_status
from tunebook.errors import PlanError

PLAN = """\
# Experiment: words

## Notes
```
## Status
| Run Name | Status |
```

## Status

### Fine-tuning
| Run Name | Status | Job ID | Started | Completed | Notes |
|----------|--------|--------|---------|-----------|-------|
| rank8 | pending | - | - | - | - |
| rank16 | pending | - | - | - | ask *Ada* first |
| old_run | completed | 17 | - | - | kept for the paper |

### Evaluations
| Run Name | Task | Epoch | Status | Job ID | Completed | Notes |
|----------|------|-------|--------|--------|-----------|-------|
| rank8 | caps | 0 | pending | - | - | - |
| base | caps | - | pending | - | - | Base model |

## Quick Reference
- last words: `a | b`
"""
RUNNING = TrainingRow("rank8", JobState.RUNNING, "local-1", "2025-10-22 14:26:00")


def tables(text: str) -> dict[str, Table]:
    status = parse_markdown(text.removeprefix("\ufeff")).find("Status")
    assert status is not None
    return {section.title: section.tables[0] for section in status.sections}


def texts(table: Table) -> list[list[str]]:
    return [["" if cell.is_empty else cell.text for cell in row.cells] for row in table.rows]


def test_one_row_changes_and_nothing_else() -> None:
    after = update_status(PLAN, [RUNNING], [])
    wanted = PLAN.replace(
        "| rank8 | pending | - | - | - | - |", "| rank8 | running | local-1 | 2025-10-22 14:26:00 | - | - |"
    )
    assert after == wanted


def test_evaluations_are_distinguished_by_run_task_and_epoch() -> None:
    rows = [
        EvaluationRow("rank8", "caps", 0, JobState.COMPLETED, "7", "2025-10-22 15:00:00"),
        EvaluationRow("base", "caps", None, JobState.FAILED, "8", "2025-10-22 15:00:00", "exit code 1"),
        EvaluationRow("rank8", "caps", 1, JobState.PENDING),
    ]
    assert texts(tables(update_status(PLAN, [], rows))["Evaluations"]) == [
        ["rank8", "caps", "0", "completed", "7", "2025-10-22 15:00:00", ""],
        ["base", "caps", "", "failed", "8", "2025-10-22 15:00:00", "Base model; exit code 1"],
        ["rank8", "caps", "1", "pending", "", "", ""],
    ]


def test_notes_of_a_person_stay_and_earlier_ones_of_tunebook_go() -> None:
    failed = update_status(PLAN, [TrainingRow("rank16", JobState.FAILED, "3", notes="exit code 1")], [])
    assert "| ask *Ada* first; exit code 1 |" in failed
    odd = update_status(failed, [TrainingRow("rank16", JobState.PENDING, notes="its files; changed")], [])
    assert "| ask *Ada* first; tunebook: its files, changed |" in odd
    done = update_status(odd, [TrainingRow("rank16", JobState.COMPLETED, "4")], [])
    assert "| rank16 | completed | 4 | - | - | ask *Ada* first |" in done


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize("last", ["closed", ""])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_line_ends_byte_order_mark_and_a_missing_last_line_end_stay(end: str, last: str, bom: str) -> None:
    tail = end if last else ""
    plan = bom + PLAN.split("\n## Quick", maxsplit=1)[0].strip().replace("\n", end) + tail
    new = [EvaluationRow("rank8", "caps", 5, JobState.PENDING)]
    after = update_status(plan, [RUNNING], new)
    assert after.startswith(bom + "# Experiment")
    assert after.endswith("| rank8 | caps | 5 | pending | - | - | - |" + tail)
    assert set(re.findall(r"\r\n|\r|\n", after)) == {end}
    assert update_status(after, [RUNNING], new) == after


def test_columns_of_a_person_and_their_order_stay() -> None:
    plan = (
        "## Status\n\n### Fine-tuning\n\nStatus | Owner | Run Name\n:--|--:|---\npending|Ada\\|Bob|rank8\n"
        "   pending   |   Cy   |  rank9   \nnot a row of ours\n\nAfter.\n"
    )
    after = update_status(plan, [RUNNING, TrainingRow("rank10", JobState.FAILED)], [])
    assert after == plan.replace("pending|Ada", " running |Ada").replace(
        "not a row of ours\n", "not a row of ours\n| failed | - | rank10 |\n"
    )


def test_a_row_that_is_too_short_is_filled_up() -> None:
    plan = "## Status\n### Fine-tuning\n| Run Name | Status | Job ID | Mine | Notes |\n|--|--|--|--|--|\n| rank8\n"
    row = TrainingRow("rank8", JobState.FAILED, "3", notes="TIMEOUT")
    assert update_status(plan, [row], []).endswith("\n| rank8 | failed | 3 | - | TIMEOUT |\n")
    assert texts(tables(update_status(plan, [row], []))["Fine-tuning"]) == [["rank8", "failed", "3", "", "TIMEOUT"]]


@pytest.mark.parametrize("plan", ["", "# Experiment: x", "# Experiment: x\n\n\n", "text\n## Status\n\n## After\nend\n"])
def test_missing_tables_are_added(plan: str) -> None:
    evaluation = EvaluationRow("rank8", "caps", 0, JobState.PENDING)
    after = update_status(plan, [RUNNING], [evaluation])
    found = tables(after)
    assert texts(found["Fine-tuning"]) == [["rank8", "running", "local-1", "2025-10-22 14:26:00", "", ""]]
    assert texts(found["Evaluations"]) == [["rank8", "caps", "0", "pending", "", "", ""]]
    assert update_status(after, [RUNNING], [evaluation]) == after
    assert [line for line in after.split("\n") if line in plan.split("\n") and line] == [
        line for line in plan.split("\n") if line
    ]
    assert not plan or after.endswith("\n") == plan.endswith("\n")


def test_a_quoted_table_is_left_alone() -> None:
    plan = "## Status\n\n### Fine-tuning\n\n> | Run Name | Status |\n> |---|---|\n> | rank8 | pending |\n\n## After\n"
    after = update_status(plan, [RUNNING], [])
    assert "> | rank8 | pending |\n" in after
    assert "\n| rank8 | running | local-1 | 2025-10-22 14:26:00 | - | - |\n" in after
    assert update_status(after, [RUNNING], []) == after


@pytest.mark.parametrize("end", ["```\ncode\n", "<!-- a remark\n", "~~~~\n"])
def test_a_plan_that_ends_inside_a_block_is_an_error(end: str) -> None:
    with pytest.raises(PlanError, match="cannot be added"):
        update_status(f"# Experiment: x\n\n{end}", [RUNNING], [])


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=25) | st.sampled_from(
    [
        "a | b",
        "x\n| forged | completed |",
        "\\",
        "\\|",
        "`|`",
        "*a*",
        "__b__",
        "&amp;",
        "<b>",
        "[x](y)",
        "a\\\\|",
        "; ;",
    ]
)
names = st.from_regex(r"[A-Za-z0-9_+=@,][\w.+=@,-]{0,12}", fullmatch=True)
trainings = st.lists(
    st.builds(TrainingRow, names, st.sampled_from(JobState), words, words, words, words),
    max_size=4,
    unique_by=lambda row: row.run,
)
evaluations = st.lists(
    st.builds(
        EvaluationRow, names, names, st.none() | st.integers(0, 9), st.sampled_from(JobState), words, words, words
    ),
    max_size=4,
    unique_by=lambda row: (row.run, row.task, row.epoch),
)


def read_back(value: str) -> str:
    """One line, and nothing that cannot be printed."""
    text = "".join(character if character.isprintable() else "\ufffd" for character in " ".join(value.split()))
    text = re.sub(r"(?<=\S)(\s*[✓✔✅☑]\ufe0f?(\s*verified)?\s*$)", "", text, flags=re.IGNORECASE)
    return "" if text.strip().lower() in {"", "-", "–", "—", "n/a"} else text


@settings(max_examples=150, deadline=None)
@given(
    before=st.text(st.characters(codec="utf-8", exclude_characters="`~<|"), max_size=40),
    after=st.text(st.characters(codec="utf-8"), max_size=40),
    training=trainings,
    evaluation=evaluations,
)
def test_everything_outside_the_tables_stays_and_all_values_are_read_back(
    before: str, after: str, training: list[TrainingRow], evaluation: list[EvaluationRow]
) -> None:
    status = PLAN[PLAN.rindex("## Status") : PLAN.index("## Quick")]
    head = "# Experiment: x\n\n" + re.sub(r"status", "", before, flags=re.IGNORECASE) + "\n\n"
    plan = f"{head}{status}## After\n{after}"
    new = update_status(plan, training, evaluation)
    assert new.startswith(head)
    assert new.endswith(f"## After\n{after}")
    assert update_status(new, training, evaluation) == new
    found = tables(new)
    rows = {row[0]: row for row in texts(found["Fine-tuning"])}
    for row in training:
        values = [row.job_id, row.started, row.completed]
        assert rows[row.run][1:5] == [row.status.value, *map(read_back, values)]
    assert len(found["Fine-tuning"].rows) == len({"rank8", "rank16", "old_run"} | {row.run for row in training})
    keyed = {tuple(row[:3]): row for row in texts(found["Evaluations"])}
    for item in evaluation:
        epoch = "" if item.epoch is None else str(item.epoch)
        assert keyed[item.run, item.task, epoch][3:6] == [
            item.status.value,
            *map(read_back, [item.job_id, item.completed]),
        ]


def test_a_submitted_job_that_the_experiment_has_no_more_is_not_pending_for_ever() -> None:
    rows = (
        "| rank8 | caps | 1 | pending | 15_1 | - | ask Ada |",
        "| rank8 | caps | 2 | completed | 15_2 | - | - |",
        "| rank8 | caps | 3 | pending | - | - | - |",
        "| rank64 | caps | 0 | pending | - | - | to be written |",
    )
    page = PLAN.replace("| base | caps |", "\n".join((*rows, "| base | caps |")))
    present = [
        EvaluationRow("rank8", "caps", 0, JobState.RUNNING, "20"),
        EvaluationRow("base", "caps", None, JobState.PENDING),
    ]
    after = update_status(page, [], present)
    assert "| rank8 | caps | 1 | - | 15_1 | - | ask Ada; tunebook: there is no such job now |" in after
    assert rows[1] in after
    assert "| rank8 | caps | 3 | - | - | - | tunebook: there is no such job now |" in after
    assert rows[3] in after
    again = [*present, EvaluationRow("rank8", "caps", 1, JobState.RUNNING, "21")]
    assert "| rank8 | caps | 1 | running | 21 | - | ask Ada |" in update_status(after, [], again)
