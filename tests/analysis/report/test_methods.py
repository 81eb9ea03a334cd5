"""The paragraph on methods says what was done and cites its sources; nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.analyses import dozens, made_up
from tunebook.analysis import statistics
from tunebook.analysis.records import Family, Interval, Measure
from tunebook.analysis.report.methods import methods_of
from tunebook.analysis.report.sections import content_of
from tunebook.analysis.report.tests_table import families_of
from tunebook.analysis.statistics.claims import ClaimKind
from tunebook.analysis.statistics.frozen import Frozen
from tunebook.analysis.statistics.hypotheses import HypothesisResult
from tunebook.analysis.values import Analysis
from tunebook.disk.hypotheses_record import Seen


def test_the_paragraph_describes_this_design_and_cites_what_was_used() -> None:
    found = methods_of(dozens())
    text = " ".join(found.sentences)
    assert (
        "We fine-tuned 36 runs of 2 models, varying Model (SmolLM2-135M-Instruct, SmolLM2-360M-Instruct), LoRA Rank "
        "(4, 16, 64) and Learning Rate (1e-5, 1e-4, 1e-3) in a full factorial design, with 2 random seeds."
    ) in text
    assert "On capitalization (n = 40 samples) the headline measure was exact (higher is better)." in text
    assert "McNemar's exact test (McNemar 1947; Agresti 2013)" in text
    assert "Software: torchtune 0.6.1, inspect_ai 0.3.285." in text
    assert "Repetitions" not in text
    assert "Hotelling" not in text


def test_every_source_is_cited_and_every_citation_has_its_source() -> None:
    found = methods_of(dozens())
    text = " ".join(found.sentences)
    keys = re.findall(r"^@\w+\{(\w+),$", found.bibtex, flags=re.MULTILINE)
    assert keys == sorted({each.key for each in found.references})
    for each in found.references:
        assert f"{each.names} {each.year}" in text
        assert f"year = {{{each.year}}}" in each.bibtex
    assert len(re.findall(r"\b(?:18|19|20)\d\d\b", text.partition("Software")[0])) >= len(keys)


def test_other_methods_give_other_sentences() -> None:
    analysis = made_up()
    bootstrap = Interval(0.1, 0.2, "bootstrap")
    changed = replace(
        analysis,
        comparisons=tuple(
            replace(item, test="sign-flip, saddlepoint", interval=bootstrap) for item in analysis.comparisons
        ),
        effects=tuple(
            replace(effect, test="Wald test, standard errors clustered by sample") for effect in analysis.effects
        ),
    )
    text = " ".join(methods_of(changed).sentences)
    assert "McNemar" not in text
    assert "saddlepoint approximation (Pitman 1937; Lugannani and Rice 1980; Robinson 1982)" in text
    assert (
        "degrees of freedom of Hotelling's T² (Hotelling 1931; Liang and Zeger 1986; Cameron and Miller 2015)" in text
    )


def test_the_families_of_tests_have_their_sizes() -> None:
    table = content_of(dozens()).tables()["tests"]
    rows = [[cell.text for _, cell in table.cells(row)] for row in table.rows]
    assert rows[0] == [
        "capitalization",
        "exact",
        "final epoch against the base model",
        "38",
        "McNemar, exact",
        "new test samples",
        "Holm",
        "32",
    ]
    assert rows[1][2:4] == ["settings over seeds against the base model", "18"]
    assert rows[1][5:7] == ["new test samples", "Holm"]


def test_every_method_that_an_analysis_can_use_has_words_and_sources() -> None:
    """A method without words would be in the paragraph under its short name."""
    rooms = Path(statistics.__file__).parent
    code = "".join(path.read_text() for path in rooms.glob("*.py"))
    methods = set(re.findall(r'Interval\([^\n]*?, "([A-Z][^"]+)", ', code)) | set(
        re.findall(r'quantile, "(\w+)"\)', code)
    )
    assert {"Wilson", "Newcombe", "Student t", "Student t and Hall", "Tukey", "Bonferroni"} <= methods
    for method in methods:
        changed = tuple(
            replace(item, interval=Interval(0.1, 0.2, method), simultaneous=None) for item in made_up().comparisons
        )
        text = " ".join(methods_of(replace(made_up(), comparisons=changed)).sentences)
        assert f"{method}." not in text, method


def paragraph(analysis: Analysis) -> str:
    return " ".join(methods_of(analysis).sentences)


def hypothesis(name: str, kind: ClaimKind, **changes: Any) -> HypothesisResult:
    frozen = Frozen(Seen.BEFORE_JOBS, "2026-01-01T10:00:00+00:00")
    found = HypothesisResult(
        name, name, frozen, kind=kind, test="Tango's score test, one-sided", generalizes="samples", p=0.01, p_holm=0.02
    )
    return replace(found, **changes)


def test_hypotheses_say_their_sides_their_registration_and_how_many_were_tested() -> None:
    family = Family("hypotheses of the plan", 2, "Holm")
    both = (
        hypothesis("H1", ClaimKind.ABOVE, margin=0.02, family=family),
        hypothesis("H2", ClaimKind.WITHIN, margin=0.05, family=family),
        hypothesis("H3", ClaimKind.DIFFERENT, p=None, test=""),
    )
    text = paragraph(replace(made_up(), hypotheses=both))
    assert (
        "The plan states 3 hypotheses, registered before the first job; 2 of them could be tested. They were tested "
        "first, corrected among themselves, with Tango's score test (Tango 1998): directions and margins one-sided and "
        "equivalences by two one-sided tests, with 90 % intervals."
    ) in text


def test_a_single_hypothesis_is_not_corrected_and_may_be_exploratory() -> None:
    alone = hypothesis("H1", ClaimKind.ABOVE, frozen=Frozen())
    assert (
        "The plan states 1 hypothesis, not registered before the first job and therefore exploratory. It was tested "
        "first with Tango's score test (Tango 1998): directions one-sided."
    ) in paragraph(replace(made_up(), hypotheses=(alone,)))


def test_student_intervals_say_what_they_are_over() -> None:
    own = Interval(0.1, 0.2, "Student t")
    one = hypothesis("H1", ClaimKind.DIFFERENT, interval=own)
    over_samples = paragraph(replace(made_up(), hypotheses=(one,)))
    assert (
        "differences over samples, such as those of groups, have Student's t intervals (Student 1908)" in over_samples
    )
    assert "over runs have" not in over_samples
    over_runs = paragraph(replace(made_up(), hypotheses=(replace(one, generalizes="seeds"),)))
    assert "Means and differences over runs have Student's t intervals (Student 1908)" in over_runs


def test_nothing_has_empty_brackets_or_a_short_name_only() -> None:
    names = {"paired bootstrap, normal": "bootstrap (Efron", "paired t-test over samples, one-sided": "t-test (Student"}
    names["Student's t-test over runs, pooled between seeds, one-sided"] = "settings (Student"
    for name, words in names.items():
        text = paragraph(replace(made_up(), hypotheses=(hypothesis("H1", ClaimKind.ABOVE, test=name),)))
        assert words in text
        assert name not in text
    bonferroni = replace(hypothesis("H1", ClaimKind.DIFFERENT), interval=Interval(0.1, 0.2, "Bonferroni"))
    text = paragraph(replace(made_up(), hypotheses=(bonferroni,)))
    assert "Bonferroni intervals over all pairs." in text
    assert "()" not in text


def test_the_tests_of_the_ranking_over_seeds_are_in_the_paragraph() -> None:
    analysis = dozens()
    first, *others = analysis.ranking
    tested = [replace(item, test="Student t, pooled between seeds", generalizes="seeds") for item in others]
    text = paragraph(replace(analysis, ranking=(first, *tested)))
    assert (
        "Settings were compared with the best one by Student's t-test with the variance between seeds, pooled over all "
        "settings (Student 1908); these tests generalize to retraining, not to new samples."
    ) in text


def test_what_stands_in_for_the_measure_of_the_plan_is_not_called_its_headline() -> None:
    analysis = made_up()
    tasks = tuple(replace(task, wanted=Measure("auc")) for task in analysis.tasks)
    text = paragraph(replace(analysis, tasks=tasks))
    assert "the plan's measure was auc of all samples together; where each sample needs a value, exact" in text
    assert "headline measure was" not in text


def changed_scores(analysis: Analysis, run: str, **changes: Any) -> Analysis:
    records = []
    for record in analysis.evaluations:
        is_own = analysis.labels[record.key.run] == run
        scores = tuple(replace(score, **changes) if is_own else score for score in record.scores)
        records.append(replace(record, scores=scores))
    return replace(analysis, evaluations=tuple(records))


def test_missing_values_are_counted_after_the_last_epoch_only() -> None:
    text = paragraph(changed_scores(made_up(), "rank4", missing=3))
    assert "3 answers without a usable value of the headline measure were left out of the scores after the last" in text


def test_runs_without_a_score_and_runs_of_an_earlier_epoch_are_counted() -> None:
    whole = made_up()
    assert "had a score" not in paragraph(whole)
    assert "earlier epoch" not in paragraph(whole)
    assert "On capitalization, 3 of 4 runs had a score." in paragraph(changed_scores(whole, "rank4", value=None))
    fewer = [each for each in whole.evaluations if whole.labels[each.key.run] != "rank4" or each.key.epoch == 0]
    text = paragraph(replace(whole, evaluations=tuple(fewer)))
    assert "1 of 3 trained runs was scored at an earlier epoch than the others." in text


def test_one_sample_is_singular() -> None:
    analysis = made_up()
    for run in analysis.labels.values():
        analysis = changed_scores(analysis, run, n=1)
    assert "(n = 1 sample)" in paragraph(analysis)


def test_an_effect_that_is_a_comparison_counts_once() -> None:
    analysis = made_up(ranks=(4, 64))
    (first, *_), (effect, *_) = analysis.comparisons, analysis.effects
    tuned = [run.name for run in analysis.runs if run.base is not None]
    family = Family("against the best setting")
    own = replace(first, against="best", run=tuned[0], other=tuned[1], family=family)
    analysis = replace(analysis, comparisons=(*analysis.comparisons, own))
    same = replace(
        effect, same_as=(own.run, own.other), test=own.test, p=own.p, family=own.family, significant=own.significant
    )
    before = {use.family.name: use.significant for use in families_of(replace(analysis, effects=()))}
    after = {use.family.name: use.significant for use in families_of(replace(analysis, effects=(same,)))}
    assert after == before
    text = paragraph(replace(analysis, effects=(same,)))
    assert "The effect of LoRA Rank is the comparison of the only two runs." in text
    assert "were tested by" not in text
