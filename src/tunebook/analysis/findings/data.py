"""Cautions about the data of trainings: repeated examples, empty answers, and questions that were trained on."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.analysis.collect.source import Collected, Source
from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.formatting import plural
from tunebook.tools.data_record import data_flaws, trained_data
from tunebook.tools.train_overlap import Overlap, Overlaps

__all__ = ["state_data"]


def state_data(source: Source, found: Collected) -> list[Finding]:
    """One caution per flaw of the data, as `check` reports it, and per task whose questions were trained on."""
    overlaps = list(_overlaps(source, found))
    known = {path for path, _ in overlaps}
    flaws = data_flaws(source.experiment, source.plan, overlapping=known)
    findings = [Finding("caution", f"{flaw[:1].upper()}{flaw[1:]}.") for flaw in flaws]
    return findings + [finding for _, finding in overlaps]


def _overlaps(source: Source, found: Collected) -> Iterator[tuple[str, Finding]]:
    """Each data set that has questions of a task in its training split, with the caution about it."""
    finder = Overlaps(source.experiment, use_cache=source.use_cache)
    for task in source.plan.tasks:
        asked = _asked(found, task.name)
        for path, kind in trained_data(source.plan).items():
            if not path:
                continue
            where = f"of {task.name}"
            overlap = finder.of_questions(path, kind, asked)
            if not overlap and task.dataset and task.dataset != path:
                where += f" in {task.dataset}"  # the prompts in logs may have more text around its inputs
                overlap = finder.of_file(path, kind, task.dataset)
            if overlap:
                yield path, Finding("caution", _stated(overlap, where, path), task=task.name)


def _asked(found: Collected, task: str) -> list[str]:
    """The prompt of each sample of a task."""
    asked: dict[str, str] = {}
    for key, samples in found.samples.items():
        if key.task == task:
            for sample, prompt in zip(samples.ids, samples.prompts, strict=True):
                asked.setdefault(sample, prompt)
    return list(asked.values())


def _stated(overlap: Overlap, where: str, path: str) -> str:
    """The caution with its numbers."""
    verb = "is" if overlap.equal == 1 else "are"
    whole = f"the {plural(overlap.asked, 'question')} {where}"
    text = f"{overlap.equal or 'None'} of {whole} {verb} also in the train split of {path}"
    if overlap.alike:
        differ = "1 more differs" if overlap.alike == 1 else f"{overlap.alike} more differ"
        text += f"; {differ} from one there only in capital letters or white space"
    return f"{text}. Scores of runs that were trained on them are too good to be those of new questions."
