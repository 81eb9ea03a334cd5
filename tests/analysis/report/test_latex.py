"""Tables for papers: their columns, and text that is safe in LaTeX."""

from __future__ import annotations

from dataclasses import replace

from support.analyses import dozens, made_up
from tunebook.analysis.report.latex import escape, latex_tables
from tunebook.analysis.report.sections import content_of
from tunebook.analysis.statistics.seeds import Replicates

REPLICATES = Replicates(
    task="capitalization",
    measure="exact",
    setting="rank 4",
    runs=("a", "b"),
    mean=0.8,
    sd=0.02,
)


def test_no_value_is_a_command_of_latex() -> None:
    assert escape("a_b & 50% $x$ {y} \\input{z}\n# ~^<>|") == (
        r"a\_b \& 50\% \$x\$ \{y\} \textbackslash{}input\{z\} \# "
        r"\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}\textbar{}"
    )
    assert escape("[x] ± × −1…") == r"{[}x{]} $\pm$ $\times$ $-$1\dots{}"


def test_a_table_of_scores_has_factors_intervals_and_units_in_the_titles() -> None:
    tables = latex_tables(content_of(dozens()))
    assert set(tables) == {"scores-1.tex", "seeds-1.tex", "effects-1.tex", "effects-1-levels.tex"}
    header, _, best = [line for line in tables["scores-1.tex"].splitlines() if " & " in line][:3]
    assert header == (
        r"Model & LoRA Rank & \shortstack{Learning\\Rate} & Seed & Epoch & Score (\%) & "
        r"\shortstack{95 \%\\interval} & n & \shortstack{Against its base\\model (points)} & "
        r"\shortstack{95 \%\\interval} & p \\"
    )
    model, *_, n, difference, interval, p = best.removesuffix(r" \\").split(" & ")
    assert model == "SmolLM2-135M-Instruct"
    assert (n, p) == ("40", r"\textless{} 0.001")
    assert difference.startswith("+")
    assert " to " in interval


def test_a_long_table_breaks_over_pages_and_a_wide_one_lies_on_its_side() -> None:
    long = latex_tables(content_of(dozens()))["scores-1.tex"].splitlines()
    assert long[0] == r"\begin{landscape}"
    assert long[1:4] == [
        r"\begingroup",
        r"\scriptsize\setlength{\tabcolsep}{3pt}",
        r"\begin{longtable}{@{}lrrrrrrrrrr@{}}",
    ]
    assert long.count(r"\endhead") == 1
    short = latex_tables(content_of(made_up()))["scores-1.tex"].splitlines()
    assert short[:3] == [r"\begingroup", r"\scriptsize\setlength{\tabcolsep}{3pt}", r"\begin{table}[htbp]"]
    for lines in (long, short):
        rows = [line for line in lines if line.endswith(r" \\")]
        assert {line.count(" & ") for line in rows} == {rows[0].count(" & ")}
        for name in ("begingroup", "table", "longtable", "tabular", "landscape"):
            assert lines.count(rf"\begin{{{name}}}") <= lines.count(rf"\end{{{name}}}")


def test_settings_over_seeds_have_means_with_their_deviation() -> None:
    tables = latex_tables(content_of(replace(dozens(), replicates=(REPLICATES,))))
    lines = [line for line in tables["seeds-1.tex"].splitlines() if " & " in line]
    assert lines == [
        r"Setting & Seeds & \shortstack{Mean $\pm$\\SD (\%)} \\",
        r"rank 4 & 2 & 80.0 $\pm$ 2.0 \\",
    ]


def test_a_missing_interval_is_a_dash() -> None:
    analysis = made_up()
    evaluations = tuple(
        replace(each, scores=tuple(replace(score, interval=None) for score in each.scores))
        for each in analysis.evaluations
    )
    rows = latex_tables(content_of(replace(analysis, evaluations=evaluations)))["scores-1.tex"]
    base = next(line for line in rows.splitlines() if line.startswith("-- & -- &"))
    assert "& -- & 40 & -- & -- & -- " in base
