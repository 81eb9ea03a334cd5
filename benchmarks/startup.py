"""Start-up of the command line, next to its peer: the import of Typer and Rich alone, measured in the same run."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from measure import TUNEBOOK, ratio, taking_turns
from results import Row, report
from status import complete, write_experiment

_REPETITIONS = 11
_PEER = "import typer, rich.console"
_COMMANDS = ("--help", "--version", "status", "status --help", "run --help")
_GOALS = {"--help": "≤ 2.5 ×", "--version": "≤ 2.5 ×", "status": "≤ 2.5 ×"}


def main() -> None:
    """Reports one row per command; ``status`` looks at a small experiment whose jobs are completed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=_REPETITIONS)
    repetitions = parser.parse_args().repetitions
    with tempfile.TemporaryDirectory() as folder:
        experiment = write_experiment(Path(folder), 3, data_mib=0)
        complete(experiment)
        commands = {_PEER: [sys.executable, "-c", _PEER]}
        commands |= {command: [TUNEBOOK, *command.split()] for command in _COMMANDS}
        costs = taking_turns(commands, repetitions, experiment)
    peer = costs.pop(_PEER)
    rows = [
        Row(
            work=f"`tunebook {command}`",
            measured=str(cost),
            peer=f"`{_PEER}`: {peer}",
            ratio=ratio(cost, peer),
            goal=_GOALS.get(command, ""),
        )
        for command, cost in costs.items()
    ]
    report(f"Start-up, the median of {repetitions}", rows, packages=("typer", "rich"))


if __name__ == "__main__":
    main()
