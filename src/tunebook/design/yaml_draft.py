"""Drafts a design from a plan in YAML: collects its parts, its problems, and the parts that are not carried over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tunebook.core.parameters import suggestion
from tunebook.design.documents import Place, Text
from tunebook.design.factors import find_key, nearest_key
from tunebook.design.values import Decision, Design, DesignInputs, with_absolute_paths
from tunebook.errors import PlanError, Problem
from tunebook.tools.parameters import every_parameter

__all__ = ["Draft", "lines_text"]


class Draft:
    """A design that grows section by section.

    Attributes:
        here: the plan's directory, which relative paths are relative to.
        directory: the experiment's directory, if the plan names one.
        dataset_label: the name of the runs' data set.
    """

    def __init__(self, *, here: Path) -> None:
        self.here = here
        self.design = Design()
        self.directory = ""
        self.dataset_label = ""
        self.problems: list[Problem] = []
        self._notes: list[str] = []
        self._decisions: list[Decision] = []
        self._warnings: list[Problem] = []
        self._left: dict[tuple[str, str], list[Place]] = {}

    def give(self, **values: Any) -> None:
        """Sets attributes of the design."""
        self.design = replace(self.design, **values)

    def remark(self, notes: str, run: str, *remarks: str) -> None:
        """Adds remarks to those of a run, in the design's ``run_notes`` or ``matrix_notes``."""
        known = getattr(self.design, notes)
        texts = dict.fromkeys(" ".join(text.split()) for text in (known.get(run, ""), *remarks))
        self.give(**{notes: {**known, run: "; ".join(filter(None, texts))}})

    def inputs(self) -> DesignInputs:
        """The design, with everything that was found.

        Raises:
            PlanError: there are problems; carries all of them, in the order of lines.
        """
        if self.problems:
            raise PlanError(sorted(dict.fromkeys(self.problems), key=lambda problem: problem.line or 0))
        for (what, why), places in self._left.items():
            self._report_left(what, why, places)
        return DesignInputs(
            design=replace(with_absolute_paths(self.design, self.here), notes=tuple(dict.fromkeys(self._notes))),
            decisions=tuple(self._decisions),
            warnings=tuple(sorted(dict.fromkeys(self._warnings), key=lambda warning: warning.line or 0)),
            directory=self.directory,
        )

    # --- what is found

    def problem(self, place: Place, message: str, hint: str = "") -> None:
        """Reports an error in the file; reading continues."""
        self.problems.append(place.problem(message, hint))

    def contradict(self, first_name: str, first: Text, second_name: str, second: Text, hint: str = "") -> bool:
        """Reports two values of one setting that differ, with both lines; returns whether they do."""
        if first == second:
            return False
        message = f"`{second_name}` is `{second}`, but `{first_name}` in line {first.place.line} is `{first}`"
        self.problem(second.place, message, hint or "give both the same value, or remove one of them")
        return True

    def repeat(self, message: str, first: Place, second: Place) -> None:
        """Reports a value that may be given only once, with both lines."""
        self.problem(second, f"{message}; the first is in line {first.line}", "rename or remove one of them")

    def warn(self, place: Place, message: str, hint: str) -> None:
        """Reports a part of the file without effect."""
        self._warnings.append(place.problem(message, hint))

    def note(self, text: str) -> None:
        """Adds a line at the end of the plan."""
        self._notes.append(" ".join(text.split()))

    def decide(self, what: str, why: str) -> None:
        """Records an interpretation of the file."""
        self._decisions.append((what, why))

    def leave(self, place: Place, what: str, why: str) -> None:
        """Adds a warning, and a note in the plan, for a part that has no equivalent there; once for all its lines."""
        places = self._left.setdefault((what, why), [])
        if place not in places:  # an alias is read several times
            places.append(place)

    def _report_left(self, what: str, why: str, places: list[Place]) -> None:
        first, *others = places
        file = Path(first.file or "").name
        if others:
            what += f" (also in {lines_text(others)})"
        self.warn(first, f"not carried over: {what}", why)
        note = f"Not carried over ({file}:{first.line}): {what} ({why})"
        self.note(note.replace("`", ""))  # a backtick would make the plan escape the whole line

    # --- parameters

    def parameter(self, name: Text, value: str = "", *, section: str, is_factor: bool) -> str | None:
        """The key of a parameter by any of its names.

        An unknown name is a problem if runs may differ in it, or if it is close to a known name: without it, other
        models would be trained. Otherwise it is left behind.
        """
        key = find_key(name, is_factor=is_factor)
        if key is not None:
            return key
        meant, hint = nearest_key(name, is_factor=is_factor)
        if meant is None:
            columns = [item.column.lower().replace(" ", "_") for item in every_parameter()]
            hint = suggestion(name, columns)
        if is_factor or hint.endswith("?"):
            to_do = "correct it, or remove it from the file"
            hint = f"{hint} {to_do.capitalize()}" if hint.endswith("?") else f"{hint}; {to_do}"
            self.problem(name.place, f"unknown parameter `{section}.{name}`", hint)
        else:
            what = f"unknown parameter `{section}.{name}`: {value}"
            self.leave(name.place, what, "no tool of the plan has this parameter")
        return None


def lines_text(places: Iterable[Place]) -> str:
    """``line 3`` or ``lines 3, 5``."""
    lines = [str(place.line) for place in places]
    return f"line{'s' if len(lines) > 1 else ''} {', '.join(lines)}"
