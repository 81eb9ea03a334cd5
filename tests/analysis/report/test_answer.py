"""The report's answer is about the plan's own measure, and its words agree with its numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from support.analyses import made_up
from tunebook.analysis.collect.join import EXPERIMENT
from tunebook.analysis.records import FactorUse, Family, Interval, Measure
from tunebook.analysis.report.answer import answer_of
from tunebook.analysis.statistics.aggregates import Aggregate, AggregateComparison, Aggregates
from tunebook.analysis.statistics.claims import ClaimKind
from tunebook.analysis.statistics.frozen import Frozen
from tunebook.analysis.statistics.hypotheses import HypothesisResult, Verdict
from tunebook.analysis.values import Analysis
from tunebook.core.measures import Direction
from tunebook.disk.hypotheses_record import Seen

TASK = "capitalization"


def compared(analysis: Analysis, changes: dict[str, dict[str, Any]]) -> Analysis:
    """The analysis with other comparisons with the base model, by run."""
    comparisons = tuple(replace(item, **changes.get(analysis.labels[item.run], {})) for item in analysis.comparisons)
    return replace(analysis, comparisons=comparisons)


def all_compared(**changes: Any) -> Analysis:
    return compared(made_up(), dict.fromkeys(("rank4", "rank16", "rank64"), changes))


def test_a_decision_that_was_corrected_has_the_simultaneous_interval() -> None:
    family = Family("final epoch against the base model", 3, "Holm")
    answer = answer_of(all_compared(simultaneous=Interval(0.6, 0.97, "Newcombe, Bonferroni"), family=family))[0]
    assert "(simultaneous interval 60.0 to 97.0), p < 0.001 after Holm's correction" in answer
    unclear = answer_of(all_compared(simultaneous=Interval(-0.1, 0.9, "Newcombe, Bonferroni"), family=family))[0]
    assert "that correction decides, which is less strict than intervals that hold together" in unclear


def test_no_detected_difference_does_not_contradict_its_intervals() -> None:
    family = Family("final epoch against the base model", 3, "Holm")
    own, together = Interval(0.008, 0.23, "Newcombe"), Interval(-0.02, 0.26, "Newcombe, Bonferroni")
    none = all_compared(significant=False, interval=own, simultaneous=together, family=family)
    assert answer_of(none)[0].endswith("; the simultaneous intervals reach from −2.0 points to +26.0 points.")
    alone = all_compared(significant=False, interval=own, simultaneous=None)
    assert answer_of(alone)[0].endswith("where one excludes 0, the test decides, since the interval is approximate.")


def test_a_single_test_is_not_called_corrected() -> None:
    assert "Holm" not in answer_of(all_compared(family=Family("final epoch against the base model")))[0]


def test_the_best_of_runs_that_all_got_worse_is_not_called_best() -> None:
    answer = answer_of(all_compared(difference=-0.4, interval=Interval(-0.5, -0.3, "Newcombe")))[0]
    assert "No run is better than its base model; the best of the fine-tuned ones is rank64 with" in answer
    assert "significantly worse than its base model: −40.0 points" in answer
    assert "Of 3 runs, 3 are significantly worse than their base model." in answer


def test_runs_with_the_same_best_value_share_it() -> None:
    answer = answer_of(all_compared(value=0.5))[0]
    assert "3 runs share the best value, 50.0 % (rank4, rank16 and rank64); of these, rank4 is significantly" in answer
    assert "is best" not in answer
    assert "Chosen" not in answer


def test_counts_say_that_they_are_of_significant_differences() -> None:
    changes: dict[str, dict[str, Any]] = {"rank4": {"significant": False}, "rank16": {"difference": -0.4}}
    answer = answer_of(compared(made_up(), changes))[0]
    assert (
        "Of 3 runs, 1 is significantly better and 1 is significantly worse than their base model; for 1 no difference "
        "was detected."
    ) in answer


def test_the_value_without_the_luck_of_the_choice_is_said_only_where_it_is_another_one() -> None:
    analysis = made_up()
    best, *others = analysis.ranking
    other = replace(analysis, ranking=(replace(best, corrected=best.value - 0.02), *others))
    sentence = "Chosen on some of the samples and scored on the others, the best one has"
    assert sentence in answer_of(other)[0]
    same = replace(analysis, ranking=(replace(best, corrected=best.value), *others))
    assert sentence not in answer_of(same)[0]


def aggregate(run: str, base: str, value: float, difference: float, *, significant: bool) -> Aggregate:
    comparison = AggregateComparison(
        base=base,
        base_epoch=-1,
        n=40,
        value=value,
        base_value=value - difference,
        difference=difference,
        interval=Interval(difference - 0.05, difference + 0.05, "normal"),
        test="DeLong, paired",
        p=0.004,
        p_holm=0.008,
        significant=significant,
        family=Family("final epoch against the base model, risk/auc", 2, "Holm"),
    )
    return Aggregate(TASK, "risk/auc", "risk", run, 1, value, "", None, 40, Direction.HIGHER, comparison=comparison)


def with_auc(*values: tuple[float, float, bool]) -> Analysis:
    analysis = made_up()
    wanted = Measure("auc", Direction.HIGHER)
    tasks = tuple(replace(task, wanted=wanted) for task in analysis.tasks)
    base = next(run.name for run in analysis.runs if run.base is None)
    tuned = [run.name for run in analysis.runs if run.base is not None]
    results = []
    for run, (value, difference, significant) in zip(tuned, values, strict=False):
        results.append(aggregate(run, base, value, difference, significant=significant))
    return replace(analysis, tasks=tasks, aggregates=Aggregates(tuple(results)))


def test_a_measure_of_all_samples_together_is_answered_with_its_own_values() -> None:
    answer = answer_of(with_auc((0.7, 0.02, False), (0.8, 0.1, True)))[0]
    assert answer.startswith(
        "risk/auc on capitalization (higher is better): rank16 is best with 0.8, significantly better"
    )
    assert "with 0.7: +0.1 (0.05 to 0.15), p = 0.008 after Holm's correction." in answer
    assert "Of 2 runs, 1 is significantly better than its base model; for 1 no difference was detected." in answer
    assert answer.endswith(
        "No single sample of capitalization has auc: everywhere else exact (higher is better) stands in for it."
    )


def test_a_measure_of_all_samples_together_that_got_worse_is_not_best() -> None:
    answer = answer_of(with_auc((0.6, -0.1, True)))[0]
    assert "No run is better than its base model; the best of the fine-tuned ones is rank4 with 0.6" in answer
    none = answer_of(with_auc((0.7, 0.02, False)))[0]
    assert "no difference from the base model was detected in 1 run; rank4 is best with 0.7, against its base" in none


def test_an_interval_of_another_level_has_its_level_and_a_one_sided_p_value_is_called_so() -> None:
    equal = HypothesisResult(
        name="H1",
        contrast="lora_rank = 4 = lora_rank = 64 within 5 points",
        frozen=Frozen(),
        verdict=Verdict.SUPPORTED,
        task=TASK,
        other_task=TASK,
        measure="exact",
        kind=ClaimKind.WITHIN,
        margin=0.05,
        difference=0.0,
        interval=Interval(-0.043, 0.043, "Tango", 0.9),
        p=0.038,
        p_holm=0.038,
    )
    above = replace(equal, kind=ClaimKind.ABOVE, interval=Interval(-0.01, 0.2, "Newcombe"))
    first, second, *_ = answer_of(replace(made_up(), hypotheses=(equal, above)))
    assert "0.0 points (90 % interval −4.3 to 4.3), p = 0.038" in first
    assert "0.0 points (−1.0 to 20.0), one-sided p = 0.038" in second
    answer = answer_of(replace(with_auc(), hypotheses=(equal,)))
    assert answer[1].startswith(
        "No single sample of capitalization has auc: in the hypotheses and everywhere else exact"
    )


def test_hypotheses_that_are_exploratory_themselves_leave_no_everything_else() -> None:
    late = HypothesisResult("H1", "a > b", Frozen(), verdict=Verdict.NOT_TESTABLE, reason="no score yet")
    early = replace(late, frozen=Frozen(Seen.BEFORE_JOBS, "2026-01-01T00:00:00+00:00"))
    assert answer_of(replace(made_up(), hypotheses=(late,)))[-1] == "Everything in this report is exploratory."
    assert answer_of(replace(made_up(), hypotheses=(early,)))[-1] == "Everything else in this report is exploratory."


def test_a_report_on_several_experiments_does_not_say_that_the_plan_has_no_hypothesis() -> None:
    factor = FactorUse(EXPERIMENT, "Experiment", ("a", "b"))
    alone = made_up()
    together = answer_of(replace(alone, factors=(factor, *alone.factors)))
    assert together[-1] == "Hypotheses are tested in the report of their own experiment, so this is exploratory."
