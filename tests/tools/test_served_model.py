"""Served evaluations up to the server: prompts, answers and the proof are those of an evaluation without one.

The server is played, but computes with the tiny model itself, so that its answers must be those of the ``hf`` provider.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from support.evaluation_jobs import write_adapter
from support.played_vllm import Model, PlayedServer
from support.tiny_model import build_tiny_model
from tunebook.tools.runtime import inspect_eval, inspect_job
from tunebook.tools.runtime.proof import record_trained
from tunebook.tools.runtime.served_client import Client, ServedError
from tunebook.tools.runtime.served_model import ServedModel, answer_by_server, connect

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another
WORDS = ("house", "table", "water", "stone", "a longer question than these")
DATA = {
    "train": [{"input": "sky", "output": "Sky"}],
    "validation": [{"input": word, "output": word.capitalize()} for word in WORDS],
}
PROMPT, SYSTEM = "Capitalize: {input}", "Be brief"
Serve = Callable[..., tuple[PlayedServer, Path]]


class _Tiny:
    """The tiny model, and its adapters by their directories, as evaluations load them."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.loaded: dict[str, Any] = {}

    def model(self, adapter: str) -> Any:
        from tunebook.tools.runtime.evaluated_model import load_evaluated_model

        if adapter not in self.loaded:
            self.loaded[adapter] = load_evaluated_model(Path(adapter or self.base), precision="fp32")
        return self.loaded[adapter]

    def log_probabilities(self, tokens: Sequence[int], adapter: str) -> list[float]:
        import torch

        with torch.no_grad():
            logits = self.model(adapter)(torch.tensor([list(tokens)])).logits[0, :-1]
        rows = torch.log_softmax(logits.double(), dim=-1)
        return [float(row[token]) for row, token in zip(rows, tokens[1:], strict=True)]

    def answer(self, tokens: Sequence[int], adapter: str) -> list[int]:
        import torch

        ids = torch.tensor([list(tokens)])
        with torch.no_grad():
            found = self.model(adapter).generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12)
        return [int(token) for token in found[0][len(tokens) :]]


class Experiment(SimpleNamespace):
    """A base model, a trained adapter with the record of its losses, and their data."""

    base: Path
    adapter: Path
    data: Path
    tiny: _Tiny

    def asked(self, **changes: Any) -> dict[str, Any]:
        training = {"epoch": 0, "dataset": str(self.data), "dataset_type": "instruct", "prompt": PROMPT}
        return {"seed": 14, "training": training | {"system_prompt": SYSTEM} | changes}


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    from tunebook.tools.runtime.answer_loss import mean_answer_loss
    from tunebook.tools.runtime.tokenized_data import ChatTokenizer, tokenized_example

    folder = tmp_path_factory.mktemp("served")
    base = build_tiny_model(folder / "base")
    adapter = write_adapter(folder / "artifacts" / "epoch_0", base, scale=20)
    data = folder / "words.json"
    data.write_text(json.dumps(DATA))
    tiny = _Tiny(base)
    tokenizer = ChatTokenizer(str(base))
    records: list[Any] = list(DATA["validation"])
    examples = [tokenized_example(tokenizer, record, system_prompt=SYSTEM, prompt=PROMPT) for record in records]
    model = tiny.model(str(adapter))
    loss, tokens = mean_answer_loss(examples, lambda ids: model(ids).logits, model.device)
    record_trained(adapter.parent, 0, split="validation", samples=len(examples), tokens=tokens, loss=loss)
    return Experiment(base=base, adapter=adapter, data=data, tiny=tiny, loss=loss)


@pytest.fixture
def serve(experiment: Experiment, tmp_path: Path) -> Iterator[Serve]:
    started: list[PlayedServer] = []

    def begin(*, precision: str = "fp32", max_rank: int = 8, longest: int = 400, **faults: Any) -> Any:
        model = Model(experiment.tiny.log_probabilities, experiment.tiny.answer)
        server = PlayedServer(path=str(experiment.base), longest=longest, faults=faults, model=model).start()
        started.append(server)
        file = tmp_path / f"service{len(started)}.json"
        file.write_text(json.dumps(server.description(precision, max_rank)))
        return server, file

    yield begin
    for server in started:
        server.stop()


def answers(
    monkeypatch: pytest.MonkeyPatch, folder: Path, model: Path, service: Path | None, asked: dict[str, Any]
) -> list[tuple[str, int, int]]:
    """Text and numbers of tokens of each answer that inspect-ai's ``hf`` provider gives, with the job's arguments."""
    import transformers
    from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig
    from inspect_ai.model._providers import hf

    monkeypatch.setattr(hf, "batched_generate", hf.batched_generate)
    monkeypatch.setattr(transformers, inspect_eval.LOADER, None, raising=False)
    inspect_job.prepare(model, folder / "model.json", precision="fp32", inference="vllm" if service else "")
    models = inspect_eval.Models(folder / "in_effect.json", service, asked)
    inspect_eval.offer_loader(models)
    if service:
        answer_by_server()
    config = GenerateConfig(max_tokens=8, max_connections=len(WORDS), seed=14)
    provider = hf.HuggingFaceAPI("tiny", config=config, **json.loads((folder / "model.json").read_text()))

    async def all_of_them() -> list[Any]:
        questions: list[list[Any]] = [
            [ChatMessageSystem(content=SYSTEM), ChatMessageUser(content=PROMPT.replace("{input}", word))]
            for word in WORDS
        ]
        calls = [provider.generate(question, [], "auto", config) for question in questions]
        return list(await asyncio.gather(*calls))

    outputs = asyncio.run(all_of_them())
    models.close()
    return [(output.completion, output.usage.input_tokens, output.usage.output_tokens) for output in outputs]


def test_answers_prompts_and_record_are_those_of_an_evaluation_without_a_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, experiment: Experiment, serve: Serve
) -> None:
    server, service = serve()
    served = answers(monkeypatch, tmp_path, experiment.adapter, service, experiment.asked())
    record = json.loads((tmp_path / "in_effect.json").read_text())
    (tmp_path / "plain").mkdir()
    plain = answers(monkeypatch, tmp_path / "plain", experiment.adapter, None, {})
    monkeypatch.undo()
    assert [text for text, _, _ in served] == [text for text, _, _ in plain]
    assert len({text for text, _, _ in served}) > 1
    asked = [body["prompt"] for path, body in server.requests if path == "/v1/completions" and "stop_token_ids" in body]
    assert sorted(len(prompt) for prompt in asked) == sorted(count for _, count, _ in served)
    compared = record.pop("server")["compared"]
    assert record == json.loads((tmp_path / "plain" / "in_effect.json").read_text())
    assert compared["served"] == pytest.approx(experiment.loss, abs=1e-6)
    assert compared["changed"] > 0.1
    assert server.adapters == {}  # a shared server has forgotten it
    loaded = [body["lora_name"] for path, body in server.requests if path == "/v1/load_lora_adapter"]
    assert ":" not in loaded[0]


def test_the_name_of_an_adapter_is_never_used_twice(experiment: Experiment, serve: Serve) -> None:
    """Servers keep answers and adapters by their names, so that a new training would get the old one's."""
    _, service = serve()
    names = set()
    for _ in range(2):
        model = connect(service, experiment.adapter, precision="fp32", base=None, asked={"seed": 1})
        names.add(model.name)
        model.close()
    assert len(names) == 2


@pytest.mark.parametrize(
    ("faults", "changes", "message"),
    [
        ({"ignores_adapters": True}, {}, "the server ignores the adapter"),
        ({"refuses_adapters": "no such module"}, {}, "no such module"),
        ({"renders": [1, 2]}, {}, "answers another prompt than the one that it was sent"),
        ({"answers_as": "base2"}, {}, "answers with the model base2 instead of"),
        ({}, {"prompt": "Write in capitals: {input}"}, "the server does not compute with"),
        ({}, {"max_seq_len": 60}, "tokens of answers, but"),
        ({}, {"epoch": 1}, "has no loss of epoch 1 to compare the server's with"),
        ({}, {"dataset": "/nowhere.json"}, "the data of the training, which the server is compared on, cannot be read"),
        ({"precision": "bf16"}, {}, "the server has weights in bf16 instead of fp32: scaffold again"),
        ({"max_rank": 2}, {}, "has rank 4; the server takes 2: scaffold again"),
    ],
)
def test_a_server_that_does_not_compute_what_was_trained_is_refused(
    experiment: Experiment, serve: Serve, faults: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    _, service = serve(**faults)
    with pytest.raises(ServedError) as caught:
        connect(service, experiment.adapter, precision="fp32", base=None, asked=experiment.asked(**changes))
    assert message in str(caught.value)


def test_a_part_of_an_adapter_that_the_server_leaves_out_is_a_difference(
    experiment: Experiment, serve: Serve, tmp_path: Path
) -> None:
    """The adapter changes the answers, but not as in training: one of its matrices is smaller."""
    server, service = serve()
    weaker = write_adapter(tmp_path / "weaker", experiment.base, scale=16)
    tiny = experiment.tiny
    whole, weak = str(experiment.adapter), str(weaker)
    server.model = Model(
        lambda tokens, adapter: tiny.log_probabilities(tokens, weak if adapter == whole else adapter), tiny.answer
    )
    with pytest.raises(ServedError, match=r"held-out answers is \d\.\d+ as trained \(epoch 0\) and .*may differ by"):
        connect(service, experiment.adapter, precision="fp32", base=None, asked=experiment.asked())


def test_the_server_of_another_model_is_refused(serve: Serve, tmp_path: Path) -> None:
    other = build_tiny_model(tmp_path / "other")
    _, service = serve()
    with pytest.raises(ServedError, match=r"the server has the model .*base instead of .*other: scaffold again"):
        connect(service, other, precision="fp32", base=None, asked={"seed": 1})


def test_a_checkpoint_that_is_a_whole_model_is_compared_too(
    experiment: Experiment, serve: Serve, tmp_path: Path
) -> None:
    server, service = serve()
    whole = build_tiny_model(tmp_path / "epoch_0")
    server.path = str(whole)
    service.write_text(json.dumps(server.description()))
    record_trained(tmp_path, 0, split="validation", samples=5, tokens=999, loss=1.0)
    with pytest.raises(ServedError, match="the training compared 999 tokens of answers"):
        connect(service, whole, precision="fp32", base=None, asked=experiment.asked())


@pytest.fixture
def model(serve: Serve) -> Iterator[ServedModel]:
    _, service = serve(longest=40)
    found = ServedModel(Client(service), "base", [2, 7], 14, {})
    yield found
    found.close()


def test_greedy_answers_stop_at_the_evaluations_tokens_and_at_no_others(model: ServedModel) -> None:
    request = model.request([3] * 10, {"do_sample": False, "max_new_tokens": 8, "temperature": 0.5, "top_p": 0.1})
    assert request == {"max_tokens": 8, "temperature": 0, "stop_token_ids": [2, 7], "ignore_eos": True}


def test_texts_that_end_an_answer_stay_in_it_as_without_a_server(model: ServedModel) -> None:
    rule = SimpleNamespace(stop_strings=("\n", "END"))
    request = model.request([3], {"do_sample": False, "max_new_tokens": 8, "stopping_criteria": [rule]})
    assert (request["stop"], request["include_stop_str_in_output"]) == (["\n", "END"], True)


def test_repeated_samples_are_drawn_with_seeds_of_their_own_that_repeat(model: ServedModel) -> None:
    settings = {"do_sample": True, "max_new_tokens": 8, "temperature": 0.7}
    drawn = [model.request([3, 4], settings) for _ in range(3)] + [model.request([3, 5], settings)]
    assert len({request["seed"] for request in drawn}) == 4
    assert {(request["temperature"], request["top_p"], request["top_k"]) for request in drawn} == {(0.7, 1.0, 0)}
    again = ServedModel(model.client, model.name, model.stop_ids, model.seed, {})
    assert [again.request([3, 4], settings) for _ in range(3)] == drawn[:3]


def test_settings_without_an_equal_and_prompts_without_room_are_refused(model: ServedModel) -> None:
    with pytest.raises(ServedError, match="the task sets output_logits, which needs `Inference: hf`"):
        model.request([3], {"do_sample": False, "max_new_tokens": 8, "output_logits": True})
    with pytest.raises(ServedError, match="a prompt has 40 tokens; the model takes 40"):
        model.request([3] * 40, {"do_sample": False, "max_new_tokens": 8})


def test_answers_that_the_models_length_cuts_are_reported(
    model: ServedModel, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = [3] * 38
    request = model.request(tokens, {"do_sample": False, "max_new_tokens": 8})
    assert request["max_tokens"] == 2
    assert len(model.answer(tokens, request, wanted=8)) == 2
    model.close()
    assert "1 answers end at the 40 tokens that the server takes; `hf` would continue" in capsys.readouterr().err


def test_answers_that_a_server_without_memory_would_cut_are_an_error(model: ServedModel) -> None:
    small = replace(model, reads=2048)
    assert small.request([3] * 30, {"do_sample": False, "max_new_tokens": 8})["max_tokens"] == 8
    with pytest.raises(ServedError, match="the server has memory for 40 of the 2048 tokens that the model takes"):
        small.request([3] * 38, {"do_sample": False, "max_new_tokens": 8})
