"""A paragraph on the methods of an analysis, ready to paste: only what was really done, with its sources as BibTeX."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tunebook.analysis.formatting import listed, percent_text, plural
from tunebook.analysis.records import Interval, Score, TaskUse
from tunebook.analysis.report.content import Block, Section, Style, Text
from tunebook.analysis.report.method_words import INTERVALS, TESTS, described
from tunebook.analysis.report.references import Reference, cited, reference
from tunebook.analysis.report.tests_table import families_of
from tunebook.analysis.statistics.claims import ClaimKind
from tunebook.analysis.statistics.effects import is_comparison
from tunebook.analysis.statistics.hypotheses import HypothesisResult
from tunebook.analysis.values import Analysis
from tunebook.core.plan import RunType

__all__ = ["BIBLIOGRAPHY", "Methods", "methods_of", "methods_section"]

BIBLIOGRAPHY = "methods.bib"


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
    """The methods of this analysis, sentence by sentence."""
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
        text += f", varying {listed(varied)}"
        text += " in a full factorial design" if analysis.balanced and len(treatments) > 1 else ""
    for factor in analysis.factors:
        if factor.is_seed:
            text += f", with {plural(len(factor.levels), 'random seed')}"
    yield f"{text}."


def _evaluation(analysis: Analysis) -> Iterator[str]:
    """The measures, the numbers of samples, and how repetitions and missing values count."""
    missing = 0
    for task in analysis.tasks:
        finals = list(analysis.final_scores(task.name).values())
        sizes = sorted({score.n for score in finals if score.n})
        if not sizes:
            continue
        yield _measured(task, sizes)
        yield from _coverage(analysis, task, finals)
        missing += sum(score.missing for score in finals)
    scores = [score for record in analysis.evaluations for score in record.scores]
    if scores:
        yield "Each run was scored after its last evaluated epoch."
    reducers = {each.reducer or "mean" for task in analysis.tasks for each in task.measures}
    if any(score.answers > score.n for score in scores) or reducers != {"mean"}:
        yield f"Repetitions of a sample were reduced to one value ({listed(sorted(reducers))})."
    if missing:
        were = "was" if missing == 1 else "were"
        yield (
            f"{plural(missing, 'answer')} without a usable value of the headline measure {were} left out of the "
            "scores after the last epoch."
        )


def _measured(task: TaskUse, sizes: Sequence[int]) -> str:
    """The headline measure, or what stands in for the plan's, and the others."""
    n = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    noun = "sample" if n == "1" else "samples"
    headline = f"{task.headline.name} ({task.headline.reading})"
    text = f"On {task.name} (n = {n} {noun}) the headline measure was {headline}"
    if task.wanted is not None:
        text = f"On {task.name} (n = {n} {noun}) the plan's measure was {task.wanted.name} of all samples together; "
        text += f"where each sample needs a value, {headline} stood in for it"
    others = [each.name for each in task.measures[1:]]
    if others:
        text += f", beside {listed(others)}"
    return f"{text}."


def _coverage(analysis: Analysis, task: TaskUse, finals: Sequence[Score]) -> Iterator[str]:
    """How many runs have no score, and how many have one of an earlier epoch than others, if any."""
    planned = {record.key.run for record in analysis.evaluations if record.key.task == task.name}
    scored = [score for score in finals if score.value is not None]
    if len(scored) < len(planned):
        yield f"On {task.name}, {len(scored)} of {plural(len(planned), 'run')} had a score."
    epochs = [score.evaluation.epoch for score in scored if score.evaluation.trained_epoch is not None]
    earlier = sum(epoch < max(epochs) for epoch in epochs)
    if earlier:
        were = "was" if earlier == 1 else "were"
        runs = f"{earlier} of {len(epochs)} trained runs"
        yield f"On {task.name}, {runs} {were} scored at an earlier epoch than the others."


def _intervals(analysis: Analysis, keys: list[str]) -> Iterator[str]:
    used = {method for interval, about in _all_intervals(analysis) for method in _method(interval, about)}
    found = [described(method, INTERVALS, keys) for method in sorted(used)]
    if found:
        yield f"All intervals are {percent_text(analysis.level)} confidence intervals, unless stated otherwise."
        yield from (f"{text}." for text in dict.fromkeys(found))


def _method(interval: Interval | None, about: str) -> Iterator[str]:
    """The interval's method, with what it is about where the words depend on it."""
    if interval is None:
        return
    method = interval.method
    if method == "normal":
        yield f"normal, {about}"
    elif method in {"Student t", "Student t, Bonferroni"}:
        yield f"Student t over {'runs' if about == 'seeds' else 'samples'}"
    else:
        yield method


def _all_intervals(analysis: Analysis) -> Iterator[tuple[Interval | None, str]]:
    """Every interval, with what its result generalizes to, or the test of an aggregate."""
    for record in analysis.evaluations:
        yield from ((score.interval, "samples") for score in record.scores)
    for item in analysis.comparisons:
        yield from ((each, "samples") for each in (item.interval, item.simultaneous))
    yield from ((result.interval, result.generalizes) for result in analysis.hypotheses)
    for setting in analysis.replicates:
        yield from ((each, "samples") for each in (setting.difference_interval, setting.simultaneous))
    for ranked in analysis.ranking:
        yield ranked.interval, "samples"
        yield from ((each, ranked.generalizes) for each in (ranked.difference_interval, ranked.simultaneous))
    for effect in analysis.effects:
        yield from ((mean.interval, effect.generalizes) for mean in effect.means)
        if effect.difference is not None:
            yield effect.difference.interval, effect.generalizes
        if effect.trend is not None:
            yield effect.trend.interval, effect.generalizes
    for found in analysis.aggregates.results:
        yield found.interval, "samples"
        if found.comparison is not None:
            yield found.comparison.interval, found.comparison.test
    yield from ((score.interval, "samples") for score in analysis.groups.scores)
    yield from ((gap.interval, "groups") for gap in analysis.groups.gaps)


def _words(keys: list[str], names: Iterable[str]) -> str:
    """The words for these tests; empty without any."""
    used = sorted(set(filter(None, names)))
    return listed(dict.fromkeys(described(name, TESTS, keys) for name in used))


def _tests(analysis: Analysis, keys: list[str]) -> Iterator[str]:
    """The tests by what they compare."""
    if analysis.hypotheses:
        yield from _hypotheses(analysis.hypotheses, _words(keys, (item.test for item in analysis.hypotheses)))
    paired = _words(keys, (item.test for item in analysis.comparisons))
    if paired:
        yield (
            f"Runs were compared on the same samples, paired by id and target, with {paired}; these tests generalize "
            "to new samples, not to retraining."
        )
    seeds = _words(keys, (item.test for item in analysis.replicates if item.difference is not None))
    if seeds:
        yield f"Settings were compared with their base model by each sample's mean over the seeds, with {seeds}."
    ranked = _words(keys, (item.test for item in analysis.ranking if len(item.runs) > 1))
    if ranked:
        to_seeds = any(item.generalizes == "seeds" for item in analysis.ranking)
        scope = "; these tests generalize to retraining, not to new samples" if to_seeds else ""
        yield f"Settings were compared with the best one by {ranked}{scope}."
    epochs = _words(keys, (item.test.name for item in analysis.epoch_changes))
    if epochs:
        means = "each sample's mean over the runs"
        yield f"The last evaluated epoch was compared with the first by {means}, with {epochs}."
    yield from _effect_tests(analysis, keys)
    compared = [found.comparison for found in analysis.aggregates.results if found.comparison is not None]
    aggregates = _words(keys, (item.test for item in compared if item.p is not None))
    if aggregates:
        yield f"Measures of all samples together were compared with the base model by {aggregates}."
    groups = _words(keys, (item.test for item in analysis.groups.interactions))
    if groups:
        yield f"Whether a run's difference varies between groups of samples was tested by {groups}."


def _effect_tests(analysis: Analysis, keys: list[str]) -> Iterator[str]:
    """The tests of effects; one of two runs is their comparison, and no test of its own."""
    effects = _words(
        keys, (effect.test for effect in analysis.effects if not is_comparison(effect, analysis.comparisons))
    )
    if effects:
        yield f"The effects of the varied factors and their interactions were tested by {effects}."
    same = [effect.labels[0] for effect in analysis.effects if is_comparison(effect, analysis.comparisons)]
    if same:
        yield f"The effect of {listed(dict.fromkeys(same))} is the comparison of the only two runs."


def _hypotheses(items: Sequence[HypothesisResult], stated: str) -> Iterator[str]:
    """How many the plan states, since when, how many were tested, by which tests and on which side.

    Args:
        stated: the tests.
    """
    text = f"The plan states {plural(len(items), 'hypothesis', 'hypotheses')}, {_registered(items)}"
    tested = [item for item in items if item.p is not None]
    if not tested:
        yield f"{text}; none of them could be tested."
        return
    if len(tested) < len(items):
        text += f"; {len(tested)} of them could be tested"
    corrected = any(item.family.correction != "none" for item in tested)
    among = ", corrected among themselves," if corrected else ""
    subject = "It was" if len(items) == 1 else "They were"
    yield f"{text}. {subject} tested first{among} with {stated}: {listed(_sides(tested))}."


def _registered(items: Sequence[HypothesisResult]) -> str:
    """Whether they are older than the data."""
    later = sum(item.is_exploratory for item in items)
    if not later:
        return "registered before the first job"
    if later == len(items):
        return "not registered before the first job and therefore exploratory"
    return f"{len(items) - later} registered before the first job and {later} not, which is exploratory"


def _sides(tested: Sequence[HypothesisResult]) -> Iterator[str]:
    """Which hypotheses were tested on one side, and which on two."""
    directed = [item for item in tested if item.kind in {ClaimKind.ABOVE, ClaimKind.BELOW}]
    kinds = {item.kind for item in tested}
    if directed:
        margins = " and margins" if any(item.margin for item in directed) else ""
        yield f"directions{margins} one-sided"
    if ClaimKind.WITHIN in kinds:
        yield "equivalences by two one-sided tests, with 90 % intervals"
    if ClaimKind.DIFFERENT in kinds:
        yield "differences without a direction two-sided"


def _corrections(analysis: Analysis, keys: list[str]) -> Iterator[str]:
    families = list(families_of(analysis))
    corrected = [each for each in families if each.family.correction == "Holm"]
    if corrected:
        keys.append("holm1979")
        sizes: dict[str, list[int]] = {}
        for each in corrected:
            sizes.setdefault(each.family.name, []).append(each.family.size)
        texts = [f"{name} ({_tests_text(counts)})" for name, counts in sizes.items()]
        yield f"p-values were corrected by Holm's method ({cited('holm1979')}) within each family: {listed(texts)}."
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
