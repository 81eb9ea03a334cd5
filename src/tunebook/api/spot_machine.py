"""Asks models in the evaluation's own environment on this machine, after a look at its GPUs and its memory."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from tunebook.artifacts.answers import Answer, read_answers
from tunebook.artifacts.output import last_lines
from tunebook.core.script_header import header_lines
from tunebook.disk.atomic import write_text
from tunebook.disk.program import Completed, run_program
from tunebook.disk.read import read_text
from tunebook.errors import ToolError
from tunebook.executors.environment import job_environment
from tunebook.executors.gpus import find_gpus
from tunebook.run.failures import diagnose
from tunebook.tools.spot_values import ANSWERS, SpotScript

__all__ = ["ask_model", "refuse_small_machine"]

_SCRIPT = "spot.sh"
_OUTPUT = "output"
_TAG = "spot-check"
_KILLED = 137
_SHOWN = 3  # lines of the output
_REQUESTS = ("--cpus-per-task=", "--mem=", "--account=", "--partition=", "--constraint=", "--qos=", "--g")
_TOO_LITTLE = "use a machine with more memory, or a smaller model"
_HINTS = {
    "OUT_OF_GPU_MEMORY": "other programs may use the GPU (`nvidia-smi`); use a larger one, or `--cpu`",
    "OUT_OF_MEMORY": _TOO_LITTLE,
    "MISSING_MODULE": "`tunebook site` names the environment of the evaluations; install there what is missing",
    "MISSING_FILE": "`tunebook check` names the missing file",
}


def refuse_small_machine(script: SpotScript, *, command: str, cpu: bool) -> None:
    """Compares what the evaluations ask for with this machine.

    Args:
        command: what the person typed, for the hint how to start it elsewhere.
        cpu: whether the person wants the answers from the CPU.

    Raises:
        ToolError: the evaluations use a GPU and there is none, or the weights alone do not fit into the free memory.
    """
    needs_gpu = script.resources.gpus > 0 and not cpu
    if needs_gpu and not find_gpus():
        message = "the evaluations use a GPU, but this machine has none"
        raise ToolError(message, hint=f"{_elsewhere(script, command)}`--cpu` asks on the CPU, which takes longer")
    free_gb, weights_gb = _free_gb(), script.weights_gb
    if not needs_gpu and free_gb is not None and weights_gb is not None and weights_gb > free_gb:
        message = f"the weights need {weights_gb:.1f} GB, but this machine has {free_gb:.1f} GB of free memory"
        raise ToolError(message, hint=f"{_elsewhere(script, command)}end other programs, or use a larger machine")


def _elsewhere(script: SpotScript, command: str) -> str:
    """How to start the command on a node of the cluster; empty without one."""
    if shutil.which("srun") is None:
        return ""
    options = [line.removeprefix("#SBATCH ") for line in header_lines(script.resources)]
    requests = [option for option in options if option.startswith(_REQUESTS)]
    return f"`{shlex.join(['srun', '--pty', *requests])} {command}` starts it on a node; "


def _free_gb() -> float | None:
    """The memory that programs can still get, in GB; ``None`` where the system does not say."""
    try:
        text = read_text("/proc/meminfo") or ""
    except OSError:
        return None
    for line in text.splitlines():
        name, _, amount = line.partition(":")
        if name == "MemAvailable":
            return int(amount.split()[0]) * 1024 / 1e9
    return None


def ask_model(script: SpotScript, folder: Path, *, who: str, timeout_s: float, cpu: bool) -> tuple[Answer, ...]:
    """Runs a script of a spot check in a folder of its own, and reads the answers.

    Args:
        who: the model in messages.

    Raises:
        ToolError: the script failed or took too long; the message has the end of its output.
    """
    temporary = folder / "tmp"
    temporary.mkdir()
    for name, text in {**script.files, _SCRIPT: script.text}.items():
        write_text(folder / name, text, within=folder)
    env = job_environment(_TAG) | {"TMPDIR": str(temporary)}
    env.pop("TUNEBOOK_SERVICE", None)  # a process of other evaluations
    if cpu:
        env["CUDA_VISIBLE_DEVICES"] = ""
    try:
        done = run_program(["bash", str(folder / _SCRIPT)], timeout_s=timeout_s, cwd=folder, env=env)
    except ToolError as error:
        hint = "`--timeout-s` allows more seconds; a large model loads for minutes"
        raise ToolError(f"{who} did not answer: {error}", hint=hint) from error
    if done.returncode != 0:
        raise _failure(who, done, folder)
    return read_answers(folder / ANSWERS)


def _failure(who: str, done: Completed, folder: Path) -> ToolError:
    output = folder / _OUTPUT
    write_text(output, f"{done.stdout}\n{done.stderr}", within=folder)
    lines = last_lines(str(output))
    found = diagnose(f"exit code {done.returncode}", lines)
    hint = _HINTS.get(found.kind, "")
    reason = "; ".join(_distinct(found.lines or lines[-_SHOWN:])) or f"exit code {done.returncode}"
    if done.returncode in {_KILLED, -9} and not found.kind:
        reason, hint = "it was killed, most likely because the memory was full", _TOO_LITTLE
    return ToolError(f"{who} could not be asked: {reason}", hint=hint)


def _distinct(lines: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(line.removeprefix("tunebook: ") for line in lines[-_SHOWN:]))
