"""Starts inspect-ai and Transformers without what an evaluation of a local model never uses.

Nothing here changes an answer, a score or a log. It leaves out a server through which other programs could add
tasks to the evaluation, descriptions of protocol messages, clients of other models, and losses for pictures.
Each part is tried by itself: with a version of a library that is made in another way, the start takes longer.

Runs inside jobs, and needs nothing else of tunebook. The libraries are imported inside the functions.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["start_inspect_lean", "start_transformers_lean"]


def start_inspect_lean() -> None:
    """Imports inspect-ai so that an evaluation needs the least before its first sample."""
    # Others could steer the evaluation through this server, and it takes a web framework.
    os.environ["INSPECT_EVAL_CTL_SERVER"] = "false"
    for step in (_import_protocol, _read_known_models, _leave_openai_out):
        with suppress(Exception):
            step()


def start_transformers_lean() -> None:
    """Imports what loads a model; call it before anything else imports Transformers' models."""
    with suppress(Exception):
        _leave_science_out()


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Hides a package that nothing has imported yet."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # Python's own mark of a module that is not there
    try:
        yield
    finally:
        del sys.modules[name]


def _import_protocol() -> None:
    """Imports the agent protocol without the descriptions of its fields; its validators are built when one is used."""
    from pydantic._internal import _config, _fields

    def no_descriptions(*_: Any, **__: Any) -> dict[str, str]:
        return {}

    defaults = {**_config.config_defaults, "defer_build": True}
    with (
        _replaced(_fields, "extract_docstrings_from_cls", no_descriptions),
        _replaced(_config, "config_defaults", defaults),
    ):
        importlib.import_module("acp")


def _read_known_models() -> None:
    """Has inspect-ai read its list of models, which each sample asks for, with the fast reader of YAML."""
    import yaml

    models: Any = importlib.import_module("inspect_ai.model._model_info")
    with _replaced(yaml, "SafeLoader", yaml.CSafeLoader):
        models._get_model_info_db()  # noqa: SLF001  kept for the process; no public function reads all of it


def _leave_openai_out() -> None:
    """inspect-ai prepares every sample for OpenAI's models; without one in the process there is nothing to prepare."""
    owner: Any = importlib.import_module("inspect_ai.model._assistant_internal")
    for flag, module in (
        ("_HAS_OPENAI", "inspect_ai.model._openai_responses"),
        ("_HAS_ANTHROPIC", "inspect_ai.model._providers.anthropic"),
    ):
        if hasattr(owner, flag):
            setattr(owner, flag, _Imported(module))


class _Imported:
    """True once a module has been imported, as a task does that lets another model grade."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __bool__(self) -> bool:
        return self._module in sys.modules


def _leave_science_out() -> None:
    """Losses that find objects in pictures need SciPy; tasks can import it."""
    from transformers.utils import import_utils

    for name in ("scipy", "sklearn"):
        with _hidden(name):
            question = getattr(import_utils, f"is_{name}_available")
            question.cache_clear()
            question()
