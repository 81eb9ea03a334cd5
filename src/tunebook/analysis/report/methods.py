"""A paragraph on the methods of an analysis, ready to paste: only what was really done, with its sources as BibTeX."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tunebook.analysis.formatting import percent_text, plural
from tunebook.analysis.records import Interval
from tunebook.analysis.report.content import Block, Section, Style, Text
from tunebook.analysis.report.references import Reference, cited, reference
from tunebook.analysis.report.tests_table import families_of
from tunebook.analysis.values import Analysis
from tunebook.core.plan import RunType

__all__ = ["BIBLIOGRAPHY", "Methods", "methods_of", "methods_section"]

BIBLIOGRAPHY = "methods.bib"
_INTERVALS = {  # the beginning of an interval's method: what it is an interval of, and its sources
    "Wilson": ("Proportions have Wilson score intervals", ("wilson1927", "newcombe1998single")),
    "bootstrap": (
        "Other means and differences over samples have percentile bootstrap intervals, expanded for small samples",
        ("efron1993", "hesterberg2015"),
    ),
    "Student t and Hall": (
        "Simultaneous intervals of skewed differences are the wider of Student's t and Hall's",
        ("student1908", "hall1992"),
    ),
    "Student t": ("Means over runs have Student's t intervals", ("student1908",)),
    "Tukey": ("The largest differences between levels have Tukey–Kramer intervals over all pairs", ("kramer1956",)),
    "Bonferroni": ("The largest differences between levels have Bonferroni intervals over all pairs", ()),
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
_TESTS = {  # the beginning of a test's name
    "McNemar": ("McNemar's exact test", ("mcnemar1947", "agresti2013")),
    "sign-flip, saddlepoint": (
        "a sign-flip test of the paired differences by a saddlepoint approximation",
        ("pitman1937", "lugannani1980", "robinson1982"),
    ),
    "sign-flip": ("an exact sign-flip test of the paired differences", ("pitman1937",)),
    "score test": ("a score test of two proportions", ("miettinen1985",)),
    "sign": ("an exact sign test", ("agresti2013",)),
    "Tango": ("Tango's score test", ("tango1998",)),
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


@dataclass(frozen=True)
class Methods:
    """The sentences of the paragraph, and the sources that they cite, in the order of their keys."""

    sentences: tuple[str, ...]
    references: tuple[Reference, ...]

    @property
    def bibtex(self) -> str:
        """The file with the sources."""
        return "\n".join(each.bibtex for each in self.references)


def methods_section(analysis: Analysis) -> Section:
    """The paragraph."""
    found = methods_of(analysis)
    intro = Text("This paragraph says what was done, for a paper. Its sources are in", Style.NOTE, (BIBLIOGRAPHY,))
    blocks: tuple[Block, ...] = (intro, Text(" ".join(found.sentences)))
    return Section("methods", "Methods", blocks)


def methods_of(analysis: Analysis) -> Methods:
    """What was done in this analysis, sentence by sentence."""
    keys: list[str] = []
    sentences = [
        *_design(analysis),
        *_evaluation(analysis),
        *_intervals(analysis, keys),
        *_tests(analysis, keys),
        *_corrections(analysis, keys),
        *_software(analysis),
    ]
    return Methods(tuple(sentences), tuple(reference(key) for key in sorted(set(keys))))


def _design(analysis: Analysis) -> Iterator[str]:
    tuned = sum(run.type is RunType.FINE_TUNED for run in analysis.runs)
    models = len({run.model for run in analysis.runs})
    if not tuned:
        yield f"We evaluated {plural(len(analysis.runs), 'run')} of {plural(models, 'model')}."
        return
    text = f"We fine-tuned {plural(tuned, 'run')} of {plural(models, 'model')}"
    treatments = [factor for factor in analysis.factors if not factor.is_seed]
    if treatments:
        varied = [f"{each.label} ({', '.join(each.levels)})" for each in treatments]
        text += f", varying {_listed(varied)}"
        text += " in a full factorial design" if analysis.balanced and len(treatments) > 1 else ""
    for factor in analysis.factors:
        if factor.is_seed:
            text += f", with {plural(len(factor.levels), 'random seed')}"
    yield f"{text}."


def _evaluation(analysis: Analysis) -> Iterator[str]:
    """What was measured, on how many samples, and how repetitions and missing values count."""
    for task in analysis.tasks:
        finals = analysis.final_scores(task.name).values()
        sizes = sorted({score.n for score in finals if score.n})
        if not sizes:
            continue
        n = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        others = [each.name for each in task.measures[1:]]
        text = f"On {task.name} (n = {n} samples) the headline measure was {task.headline.name}"
        text += f" ({task.headline.reading})"
        if others:
            text += f", beside {_listed(others)}"
        yield f"{text}."
    scores = [score for record in analysis.evaluations for score in record.scores]
    if scores:
        yield "Each run was scored after its last evaluated epoch."
    reducers = {each.reducer or "mean" for task in analysis.tasks for each in task.measures}
    if any(score.answers > score.n for score in scores) or reducers != {"mean"}:
        yield f"Repetitions of a sample were reduced to one value ({_listed(sorted(reducers))})."
    missing = sum(score.missing for score in scores)
    if missing:
        yield f"{plural(missing, 'answer')} without a usable value {'was' if missing == 1 else 'were'} left out."


def _intervals(analysis: Analysis, keys: list[str]) -> Iterator[str]:
    used = dict.fromkeys(interval.method for interval in _all_intervals(analysis) if interval is not None)
    found = [_described(method, _INTERVALS, keys) for method in sorted(used)]
    if found:
        yield f"All intervals are {percent_text(analysis.level)} confidence intervals, if nothing else is said."
        yield from (f"{text}." for text in dict.fromkeys(found))


def _all_intervals(analysis: Analysis) -> Iterator[Interval | None]:
    yield from (score.interval for record in analysis.evaluations for score in record.scores)
    for item in analysis.comparisons:
        yield from (item.interval, item.simultaneous)
    yield from (result.interval for result in analysis.hypotheses)
    for setting in analysis.replicates:
        yield from (setting.interval, setting.difference_interval, setting.simultaneous)
    for effect in analysis.effects:
        if effect.difference is not None:
            yield effect.difference.interval
    yield from (mean.interval for effect in analysis.effects for mean in effect.means)
    for found in analysis.aggregates.results:
        yield found.interval
        if found.comparison is not None:
            yield found.comparison.interval
    yield from (score.interval for score in analysis.groups.scores)
    yield from (gap.interval for gap in analysis.groups.gaps)


def _tests(analysis: Analysis, keys: list[str]) -> Iterator[str]:
    """The tests by what they compare."""

    def words(names: Iterable[str]) -> str:
        used = sorted(set(filter(None, names)))
        return _listed(dict.fromkeys(_described(name, _TESTS, keys) for name in used))

    stated = words(item.test for item in analysis.hypotheses)
    if stated:
        count = plural(len(analysis.hypotheses), "hypothesis", "hypotheses")
        yield f"The plan states {count}, tested first and corrected among themselves, with {stated}."
    paired = words(item.test for item in analysis.comparisons)
    if paired:
        yield (
            f"Runs were compared on the same samples, paired by id and target, with {paired}; these tests generalize "
            "to new samples, not to retraining."
        )
    if any(item.difference is not None for item in analysis.replicates):
        yield "Settings were compared with their base model by each sample's mean over the seeds."
    effects = words(effect.test for effect in analysis.effects)
    if effects:
        yield f"The effects of the varied factors and their interactions were tested by {effects}."
    compared = [found.comparison for found in analysis.aggregates.results if found.comparison is not None]
    aggregates = words(item.test for item in compared if item.p is not None)
    if aggregates:
        yield f"Measures of all samples together were compared with the base model by {aggregates}."
    groups = words(item.test for item in analysis.groups.interactions)
    if groups:
        yield f"Whether a run's difference varies between groups of samples was tested by {groups}."


def _corrections(analysis: Analysis, keys: list[str]) -> Iterator[str]:
    families = list(families_of(analysis))
    corrected = [each for each in families if each.family.correction == "Holm"]
    if corrected:
        keys.append("holm1979")
        sizes: dict[str, list[int]] = {}
        for each in corrected:
            sizes.setdefault(each.family.name, []).append(each.family.size)
        texts = [f"{name} ({_tests_text(counts)})" for name, counts in sizes.items()]
        yield f"p-values were corrected by Holm's method ({cited('holm1979')}) within each family: {_listed(texts)}."
    if families:
        yield f"The level of significance was {1 - analysis.level:.2g}; tests are two-sided unless stated otherwise."


def _tests_text(counts: Sequence[int]) -> str:
    """How many tests a family has, for each task and measure."""
    if len(set(counts)) == 1:
        return plural(counts[0], "test")
    return f"{min(counts)} to {max(counts)} tests"


def _software(analysis: Analysis) -> Iterator[str]:
    versions = analysis.provenance.get("Versions")
    if versions:
        yield f"Software: {versions}."


def _described(name: str, texts: dict[str, tuple[str, tuple[str, ...]]], keys: list[str]) -> str:
    """The words for a method with its sources, which ``keys`` collects; the name itself if there are no words."""
    for beginning, (text, sources) in texts.items():
        if name.lower().startswith(beginning.lower()):
            keys += sources
            return f"{text} ({'; '.join(map(cited, sources))})"
    return name


def _listed(names: Iterable[str]) -> str:
    *first, last = [*names] or [""]
    return f"{', '.join(first)} and {last}" if first else last
