"""Metadata of samples and scores is kept where it tells samples apart and is small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.evaluation_jobs import evaluate_mock
from tunebook.tools.inspect.results import InspectResults
from tunebook.tools.sample_metadata import metadata_columns, score_metadata_columns


def test_groups_and_numbers_are_kept_and_texts_of_single_samples_are_not() -> None:
    rows: list[dict[str, Any]] = []
    for number in range(500):
        region = "north" if number % 2 else "south"
        rows.append({"region": region, "age": number, "essay": f"text {number}", "source": "survey", "tags": ["a"]})
    found = metadata_columns(rows)
    assert found.keys() == {"region", "age"}
    assert found["region"][:2] == ("south", "north")
    assert found["age"][499] == "499"


def test_a_sample_without_a_value_has_none_of_it() -> None:
    assert metadata_columns([{"sick": True}, {}, {"sick": None}]) == {"sick": ("true", None, None)}


def test_scores_keep_small_values_and_constants() -> None:
    rows = [
        {"risk": {"risk_score": 0.5, "option_probs": {"A": 0.5, "B": 0.5}, "grading": [{"role": "user"}] * 60}},
        {"risk": {"risk_score": 0.5, "text": "x" * 900}},
        {},
    ]
    found = score_metadata_columns(rows)
    assert found["risk/risk_score"] == (0.5, 0.5, None)
    assert found["risk/option_probs"] == ({"A": 0.5, "B": 0.5}, None, None)
    assert len(found["risk/text"][1]) == 200
    assert "risk/grading" not in found


def test_what_a_scorer_left_empty_for_every_sample_is_kept() -> None:
    """A risk that no answer gives is unusable everywhere, and must be counted."""
    found = score_metadata_columns([{"risk": {"risk_score": None, "token": "a"}}, {"risk": {"risk_score": None}}])
    assert found == {"risk/risk_score": (None, None), "risk/token": ("a", None)}


@pytest.mark.filterwarnings("ignore")  # inspect-ai's and pandas' own
def test_metadata_of_a_real_log_is_read(tmp_path: Path) -> None:
    from inspect_ai.dataset import Sample
    from inspect_ai.scorer import Score, mean, scorer

    @scorer(metrics=[mean()])
    def risk() -> Any:
        async def score(state: Any, _: Any) -> Score:
            probability = 0.25 * state.metadata["age"]
            options = [1 - probability, probability]
            return Score(value=1, metadata={"risk_score": probability, "option_probs": options, "reason": None})

        return score

    samples = []
    for number, band in enumerate(("young", "old", "old")):
        metadata = {"band": band, "age": number, "notes": "y" * 2000, "tree": {"deep": [1]}}
        samples.append(Sample(id=number, input="x", target="y", metadata=metadata))
    (log,) = evaluate_mock(tmp_path, samples=samples, scorer=risk()).glob("*.eval")
    found = InspectResults().read_samples([log]).readings[log]
    assert found.metadata == {"band": ("young", "old", "old"), "age": ("0", "1", "2")}
    assert found.score_metadata["risk/risk_score"] == (0, 0.25, 0.5)
    assert found.score_metadata["risk/option_probs"][1] == [0.75, 0.25]
    assert found.score_metadata["risk/reason"] == (None, None, None)
