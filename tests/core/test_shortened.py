"""Long lists and values, in short."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from tunebook.core.log_entry import format_entry
from tunebook.core.shortened import counted, shortened, shortened_values


@pytest.mark.parametrize("text", ["a b", "x" * 1000, "word " * 1000, f"`{'a ' * 400}`"], ids=len)
def test_usual_messages_stay_as_they_are(text: str) -> None:
    assert shortened_values(text) == text


def test_a_very_long_word_keeps_its_beginning() -> None:
    assert shortened_values(f"run {'x' * 5_000_000} is wrong") == f"run {'x' * 200}… (5,000,000 characters) is wrong"


def test_a_very_long_value_with_spaces_keeps_its_beginning() -> None:
    value = "a " * 1_000
    assert shortened_values(f"run `{value}` is wrong") == f"run `{value[:199]}… (2,002 characters) is wrong"
    assert shortened(value) == f"{value[:200]}… (2,000 characters)"


@pytest.mark.parametrize("text", ["`" * 1_000_000, "` " * 500_000, "a " * 500_000 + "`", "x" * 999 + " "], ids=len)
def test_shortening_takes_no_longer_than_the_text(text: str) -> None:
    begun = time.process_time()
    shortened_values(text)
    assert time.process_time() - begun < 5


def test_a_log_keeps_no_value_of_megabytes() -> None:
    entry = format_entry(datetime(2025, 10, 24, tzinfo=UTC), "CHECK", "y" * 5_000_000, details="z" * 5_000_000)
    assert len(entry) < 1_000


def test_counts_have_thousands_and_real_plurals() -> None:
    assert [counted(number, "error") for number in (1, 2, 2001)] == ["1 error", "2 errors", "2,001 errors"]
