"""inspect_flow resolves a specification of evaluations in a dry run: it writes none of their files.

Arguments: where its files go, and the number of evaluations.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_TASK = """from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import exact


@task
def capitalization(seed: int = 0) -> Task:
    return Task(dataset=[Sample(input="a", target="A")], scorer=exact())
"""
_SPECIFICATION = """from inspect_flow import FlowSpec, FlowTask

FlowSpec(
    log_dir="logs",
    tasks=[FlowTask(name="task.py@capitalization", args={{"seed": n}}, model="mockllm/model") for n in range({count})],
)
"""

target, count = Path(sys.argv[1]), int(sys.argv[2])
target.mkdir()
os.environ["XDG_DATA_HOME"] = str(target)  # its store of logs
(target / "task.py").write_text(_TASK)
(target / "flow.py").write_text(_SPECIFICATION.format(count=count))

from inspect_flow._cli.main import main  # type: ignore[import-not-found]  # noqa: E402

sys.argv = ["flow", "run", str(target / "flow.py"), "--dry-run"]
main()
