"""A job's output of long lines and of one endless line: only its end is read."""

from __future__ import annotations

from stress.part import Outcome, Part, Setting
from tunebook.artifacts.output import last_lines

__all__ = ["PART"]

_MIB = 1 << 20


def _run(setting: Setting) -> Outcome:
    size = (4 if setting.is_quick else 1024) * _MIB
    path = setting.folder / "job.out"
    with path.open("wb") as stream:
        stream.truncate(size)
        stream.seek(size)
        stream.write(b"\nRuntimeError: out of memory\n")
    lines = last_lines(str(path))
    faults = () if lines and lines[-1] == "RuntimeError: out of memory" else (f"the last line is {lines[-1:]}",)
    return Outcome(figures=f"an output of {size // _MIB} MiB", faults=faults)


PART = Part(name="long-lines", run=_run)
