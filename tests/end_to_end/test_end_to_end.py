"""From the plan to scores, with real torchtune and real inspect-ai on a tiny model, through the command line."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.command_line import tunebook
from support.leaks import files_with_secrets
from support.tiny_model import MODEL, build_tiny_model, write_tiny_experiment

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another


@dataclass(frozen=True)
class Finished:
    """An experiment after its run, and the output of the command line."""

    directory: Path
    page_before: str
    document: dict[str, Any]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Two ranks and the base model, trained and evaluated once for all the tests here."""
    root = tmp_path_factory.mktemp("end to end")
    model = build_tiny_model(root / MODEL)
    directory = root / "tiny"
    page = write_tiny_experiment(directory, model)
    assert tunebook(directory, "scaffold").returncode == 0
    done = tunebook(directory, "run", "--jobs", "2", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return Finished(directory, page, json.loads(done.stdout))


def test_everything_planned_is_completed(finished: Finished) -> None:
    states = {job["name"]: job["state"] for job in finished.document["data"]["jobs"]}
    assert states == {
        "rank4/finetune": "completed",
        "rank16/finetune": "completed",
        "rank4/eval/capitalization_epoch0": "completed",
        "rank16/eval/capitalization_epoch0": "completed",
        "SmolLM2-135M_base/eval/capitalization_base": "completed",
    }
    assert finished.document["ok"] is True


def test_training_learns_and_writes_its_metrics(finished: Finished) -> None:
    lines = (finished.directory / "rank16" / "artifacts" / "metrics.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["step"] for entry in entries] == list(range(1, 41))
    assert {entry["epoch"] for entry in entries} == {0}
    assert {entry["total_steps"] for entry in entries} == {40}
    assert entries[-1]["loss"] < 0.9 * entries[0]["loss"]  # adapters on random weights cannot learn much more
    assert all(entry["tokens_per_second"] > 0 and entry["peak_memory_gb"] > 0 for entry in entries)
    assert entries[0]["lr"] == pytest.approx(1e-2)  # the rate of the step itself, not of the next one
    assert entries[-1]["lr"] == pytest.approx(1e-2 * (1 + math.cos(math.pi * 39 / 40)) / 2)


def test_a_checkpoint_is_an_adapter_that_names_its_base(finished: Finished) -> None:
    checkpoint = finished.directory / "rank4" / "artifacts" / "epoch_0"
    settings = json.loads((checkpoint / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == str(finished.directory.parent / MODEL)
    assert (settings["r"], settings["lora_alpha"], settings["task_type"]) == (4, 8, "CAUSAL_LM")
    assert (checkpoint / "adapter_model.safetensors").is_file()
    assert (checkpoint / "chat_template.jinja").is_file()
    assert not list(checkpoint.glob("model*"))
    assert not (checkpoint.parent / "recipe_state").exists()


def test_the_trained_weights_are_evaluated(finished: Finished) -> None:
    from inspect_ai.log import read_eval_log

    scores = {job["run"]: job["score"] for job in finished.document["data"]["jobs"] if job["stage"] == "evaluation"}
    answers = {}
    for directory in ("rank16", "SmolLM2-135M_base"):
        (path,) = (finished.directory / directory / "eval" / "logs").glob("*.eval")
        log = read_eval_log(str(path))
        answers[directory] = [sample.output.completion for sample in log.samples or []]
        right = [sample.output.completion.strip() == sample.target for sample in log.samples or []]
        run = f"{MODEL}_{directory.removeprefix('SmolLM2-135M_')}"
        assert scores[run] == sum(right) / len(right)
    assert answers["rank16"] != answers["SmolLM2-135M_base"]


def stamps_of(directory: Path) -> dict[Path, int]:
    """The time of every file, without tunebook's own cache."""
    return {path: path.stat().st_mtime_ns for path in directory.rglob("*") if ".tunebook" not in path.parts}


def test_a_spot_check_gives_the_answers_of_the_logs(finished: Finished) -> None:
    """The run's model and its base model, with the texts that they were asked, in the order of the data."""
    from inspect_ai.log import read_eval_log

    before = stamps_of(finished.directory)
    done = tunebook(finished.directory, "spot-check", "rank16", "--samples", "4", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert stamps_of(finished.directory) == before
    data = json.loads(done.stdout)["data"]
    logged = {}
    for directory in ("rank16", "SmolLM2-135M_base"):
        (path,) = (finished.directory / directory / "eval" / "logs").glob("*.eval")
        logged[directory] = (read_eval_log(str(path)).samples or [])[:4]
    answers = data["answers"]
    assert [answer["id"] for answer in answers] == [str(sample.id) for sample in logged["rank16"]]
    assert [answer["target"] for answer in answers] == [sample.target for sample in logged["rank16"]]
    for key, directory in (("run", "rank16"), ("base", "SmolLM2-135M_base")):
        assert [answer[key] for answer in answers] == [sample.output.completion for sample in logged[directory]]
    assert [answer["equal"] for answer in answers] == [answer["run"] == answer["base"] for answer in answers]
    assert not all(answer["equal"] for answer in answers)
    word = "Capitalize the given word: house"
    assert answers[0]["prompt"] == f"<|im_start|>user\n{word}<|im_end|>\n<|im_start|>assistant\n"
    assert answers[0]["base_prompt"] == answers[0]["prompt"]
    assert data["model"] == str(finished.directory / "rank16" / "artifacts" / "epoch_0")


def test_a_spot_check_asks_a_persons_own_inputs_in_the_plans_prompt(finished: Finished) -> None:
    done = tunebook(finished.directory, "spot-check", "rank16/", "--prompt", "house", "--prompt", 'a {x} "y"', "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    asked = json.loads(done.stdout)["data"]["answers"]
    assert [answer["input"] for answer in asked] == [
        f"Capitalize the given word: {text}" for text in ("house", 'a {x} "y"')
    ]
    assert [answer["target"] for answer in asked] == [None, None]
    of_samples = json.loads(tunebook(finished.directory, "spot-check", "rank16", "--samples", "1", "--json").stdout)
    (same,) = of_samples["data"]["answers"]  # the first sample of the data is this word
    assert (asked[0]["prompt"], asked[0]["run"], asked[0]["base"]) == (same["prompt"], same["run"], same["base"])


def test_a_spot_check_of_a_control_run_asks_the_base_model_only(finished: Finished) -> None:
    done = tunebook(
        finished.directory, "spot-check", f"{MODEL}_base", "--samples", "1", "--max-tokens", "2", "--show-prompt"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{MODEL}_base: the base model {MODEL}" in done.stdout
    assert "greedy, at most 2 tokens" in done.stdout
    assert "│ Capitalize the given word: house<|im_end|>" in done.stdout
    assert "  base " in done.stdout
    assert "  run " not in done.stdout


def test_evaluation_is_greedy_seeded_and_offline(finished: Finished) -> None:
    from inspect_ai.log import read_eval_log

    (path,) = (finished.directory / "rank4" / "eval" / "logs").glob("*.eval")
    log = read_eval_log(str(path))
    assert log.eval.model == "hf/rank4_epoch0"
    assert log.eval.model_args["do_sample"] is False
    assert log.eval.model_args["tokenizer_call_args"] == {"add_special_tokens": False}
    assert (log.eval.model_generate_config.seed, log.eval.model_generate_config.max_tokens) == (14, 12)
    assert log.eval.task_args_passed == {"config_dir": str(finished.directory / "rank4" / "eval")}


def test_training_and_evaluation_ask_in_the_same_tokens(finished: Finished) -> None:
    """The prompt that inspect-ai logs, rendered as its provider does, against the tokens that were trained on."""
    from inspect_ai.log import read_eval_log
    from inspect_ai.model._providers.hf import HuggingFaceAPI

    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    checkpoint = finished.directory / "rank4" / "artifacts" / "epoch_0"
    (path,) = (finished.directory / "rank4" / "eval" / "logs").glob("*.eval")
    samples = read_eval_log(str(path)).samples or []
    base = str(finished.directory.parent / MODEL)
    provider = HuggingFaceAPI("tiny", model_path=base, tokenizer_path=str(checkpoint), device="cpu")
    tokenizer = chat_tokenizer(str(checkpoint))
    trained = dataset(
        tokenizer,
        path=str(finished.directory / "words.json"),
        split="test",
        prompt="Capitalize the given word: {input}",
    )
    for index, sample in enumerate(samples[:4]):
        messages = list(sample.messages[:-1])
        asked = provider.tokenizer(provider.hf_chat(messages, []), add_special_tokens=False)["input_ids"]
        example = trained[index]
        learnt = [label for label in example["labels"] if label != -100]
        assert example["tokens"][: len(asked)] == asked
        assert example["labels"][: len(asked)] == [-100] * len(asked)
        assert tokenizer.decode(learnt) == f"{sample.target}<|im_end|>"


def test_the_status_tables_are_current_and_no_other_byte_has_changed(finished: Finished) -> None:
    page = (finished.directory / "experiment_summary.md").read_text()
    head, _, rest = page.partition("## Status")
    head_before, _, rest_before = finished.page_before.partition("## Status")
    assert head == head_before
    assert rest.partition("## Quick Reference")[2] == rest_before.partition("## Quick Reference")[2]
    assert rest.count("| completed |") == 5
    assert "pending" not in rest


def test_three_logs_record_the_run(finished: Finished) -> None:
    for name in ("run-experiment.log", "run-torchtune.log", "run-inspect.log"):
        text = (finished.directory / name).read_text()
        assert re.match(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] [A-Z_]+: ", text)
    assert "rank4/finetune" in (finished.directory / "run-torchtune.log").read_text()


def test_no_file_has_a_secret_of_the_shell(finished: Finished) -> None:
    """Job scripts, records, logs of tunebook, and those that real trainings and evaluations wrote."""
    assert files_with_secrets(finished.directory) == []


def test_completed_jobs_are_not_run_again(finished: Finished) -> None:
    done = tunebook(finished.directory, "run", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["data"]["submitted"]) == (0, [])
    again = tunebook(finished.directory, "status", "--json")
    assert json.loads(again.stdout)["data"]["counts"] == {"completed": 5}


def test_a_missing_checkpoint_is_one_clear_line(finished: Finished, tmp_path: Path) -> None:
    """The evaluation's script alone, before its training has ended."""
    directory = tmp_path / "early"
    shutil.copytree(finished.directory, directory, ignore=shutil.ignore_patterns("artifacts", "*.json", ".tunebook"))
    shutil.copy(finished.directory / "words.json", directory)
    assert tunebook(directory, "scaffold", "--overwrite").returncode == 0
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    script = directory / "rank4" / "eval" / "capitalization_epoch0.slurm"
    done = subprocess.run(["bash", str(script)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("tunebook: the model ")
    assert line.endswith("epoch_0 was not found: its training has not ended, or has failed")


def test_a_plan_that_changed_since_is_not_run(finished: Finished, tmp_path: Path) -> None:
    directory = tmp_path / "changed"
    shutil.copytree(finished.directory, directory, ignore=shutil.ignore_patterns("artifacts"))
    assert tunebook(directory, "scaffold", "--overwrite").returncode == 0
    page = directory / "experiment_summary.md"
    page.write_text(page.read_text().replace("- **Seed:** 14", "- **Seed:** 15"))
    done = tunebook(directory, "run")
    assert done.returncode == 4
    assert "differ from what the plan asks for now" in done.stderr
    assert "tunebook scaffold" in done.stderr


def test_the_findings_agree_with_the_logs(finished: Finished, tmp_path: Path) -> None:
    """Real trainings and real evaluations, analyzed: every number from its source, nothing missing."""
    directory = tmp_path / "analyzed"
    shutil.copytree(finished.directory, directory, ignore=shutil.ignore_patterns("*.safetensors", "*.pt"))
    done = tunebook(directory, "analyze", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["data"]["gaps"]) == (0, []), done.stdout + done.stderr
    assert files_with_secrets(directory / "analysis") == []
    jobs = {job["run"]: job["score"] for job in finished.document["data"]["jobs"] if job["stage"] == "evaluation"}
    assert {row["run"]: row["score"] for row in document["data"]["scores"]} == jobs
    assert {row["n"] for row in document["data"]["scores"]} == {40}
    against = [row for row in document["data"]["comparisons"] if row["against"] == "base"]
    assert [row["other"] for row in against] == [f"{MODEL}_base"] * 2
    for row in against:
        assert row["difference"] == pytest.approx(jobs[row["run"]] - jobs[f"{MODEL}_base"])
    lines = (directory / "analysis" / "runs.csv").read_text().splitlines()
    last = json.loads((directory / "rank4" / "artifacts" / "metrics.jsonl").read_text().splitlines()[-1])
    assert str(last["loss"]) in lines[1]
    assert ",completed," in lines[1]


def test_an_archive_gives_the_same_report_where_nothing_else_is(finished: Finished, tmp_path: Path) -> None:
    here = tmp_path / "moved"
    subprocess.run(["cp", "-a", str(finished.directory), str(tmp_path / "own")], check=True)
    shutil.rmtree(tmp_path / "own" / "analysis", ignore_errors=True)
    assert tunebook(tmp_path / "own", "analyze").returncode == 0
    done = tunebook(tmp_path / "own", "export", "--to", str(here), "--json")
    assert done.returncode == 0, done.stderr
    assert {item["kind"] for item in json.loads(done.stdout)["data"]["left_out"]} == {"weights", "model", "data"}
    assert files_with_secrets(here) == []
    tables = {path.name: path.read_text() for path in (tmp_path / "own" / "analysis").glob("*.csv")}
    assert "evaluations.csv" in tables
    shutil.rmtree(tmp_path / "own")
    shutil.rmtree(here / "analysis")
    assert tunebook(here, "analyze").returncode == 0
    assert {path.name: path.read_text() for path in (here / "analysis").glob("*.csv")} == tables
