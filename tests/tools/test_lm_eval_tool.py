"""lm-eval's part of a plan: what its jobs are asked for, and which tasks are refused; nothing here imports torch."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.scaffolding import replace, scaffolded
from tunebook import api
from tunebook.core.measures import Direction
from tunebook.core.plan import EvaluationTask
from tunebook.errors import ExitCode
from tunebook.tools.lm_eval.results import LmEvalResults
from tunebook.tools.lm_eval.tasks import read_task
from tunebook.tools.results import LoggedMetric, LogHeader
from tunebook.tools.runtime.lm_eval_index import benchmarks, data_sets, folder_of
from tunebook.tools.runtime.lm_eval_log import scores

PLAN = "experiment_summary.md"
TOOL = "- **Evaluation:** inspect-ai"
ROW = (
    "| capitalization | `/scratch/gpfs/LAB/tasks/cap_task.py` ✓ | `/scratch/gpfs/LAB/data/words_4L_80P_300.json` ✓ |"
    " Exact match on the capitalized word |"
)
DATA = "/scratch/gpfs/LAB/data/words_4L_80P_300.json"
TUNED = "rank8_lr1e-5/eval/capitalization_epoch0.slurm"
BASE = "Llama-3.2-1B_base/eval/capitalization_base.slurm"


def with_task(experiment: Path, script: str = "exact_match", dataset: str = f"`{DATA}`", *settings: str) -> None:
    """The example with lm-eval as its tool, and one task."""
    replace(experiment / PLAN, TOOL, TOOL.replace("inspect-ai", "lm-eval"))
    replace(experiment / PLAN, ROW, f"| capitalization | {script} | {dataset} | words |")
    for setting in settings:
        replace(experiment / PLAN, "\n## Configuration\n", f"\n## Configuration\n- {setting}\n")


def with_words(experiment: Path, **splits: int) -> str:
    """A data set in the experiment's directory with so many examples in its splits."""
    words = [{"input": f"word{number}", "output": f"Word{number}"} for number in range(max(splits.values()))]
    (experiment / "words.json").write_text(json.dumps({split: words[:number] for split, number in splits.items()}))
    return "words.json"


def value_of(experiment: Path, script: str, name: str) -> str:
    """The text that a script assigns to a variable."""
    match = re.search(rf"^{name}=(.*)$", (experiment / script).read_text(), re.MULTILINE)
    assert match
    (value,) = shlex.split(match[1])
    return value


def asked(experiment: Path, script: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(value_of(experiment, script, "asked"))
    return found


def errors_of(experiment: Path) -> list[str]:
    return [str(problem) for problem in api.check(experiment).errors]


def test_a_job_asks_the_plans_questions_with_the_plans_settings(experiment: Path) -> None:
    with_task(experiment, "exact_match", f"`{DATA}`", "**Evaluation Limit:** 5", "**Evaluation Temperature:** 0.5")
    report = scaffolded(experiment)
    assert report.exit_code is ExitCode.DONE
    for script, name in ((TUNED, "capitalization_epoch0"), (BASE, "capitalization_base")):
        assert asked(experiment, script) == {
            "name": name,
            "task": "capitalization",
            "script": "exact_match",
            "limit": 5,
            "generation": {"seed": 14, "max_connections": 32, "temperature": 0.5},
            "dataset": DATA,
            "questions": {
                "dataset_type": "instruct",
                "system_prompt": "Capitalize the given word",
                "prompt": "{input}",
            },
        }
    assert value_of(experiment, TUNED, "model") == "rank8_lr1e-5_epoch0"
    jobs = {job.name: job for job in report.blueprint.jobs}
    job = jobs["rank8_lr1e-5/eval/capitalization_epoch0"]
    assert (job.tool, job.texts, job.data) == ("lm-eval", (TUNED,), (DATA,))
    assert job.needs == ("rank8_lr1e-5/finetune",)


def test_an_edited_training_is_asked_with_its_own_prompts(experiment: Path) -> None:
    with_task(experiment)
    scaffolded(experiment)
    settings = experiment / "rank8_lr1e-5" / "setup_finetune.yaml"
    replace(settings, "system_prompt: Capitalize the given word", "system_prompt: Be brief")
    scaffolded(experiment)
    assert asked(experiment, TUNED)["questions"]["system_prompt"] == "Be brief"
    assert asked(experiment, BASE)["questions"]["system_prompt"] == "Capitalize the given word"


def test_a_benchmark_is_asked_with_its_own_data_and_prompts(experiment: Path) -> None:
    with_task(experiment, "hellaswag", "-", "**Benchmark Shots:** 5", "**Benchmark Chat Template:** yes")
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    found = asked(experiment, BASE)
    assert (found["benchmark"], found["shots"], found["chat_template"]) == ("hellaswag", 5, True)
    assert found["system_prompt"] == "Capitalize the given word"
    assert "dataset" not in found


def test_a_benchmark_that_ignores_the_number_of_examples_is_an_error(experiment: Path) -> None:
    with_task(experiment, "ifeval", "-", "**Benchmark Shots:** 5")
    message = "the benchmark `ifeval` is always asked without examples, but Benchmark Shots is 5"
    assert any(message in error for error in errors_of(experiment))


REFUSED = [
    ("hellaswagg", "-", "hellaswagg is not a task of lm-eval; allowed: `exact_match` for the test split of a data set"),
    ("hellaswagg", "-", "did you mean `hellaswag`"),
    ("`cap_task.py`", "-", "cap_task.py is a file, but lm-eval takes `exact_match`"),
    ("`lm_eval/hellaswag`", "-", "`lm_eval/hellaswag` is a path, but lm-eval takes"),
    ("hellaswag", "`words.json`", "the benchmark `hellaswag` brings its own data, but Dataset is words.json"),
    ("exact_match", "-", "`exact_match` asks about a data set, but Dataset is `-`"),
    ("exact_match@words", "", "lm-eval has no functions in its tasks, but the Script has `@words`"),
]


@pytest.mark.parametrize(("script", "dataset", "message"), REFUSED, ids=[message[:50] for *_, message in REFUSED])
def test_a_task_that_lm_eval_does_not_have_is_an_error_with_its_line(
    experiment: Path, script: str, dataset: str, message: str
) -> None:
    with_words(experiment, train=4, test=4)
    with_task(experiment, script, dataset)
    (error,) = errors_of(experiment)
    assert error.startswith(f"{PLAN}:57: ")
    assert message in error


@pytest.mark.parametrize(
    ("splits", "setting", "message"),
    [
        ({"train": 4}, "**Evaluation Limit:** 2", "asks about the test split, but words.json has none"),
        (
            {"train": 4, "test": 3},
            "**Evaluation Limit:** 4",
            "Evaluation Limit is 4, but the test split of words.json has only 3",
        ),
    ],
)
def test_a_data_set_without_enough_questions_is_an_error(
    experiment: Path, splits: dict[str, int], setting: str, message: str
) -> None:
    with_task(experiment, "exact_match", with_words(experiment, **splits), setting)
    assert any(message in error for error in errors_of(experiment))


def test_the_data_of_a_benchmark_are_a_prerequisite_with_the_command_to_get_them(
    experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    with_task(experiment, "hellaswag", "-")
    (warning,) = [str(item) for item in api.check(experiment).warnings if "Hugging Face Hub" in str(item)]
    assert f"{tmp_path}/home/datasets lacks (Rowan/hellaswag); jobs are offline" in warning
    assert "python -m tunebook.tools.runtime.lm_eval_data hellaswag" in warning
    (tmp_path / "home" / "datasets" / "Rowan___hellaswag").mkdir(parents=True)
    assert not [item for item in api.check(experiment).warnings if "Hugging Face Hub" in str(item)]


def test_a_benchmark_that_leaves_the_system_prompt_out_is_a_warning(experiment: Path) -> None:
    with_task(experiment, "hellaswag", "-")
    message = "the benchmark `hellaswag` is asked without the plan's System Prompt and without a chat template"
    assert any(message in str(item) for item in api.check(experiment).warnings)


def test_benchmarks_are_found_without_importing_lm_eval_or_torch() -> None:
    known = benchmarks()
    assert known is not None
    assert [known[name].kind for name in ("hellaswag", "mmlu", "ai2_arc")] == ["task", "group", "tag"]
    assert data_sets("mmlu") == ["cais/mmlu"]
    assert folder_of("mmlu") == known["mmlu"].files[0].parents[1]
    assert folder_of("ai2_arc") is None
    code = "import sys; from tunebook.tools.lm_eval.tool import LmEvalTool; from pathlib import Path\n"
    code += "LmEvalTool().read_tasks(Path('mmlu')); print({'torch', 'lm_eval', 'datasets'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_without_lm_eval_here_a_benchmark_is_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scaffolding works where nothing can be run."""
    monkeypatch.setattr("tunebook.tools.runtime.lm_eval_index.find_spec", lambda _: None)
    assert read_task(Path("hellaswag")).unread == "lm-eval is not installed here"
    assert read_task(Path("exact_match")).functions


def _mean(rows: list[dict[str, Any]]) -> float:
    return float(sum(row["acc"] for row in rows) / max(1, len(rows)))


def write_log(run: Path, tasks: dict[str, list[dict[str, Any]]], **changes: Any) -> Path:
    """Files as lm-eval writes them, with the samples of some tasks."""
    folder = run / "eval" / "logs" / "attempt"
    folder.mkdir(parents=True, exist_ok=True)
    stamp = "2026-01-02T10-00-00.123456"
    results: dict[str, Any] = {
        "results": {task: {"acc,none": _mean(rows), "acc_stderr,none": 0.1} for task, rows in tasks.items()},
        "configs": {task: {"metric_list": [{"metric": "acc", "aggregation": "mean"}]} for task in tasks},
        "n-samples": {task: {"original": 9, "effective": len(rows)} for task, rows in tasks.items()},
        "date": 1767348000.0,
        "model_name": "rank8_epoch1",
    }
    log = folder / f"results_{stamp}.json"
    log.write_text(json.dumps(results | changes))
    for task, rows in tasks.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"samples_{task}_{stamp}.jsonl").write_text(text)
    return log


def choice(number: int, right: float, filtering: str = "none") -> dict[str, Any]:
    """A sample of a multiple-choice task, in which the second choice is the most probable one."""
    return {
        "doc_id": number,
        "doc": {"question": "?"},
        "target": "1",
        "arguments": {f"gen_args_{place}": {"arg_0": "Q:", "arg_1": f" choice {place}"} for place in range(2)},
        "filtered_resps": [["-3.5", "False"], ["-0.5", "True"]],
        "filter": filtering,
        "metrics": ["acc"],
        "acc": right,
    }


def test_the_samples_of_a_group_are_named_after_their_tasks(tmp_path: Path) -> None:
    log = write_log(tmp_path, {"mmlu_b": [choice(0, 1.0)], "mmlu_a": [choice(10, 0.0), choice(2, 1.0)]})
    reader = LmEvalResults()
    assert reader.log_files(tmp_path) == [log]
    samples = reader.read_samples([log]).readings[log]
    assert samples.ids == ("mmlu_a/2", "mmlu_a/10", "mmlu_b/0")
    assert samples.values == {"acc": (1.0, 0.0, 1.0)}
    assert set(samples.answers) == set(samples.targets) == {"choice 1"}
    header = reader.read_headers([log]).readings[log]
    assert (header.samples, header.created) == (3, "2026-01-02T10:00:00+00:00")


def test_a_metric_of_several_filters_is_a_measure_each(tmp_path: Path) -> None:
    rows = [choice(0, 1.0, "strict"), choice(0, 0.0, "flexible")]
    log = write_log(tmp_path, {"gsm8k": rows}, results={"gsm8k": {"acc,strict": 1.0, "acc,flexible": 0.0}})
    reader = LmEvalResults()
    assert reader.read_samples([log]).readings[log].values == {"acc/strict": (1.0,), "acc/flexible": (0.0,)}
    metrics = reader.read_headers([log]).readings[log].metrics
    assert metrics == {
        "acc/strict": (LoggedMetric("mean", 1.0, is_mean=True),),
        "acc/flexible": (LoggedMetric("mean", 0.0, is_mean=True),),
    }


def test_a_measure_of_all_samples_together_is_no_score_of_a_sample(tmp_path: Path) -> None:
    """lm-eval logs the likelihood of each answer as its perplexity."""
    rows = [
        choice(number, 1.0) | {"metrics": ["perplexity", "acc"], "perplexity": -1.0 - number} for number in range(2)
    ]
    log = write_log(tmp_path, {"lambada": rows}, results={"lambada": {"perplexity,none": 4.48, "acc,none": 1.0}})
    assert LmEvalResults().read_samples([log]).readings[log].values == {"acc": (1.0, 1.0)}


def test_a_torn_log_does_not_hide_the_others(tmp_path: Path) -> None:
    whole = write_log(tmp_path / "a", {"words": [choice(0, 1.0)]})
    torn = write_log(tmp_path / "b", {"words": [choice(0, 1.0)]})
    torn.write_text(torn.read_text()[:100])
    foreign = write_log(tmp_path / "c", {"words": []})
    foreign.write_text("{}")
    headers = LmEvalResults().read_headers([torn, foreign, whole])
    assert list(headers.readings) == [whole]
    assert headers.unreadable[torn].startswith("it is not valid JSON")
    assert headers.unreadable[foreign].startswith("it is not what lm-eval writes")
    assert list(LmEvalResults().read_samples([torn, whole]).readings) == [whole]


def test_a_log_belongs_to_the_task_that_it_names_and_to_the_epoch_of_its_model() -> None:
    tasks = [EvaluationTask("words", "exact_match"), EvaluationTask("sense", "hellaswag")]

    def subject(task: str, model: str, script: str = "") -> tuple[str | None, int | None]:
        header = LogHeader(status="success", created="", model=model, task=task, task_file=script)
        found = LmEvalResults().subject_of(header, tasks)
        return found.task, found.epoch

    assert subject("words", "rank8_epoch1", "exact_match") == ("words", 1)
    assert subject("hellaswag", "rank8_base") == ("sense", None)
    assert subject("mmlu", "x") == (None, None)
    assert subject("earlier_words", "x", "exact_match") == (None, None)  # of other data, perhaps


@pytest.mark.parametrize(
    ("value", "is_mean", "note"),
    [
        (0.75, True, ""),
        (0.5, False, "it gives each of its 2 benchmarks the same weight, whatever its number of samples"),
        (0.9, False, "it averages 2 benchmarks in a way of its own"),
    ],
)
def test_a_groups_value_is_the_mean_of_its_samples_or_explained(
    tmp_path: Path, value: float, *, is_mean: bool, note: str
) -> None:
    tasks = {"large": [choice(number, 1.0) for number in range(3)], "small": [choice(0, 0.0)]}
    results = {"group": {"acc,none": value}, "large": {"acc,none": 1.0}, "small": {"acc,none": 0.0}}
    log = write_log(
        tmp_path,
        tasks,
        results=results,
        groups={"group": {"acc,none": value}},
        group_subtasks={"group": ["large", "small"]},
        higher_is_better={"large": {"acc": False}, "small": {"acc": False}},
    )
    header = LmEvalResults().read_headers([log]).readings[log]
    assert header.metrics == {"acc": (LoggedMetric("mean", value, is_mean=is_mean, note=note),)}
    assert header.directions == {"acc": Direction.LOWER}
    (shown, *_) = scores(json.loads(log.read_text()))
    assert (shown["scorer"], shown["value"]) == ("group/acc", value)


def test_benchmarks_without_a_common_value_are_explained(tmp_path: Path) -> None:
    log = write_log(tmp_path, {"large": [choice(0, 1.0), choice(1, 1.0)], "small": [choice(0, 0.0)]})
    header = LmEvalResults().read_headers([log]).readings[log]
    (metric,) = header.metrics["acc"]
    assert (metric.name, metric.value, metric.is_mean) == ("mean of large", 1.0, False)
    assert metric.note == "it has no value of its 2 benchmarks together, and this is that of large"


def test_a_metric_of_all_samples_together_is_shown_and_no_mean(tmp_path: Path) -> None:
    rows = [choice(number, 1.0) | {"metrics": ["acc", "f1"], "f1": [1, 1]} for number in range(2)]
    metrics = [
        {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
        {"metric": "f1", "aggregation": "f1", "higher_is_better": True},
    ]
    results = {"cb": {"acc,none": 1.0, "f1,none": 0.6, "f1_stderr,none": 0.1, "sample_len": 2}}
    log = write_log(tmp_path, {"cb": rows}, results=results, configs={"cb": {"metric_list": metrics}})
    header = LmEvalResults().read_headers([log]).readings[log]
    assert header.metrics == {
        "acc": (LoggedMetric("mean", 1.0, is_mean=True),),
        "f1": (LoggedMetric("f1", 0.6),),
    }
    assert header.directions == {"acc": Direction.HIGHER, "f1": Direction.HIGHER}
