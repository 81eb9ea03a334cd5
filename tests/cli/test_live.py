"""`tunebook run` on a terminal: what stays on the screen when it ends, and how many warnings are printed."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from support.terminal import Terminal

PROGRAM = """
import sys, time
from datetime import datetime, UTC
from types import SimpleNamespace
from tunebook import api
from tunebook.cli.main import main
from tunebook.core.jobs import Job, JobState, Stage

job = Job("rank8/finetune", "rank8", Stage.PREPARATION, "torchtune", "rank8", "s.slurm", "r.json")
running = api.JobReport(job, JobState.RUNNING, job_id="4711")
warnings = tuple(f"warning {number}" for number in range(WARNINGS))

def run(experiment, options, *, on_event, on_choice, approve, on_leave):
    executor = SimpleNamespace(name="local", survives_monitor=False)
    on_choice(SimpleNamespace(executor=executor, reason="played"))
    on_event(api.Snapshot((running,), datetime.now(UTC), "", warnings))
    try:
        print("READY" if WAITS else "", file=sys.stderr)
        time.sleep(600 if WAITS else 0)
    except KeyboardInterrupt:
        on_leave(1)
        raise
    return api.RunReport((running,), warnings=warnings)

api.run = run
main()
"""
ERASE = "\x1b[2K"


def person_at(experiment: Path, *options: str, waits: bool = False, warnings: int = 0, term: str = "xterm") -> Terminal:
    program = PROGRAM.replace("WAITS", str(waits)).replace("WARNINGS", str(warnings))
    return Terminal(["env", f"TERM={term}", sys.executable, "-c", program, "run", *options], directory=experiment)


def test_the_last_frame_of_the_table_stays_after_ctrl_c(experiment: Path) -> None:
    person = person_at(experiment, waits=True)
    person.sees("READY")
    person.keys("\x03")
    assert person.ends() == 128 + signal.SIGINT
    frame = person.before.rindex("rank8")
    assert ERASE not in person.before[frame:]
    assert person.before.index("Ending 1 job", frame) < person.before.index("tunebook: interrupted")


def test_the_table_goes_when_the_summary_follows(experiment: Path) -> None:
    person = person_at(experiment)
    person.sees("Run Experiment Unfinished")
    before = person.before
    person.ends()
    assert ERASE in before[before.rindex("running") :]


def test_all_warnings_of_a_run_are_printed_with_all(experiment: Path) -> None:
    short = person_at(experiment, warnings=120)
    short.ends()
    assert "more warnings" in short.before
    assert "warning 119" not in short.before
    whole = person_at(experiment, "--all", warnings=120)
    whole.ends()
    assert "warning 119" in whole.before


def test_a_terminal_that_cannot_replace_lines_gets_a_line_for_each_change(experiment: Path) -> None:
    person = person_at(experiment, term="dumb")
    person.ends()
    assert "rank8/finetune: running" in person.before
    assert "\x1b" not in person.before
