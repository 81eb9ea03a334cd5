"""The resources of an allocation that several jobs share, and the plan's rules about sharing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from support.plans import problems_of
from tunebook.core.jobs import Job, Pack, Resources, Stage, job_from_json, job_to_json
from tunebook.core.packs import shared_resources

LONG = Resources(time="02:00:00", memory="32G", cpus=4, gpus=1, partition="gpu")
SHORT = Resources(time="01:00:00", memory="16G", cpus=2, gpus=1, partition="gpu")


def without_gpu(resources: Resources) -> Resources:
    return replace(resources, gpus=0)


@pytest.mark.parametrize(
    ("pack", "members", "wanted"),
    [
        (Pack("side by side on a GPU"), [LONG, SHORT, SHORT], ("04:00:00", "64G", 8, 1)),
        (Pack("side by side"), [without_gpu(LONG), without_gpu(SHORT)], ("02:00:00", "48G", 6, 0)),
        (Pack("one by one", at_once=1), [SHORT, LONG, SHORT], ("04:00:00", "32G", 4, 1)),
        (Pack("two lanes on a GPU", at_once=2), [LONG, SHORT, SHORT], ("04:00:00", "48G", 6, 1)),
        (Pack("two lanes", at_once=2), list(map(without_gpu, [LONG, SHORT, SHORT])), ("03:00:00", "48G", 6, 0)),
        (Pack("with a service", at_once=1, service="s.sh", memory="500M"), [SHORT], ("01:00:00", "16884M", 2, 1)),
        (Pack("more lanes than jobs", at_once=8), [LONG], ("02:00:00", "32G", 4, 1)),
    ],
    ids=lambda value: value.key if isinstance(value, Pack) else None,
)
def test_an_allocation_asks_for_what_its_jobs_need_together(
    pack: Pack, members: list[Resources], wanted: tuple[str, str, int, int]
) -> None:
    found = shared_resources(pack, members)
    assert (found.time, found.memory, found.cpus, found.gpus) == wanted
    assert found.partition == "gpu"


def test_a_value_that_one_job_leaves_to_the_cluster_is_left_to_it() -> None:
    found = shared_resources(Pack("a"), [LONG, Resources(gpus=1)])
    assert (found.time, found.memory, found.cpus) == ("", "", 0)


def test_the_pack_of_a_job_is_in_the_manifest() -> None:
    job = Job("a", "a", Stage.PREPARATION, "toy", "a", "a.sh", "a.json", pack=Pack("k", size=4, at_once=1))
    assert job_from_json(job_to_json(job)) == job


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("- **GPUs:** 1", "- **GPUs:** 1\n- **Runs per GPU:** 0")], "Runs per GPU is `0`; it must be a whole number"),
        (
            [
                ("lora_finetune_single_device", "lora_finetune_distributed"),
                ("- **GPUs:** 1", "- **GPUs:** 2\n- **Runs per GPU:** 4"),
            ],
            "4 runs cannot share a GPU: each needs 2 GPUs",
        ),
        ([("- **GPUs:** 1", "- **GPUs:** 1\n- **Evaluations per Job:** x")], "Evaluations per Job is `x`"),
    ],
)
def test_runs_that_cannot_share_are_reported(
    edited: Callable[..., str], pairs: list[tuple[str, str]], message: str
) -> None:
    assert message in " ".join(problem.message for problem in problems_of(edited(*pairs)))


def test_runs_may_share_a_gpu_or_the_cores(edited: Callable[..., str]) -> None:
    for gpus in (0, 1):
        page = edited(("- **GPUs:** 1", f"- **GPUs:** {gpus}\n- **Runs per GPU:** 4\n- **Evaluations per job:** 6"))
        assert not [problem for problem in problems_of(page) if "per" in problem.message]
