"""What a GPU computes: our configuration beside the stock recipe, runs side by side, and served evaluations.

python benchmarks/gpu.py MODEL_DIRECTORY [--runs N]

Without a GPU it says so and ends. Trainings and evaluations run on this machine, as ``tunebook run`` runs them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from results import Row, report

from support.tiny_model import write_tiny_experiment
from tunebook.api import RunOptions, run, scaffold
from tunebook.core.jobs import Job, Stage
from tunebook.core.plan import Tools
from tunebook.disk.manifest import read_manifest

_STOCK_RECIPE = "lora_finetune_single_device"
_WARM_UP = 5  # steps that are not counted
_RANKS = (4, 8, 16, 32, 64, 128)


def why_not() -> str:
    """Why nothing can be measured; empty if there is a GPU."""
    if shutil.which("nvidia-smi") is None:
        return "no GPU"
    import torch

    return "" if torch.cuda.is_available() else "no GPU that this torch can use"


def _experiment(directory: Path, model: Path, *lines: str, ranks: Sequence[int]) -> Path:
    """An experiment on one GPU; ``lines`` are added to its configuration."""
    on_gpu = ("- **GPUs:** 0", "\n".join(["- **GPUs:** 1", *lines]))
    write_tiny_experiment(directory, model, on_gpu, ranks=ranks, tools=Tools(assumed=False))
    scaffold(directory)
    return directory


def _jobs(experiment: Path, stage: Stage) -> list[Job]:
    return [job for job in read_manifest(experiment).jobs if job.stage is stage]


def _run(experiment: Path, stage: Stage) -> float:
    """Runs all jobs of a stage, and returns the seconds.

    Raises:
        SystemExit: a job failed.
    """
    begun = time.perf_counter()
    done = run(experiment, RunOptions(executor="local", stage=stage, poll_s=0.5))
    if done.exit_code.value:
        raise SystemExit(f"{experiment.name}: a job failed")
    return time.perf_counter() - begun


def _speed(lines: Sequence[dict[str, Any]], key: str) -> float:
    """The median of tokens per second behind the first steps."""
    speeds = [float(line[key]) for line in lines if line.get(key)]
    return median(speeds[_WARM_UP:])


def _own_speed(experiment: Path) -> float:
    _run(experiment, Stage.PREPARATION)
    (metrics,) = experiment.rglob("metrics.jsonl")
    return _speed([json.loads(line) for line in metrics.read_text().splitlines()], "tokens_per_second")


def _stock_speed(experiment: Path, folder: Path) -> float:
    """Torchtune's own recipe with the configuration that we wrote, but its own logger and output directory."""
    (config,) = experiment.rglob("finetune.yaml")
    overrides = [f"output_dir={folder}", "metric_logger._component_=torchtune.training.metric_logging.DiskLogger"]
    overrides += [f"metric_logger.log_dir={folder}", "metric_logger.filename=stock.txt", "log_every_n_steps=1"]
    tune = str(Path(sys.executable).with_name("tune"))
    subprocess.run([tune, "run", _STOCK_RECIPE, "--config", str(config), *overrides], check=True)
    lines = []
    for line in (folder / "stock.txt").read_text().splitlines():
        pairs = (word.split(":", 1) for word in line.split() if ":" in word)
        lines.append({name: float(value) for name, value in pairs if name.startswith("tokens_per_second")})
    return _speed(lines, "tokens_per_second_per_gpu")


def _ratio(better: float, other: float) -> str:
    return f"{better / other:.2f}"


def _rows(folder: Path, model: Path, runs: int) -> Iterator[Row]:
    own = _experiment(folder / "own", model, ranks=(16,))
    ours, stock = _own_speed(own), _stock_speed(own, folder / "stock")
    yield Row(
        work="LoRA, tokens per second",
        measured=f"{ours:.0f}",
        peer=f"torchtune's {_STOCK_RECIPE}: {stock:.0f}",
        ratio=_ratio(ours, stock),
        goal="≥ 1.0",
    )
    ranks = _RANKS[:runs]
    beside = _experiment(folder / "beside", model, f"- **Runs per GPU:** {runs}", ranks=ranks)
    after = _experiment(folder / "after", model, ranks=ranks)
    together, alone = _run(beside, Stage.PREPARATION), _run(after, Stage.PREPARATION)
    yield Row(
        work=f"{runs} runs on one GPU",
        measured=f"{together:.0f} s side by side",
        peer=f"one after another: {alone:.0f} s",
        ratio=_ratio(alone, together),
        goal="≥ 2",
    )
    one_by_one = _run(after, Stage.EVALUATION)
    if find_spec("vllm") is None:
        yield Row(work="served evaluations", measured="not measured: no vLLM", peer=f"one by one: {one_by_one:.0f} s")
        return
    lines = ("- **Inference:** vllm", f"- **Evaluations per Job:** {runs + 1}")
    served = _experiment(folder / "served", model, *lines, ranks=ranks)
    _run(served, Stage.PREPARATION)
    took = _run(served, Stage.EVALUATION)
    yield Row(
        work=f"{runs + 1} served evaluations",
        measured=f"{took:.0f} s",
        peer=f"one by one: {one_by_one:.0f} s",
        ratio=_ratio(one_by_one, took),
        goal="≥ 3",
    )


def main() -> int:
    """Prints the rows and appends them to RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", help="the directory of a small chat model")
    parser.add_argument("--runs", type=int, default=4, choices=range(2, len(_RANKS) + 1))
    given = parser.parse_args()
    reason = why_not()
    if reason:
        print(reason)
        return 0
    if given.model is None:
        parser.error("name the directory of a model")
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "stock").mkdir()
        rows = list(_rows(Path(name), given.model.resolve(), given.runs))
    report(f"One GPU with {given.model.name}", rows, packages=("torch", "torchtune", "inspect-ai", "vllm"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
