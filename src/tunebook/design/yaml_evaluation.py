"""The evaluation of a plan in YAML: tasks, matrix and generation settings.

In such plans a task's prompt wins over the run's, and that over ``controls``. Here a model is evaluated with the
prompts that it was trained with, so a task's own prompt is only kept where the runs have it anyway, or where nothing is
trained.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence

from tunebook.core.numbers import point_for_comma, whole_number
from tunebook.core.parameters import FLAG_WORDS, suggestion
from tunebook.core.plan import EvaluationTask, RunType
from tunebook.core.plan.resources import split_script
from tunebook.design.documents import Node, Place, Text, place_of
from tunebook.design.factors import column_of
from tunebook.design.values import MatrixRule
from tunebook.design.yaml_draft import Draft
from tunebook.design.yaml_runs import COMPUTE, PREFIX, YamlRun, check_trained
from tunebook.design.yaml_shapes import ANYTHING, PROMPTS, TEXT, TEXTS, Renamed, Section, one_line, read

__all__ = ["EVALUATION", "read_evaluation"]

EVALUATION = {
    "tasks": [
        {
            **dict.fromkeys(("name", "script", "dataset", "description", *PROMPTS), TEXT),
            "assistant_prefix": PREFIX,
        }
    ],
    "matrix": [
        {
            **dict.fromkeys(("run", "vis_label", "eval_condition", "is_finetuned"), TEXT),
            **dict.fromkeys(("tasks", "epochs"), TEXTS),
            "finetuned": Renamed("is_finetuned"),
            "compute": COMPUTE,
        }
    ],
    "scorers": ANYTHING,
    "scorer": Renamed("scorers"),
    **dict.fromkeys(("do_sample", "temperature", "max_tokens", "seed", "limit", "max_connections", *PROMPTS), TEXT),
    "assistant_prefix": PREFIX,
    "compute": COMPUTE,
}
"""The shape of ``evaluation``."""
_SETTINGS = {
    "max_tokens": "eval_max_tokens",
    "seed": "eval_seed",
    "limit": "eval_limit",
    "max_connections": "max_connections",
}

_Pairs = set[tuple[str, str]]
"""Runs with the tasks that they are evaluated in."""


def read_evaluation(draft: Draft, section: Section, runs: Sequence[YamlRun]) -> None:
    """Takes tasks, matrix and settings over."""
    asked = _tasks(draft, section.get("tasks", []))
    pairs = {(run.name, task) for run in runs for task in asked}
    if "matrix" in section:
        pairs = _matrix(draft, section["matrix"], runs, list(asked))
    kept = [run for run in runs if not run.is_left]
    for key in PROMPTS:
        if key in section:
            _common_prompt(draft, key, section.text(key), kept)
        _prompt(draft, key, asked, kept, pairs)
    _settings(draft, section)
    if "scorers" in section:
        names = ", ".join(filter(None, _scorers(draft, section["scorers"])))
        why = "a task's script decides how it is scored; one that reads this list from a file needs it in the script"
        draft.leave(section["scorers"].place, f"evaluation.scorers: {names}", why)


def _tasks(draft: Draft, listed: Sequence[Section]) -> dict[str, Mapping[str, Text]]:
    """Takes the tasks over; returns the prompts of each."""
    asked: dict[str, Mapping[str, Text]] = {}
    tasks: list[EvaluationTask] = []
    for item in listed:
        name = Text(item.text("name"), item.place)
        if not name:
            draft.problem(item.place, "a task has no name")
        if name in asked:
            first = next(place_of(task.name) for task in tasks if task.name == name)
            draft.repeat(f"two tasks are named `{name}`", first, item.place)
        file, function = split_script(item.text("script"))
        dataset, description = _dataset(draft, item.text("dataset")), item.text("description")
        if not file:
            draft.problem(item.place, f"task `{name}` has no script", "add `script: FILE.py@task`")
        tasks.append(EvaluationTask(name, file, function=function, dataset=dataset, description=description))
        asked[name] = {key: item.text(key) for key in PROMPTS if key in item}
    draft.give(tasks=tuple(tasks))
    return asked


def _scorers(draft: Draft, node: Node) -> Iterator[str]:
    """Each scorer with its parameters; it is a text, or a mapping with a name, or its name is the mapping's key."""
    for item in node.items():
        if isinstance(item.value, Mapping) and "name" not in item.value:
            yield from (_scorer(name, parameters) for name, parameters in item.named())
            continue
        parts = dict(item.value) if isinstance(item.value, Mapping) else {"name": item}
        name = read(draft, parts.pop("name"), TEXT, "scorers[].name")
        yield _scorer(name, Node(parts))


def _scorer(name: str, parameters: Node) -> str:
    listed = one_line(parameters)
    return f"{name} ({listed})" if listed else name


def _dataset(draft: Draft, text: Text) -> Text | None:
    """A task's own data set; ``None`` for the run's."""
    is_of_run = text.lower() in {"", "same"} or text == draft.dataset_label
    return None if is_of_run else text


def _common_prompt(draft: Draft, key: str, prompt: Text, runs: Sequence[YamlRun]) -> None:
    """Compares the evaluation's prompt with the training's, which is the only one here."""
    settings = draft.design.settings
    hint = "tunebook evaluates a model with the prompt that it was trained with: give both the same text"
    if key in settings:
        common = Text(settings[key], place_of(settings[key]))
        draft.contradict(f"controls.{key}", common, f"evaluation.{key}", prompt, hint)
    elif not draft.design.is_trained:
        draft.give(settings={**settings, key: prompt})
        draft.decide(f"{column_of(key)} of the evaluation for all runs", "nothing is trained with another one")
    elif key not in draft.design.factor_keys and any(_asked_with(draft, run, key) != prompt for run in runs):
        default = draft.design.parameters.by_key(key).default
        message = f"`evaluation.{key}` is `{prompt}`, but `controls` give none, so that training uses `{default}`"
        draft.problem(prompt.place, message, hint)
    _warn_of_own_prompts(draft, key, prompt, runs)


def _warn_of_own_prompts(draft: Draft, key: str, prompt: Text, runs: Sequence[YamlRun]) -> None:
    hint = "a model is evaluated with the prompt that it was trained with"
    for run in runs:
        own = run.values.get(key, prompt)
        if run.type is RunType.FINE_TUNED and own != prompt:
            line = place_of(own).line
            message = f"run `{run.name}` is evaluated with its own {key} (line {line}), not with `evaluation.{key}`"
            draft.warn(prompt.place, message, hint)
    factor = draft.design.factor(key)
    if factor is not None and set(factor.levels) != {prompt}:
        message = f"runs are evaluated with their own {key} (line {place_of(factor.key).line}), not with this one"
        draft.warn(prompt.place, message, hint)


def _prompt(
    draft: Draft, key: str, asked: Mapping[str, Mapping[str, Text]], runs: Sequence[YamlRun], pairs: _Pairs
) -> None:
    """Keeps the tasks' own prompt if they all have the same and nothing is trained; otherwise reports it."""
    own = {task: prompts[key] for task, prompts in asked.items() if key in prompts}
    if not draft.design.is_trained and own.keys() == asked.keys() and len(set(own.values())) == 1:
        draft.give(settings={**draft.design.settings, key: next(iter(own.values()))})
        draft.decide(f"{column_of(key)} of the tasks for all runs", "nothing is trained with another one")
        return
    for task, prompt in own.items():
        others = [_asked_with(draft, run, key) for run in runs if (run.name, task) in pairs]
        others = [text for text in others if text != prompt]
        if others:
            why = "a model is evaluated with the prompts that it was trained with"
            line = place_of(others[0]).line
            if line:
                why += f" (line {line})"
            draft.leave(prompt.place, f"{key} of the task {task}: {prompt}", why)


def _asked_with(draft: Draft, run: YamlRun, key: str) -> str:
    """The prompt of a run here: its own if it is trained with one, else the common one."""
    if run.type is RunType.FINE_TUNED and key in run.values:
        return run.values[key]
    return draft.design.settings.get(key, str(draft.design.parameters.by_key(key).default or ""))


def _matrix(draft: Draft, rows: Sequence[Section], runs: Sequence[YamlRun], tasks: list[str]) -> _Pairs:
    """Takes the matrix over; returns its pairs of run and task. All others are not evaluated."""
    if rows and not runs:
        draft.problem(rows[0].place, "the matrix names runs, but the plan lists none", "list them under `runs`")
        return set()
    known = {run.name: run for run in runs}
    rules = [MatrixRule("*", "*", "-")]
    seen: dict[tuple[str, str], Place] = {}
    for item in rows:
        name = item.text("run")
        run = known.get(name)
        if run is None:
            draft.problem(item.place, f"the matrix has the unknown run `{name}`", suggestion(name, known))
            continue
        check_trained(draft, item, run.type, Text("", run.place))
        if run.is_left:
            continue
        _label(draft, item, name)
        epochs = _epochs(draft, item, run)
        for task in item.get("tasks", tasks):
            if task not in tasks:
                draft.problem(item.place, f"the matrix has the unknown task `{task}`", suggestion(task, tasks))
            if (name, task) in seen:
                draft.repeat(f"the matrix has `{name}` with `{task}` twice", seen[name, task], item.place)
            seen.setdefault((name, task), item.place)
            rules.append(MatrixRule(Text(glob.escape(name), item.place), glob.escape(task), epochs))
    draft.give(matrix=tuple(rules))
    return set(seen)


def _label(draft: Draft, item: Section, run: str) -> None:
    """Keeps a row's label and condition as its remark."""
    remarks: list[str] = [item.text("vis_label")]
    if "eval_condition" in item:
        remarks.append(f"Evaluation condition: {item.text('eval_condition')}")
    if any(remarks):
        draft.remark("matrix_notes", run, *remarks)


def _epochs(draft: Draft, item: Section, run: YamlRun) -> str:
    """Zero-based epochs; by default the last one."""
    if "epochs" not in item:
        return "default"
    listed = item["epochs"]
    text = ",".join(listed)
    is_trained = run.type is RunType.FINE_TUNED
    if not text and is_trained:
        message = f"the matrix evaluates run `{run.name}` at no epoch"
        draft.problem(item.place, message, "list zero-based epochs, or remove the row")
    if text and not is_trained and text not in {"last", "all", "0"}:
        message = f"run `{run.name}` is not trained here, but has epochs {text}"
        draft.problem(listed[0].place, message, "leave `epochs` out: the model is evaluated once")
    total = run.values.get("epochs", draft.design.settings.get("epochs", ""))
    for epoch in listed:
        number, trained = whole_number(epoch), whole_number(total)
        if is_trained and number is not None and trained is not None and number >= trained:
            message = f"cannot evaluate epoch {epoch}: run `{run.name}` trains {total} (line {place_of(total).line})"
            draft.problem(epoch.place, message, "epochs are counted from zero")
    return text or "default"


def _settings(draft: Draft, section: Section) -> None:
    settings = dict(draft.design.settings)
    for name, key in _SETTINGS.items():
        if name in section:
            settings[key] = section.text(name)
    temperature = _temperature(draft, section.text("do_sample"), section.text("temperature"))
    if temperature:
        settings["eval_temperature"] = temperature
    draft.give(settings=settings)


def _temperature(draft: Draft, sample: Text, temperature: Text) -> str:
    """The temperature of sampling; empty for greedy decoding."""
    is_sampled = FLAG_WORDS.get(sample.lower(), False)
    if sample.lower() not in {"", *FLAG_WORDS}:
        draft.problem(sample.place, f"`evaluation.do_sample` is `{sample}`", "write true or false")
    try:
        value = float(temperature or 0)
    except ValueError:
        hint = f"write a number of at least 0{point_for_comma(temperature)}"
        draft.problem(temperature.place, f"`evaluation.temperature` is `{temperature}`", hint)
        return ""
    if is_sampled and not value > 0:
        draft.problem((temperature or sample).place, "`do_sample: true` needs a `temperature` above 0")
    if not is_sampled and value:
        hint = "add `do_sample: true`, or remove the temperature: decoding is greedy without it"
        message = f"a temperature of {temperature} without `do_sample: true`"
        if sample:
            message += f": line {sample.place.line} has `do_sample: {sample}`"
        draft.problem(temperature.place, message, hint)
    return temperature if is_sampled else ""
