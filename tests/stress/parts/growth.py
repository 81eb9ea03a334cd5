"""Every function of a text takes time in proportion to the text's length, whatever it consists of."""

from __future__ import annotations

import os
from contextlib import chdir
from itertools import chain

from stress.growth import growth_of, shapes_for
from stress.part import Outcome, Part, Setting
from stress.text_functions import patterns, text_functions

__all__ = ["PART"]


def _run(setting: Setting) -> Outcome:
    os.environ["COLUMNS"] = "200"
    most, longest = (12, 6_400) if setting.is_quick else (24, 12_800)
    faults = []
    functions = list(chain(text_functions(), patterns()))
    with chdir(setting.folder):  # a text may be taken for a path
        for function in functions:
            found = growth_of(function, shapes_for(function, setting.random, most), longest=longest)
            if found is not None:
                faults.append(str(found))
    return Outcome(figures=f"{len(functions)} functions and expressions with {most} shapes each", faults=tuple(faults))


PART = Part(name="growth", run=_run, in_quick_half=False)
