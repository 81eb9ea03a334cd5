"""The launcher: real evaluations of the tiny model that neither variables nor files around them can steer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.bash_jobs import wait_until
from support.evaluation_jobs import greedy_ids, lively_model, write_adapter
from tunebook.tools.runtime.installing import install_here

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another
WORDS = ("house", "table", "water", "stone")
TASK = """\
import sys
from pathlib import Path

import inspect_ai.log
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate, solver

@solver
def imported():
    async def solve(state, generate):
        Path(__file__).with_suffix(".modules").write_text(" ".join(sys.modules))
        return state
    return solve

@task
def words():
    inspect_ai.log.read_eval_log = None  # what a task does to its process must not reach the check of the log
    samples = [Sample(id=number, input=word, target=word) for number, word in enumerate(WORDS)]
    return Task(dataset=samples, solver=[generate(cache=True), imported()], scorer=includes())
"""
STEERING = "INSPECT_EVAL_LIMIT=2\nINSPECT_EVAL_SYSTEM_MESSAGE=Be wrong\nINSPECT_EVAL_MAX_TOKENS=1\n"
NEEDLESS = {"fastapi", "openai", "scipy.optimize"}
END = 2  # the tiny model's <|im_end|>
GENERATION = {"seed": 14, "max_connections": 4, "max_tokens": 6}


def evaluated(
    folder: Path, model: Path, *, plain_text: bool = False, service: Path | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Runs a job's evaluation in a directory full of steering; returns the result and the answers by input.

    Args:
        service: the file of a process that evaluations share.
    """
    directory = folder / "run" / "eval"
    directory.mkdir(parents=True)
    for place in (directory, folder):
        (place / ".env").write_text(STEERING)
    (folder / "words.py").write_text(TASK.replace("WORDS", repr(WORDS)))
    files = {name: folder / f"{name}.json" for name in ("task", "asked", "result")}
    files["task"].write_text("{}")
    files["asked"].write_text(json.dumps({"limit": None, "generation": GENERATION, "splits": {"test": len(WORDS)}}))
    options = ["--plain-text"] if plain_text else []
    command = [sys.executable, "-P", "-m", "tunebook.tools.runtime.inspect_evaluation", "--model", "hf/tiny"]
    command += ["--model-path", str(model), "--precision", "fp32", *options]
    command += ["--task-config", str(files["task"]), "--asked", str(files["asked"]), "--scratch", str(folder)]
    command += ["--log-dir", str(folder / "logs"), "--out", str(files["result"])]
    command += ["eval", f"{folder}/words.py@words", "--display", "none"]
    command += ["--seed", "14", "--max-connections", "4", "--max-tokens", "6"]
    surroundings = {
        "INSPECT_EVAL_TEMPERATURE": "5",
        "INSPECT_LOG_FORMAT": "json",
        "INSPECT_EVAL_LIMIT": "1",
        "TERM_PROGRAM": "vscode",  # inspect-ai lets a .env file win there
        "ACCELERATE_USE_DEEPSPEED": "true",
        "HF_HUB_OFFLINE": "1",
        "INSPECT_CACHE_DIR": str(folder / "answers of other models"),
        "TUNEBOOK_SERVICE": str(service or ""),
        "CUDA_VISIBLE_DEVICES": "",
    }
    done = subprocess.run(
        command, cwd=directory, env=os.environ | surroundings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not (folder / "answers of other models").exists()
    return json.loads(files["result"].read_text()), answers(folder / "logs")


def answers(logs: Path) -> dict[str, str]:
    from inspect_ai.log import read_eval_log

    (log,) = logs.iterdir()
    samples = read_eval_log(str(log)).samples or []
    return {str(sample.input): sample.output.completion for sample in samples}


def end_after_two_tokens(directory: Path, text: list[int]) -> None:
    """Gives the end of a turn the place of the token that the model would write third."""
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(directory)
    ids = greedy_ids(model, text, stops=[])
    model.lm_head.weight.data[END] = model.lm_head.weight.data[ids[2]] * torch.tensor(1.5)
    model.save_pretrained(directory)


def with_settings(model: Path, **settings: Any) -> Path:
    file = model / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))
    return model


@contextmanager
def shared_process(folder: Path) -> Iterator[Path]:
    """A process that evaluations share; its file."""
    folder.mkdir()
    file = folder / "service.json"
    command = [sys.executable, "-P", "-m", "tunebook.tools.runtime.warm_evaluations", "--service-file", str(file)]
    with subprocess.Popen(command, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""}, start_new_session=True) as process:
        try:
            wait_until(lambda: file.exists() or process.poll() is not None)
            yield file
        finally:
            process.terminate()


def by_hand(base: Path, model: Path) -> dict[str, str]:
    """The answers of a model to the words, token by token."""
    from transformers import AutoTokenizer

    from tunebook.tools.runtime.evaluated_model import load_evaluated_model

    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    loaded = load_evaluated_model(model, precision="fp32")
    found = {}
    for word in WORDS:
        prompt = f"<|im_start|>user\n{word}<|im_end|>\n<|im_start|>assistant\n"
        ids = tokenizer.encode(prompt, add_special_tokens=False)
        found[word] = tokenizer.decode(greedy_ids(loaded, ids, stops=[END]), skip_special_tokens=True)
    return found


def test_evaluations_that_share_a_process_get_the_answers_of_evaluations_by_themselves(tmp_path: Path) -> None:
    base = lively_model(tmp_path / "base")
    adapter = write_adapter(tmp_path / "adapter", base)
    with shared_process(tmp_path / "service") as service:
        of_base = evaluated(tmp_path / "first", base, service=service)
        of_adapter = evaluated(tmp_path / "second", adapter, service=service)
        code = "from tunebook.tools.runtime.warm_client import *; import sys\n"
        code += "sys.exit(ask(shared_process(), 'no_such_module', [], model={}))"
        env = {**os.environ, "TUNEBOOK_SERVICE": str(service)}
        failed = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
        assert failed.returncode == 1
        assert "No module named no_such_module" in failed.stderr
        again = evaluated(tmp_path / "third", base, service=service)
    assert of_base[1] == again[1] == by_hand(base, base)
    assert of_adapter[1] == by_hand(base, adapter)
    assert of_base[1] != of_adapter[1]
    assert of_base[0]["in_effect"] == again[0]["in_effect"]
    assert of_adapter[0]["in_effect"]["model"]["adapter"] == str(adapter)


def test_nothing_around_an_evaluation_changes_the_answers_of_an_adapter(tmp_path: Path) -> None:
    """Variables, ``.env`` files here and above, and the model's own settings, which do not name the end of a turn."""
    from transformers import AutoTokenizer

    from tunebook.tools.runtime.evaluated_model import load_evaluated_model

    base = lively_model(tmp_path / "base")
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    prompts = {word: f"<|im_start|>user\n{word}<|im_end|>\n<|im_start|>assistant\n" for word in WORDS}
    ids = {word: tokenizer.encode(prompt, add_special_tokens=False) for word, prompt in prompts.items()}
    end_after_two_tokens(base, ids["house"])
    adapter = write_adapter(tmp_path / "adapter", base, scale=0.1)
    trained = load_evaluated_model(adapter, precision="fp32")
    wanted = {word: greedy_ids(trained, ids[word], stops=[END]) for word in WORDS}
    assert len({len(answer) for answer in wanted.values() if answer[-1] == END}) > 1
    with_settings(base, repetition_penalty=1.9, no_repeat_ngram_size=1, eos_token_id=0)
    result, found = evaluated(tmp_path / "job", adapter)
    assert found == {word: tokenizer.decode(answer, skip_special_tokens=True) for word, answer in wanted.items()}
    assert len(set(found.values())) > 2
    in_effect = result["in_effect"]
    assert in_effect["model"]["neutralized"] == {"repetition_penalty": 1.9, "no_repeat_ngram_size": 1}
    assert in_effect["model"]["stop_tokens"] == {"<|im_end|>": 2, "<|endoftext|>": 0}
    assert in_effect["generation"].items() >= GENERATION.items()
    assert result["samples"] == len(WORDS)
    imported = (tmp_path / "job" / "words.modules").read_text().split()
    assert {"torch", "transformers.masking_utils", "acp.schema"} <= set(imported)
    assert NEEDLESS.isdisjoint(imported)


def test_a_model_of_plain_texts_is_asked_with_the_tokens_of_its_training(tmp_path: Path) -> None:
    """Without its chat template, and with the token that begins a text; so is its base model."""
    from tunebook.tools.runtime.evaluated_model import load_evaluated_model
    from tunebook.tools.runtime.torchtune_components import chat_tokenizer, dataset

    model = lively_model(tmp_path / "model")
    (tmp_path / "texts.json").write_text(json.dumps([{"text": word} for word in WORDS]))
    tokenizer = chat_tokenizer(str(model))
    learnt = dataset(tokenizer, path=str(tmp_path / "texts.json"), dataset_type="text_completion")
    loaded = load_evaluated_model(model, precision="fp32")
    wanted = {}
    for number, word in enumerate(WORDS):
        prompt = learnt[number]["tokens"][:-1]  # without the end of the text
        wanted[word] = tokenizer.hf.decode(greedy_ids(loaded, prompt, stops=[END]), skip_special_tokens=True)
    assert len(set(wanted.values())) > 2
    assert evaluated(tmp_path / "job", model, plain_text=True)[1] == wanted


def test_a_copy_of_the_process_ends_as_the_work_in_it_did(tmp_path: Path) -> None:
    """With its exit code, that of an error, or that of its signal; a request to end the process ends the copy."""
    code = f"""
import os, signal, time
from pathlib import Path
from tunebook.tools.runtime.inspect_evaluation import in_copy

def asked_to_end():
    Path({str(tmp_path / "copy")!r}).write_text(str(os.getpid()))
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(600)

works = [lambda: 7, lambda: 1 / 0, lambda: os.kill(os.getpid(), signal.SIGKILL), asked_to_end]
print([in_copy(work) for work in works])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[7, 1, 137, 143]\n", done.stderr
    assert "ZeroDivisionError" in done.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "copy").read_text()), 0)


def test_a_package_that_is_missing_is_one_line(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["transformers"] = None
from tunebook.tools.runtime.inspect_eval import main
sys.exit(main(["--record", sys.argv[1], "eval", "t.py"]))
"""
    command = [sys.executable, "-c", code, str(tmp_path / "record.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith("tunebook: import of transformers halted")
    assert line.endswith(f"install what evaluations need: {install_here('tunebook[inspect]')}")
