"""From a design to runs: combinations, names, the matrix, and the problems of a contradictory design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.design_inputs import inputs_of
from tunebook import api
from tunebook.core.plan import Plan, RunType
from tunebook.core.plan.settings import effective, evaluations
from tunebook.design.build_plan import build_plan
from tunebook.design.check import design_problems, design_warnings
from tunebook.design.estimate import TrainingStep, Workload, largest_batch, memory_gb, training_estimate
from tunebook.design.factors import combinations
from tunebook.design.history import History, PriorTraining
from tunebook.design.naming import experiment_name
from tunebook.design.resources import how_to_get
from tunebook.design.values import Design
from tunebook.errors import PlanError
from tunebook.tools.known_models import known_model
from tunebook.tools.registry import installed_tools

BASIS: dict[str, Any] = {
    "question": "What matters?",
    "model": {"m": "/models/m"},
    "dataset": "/data/words.json",
    "task": {"cap": "/tasks/cap.py"},
    "set": {"lora_rank": 8, "lr": "1e-4", "batch_size": 4, "epochs": 2},
}


def read(**given: Any) -> api.DesignInputs:
    """The basis with these keys over it; a factor takes the place of the setting."""
    factors = {**given.get("factor", {}), **{key: None for run in given.get("with", []) for key in run}}
    short = {"rank": "lora_rank", "bs": "batch_size"}
    varied = {short.get(key, key) for key in factors}
    fixed = {key: value for key, value in BASIS["set"].items() if key not in varied}
    return inputs_of({**BASIS, **given, "set": {**fixed, **given.get("set", {})}})


def plan(**given: Any) -> Plan:
    found = read(**given)
    assert [str(problem) for problem in (*found.problems, *design_problems(found))] == []
    return build_plan(found.design, name="exp")


def problems_of(**given: Any) -> list[str]:
    found = read(**given)
    return [str(problem) for problem in (*found.problems, *design_problems(found))]


def names(found: Plan) -> list[str]:
    return [run.name for run in found.runs]


# --- combinations --------------------------------------------------------------------------------------------------


def test_a_factorial_crosses_levels_and_models_and_adds_a_control_for_each_model() -> None:
    found = plan(model={"m": "/m", "n": "/n"}, factor={"rank": [8, 16], "lr": ["1e-5", "5e-5"]})
    assert names(found) == [
        *[f"{model}_rank{rank}_lr{lr}" for model in "mn" for rank in (8, 16) for lr in ("1e-5", "5e-5")],
        "m_base",
        "n_base",
    ]
    assert [run.type for run in found.runs[-2:]] == [RunType.CONTROL] * 2


def test_one_factor_at_a_time_varies_around_the_base() -> None:
    found = plan(
        factor={"rank": [8, 16], "lr": ["1e-5", "5e-5", "1e-4"]}, combine="one-at-a-time", base={"lr": "0.00005"}
    )
    assert names(found)[:-1] == ["m_rank8_lr5e-5", "m_rank16_lr5e-5", "m_rank8_lr1e-5", "m_rank8_lr1e-4"]


def test_paired_factors_go_together() -> None:
    found = plan(factor={"rank": [8, 16], "lora_alpha": [16, 64], "lr": ["1e-5", "5e-5"]}, pair=["rank", "lora_alpha"])
    pairs = [(effective(found, run, "lora_rank"), effective(found, run, "lora_alpha")) for run in found.fine_tuned]
    assert pairs == [(8, 16), (8, 16), (16, 64), (16, 64)]


def test_listed_runs_take_what_they_leave_out_from_the_settings() -> None:
    runs = [{"rank": 8, "lr": "1e-5"}, {"rank": 64, "name": "big"}]
    found = plan(**{"with": runs}, set={"lr": "3e-4"})
    assert names(found) == ["m_rank8_lr1e-5", "big", "m_base"]
    assert [effective(found, run, "lr") for run in found.fine_tuned] == [1e-5, 3e-4]


def test_a_random_subset_is_the_same_for_the_same_seed_and_keeps_the_order() -> None:
    factors = {"rank": [4, 8, 16, 32], "lr": ["1e-5", "5e-5", "1e-4"]}
    first, again, other = (read(factor=factors, sample=5, sample_seed=seed).design for seed in (1, 1, 2))
    everything = combinations(read(factor=factors).design)
    assert combinations(first) == combinations(again) != combinations(other)
    assert len(combinations(first)) == 5
    assert [values for values in everything if values in combinations(first)] == list(combinations(first))


def test_replicates_are_seeds_from_the_settings_upwards() -> None:
    found = plan(factor={"rank": [8, 16]}, replicates=3, set={"seed": 7})
    assert [effective(found, run, "seed") for run in found.fine_tuned] == [7, 8, 9] * 2
    assert names(found)[0] == "m_rank8_seed7"
    assert [effective(found, run, "seed") for run in plan(seeds=[1, 5]).fine_tuned] == [1, 5]


@pytest.mark.parametrize("rule", ["rank=64,lr=5e-5", "LoRA Rank=64, Learning Rate=0.00005", "lora_rank=64,lr=5e-5"])
def test_exclusions_by_any_name_and_any_way_to_write_a_number(rule: str) -> None:
    found = plan(factor={"rank": [8, 64], "lr": ["1e-5", "5e-5"]}, exclude=[rule])
    assert names(found)[:-1] == ["m_rank8_lr1e-5", "m_rank8_lr5e-5", "m_rank64_lr1e-5"]


def test_an_exclusion_may_name_a_model() -> None:
    found = plan(model={"m": "/m", "n": "/n"}, factor={"rank": [8, 64]}, exclude=[{"model": "n", "rank": 64}])
    assert names(found)[:-2] == ["m_rank8", "m_rank64", "n_rank8"]


def test_exclusions_and_samples_without_effect_are_warnings() -> None:
    found = read(factor={"rank": [8, 16]}, exclude=["rank=64"], sample=2)
    assert [problem.message for problem in design_warnings(found.design)] == [
        "no combination matches the exclusion lora_rank=64",
        "a sample of 2 takes all 2 combinations",
    ]


# --- controls, eval-only, matrix -----------------------------------------------------------------------------------


def test_only_the_chosen_controls_are_evaluated() -> None:
    models = {"m": "/m", "n": "/n"}
    assert names(plan(model=models, control=["n"])) == ["m_rank8_lr1e-4", "n_rank8_lr1e-4", "n_base"]
    assert names(plan(model=models, control="no")) == ["m_rank8_lr1e-4", "n_rank8_lr1e-4"]


def test_eval_only_runs_have_weights_and_no_epochs() -> None:
    found = plan(**{"eval-only": ["old=/ck/old", "other@n=/ck/other"]})
    runs = found.runs[-2:]
    assert [(run.name, run.model, run.checkpoint) for run in runs] == [
        ("old", "m", "/ck/old"),
        ("other", "n", "/ck/other"),
    ]
    assert [item.epoch for item in evaluations(found)] == [1, None, None, None]


def test_models_can_be_compared_without_any_training() -> None:
    given = {"model": {"m": "/m", "n": "/n"}, "train": False}
    found = inputs_of({**BASIS, "set": {"eval_max_tokens": 9}, **given})
    assert design_problems(found) == ()
    assert names(build_plan(found.design, name="exp")) == ["m_base", "n_base"]


def test_the_matrix_has_exceptions_and_later_ones_win() -> None:
    tasks = {"cap": "/t/cap.py", "rev": "/t/rev.py"}
    rules = ["*:rev=-", "m_rank8*:rev=0", {"run": "*_base", "tasks": ["cap"], "epochs": "-"}]
    found = plan(task=tasks, factor={"rank": [8, 16]}, matrix=rules, **{"evaluate-epochs": "all"})
    assert {(item.run, item.task, item.epoch) for item in evaluations(found)} == {
        ("m_rank8", "cap", 0),
        ("m_rank8", "cap", 1),
        ("m_rank8", "rev", 0),
        ("m_rank16", "cap", 0),
        ("m_rank16", "cap", 1),
    }


def test_a_prompt_that_varies_leaves_one_for_the_models_that_are_not_trained() -> None:
    found = plan(factor={"prompt": ["Say: {input}", "{input}"]})
    assert names(found)[:-1] == ["m_prompt1", "m_prompt2"]
    assert found.value("prompt") == "Say: {input}"


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"factor": {"rank": [8, 16]}}, "cap_lora_comparison_2025-10-22"),
        ({"factor": {"rank": [8, 16], "lr": ["1e-5", "5e-5"]}}, "cap_lora_lr_sweep_2025-10-22"),
        ({"model": {"m": "/m", "n": "/n"}}, "cap_model_comparison_2025-10-22"),
        ({}, "cap_finetuning_2025-10-22"),
    ],
)
def test_the_experiment_is_named_by_task_factors_and_date(given: Mapping[str, Any], name: str) -> None:
    from datetime import date

    assert experiment_name(read(**given).design, date(2025, 10, 22)) == name


def test_files_with_the_same_name_in_two_directories_get_different_names() -> None:
    found = plan(factor={"dataset": ["/a/words.json", "/b/words.json", "/b/my words.json"]})
    assert names(found)[:-1] == ["m_datawords", "m_datawords-2", "m_datamy-words"]


def test_a_base_and_an_instruct_model_can_be_compared() -> None:
    models = {"Llama-3.2-1B": "/x/Llama-3.2-1B", "Llama-3.2-1B-Instruct": "/x/Llama-3.2-1B-Instruct"}
    from tunebook.core.naming import run_directories

    assert list(run_directories(plan(model=models)).values()) == [
        "Llama-3.2-1B",
        "Llama-3.2-1B-Instruct",
        "Llama-3.2-1B_base",
        "Llama-3.2-1B-Instruct_base",
    ]


# --- problems ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"factor": {"lora_rnk": [8]}}, "unknown factor `lora_rnk` (did you mean `lora_rank`?)"),
        ({"factor": {"rank": [0]}}, "LoRA Rank is `0`; it must be a whole number of at least 1"),
        ({"factor": {"lr": ["fast"]}}, "Learning Rate is `fast`"),
        ({"factor": {"lr": ["1e-5", "0.00001"]}}, "has the level 0.00001 twice"),
        ({"factor": {"rank": []}}, "has no levels"),
        ({"factor": {"recipe": ["a", "b"]}}, "Recipe cannot vary from run to run"),
        ({"factor": {"rank": [8]}, "set": {"lora_rank": 4}}, "is a factor and also has the setting 4"),
        ({"factor": {"rank": [8, 16], "alpha": [1]}, "pair": ["rank", "alpha"]}, "lora_rank has 2, lora_alpha has 1"),
        ({"pair": ["rank", "lr"]}, "is paired, but is not a factor"),
        ({"combine": "one-at-a-time"}, "one-at-a-time needs factors"),
        ({"train": False, "factor": {"rank": [8, 16]}}, "nothing is trained, but factors or listed runs are given"),
        ({"combine": "all"}, "unknown way to combine `all`"),
        ({"factor": {"rank": [8]}, "exclude": ["rank=8"]}, "no run is left to train"),
        ({"exclude": ["dropout=1"]}, "`lora_dropout` is in an exclusion, but is not a factor"),
        ({"exclude": ["rank"]}, "`rank` is not of the form name=value"),
        ({"factor": {"seed": [1, 2]}, "replicates": 2}, "the seed is a factor, and replicates vary it too"),
        ({"replicates": 0}, "replicates must be at least 1"),
        ({"replicates": "two"}, "`two` must be a whole number"),
        ({"seeds": [1, 1]}, "a seed is given twice"),
        ({"sample": 0}, "a sample needs at least one combination"),
        ({"control": ["x"]}, "unknown model `x`"),
        ({"with": [{"model": "x"}]}, "unknown model `x`"),
        ({"eval-only": ["nowhere"]}, "names no weights"),
        ({"eval-only": ["a b=/x"]}, "a run cannot be named `a b`"),
        ({"set": {"epochs": "1.5"}}, "Epochs is `1.5`"),
        ({"set": {"epoch": 1}}, "did you mean `epochs`?"),
        ({"task": {"a b": "/t.py"}}, "a task cannot be named `a b`"),
        ({"task": {"notes": "/t.py"}}, "a task cannot be named `notes`"),
        ({"task": [{"name": "x", "skript": "/t.py"}]}, "did you mean `script`?"),
        ({"model": {"a b": "/m"}}, "a model cannot be named `a b`"),
        ({"evaluate-epochs": "first"}, "epochs to evaluate `first` cannot be read"),
        ({"matrix": ["*:cap=soon"]}, "`soon` in the matrix cannot be read"),
        ({"matrix": ["cap"]}, "is not a rule of the matrix"),
        ({"name": "a/b"}, "the experiment's name `a/b` cannot be the name of a directory"),
        ({"modle": {"m": "/m"}}, "unknown key `modle` (did you mean `model`?)"),
        ({"question": "- "}, "`question` is missing"),
        (
            {"factor": {"rank": [8, 16], "lr": [1, 2]}, "combine": "one-at-a-time", "set": {"lora_rank": 4}},
            "give only one of the two; --base gives the level around which it varies",
        ),
        (
            {"factor": {"rank": [8, 16]}, "base": {"rank": 16}},
            "a base level of `lora_rank` is given, but all levels are combined",
        ),
        ({"with": ["rank=8", "rank=16"], "set": {"lora_rank": 4}}, "every listed run has its own LoRA Rank"),
        (
            {
                "factor": {"rank": [8, 16], "alpha": [16, 32]},
                "pair": ["rank", "alpha"],
                "combine": "one-at-a-time",
                "base": {"rank": 99},
            },
            "the base level lora_rank=99 belongs to none of the paired levels of lora_rank, lora_alpha",
        ),
        ({"factor": {"rank": [8, 16]}, "pair": ["rank"]}, "a pair needs at least two factors"),
        ({"seeds": [1, 2], "replicates": 3}, "2 seeds are given for 3 replicates"),
        ({"seeds": 2}, "`seeds` lists the seeds themselves, and here only one: 2"),
        ({"replicates": 1_000_000_000}, "the factors make 1,000,000,000 runs, more than 20,000"),
        ({"factor": {"rank": [8], "lora_rank": [16]}}, "`lora_rank` is given twice"),
        ({"set": {"epochs": 1, "Epochs": 2}}, "`epochs` is given twice"),
        ({"set": {"prompt": "{input}"}, "prompt": "Say {input}"}, "`prompt` is given twice"),
        ({"model": ["/a/m", "/b/m"]}, "`m` is given twice"),
        ({"task": ["cap=/a.py", "cap=/b.py"]}, "`cap` is given twice"),
        ({"factor": {"rank": [8, 16]}, "exclude": ["rank=8,rank=16"]}, "`rank` is given twice"),
        ({"with": ["rank=8,lora_rank=16"]}, "`lora_rank` is given twice"),
    ],
)
def test_a_contradictory_design_is_an_error(given: Mapping[str, Any], message: str) -> None:
    assert any(message in problem for problem in problems_of(**given)), problems_of(**given)


def test_paired_levels_are_as_many_runs_as_there_are_pairs() -> None:
    levels = list(range(1, 201))
    assert len(plan(factor={"rank": levels, "alpha": levels}, pair=["rank", "alpha"]).fine_tuned) == 200


def test_a_rule_of_the_matrix_that_matches_nothing_is_a_warning() -> None:
    found = read(factor={"rank": [8, 16]}, matrix=["rank8*:cap=all", "*:capp=all", "m_rank8:*=all"])
    messages = [str(problem) for problem in design_warnings(found.design)]
    assert [message.split(" (")[0].partition(" ")[2] for message in messages] == [
        "`rank8*` in the matrix matches no run",
        "`capp` in the matrix matches no task",
    ]


@pytest.mark.parametrize(
    ("options", "seeds"),
    [({"replicates": ["3"]}, 3), ({"seeds": ["5,6"]}, 2), ({"seeds": ["5,6"], "replicates": ["2"]}, 2)],
)
def test_replicates_and_seeds_of_options_win_over_those_of_the_file(
    tmp_path: Path, options: dict[str, list[str]], seeds: int
) -> None:
    for text in ("replicates: 4\n", "seeds: [1, 2, 3, 4]\n"):
        file = tmp_path / "design.yaml"
        file.write_text(text)
        design = api.read_inputs(api.DesignSources(config=file, options=options)).design
        assert design.runs_per_combination == seeds


def test_everything_that_is_missing_is_listed_at_once() -> None:
    found = design_problems(api.DesignInputs(design=Design()))
    assert [problem.message for problem in found] == [
        "`question` is missing",
        "`model` is missing",
        "`dataset` is missing",
        "`task` is missing",
        "LoRA Rank is missing",
        "Learning Rate is missing",
        "Batch Size is missing",
        "Epochs is missing",
    ]


def test_a_full_finetuning_needs_no_rank() -> None:
    given = {**BASIS, "set": {"lr": "1e-5", "batch_size": 4, "epochs": 1, "recipe": "full_finetune_single_device"}}
    found = inputs_of(given)
    assert design_problems(found) == ()
    assert "lora_alpha" not in build_plan(found.design, name="exp").configuration


def test_problems_of_a_file_have_its_lines_and_those_of_options_their_option(tmp_path: Path) -> None:
    file = tmp_path / "design.yaml"
    file.write_text("question: x\nfactor:\n  lora_rank: [8, x]\nset:\n  foo: 1\nexclude:\n  - {lr: 1}\n")
    found = api.read_inputs(api.DesignSources(config=file, options={"sample": ["many"]}))
    problems = [*found.problems, *design_problems(found)]
    assert {(problem.file, problem.line) for problem in problems if problem.file} == {
        (str(file), 3),
        (str(file), 5),
        (str(file), 7),
        ("--sample", None),
    }


@pytest.mark.parametrize(
    "text", ["a: [", "- a\n- b", "a: 1\na: 2", "{a: &x [*x]}", "a: &a [x, x]\nb: &b [*a, *a]\nb: 1"]
)
def test_a_file_that_is_not_a_mapping_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "design.yaml"
    file.write_text(text)
    with pytest.raises(PlanError, match=r"design\.yaml"):
        api.read_inputs(api.DesignSources(config=file))


def test_a_number_in_a_file_stays_as_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "design.yaml"
    file.write_text("factors:\n  lr: [1e-5, 5.0E-5, 0.00010]\n")
    factors = api.read_inputs(api.DesignSources(config=file)).design.factors
    assert factors[0].levels == ("1e-5", "5.0E-5", "0.00010")


def test_options_win_over_the_file_by_name(tmp_path: Path) -> None:
    file = tmp_path / "design.yaml"
    file.write_text("model: {m: /a, n: /b}\nset: {epochs: 1, lr: 1e-5}\nquestion: old\n")
    options = {"model": ["n=/c"], "set": ["epochs=3"], "question": ["new"]}
    design = api.read_inputs(api.DesignSources(config=file, options=options)).design
    assert [(model.name, model.path) for model in design.models] == [("m", "/a"), ("n", "/c")]
    assert (design.settings, design.question) == ({"epochs": "3", "lr": "1e-5"}, "new")


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("8, 16", ("8", "16")),
        ('"a, b: {input}",`{input} "c"`', ("a, b: {input}", '{input} "c"')),
        (r'"line\nline {input}"', ("line\nline {input}",)),
        ("{input}", ("{input}",)),
    ],
)
def test_levels_with_commas_are_quoted(text: str, levels: tuple[str, ...]) -> None:
    key = "lora_rank" if text.startswith("8") else "prompt"
    assert api.read_inputs(api.DesignSources(options={"factor": [f"{key}={text}"]})).design.factors[0].levels == levels


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("Llama-3.2-1B-Instruct", "meta-llama/Llama-3.2-1B-Instruct"),
        ("Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B"),
        ("google/gemma-2-2b", "google/gemma-2-2b"),
        ("mine", "OWNER/mine"),
    ],
)
def test_how_to_get_a_model(name: str, repository: str) -> None:
    told = how_to_get(name, f"/my models/{name}", installed_tools().preparation_tool("torchtune"))
    assert f"`hf download {repository} --local-dir '/my models/{name}'`" in told
    assert f"`tune download {repository} --output-dir '/my models/{name}'`" in told


# --- arithmetic ----------------------------------------------------------------------------------------------------


def test_memory_grows_with_the_batch_and_several_gpus_share_the_weights() -> None:
    known = known_model("Llama-3.1-8B")
    assert known is not None
    step = TrainingStep(tokens=1024, lora=True)
    one, two = (memory_gb(known.config, 8.0, replace(step, batch_size=size)) for size in (1, 2))
    assert one < two < 2 * one
    assert memory_gb(known.config, 8.0, replace(step, gpus=4)) < one - 12
    assert largest_batch(known.config, 8.0, TrainingStep(tokens=2048, lora=True), gpu_gb=80) == 16
    assert largest_batch(known.config, 8.0, TrainingStep(tokens=2048, lora=False), gpu_gb=40) == 0


def test_an_estimate_without_prior_runs_is_preliminary_and_grows_with_the_work() -> None:
    work = Workload("m", 1.0, 1000, 100.0, 1, 4, 1, "gpu80", lora=True)
    first = training_estimate(work, History())
    twice = training_estimate(replace(work, epochs=10), History())
    on_cpu = training_estimate(replace(work, gpus=0), History())
    assert first.basis.startswith("preliminary")
    assert first.minutes < twice.minutes < 10 * first.minutes
    assert on_cpu.minutes > 10 * first.minutes


def test_estimates_follow_the_nearest_prior_run() -> None:
    prior = PriorTraining("e", "r", "m", 1, "gpu80", True, 4, 0, 100.0, 60.0, 10.0)
    history = History((prior, replace(prior, batch_size=32, tokens_per_second=900.0), replace(prior, model="n")))
    work = Workload("m", 1.0, 1000, 100.0, 1, 4, 1, "gpu80", lora=True)
    assert training_estimate(work, history).minutes == pytest.approx((60 + 1000 * 100 / 100) / 60)
    assert training_estimate(replace(work, batch_size=64), history).minutes == pytest.approx((60 + 1e5 / 900) / 60)
    assert training_estimate(replace(work, gpus=0), history).basis.startswith("preliminary")


def test_the_overhead_of_each_epoch_grows_with_the_epochs() -> None:
    prior = PriorTraining("e", "r", "m", 1, "gpu80", True, 4, 0, 100.0, 60.0, 10.0, epochs=2)
    work = Workload("m", 1.0, 1000, 100.0, 10, 4, 1, "gpu80", lora=True)
    assert training_estimate(work, History((prior,))).minutes == pytest.approx((5 * 60 + 10 * 1000 * 100 / 100) / 60)
    assert training_estimate(replace(work, epochs=1), History((prior,))).minutes == pytest.approx((60 + 1000) / 60)
