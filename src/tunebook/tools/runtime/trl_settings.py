"""Reads ``sft.yaml`` and enforces the table of its keys.

The file is one flat mapping with the keys of TRL, and two sections of tunebook's own, ``data`` and ``tunebook``. Every
key is there. TRL itself ignores or converts much of what is wrong in such a file, so that the reader checks all of it
before TRL sees a value. Needs PyYAML and, of tunebook, only other job-side modules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tunebook.tools.runtime.trl_keys import DATA, DATA_SETTINGS, FIXED, OWN, OWN_SETTINGS, TRL_SETTINGS, Setting
from tunebook.tools.runtime.yaml_reading import compose_yaml

__all__ = ["Settings", "SettingsError", "load_settings", "read_settings"]

_SECTIONS = {DATA: DATA_SETTINGS, OWN: OWN_SETTINGS}
_FLOAT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+|[-+]?([0-9]+\.[0-9]*|\.[0-9]+)")
_Nodes = list[tuple[str, yaml.Node, int]]


class SettingsError(ValueError):
    """Everything that is wrong with a file, one line each, with file and line."""


@dataclass(frozen=True)
class Settings:
    """The values of a file; ``trl`` by TRL's keys, ``data`` and ``own`` by those of the two sections."""

    trl: Mapping[str, Any]
    data: Mapping[str, Any]
    own: Mapping[str, Any]

    @property
    def model(self) -> Path:
        """The directory of the model that is trained."""
        return Path(self.trl["model_name_or_path"])

    @property
    def output(self) -> Path:
        """The directory of metrics and checkpoints."""
        return Path(self.trl["output_dir"])

    @property
    def epochs(self) -> int:
        """How many are trained."""
        return int(self.trl["num_train_epochs"])

    @property
    def trains_adapters(self) -> bool:
        """Whether adapters are trained instead of all weights."""
        return bool(self.trl["use_peft"])

    @property
    def precision(self) -> str:
        """``bf16`` or ``fp32``: of the base, or of all weights."""
        return {"bfloat16": "bf16", "float32": "fp32"}[self.trl["dtype"]]

    @property
    def computed_in(self) -> str:
        """``nf4`` or ``fp4`` where the base is quantized, otherwise :attr:`precision`."""
        return str(self.trl["bnb_4bit_quant_type"] or self.precision)

    @property
    def saved_precision(self) -> str:
        """``bf16`` or ``fp32``: in which evaluations load the checkpoints; merged weights are in fp32."""
        return "fp32" if self.own["save"] == "merged" else self.precision


def load_settings(path: Path) -> Settings:
    """The values of a file; :func:`read_settings` for its errors."""
    return read_settings(path.read_text(encoding="utf-8"), file=str(path))


def read_settings(text: str, *, file: str) -> Settings:
    """The values of a file's text.

    Args:
        file: the file's name in messages.

    Raises:
        SettingsError: a key is unknown, missing or repeated, a value is not allowed, or two values contradict.
    """
    problems: list[str] = []
    top = _entries(_root(text, file), file, problems)
    sections = {name: _section(name, top, file, problems) for name in _SECTIONS}
    flat: _Nodes = [entry for entry in top if entry[0] not in _SECTIONS]
    trl = _values(TRL_SETTINGS, flat, file, problems)
    found = {name: _values(rows, sections[name], file, problems, name) for name, rows in _SECTIONS.items()}
    if not problems:
        lines = {key: line for key, _, line in [*flat, *sections[DATA], *sections[OWN]]}
        problems += [f"{file}:{lines[key]}: {message}" for key, message in _contradictions(trl, found)]
    if problems:
        raise SettingsError("\n".join(problems))
    return Settings(trl, found[DATA], found[OWN])


def _root(text: str, file: str) -> yaml.Node:
    try:
        root = compose_yaml(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"{file}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(root, yaml.MappingNode):
        raise SettingsError(f"{file}: the file has no settings")
    return root


def _entries(node: yaml.Node, file: str, problems: list[str]) -> _Nodes:
    """Key, value and line of a mapping; keys that occur twice are problems."""
    found: _Nodes = []
    seen: dict[str, int] = {}
    for key_node, value in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in seen:
            problems.append(f"{file}:{line}: `{key}` is given twice, first in line {seen[key]}")
            continue
        seen[key] = line
        found.append((key, value, line))
    return found


def _section(name: str, top: _Nodes, file: str, problems: list[str]) -> _Nodes:
    for key, node, line in top:
        if key == name and isinstance(node, yaml.MappingNode):
            return _entries(node, file, problems)
        if key == name:
            problems.append(f"{file}:{line}: `{name}` must be a section with keys of its own")
    return []


def _values(
    rows: tuple[Setting, ...], entries: _Nodes, file: str, problems: list[str], section: str = ""
) -> dict[str, Any]:
    table = {row.key: row for row in rows}
    prefix = f"{section}." if section else ""
    found: dict[str, Any] = {}
    for key, node, line in entries:
        place = f"{file}:{line}: "
        if key not in table:
            problems.append(place + _unknown(key, prefix))
            continue
        value = _plain(node)
        if not table[key].accepts(value):
            problems.append(f"{place}`{prefix}{key}` is {_shown(node)}; allowed: {table[key].allowed}")
        found[key] = float(value) if table[key].kind == "number" and type(value) is int else value
    missing = [prefix + row.key for row in rows if row.key not in found]
    if missing:
        problems.append(f"{file}: missing: {', '.join(missing)}; every key must be there")
    return {row.key: found.get(row.key) for row in rows}


def _unknown(key: str, prefix: str) -> str:
    if not prefix and key in FIXED:
        value = "null" if FIXED[key] is None else str(FIXED[key]).lower()
        return f"`{key}` cannot be set: it is {value} in every training of tunebook's; remove the line"
    return f"unknown key `{prefix}{key}`"


def _plain(node: yaml.Node) -> Any:
    """The value of a node; ``1e-5`` is a number, which YAML 1.1 reads as a text."""
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    if not isinstance(node, yaml.ScalarNode):
        return {}  # allowed nowhere
    if not node.style and _FLOAT.fullmatch(node.value):
        return float(node.value)
    if node.tag.endswith((":timestamp", ":binary")):
        return str(node.value)
    document = yaml.SafeLoader("")
    try:
        return document.construct_object(node, deep=True)
    except (ValueError, LookupError, AttributeError, OverflowError, yaml.YAMLError):  # a tag that the text does not fit
        return str(node.value)


def _shown(node: yaml.Node) -> str:
    return f"`{node.value}`" if isinstance(node, yaml.ScalarNode) else "no single value"


def _contradictions(trl: Mapping[str, Any], sections: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Key and message of values that do not fit together."""
    has_adapters = trl["use_peft"]
    for key in ("lora_r", "lora_alpha", "lora_dropout", "lora_target_modules"):
        if has_adapters != (trl[key] is not None):
            yield key, f"`{key}` must be given with `use_peft: true`, and be null without it"
    if has_adapters != (sections[OWN]["save"] is not None):
        yield "save", "`tunebook.save` must be given with `use_peft: true`, and be null without it"
    if "lm_head" in (trl["lora_target_modules"] or ()):
        yield "lora_target_modules", "TRL cannot train an adapter of `lm_head`; remove it"
    if (trl["eval_strategy"] == "steps") != (trl["eval_steps"] is not None):
        yield "eval_steps", "`eval_steps` must be given with `eval_strategy: steps`, and be null without it"
    if (trl["report_to"] == "wandb") != (trl["project"] is not None):
        yield "project", "`project` must be given with `report_to: wandb`, and be null without it"
    if sections[DATA]["packed"] and trl["max_length"] is None:
        yield "max_length", "packed data need a `max_length`"
    yield from _contradictions_of_quantization(trl, str(sections[OWN]["save"]))


def _contradictions_of_quantization(trl: Mapping[str, Any], save: str) -> Iterator[tuple[str, str]]:
    if trl["load_in_4bit"] != (trl["bnb_4bit_quant_type"] is not None):
        yield "bnb_4bit_quant_type", "it must be given with `load_in_4bit: true`, and be null without it"
    if trl["use_bnb_nested_quant"] and not trl["load_in_4bit"]:
        yield "use_bnb_nested_quant", "it needs `load_in_4bit: true`"
    if trl["load_in_4bit"] and (trl["use_cpu"] or not trl["use_peft"]):
        yield "load_in_4bit", "4-bit weights need adapters (`use_peft: true`) and a GPU (`use_cpu: false`)"
    if trl["load_in_4bit"] and save == "merged":
        yield "save", "an adapter on 4-bit weights cannot be merged into them; allowed: adapter"
