"""A model's tokenizer and chat template without torch and Transformers, for commands that only look at a data set.

It has the members that training uses of a Hugging Face tokenizer, and a test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunebook.disk.read import read_json
from tunebook.tools.runtime.model_files import read_chat_template

__all__ = ["LightTokenizer", "TokenizerUnavailableError"]

_NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class TokenizerUnavailableError(Exception):
    """A required package or file is missing here; the text names it."""


class LightTokenizer:
    """Renders conversations with Jinja, and computes tokens with ``tokenizers``, which is loaded when it is first used.

    Attributes:
        chat_template: the one that training uses; empty if the model has none.

    Raises:
        TokenizerUnavailableError: Jinja is not installed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.chat_template = read_chat_template(directory)
        self._named = _special_tokens(directory)
        self._environment = _environment()
        self._compiled: Any = None
        self._tokenizer: Any = None

    @property
    def eos_token(self) -> str:
        """The token that ends a text; empty for a tokenizer without one."""
        return self._named.get("eos_token", "")

    @property
    def bos_token(self) -> str:
        """The token that begins a text; empty for a tokenizer without one."""
        return self._named.get("bos_token", "")

    @property
    def all_special_tokens(self) -> list[str]:
        """The special tokens that have a name."""
        return list(self._named.values())

    def apply_chat_template(
        self, messages: Sequence[Mapping[str, str]], *, chat_template: str, add_generation_prompt: bool, **values: Any
    ) -> str:
        """The conversation as the template renders it."""
        del values["tokenize"]
        if self._compiled is None:
            self._compiled = self._environment.from_string(chat_template)
        names = {name: token for name, token in self._named.items() if name in _NAMES}
        values |= {"messages": messages, "add_generation_prompt": add_generation_prompt, "documents": None}
        return str(self._compiled.render(**names, **values))

    @property
    def can_encode(self) -> bool:
        """Whether tokens can be computed here."""
        return find_spec("tokenizers") is not None and (self._directory / "tokenizer.json").is_file()

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, without special tokens that it does not contain.

        Raises:
            TokenizerUnavailableError: ``tokenizers`` is not installed, or the model has no ``tokenizer.json``.
        """
        if self._tokenizer is None:
            self._tokenizer = _loaded(self._directory / "tokenizer.json")
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)


@lru_cache(maxsize=4)
def _loaded(file: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise TokenizerUnavailableError("the package tokenizers is not installed here") from None
    if not file.is_file():
        raise TokenizerUnavailableError("the model has no tokenizer.json")
    loader: Any = Tokenizer
    try:
        return loader.from_file(str(file))
    except Exception as error:  # noqa: BLE001  the library raises nothing more special
        raise TokenizerUnavailableError(f"its tokenizer.json cannot be read: {error}") from None


def _special_tokens(directory: Path) -> dict[str, str]:
    """Name to token; those without a name of their own are numbered."""
    found: dict[str, str] = {}
    for file in ("special_tokens_map.json", "tokenizer_config.json"):
        values = _json(directory / file)
        for name in _NAMES:
            token = _content(values.get(name))
            if token:
                found[name] = token
        others = values.get("extra_special_tokens") or values.get("additional_special_tokens") or []
        if isinstance(others, dict):
            others = list(others.values())
        for number, other in enumerate(others):
            found[f"extra_{number}"] = _content(other)
    return found


def _content(token: Any) -> str:
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else ""


def _json(file: Path) -> dict[str, Any]:
    try:
        values = read_json(file)
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _environment() -> Any:
    """The environment that Transformers gives to chat templates; it is sandboxed, since templates are downloaded."""
    try:
        from jinja2 import nodes
        from jinja2.exceptions import TemplateError
        from jinja2.ext import Extension, loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError:
        raise TokenizerUnavailableError("the package jinja2 is not installed here") from None

    class Generation(Extension):
        """``{% generation %}`` marks the assistant's words and renders them as they are."""

        tags = {"generation"}  # noqa: RUF012  Jinja's own convention

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body).set_lineno(line)

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, **options: Any) -> str:  # noqa: FBT001, FBT002  a template's call
        return json.dumps(value, ensure_ascii=ensure_ascii, **options)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    return environment
