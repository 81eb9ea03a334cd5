"""`check` lists how evaluations load models and generate, read from the models' files without torch."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.evaluation_jobs import write_adapter
from support.tiny_model import build_tiny_model, write_tiny_experiment
from tunebook import api
from tunebook.disk.manifest import read_manifest

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another
TRAINED = "SmolLM2-135M-Instruct_rank4"
BASE = "SmolLM2-135M-Instruct_base"


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    model = build_tiny_model(tmp_path / "model")
    own = {"eos_token_id": 0, "do_sample": True, "temperature": 0.6, "top_p": 1.0, "repetition_penalty": 1.1}
    (model / "generation_config.json").write_text(json.dumps(own))
    write_tiny_experiment(tmp_path / "words", model)
    return tmp_path / "words"


def in_effect(experiment: Path, run: str) -> dict[str, tuple[str, str]]:
    """Value and source of each setting of a run's evaluations."""
    effects = api.check(experiment).effects[run]
    return {item.key: (item.value, item.source) for item in effects if item.group == "evaluation"}


def test_what_a_models_files_say_and_what_is_in_effect_is_listed_alike_for_trained_and_base_models(
    experiment: Path,
) -> None:
    for run in (TRAINED, BASE):
        found = in_effect(experiment, run)
        assert found["stop_tokens"][0] == "`<|im_end|>`, `<|endoftext|>`"
        assert found["neutralized"] == ("temperature 0.6, repetition_penalty 1.1", "the model's generation_config.json")
        assert (found["eval_max_tokens"][0], found["max_connections"][0], found["eval_seed"][0]) == ("12", "32", "14")


def test_most_new_tokens_without_the_plans_word_are_listed(experiment: Path) -> None:
    page = experiment / "experiment_summary.md"
    page.write_text(page.read_text().replace("- **Evaluation Max Tokens:** 12\n", ""))
    assert in_effect(experiment, BASE)["eval_max_tokens"] == (
        "2048, unless the task says otherwise",
        "inspect-ai's default",
    )


@pytest.mark.parametrize(
    ("save", "precision", "source"),
    [
        ("adapter", "bf16, adapters fp32", "as in training"),
        ("merged", "fp32", "merged adapters: bf16 would round small ones away"),
    ],
)
def test_the_precision_of_an_evaluation_is_the_plans_except_for_merged_adapters(
    experiment: Path, save: str, precision: str, source: str
) -> None:
    page = experiment / "experiment_summary.md"
    page.write_text(page.read_text().replace("- **GPUs:** 0", f"- **GPUs:** 1\n- **Save:** {save}"))
    assert in_effect(experiment, TRAINED)["eval_precision"] == (precision, source)
    assert in_effect(experiment, BASE)["eval_precision"] == ("bf16", "as in training")
    api.scaffold(experiment)
    script = (experiment / "rank4/eval/capitalization_epoch0.slurm").read_text()
    wanted = "fp32" if save == "merged" else f"bf16 --base {experiment.parent}/model"
    assert f"\nprepare_options=(--precision {wanted})\n" in script


def test_an_adapter_with_a_base_is_evaluated_where_a_run_names_it_as_its_checkpoint(experiment: Path) -> None:
    adapter = write_adapter(experiment.parent / "adapter", experiment.parent / "model")
    page = experiment / "experiment_summary.md"
    text = page.read_text().replace("| Type |", "| Type | Checkpoint |").replace("| Fine-tuned |", "| Fine-tuned | - |")
    text = text.replace("| Control |", f"| Eval-only | `{adapter}` |")
    page.write_text(re.sub(r"(\|[ -]*Run Name.*\n)(\|[-| ]+\|)\n", r"\g<1>\g<2>---|\n", text, count=1))
    report = api.check(experiment)
    assert report.errors == ()
    assert any(f"model {adapter}: complete" in note for note in report.notes)
    assert in_effect(experiment, BASE)["stop_tokens"][0] == "`<|im_end|>`, `<|endoftext|>`"
    assert len(report.prompts) == 1
    api.scaffold(experiment)
    (script,) = experiment.glob(f"{BASE}*/eval/*.slurm")
    assert f"\nmodel_path={adapter}\n" in script.read_text()
    job = next(job for job in read_manifest(experiment).jobs if job.task and job.epoch is None)
    assert job.models == (str(adapter), str(experiment.parent / "model"))
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "some/base"}')
    (error,) = api.check(experiment).errors
    assert "is an adapter, not a model" in error.message
    assert "write the absolute path of its base as base_model_name_or_path" in error.hint


def test_the_list_needs_neither_torch_nor_transformers(experiment: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from tunebook import api
report = api.check(Path({str(experiment)!r}))
assert any(item.key == "stop_tokens" for item in report.effects[{BASE!r}])
assert not {{"torch", "transformers", "inspect_ai"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
