"""How soon an evaluation asks its first sample, and how long it takes, beside inspect-ai and lm-eval by hand.

python benchmarks/evaluation.py [--model DIR] [--rounds N] [--evaluations N]

Own jobs and peers take turns, on the same model, data and settings. The first sample is the first call of the model's
``generate``. Served evaluations are measured where vLLM is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from results import Row, report

from support.tiny_model import build_tiny_model, write_tiny_experiment
from tunebook.api import scaffold
from tunebook.core.jobs import Job, Stage
from tunebook.core.plan import Tools
from tunebook.disk.manifest import read_manifest
from tunebook.disk.program import own_python_first

_NOT_MEASURED = "not measured: no vLLM"
_PROMPT = "Capitalize the given word: {input}"
_HOOK = """
import importlib.util, os, sys, time

class _Marks:  # notes when Transformers' generate is called first
    def find_spec(self, name, path=None, target=None):
        if name != "transformers.generation.utils":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module
        def marked(module):
            execute(module)
            own = module.GenerationMixin.generate
            def generate(model, *given, **options):
                if not os.path.exists(os.environ["BENCHMARK_MARK"]):
                    with open(os.environ["BENCHMARK_MARK"], "w") as mark:
                        mark.write(str(time.time()))
                return own(model, *given, **options)
            module.GenerationMixin.generate = generate
        spec.loader.exec_module = marked
        return spec

if "BENCHMARK_MARK" in os.environ:
    sys.meta_path.insert(0, _Marks())
"""
_LM_EVAL_TASK = """\
task: words
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{prompt}"
doc_to_target: "{{{{output}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 12, do_sample: false}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""


@dataclass(frozen=True)
class _Taken:
    """Seconds until the first sample, of the whole, and of computing."""

    before: float
    whole: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.before:.1f} s, whole {self.whole:.1f} s, CPU {self.cpu:.1f} s"


@dataclass(frozen=True)
class _Bench:
    """The folder of a benchmark with its model."""

    folder: Path
    model: Path

    def experiment(self, tool: str, *, shared: int = 1) -> Path:
        """An experiment that evaluates the base model; ``shared`` is the number of evaluations per job."""
        directory = self.folder / f"{tool}{shared}"
        scripts = {"lm-eval": "exact_match"} if tool == "lm-eval" else {}
        per_job = ("- **Evaluation Seed:** 14", f"- **Evaluation Seed:** 14\n- **Evaluations per Job:** {shared}")
        tools = Tools(evaluation=(tool,), assumed=False)
        write_tiny_experiment(directory, self.model, per_job, tools=tools, scripts=scripts)
        scaffold(directory)
        return directory

    def timed(self, command: Sequence[str], directory: Path, **variables: str) -> _Taken:
        """Runs a command and returns what it took.

        Raises:
            SystemExit: it failed.
        """
        mark = self.folder / "first_sample"
        mark.unlink(missing_ok=True)
        own = {"BENCHMARK_MARK": str(mark), "PYTHONPATH": str(self.folder / "hook"), "HF_HUB_OFFLINE": "1"}
        computed, begun = _computed(), time.time()
        done = subprocess.run(
            command,
            cwd=directory,
            env=own_python_first({**os.environ, **own, **variables}),
            capture_output=True,
            text=True,
            check=False,
        )
        whole = time.time() - begun
        if done.returncode or not mark.exists():
            raise SystemExit(f"{' '.join(command)} failed ({done.returncode}):\n{done.stdout}\n{done.stderr}")
        taken = _Taken(float(mark.read_text()) - begun, whole, _computed() - computed)
        print(f"{command[0]} {Path(command[1]).name}: {taken}", file=sys.stderr)
        return taken


def _computed() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _of_base(experiment: Path) -> Job:
    """The evaluation of the base model, which needs no training."""
    jobs = read_manifest(experiment).jobs
    return next(job for job in jobs if job.stage is Stage.EVALUATION and not job.needs)


def _own(bench: _Bench, experiment: Path) -> Callable[[], _Taken]:
    job = _of_base(experiment)
    return lambda: bench.timed(["bash", str(experiment / job.script)], experiment / job.directory)


def _inspect_by_hand(bench: _Bench, experiment: Path) -> Callable[[], _Taken]:
    command = ["inspect", "eval", f"{experiment / 'cap_task.py'}@capitalization", "--model", "hf/local"]
    command += ["-M", f"model_path={bench.model}", "-M", "do_sample=false", "--log-dir", str(bench.folder / "by_hand")]
    arguments = bench.folder / "task.json"
    arguments.write_text(json.dumps({"dataset_path": str(experiment / "words.json"), "prompt": _PROMPT}))
    command += ["--task-config", str(arguments)]
    command += ["--seed", "14", "--max-connections", "32", "--max-tokens", "12", "--display", "plain"]
    return lambda: bench.timed(command, bench.folder)


def _lm_eval_by_hand(bench: _Bench, experiment: Path) -> Callable[[], _Taken]:
    tasks = bench.folder / "tasks"
    tasks.mkdir()
    records = json.loads((experiment / "words.json").read_text())["test"]
    data = tasks / "test.jsonl"
    data.write_text("".join(json.dumps(record) + "\n" for record in records))
    prompt = _PROMPT.replace("{input}", "{{input}}")
    (tasks / "words.yaml").write_text(_LM_EVAL_TASK.format(data=data, prompt=prompt))
    command = [
        "lm_eval",
        "--model",
        "hf",
        "--model_args",
        f"pretrained={bench.model},dtype=float32",
        "--tasks",
        "words",
    ]
    command += ["--include_path", str(tasks), "--batch_size", "32", "--device", "cpu", "--apply_chat_template"]
    command += ["--output_path", str(bench.folder / "by_hand"), "--log_samples"]
    return lambda: bench.timed(command, bench.folder)


@contextmanager
def _shared_process(bench: _Bench, experiment: Path) -> Iterator[tuple[Path, float, float]]:
    """A process that evaluations share: its file, and the seconds and CPU seconds of its start."""
    file = bench.folder / "service" / "service.json"
    file.parent.mkdir()
    begun = time.time()
    environment = {**os.environ, "TUNEBOOK_SERVICE_FILE": str(file), "HF_HUB_OFFLINE": "1"}
    environment |= {"PYTHONPATH": str(bench.folder / "hook"), "BENCHMARK_MARK": str(bench.folder / "first_sample")}
    command = ["bash", str(experiment / "warm_inspect.sh")]
    with subprocess.Popen(command, env=own_python_first(environment), stdout=subprocess.DEVNULL) as process:
        try:
            while not file.exists():
                if process.poll() is not None:
                    raise SystemExit("the process that evaluations share did not start")
                time.sleep(0.05)
            yield file, time.time() - begun, begun
        finally:
            process.terminate()


def _sharing(bench: _Bench, number: int) -> _Taken:
    """Several evaluations in the process that they share, with its start."""
    experiment = bench.experiment("inspect-ai", shared=number)
    job = _of_base(experiment)
    computed = _computed()
    with _shared_process(bench, experiment) as (file, start, begun):
        command = ["bash", str(experiment / job.script)]
        taken = [bench.timed(command, experiment / job.directory, TUNEBOOK_SERVICE=str(file)) for _ in range(number)]
    whole = time.time() - begun
    return _Taken(start + taken[0].before, whole, _computed() - computed)


def _one_by_one(work: Callable[[], _Taken], number: int) -> _Taken:
    taken = [work() for _ in range(number)]
    return _Taken(taken[0].before, sum(one.whole for one in taken), sum(one.cpu for one in taken))


def _in_turns(works: Mapping[str, Callable[[], _Taken]], rounds: int) -> dict[str, _Taken]:
    """The median of each work, each done once a round."""
    found: dict[str, list[_Taken]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            found[name].append(work())
    return {name: _Taken(*map(median, zip(*map(astuple, taken), strict=True))) for name, taken in found.items()}


def _row(work: str, own: _Taken, peer: str, other: _Taken) -> Row:
    ratio = f"{own.before / other.before:.2f}, whole {own.whole / other.whole:.2f}, CPU {own.cpu / other.cpu:.2f}"
    return Row(work=work, measured=str(own), peer=f"{peer}: {other}", ratio=ratio)


def _rows(bench: _Bench, rounds: int, number: int) -> Iterator[Row]:
    inspect, lm_eval = bench.experiment("inspect-ai"), bench.experiment("lm-eval")
    works = {
        "inspect": _own(bench, inspect),
        "inspect by hand": _inspect_by_hand(bench, inspect),
        "lm-eval": _own(bench, lm_eval),
        "lm-eval by hand": _lm_eval_by_hand(bench, lm_eval),
    }
    taken = _in_turns(works, rounds)
    yield _row("inspect-ai: before the first sample", taken["inspect"], "inspect eval", taken["inspect by hand"])
    yield _row("lm-eval: before the first sample", taken["lm-eval"], "lm_eval", taken["lm-eval by hand"])
    alone = _one_by_one(works["inspect"], number)
    yield _row(f"{number} evaluations that share a process", _sharing(bench, number), "one by one", alone)
    if find_spec("vllm") is None:
        yield Row(work=f"{number} served evaluations", measured=_NOT_MEASURED, peer=f"one by one: {alone}")


def main() -> int:
    """Prints the rows and appends them to RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a model's directory; without it, a tiny random model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--evaluations", type=int, default=4, help="how many share a process")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hook").mkdir()
        (folder / "hook" / "sitecustomize.py").write_text(_HOOK)
        model = given.model or build_tiny_model(folder / "model")
        rows = list(_rows(_Bench(folder, model.resolve()), given.rounds, given.evaluations))
    title = f"An evaluation of 40 samples of {given.model.name if given.model else 'a tiny model'} on the CPU"
    report(title, rows, packages=("inspect-ai", "lm-eval", "torch", "transformers", "vllm"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
