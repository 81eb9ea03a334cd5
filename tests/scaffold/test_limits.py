"""Jobs that no node of the cluster can run are refused before they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.scaffolding import replace, scaffolded
from tunebook import api
from tunebook.core.jobs import Resources
from tunebook.core.site import NodeLimits, Site
from tunebook.errors import ExitCode
from tunebook.scaffold.limits import limit_problems

SMALL = NodeLimits("small", 7, is_default=True, time_min=60.0, gpus=1, cpus=8, memory_gb=32)
LARGE = NodeLimits("large", 8, time_min=None, gpus=4, cpus=64, memory_gb=500)
SITE = Site(file="claude.local.md", nodes=(SMALL, LARGE))
FITS = Resources(time="01:00:00", memory="32G", cpus=8, gpus=1)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"time": "01:00:01"}, "gives at most"),
        ({"memory": "33G"}, "asks for 33G of memory, but a node of small has 32 GB"),
        ({"memory": "100000M"}, "asks for 100000M of memory"),
        ({"cpus": 9}, "asks for 9 CPUs, but a node of small has 8"),
        ({"gpus": 2}, "asks for 2 GPU(s), but a node of small has 1"),
    ],
)
def test_each_resource_that_a_node_cannot_give_is_named(asked: dict[str, object], words: str) -> None:
    resources = Resources(**{**vars(FITS), **asked})
    (problem,) = limit_problems(resources, SITE)
    assert words in problem.message
    assert problem.line == SMALL.line
    assert limit_problems(Resources(**{**vars(resources), "partition": "large"}), SITE) == ()
    assert limit_problems(Resources(**{**vars(resources), "partition": "small,large"}), SITE) == ()
    assert limit_problems(Resources(**{**vars(resources), "partition": "unknown"}), SITE) == ()


def test_a_job_that_fits_is_accepted() -> None:
    assert limit_problems(FITS, SITE) == ()
    assert limit_problems(Resources(), SITE) == ()
    assert limit_problems(Resources(memory="900G"), Site()) == ()


def test_a_queue_for_short_tests_takes_jobs_with_short_estimates(experiment: Path) -> None:
    table = """
## Partitions

| Partition | Time limit | GPUs | CPUs per node | Memory per node | Features | Only for |
| --- | --- | --- | --- | --- | --- | --- |
| test (default) | 0:10:00 | 4 × a100 per node | 64 | 500 GB | - | - |
"""
    with (experiment / "claude.local.md").open("a") as file:
        file.write(table)
    assert "gives at most 10m 0s" in api.check(experiment).errors[0].message
    plan = experiment / "experiment_summary.md"
    plan.write_text(re.sub(r"~\d+ min", "~5 min", plan.read_text()))
    assert api.check(experiment).exit_code is ExitCode.DONE
    assert not scaffolded(experiment).errors
    (limit,) = {
        line
        for script in experiment.rglob("finetune.slurm")
        for line in script.read_text().splitlines()
        if "--time" in line
    }
    assert limit == "#SBATCH --time=00:10:00"


def test_check_and_scaffold_read_the_table_that_site_init_wrote(experiment: Path) -> None:
    table = """
## Partitions

| Partition | Time limit | GPUs | CPUs per node | Memory per node | Features | Only for |
| --- | --- | --- | --- | --- | --- | --- |
| gpu (default) | 2-00:00:00 | 4 × a100 per node or 2 × h100 per node | 64 | 500 GB | - | - |
| tiny | 0:05:00 | no GPUs | 2 | 8 GB | - | - |
"""
    with (experiment / "claude.local.md").open("a") as file:
        file.write(table)
    assert api.check(experiment).exit_code is ExitCode.DONE
    replace(experiment / "claude.local.md", "- **Partition**: (leave empty)", "- **Partition**: `tiny`")
    report = api.check(experiment)
    assert len(report.errors) == 8, "five times, the memory, CPUs and GPUs, each once"
    assert all(problem.file == "claude.local.md" and problem.line for problem in report.errors)
    assert scaffolded(experiment).is_complete_failure


def test_jobs_that_share_an_allocation_must_fit_together(experiment: Path) -> None:
    table = """
## Partitions

| Partition | Time limit | GPUs | CPUs per node | Memory per node | Features | Only for |
| --- | --- | --- | --- | --- | --- | --- |
| gpu (default) | 1:00:00 | 4 × a100 per node | 64 | 500 GB | - | - |
"""
    with (experiment / "claude.local.md").open("a") as file:
        file.write(table)
    plan = experiment / "experiment_summary.md"
    replace(plan, "- **GPUs:**", "- **Evaluations per job:** 3\n- **GPUs:**")
    assert api.check(experiment).exit_code is ExitCode.DONE
    replace(plan, "- **Evaluations per job:** 3", "- **Evaluations per job:** 6")
    report = api.check(experiment)
    (problem,) = report.errors
    assert problem.message.startswith("with 6 jobs in one allocation, a job asks for 1h 30m, but partition gpu")
    assert "`Evaluations per job`" in (problem.hint or "")
    assert scaffolded(experiment).exit_code is not ExitCode.DONE
