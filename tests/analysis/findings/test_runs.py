"""From the results of runs to sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from support.tables import Values, run_of, table_of
from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.findings.runs import state_base, state_best, state_costs, state_epochs, state_samples
from tunebook.analysis.records import FactorUse, Interval, Measure, RunRecord
from tunebook.analysis.statistics.measure_results import CostPoint, MeasureResults, analyze_measure
from tunebook.core.measures import Direction
from tunebook.core.plan import RunType


def right(count: int, n: int = 40) -> list[float]:
    """The first samples right, the others wrong."""
    return [1.0] * count + [0.0] * (n - count)


def results_of(**values: Values) -> MeasureResults:
    """The results of fine-tuned runs; one called ``base`` is the base model of all."""
    base = "base" if "base" in values else None
    runs = [run_of(name, {} if name == "base" else {"lr": name}, None if name == "base" else base) for name in values]
    return analyze_measure(table_of(values, runs), (FactorUse("lr", "Learning Rate", tuple(values)),))


def only(findings: Sequence[Finding]) -> Finding:
    (finding,) = findings
    return finding


@pytest.mark.parametrize(
    ("ours", "base", "verdict", "is_significant"),
    [
        (
            30,
            10,
            "a scores 75.0 % (95 % interval 59.8 to 85.8 %) on task (m), significantly higher than its base model",
            True,
        ),
        (
            10,
            30,
            "a scores 25.0 % (95 % interval 14.2 to 40.2 %) on task (m), significantly lower than its base model",
            True,
        ),
        (21, 20, "a scores 52.5 % (95 % interval 37.5 to 67.1 %) on task (m), higher than its base model", False),
        (20, 20, "a scores 50.0 % (95 % interval 35.2 to 64.8 %) on task (m), the same as its base model", False),
    ],
)
def test_a_run_is_compared_with_its_base_model(ours: int, base: int, verdict: str, *, is_significant: bool) -> None:
    finding = only(list(state_base(results_of(a=right(ours), base=right(base)))))
    assert finding.text.startswith(verdict)
    assert finding.significant is is_significant
    assert finding.text.endswith("This difference could be chance.") is (not is_significant and ours != base)


def test_many_runs_are_counted_and_the_highest_is_named() -> None:
    results = results_of(a=right(40), b=right(39), c=right(11), d=right(10), e=right(0), base=right(10))
    summary, best = state_base(results)
    assert summary.text == (
        "Of 5 runs, 2 improved significantly on their base model and 1 got significantly worse on task (m); for 2 "
        "no difference was detected (paired tests on the same samples, Holm's correction over 5 tests)."
    )
    assert best.text.startswith("a scores 100.0 %")


def test_four_runs_are_stated_one_by_one() -> None:
    results = results_of(a=right(40), b=right(39), c=right(11), d=right(10), base=right(10))
    assert [finding.text[0] for finding in state_base(results)] == ["a", "b", "c", "d"]


TESTS = (
    " This was tested on the samples that both have{}; the result generalizes to new test samples, not to retraining."
)
CHOSEN = (
    " The best run was chosen by these same values, which makes its own value too good on average; chosen on some of the "
    "samples and scored on the others, the best run has the same value, {}."
)


def with_tests(pairs: int, corrected: str) -> str:
    """The end of the sentences about the best of several runs."""
    return TESTS.format(f", corrected by Holm's method over all {pairs} pairs" if pairs > 1 else "") + CHOSEN.format(
        corrected
    )


@pytest.mark.parametrize(
    ("values", "text", "is_significant"),
    [
        (
            {"a": 30, "b": 10},
            "a has the highest score on task (m): @. b is significantly lower." + with_tests(1, "75.0 %"),
            True,
        ),
        (
            {"a": 30, "b": 28},
            "a has the highest score on task (m): @. No difference from it was detected for b: its difference is −5.0 points "
            "(95 % interval −14.0 to 3.7)." + with_tests(1, "75.0 %"),
            False,
        ),
        ({"a": 30, "b": 30}, "a and b share the highest score on task (m): @.", False),
        (
            {"a": 30, "b": 29, "c": 28, "d": 27, "e": 26, "f": 25},
            "a has the highest score on task (m): @. No difference from it was detected for 5 other runs: the largest "
            "difference is −12.5 points (95 % interval −23.8 to −1.1; −29.1 to 4.5 "
            "simultaneously for 15 tests)." + with_tests(15, "75.0 %"),
            False,
        ),
        ({"a": 30, "b": 30, "c": 30, "d": 30, "e": 30}, "5 share the highest score on task (m): @.", False),
        (
            {"a": 30, "b": 8, "c": 6},
            "a has the highest score on task (m): @. b and c are significantly lower." + with_tests(3, "75.0 %"),
            True,
        ),
    ],
)
def test_the_best_run_is_named_with_the_runs_that_do_and_do_not_differ(
    values: dict[str, int], text: str, *, is_significant: bool
) -> None:
    finding = only(list(state_best(results_of(**{name: right(count) for name, count in values.items()}))))
    assert finding.text == "Of the fine-tuned runs, " + text.replace("@", "75.0 % (95 % interval 59.8 to 85.8 %)")
    assert finding.significant is is_significant


def test_a_base_model_is_never_the_best_run() -> None:
    results = results_of(a=right(20), b=right(10), base=right(40))
    assert results.table.best is not None
    assert results.table.best.evaluation.run == "a"
    assert only(list(state_best(results))).text.startswith("Of the fine-tuned runs, a has the highest score on")


def test_a_model_that_was_not_trained_here_is_not_called_fine_tuned() -> None:
    runs = [run_of("a"), RunRecord("mine", "mine", RunType.EVAL_ONLY, "model")]
    results = analyze_measure(table_of({"a": right(20), "mine": right(30)}, runs), ())
    assert only(list(state_best(results))).text.startswith("Of the runs that are not base models, mine has")


@pytest.mark.parametrize(
    ("first", "last", "change", "is_significant"),
    [
        (
            10,
            30,
            "From epoch 0 to epoch 2, the mean score of 1 run on task (m) improves from 25.0 % to 75.0 %: +50.0 points",
            True,
        ),
        (
            20,
            20,
            "From epoch 0 to epoch 2, the mean score of 1 run on task (m) goes from 50.0 % to 50.0 %: 0.0 points",
            False,
        ),
    ],
)
def test_the_first_epoch_is_compared_with_the_last(first: int, last: int, change: str, *, is_significant: bool) -> None:
    table = table_of({"a": {0: right(first), 1: right(0), 2: right(last)}})
    finding = only(list(state_epochs(analyze_measure(table, ()))))
    assert finding.text.startswith(change)
    assert "could be chance" not in finding.text
    assert finding.significant is is_significant


def test_one_epoch_is_no_change() -> None:
    assert list(state_epochs(results_of(a=right(10), b=right(20)))) == []


FIXED = "Fine-tuning fixed {} and broke {}, each in at least one run."


@pytest.mark.parametrize(
    ("ours", "base", "text"),
    [
        ([0.0] * 20, [0.0] * 20, "No run answered any of the 20 samples of task (m) correctly."),
        (
            [1.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
            "All runs failed on 1 of the 3 samples of task (m). " + FIXED.format("1 sample", 1),
        ),
        (
            [1.0, 1.0],
            [0.0, 0.0],
            "At least one run answered each of the 2 samples of task (m) correctly. " + FIXED.format("2 samples", 0),
        ),
        (
            [1.0, 0.0],
            [1.0, 0.0],
            "All runs failed on 1 of the 2 samples of task (m). Fine-tuning fixed and broke no samples.",
        ),
    ],
)
def test_samples_that_all_runs_failed_on_are_counted(ours: Values, base: Values, text: str) -> None:
    assert only(list(state_samples(results_of(a=ours, base=base)))).text == text


def test_without_a_base_model_no_sample_is_called_fixed() -> None:
    assert only(list(state_samples(results_of(a=[1.0, 0.0], b=[0.0, 0.0])))).text == (
        "All runs failed on 1 of the 2 samples of task (m)."
    )


def test_one_run_is_not_all_runs_and_numbers_are_not_right_or_wrong() -> None:
    assert list(state_samples(results_of(a=[1.0, 0.0]))) == []
    assert list(state_samples(results_of(a=[0.5, 0.2], b=[0.1, 0.4]))) == []


def test_pareto_optimal_runs_are_named_from_the_cheapest() -> None:
    results = results_of(a=right(20), b=right(30), c=right(10), base=right(5))
    interval = Interval(0.4, 0.6, "Wilson")
    costs = [("b", 1.5, 0.75, True), ("a", 0.25, 0.5, True), ("c", 2.0, 0.25, False), ("base", 0.0, 0.1, True)]
    points = [
        CostPoint("task", "m", run, 0, cost, "hours", score, interval, on_front=on_front)
        for run, cost, score, on_front in costs
    ]
    assert only(list(state_costs(replace(results, costs=tuple(points))))).text == (
        "Pareto-optimal runs on task (m) (no other is both cheaper to train and at least as good): a (15 min, 50.0 % "
        "(95 % interval 40.0 to 60.0 %)), b (90 min, 75.0 % (95 % interval 40.0 to 60.0 %))."
    )
    assert list(state_costs(replace(results, costs=tuple(points[:1])))) == []


def of_measure(values: dict[str, Values], measure: Measure) -> MeasureResults:
    """Runs with numbers, and a base model."""
    runs = [run_of(name, {} if name == "base" else {"lr": name}, None if name == "base" else "base") for name in values]
    return analyze_measure(table_of(values, runs, measure=measure), (FactorUse("lr", "Learning Rate", tuple("ab")),))


NUMBERS: dict[str, Values] = {
    "a": [0.1 + 0.01 * (number % 5) for number in range(30)],
    "b": [0.5 + 0.01 * (number % 7) for number in range(30)],
    "base": [0.9 + 0.01 * (number % 3) for number in range(30)],
}


def test_an_error_is_lowest_at_its_best() -> None:
    results = of_measure(NUMBERS, Measure("mae", Direction.LOWER))
    assert "significantly lower (better) than its base model" in next(state_base(results)).text
    best = only(list(state_best(results)))
    assert best.text.startswith("Of the fine-tuned runs, a has the lowest (best) score on task (mae): 0.12")
    assert "b is significantly higher (worse)." in best.text


def test_nothing_is_best_or_improves_without_a_direction() -> None:
    results = of_measure(NUMBERS, Measure("length"))
    assert only(list(state_best(results))).text == (
        "Whether higher or lower values of length are better is not known, so no run is called the best on task: the "
        "values of 2 runs range from 0.12 (a) to 0.5283 (b)."
    )
    text = next(state_base(results)).text
    assert "significantly lower than its base model" in text
    assert not any(word in text for word in ("better", "worse", "improve"))
    assert list(state_costs(results)) == []


def test_settings_over_seeds_are_ranked_in_the_sentence() -> None:
    values = {f"r{rate}s{seed}": right(count) for rate, seed, count in ((1, 1, 30), (1, 2, 31), (2, 1, 10), (2, 2, 11))}
    runs = [run_of(name, {"lr": name[1], "seed": name[3]}) for name in values]
    factors = (FactorUse("lr", "Rate", ("1", "2")), FactorUse("seed", "Seed", ("1", "2"), is_seed=True))
    text = only(list(state_best(analyze_measure(table_of(values, runs), factors)))).text
    assert text.startswith("Of 2 settings, Rate 1 has the highest mean score on task (m): 76.2 %")
    assert "over 2 seeds. Rate 2 is significantly lower. This was tested against the variation between seeds;" in text
    assert "generalizes to retraining, not to new test samples" in text


def test_runs_of_equal_costs_have_no_pareto_front() -> None:
    results = results_of(a=right(20), b=right(30))
    interval = Interval(0.4, 0.6, "Wilson")
    points = [
        CostPoint("task", "m", run, 0, cost, "hours", 0.5, interval, True) for run, cost in (("a", 1.0), ("b", 1.01))
    ]
    assert list(state_costs(replace(results, costs=tuple(points)))) == []
