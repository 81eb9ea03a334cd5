"""A SLURM of scripts, for refusals and answers that a real one cannot be brought to; it runs jobs on this machine.

``sbatch`` takes as many jobs at a time as the file ``room`` says and refuses others in the words of the file ``words``;
``squeue`` lists what runs and what has ended. It knows arrays, and no dependencies.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["PlayedSlurm"]

_SBATCH = r"""#!/bin/bash
state='{folder}'
array=
for word in "$@"; do
    case $word in
        --comment=*) comment=${{word#*=}} ;;
        --output=*) output=${{word#*=}} ;;
        --array=*) array=${{word#*=}} ;;
        --test-only) exit 0 ;;
        --*) ;;
        *) script=$word ;;
    esac
done
exec 8>"$state/lock"
flock 8
echo "$*" >>"$state/calls"
tasks=()
for part in ${{array//[,%]/ }}; do tasks+=($(seq "${{part%-*}}" "${{part#*-}}")); done
[ -n "$array" ] || tasks=('')
running=$(ls "$state/running" | wc -l)
if [ -e "$state/words" ] && [ "$((running + ${{#tasks[@]}}))" -gt "$(cat "$state/room")" ]; then
    cat "$state/words" >&2
    exit 1
fi
number=$(($(cat "$state/number") + 1))
echo "$number" >"$state/number"
for task in "${{tasks[@]}}"; do
    id=$number${{task:+_$task}}
    file=${{output//%j/$number}}
    file=${{file//%A/$number}}
    file=${{file//%a/$task}}
    echo "$comment" >"$state/running/$id"
    SLURM_JOB_ID=$number SLURM_ARRAY_JOB_ID=$number SLURM_ARRAY_TASK_ID=$task \
        setsid "$state/bin/job" "$id" "$comment" "$script" </dev/null >>"$file" 2>&1 8>&- &
done
echo "$number"
"""
_JOB = r"""#!/bin/bash
code=0
bash "$3" || code=$?
word=COMPLETED
[ "$code" -eq 0 ] || word=FAILED
echo "$2" >'{folder}/ended/'"$1.$word"
rm -f '{folder}/running/'"$1"
"""
_SQUEUE = r"""#!/bin/bash
state='{folder}'
if [ -e "$state/mute" ]; then cat "$state/mute" >&2; exit 1; fi
exec 8>"$state/lock"
flock 8
for file in "$state"/running/*; do
    [ -e "$file" ] && echo "${{file##*/}}|RUNNING|None|here|N/A|N/A|$(cat "$file")"
done
for file in "$state"/ended/*; do
    [ -e "$file" ] || continue
    name=${{file##*/}}
    echo "${{name%.*}}|${{name##*.}}|None|here|N/A|N/A|$(cat "$file")"
done
exit 0
"""
_SCONTROL = "#!/bin/bash\necho 'ClusterName = played'\n"
_FAILING = "#!/bin/bash\nexit 1\n"


class PlayedSlurm:
    """The played cluster, first in ``PATH`` from now on."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        for name in ("bin", "running", "ended"):
            (folder / name).mkdir(parents=True)
        (folder / "number").write_text("100\n")
        programs = {"sbatch": _SBATCH, "job": _JOB, "squeue": _SQUEUE, "scontrol": _SCONTROL}
        programs |= {"sacct": _FAILING, "scancel": _FAILING}
        for name, text in programs.items():
            program = folder / "bin" / name
            program.write_text(text.format(folder=folder) if "{folder}" in text else text)
            program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")

    def wrap(self, program: str, text: str) -> None:
        """Puts lines of bash in the place of a program, which they may call as ``real``."""
        path = self.folder / "bin" / program
        real = path.rename(path.with_suffix(".real"))
        path.write_text(f"#!/bin/bash\nreal() {{ '{real}' \"$@\"; }}\nstate='{self.folder}'\n{text}\n")
        path.chmod(0o755)

    def refuse(self, words: str, *, room: int) -> None:
        """Lets it take ``room`` jobs at a time, and refuse others in these words."""
        (self.folder / "room").write_text(f"{room}\n")
        (self.folder / "words").write_text(words)

    @property
    def calls(self) -> list[str]:
        """The options of each ``sbatch``."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []
