"""The errors of a spot check, and how it asks: each names what is wrong and what to do. Real models: end_to_end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from support.bash_jobs import Experiment, experiment_at, wait_until
from support.command_line import tunebook
from support.patience import HANG_S
from support.plans import plan_of
from support.scaffolding import scaffolded
from tunebook import api
from tunebook.api.loading import load_correct
from tunebook.api.spot_machine import ask_model, refuse_small_machine
from tunebook.api.spot_targets import Target, choose_run, choose_target, chosen_task, training_state
from tunebook.artifacts.answers import Answer, read_answers
from tunebook.cli import spot_check as shown
from tunebook.core.jobs import Resources
from tunebook.core.plan import Evaluation, Run
from tunebook.core.plan.values import RunType
from tunebook.errors import ConflictError, ToolError, TunebookError, UsageError
from tunebook.executors.local import LocalExecutor
from tunebook.run.loop import run_jobs
from tunebook.run.select import LoopOptions
from tunebook.scaffold.blueprint import build_blueprint
from tunebook.tools.base import EvaluationTool
from tunebook.tools.spot_values import Questions, SpotScript

SHELLCHECK = Path(sys.executable).with_name("shellcheck")
RANK8 = "Llama-3.2-1B-Instruct_rank8_lr1e-5"
ANSWER = (
    '{"answers": [{"id": "0", "input": "a", "prompt": "<a>", "calls": 1, "target": "A", "answer": "B", "cut": false}]}'
)


def message(error: pytest.ExceptionInfo[TunebookError]) -> str:
    return str(error.value)


@pytest.fixture
def local(experiment: Path) -> Path:
    """The example without the cluster's settings, scaffolded."""
    (experiment / "claude.local.md").write_text("# Site\n- **Default GPUs:** `1`\n")
    scaffolded(experiment)
    return experiment


def test_a_misspelt_run_names_the_nearest(experiment: Path) -> None:
    done = tunebook(experiment, "spot-check", "Llama-3.2-1B-Instruct_rank8_lr1e5")
    assert done.returncode == 2
    assert "no run is called `Llama-3.2-1B-Instruct_rank8_lr1e5`" in done.stderr
    assert f"→ did you mean `{RANK8}`?" in done.stderr


@pytest.mark.parametrize(
    ("run", "options", "words"),
    [
        (RANK8, {"task": "cap"}, "no task is called `cap`"),
        (RANK8, {"epoch": 7}, f"run `{RANK8}` has no epoch 7 (epochs are counted from 0; there are: 0)"),
        ("Llama-3.2-1B-Instruct_base", {"epoch": 0}, "is not trained here, so it has no epochs"),
        (RANK8, {"samples": 0}, "--samples is 0; it must be at least 1"),
        (RANK8, {"samples": 2, "prompts": ["house"]}, "--samples and --prompt cannot be given together"),
        (RANK8, {"max_tokens": -1}, "--max-tokens is -1; it must be at least 1"),
        (RANK8, {"timeout_s": 0.0}, "--timeout-s is 0; it must be above 0"),
    ],
)
def test_what_does_not_exist_is_named(local: Path, run: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError) as error:
        api.spot_check(local, run, api.SpotCheckOptions(**options))  # type: ignore[arg-type]
    assert words in message(error)


def test_files_that_the_plan_does_not_ask_for_any_more_are_scaffolded_first(experiment: Path) -> None:
    with pytest.raises(ConflictError, match="`tunebook scaffold` writes them"):
        api.spot_check(experiment, RANK8)


def test_a_run_that_is_not_trained_says_how_to_train_it(local: Path) -> None:
    with pytest.raises(TunebookError) as error:
        api.spot_check(local, "rank8_lr1e-5")
    assert message(error) == f"run `{RANK8}` is not trained yet (`tunebook run --run {RANK8}` trains it)"


def target_of(experiment: Path, name: str) -> Target:
    loaded = load_correct(experiment)
    run = choose_run(loaded, name)
    blueprint = build_blueprint(loaded.tools, loaded.context)
    return choose_target(loaded, blueprint, run, chosen_task(loaded, run, ""), None)


def test_the_last_evaluated_epoch_is_asked_beside_the_base_model(local: Path) -> None:
    found = target_of(local, RANK8)
    assert (found.own, found.base) == (
        Evaluation(RANK8, found.task.name, 0, found.task.line),
        Evaluation(RANK8, found.task.name, None, found.task.line),
    )
    of_control = target_of(local, "Llama-3.2-1B-Instruct_base")
    assert of_control.own is None
    assert of_control.base is not None


def test_an_eval_only_run_is_asked_beside_the_model_that_the_plan_names(local: Path, page: str) -> None:
    text = page.replace("| Type | Est. Time |", "| Type | Checkpoint |").replace("Runs:** 9", "Runs:** 10")
    text = re.sub(r"\| ~\d+ min \|", "| - |", text).replace("| Control | N/A |", "| Control | - |")
    control = "| Llama-3.2-1B-Instruct_base | Llama-3.2-1B-Instruct | - | - | - | Control | - |"
    mine = "| mine | Llama-3.2-1B-Instruct | - | - | - | Eval-only | `/ck/mine` |"
    text = text.replace(control, f"{control}\n{mine}")
    text = text.replace("| Llama-3.2-1B-Instruct_base | ✓ |", "| mine | - | |\n| Llama-3.2-1B-Instruct_base | ✓ |")
    (local / "experiment_summary.md").write_text(text)
    found = target_of(local, "mine")
    assert found.own is not None
    assert found.own == found.base
    folder = Path("/tmp/x")  # noqa: S108  nothing is written
    made = [
        found.tool.spot_check(found.context, run, found.own, Questions(("a",)), folder)
        for run in (found.run, found.base_run)
    ]
    assert [one.model for one in made] == ["/ck/mine", made[1].model]
    assert made[1].model.endswith("/Llama-3.2-1B-Instruct")


@pytest.mark.skipif(not SHELLCHECK.exists(), reason="ShellCheck is not installed")
@pytest.mark.parametrize("inputs", [(), ("it's $HOME; `id`",)])
def test_the_script_is_clean_shell_and_its_values_are_quoted(
    local: Path, tmp_path: Path, inputs: tuple[str, ...]
) -> None:
    found = target_of(local, RANK8)
    assert found.own is not None
    made = found.tool.spot_check(found.context, found.run, found.own, Questions(inputs, 2, 7), tmp_path)
    assert ("--limit 1 " if inputs else "--limit 2 ") in made.text
    assert "--max-tokens 7 " in made.text
    assert bool(made.files) == bool(inputs)
    asked = json.loads(made.files.get("questions.json", "[]"))
    system = {"role": "system", "content": "Capitalize the given word"}
    assert asked == [[system, {"role": "user", "content": text}] for text in inputs]
    checked = subprocess.run([SHELLCHECK, "-"], input=made.text, capture_output=True, text=True, check=False)
    assert checked.stdout == ""


@pytest.fixture
def trained(tmp_path: Path) -> Iterator[Experiment]:
    with experiment_at(tmp_path / "sweep") as made:
        made.training("rank8")
        yield made


def state_of(experiment: Experiment) -> str:
    run, checkpoint = Run("rank8", "m", RunType.FINE_TUNED, 1), Path(experiment.jobs[0].checkpoints[0])
    return training_state(experiment.path, tuple(experiment.jobs), run, checkpoint)


def train(experiment: Experiment) -> None:
    run_jobs(experiment.jobs, LocalExecutor(1), experiment=experiment.path, options=LoopOptions(poll_s=0.02))


def test_a_checkpoint_that_was_deleted_is_named(trained: Experiment) -> None:
    train(trained)
    assert state_of(trained) == ""
    shutil.rmtree(trained.jobs[0].checkpoints[0])
    with pytest.raises(TunebookError, match=r"has no checkpoint .*epoch_0: its checkpoint .* is missing") as error:
        state_of(trained)
    assert "`tunebook run --run rank8 --retry-failed` trains it again" in message(error)


def test_a_checkpoint_of_other_settings_is_asked_with_a_warning(trained: Experiment) -> None:
    train(trained)
    (trained.path / "rank8" / "finetune.yaml").write_text("seed: 2\n")
    assert state_of(trained).startswith("the training of run `rank8` is pending: finetune.yaml changed since it ran")


def test_a_run_without_a_training_is_to_be_scaffolded(trained: Experiment) -> None:
    with pytest.raises(UsageError, match="run `other` is not scaffolded"):
        training_state(trained.path, tuple(trained.jobs), Run("other", "m", RunType.FINE_TUNED, 1), Path("x"))


def script(text: str = "true", **values: object) -> SpotScript:
    made = SpotScript(text, "/model", "", Resources(gpus=0))
    return replace(made, **values)  # type: ignore[arg-type]


def test_a_machine_without_a_gpu_is_refused_with_the_command_for_a_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    resources = Resources(gpus=1, cpus=4, memory="16G", partition="gpu", gpu_type="a100", time="00:15:00")
    refuse = partial(refuse_small_machine, script(resources=resources), command="tunebook spot-check rank8")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError) as error:
        refuse(cpu=False)
    assert message(error) == (
        "the evaluations use a GPU, but this machine has none (`--cpu` asks on the CPU, which takes longer)"
    )
    refuse(cpu=True)
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    with pytest.raises(ToolError) as error:
        refuse(cpu=False)
    command = "srun --pty --cpus-per-task=4 --mem=16G --partition=gpu --gres=gpu:a100:1 tunebook spot-check rank8"
    assert f"`{command}` starts it on a node; `--cpu`" in message(error)


def test_weights_that_do_not_fit_are_refused_before_anything_starts() -> None:
    with pytest.raises(ToolError, match=r"the weights need 1000000\.0 GB, but this machine has [\d.]+ GB of free"):
        refuse_small_machine(script(weights_gb=1e6), command="x", cpu=False)
    refuse_small_machine(script(weights_gb=0.001), command="x", cpu=False)


def ask(text: str, folder: Path, timeout_s: float = HANG_S) -> tuple[Answer, ...]:
    return ask_model(script(text), folder, who="run `rank8`", timeout_s=timeout_s, cpu=True)


def test_answers_are_read_and_what_a_script_writes_is_in_its_folder(tmp_path: Path) -> None:
    text = f"printf '%s %s' \"$TMPDIR\" \"$CUDA_VISIBLE_DEVICES\" >seen; printf %s '{ANSWER}' >answers.json"
    (answer,) = ask(text, tmp_path)
    assert answer == Answer("0", "a", "<a>", 1, "A", "B", cut=False)
    assert (tmp_path / "seen").read_text() == f"{tmp_path / 'tmp'} "


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo 'torch.OutOfMemoryError: CUDA out of memory' >&2; exit 1", "CUDA out of memory (other programs may use"),
        ("kill -9 $$", "it was killed, most likely because the memory was full (use a machine with more memory"),
        (
            "echo 'tunebook: this environment lacks tunebook[inspect]: install it there' >&2; exit 1",
            "could not be asked: this environment lacks tunebook[inspect]: install it there (`tunebook site` names",
        ),
        ("echo one; echo two >&2; exit 3", "run `rank8` could not be asked: one; two"),
        ("exit 3", "run `rank8` could not be asked: exit code 3"),
        ("true", "answers.json holds no answers"),
        ("echo '{\"answers\": []}' >answers.json", "answers.json holds no answers"),
        ("echo '{\"answers\": [{}]}' >answers.json", "answers.json holds no answers: 'id'"),
    ],
)
def test_a_script_that_fails_is_one_message(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ToolError) as error:
        ask(text, tmp_path)
    assert words in message(error)


def test_a_script_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"did not answer: `bash` did not end within 1 s .*--timeout-s") as error:
        ask("echo $$ >pid; sleep 600", tmp_path, timeout_s=1.0)
    assert "run `rank8`" in message(error)
    wait_until(lambda: not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists())


_ASKS = """\
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tunebook.api.spot_machine import ask_model
from tunebook.core.jobs import Resources
from tunebook.tools.spot_values import SpotScript
script = SpotScript("echo $$ >pid.part; mv pid.part pid; sleep 600", "/model", "", Resources())
ask_model(script, Path(sys.argv[1]), who="x", timeout_s=600.0, cpu=True)
"""


def test_ctrl_c_ends_the_process_that_asks(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _ASKS, str(tmp_path), ""], stderr=subprocess.DEVNULL) as process:
        wait_until((tmp_path / "pid").exists)
        os.kill(process.pid, signal.SIGINT)
        process.wait(HANG_S)
    wait_until(lambda: not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists())


def test_a_tool_that_answers_no_single_questions_is_a_clear_error(page: str) -> None:
    class Other(EvaluationTool):
        name = "other"

    plan = plan_of(page)
    evaluation = Evaluation(plan.runs[0].name, "task", 0, 1)
    with pytest.raises(UsageError, match="other has no spot check"):
        Other().spot_check(None, plan.runs[0], evaluation, Questions(), Path("/x"))  # type: ignore[abstract, arg-type]


def test_answers_without_optional_keys_are_read(tmp_path: Path) -> None:
    (tmp_path / "answers.json").write_text('{"answers": [{"id": 3, "input": "a", "answer": "b"}]}')
    assert read_answers(tmp_path / "answers.json") == (Answer("3", "a", "", 1, None, "b", None),)


def report(*rows: api.SpotRow, **values: object) -> api.SpotCheckReport:
    found = api.SpotCheckReport(
        experiment=Path("/x"),
        run="rank8",
        task="caps",
        tool="a-tool",
        epoch=1,
        model="/x/rank8/artifacts/epoch_1",
        base="/models/small",
        base_name="small",
        rows=rows,
    )
    return replace(found, **values)  # type: ignore[arg-type]


ROWS = (
    api.SpotRow(
        "0", "house", "House", "<user>house\n<assistant>", "<user>house\n<assistant>", "\n\n\n", "House", cut=True
    ),
    api.SpotRow("7", "a\x1b[31m", None, "", "", "b", "b"),
)


def test_without_a_terminal_questions_are_blocks_with_folded_prompts(capsys: pytest.CaptureFixture[str]) -> None:
    shown._show(report(*ROWS), show_prompt=False)
    assert capsys.readouterr().out == (
        "rank8, epoch 1, beside the base model small\n"
        "the first samples of caps (a-tool); greedy\n"
        "\n"
        "1 of 2, sample 0: different\n"
        "  asked     house\n"
        "  prompt    <user>house\\n<assistant>\n"
        "  expected  House\n"
        "  base      (3 line breaks)\n"
        "  run       House\n"
        "\n"
        "2 of 2, sample 7: equal\n"
        "  asked     a\\x1b[31m\n"
        "  base      b\n"
        "  run       b\n"
        "\n"
        "answers that differ from the base model's: 1 of 2\n"
        "1 answer has as many tokens as allowed and may be cut: `--max-tokens` allows more\n"
    )


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        ("", ["(empty)"]),
        ("\n", ["(1 line break)"]),
        ("a\n\nb", ["a", "", "b"]),
        ("a\n\n\n\nb\nb", ["a", "(3 empty lines)", "b", "b"]),
    ],
)
def test_what_cannot_be_seen_is_counted(answer: str, lines: list[str]) -> None:
    assert shown._lines(answer) == lines


def test_whole_prompts_are_shown_on_request_also_that_of_a_base_model_that_got_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = replace(ROWS[0], base_prompt="house")
    shown._show(report(other, own_inputs=True, generation={"temperature": 0.5, "max_tokens": 1}), show_prompt=True)
    out = capsys.readouterr().out
    assert "your inputs, in the plan's prompt (a-tool); drawn at temperature 0.5, at most 1 token\n" in out
    assert "\n1 of 1: different\n" in out
    assert "  prompt    │ <user>house\n            │ <assistant>\n  base got  │ house\n" in out


@pytest.mark.parametrize(("columns", "is_table"), [("100", True), ("60", False)])
def test_a_terminal_shows_a_table_if_it_is_wide_enough(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
    is_table: bool,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    shown._show(report(*ROWS), show_prompt=False)
    out = capsys.readouterr().out
    assert ("Base model" in out) == is_table
    assert ("1 of 2, sample 0" in out) != is_table
    plain = re.sub(r"\x1b\[[\d;]*m", "", out)
    assert max(len(line.rstrip()) for line in plain.splitlines()) <= int(columns)
