"""Jobs as values: their resources, and how these become the header of a script."""

from __future__ import annotations

import pytest

from tunebook.core.jobs import Job, Resources, Stage, job_from_json, job_to_json
from tunebook.core.script_header import header_lines


@pytest.mark.parametrize(
    ("time", "minutes"),
    [("90", 90), ("90:30", 90.5), ("01:30:30", 90.5), ("1-02", 1560), ("1-02:03", 1563), ("1-02:03:30", 1563.5)],
)
def test_a_time_limit_counts_days_hours_minutes_and_seconds(time: str, minutes: float) -> None:
    assert Resources(time=time).time_min == minutes


def test_a_time_limit_that_is_left_to_the_cluster_has_no_minutes() -> None:
    assert Resources().time_min is None


def test_the_header_asks_for_what_is_set_and_leaves_the_rest_to_the_cluster() -> None:
    assert header_lines(Resources()) == (
        "#SBATCH --open-mode=append",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        "#SBATCH --requeue",
    )
    with_name = header_lines(Resources(memory="8G"), job_name="sweep.rank8")
    assert with_name[:2] == ("#SBATCH --job-name=sweep.rank8", "#SBATCH --output=slurm-%j.out")
    assert "#SBATCH --mem=8G" in with_name


@pytest.mark.parametrize(
    ("resources", "line"),
    [
        (Resources(gpus=2), "--gres=gpu:2"),
        (Resources(gpus=2, gpu_type="a100"), "--gres=gpu:a100:2"),
        (Resources(gpus=2, gpu_syntax="gpus"), "--gpus=2"),
        (Resources(gpus=2, gpu_type="a100", gpu_syntax="gpus"), "--gpus=a100:2"),
    ],
)
def test_gpus_are_requested_in_the_syntax_of_the_cluster(resources: Resources, line: str) -> None:
    assert header_lines(resources)[-1] == f"#SBATCH {line}"


def test_a_kind_of_gpu_cannot_add_a_line_to_the_header() -> None:
    with pytest.raises(ValueError, match="the kind of GPU"):
        header_lines(Resources(gpus=1, gpu_type="a100\n#SBATCH --wrap=x"))


def test_a_job_comes_back_from_json_with_all_its_resources() -> None:
    asked = Resources(
        time="1-00:00:00", memory="48G", cpus=8, gpus=2, gpu_type="a100", account="lab", mail_user="a@b.c"
    )
    job = Job("a/f", "a", Stage.EVALUATION, "inspect", "a", "a/f.slurm", "a/f.json", needs=("b",), resources=asked)
    assert job_from_json(job_to_json(job)) == job
