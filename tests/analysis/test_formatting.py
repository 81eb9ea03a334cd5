"""Numbers, verdicts and labels are written one way."""

from __future__ import annotations

from tunebook.analysis.formatting import Scale, p_text, plural, run_labels, scale_of
from tunebook.analysis.records import Interval, Measure, RunRecord
from tunebook.core.plan import RunType


def test_numbers_are_written_one_way() -> None:
    percent, number = Scale(is_percent=True), Scale(is_percent=False)
    interval = Interval(-0.064, 0.402, "x")
    assert percent.value(0.875) == "87.5 %"
    assert percent.interval(interval) == "−6.4 to 40.2 %"
    assert percent.difference(-0.125, interval) == "−12.5 points (−6.4 to 40.2)"
    assert percent.difference(-0.00001) == "0.0 points"
    assert number.difference(1.5) == "+1.5"
    assert number.value(None) == "–"
    assert (p_text(0.0004), p_text(0.032), p_text(1.0), p_text(None)) == ("p < 0.001", "p = 0.032", "p = 1.000", "")
    assert scale_of(Measure("exact", is_share=True)).is_percent
    assert not scale_of(Measure("loss")).is_percent


def test_counts_agree_with_their_noun() -> None:
    assert [plural(count, "loss", "losses") for count in (0, 1, 2)] == ["no losses", "1 loss", "2 losses"]
    assert plural(3, "run") == "3 runs"


def test_a_run_is_called_by_its_directory_unless_two_share_one() -> None:
    names = [("a", "rank4"), ("b", "rank8"), ("c", "rank8"), ("d", "")]
    runs = [RunRecord(name, directory, RunType.FINE_TUNED, "m") for name, directory in names]
    assert run_labels(runs) == {"a": "rank4", "b": "b", "c": "c", "d": "d"}
