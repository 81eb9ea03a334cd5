"""The table of a cluster's faults, each with the tests that provoke it: on two real SLURMs, or on a played one."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

from stress.part import Outcome, Part, Setting
from support.patience import HANG_S
from support.slurm_cluster import why_not

__all__ = ["PART"]

_TESTS = Path(__file__).parents[2]
_ROUNDS = 1
_PROBLEMS = {"failure", "error", "skipped"}
_ON_SLURM = "run/test_slurm.py"
_FAULTS = "run/test_slurm_faults.py"
_ANSWERS = "run/test_slurm_answers.py"
_QUEUE = "run/test_full_queue.py"
# Fault to the tests that provoke it. Tests with parameters count once for each.
_TABLE = {
    "the controller is away": f"{_ON_SLURM}::test_a_controller_that_is_away_for_a_while_is_waited_for",
    "sbatch takes a job and gives no number": (
        f"{_ANSWERS}::test_an_sbatch_that_took_the_job_and_did_not_give_its_number_is_not_repeated"
    ),
    "the queue is shown empty once": f"{_ANSWERS}::test_a_queue_that_is_shown_empty_for_once_has_lost_no_job",
    "accounting fails, hangs or prints nonsense": (
        f"{_FAULTS}::test_accounting_that_fails_hangs_or_prints_nonsense_delays_nothing"
    ),
    "the queue forgets jobs soon": f"{_FAULTS}::test_accounting_knows_jobs_that_the_queue_has_forgotten",
    "a node goes down": f"{_FAULTS}::test_a_job_whose_node_goes_down_is_requeued_and_completes",
    "a job is requeued": f"{_ON_SLURM}::test_a_job_that_the_cluster_requeues_is_waited_for",
    "a job is preempted": f"{_FAULTS}::test_a_preempted_job_is_requeued_by_the_cluster_and_completes",
    "a job is interrupted again and again": (
        f"{_FAULTS}::test_a_job_that_the_cluster_interrupts_for_good_is_submitted_again_three_times"
    ),
    "an administrator cancels a job": f"{_ON_SLURM}::test_a_job_that_a_person_cancels_has_failed_for_that_reason",
    "a job is cancelled by a user's number": (
        "run/test_run.py::test_an_evaluation_that_somebody_cancelled_in_the_queue_was_cancelled"
    ),
    "a job was cancelled and forgotten": f"{_FAULTS}::test_a_job_that_was_cancelled_and_forgotten_is_cancelled",
    "the time limit ends a job": f"{_FAULTS}::test_a_time_limit_is_reported_and_the_evaluation_does_not_run",
    "memory ends a job, or an unknown word does": f"{_ANSWERS}::test_the_clusters_word_for_the_end_is_the_reason",
    "a prolog fails, or a state is unknown": (
        f"{_ANSWERS}::test_a_job_that_is_shown_as_something_else_for_a_while_is_waited_for"
    ),
    "the monitor dies while it submits an array": (
        f"{_FAULTS}::test_a_monitor_killed_at_any_point_of_submission_loses_and_doubles_nothing"
    ),
    "the queue is full": f"{_FAULTS}::test_a_queue_that_takes_five_jobs_at_a_time_is_fed_as_it_empties",
    "the queue is full, in five wordings": f"{_QUEUE}::test_the_rest_waits_and_is_submitted_as_other_jobs_end",
    "an invalid partition": f"{_FAULTS}::test_a_refusal_of_sbatch_is_reported_in_its_words_and_other_jobs_continue",
    "the clock of a node is wrong": f"{_ANSWERS}::test_a_node_whose_clock_is_wrong_changes_no_verdict",
    "an outcome is shown late": "run/test_run.py::test_an_outcome_that_a_shared_disk_shows_late_is_waited_for",
    "a script is edited while its job waits": (
        "run/test_verdict.py::test_a_script_that_was_edited_while_its_job_waited_runs_again"
    ),
}


def _run(setting: Setting) -> Outcome:
    if reason := why_not() or why_not(accounting=True):
        return Outcome(skipped=reason)
    passed: Counter[str] = Counter()
    faults: list[str] = []
    for number in range(1 if setting.is_quick else _ROUNDS):
        names = list(_TABLE)
        setting.random.shuffle(names)
        for name, test, problem in _results(setting.folder / f"round-{number}", names):
            if problem:
                faults.append(f"{name}: {test}: {problem}")
            else:
                passed[name] += 1
    faults += [f"{name}: no test was run" for name in _TABLE if not passed[name] and not faults]
    figures = f"{len(_TABLE)} faults, provoked and handled {sum(passed.values())} times"
    return Outcome(figures=figures, faults=tuple(faults))


def _results(folder: Path, names: list[str]) -> list[tuple[str, str, str]]:
    """Runs the tests of these faults; returns fault, test and problem, which is empty for a test that passed."""
    folder.mkdir()
    report = folder / "report.xml"
    tests = [str(_TESTS / _TABLE[name]) for name in names]
    options = ["-q", "-n0", "-p", "no:cacheprovider", f"--junitxml={report}", f"--basetemp={folder / 'tmp'}"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    try:
        done = subprocess.run(
            command, cwd=_TESTS.parent, capture_output=True, text=True, timeout=4 * HANG_S, check=False
        )
    except subprocess.TimeoutExpired:
        return [("the table", "pytest", "it hangs")]
    if not report.exists():
        return [("the table", "pytest", done.stdout[-500:] + done.stderr[-500:])]
    by_test = {_TABLE[name].rpartition("::")[2]: name for name in names}
    results = []
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest's own report
        test = case.attrib["name"]
        words = [
            child.attrib.get("message", child.tag) for child in case if child.tag in {"failure", "error", "skipped"}
        ]
        results.append((by_test[test.partition("[")[0]], test, "; ".join(words)))
    return results


PART = Part(name="slurm-faults", run=_run, in_quick_half=False)
