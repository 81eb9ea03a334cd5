"""An evaluation job before and after inspect-ai: the model is complete, and the log shows what was asked for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from support.evaluation_jobs import evaluate_mock, verified, write_adapter
from support.tiny_model import CHAT_TEMPLATE, build_tiny_model
from tunebook.tools.runtime import inspect_job
from tunebook.tools.runtime.chat import pinned_template
from tunebook.tools.runtime.inspect_eval import LOADER
from tunebook.tools.runtime.job_errors import reported
from tunebook.tools.runtime.steering import remove_steering

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another
DATED = "{% set today = strftime_now('%d %b %Y') %}{{ today }}\n" + CHAT_TEMPLATE


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


def prepared(model: Path, out: Path, **options: Any) -> dict[str, Any]:
    """The arguments of inspect-ai's ``hf`` provider."""
    inspect_job.prepare(model, out, precision="fp32", **options)
    arguments: dict[str, Any] = json.loads(out.read_text())
    return arguments


def test_todays_date_in_a_template_is_pinned_for_training_and_evaluation(tmp_path: Path) -> None:
    """A template that asks for today's date renders the same in both, whatever the day."""
    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    model = build_tiny_model(tmp_path / "dated", chat_template=DATED)
    (tmp_path / "d.json").write_text(json.dumps({"train": [{"input": "c", "output": "C"}]}))
    tokenizer = chat_tokenizer(str(model))
    whole = tokenizer.decode(dataset(tokenizer, path=str(tmp_path / "d.json"))[0]["tokens"])
    assert whole.startswith("26 Jul 2024\n<|im_start|>user")
    asked = tokenizer.hf.apply_chat_template(
        [{"role": "user", "content": "c"}],
        chat_template=prepared(model, tmp_path / "m.json")["chat_template"],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert whole.startswith(str(asked))
    assert pinned_template(CHAT_TEMPLATE) == CHAT_TEMPLATE


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "was not found: its training has not ended, or has failed"),
        (("config.json",), "holds no complete model"),
        (
            ("config.json", "model.safetensors", "adapter_config.json", "tokenizer.json"),
            "both merged weights and an adapter",
        ),
        (("config.json", "model.safetensors"), "holds no tokenizer"),
        (("adapter_config.json",), "names no base model: write its directory as `base_model_name_or_path`"),
    ],
)
def test_a_checkpoint_that_cannot_be_evaluated_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: tuple[str, ...], message: str
) -> None:
    folder = tmp_path / "epoch_0"
    for name in files:
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("{}")
    code = reported(lambda: inspect_job.prepare(folder, tmp_path / "m.json", precision="fp32"))
    (line,) = capsys.readouterr().err.splitlines()
    assert (code, message in line) == (1, True)


def test_an_adapter_is_asked_with_the_tokenizer_of_its_base(tmp_path: Path, model: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", model)
    arguments = prepared(adapter, tmp_path / "m.json")
    assert (arguments["base"], arguments["tokenizer_path"]) == (str(model), str(model))
    assert (arguments["auto_model_class"], arguments["precision"]) == (LOADER, "fp32")
    elsewhere = build_tiny_model(tmp_path / "elsewhere")
    assert prepared(adapter, tmp_path / "m.json", base=elsewhere)["base"] == str(elsewhere)


def breaking() -> Any:
    """A solver that fails on the second sample."""
    from inspect_ai.solver import generate, solver

    @solver
    def broken() -> Any:
        async def solve(state: Any, _: Any) -> Any:
            if state.sample_id == 2:
                raise RuntimeError("broken sample")
            return state

        return solve

    return [broken(), generate()]


@pytest.mark.parametrize(("fails", "limit", "code"), [(False, None, 0), (False, 2, 0), (False, 3, 1), (True, None, 1)])
def test_an_evaluation_counts_only_with_all_its_samples(
    tmp_path: Path, fails: bool, limit: int | None, code: int
) -> None:
    """inspect-ai's own exit code is 0 in every one of these."""
    solvers = breaking() if fails else None
    logs = evaluate_mock(tmp_path / "logs", solvers=solvers, limit=limit, fail_on_error=False)
    found, result = verified(logs, limit=limit)
    assert (found, result["status"], result["failed"]) == (code, "success", int(fails))


def test_a_missing_log_of_this_attempt_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = evaluate_mock(tmp_path / "logs")
    assert verified(logs, since=99999999999) == (1, {})
    assert "ended without writing a log to" in capsys.readouterr().err


def write_as(log: Path, task: str, *, later: float) -> Path:
    """A copy of a log beside it, of a task with another name, written some seconds later."""
    from inspect_ai.log import read_eval_log, write_eval_log

    content = read_eval_log(str(log))
    content.eval.task = task
    path = log.with_name(f"{task}.eval")
    write_eval_log(content, str(path))
    moment = log.stat().st_mtime + later
    os.utime(path, (moment, moment))
    return path


def test_the_log_is_that_of_the_own_task_where_another_one_ended_later(tmp_path: Path) -> None:
    """Evaluations of one run by several tasks write to one directory, also at the same time."""
    (log,) = evaluate_mock(tmp_path / "logs").glob("*.eval")
    own = write_as(log, "own", later=1)
    write_as(log, "other", later=2)
    (tmp_path / "logs" / "torn.eval").write_bytes(own.read_bytes()[:300])
    os.utime(tmp_path / "logs" / "torn.eval", (own.stat().st_mtime + 0.5,) * 2)
    code, result = verified(tmp_path / "logs", task="/tasks/tasks.py@own")
    assert (code, result["log"]) == (0, str(own))


def test_an_evaluation_that_broke_off_is_recorded_without_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = evaluate_mock(tmp_path / "logs", solvers=breaking(), fail_on_error=True)
    code, result = verified(logs)
    assert code == 1
    assert "is error: " in capsys.readouterr().err
    assert (result["status"], result["samples"], result["completed"], result["scores"]) == ("error", 0, 0, [])


def test_a_log_of_another_evaluation_is_a_failure_that_names_each_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every one of these options could come from a variable or a ``.env`` file."""
    steered: dict[str, Any] = {
        "limit": 1,
        "temperature": 0.9,
        "system_message": "Be wrong",
        "max_tokens": 3,
        "seed": 2,
        "top_p": 0.5,
    }
    logs = evaluate_mock(tmp_path / "logs", **steered)
    code, result = verified(logs, generation={"seed": 14, "max_tokens": 12})
    message = capsys.readouterr().err
    assert code == 1
    for part in (
        "limit is 1 instead of not set",
        "temperature is 0.9 instead of not set",
        "system_message is 'Be wrong' instead of not set",
        "max_tokens is 3 instead of 12",
        "seed is 2 instead of 14",
        "top_p is 0.5 instead of not set",
    ):
        assert part in message
        assert part in result["differences"]


def test_other_models_arguments_and_samples_are_differences(tmp_path: Path) -> None:
    logs = evaluate_mock(tmp_path / "logs", sample_id=2)
    _, result = verified(logs, model="hf/rank4_epoch0", splits={"train": 2, "test": 40})
    assert result["differences"] == [
        "the model is 'mockllm/model' instead of 'hf/rank4_epoch0'",
        "sample_id is 2 instead of not set",
    ]
    assert result["in_effect"]["by_task"]["samples"] == "2, but the test split has 40 and train has 2"
    (tmp_path / "logs").rename(tmp_path / "before")
    logs = evaluate_mock(tmp_path / "logs")
    _, result = verified(logs, splits={"train": 9, "test": 1})
    assert result["differences"] == [
        "the task has 2 samples, but the test split has 1 (see the Dataset of the tasks table)"
    ]
    assert verified(logs, splits={"train": 9, "test": 2})[0] == 0


@pytest.mark.parametrize(
    ("location", "dataset", "differs"),
    [
        ("/data/other.json", "/data/words.json", True),
        ("/data/words.json", "/data/words.json", False),
        ("/data/words/test.jsonl", "/data/words", False),
        ("owner/words", "/data/words.json", False),
        ("/data/other.json", "", False),
    ],
)
def test_a_task_that_reads_another_file_is_a_difference(
    tmp_path: Path, location: str, dataset: str, differs: bool
) -> None:
    logs = evaluate_mock(tmp_path / "logs", location=location)
    code, result = verified(logs, dataset=dataset)
    assert code == int(differs)
    if differs:
        assert result["differences"] == ["the data set is /data/other.json instead of /data/words.json"]


def test_a_task_may_choose_what_the_plan_leaves_open_but_nothing_else(tmp_path: Path) -> None:
    from inspect_ai import Epochs
    from inspect_ai.model import GenerateConfig
    from inspect_ai.solver import generate

    own = GenerateConfig(top_p=0.5, stop_seqs=["x"], temperature=0.3)
    logs = evaluate_mock(
        tmp_path / "logs", solvers=generate(max_tokens=5), config=own, max_tokens=12, epochs=Epochs(2, "max")
    )
    code, result = verified(logs, generation={"max_tokens": 12}, splits={"test": 30})
    assert code == 1
    assert result["differences"] == [
        "the task sets temperature to 0.3, but the plan evaluates greedily (Evaluation Temperature)",
        "the solver generate sets max_tokens to 5 instead of 12",
    ]
    chosen = result["in_effect"]["by_task"]
    assert (chosen["top_p"], chosen["stop_seqs"], chosen["epochs"], chosen["epochs_reducer"]) == (
        0.5,
        ["x"],
        2,
        ["max"],
    )
    assert chosen["samples"] == "2, but the test split has 30"


def test_variables_that_could_steer_are_removed_and_caches_stay() -> None:
    environment = {
        "INSPECT_EVAL_LIMIT": "2",
        "INSPECT_LOG_FORMAT": "json",
        "ACCELERATE_MIXED_PRECISION": "fp16",
        "TRANSFORMERS_VERBOSITY": "info",
        "HF_ENDPOINT": "x",
        "NVIDIA_TF32_OVERRIDE": "1",
        "HF_HOME": "/cache",
        "HF_HUB_OFFLINE": "1",
        "HF_TOKEN": "secret",
        "PATH": "/bin",
    }
    assert remove_steering(environment) == [
        "ACCELERATE_MIXED_PRECISION",
        "HF_ENDPOINT",
        "INSPECT_EVAL_LIMIT",
        "INSPECT_LOG_FORMAT",
        "NVIDIA_TF32_OVERRIDE",
        "TRANSFORMERS_VERBOSITY",
    ]
    no_bars = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"}
    kept = {"HF_HOME": "/cache", "HF_HUB_OFFLINE": "1", "HF_TOKEN": "secret", "PATH": "/bin"}
    assert environment == kept | no_bars
    assert remove_steering(environment) == []
