"""What a scorer's metadata says of the risk and the outcome of a sample, and what is unusable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tunebook.analysis.collect.risks import read_risks, risk_scorers
from tunebook.tools.results import Samples

PROBS = {"No": 0.25, "Yes": 0.75}


def one_sample(
    metadata: Mapping[str, Any], *, target: str = "Yes", answer: str = "", value: float | None = None
) -> Samples:
    columns = {f"outcome/{key}": (value,) for key, value in metadata.items()}
    return Samples(("a",), (1,), ("",), (target,), (answer,), ("",), {"outcome": (value,)}, score_metadata=columns)


@pytest.mark.parametrize(
    ("metadata", "target", "risk", "outcome"),
    [
        ({"option_probs": PROBS}, "Yes", 0.75, 1),
        ({"option_probs": PROBS}, "No", 0.75, 0),
        ({"option_probs": PROBS}, " yes ", 0.75, 1),  # one label fits without regard to capitals
        ({"option_probs": PROBS, "target": 0}, "Yes", 0.75, 0),  # the scorer's own target comes first
        ({"option_probs": PROBS, "target": True}, "No", 0.75, 1),
        ({"option_probs": [0.25, 0.75], "options": ["No", "Yes"]}, "Yes", 0.75, 1),
        ({"option_probs": [0.25, 0.75]}, "1", 0.75, 1),
        ({"risk_score": 0.2}, "0", 0.2, 0),
        ({"risk_score": 0.75, "option_probs": PROBS}, "Yes", 0.75, 1),
        ({"option_probs": {"2": 0.4, "1": 0.6}}, "1", 0.6, 1),  # a text is a label before it is a number
    ],
)
def test_the_risk_is_the_probability_of_the_last_option(
    metadata: dict[str, Any], target: str, risk: float, outcome: int
) -> None:
    found = read_risks(one_sample(metadata, target=target), "outcome")
    assert found.risks == pytest.approx((risk,))
    assert found.outcomes == (outcome,)
    assert not found.unusable


@pytest.mark.parametrize(
    ("metadata", "target", "reason"),
    [
        ({"risk_score": None}, "Yes", "`risk_score` is missing"),
        ({"risk_score": 70}, "1", "`risk_score` is not a number from 0 to 1"),
        ({"risk_score": True}, "1", "`risk_score` is not a number from 0 to 1"),
        ({"risk_score": 0.25, "option_probs": PROBS}, "Yes", "`risk_score` is not the last one of `option_probs`"),
        ({"option_probs": [0.2, 0.3, 0.5]}, "1", "`option_probs` does not have two options"),
        (
            {"option_probs": {"No": 0.2, "Yes": None}},
            "Yes",
            "`option_probs` has something else than numbers from 0 to 1",
        ),
        ({"option_probs": [0.4, 0.4]}, "1", "the sum of `option_probs` is not 1"),
        ({"option_probs": PROBS}, "Maybe", "the target is neither 0 nor 1 nor one of the two options"),
        ({"option_probs": PROBS, "target": 2}, "Yes", "the target is neither 0 nor 1 nor one of the two options"),
        ({"option_probs": [0.25, 0.75]}, "Yes", "the target is neither 0 nor 1 nor one of the two options"),
        (
            {"option_probs": {"1": 0.4, "0": 0.6}, "target": 1},
            "1",
            "the target 1 is a label and an index of two different options",
        ),
    ],
)
def test_what_is_unclear_is_unusable_and_counted_with_its_reason(
    metadata: dict[str, Any], target: str, reason: str
) -> None:
    found = read_risks(one_sample(metadata, target=target), "outcome")
    assert (found.risks, found.answers, dict(found.unusable)) == ((), 1, {reason: 1})


@pytest.mark.parametrize(
    ("answer", "risk"), [("0.7", 0.7), (" 1 ", 1.0), ("70%", None), ("0.7 or so", None), ("1_0", None), ("nan", None)]
)
def test_an_answer_is_a_risk_only_where_the_metadata_says_so(answer: str, risk: float | None) -> None:
    found = read_risks(one_sample({"risk_from": "answer"}, target="1", answer=answer), "outcome")
    assert found.risks == (() if risk is None else (risk,))
    without = one_sample({"risk_score": None}, target="1", answer=answer)
    assert read_risks(without, "outcome").risks == ()
    assert risk_scorers(one_sample({"note": "none"})) == []


def test_a_value_is_a_risk_only_where_the_metadata_says_so() -> None:
    found = read_risks(one_sample({"risk_from": "value"}, target="1", value=0.4), "outcome")
    assert found.risks == (0.4,)


def test_confidence_is_of_the_more_probable_option_and_a_half_counts_as_the_last_one() -> None:
    low = read_risks(one_sample({"option_probs": [0.8, 0.2]}, target="0"), "outcome")
    assert (low.confidences, low.rights) == ((0.8,), (1,))
    half = read_risks(one_sample({"risk_score": 0.5}, target="1"), "outcome")
    assert (half.confidences, half.rights) == ((0.5,), (1,))
