"""``Inference: vllm`` in a plan: one server for each base model and precision, and jobs that share it or start it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from support.patience import HANG_S
from support.scaffolding import replace, scaffolded
from tunebook import api
from tunebook.disk.manifest import read_manifest
from tunebook.errors import ExitCode
from tunebook.tools.job_script import shell_body

PLAN = "experiment_summary.md"
RECIPE = "- **Recipe:** `lora_finetune_single_device`\n"
SERVER = "serve_Llama-3.2-1B-Instruct_bf16.sh"
TUNED = "rank8_lr1e-5/eval/capitalization_epoch0.slurm"
BASE = "Llama-3.2-1B_base/eval/capitalization_base.slurm"


@pytest.fixture
def served(experiment: Path) -> Path:
    replace(experiment / PLAN, RECIPE, f"{RECIPE}- **Inference:** vLLM\n")
    return experiment


def value(text: str, name: str) -> list[str]:
    """The words of an assignment in a script."""
    match = re.search(rf"^{name}=\(?(.*?)\)?$", text, re.MULTILINE)
    assert match
    return shlex.split(match[1])


def test_evaluations_of_one_base_model_share_a_server_and_an_allocation(served: Path) -> None:
    assert scaffolded(served).exit_code is ExitCode.DONE
    server = (served / SERVER).read_text()
    steps = [step.path for step in scaffolded(served).parts[1].steps]
    assert steps.count(SERVER) == 1  # every run has it among its files
    base = "/scratch/gpfs/LAB/pretrained-llms/Llama-3.2-1B-Instruct"
    assert (value(server, "model"), value(server, "precision"), value(server, "max_rank")) == ([base], ["bf16"], ["64"])
    options = value(server, "server_options")
    for option in ("--dtype bfloat16", "--seed 14", "--generation-config vllm", "--enable-lora --max-lora-rank 64"):
        assert option in " ".join(options)
    evaluations = [job for job in read_manifest(served).jobs if job.result]
    assert {job.pack.service if job.pack else "" for job in evaluations} == {SERVER}
    assert {job.pack.at_once if job.pack else 0 for job in evaluations} == {1}
    assert {job.pack.size if job.pack else 0 for job in evaluations} == {None}
    assert not any(SERVER in text for job in evaluations for text in job.texts)  # another rank changes no answer


def test_the_plan_may_limit_how_many_evaluations_share_a_server(served: Path) -> None:
    replace(served / PLAN, RECIPE, f"{RECIPE}- **Evaluations per job:** 4\n")
    scaffolded(served)
    assert {job.pack.size for job in read_manifest(served).jobs if job.pack} == {4}


def test_a_job_names_its_server_and_what_it_is_compared_on(served: Path) -> None:
    scaffolded(served)
    text = (served / TUNED).read_text()
    assert value(text, "service_script") == [f"{served}/{SERVER}"]
    assert value(text, "prepare_options")[-2:] == ["--inference", "vllm"]
    (request,) = value(text, "served")
    assert json.loads(request) == {
        "seed": 14,
        "training": {
            "epoch": 0,
            "dataset": "/scratch/gpfs/LAB/data/words_4L_80P_300.json",
            "dataset_type": "instruct",
            "prompt": "{input}",
            "system_prompt": "Capitalize the given word",
            "max_seq_len": None,
        },
    }
    (request,) = value((served / BASE).read_text(), "served")
    assert json.loads(request) == {"seed": 14}


def test_without_a_server_nothing_of_it_is_written(experiment: Path) -> None:
    scaffolded(experiment)
    assert not list(experiment.glob("serve_*"))
    assert "service_script=" not in (experiment / TUNED).read_text()
    assert {job.pack for job in read_manifest(experiment).jobs} == {None}


def test_checkpoints_that_are_whole_models_have_a_server_each(served: Path) -> None:
    replace(served / PLAN, RECIPE, f"{RECIPE}- **Save:** merged\n")
    scaffolded(served)
    names = {path.name for path in served.glob("serve_*")}
    assert "serve_rank8_lr1e-5_epoch0_fp32.sh" in names
    assert SERVER in names  # of the base model
    text = (served / "serve_rank8_lr1e-5_epoch0_fp32.sh").read_text()
    assert (value(text, "max_rank"), "--enable-lora" in value(text, "server_options")) == (["0"], False)
    assert value((served / TUNED).read_text(), "service_script") == [f"{served}/serve_rank8_lr1e-5_epoch0_fp32.sh"]


def test_a_rank_that_vllm_does_not_serve_is_an_error_of_its_line(served: Path) -> None:
    replace(served / PLAN, "| 64 |", "| 1024 |")
    errors = [problem for problem in api.check(served).errors if "serves adapters" in problem.message]
    assert errors
    assert all(
        problem.line and "LoRA Rank 1024, but vLLM serves adapters up to rank 512" in problem.message
        for problem in errors
    )


def test_check_shows_the_server_and_warns_without_an_environment_of_its_own(served: Path) -> None:
    report = api.check(served)
    assert any("the site settings name no environment for vllm" in problem.message for problem in report.warnings)
    site = served / "claude.local.md"
    site.write_text(site.read_text() + "\n## Python Environments\n- **vLLM virtual environment:** `/envs/vllm`\n")
    scaffolded(served)
    assert value((served / SERVER).read_text(), "server_venv") == ["/envs/vllm"]
    assert not any("for vllm" in problem.message for problem in api.check(served).warnings)


def test_a_server_script_that_was_edited_is_reported(served: Path) -> None:
    scaffolded(served)
    replace(served / SERVER, "--seed 14", "--seed 15")
    report = scaffolded(served)
    assert report.exit_code is ExitCode.UNFINISHED
    assert any("it starts what the evaluations share" in warning.message for warning in report.warnings)


def script(folder: Path, *, body: str = "") -> tuple[str, Path]:
    """A job whose server only writes its file, and the file that says that the server was started."""
    started = folder / "started"
    server = folder / "serve.sh"
    server.write_text(
        f"trap 'echo ended >>{started}; exit' TERM\necho started >>{started}\n"
        "echo '{}' >\"$TUNEBOOK_SERVICE_FILE\"\nwhile :; do sleep 0.02; done\n"
    )
    (folder / "scratch").mkdir(exist_ok=True)
    text = 'set -euo pipefail\nfinish() { echo "finished with $?"; }\ntrap finish EXIT\n'
    text += 'fail() { echo "$1"; exit 1; }\nstop() { exit 143; }\ntrap stop TERM\n'
    text += f"scratch={folder}/scratch\nservice_script={server}\nserved='{{}}'\n"
    return text + shell_body("served") + (body or 'echo "uses ${serving[1]}"\n'), started


def ran(text: str, **variables: str) -> tuple[int, str]:
    surroundings = {"PATH": "/usr/bin:/bin", **variables}
    done = subprocess.run(
        ["bash", "-c", text], env=surroundings, capture_output=True, text=True, check=False, timeout=HANG_S
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(("body", "code"), [("", 0), ("exit 7\n", 7), ("false\n", 1)])
def test_a_job_by_itself_starts_its_server_and_ends_it_whatever_happens(tmp_path: Path, body: str, code: int) -> None:
    text, started = script(tmp_path, body=body)
    found, output = ran(text)
    assert (found, started.read_text().split()) == (code, ["started", "ended"])
    assert output.splitlines()[-1] == f"finished with {code}"


def test_a_job_uses_the_server_that_it_shares_and_leaves_it_running(tmp_path: Path) -> None:
    text, started = script(tmp_path)
    shared = tmp_path / "shared.json"
    shared.write_text('{"url": "http://127.0.0.1:1"}')
    code, output = ran(text, TUNEBOOK_SERVICE=str(shared))
    assert (code, started.exists()) == (0, False)
    assert f"uses {shared}" in output or "--service" in output


def test_a_shared_server_that_has_ended_is_replaced_by_the_jobs_own(tmp_path: Path) -> None:
    text, started = script(tmp_path)
    shared = tmp_path / "shared.json"
    shared.write_text(json.dumps({"ended": "exit code 1"}))
    assert ran(text, TUNEBOOK_SERVICE=str(shared))[0] == 0
    assert started.read_text().split() == ["started", "ended"]


def test_a_server_that_ends_without_a_word_is_a_failure(tmp_path: Path) -> None:
    text, _ = script(tmp_path)
    (tmp_path / "serve.sh").write_text("exit 3\n")
    code, output = ran(text)
    assert (code, "the server ended before it was ready" in output) == (1, True)


def test_the_servers_script_starts_the_watcher_in_the_evaluations_environment(served: Path, tmp_path: Path) -> None:
    scaffolded(served)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/arguments\n')
    (programs / "python").chmod(0o755)
    text = (served / SERVER).read_text().replace("load_modules() {", "load_modules() {\n    return 0")
    text = re.sub(r"^(conda_env|venv)=.*$", r"\1=", text, flags=re.MULTILINE)
    service = tmp_path / "service.json"
    done = subprocess.run(
        ["bash", "-c", text],
        env={"PATH": f"{programs}:/usr/bin:/bin", "TUNEBOOK_SERVICE_FILE": str(service)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments[:5] == ["-P", "-m", "tunebook.tools.runtime.vllm_server", "--service-file", str(service)]
    assert arguments[arguments.index("--") + 1 :] == value(text, "server_options")
