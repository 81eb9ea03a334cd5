"""Programs that play torchtune and inspect-ai: job scripts end in a moment, and leave what real ones leave."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["play_programs"]

_PROGRAM = """#!{python}
import json, os, subprocess, sys
from pathlib import Path

arguments = sys.argv[1:]
if any(word.endswith("runtime.versions") for word in arguments):
    sys.exit(subprocess.run([{python!r}, *arguments], check=False).returncode)
given = dict(zip(arguments, arguments[1:]))
if "--out" in given:
    result = {{"status": "success", "samples": 4, "completed": 4, "failed": 0, "scores": []}}
    Path(given["--out"]).write_text(json.dumps(result))
if "--epochs" in given and "--output-dir" in given:
    for epoch in range(int(given["--epochs"])):
        (Path(given["--output-dir"]) / f"epoch_{{epoch}}").mkdir(parents=True, exist_ok=True)
"""


def play_programs(venv: Path) -> Path:
    """Writes a virtual environment whose ``python``, ``tune`` and ``inspect`` play; a job activates it."""
    programs = venv / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(f'export PATH="{programs}:$PATH"\n')
    for name in ("python", "tune", "inspect"):
        (programs / name).write_text(_PROGRAM.format(python=sys.executable))
        (programs / name).chmod(0o755)
    return venv
