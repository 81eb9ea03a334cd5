"""From training curves to sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.tables import run_of
from tunebook.analysis.findings.catalogue import state_training
from tunebook.analysis.records import RunRecord, Training
from tunebook.core.jobs import JobState

DONE = Training(JobState.COMPLETED, steps=20, first_loss=2.0, tail_loss=1.0)


def trained(*trainings: Training) -> list[RunRecord]:
    return [replace(run_of(f"run{number}"), training=training) for number, training in enumerate(trainings)]


def texts(*trainings: Training) -> list[str]:
    return [finding.text for finding in state_training(trained(*trainings))]


def test_falls_of_the_loss_are_counted_over_all_trainings() -> None:
    assert texts(DONE, replace(DONE, first_loss=3.0, tail_loss=3.5), replace(DONE, tail_loss=1.5)) == [
        "The training loss fell in 2 of 3 trainings, from 2–3 at the first step to a mean of 1–3.5 over the last tenth of the steps."
    ]


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.FAILED, JobState.PENDING])
def test_a_training_that_has_not_ended_well_is_left_out(state: JobState) -> None:
    assert texts(replace(DONE, state=state)) == []


def test_a_training_without_a_known_job_counts_by_its_steps() -> None:
    assert len(texts(replace(DONE, state=JobState.UNKNOWN))) == 1
    assert texts(replace(DONE, state=JobState.UNKNOWN, steps=0)) == []


@pytest.mark.parametrize(("final", "has_risen"), [(1.019, False), (1.021, True)])
def test_a_validation_loss_that_rose_again_is_named(final: float, *, has_risen: bool) -> None:
    found = texts(replace(DONE, first_loss=None, best_validation_loss=1.0, final_validation_loss=final))
    sentence = "The validation loss ended more than 2 % above its lowest value in run0: the later steps did not help."
    assert found == ([sentence] if has_risen else [])


def test_of_many_risen_losses_four_are_named() -> None:
    risen = replace(DONE, first_loss=None, best_validation_loss=1.0, final_validation_loss=2.0)
    (text,) = texts(*[risen] * 6)
    assert "in run0, run1, run2, run3 and 2 more:" in text
