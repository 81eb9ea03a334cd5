"""Text that is safe in Markdown, whatever it holds."""

from __future__ import annotations

import unicodedata

from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tunebook.analysis.report.markdown import markdown_table, text

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


def visible(value: str) -> str:
    """The text as a reader should see it: no control characters, one line, single spaces."""
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


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    assert text("x" * 50, most=10) == "xxxxxxxxx…"
