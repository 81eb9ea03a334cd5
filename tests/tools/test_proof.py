"""The proof that the evaluated model is the trained one: its file, its tolerance, its losses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunebook.artifacts.proof import EpochProof
from tunebook.artifacts.proof import read_proof as read_entries

torch = pytest.importorskip("torch")

from tunebook.tools.runtime.answer_loss import mean_answer_loss  # noqa: E402
from tunebook.tools.runtime.proof import (  # noqa: E402
    begin_proof,
    judge,
    read_proof,
    record_evaluated,
    record_trained,
)


def trained(output: Path, epoch: int, loss: float) -> None:
    record_trained(output, epoch, split="validation", samples=16, tokens=80, loss=loss)


def test_the_report_reads_what_the_job_records(tmp_path: Path) -> None:
    trained(tmp_path, 0, 0.5)
    trained(tmp_path, 1, 0.25)
    record_evaluated(tmp_path, 0, loss=0.50004, precision="fp32")
    assert read_entries(tmp_path) == (
        EpochProof(0, "validation", 16, 0.5, 0.50004, 0.00025),
        EpochProof(1, "validation", 16, 0.25),
    )
    assert [entry.holds for entry in read_entries(tmp_path)] == [True, False]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"epochs": 3}', '{"epochs": [{"epoch": 0}]}'])
def test_a_torn_proof_is_no_proof(tmp_path: Path, text: str) -> None:
    (tmp_path / "proof.json").write_text(text)
    assert read_entries(tmp_path) == ()


@pytest.mark.parametrize(
    ("loss", "precision", "holds"),
    [
        (0.0611, "fp32", True),
        (0.0614, "fp32", False),
        (0.0751, "fp32", False),  # what a merge into the live weights did to the loss: 0.014
        (0.153, "bf16", False),  # what a merge in bf16 did to an adapter of rank 4
        (0.0651, "bf16", True),
        (float("nan"), "bf16", False),
    ],
)
def test_a_checkpoint_that_is_another_model_is_told_from_rounding(
    tmp_path: Path, loss: float, precision: str, holds: bool
) -> None:
    trained(tmp_path, 0, 0.061)
    reason = judge(record_evaluated(tmp_path, 0, loss=loss, precision=precision))
    assert (not reason) is holds
    if not holds:
        assert reason.startswith("epoch 0: the mean loss of 16 answers (validation) is 0.0610 as trained and ")


def test_a_resumed_training_keeps_the_losses_of_earlier_epochs_only(tmp_path: Path) -> None:
    trained(tmp_path, 0, 0.5)
    trained(tmp_path, 1, 0.4)
    begin_proof(tmp_path, resumes=True)
    trained(tmp_path, 1, 0.3)
    assert [(entry["epoch"], entry["trained"]) for entry in read_proof(tmp_path)] == [(0, 0.5), (1, 0.3)]
    begin_proof(tmp_path, resumes=False)
    assert read_proof(tmp_path) == []


def test_the_mean_is_over_the_answer_tokens_of_all_examples() -> None:
    """Logits that give the right token the probability 1/2, and each of the two others 1/4."""
    seen: list[int] = []

    def logits_of(ids: object) -> object:
        assert isinstance(ids, torch.Tensor)
        seen.append(ids.shape[1])
        following = torch.roll(ids[0], -1)
        return torch.log(torch.full((1, ids.shape[1], 3), 0.25).scatter(2, following[None, :, None], 0.5))

    examples = [([0, 1, 2, 1], [-100, -100, 2, 1]), ([2, 0], [-100, 1])]
    loss, tokens = mean_answer_loss(examples, logits_of, torch.device("cpu"))
    assert (seen, tokens) == ([4, 2], 3)
    # two right tokens, and one whose label is another token than the one that follows
    expected = -(2 * torch.log(torch.tensor(0.5)) + torch.log(torch.tensor(0.25))) / 3
    assert loss == pytest.approx(float(expected), abs=1e-6)


def test_examples_without_an_answer_are_refused() -> None:
    with pytest.raises(ValueError, match="no example has an answer"):
        mean_answer_loss([([0, 1], [-100, -100])], lambda ids: torch.zeros(1, ids.shape[1], 3), torch.device("cpu"))
