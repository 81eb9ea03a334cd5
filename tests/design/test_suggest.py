"""`tunebook design` offers what lies near the working directory."""

from __future__ import annotations

from pathlib import Path

from tunebook.core.site import Site
from tunebook.design.suggest import suggestions

EXAMPLE = '{"input": "a", "output": "A"}\n'


def test_a_directory_with_a_file_for_each_split_is_one_data_set(tmp_path: Path) -> None:
    """Its files alone would all be training data."""
    (tmp_path / "reviews").mkdir()
    for name in ("train", "test"):
        (tmp_path / "reviews" / f"{name}.jsonl").write_text(EXAMPLE)
    assert suggestions(tmp_path, Site()).datasets == (("reviews", "test (1), train (1)"),)


def test_a_file_that_names_no_split_is_a_data_set_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("reviews", "tweets"):
        (tmp_path / "data" / f"{name}.jsonl").write_text(EXAMPLE)
    found = suggestions(tmp_path, Site()).datasets
    assert found == (("data/reviews.jsonl", "train (1)"), ("data/tweets.jsonl", "train (1)"))


def test_a_file_of_a_split_is_offered_where_its_directory_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "reviews").mkdir()
    (tmp_path / "reviews" / "train.jsonl").write_text(EXAMPLE)
    (tmp_path / "reviews" / "train.json").write_text("[]")
    assert ("reviews/train.jsonl", "train (1)") in suggestions(tmp_path, Site()).datasets
