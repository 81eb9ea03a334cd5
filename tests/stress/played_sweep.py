"""A sweep that the real command line scaffolds and runs, with jobs that take a moment and need no library."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from support.command_line import TUNEBOOK
from support.patience import HANG_S
from support.played_programs import play_programs
from support.tiny_model import write_tiny_experiment
from tunebook import api
from tunebook.core.jobs import JobState
from tunebook.disk.ledger import LedgerReader
from tunebook.executors import processes

__all__ = ["PlayedSweep", "finished_sweep"]

_CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 256,
    "max_position_embeddings": 512,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "tie_word_embeddings": True,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
}
# Each job records its process, and whether another process of the same job lives.
_ACTIVATE = """
own='{pids}/'${{0//\\//_}}
if [ -e "$own" ] && grep -qF -- "$0" "/proc/$(cat "$own")/cmdline" 2>/dev/null; then
    echo "$0" >>'{overlaps}'
fi
echo $$ >"$own"
sleep {seconds}
"""


class PlayedSweep:
    """Trainings, their evaluations and one of the base model; ``reset`` makes it one that has never run."""

    def __init__(self, folder: Path, *, ranks: Sequence[int], seconds: float) -> None:
        self.path = folder / "sweep"
        self._pristine = folder / "pristine"
        self._pids, self._overlaps = folder / "pids", folder / "overlaps"
        self._pids.mkdir()
        venv = play_programs(folder / "venv")
        with (venv / "bin" / "activate").open("a") as stream:
            stream.write(_ACTIVATE.format(pids=self._pids, overlaps=self._overlaps, seconds=seconds))
        write_tiny_experiment(self.path, _empty_model(folder / "tiny"), ranks=ranks)
        (self.path / "claude.local.md").write_text(f"# Site\n- **Virtual environment:** `{venv}`\n")
        api.scaffold(self.path)
        shutil.copytree(self.path, self._pristine)

    def verb(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a verb to its end."""
        command = [str(TUNEBOOK), *arguments, str(self.path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False)

    def start_run(self, output: Path) -> subprocess.Popen[bytes]:
        """Starts ``tunebook run`` on this machine."""
        command = [str(TUNEBOOK), "run", "--executor", "local", "--jobs", "2", "--poll-s", "0.05", str(self.path)]
        with output.open("ab") as stream:
            return subprocess.Popen(command, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)

    def reset(self) -> None:
        """Removes everything that runs have left."""
        shutil.rmtree(self.path)
        shutil.copytree(self._pristine, self.path)
        shutil.rmtree(self._pids)
        self._pids.mkdir()

    @property
    def living(self) -> list[str]:
        """The tags of the sweep's jobs of which a process is left."""
        tags = {entry.last.tag for entry in LedgerReader(self.path).every()}
        return list(processes.member_processes(tags))

    @property
    def started(self) -> int:
        """How many jobs have started."""
        return len(list(self._pids.iterdir()))

    def end(self) -> None:
        """Ends what is left."""
        processes.end([], set(self.living), grace_s=1.0)

    def faults(self) -> list[str]:
        """What is wrong with a sweep whose runs are over."""
        found = [f"a job was executed twice at once: {line}" for line in _lines(self._overlaps)]
        found += [f"a process is left of {tag}" for tag in self.living]
        states = {job.job.name: job.state for job in api.status(self.path).jobs}
        return found + [f"{name} is {state.value}" for name, state in states.items() if state is not JobState.COMPLETED]


def finished_sweep(folder: Path) -> Path:
    """Makes a folder with an experiment all of whose jobs are completed; returns the experiment's directory."""
    folder.mkdir()
    sweep = PlayedSweep(folder, ranks=(4,), seconds=0.0)
    sweep.start_run(folder / "output").wait()
    return sweep.path


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _empty_model(directory: Path) -> Path:
    """A model's directory that `scaffold` accepts, without weights: nothing loads it."""
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(_CONFIG))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (directory / name).write_text("{}")
    (directory / "model.safetensors").write_bytes((2).to_bytes(8, sys.byteorder) + b"{}")
    return directory
