"""`check` reports everything for which a job would refuse a model of the plan."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.design_inputs import NO_TENSORS
from support.tiny_model import CHAT_TEMPLATE, MODEL, build_tiny_model, write_tiny_experiment
from tunebook import api
from tunebook.errors import ExitCode
from tunebook.tools.known_models import known_model
from tunebook.tools.model_facts import read_model_facts
from tunebook.tools.runtime import inspect_job

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:1b2f\nsize 269060552\n"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def model(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may damage."""
    shutil.copytree(tiny, tmp_path / "tiny")
    return tmp_path / "tiny"


@pytest.fixture
def experiment(tmp_path: Path, model: Path) -> Path:
    write_tiny_experiment(tmp_path / "words", model)
    return tmp_path / "words"


def errors(experiment: Path) -> list[str]:
    """The errors of `check`; scaffolding refuses the same plan."""
    report = api.check(experiment)
    if report.errors:
        assert set(api.scaffold(experiment).errors) >= set(report.errors)
    return [str(problem) for problem in report.errors]


def edit(file: Path, **values: Any) -> None:
    document = json.loads(file.read_text())
    document.update(values)
    file.write_text(json.dumps({key: value for key, value in document.items() if value is not None}))


def cut(model: Path) -> None:
    file = model / "model.safetensors"
    file.write_bytes(file.read_bytes()[:100_000])


def beside(model: Path) -> None:
    (model / "adapter_config.json").write_text("{}")
    (model / "adapter_model.safetensors").write_bytes(NO_TENSORS)


def only_adapter(model: Path) -> None:
    beside(model)
    (model / "adapter_config.json").write_text('{"base_model_name_or_path": "some/base"}')
    (model / "model.safetensors").unlink()


def shards(model: Path) -> None:
    (model / "model.safetensors").rename(model / "model-00001-of-00003.safetensors")


def indexed(model: Path) -> None:
    shards(model)
    (model / "model-00002-of-00003.safetensors").write_bytes(NO_TENSORS)
    names = {"lost.weight": "model-00002-of-00003.safetensors", "other": "model-00003-of-00003.safetensors"}
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda m: (m / "model.safetensors").write_text(POINTER), "weight file model.safetensors is a Git LFS pointer"),
        (lambda m: (m / "model.safetensors").write_text(POINTER), "run `git lfs pull` in the model's directory"),
        (cut, "weight file model.safetensors is cut off: it has 100,000 of 375,056 bytes"),
        (lambda m: (m / "model.safetensors").write_bytes(b"\x10"), "is not a safetensors file (1 bytes)"),
        (lambda m: (m / "model.safetensors").unlink(), "has no weights"),
        (lambda m: (m / "tokenizer.json").unlink(), "has no tokenizer"),
        (lambda m: (m / "tokenizer.json").write_text(POINTER), "has a Git LFS pointer for its tokenizer"),
        (lambda m: (m / "tokenizer.json").write_text('{"version": '), "has a tokenizer.json that is cut off"),
        (lambda m: (m / "config.json").write_text('{"model_type": '), "has a config.json that is not valid JSON"),
        (lambda m: (m / "config.json").unlink(), "has no config.json"),
        (beside, "holds both weights and an adapter (adapter_config.json, adapter_model.safetensors)"),
        (only_adapter, "is an adapter, not a model (merge it into some/base first"),
        (shards, "2 weight files (model-00002-of-00003.safetensors, model-00003-of-00003.safetensors) are missing"),
        (indexed, "lacks 1 tensors that the index places in it, such as lost.weight"),
        (indexed, "weight file model-00003-of-00003.safetensors is missing"),
    ],
)
def test_a_model_that_jobs_would_refuse_is_an_error_on_its_line(
    experiment: Path, model: Path, damage: Callable[[Path], object], message: str
) -> None:
    assert errors(experiment) == []
    damage(model)
    found = errors(experiment)
    assert any(message in error for error in found), found
    lines = (experiment / "experiment_summary.md").read_text().splitlines()
    (bullet,) = [number for number, line in enumerate(lines, start=1) if line.strip().startswith(f"- {MODEL}: ")]
    assert all(error.startswith(f"experiment_summary.md:{bullet}: the model ") for error in found)


def without_index(model: Path) -> None:
    (model / "model.safetensors").rename(model / "model-00001-of-00001.safetensors")


def index(model: Path, text: str) -> None:
    without_index(model)
    (model / "model.safetensors.index.json").write_text(text)


def vocabulary_only(model: Path) -> None:
    (model / "tokenizer.json").unlink()
    (model / "vocab.json").write_text("{}")


def template(model: Path, value: Any) -> None:
    (model / "chat_template.jinja").unlink()
    edit(model / "tokenizer_config.json", chat_template=value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without_index, "neither model.safetensors nor model.safetensors.index.json"),
        (lambda m: index(m, '{"weight_map":'), "has a model.safetensors.index.json that names no weight files"),
        (lambda m: index(m, '{"weight_map": [1]}'), "has a model.safetensors.index.json that names no weight files"),
        (lambda m: index(m, '{"weight_map": {"a": "parts/a.safetensors"}}'), "names files in other directories"),
        (lambda m: (m / "tokenizer.model").write_bytes(b""), "has an empty tokenizer (tokenizer.model)"),
        (vocabulary_only, "merges.txt is missing beside its vocab.json"),
        (lambda m: (m / "tokenizer_config.json").write_text('{"a":}'), "tokenizer_config.json that is cut off"),
        (lambda m: edit(m / "tokenizer_config.json", eos_token=None), "has a tokenizer without an end-of-text token"),
        (lambda m: edit(m / "config.json", hidden_size="64"), "whose hidden_size is '64', not a whole number"),
        (lambda m: edit(m / "config.json", num_attention_heads=0), "whose num_attention_heads is 0, not"),
        (lambda m: edit(m / "config.json", num_hidden_layers=3), "has weights of 2 layers, but its config.json says 3"),
        (lambda m: edit(m / "config.json", vocab_size=999), "but its config.json says [999, 64]"),
        (lambda m: template(m, 5), "its chat_template is neither a text nor a list of named templates: 5"),
        (lambda m: template(m, [{"template": "x"}]), "none of its chat templates is named `default`"),
        (lambda m: template(m, ["x"]), "none of its chat templates is named `default`; there are: none"),
        (lambda m: template(m, {"default": None}), "its chat template `default` is not a text"),
        (lambda m: (m / "tokenizer_config.json").write_text("[]"), "tokenizer_config.json that is cut off"),
    ],
)
def test_files_that_transformers_would_not_load_are_flaws(
    model: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(model)
    facts = read_model_facts(model)
    assert facts is not None
    assert any(message in flaw.message for flaw in facts.flaws), facts.flaws


def test_a_configuration_with_fields_of_another_type_is_no_traceback(experiment: Path, model: Path) -> None:
    edit(model / "config.json", rope_parameters=[1])
    assert any("its rotary settings are not an object" in error for error in errors(experiment))
    edit(model / "config.json", num_attention_heads=[4])
    assert any("num_attention_heads is [4]" in error for error in errors(experiment))


def test_a_model_whose_path_cannot_be_read_is_a_flaw(tmp_path: Path) -> None:
    facts = read_model_facts(tmp_path / ("x" * 300))
    assert facts is not None
    assert "cannot be read: " in facts.flaws[0].message


def test_a_well_known_name_does_not_stand_for_missing_files(experiment: Path, model: Path) -> None:
    page = experiment / "experiment_summary.md"
    page.write_text(page.read_text().replace(MODEL, "Llama-3.2-1B-Instruct"))
    (model / "config.json").unlink()
    assert any("has no config.json" in error for error in errors(experiment))


def as_cache_entry(model: Path, *snapshots: str, main: str = "") -> Path:
    """The model's directory as an entry of the Hugging Face cache, with the files in each snapshot."""
    entry = model.parent / "models--some--tiny"
    for name in snapshots:
        shutil.copytree(model, entry / "snapshots" / name)
    if main:
        (entry / "refs").mkdir()
        (entry / "refs" / "main").write_text(main)
    shutil.rmtree(model)
    entry.rename(model)
    return model


@pytest.mark.parametrize(("snapshots", "main"), [(("abc", "def"), "def"), (("def",), "")])
def test_a_cache_entry_is_its_current_snapshot_everywhere(
    experiment: Path, model: Path, snapshots: tuple[str, ...], main: str
) -> None:
    as_cache_entry(model, *snapshots, main=main)
    assert errors(experiment) == []
    notes = api.check(experiment).notes
    assert any("snapshot def of the Hugging Face cache" in note for note in notes)
    assert api.scaffold(experiment).exit_code is ExitCode.DONE
    written = "".join(path.read_text() for path in experiment.glob("*/*.yaml"))
    assert f"{model}/snapshots/def" in written
    (script,) = experiment.glob("*_base/eval/*.slurm")
    assert f"model_path={model}/snapshots/def\n" in script.read_text()
    inspect_job.prepare(model, experiment / "m.json", precision="fp32")
    assert json.loads((experiment / "m.json").read_text())["model_path"] == f"{model}/snapshots/def"


def test_a_cache_entry_without_a_current_snapshot_is_an_error(experiment: Path, model: Path) -> None:
    as_cache_entry(model, "abc", "def", main="gone")
    (error,) = errors(experiment)
    assert "without a current snapshot; its snapshots are: abc, def" in error


def test_an_edited_setup_with_a_damaged_model_is_not_scaffolded(experiment: Path, model: Path, tmp_path: Path) -> None:
    api.scaffold(experiment)
    other = tmp_path / "other"
    shutil.copytree(model, other)
    cut(other)
    setup = next(experiment.glob("*/setup_finetune.yaml"))
    setup.write_text(setup.read_text().replace(str(model), str(other)))
    report = api.scaffold(experiment)
    assert report.exit_code is ExitCode.FAILED
    assert any("model.safetensors is cut off" in str(failure) for part in report.parts for failure in part.failures)


@pytest.mark.parametrize(
    ("name", "is_error"),
    [("Llama-3.2-1B-Instruct", True), ("mine-8B", False), ("mine-135m-chat", False)],
)
def test_a_name_with_another_size_than_the_files_is_reported(experiment: Path, name: str, is_error: bool) -> None:
    page = experiment / "experiment_summary.md"
    page.write_text(page.read_text().replace(MODEL, name))
    report = api.check(experiment)
    found = [problem for problem in report.errors + report.warnings if "the config.json of its path" in problem.message]
    assert len(found) == 1
    assert ("describes 0.0929M parameters" in found[0].message, found[0] in report.errors) == (True, is_error)


@pytest.mark.parametrize("name", ["mine", "mine-v2", "Llama-3.2-1B-Instruct", "tiny-1.24B"])
def test_a_name_that_fits_the_files_is_not_reported(experiment: Path, model: Path, name: str) -> None:
    known = known_model("Llama-3.2-1B-Instruct")
    assert known is not None
    (model / "config.json").write_text(json.dumps(known.config))
    page = experiment / "experiment_summary.md"
    page.write_text(page.read_text().replace(MODEL, name))
    report = api.check(experiment)
    assert not [problem for problem in report.errors + report.warnings if "of its path" in problem.message]


def named(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "template": CHAT_TEMPLATE} for name in names]


def test_of_several_chat_templates_one_is_named_default(experiment: Path, model: Path) -> None:
    (model / "chat_template.jinja").unlink()
    edit(model / "tokenizer_config.json", chat_template=named("tool_use", "default"))
    assert errors(experiment) == []
    edit(model / "tokenizer_config.json", chat_template=named("tool_use", "rag"))
    (error,) = errors(experiment)
    assert "none of its chat templates is named `default`; there are: tool_use, rag" in error
    (model / "additional_chat_templates").mkdir()
    (model / "additional_chat_templates" / "other.jinja").write_text(CHAT_TEMPLATE)
    assert "there are: other" in errors(experiment)[0]
    (model / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    assert errors(experiment) == []


def test_a_template_that_refuses_a_system_role_is_an_error_at_the_system_prompt(experiment: Path, model: Path) -> None:
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    (model / "chat_template.jinja").write_text(refusing + CHAT_TEMPLATE)
    page = experiment / "experiment_summary.md"
    assert errors(experiment) == []
    page.write_text(page.read_text().replace('**System Prompt:** ""', '**System Prompt:** "Be brief"'))
    (error,) = errors(experiment)
    lines = page.read_text().splitlines()
    line = next(number for number, text in enumerate(lines, start=1) if "**System Prompt:**" in text)
    assert error.startswith(f"experiment_summary.md:{line}: 320 of 320 examples cannot be trained with ")
    assert "System role not supported (write `- **System Prompt:** none`" in error
