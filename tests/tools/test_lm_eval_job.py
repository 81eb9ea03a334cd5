"""Jobs of lm-eval: real evaluations of the tiny model, compared with inspect-ai's, and every silent path of lm-eval."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from support.evaluation_jobs import greedy_ids, lively_model, write_adapter
from support.lm_eval_jobs import GENERATION, LmEvalJob, asked_for, cache_benchmark
from support.tiny_model import CHAT_TEMPLATE, build_tiny_model
from tunebook.core.measures import Direction
from tunebook.demo.data import task_source
from tunebook.tools.inspect.results import InspectResults
from tunebook.tools.lm_eval.results import LmEvalResults
from tunebook.tools.results import LoggedMetric, Samples
from tunebook.tools.runtime.lm_eval_task import exact_match

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torch and lm-eval warn of one another
INPUTS = ("house", "table", "water", "stone", "2024-01-05T10:00:00", "007", "line\nline", " a ", "[1, 2]", "null")
STEERING = {
    "LOCAL_RANK": "1",  # only the first of several processes writes results
    "LMEVAL_LOG_LEVEL": "CRITICAL",
    "LM_HARNESS_CACHE_PATH": "/nowhere",
    "ACCELERATE_MIXED_PRECISION": "fp16",
}


@dataclass(frozen=True)
class Evaluated:
    """One adapter evaluated by both tools on the same data."""

    job: LmEvalJob
    result: dict[str, Any]
    lm_eval: Samples
    inspect: Samples
    written: list[str]
    written_for_inspect: list[str]
    tokens: int


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    folder = tmp_path_factory.mktemp("evaluated")
    base = lively_model(folder / "base")
    adapter = write_adapter(folder / "adapter", base, scale=0.1)
    data = folder / "words.json"
    targets, tokens = correct_answers(adapter, base)
    records = [{"input": text, "output": target} for text, target in zip(INPUTS, targets, strict=True)]
    data.write_text(json.dumps({"train": records[:1], "test": records}))
    job = LmEvalJob(folder / "job", adapter, asked_for(data))
    with pytest.MonkeyPatch.context() as surroundings:
        for name, value in STEERING.items():
            surroundings.setenv(name, value)
        assert job.run() == 0
    code, result = job.verify()
    assert (code, result["differences"]) == (0, [])
    run = job.logs.parents[1]
    logs = evaluate_with_inspect(folder, adapter, data)
    return Evaluated(
        job,
        result,
        samples_of(LmEvalResults(), run),
        samples_of(InspectResults(), logs.parents[1]),
        [row["resps"][0][0] for row in rows_of(job)],
        written_for_inspect(logs),
        tokens,
    )


def correct_answers(adapter: Path, base: Path) -> tuple[list[str], int]:
    """What the model answers to every second input, something else for the others; and all tokens, by hand."""
    from transformers import AutoTokenizer

    from tunebook.tools.runtime.evaluated_model import load_evaluated_model

    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    model = load_evaluated_model(adapter, precision="fp32")
    targets, tokens = [], 0
    for number, text in enumerate(INPUTS):
        prompt = f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
        asked = tokenizer.encode(prompt, add_special_tokens=False)
        ids = greedy_ids(model, asked, stops=[2])
        tokens += len(asked) + len(ids)
        answer = tokenizer.decode(ids, skip_special_tokens=True).strip()
        targets.append(answer if number % 2 else "007")
    return targets, tokens


def evaluate_with_inspect(folder: Path, model: Path, data: Path) -> Path:
    """The demo's own task on the same data, by the ``hf`` provider with the job's loader; returns the logs."""
    from inspect_ai import eval as evaluate
    from inspect_ai.model import get_model

    from tunebook.tools.runtime import inspect_eval, inspect_job

    logs = folder / "inspect" / "eval" / "logs"
    logs.mkdir(parents=True)
    (folder / "cap_task.py").write_text(task_source())
    inspect_job.prepare(model, folder / "model.json", precision="fp32")
    inspect_eval.offer_loader(inspect_eval.Models(folder / "in_effect.json", None, {}))
    arguments = json.loads((folder / "model.json").read_text())
    evaluate(
        f"{folder}/cap_task.py@capitalization",
        model=get_model("hf/tiny_base", memoize=False, **arguments),
        task_args={"dataset_path": str(data)},
        log_dir=str(logs),
        log_format="eval",
        display="none",
        **GENERATION,
    )
    return logs


def rows_of(job: LmEvalJob) -> list[dict[str, Any]]:
    """The samples as lm-eval wrote them."""
    (file,) = job.attempt.logs.glob("samples_*.jsonl")
    return [json.loads(line) for line in file.read_text().split("\n") if line]


def written_for_inspect(logs: Path) -> list[str]:
    from inspect_ai.log import read_eval_log

    (log,) = logs.glob("*.eval")
    samples = read_eval_log(str(log)).samples or []
    return [sample.output.completion for sample in sorted(samples, key=lambda sample: int(sample.id))]


def samples_of(results: LmEvalResults | InspectResults, run: Path) -> Samples:
    logs = results.log_files(run)
    read = results.read_samples(logs)
    assert read.unreadable == {}
    (samples,) = read.readings.values()
    return samples


def test_both_tools_ask_and_score_every_sample_alike(evaluated: Evaluated) -> None:
    """The same ids, prompts, targets, answers and scores, of an adapter, one sample at a time."""
    ours, theirs = evaluated.lm_eval, evaluated.inspect
    assert ours.ids == theirs.ids == tuple(map(str, range(len(INPUTS))))
    assert ours.prompts == theirs.prompts == INPUTS
    assert ours.targets == theirs.targets
    assert list(map(str.split, ours.answers)) == list(map(str.split, theirs.answers))  # a log's summary has no \v
    assert evaluated.written == evaluated.written_for_inspect
    assert ours.values["exact_match"] == theirs.values["exactly"]
    assert 0 < sum(filter(None, ours.values["exact_match"])) < len(INPUTS)
    assert len(set(ours.answers)) > 4
    assert ours.tokens == evaluated.tokens


def test_the_result_has_the_schema_of_every_evaluation(evaluated: Evaluated) -> None:
    result = evaluated.result
    right = sum(filter(None, evaluated.inspect.values["exactly"]))
    assert (result["status"], result["samples"], result["completed"], result["failed"]) == ("success", 10, 10, 0)
    assert [(score["scorer"], score["metric"]) for score in result["scores"]] == [
        ("exact_match", "mean"),
        ("exact_match", "stderr"),
    ]
    assert result["scores"][0]["value"] == pytest.approx(right / len(INPUTS))
    in_effect = result["in_effect"]
    assert in_effect["generation"] == GENERATION
    assert in_effect["model"]["adapter"] == str(evaluated.job.model)
    assert in_effect["model"]["stop_tokens"] == {"<|im_end|>": 2}
    assert Path(result["log"]).parent.parent == evaluated.job.logs


def test_the_header_names_task_epoch_and_mean(evaluated: Evaluated) -> None:
    reader = LmEvalResults()
    (log,) = reader.log_files(evaluated.job.logs.parents[1])
    (header,) = reader.read_headers([log]).readings.values()
    assert (header.status, header.model, header.task, header.task_file) == (
        "success",
        "tiny_base",
        "words",
        "exact_match",
    )
    assert (header.samples, header.completed) == (10, 10)
    mean = LoggedMetric("mean", evaluated.result["scores"][0]["value"], is_mean=True)
    assert header.metrics == {"exact_match": (mean,)}
    assert header.directions == {"exact_match": Direction.HIGHER}
    assert set(header.packages) == {"lm-eval", "transformers"}


def test_an_answer_is_correct_without_the_white_space_around_it() -> None:
    """lm-eval's own exact match does not strip; case and punctuation count, as in the demo's task for inspect-ai."""
    answers = {" House\n": 1.0, "house": 0.0, "House.": 0.0}
    assert {answer: exact_match({"target": "House"}, [answer])["exact_match"] for answer in answers} == answers


@pytest.fixture
def again(evaluated: Evaluated, tmp_path: Path) -> LmEvalJob:
    """The same job, whose files a test may change."""
    shutil.copytree(evaluated.job.attempt.directory, tmp_path / "attempt")
    job = replace(evaluated.job, folder=tmp_path)
    job.logs.mkdir(parents=True)
    return job


def edit_samples(job: LmEvalJob, key: str, value: Any) -> None:
    (file,) = job.attempt.logs.glob("samples_*.jsonl")
    rows = rows_of(job)
    rows[3][key] = value(rows[3][key])
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


FAULTS = [
    ("arguments", lambda value: {"a": value["gen_args_0"] | {"arg_0": "cut prompt"}}, "1 prompts differ (samples 3)"),
    (
        "arguments",
        lambda value: {"a": value["gen_args_0"] | {"arg_1": {"max_gen_toks": 256}}},
        "1 generation settings differ (samples 3)",
    ),
    ("target", lambda _: "7", "1 targets differ (samples 3)"),
    ("exact_match", lambda value: 1 - value, "1 scores are not those of an exact match (samples 3)"),
    ("doc", lambda value: value | {"id": "99"}, "the samples are not those of the data: 1 are missing, 10 were logged"),
    ("doc_id", lambda _: 2, "task words has 9 samples instead of 10"),
]


@pytest.mark.parametrize(("key", "change", "message"), FAULTS, ids=[message for *_, message in FAULTS])
def test_samples_that_were_not_asked_as_planned_fail_the_job(
    again: LmEvalJob, capsys: pytest.CaptureFixture[str], key: str, change: Any, message: str
) -> None:
    edit_samples(again, key, change)
    code, result = again.verify()
    assert (code, result["differences"]) == (1, [message])
    assert "is not the evaluation that was asked for: " + message in capsys.readouterr().err


def test_settings_that_are_not_the_plans_fail_the_job(again: LmEvalJob) -> None:
    (file,) = again.attempt.logs.glob("words_base_*.json")
    results = json.loads(file.read_text())
    results["config"] |= {"torch_seed": 1234, "limit": 2, "batch_size": 1}
    file.write_text(json.dumps(results))
    code, result = again.verify()
    assert code == 1
    assert result["differences"] == [
        "torch_seed is 1234 instead of 14",
        "batch_size is 1 instead of 4",
        "limit is 2 instead of None",
    ]


@pytest.mark.parametrize("pattern", ["words_base_*.json", "samples_*.jsonl"])
def test_results_that_lm_eval_could_not_save_fail_the_job(
    again: LmEvalJob, capsys: pytest.CaptureFixture[str], pattern: str
) -> None:
    """lm-eval itself only warns."""
    (file,) = again.attempt.logs.glob(pattern)
    file.unlink()
    assert again.verify() == (1, {})
    (line,) = capsys.readouterr().err.splitlines()
    assert "lm-eval should have written one file" in line or "lm-eval did not write the samples" in line


def test_every_attempt_has_logs_of_its_own(evaluated: Evaluated) -> None:
    (attempt,) = evaluated.job.logs.iterdir()
    assert sorted(path.suffix for path in attempt.iterdir()) == [".json", ".jsonl"]


@pytest.fixture
def small(tmp_path: Path, tiny_model: Path) -> LmEvalJob:
    """A job of the tiny model on three words."""
    data = tmp_path / "words.json"
    data.write_text(json.dumps({"test": [{"input": word, "output": word.title()} for word in INPUTS[:3]]}))
    return LmEvalJob(tmp_path / "job", tiny_model, asked_for(data))


def test_a_limit_asks_the_first_samples(small: LmEvalJob, tmp_path: Path) -> None:
    job = replace(small, asked=asked_for(tmp_path / "words.json", limit=2))
    assert job.run() == 0
    code, result = job.verify()
    assert (code, result["samples"], result["in_effect"]["limit"]) == (0, 2, 2)


def test_without_a_planned_length_answers_may_be_as_long_as_the_model_reads(small: LmEvalJob, tmp_path: Path) -> None:
    """lm-eval's own default is 256; the tiny model reads 512 tokens, and its answers do not end."""
    generation = {"seed": 14, "max_connections": 4, "temperature": 0.7}
    job = replace(small, asked=asked_for(tmp_path / "words.json", limit=1, generation=generation))
    assert job.run("--sample") == 0
    code, result = job.verify()
    longest = result["in_effect"]["generation"]["max_tokens"]
    assert (code, 256 < longest < 512) == (0, True)
    (sample,) = samples_of(LmEvalResults(), job.logs.parents[1]).ids
    assert sample == "0"


REFUSED = [
    ({"generation": GENERATION | {"max_tokens": 500}}, "Evaluation Max Tokens is 500, but "),
    ({"limit": 4}, "the limit is 4, but the test split of "),
    (
        {"questions": {"dataset_type": "instruct", "system_prompt": "Be brief", "prompt": "{input}"}},
        "the model's chat template refuses this conversation: no system",
    ),
    ({"dataset": "/nowhere.json"}, "the data set /nowhere.json was not found"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_lm_eval_would_cut_or_drop_is_an_error_of_one_line(
    small: LmEvalJob, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], message: str
) -> None:
    """lm-eval cuts long prompts from the left, and drops a system message that a template refuses, with warnings."""
    model = tmp_path / "model"
    shutil.copytree(small.model, model)
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHAT_TEMPLATE
    (model / "chat_template.jinja").write_text(refusing)
    job = LmEvalJob(tmp_path / "job", model, asked_for(tmp_path / "words.json", **changes))
    assert job.run() == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("tunebook: ")
    assert message in line


def test_a_model_of_plain_texts_is_asked_without_its_chat_template(small: LmEvalJob) -> None:
    assert small.run("--plain-text") == 0
    assert small.verify()[0] == 0
    prompts = [row["arguments"]["gen_args_0"]["arg_0"] for row in rows_of(small)]
    assert prompts == [f"<|im_start|>{word}" for word in INPUTS[:3]]


def test_a_chat_is_asked_for_its_last_answer(small: LmEvalJob, tmp_path: Path) -> None:
    said = [("user", "hi"), ("assistant", "Hello"), ("user", "house"), ("assistant", "House")]
    messages = [{"role": role, "content": text} for role, text in said]
    (tmp_path / "chats.json").write_text(json.dumps({"test": [{"messages": messages}]}))
    job = replace(small, asked=asked_for(tmp_path / "chats.json"))
    assert job.run() == 0
    assert job.verify()[0] == 0
    samples = samples_of(LmEvalResults(), job.logs.parents[1])
    assert (samples.prompts, samples.targets) == (("user: hi\nassistant: Hello\nuser: house",), ("House",))


def test_lm_eval_does_not_touch_the_weights_of_the_model(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ties the weights of a model that it is given, which could undo an adapter of the output layer."""
    from transformers import PreTrainedModel

    from tunebook.tools.runtime.evaluated_model import load_evaluated_model

    model = load_evaluated_model(tiny_model, precision="fp32")
    tied: list[int] = []
    monkeypatch.setattr(PreTrainedModel, "tie_weights", lambda *_, **__: tied.append(1))
    language_model_of(tiny_model, model)
    assert tied == []


def language_model_of(directory: Path, model: Any = None) -> Any:
    """The model as lm-eval gets it."""
    from transformers import AutoTokenizer

    from tunebook.tools.runtime.evaluated_model import load_evaluated_model
    from tunebook.tools.runtime.lm_eval_model import language_model

    tokenizer: Any = AutoTokenizer.from_pretrained(directory)
    loaded = model or load_evaluated_model(directory, precision="fp32")
    return language_model(loaded, tokenizer, batch_size=1, adds_special_tokens=False)


def test_prompts_of_benchmarks_are_not_cut_and_system_messages_not_dropped(tiny_model: Path) -> None:
    lm = language_model_of(tiny_model)
    ids, _ = lm.tok_batch_encode(["a house"], left_truncate_len=100)
    with pytest.raises(
        ValueError, match=r"a prompt has .* tokens and its answer may have 511, but the model reads 512"
    ):
        lm.tok_batch_encode(["a house"], left_truncate_len=1)
    assert ids.shape[1] > 1
    lm.tokenizer.chat_template = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    system = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "house"}]
    with pytest.raises(ValueError, match="the model's chat template refuses this conversation: no system"):
        lm.apply_chat_template(system)
    lm.tokenizer.chat_template = None
    with pytest.raises(ValueError, match="the model has no chat template"):
        lm.apply_chat_template(system)


@pytest.fixture
def hellaswag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmark's data, made up, where ``lm_eval_data`` would put them; and no internet, as in jobs."""
    import datasets.config
    import huggingface_hub.constants

    cache = tmp_path / "home" / "datasets"
    row = {"ind": 1, "activity_label": "Words", "ctx_a": "A house", "ctx_b": "is", "ctx": "A house is", "label": "0"}
    row |= {"endings": ["small.", "a table.", "water.", "stone."], "split": "val", "split_type": "indomain"}
    rows = [row | {"ind": number, "label": str(number % 4), "source_id": f"a~{number}"} for number in range(6)]
    cache_benchmark(cache, "Rowan/hellaswag", {"train": rows, "validation": rows[:5]})
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.mark.usefixtures("hellaswag")
def test_a_benchmark_runs_offline_with_its_own_prompts(small: LmEvalJob) -> None:
    asked = benchmark(limit=4)
    job = replace(small, asked=asked)
    assert job.run() == 0
    code, result = job.verify()
    assert (code, result["differences"], result["samples"]) == (0, [], 4)
    assert [score["scorer"] for score in result["scores"]] == ["acc", "acc", "acc_norm", "acc_norm"]
    assert result["in_effect"]["by_task"]["hellaswag"]["shots"] == 1
    samples = samples_of(LmEvalResults(), job.logs.parents[1])
    assert samples.ids == ("0", "1", "2", "3")
    assert set(samples.values) == {"acc", "acc_norm"}
    assert set(samples.answers) <= {"small.", "a table.", "water.", "stone."}
    assert samples.prompts[0].count("Words: A house") == 2


@pytest.mark.usefixtures("hellaswag")
def test_a_benchmark_whose_prompts_are_longer_than_the_model_reads_is_an_error(
    small: LmEvalJob, capsys: pytest.CaptureFixture[str]
) -> None:
    """lm-eval would cut the examples of the prompt from the left without a word."""
    job = replace(small, asked=benchmark(limit=1, shots=5), model=short_model(small))
    assert job.run() == 1
    assert "but the model reads 48 together" in capsys.readouterr().err.splitlines()[-1]


def benchmark(*, limit: int, shots: int = 1) -> dict[str, Any]:
    return {
        "name": "words_base",
        "task": "common_sense",
        "script": "hellaswag",
        "benchmark": "hellaswag",
        "limit": limit,
        "generation": GENERATION,
        "shots": shots,
        "chat_template": False,
        "system_prompt": "",
    }


def short_model(job: LmEvalJob) -> Path:
    """The tiny model as one that reads 48 tokens."""
    model = build_tiny_model(job.folder.parent / "short")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 48}))
    return model
