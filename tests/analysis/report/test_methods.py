"""The paragraph on methods says what was done and cites its sources; nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from support.analyses import dozens, made_up
from tunebook.analysis import statistics
from tunebook.analysis.records import Interval
from tunebook.analysis.report.methods import methods_of
from tunebook.analysis.report.sections import content_of


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
    assert rows[0] == ["capitalization", "exact", "final epoch against the base model", "38", "Holm", "32"]
    assert rows[1][2:5] == ["settings over seeds against the base model", "18", "Holm"]


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
