"""The words and sources of the intervals and tests in the paragraph on methods, by the beginning of their names."""

from __future__ import annotations

from tunebook.analysis.report.references import cited

__all__ = ["INTERVALS", "TESTS", "Words", "described"]

Words = dict[str, tuple[str, tuple[str, ...]]]

INTERVALS: Words = {  # the beginning of an interval's method: what it is an interval of, and its sources
    "Wilson": ("Proportions have Wilson score intervals", ("wilson1927", "newcombe1998single")),
    "bootstrap": (
        "Other means and differences over samples have percentile bootstrap intervals, expanded for small samples",
        ("efron1993", "hesterberg2015"),
    ),
    "Student t and Hall": (
        "Simultaneous intervals of skewed differences are the wider of Student's t and Hall's",
        ("student1908", "hall1992"),
    ),
    "Student t, pooled": (
        "Means of settings have Student's t intervals from the variation between seeds, pooled over all settings",
        ("student1908",),
    ),
    "Student t over runs": ("Means and differences over runs have Student's t intervals", ("student1908",)),
    "Student t over samples": (
        "Some means and differences over samples, such as those of groups, have Student's t intervals",
        ("student1908",),
    ),
    "normal, groups": (
        "Differences of areas under the ROC curve between groups have normal intervals with DeLong's standard errors",
        ("delong1988",),
    ),
    "normal, DeLong": (
        "Differences of areas under the ROC curve have normal intervals with DeLong's standard error",
        ("delong1988",),
    ),
    "normal, paired bootstrap": (
        "Differences of other measures of all samples together have normal intervals with a paired bootstrap's error",
        ("efron1993",),
    ),
    "Tukey": ("The largest differences between levels have Tukey–Kramer intervals over all pairs", ("kramer1956",)),
    "Bonferroni": ("The largest differences between levels have Bonferroni intervals over all pairs", ()),
    "Newcombe, independent": (
        "Differences of proportions between groups have Newcombe's intervals for independent samples",
        ("newcombe1998independent",),
    ),
    "Newcombe": (
        "Differences of proportions on the same samples have Newcombe's intervals for paired data",
        ("newcombe1998paired",),
    ),
    "DeLong": ("Areas under the ROC curve have DeLong's intervals", ("delong1988",)),
    "Tango": ("Differences of proportions in hypotheses have Tango's score intervals", ("tango1998",)),
    "score": ("Differences between groups in hypotheses have score intervals", ("miettinen1985",)),
    "Welch": ("Differences between groups have Welch's intervals", ("welch1951",)),
    "sandwich": ("Estimated means have intervals from standard errors clustered by sample", ("liang1986",)),
}
TESTS: Words = {  # the beginning of a test's name
    "McNemar": ("McNemar's exact test", ("mcnemar1947", "agresti2013")),
    "sign-flip, saddlepoint": (
        "a sign-flip test of the paired differences by a saddlepoint approximation",
        ("pitman1937", "lugannani1980", "robinson1982"),
    ),
    "sign-flip": ("an exact sign-flip test of the paired differences", ("pitman1937",)),
    "score test": ("a score test of two proportions", ("miettinen1985",)),
    "sign": ("an exact sign test", ("agresti2013",)),
    "Tango": ("Tango's score test", ("tango1998",)),
    "paired bootstrap": ("a normal test with the standard error of a paired bootstrap", ("efron1993",)),
    "paired t-test over": ("Student's paired t-test", ("student1908",)),
    "Student's t-test over runs, pooled": (
        "Student's t-test of runs with the variance between seeds, pooled over all settings",
        ("student1908",),
    ),
    "Student t, pooled": (
        "Student's t-test with the variance between seeds, pooled over all settings",
        ("student1908",),
    ),
    "DeLong": ("DeLong's test of correlated areas under the ROC curve", ("delong1988",)),
    "Welch's F": ("Welch's analysis of variance", ("welch1951",)),
    "Welch's t": ("Welch's t-test", ("welch1951",)),
    "Cochran": ("Cochran's test of homogeneity", ("cochran1954",)),
    "analysis of variance": ("an analysis of variance over the runs (type III sums of squares)", ("scheffe1959",)),
    "Wald": (
        "a Wald test with standard errors clustered by sample and the degrees of freedom of Hotelling's T²",
        ("hotelling1931", "liang1986", "cameron2015"),
    ),
}


def described(name: str, texts: Words, keys: list[str]) -> str:
    """The words for a method with its sources, which ``keys`` collects; the name itself if there are no words."""
    for beginning, (text, sources) in texts.items():
        if name.lower().startswith(beginning.lower()):
            keys += sources
            return f"{text} ({'; '.join(map(cited, sources))})" if sources else text
    return name
