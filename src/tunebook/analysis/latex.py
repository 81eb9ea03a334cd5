"""Tables for papers: booktabs, with every special character of LaTeX escaped. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tunebook.analysis.values import Analysis
from tunebook.analysis.wording import scale_of

__all__ = ["effects_table", "escape", "scores_table"]

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "[": "{[}",
    "]": "{]}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "×": r"$\times$",
    "−": "$-$",
    "–": "--",
    "…": r"\dots{}",
}
_SMALLEST_P = 0.001


def escape(value: str) -> str:
    """A value as text of LaTeX: one line, no command, no control character."""
    words = " ".join(value.split())
    return "".join(_SPECIAL.get(character, character) for character in words if character.isprintable())


def scores_table(analysis: Analysis, task: str, measure: str) -> str:
    r"""A ``table`` of all scores of a measure: run, factors, score with interval, difference from the base model.

    It needs ``\usepackage{booktabs}`` and, for ``"``, a T1 font encoding.
    """
    scores = [score for score in analysis.scores(task, measure) if score.value is not None]
    percent = scale_of(score.value for score in scores).is_percent
    against = {
        (item.run, item.epoch): item
        for item in analysis.comparisons
        if (item.against, item.task, item.measure) == ("base", task, measure)
    }
    rows = []
    for score in scores:
        key = score.evaluation
        run = analysis.run(key.run)
        item = against.get((key.run, key.epoch))
        bounds = (score.interval.low, score.interval.high) if score.interval else ()
        rows.append(
            [
                escape(run.directory),
                *(escape(run.levels.get(factor.key, "")) or "--" for factor in analysis.factors),
                str(key.epoch) if key.epoch >= 0 else "--",
                _number(score.value, percent),
                f"[{', '.join(_number(bound, percent) for bound in bounds)}]" if bounds else "",
                str(score.n),
                _number(item.difference, percent) if item else "--",
                _p(item.p_holm) if item else "--",
            ]
        )
    unit = r" (\%)" if percent else ""
    header = ["Run", *(escape(factor.label) for factor in analysis.factors), "Epoch", f"Score{unit}"]
    header += [rf"{100 * analysis.level:g}\,\% interval", "$n$", "Difference", "$p$"]
    caption = (
        f"{escape(task)}, {escape(measure)}: score with its interval, difference from the base model on the same "
        "samples, and the p-value of the paired test, corrected by Holm's method."
    )
    columns = "l" * (1 + len(analysis.factors)) + "rrlrrr"
    return _table(columns, header, rows, caption, f"tab:{_label(task)}-{_label(measure)}")


def effects_table(analysis: Analysis) -> str:
    """A ``table`` of all effects that were tested."""
    rows = [
        [
            escape(item.task),
            escape(" × ".join(item.labels)),
            f"{item.statistic:.2f}" if item.statistic is not None else "--",
            f"{item.df[0]:g}, {item.df[1]:g}" if item.df else "--",
            _p(item.p_holm) if item.p_holm is not None else "--",
            "--" if item.partial_eta_squared is None else f"{item.partial_eta_squared:.3f}",
        ]
        for item in analysis.effects
    ]
    header = ["Task", "Effect", "$F$", "df", "$p$", r"$\eta_p^2$"]
    caption = "Effects of the varied factors; p-values are corrected by Holm's method."
    return _table("llrrrr", header, rows, caption, "tab:effects")


def _table(columns: str, header: Sequence[str], rows: Sequence[Sequence[str]], caption: str, label: str) -> str:
    body = [" & ".join(row) + r" \\" for row in rows]
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{caption}}}",
        rf"  \label{{{label}}}",
        rf"  \begin{{tabular}}{{{columns}}}",
        r"    \toprule",
        "    " + " & ".join(header) + r" \\",
        r"    \midrule",
        *(f"    {line}" for line in body),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _number(value: float | None, percent: bool) -> str:  # noqa: FBT001
    if value is None:
        return "--"
    text = f"{100 * value:.1f}" if percent else f"{value:.4g}"
    text = "0.0" if text == "-0.0" else text
    return f"$-${text[1:]}" if text.startswith("-") else text


def _p(p: float) -> str:
    return r"$<0.001$" if p < _SMALLEST_P else f"{p:.3f}"


def _label(text: str) -> str:
    return "".join(character if character.isascii() and character.isalnum() else "-" for character in text)
