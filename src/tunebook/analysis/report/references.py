"""The sources of the statistical methods, as citations and as BibTeX."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Reference", "cited", "reference"]


@dataclass(frozen=True)
class Reference:
    """A source; ``names`` cites it, and ``fields`` are those of its BibTeX entry."""

    key: str
    names: str
    year: int
    kind: str
    fields: tuple[tuple[str, str], ...]

    @property
    def bibtex(self) -> str:
        """The entry."""
        lines = [f"  {name} = {{{value}}}," for name, value in (*self.fields, ("year", str(self.year)))]
        return "\n".join([f"@{self.kind}{{{self.key},", *lines, "}", ""])


def _article(key: str, names: str, year: int, *fields: str) -> Reference:
    titles = ("author", "title", "journal", "volume", "pages")
    return Reference(key, names, year, "article", tuple(zip(titles, fields, strict=True)))


def _book(key: str, names: str, year: int, *fields: str) -> Reference:
    return Reference(key, names, year, "book", tuple(zip(("author", "title", "publisher"), fields, strict=True)))


_ALL = (
    _book("agresti2013", "Agresti", 2013, "Agresti, Alan", "Categorical Data Analysis", "Wiley"),
    _article(
        "cameron2015",
        "Cameron and Miller",
        2015,
        "Cameron, A. Colin and Miller, Douglas L.",
        "A Practitioner's Guide to Cluster-Robust Inference",
        "Journal of Human Resources",
        "50",
        "317--372",
    ),
    _article(
        "cochran1954",
        "Cochran",
        1954,
        "Cochran, William G.",
        "The Combination of Estimates from Different Experiments",
        "Biometrics",
        "10",
        "101--129",
    ),
    _article(
        "delong1988",
        "DeLong et al.",
        1988,
        "DeLong, Elizabeth R. and DeLong, David M. and Clarke-Pearson, Daniel L.",
        "Comparing the Areas Under Two or More Correlated Receiver Operating Characteristic Curves",
        "Biometrics",
        "44",
        "837--845",
    ),
    _book(
        "efron1993",
        "Efron and Tibshirani",
        1993,
        "Efron, Bradley and Tibshirani, Robert J.",
        "An Introduction to the Bootstrap",
        "Chapman and Hall",
    ),
    _article(
        "hall1992",
        "Hall",
        1992,
        "Hall, Peter",
        "On the Removal of Skewness by Transformation",
        "Journal of the Royal Statistical Society, Series B",
        "54",
        "221--228",
    ),
    _article(
        "hesterberg2015",
        "Hesterberg",
        2015,
        "Hesterberg, Tim C.",
        "What Teachers Should Know About the Bootstrap",
        "The American Statistician",
        "69",
        "371--386",
    ),
    _article(
        "holm1979",
        "Holm",
        1979,
        "Holm, Sture",
        "A Simple Sequentially Rejective Multiple Test Procedure",
        "Scandinavian Journal of Statistics",
        "6",
        "65--70",
    ),
    _article(
        "hotelling1931",
        "Hotelling",
        1931,
        "Hotelling, Harold",
        "The Generalization of Student's Ratio",
        "Annals of Mathematical Statistics",
        "2",
        "360--378",
    ),
    _article(
        "kramer1956",
        "Kramer",
        1956,
        "Kramer, Clyde Y.",
        "Extension of Multiple Range Tests to Group Means with Unequal Numbers of Replications",
        "Biometrics",
        "12",
        "307--310",
    ),
    _article(
        "liang1986",
        "Liang and Zeger",
        1986,
        "Liang, Kung-Yee and Zeger, Scott L.",
        "Longitudinal Data Analysis Using Generalized Linear Models",
        "Biometrika",
        "73",
        "13--22",
    ),
    _article(
        "lugannani1980",
        "Lugannani and Rice",
        1980,
        "Lugannani, Robert and Rice, Stephen",
        "Saddle Point Approximation for the Distribution of the Sum of Independent Random Variables",
        "Advances in Applied Probability",
        "12",
        "475--490",
    ),
    _article(
        "mcnemar1947",
        "McNemar",
        1947,
        "McNemar, Quinn",
        "Note on the Sampling Error of the Difference Between Correlated Proportions or Percentages",
        "Psychometrika",
        "12",
        "153--157",
    ),
    _article(
        "miettinen1985",
        "Miettinen and Nurminen",
        1985,
        "Miettinen, Olli and Nurminen, Markku",
        "Comparative Analysis of Two Rates",
        "Statistics in Medicine",
        "4",
        "213--226",
    ),
    _article(
        "newcombe1998independent",
        "Newcombe",
        1998,
        "Newcombe, Robert G.",
        "Interval Estimation for the Difference Between Independent Proportions: Comparison of Eleven Methods",
        "Statistics in Medicine",
        "17",
        "873--890",
    ),
    _article(
        "newcombe1998paired",
        "Newcombe",
        1998,
        "Newcombe, Robert G.",
        "Improved Confidence Intervals for the Difference Between Binomial Proportions Based on Paired Data",
        "Statistics in Medicine",
        "17",
        "2635--2650",
    ),
    _article(
        "newcombe1998single",
        "Newcombe",
        1998,
        "Newcombe, Robert G.",
        "Two-Sided Confidence Intervals for the Single Proportion: Comparison of Seven Methods",
        "Statistics in Medicine",
        "17",
        "857--872",
    ),
    _article(
        "pitman1937",
        "Pitman",
        1937,
        "Pitman, E. J. G.",
        "Significance Tests Which May Be Applied to Samples from Any Populations",
        "Supplement to the Journal of the Royal Statistical Society",
        "4",
        "119--130",
    ),
    _article(
        "robinson1982",
        "Robinson",
        1982,
        "Robinson, John",
        "Saddlepoint Approximations for Permutation Tests and Confidence Intervals",
        "Journal of the Royal Statistical Society, Series B",
        "44",
        "91--101",
    ),
    _book("scheffe1959", "Scheffé", 1959, "Scheff{\\'e}, Henry", "The Analysis of Variance", "Wiley"),
    _article("student1908", "Student", 1908, "Student", "The Probable Error of a Mean", "Biometrika", "6", "1--25"),
    _article(
        "tango1998",
        "Tango",
        1998,
        "Tango, Toshiro",
        "Equivalence Test and Confidence Interval for the Difference in Proportions for the Paired-Sample Design",
        "Statistics in Medicine",
        "17",
        "891--908",
    ),
    _article(
        "welch1951",
        "Welch",
        1951,
        "Welch, B. L.",
        "On the Comparison of Several Mean Values: An Alternative Approach",
        "Biometrika",
        "38",
        "330--336",
    ),
    _article(
        "wilson1927",
        "Wilson",
        1927,
        "Wilson, Edwin B.",
        "Probable Inference, the Law of Succession, and Statistical Inference",
        "Journal of the American Statistical Association",
        "22",
        "209--212",
    ),
)
_BY_KEY = {each.key: each for each in _ALL}


def reference(key: str) -> Reference:
    """The source of this key."""
    return _BY_KEY[key]


def cited(key: str) -> str:
    """``Wilson 1927``."""
    return f"{_BY_KEY[key].names} {_BY_KEY[key].year}"
