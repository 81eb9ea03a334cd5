"""``import``: the shapes that real plans of the neighbouring project have, and values that contradict each other."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from support.plans import parse_plan
from tunebook.core.plan import Plan, PlanDetails, RunType, write_plan
from tunebook.core.plan.settings import effective, evaluations
from tunebook.design.build_plan import build_plan
from tunebook.design.check import design_problems
from tunebook.design.values import DesignInputs
from tunebook.design.yaml_plan import read_yaml_plan
from tunebook.errors import PlanError, Problem

NEIGHBOUR = (Path(__file__).parents[1] / "yaml_plans" / "neighbour.yaml").read_text()
UPPER = "You write in upper case."
RANK8 = '  - {name: "tiny_rank8", type: "fine-tuned", model: "tiny", parameters: {lora_rank: 8}}\n'
SYSTEM = f'  system_prompt: "{UPPER}"\n'


def text_with(*pairs: tuple[str, str]) -> str:
    """The neighbour's plan with each of its first texts replaced by the second, once."""
    text = NEIGHBOUR
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def inputs_of(text: str) -> DesignInputs:
    inputs = read_yaml_plan(text, file="/x/plan.yaml")
    assert design_problems(inputs) == ()
    return inputs


def plan_of(text: str) -> Plan:
    design = replace(inputs_of(text).design, notes=())
    plan = build_plan(design, name="x")
    parsed = parse_plan(write_plan(plan, PlanDetails()))
    assert parsed.problems == ()
    return replace(parsed.plan, file="")


def said(text: str) -> dict[str, Problem]:
    return {warning.message.removeprefix("not carried over: "): warning for warning in inputs_of(text).warnings}


def errors_of(text: str) -> tuple[Problem, ...]:
    with pytest.raises(PlanError) as caught:
        read_yaml_plan(text, file="/x/plan.yaml")
    assert all(problem.file == "/x/plan.yaml" and problem.line for problem in caught.value.problems)
    return caught.value.problems


def line_of(text: str, part: str, *, last: bool = False) -> int:
    numbers = [number for number, line in enumerate(text.splitlines(), 1) if part in line]
    return numbers[-1 if last else 0]


def assert_both_lines(text: str, first: str, second: str) -> None:
    """There is one error, at the line of the second part, which names the line of the first."""
    (problem,) = errors_of(text)
    assert problem.line == line_of(text, second, last=True)
    assert f"line {line_of(text, first)}" in problem.message


# --- what real files hold


def test_a_real_plan_is_taken_over() -> None:
    plan = plan_of(NEIGHBOUR)
    assert [(run.name, effective(plan, run, "lora_rank")) for run in plan.runs] == [
        ("tiny_rank4", 4),
        ("tiny_rank8", 8),
    ]
    assert (plan.value("system_prompt"), plan.value("eval_temperature")) == (UPPER, 0)
    assert [(task.name, task.dataset, task.has_own_data) for task in plan.tasks] == [("upper", None, False)]
    assert [(item.run, item.task, item.epoch) for item in evaluations(plan)] == [
        ("tiny_rank4", "upper", 0),
        ("tiny_rank8", "upper", 0),
    ]
    assert sorted(said(NEIGHBOUR)) == [
        "data.training.size_kb: 1",
        "data.training.splits: train (8), validation (1), test (1)",
        "evaluation.scorers: match",
        "models.base[].size_gb: 2.5",
        "output.wandb_project: letters",
    ]


def test_labels_of_the_matrix_are_kept_as_its_notes() -> None:
    design = inputs_of(NEIGHBOUR).design
    assert design.matrix_notes == {"tiny_rank4": "rank 4", "tiny_rank8": "rank 8"}
    twice = text_with(('vis_label: "rank 8"', 'vis_label: "rank 8", eval_condition: "hard words"'))
    assert inputs_of(twice).design.matrix_notes["tiny_rank8"] == "rank 8; Evaluation condition: hard words"


VARIANTS = {
    "other order of sections": yaml.safe_dump(yaml.safe_load(NEIGHBOUR), sort_keys=True),
    "JSON": yaml.safe_dump(yaml.safe_load(NEIGHBOUR), default_flow_style=True, width=10_000),
    "quoted numbers": text_with(
        ("epochs: 1", 'epochs: "1"'), ("[4, 8]", "['4', '8']"), ("lora_rank: 4}", 'lora_rank: "4"}')
    ),
    "scalars for lists": text_with(
        ('tasks: ["upper"], epochs: [0]', 'tasks: "upper", epochs: 0'),
        ('  scorers:\n    - name: "match"', "  scorer: match"),
    ),
    "lists for scalars": text_with(("epochs: 1", "epochs: [1]"), ("lr: 1e-4", "lr: [1e-4]")),
    "a mapping for a list of one": text_with(('    - name: "tiny"', '      name: "tiny"')),
    "an alias": text_with(
        (SYSTEM, f'  system_prompt: &upper "{UPPER}"\n'),
        ("evaluation:\n" + SYSTEM, "evaluation:\n  system_prompt: *upper\n"),
    ),
    "merge keys": text_with(
        ("runs:\n", "trained: &trained {type: fine-tuned, model: tiny}\nruns:\n"),
        ('type: "fine-tuned", model: "tiny", parameters: {lora_rank: 4}', "<<: *trained, parameters: {lora_rank: 4}"),
        ('type: "fine-tuned", model: "tiny"', "<<: [*trained, {model: other}]"),
    ),
    "older names": text_with(
        ("  dir:", "  directory:"),
        ("dataset_label:", "label:"),
        ("  scorers:", "  scorer:"),
        ("  lr:", "  learning_rate:"),
    ),
    "is_finetuned for the type": text_with(('"tiny_rank4", type: "fine-tuned"', '"tiny_rank4", finetuned: true')),
    "is_finetuned in the matrix": text_with(('vis_label: "rank 4"', "is_finetuned: true")),
    "no optional sections": text_with(
        ('tools:\n  preparation: "torchtune"\n  evaluation: "inspect-ai"\n', ""),
        ('output:\n  wandb_project: "letters"\n', ""),
        ("variables:\n  lora_rank: [4, 8]\n", ""),
        ("    size_kb: 1\n    splits: {train: 8, validation: 1, test: 1}\n", ""),
    ),
    "nulls": text_with(
        ('tools:\n  preparation: "torchtune"\n  evaluation: "inspect-ai"\n', "tools: null\n"),
        ('  project: "letters"\n', "  project:\n  hypothesis: null\n"),
        ('output:\n  wandb_project: "letters"', "output: ~"),
        ("  temperature: 0.0\n", "  temperature: null\n  do_sample: null\n  max_tokens: ~\n"),
        ('description: "upper case"', "description: null, prompt: null, system_prompt: null"),
    ),
    "unknown sections and keys": text_with(
        ("output:\n", "lab: {node: 7}\noutput:\n"),
        ("  project:", "  owner: me\n  project:"),
        ("  lr: 1e-4\n", "  lr: 1e-4\n  device_map: cuda\n"),
    ),
    "same data by another spelling": text_with(('dataset: "same"', "dataset: Same")),
    "the data set named by its label": text_with(('dataset: "same"', "dataset: words")),
    "prompts of the task are those of training": text_with(
        ('description: "upper case"', f'prompt: "{{input}}", system_prompt: "{UPPER}"')
    ),
}


@pytest.mark.parametrize("text", VARIANTS.values(), ids=VARIANTS)
def test_the_same_plan_in_another_shape_gives_the_same_runs_and_evaluations(text: str) -> None:
    plan, expected = plan_of(text), plan_of(NEIGHBOUR)
    assert [(model.name, model.path) for model in plan.models] == [("tiny", "/scratch/lab/models/tiny")]
    assert plan.dataset is not None
    assert (plan.dataset.path, plan.dataset.format) == ("/scratch/lab/me/words.json", "json")
    assert [(run.name, run.model, run.type) for run in plan.runs] == [
        (run.name, run.model, run.type) for run in expected.runs
    ]
    for run, other in zip(plan.runs, expected.runs, strict=True):
        for parameter in plan.parameters:
            assert effective(plan, run, parameter.key) == effective(expected, other, parameter.key)
    assert evaluations(plan) == evaluations(expected)
    assert [(task.name, task.script, task.dataset) for task in plan.tasks] == [
        (task.name, task.script, task.dataset) for task in expected.tasks
    ]


# --- what has no equivalent


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("output:\n", "lab: {node: 7}\noutput:\n", "unknown key `lab`: node 7"),
        ("  project:", "  owner: me\n  project:", "unknown key `experiment.owner`: me"),
        ("  project:", "  owner:\n  project:", "unknown key `experiment.owner`"),
        ("  lr: 1e-4\n", "  lr: 1e-4\n  device_map: cuda\n", "unknown parameter `controls.device_map`: cuda"),
        ("  lr: 1e-4\n", "  lr: 1e-4\n  custom_recipe: a.b\n", "controls.custom_recipe: a.b"),
        ("  temperature: 0.0", "  compute: {gpus: 2}", "evaluation.compute: gpus 2"),
        ('description: "upper case"', 'assistant_prefix: "OK:"', "evaluation.tasks[].assistant_prefix: OK:"),
        ('description: "upper case"', "prompt: 'Q: {input}'", "prompt of the task upper: Q: {input}"),
        ('description: "upper case"', "system_prompt: ''", "system_prompt of the task upper: "),
    ],
)
def test_a_key_without_an_equivalent_is_a_warning_with_its_line_and_a_note(old: str, new: str, what: str) -> None:
    text = text_with((old, new))
    warning = said(text)[what]
    key = what.split(":", maxsplit=1)[0]
    name = re.split(r"[. `]+", key.removeprefix("system_").removesuffix(" of the task upper").rstrip("`"))[-1]
    assert warning.line == line_of(text, f"{name}:", last="prompt" in name)
    assert any(key.replace("`", "") in note and f":{warning.line})" in note for note in inputs_of(text).design.notes)


@pytest.mark.parametrize(
    ("written", "said_of_it"),
    [
        ("[match, includes]", "match, includes"),
        ("[{name: match, params: {location: exact}}]", "match (params location exact)"),
        ("[{match: {location: exact}}, {includes: {}}]", "match (location exact), includes"),
        (
            "{match: {location: exact}, risk_scorer: {option_tokens: ['0', '1']}}",
            "match (location exact), risk_scorer (option_tokens 0, 1)",
        ),
    ],
)
def test_a_scorer_is_left_behind_with_its_parameters(written: str, said_of_it: str) -> None:
    text = text_with(('  scorers:\n    - name: "match"', f"  scorers: {written}"))
    assert f"evaluation.scorers: {said_of_it}" in said(text)


def test_an_equal_part_of_many_runs_is_one_warning_with_all_lines() -> None:
    compute = "parameters: {lora_rank: %d}, compute: {time: '1:00'}"
    text = text_with(
        ("parameters: {lora_rank: 4}", compute % 4),
        ("parameters: {lora_rank: 8}", compute % 8),
    )
    (warning,) = (warning for what, warning in said(text).items() if "compute" in what)
    assert warning.line == line_of(text, "compute")
    assert f"also in line {line_of(text, 'compute', last=True)}" in warning.message


def test_a_prompt_of_a_task_that_is_left_behind_names_the_line_of_the_training_prompt() -> None:
    text = text_with(('description: "upper case"', "system_prompt: 'Shout.'"))
    assert f"(line {line_of(text, UPPER)})" in said(text)["system_prompt of the task upper: Shout."].hint


@pytest.mark.parametrize(
    ("old", "new", "meant"),
    [
        ("tools:", "tool:", "tools"),
        ("  question:", "  qestion:", "question"),
        ("dataset_label:", "dataset-label:", "dataset_label"),
        ("  scorers:", "  scorrers:", "scorers"),
        (", script:", ", scrpt:", "script"),
        ("  matrix:", "  Matrix:", "matrix"),
    ],
)
def test_a_misspelt_key_is_read_as_the_one_that_is_missing_and_reported(old: str, new: str, meant: str) -> None:
    text = text_with((old, new))
    (message,) = (what for what in said(text) if f"is read as `{meant}`" in what)
    assert said(text)[message].line == line_of(text, new)
    assert evaluations(plan_of(text)) == evaluations(plan_of(NEIGHBOUR))
    assert any("was read as" in note for note in inputs_of(text).design.notes)


def test_a_key_next_to_the_one_that_it_resembles_is_unknown() -> None:
    text = text_with(("tools:", "tool: hammer\ntools:"))
    assert said(text)["unknown key `tool`: hammer"].hint.endswith("did you mean `tools`?")


# --- contradictions


@pytest.mark.parametrize(
    ("old", "new", "first", "second"),
    [
        ("evaluation:\n" + SYSTEM, "evaluation:\n  system_prompt: Shout.\n", UPPER, "Shout."),
        ("evaluation:\n" + SYSTEM, "evaluation:\n  system_prompt: ''\n", UPPER, "system_prompt: ''"),
        ("evaluation:\n", "evaluation:\n  prompt: 'Q: {input}'\n", 'prompt: "{input}"', "Q: {input}"),
        ("  lr: 1e-4\n", "  lr: 1e-4\n  learning_rate: 1e-5\n", "  lr:", "learning_rate"),
        ("lora_rank: 4}", "lora_rank: 4,\n    rank: 8}", "tiny_rank4", "    rank: 8}"),
        ("  lora_rank: [4, 8]\n", "  lora_rank: [4, 8]\n  rank: [4]\n", "lora_rank: [4", "  rank: [4]"),
        ("  dir:", "  directory: /y\n  dir:", "directory", "  dir:"),
        ("    format:", "    label: letters\n    format:", "dataset_label", "label: letters"),
        ('format: "json"', "format: parquet", "words.json", "parquet"),
        ("  temperature: 0.0", "  do_sample: false\n  temperature: 0.7", "do_sample", "temperature: 0.7"),
        ('"tiny_rank4", type:', '"tiny_rank4", is_finetuned: false, type:', "tiny_rank4", "is_finetuned"),
    ],
)
def test_values_that_contradict_each_other_are_an_error_with_both_lines(
    old: str, new: str, first: str, second: str
) -> None:
    assert_both_lines(text_with((old, new)), first, second)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('tiny_rank8", type', 'tiny_rank4", type', "two runs are named `tiny_rank4`; the first is in line 35"),
        (
            'run: "tiny_rank8"',
            'run: "tiny_rank4"',
            "the matrix has `tiny_rank4` with `upper` twice; the first is in line 45",
        ),
        (
            "  matrix:",
            "    - {name: upper, script: t.py}\n  matrix:",
            "two tasks are named `upper`; the first is in line 43",
        ),
        (
            "  matrix:",
            "  scorer: x\n  matrix:",
            "`evaluation.scorer` and `evaluation.scorers` are the same key; the first",
        ),
        ("data:\n", "    - {name: tiny, path: /y}\ndata:\n", "two models are named `tiny`; the first is in line 22"),
    ],
)
def test_a_name_that_is_given_twice_is_an_error_with_both_lines(old: str, new: str, message: str) -> None:
    assert any(message in problem.message for problem in errors_of(text_with((old, new))))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  lr: 1e-4\n", "  lr: 1e-4\n  learning_rate: 1e-4\n"),
        ("  dir:", "  directory: /scratch/lab/me/caps_small\n  dir:"),
        ('"tiny_rank4", type:', '"tiny_rank4", is_finetuned: true, type:'),
    ],
)
def test_the_same_value_twice_is_no_contradiction(old: str, new: str) -> None:
    assert plan_of(text_with((old, new))).runs == plan_of(NEIGHBOUR).runs


def test_an_evaluation_prompt_without_a_training_prompt_is_an_error() -> None:
    text = text_with((SYSTEM, ""))
    (problem,) = errors_of(text)
    assert problem.line == line_of(text, UPPER)
    assert "`evaluation.system_prompt`" in problem.message
    assert "trained with" in problem.hint


def test_runs_with_their_own_prompt_are_reported_beside_the_prompt_of_the_evaluation() -> None:
    text = text_with(("{lora_rank: 8}}", "{lora_rank: 8,\n    system_prompt: Shout.}}"))
    (warning,) = (warning for what, warning in said(text).items() if "tiny_rank8" in what)
    assert warning.line == line_of(text, UPPER, last=True)
    assert f"(line {line_of(text, 'Shout.')})" in warning.message


def test_the_prompt_of_the_evaluation_applies_where_nothing_is_trained() -> None:
    text = text_with(
        (SYSTEM, ""),
        (RANK8, ""),
        ("variables:\n  lora_rank: [4, 8]\n", ""),
        ('type: "fine-tuned", model: "tiny", parameters: {lora_rank: 4}', "type: control, model: tiny"),
        ('    - {run: "tiny_rank8", vis_label: "rank 8", tasks: ["upper"], epochs: [0]}\n', ""),
    )
    plan = plan_of(text)
    assert [run.type for run in plan.runs] == [RunType.CONTROL]
    assert plan.value("system_prompt") == UPPER


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        (text_with(("  lr: 1e-4\n", "  lr: 1e-4\n  epochs: 2\n")), "  epochs: 1", "  epochs: 2"),
        (text_with(("output:\n", "tools: {evaluation: inspect-ai}\noutput:\n")), "tools:", "tools: {"),
        (text_with(("output:\n", "data_x: 1\ndata-x: 2\noutput:\n")), "data_x", "data-x"),
        (text_with(("size_gb: 2.5", "size_gb: 2.5\n      path: /y")), "models/tiny", "path: /y"),
    ],
)
def test_a_key_that_is_given_twice_is_an_error_with_both_lines(text: str, first: str, second: str) -> None:
    assert_both_lines(text, first, second)


# --- values


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs: 1\n", "epochs: [1, 2]\n", "`controls.epochs` must be one text"),
        ("lora_rank: 4}", "lora_rank: 4, lab_rank: 1}", "unknown parameter `parameters.lab_rank`"),
        ("lora_rank: 4}", "lora_rank: 4, xyz: 1}", "unknown parameter `parameters.xyz`"),
        ("  batch_size: 4\n", "  batchsize: 4\n", "unknown parameter `controls.batchsize`"),
        ("  batch_size: 4\n", "", "`controls.batch_size` is missing"),
        ("  batch_size: 4\n", "  batch_size: null\n", "`controls.batch_size` is missing"),
        ('path: "/scratch/lab/me/words.json"', "path: <where>", "`data.training` has no path"),
        (UPPER, "<your prompt>", "`controls.system_prompt` is still the placeholder `<your prompt>`"),
        ('script: "/scratch/lab/me/task.py", ', "", "task `upper` has no script"),
        ("epochs: [0]", "epochs: [1]", "cannot evaluate epoch 1: run `tiny_rank4` trains 1 (line 17)"),
        ("epochs: [0]", "epochs: []", "evaluates run `tiny_rank4` at no epoch"),
        ("{lora_rank: 4}", "{lora_rank: 4, system_prompt: null}", "`system_prompt` is null, but line 14"),
        ('type: "fine-tuned", model: "tiny", parameters: {lora_rank: 4}', "model: tiny", "`tiny_rank4` has no type"),
        ("runs:\n", "base: &b 5\nruns:\n  - {<<: *b}\n", "`<<` needs a mapping"),
    ],
)
def test_a_value_that_cannot_be_used_is_an_error_with_its_line(old: str, new: str, message: str) -> None:
    assert any(message in problem.message for problem in errors_of(text_with((old, new))))


def test_a_placeholder_that_decides_nothing_counts_as_not_given() -> None:
    text = text_with(('  project: "letters"', "  hypothesis: <optional>"))
    (warning,) = (warning for what, warning in said(text).items() if "placeholder" in what)
    assert warning.line == line_of(text, "<optional>")
    assert not any("Hypothesis" in note for note in inputs_of(text).design.notes)


def test_an_empty_list_of_tasks_evaluates_nothing() -> None:
    text = text_with(('tasks: ["upper"]', "tasks: []"))
    assert [item.run for item in evaluations(plan_of(text))] == ["tiny_rank8"]


def test_defaults_that_the_file_does_not_give_are_named() -> None:
    defaults = next(what for what, why in inputs_of(NEIGHBOUR).decisions if "defaults" in why)
    assert "Seed 14" in defaults
    assert "Prompt" not in defaults
