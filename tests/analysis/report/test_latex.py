"""Tables for papers: their columns, and text that is safe in LaTeX."""

from __future__ import annotations

from dataclasses import replace

from support.analyses import dozens, made_up
from tunebook.analysis.report.latex import escape, latex_tables
from tunebook.analysis.report.sections import content_of


def test_no_value_is_a_command_of_latex() -> None:
    assert escape("a_b & 50% $x$ {y} \\input{z}\n# ~^<>|") == (
        r"a\_b \& 50\% \$x\$ \{y\} \textbackslash{}input\{z\} \# "
        r"\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}\textbar{}"
    )
    assert escape("[x] ± × −1…") == r"{[}x{]} ± $\times$ $-$1\dots{}"


def test_a_table_of_scores_has_factors_intervals_and_units_in_the_titles() -> None:
    tables = latex_tables(content_of(dozens()))
    assert set(tables) == {"scores-1.tex", "effects-1.tex", "effects-levels-1.tex"}
    header, best = [line.strip() for line in tables["scores-1.tex"].splitlines() if " & " in line][:2]
    assert header == (
        r"Run & Model & LoRA Rank & Learning Rate & Seed & Epoch & Score (\%) & 95 \% interval & n & "
        r"Against its base model (points) & 95 \% interval & p \\"
    )
    run, *_, n, difference, interval, p = best.removesuffix(r" \\").split(" & ")
    assert run == r"SmolLM2-135M\_rank64\_lr1e-3\_seed2"
    assert (n, p) == ("40", r"\textless{} 0.001")
    assert difference.startswith("+")
    assert " to " in interval


def test_a_missing_interval_is_a_dash() -> None:
    analysis = made_up()
    evaluations = tuple(
        replace(each, scores=tuple(replace(score, interval=None) for score in each.scores))
        for each in analysis.evaluations
    )
    rows = latex_tables(content_of(replace(analysis, evaluations=evaluations)))["scores-1.tex"]
    base = next(line for line in rows.splitlines() if "base" in line and "& 40 &" in line)
    assert "& -- & 40 & -- & -- & -- " in base
