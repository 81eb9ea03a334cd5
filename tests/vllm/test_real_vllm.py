"""Served evaluations by a real vLLM: three adapters and their base in one server, with the answers of ``hf``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.command_line import tunebook
from support.tiny_model import MODEL, build_family_model, write_tiny_experiment

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another
SITE = "# Site\n\n## Python Environments\n- **vLLM virtual environment:** `{}`\n"
RANKS = (4, 8, 16)
Answers = dict[str, list[tuple[Any, str]]]


@dataclass(frozen=True)
class Both:
    """An experiment that was evaluated both ways, with the answers of each evaluation by the name of its job."""

    directory: Path
    without: Answers
    served: Answers


def answers(directory: Path) -> Answers:
    """Every sample's id and answer in the newest log of each evaluation."""
    from inspect_ai.log import read_eval_log

    found: Answers = {}
    for result in sorted(directory.glob("*/eval/*.result.json")):
        log = read_eval_log(json.loads(result.read_text())["log"])
        samples = log.samples or []
        found[result.name] = found.get(result.name, []) + [
            (f"{result.parent.parent.name} {sample.id}", sample.output.completion) for sample in samples
        ]
    return found


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    root = tmp_path_factory.mktemp("vllm")
    # vLLM computes on a CPU with heads of at least 32 dimensions.
    model = build_family_model(
        root / MODEL, "Llama", num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=True
    )
    directory = root / "tiny"
    write_tiny_experiment(directory, model, ranks=RANKS)
    (directory / "claude.local.md").write_text(SITE.format(os.environ["TUNEBOOK_VLLM"]))
    run(directory)
    without = answers(directory)
    plan = directory / "experiment_summary.md"
    text = plan.read_text()
    plan.write_text(text.replace("- **Evaluation Seed:**", "- **Inference:** vllm\n- **Evaluation Seed:**"))
    run(directory)
    return Both(directory, without, answers(directory))


def run(directory: Path) -> None:
    for words in (("scaffold",), ("run", "--json")):
        done = tunebook(directory, *words)
        assert done.returncode == 0, done.stdout + done.stderr


def by_hand(directory: Path) -> subprocess.CompletedProcess[str]:
    """Runs one evaluation's script as a person would; it starts a server of its own."""
    script = directory / "rank8" / "eval" / "capitalization_epoch0.slurm"
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": programs}
    return subprocess.run(["bash", str(script)], env=environment, capture_output=True, text=True, check=False)


def test_the_answers_are_those_of_an_evaluation_without_a_server(both: Both) -> None:
    assert both.served == both.without
    assert sum(len(samples) for samples in both.served.values()) == 40 * (len(RANKS) + 1)
    assert len({answer for samples in both.served.values() for _, answer in samples}) > 1


def test_the_server_computed_with_each_adapter_as_it_was_trained(both: Both) -> None:
    for rank in RANKS:
        result = json.loads((both.directory / f"rank{rank}/eval/capitalization_epoch0.result.json").read_text())
        compared = result["in_effect"]["model"]["server"]["compared"]
        assert abs(compared["served"] - compared["trained"]) <= compared["tolerance"]
        assert compared["changed"] > 100 * compared["tolerance"]


def test_one_server_answered_all_of_them_and_none_is_left(both: Both) -> None:
    services = list((both.directory / ".tunebook" / "packs").glob("*/service.out"))
    assert len(services) == 1
    left = [process.info["cmdline"] or () for process in psutil.process_iter(["cmdline"])]
    assert not [words for words in left if str(both.directory.parent) in " ".join(words)]


def test_a_job_by_itself_starts_a_server_and_gets_the_same_answers(both: Both) -> None:
    before = answers(both.directory)
    done = by_hand(both.directory)
    assert done.returncode == 0, done.stdout + done.stderr
    assert answers(both.directory) == before


def test_an_adapter_that_vllm_does_not_apply_fails_its_evaluation(both: Both) -> None:
    """The file of the weights is that of another training: the server loads it without a word."""
    from safetensors.torch import load_file, save_file

    ours = both.directory / "rank8" / "artifacts" / "epoch_0" / "adapter_model.safetensors"
    kept = ours.read_bytes()
    try:
        tensors = {name: tensor * 0.5 for name, tensor in load_file(str(ours)).items()}
        save_file(tensors, str(ours), metadata={"format": "pt"})
        done = by_hand(both.directory)
    finally:
        ours.write_bytes(kept)
    assert done.returncode != 0
    assert "the server does not compute with" in done.stdout + done.stderr
