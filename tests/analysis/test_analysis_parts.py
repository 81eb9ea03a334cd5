"""Text that is safe in Markdown and LaTeX, and numbers that are written one way."""

from __future__ import annotations

import unicodedata

from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tunebook.analysis.latex import escape
from tunebook.analysis.markdown_text import markdown_table, text
from tunebook.analysis.records import Interval
from tunebook.analysis.wording import Scale, p_text, scale_of

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


def visible(value: str) -> str:
    """What a reader should see of a text: no control characters, one line, single spaces."""
    value = value.replace("\r\n", "\n").replace("\r", "\n").strip().replace("\n", " ⏎ ")
    shown = "".join(one if one.isprintable() else (" " if one.isspace() else "\ufffd") for one in value)
    return " ".join(shown.split())


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
@example("- a")
@example("1. b")
@example("a | b \\| c")
@example("<b>x</b> &amp; &#35; <http://x.y>")
@example("![a](b) [c][d] `e` ``f`` *g* _h_ ~~i~~ \\")
@example("---")
@example("# x\n```\n> y")
@example("\x1b[31m\u202e\u2028")
def test_any_text_reads_as_itself_in_a_list_and_in_a_table(value: str) -> None:
    if not visible(value):
        return
    for page in ([f"- {text(value)}"], markdown_table(("a", "b"), [[text(value), "end"]])):
        tokens = MARKDOWN.parse("\n".join(page))
        inline = [token for token in tokens if token.type == "inline"]
        spans = [child for token in inline for child in token.children or []]
        assert {span.type for span in spans} <= {"text"}
        cells = [" ".join("".join(span.content for span in token.children or []).split()) for token in inline]
        assert unicodedata.normalize("NFC", cells[-2] if len(cells) > 1 else cells[-1]) == unicodedata.normalize(
            "NFC", visible(value)
        )
        assert not [
            token for token in tokens if token.type in {"html_block", "fence", "hr", "heading_open", "code_block"}
        ]


def test_a_long_text_is_cut_and_says_so() -> None:
    assert text("x" * 50, most=10) == "xxxxxxxxx…"


def test_latex_has_no_command_of_a_values() -> None:
    assert escape("a_b & 50% $x$ {y} \\input{z}\n# ~^<>|") == (
        r"a\_b \& 50\% \$x\$ \{y\} \textbackslash{}input\{z\} \# "
        r"\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}\textbar{}"
    )
    assert escape("[x] ± × −1…") == r"{[}x{]} ± $\times$ $-$1\dots{}"


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
    assert scale_of([0.5, None, 1.0]).is_percent
    assert not scale_of([0.5, 1.2]).is_percent


def test_the_first_job_is_the_first_in_any_time_zone() -> None:
    from tunebook.analysis.analyze import _timestamp

    times = ["2026-01-02T09:30:00+00:00", "2026-01-02T10:00:00+01:00", "2026-01-02T08:00:00-05:00"]
    assert sorted(times, key=_timestamp) == [times[1], times[0], times[2]]
