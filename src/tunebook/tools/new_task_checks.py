"""Checks that data and options of a new task fit together: each problem with the example's file and line."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from tunebook.core.parameters import suggestion
from tunebook.core.scorers import Scorer
from tunebook.core.shortened import named
from tunebook.errors import Problem
from tunebook.tools.answer_numbers import number_of
from tunebook.tools.answers import Answer
from tunebook.tools.runtime.data_formats import is_group
from tunebook.tools.scorer_choice import MOST_CHOICES

__all__ = ["choice_problems", "group_cautions", "group_problems", "name_problem", "target_problems"]

_TWO = 2
_PLAIN = re.compile(r"[a-z][a-z0-9_]{0,99}")


def target_problems(scorer: Scorer, choices: Sequence[str], answers: Sequence[Answer]) -> Iterator[Problem]:
    """The first target that the scorer cannot use, and how many there are."""
    wrong = [answer for answer in answers if not _is_usable(scorer, choices, answer.text.strip())]
    if not wrong:
        return
    further = f"; {len(wrong) - 1:,} more of {len(answers):,} targets are like this" if len(wrong) > 1 else ""
    text = wrong[0].text.strip()
    if scorer is Scorer.NUMERIC:
        message, hint = (
            f"the target `{text}` is not a number",
            "write it as `3.5` or `1,234.5`, or choose another scorer",
        )
    elif scorer.has_choices:
        message = f"the target `{text}` is not one of the choices {', '.join(choices)}"
        hint = "name every choice with `--choices`, or choose another scorer"
    else:
        message, hint = "the target is empty: every answer includes it", "correct it, or remove the example"
    yield wrong[0].problem(message + further, hint)


def _is_usable(scorer: Scorer, choices: Sequence[str], target: str) -> bool:
    if scorer is Scorer.NUMERIC:
        return number_of(target) is not None
    if scorer.has_choices:
        return target in choices
    return bool(target) or scorer is not Scorer.INCLUDES


def choice_problems(
    scorer: Scorer, choices: Sequence[str], answers: Sequence[Answer], elsewhere: Callable[[], set[str]]
) -> Iterator[Problem]:
    """Choices that the scorer cannot tell apart, or that no example has.

    Args:
        elsewhere: reads the answers of the training data.
    """
    file = answers[0].file
    if scorer is Scorer.RISK and len(choices) != _TWO:
        message = f"risk is the probability of one of two options, but there are {len(choices)}: {named(choices)}"
        yield Problem(message, file, hint="write `--choices OTHER,OUTCOME`, or choose `--scorer choice`")
        return
    if len(choices) < _TWO:
        yield Problem(f"there is only one choice: {choices[0]}", file, hint="name at least two with `--choices`")
        return
    folded = [choice.casefold() for choice in choices]
    twice = [choice for choice in choices if folded.count(choice.casefold()) > 1]
    if twice:
        message = f"the choices {' and '.join(twice)} are equal but for capitals"
        yield Problem(message, file, hint="the scorer compares without capitals: give them other names")
    present = {answer.text.strip() for answer in answers}
    if not set(choices) <= present:
        present |= elsewhere()
    for choice in choices:
        if choice not in present:
            hint = suggestion(choice, sorted(present)[: 2 * MOST_CHOICES])
            yield Problem(f"no example has the answer `{choice}`, which `--choices` names", file, hint=hint)


def group_problems(groups: Sequence[str], answers: Sequence[Answer]) -> Iterator[Problem]:
    """Columns that no example has, and the first example without a value in one."""
    columns = list(dict.fromkeys(name for answer in answers for name in answer.columns))
    for group in groups:
        if group not in columns:
            message = f"no example of the test split has the column `{group}`, which `--group` names"
            yield Problem(message, answers[0].file, hint=suggestion(group, columns))
            continue
        for answer in answers:
            if not is_group(answer.columns.get(group)):
                hint = "give every example a text or a number there, such as `unknown`"
                yield answer.problem(f"the column `{group}` has no text or number", hint)
                break


def group_cautions(groups: Sequence[str], answers: Sequence[Answer]) -> Iterator[Problem]:
    """Columns by which ``analyze`` compares nothing."""
    for group in groups:
        values = {str(answer.columns.get(group)) for answer in answers}
        if not _TWO <= len(values) <= MOST_CHOICES:
            message = f"the column `{group}` has {len(values):,} different values in the test split"
            hint = f"`tunebook analyze` compares groups by columns with 2 to {MOST_CHOICES} values"
            yield Problem(message, answers[0].file, hint=hint)


def name_problem(name: str, directory: Path) -> str:
    """Why a task, its function and its file cannot have this name; empty if they can.

    Args:
        directory: where the file goes.
    """
    if not _PLAIN.fullmatch(name) or keyword.iskeyword(name) or name.startswith("test_"):
        return (
            "is not a plain name: small letters, digits and underscores, a letter first, no word of Python, no `test_`"
        )
    if name in sys.stdlib_module_names or _is_elsewhere(name, directory):
        return f"is also the name of a Python module, which `import {name}` would no longer find"
    return ""


def _is_elsewhere(name: str, directory: Path) -> bool:
    """Whether an installed module has this name."""
    try:
        found = find_spec(name)
    except (ImportError, ValueError):
        return False
    return found is not None and (found.origin is None or Path(found.origin).parent != directory)
