"""What is missing in a design or cannot be, all of it at once, each with the option or line it came from. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from tunebook.core.naming import is_one_component
from tunebook.core.parameters import Kind, ParameterTable, suggestion
from tunebook.core.parse_matrix import parse_epochs
from tunebook.core.table_text import prose
from tunebook.design.combine import combinations, excluded, group_sizes, level_value
from tunebook.design.reader import Read
from tunebook.design.runs import plan_of, rows, trains_adapters
from tunebook.design.values import MODEL, MOST_RUNS, Combine, Design, Factor
from tunebook.errors import Problem

__all__ = ["design_problems", "design_warnings", "missing"]

_ANSWERS = {
    "question": "what should this experiment find out?",
    "model": "which models? NAME=PATH",
    "dataset": "the path of the data set",
    "task": "which evaluation tasks? NAME=SCRIPT.py",
}
_NOT_IN_MATRIX = {"-", "no", "none", "default", "yes", "✓"}
_MOST_NAMES = 10


def missing(design: Design) -> tuple[str, ...]:
    """What has to be answered still: keys of the design, and of parameters that every training needs."""
    found = [] if prose(design.question) else ["question"]
    found += [] if design.models or (design.eval_only and not design.train) else ["model"]
    found += [] if design.dataset or not design.train or design.factor("dataset") else ["dataset"]
    found += [] if design.tasks else ["task"]
    return (*found, *_missing_parameters(design))


def _missing_parameters(design: Design) -> Iterator[str]:
    if not design.train:
        return
    given = {*design.settings, *(factor.key for factor in design.factors)}
    listed_only = design.listed and not design.factors
    for parameter in design.parameters:
        if not parameter.required or (parameter.lora_only and trains_adapters(design) is False):
            continue
        everywhere = listed_only and all(parameter.key in run.values for run in design.listed)
        if parameter.key not in given and not everywhere:
            yield parameter.key


def design_problems(read: Read) -> tuple[Problem, ...]:
    """Everything that is missing or wrong."""
    found = [
        *_missing(read),
        *_names(read),
        *_settings(read),
        *_factors(read),
        *_base(read),
        *_pairs(read),
        *_listed(read),
    ]
    found += [*_exclusions(read), *_replication(read), *_models(read), *_evaluation(read)]
    if not found:
        found += _result(read)
    return tuple(found)


def _missing(read: Read) -> Iterator[Problem]:
    for key in missing(read.design):
        if key in read.meant:
            continue
        if key in _ANSWERS:
            yield Problem(f"`{key}` is missing", hint=f"{_ANSWERS[key]} (--{key})")
        else:
            column = read.design.column(key)
            hint = f"--set {key}=… for all runs, or --factor {key}=…,… to vary it"
            yield Problem(f"{column} is missing", hint=hint)


def _names(read: Read) -> Iterator[Problem]:
    design = read.design
    hint = "use letters, digits and . _ + = @ , - only: it becomes a file's or a directory's name"
    if design.name and not is_one_component(design.name):
        yield read.place("name").problem(f"the name `{design.name}` cannot be a directory", hint)
    for task in design.tasks:
        if not is_one_component(task.name) or task.name.lower() in {"notes", "note"}:
            yield read.place("task", task.name).problem(f"a task cannot be named `{task.name}`", hint)
        if not task.script:
            yield read.place("task", task.name).problem(f"task `{task.name}` has no script", "write NAME=SCRIPT.py")
    for model in design.models:
        if not all(is_one_component(part) for part in model.name.split("/")):
            message = f"a model cannot be named `{model.name}`"
            yield read.place("model", model.name).problem(message, f"give it a name: NAME={model.path}; {hint}")
    named = [*(item.name for item in design.eval_only), *(item.name for item in design.listed)]
    names = Counter(name.lower() for name in named if name)
    for name, count in names.items():
        if not is_one_component(name):
            yield read.place("eval-only", name).problem(f"a run cannot be named `{name}`", hint)
        if count > 1:
            yield read.place("eval-only", name).problem(f"two runs are named `{name}`", "rename one of them")


def _convertible(parameters: ParameterTable, key: str, text: str) -> str:
    """Why a text cannot be a level of this parameter; empty if it can."""
    if key == MODEL:
        return ""
    try:
        parameters.by_key(key).convert(text)
    except ValueError as error:
        return str(error)
    return ""


def _settings(read: Read) -> Iterator[Problem]:
    for key, text in read.design.settings.items():
        reason = _convertible(read.design.parameters, key, text)
        if reason:
            yield read.place("set", key).problem(reason)


def _varies(parameters: ParameterTable, key: str) -> bool:
    return key == MODEL or bool(parameters.by_key(key).short)


def _factors(read: Read) -> Iterator[Problem]:
    design = read.design
    for factor in design.factors:
        place = read.place("factor", factor.key)
        if not _varies(design.parameters, factor.key):
            hint = f"give it once: --set {factor.key}=…"
            yield place.problem(f"{design.column(factor.key)} cannot vary from run to run", hint)
        if not factor.levels:
            yield place.problem(f"factor `{factor.key}` has no levels")
        reasons = [_convertible(design.parameters, factor.key, level) for level in factor.levels]
        yield from (place.problem(reason) for reason in reasons if reason)
        yield from _twice(read, factor)
        if factor.key in design.settings and not _literal(design.parameters, factor.key):
            message = f"`{factor.key}` is a factor and has the setting {design.settings[factor.key]}"
            hint = "give only one of the two"
            is_around = design.combine is Combine.ONE_AT_A_TIME
            yield place.problem(message, f"{hint}; around which level it varies is --base" if is_around else hint)
    if not design.train and (design.factors or design.listed):
        name = "factor" if design.factors else "with"
        yield read.place(name).problem("nothing is trained, and runs are to vary", "leave `--no-training` out")
    if design.combine is Combine.ONE_AT_A_TIME and not design.factors:
        yield read.place("combine").problem("one-at-a-time needs factors")


def _base(read: Read) -> Iterator[Problem]:
    design = read.design
    if design.base and design.combine is Combine.FACTORIAL and ("base",) in read.places:
        yield read.place("base").problem("there is a base, and all levels are combined", "--combine one-at-a-time")
    for key, text in design.base.items():
        if design.factor(key) is None:
            yield read.place("base").problem(f"the base has `{key}`, which is no factor", _known(design))
        elif reason := _convertible(design.parameters, key, text):
            yield read.place("base").problem(reason)
    for keys in design.paired:
        given = {key: design.base[key] for key in keys if key in design.base}
        if given and len(given) < len(keys) and not _paired_levels(design, given):
            message = f"the base has {_told(given)}, and nothing that goes with it in the pair {', '.join(keys)}"
            yield read.place("base").problem(message, "give the base for all of the pair")


def _paired_levels(design: Design, given: Mapping[str, str]) -> set[int]:
    """The positions in a pair's levels that have all of these values."""
    matching = [
        {index for index, level in enumerate(factor.levels) if level_value(key, level) == level_value(key, text)}
        for key, text in given.items()
        if (factor := design.factor(key))
    ]
    return set.intersection(*matching) if matching else set()


def _literal(parameters: ParameterTable, key: str) -> bool:
    return key != MODEL and parameters.by_key(key).kind is Kind.LITERAL


def _twice(read: Read, factor: Factor) -> Iterator[Problem]:
    if any(factor.key in keys for keys in read.design.paired):
        return
    seen: dict[object, str] = {}
    for level in factor.levels:
        value = level_value(factor.key, level)
        if value in seen:
            message = f"`{factor.key}` has the level {level} twice"
            yield read.place("factor", factor.key).problem(message, "replicate by seed: --replicates N")
        seen[value] = level


def _known(design: Design) -> str:
    return "factors: " + (", ".join(factor.key for factor in design.factors) or "none")


def _pairs(read: Read) -> Iterator[Problem]:
    design = read.design
    counts = Counter(key for keys in design.paired for key in keys)
    for keys in design.paired:
        members = [design.factor(key) for key in keys]
        place = read.place("pair")
        unknown = [key for key, factor in zip(keys, members, strict=True) if factor is None]
        if unknown:
            yield place.problem(f"`{unknown[0]}` is paired and is no factor", _known(design))
        elif len(keys) < 2:  # noqa: PLR2004
            yield place.problem("a pair has at least two factors", "write lora_rank,lora_alpha")
        elif len({len(factor.levels) for factor in members if factor}) > 1:
            lengths = ", ".join(f"{factor.key} has {len(factor.levels)}" for factor in members if factor)
            yield place.problem(f"paired factors need as many levels each: {lengths}")
        if any(counts[key] > 1 for key in keys):
            yield place.problem(f"`{next(key for key in keys if counts[key] > 1)}` is in two pairs")


def _listed(read: Read) -> Iterator[Problem]:
    design = read.design
    varied = {key for run in design.listed for key in run.values} | {factor.key for factor in design.factors}
    for number, run in enumerate(design.listed):
        place = read.place("with", str(number))
        for key, text in run.values.items():
            if not _varies(design.parameters, key):
                yield place.problem(f"{design.column(key)} cannot vary from run to run")
            elif reason := _convertible(design.parameters, key, text):
                yield place.problem(reason)
        for key in sorted(varied - set(run.values) - {MODEL}):
            parameter = design.parameters.by_key(key)
            if key not in design.settings and parameter.default is None and parameter.required:
                yield place.problem(f"run {number + 1} of the list has no {parameter.column}, and others have one")
    for key, text in design.settings.items():
        is_moot = design.listed and not design.factors and all(key in run.values for run in design.listed)
        if is_moot and ("set", key) in read.places and not _literal(design.parameters, key):
            message = f"every run of the list has its own {design.column(key)}, and the setting {text} is for none"
            yield read.place("set", key).problem(message, "leave it out, or change the runs")


def _exclusions(read: Read) -> Iterator[Problem]:
    for number, rule in enumerate(read.design.exclusions):
        place = read.place("exclude", str(number))
        if not rule:
            yield place.problem("an exclusion without a value would exclude everything")
        for key, text in rule.items():
            if read.design.factor(key) is None and key != MODEL:
                yield place.problem(f"`{key}` is excluded and is no factor", _known(read.design))
            elif reason := _convertible(read.design.parameters, key, text):
                yield place.problem(reason)


def _replication(read: Read) -> Iterator[Problem]:
    design = read.design
    for seed in design.seeds:
        if reason := _convertible(design.parameters, "seed", seed):
            yield read.place("seeds").problem(reason)
    if len({level_value("seed", seed) for seed in design.seeds}) < len(design.seeds):
        yield read.place("seeds").problem("a seed is given twice: its replicates would be one and the same run")
    if design.seeds and design.replicates not in {1, len(design.seeds)}:
        message = f"there are {len(design.seeds)} seeds for {design.replicates} replicates"
        yield read.place("replicates").problem(message, "give only one of the two")
    if design.replicates < 1:
        yield read.place("replicates").problem("there is at least one replicate")
    if (design.seeds or design.replicates > 1) and design.factor("seed"):
        yield read.place("factor", "seed").problem("the seed is a factor and replicates vary it too", "give only one")
    if design.sample is not None and design.sample < 1:
        yield read.place("sample").problem("a sample holds at least one combination")


def _models(read: Read) -> Iterator[Problem]:
    design = read.design
    known = [model.name for model in design.models]
    named = [("factor", MODEL, level) for factor in design.factors if factor.key == MODEL for level in factor.levels]
    named += [
        ("with", str(number), run.values[MODEL]) for number, run in enumerate(design.listed) if MODEL in run.values
    ]
    named += [("exclude", str(number), rule[MODEL]) for number, rule in enumerate(design.exclusions) if MODEL in rule]
    named += [("control", control.model, control.model) for control in design.controls or ()]
    for part, key, name in named:
        if name not in known:
            yield read.place(part, key).problem(f"`{name}` is none of the models", suggestion(name, known))
    for item in design.eval_only:
        if not item.checkpoint:
            yield read.place("eval-only", item.name).problem(f"eval-only run `{item.name}` has no checkpoint")


def _evaluation(read: Read) -> Iterator[Problem]:
    hint = "write last, all, or zero-based epochs such as 0,2"
    if parse_epochs(read.design.epochs) is None:
        message = f"epochs to evaluate `{read.design.epochs}` cannot be read"
        yield read.place("evaluate-epochs").problem(message, hint)
    for number, rule in enumerate(read.design.matrix):
        if rule.epochs not in _NOT_IN_MATRIX and parse_epochs(rule.epochs) is None:
            message = f"`{rule.epochs}` in the matrix cannot be read"
            yield read.place("matrix", str(number)).problem(message, f"{hint}, or - for none")


def _result(read: Read) -> Iterator[Problem]:
    """What only the combinations themselves show."""
    size = _size(read.design)
    if size > MOST_RUNS:
        message = f"the factors make {size:,} runs, more than {MOST_RUNS:,}"
        yield read.place("factor").problem(message, "vary less, or one-at-a-time; or fewer replicates")
    elif read.design.train and not rows(read.design):
        yield read.place("exclude").problem("no run is left to train", "exclude less; --no-training only evaluates")


def _size(design: Design) -> int:
    """How many runs there are before any is excluded; one factor at a time, as few as there are levels."""
    sizes = group_sizes(design)
    size = math.prod(sizes) if design.combine is Combine.FACTORIAL else sum(sizes)
    models = 1 if design.factor(MODEL) else max(1, len(design.models))
    return size * models * max(1, len(design.seeds) or design.replicates)


def design_warnings(read: Read) -> tuple[Problem, ...]:
    """What was asked for and has no effect."""
    design = read.design
    everything = combinations(replace(design, exclusions=(), sample=None))
    found = [
        read.place("exclude", str(number)).problem(f"the exclusion {_told(rule)} excludes nothing")
        for number, rule in enumerate(design.exclusions)
        if not any(excluded(values, rule) for values in everything)
    ]
    if design.sample is not None and design.sample >= len(combinations(replace(design, sample=None))):
        found.append(read.place("sample").problem(f"a sample of {design.sample} is all there is: nothing is left out"))
    return (*found, *_moot_rules(read))


def _moot_rules(read: Read) -> Iterator[Problem]:
    """Rules of the matrix for runs or tasks that there are none of; a page's own may outlive its runs."""
    given = [
        (rule, read.places["matrix", str(index)])
        for index, rule in enumerate(read.design.matrix)
        if ("matrix", str(index)) in read.places
    ]
    if not given:
        return
    plan = plan_of(read.design, name="-")
    for rule, place in given:
        for kind, pattern, names in (
            ("run", rule.run, [run.name for run in plan.runs]),
            ("task", rule.task, [task.name for task in plan.tasks]),
        ):
            if not any(fnmatchcase(name, pattern) for name in names):
                message = f"the matrix has a rule for `{pattern}`, and that is no {kind}"
                yield place.problem(message, suggestion(pattern, names[:_MOST_NAMES]))


def _told(rule: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={text}" for key, text in rule.items())
