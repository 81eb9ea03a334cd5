"""The verbs by name: a verb's module is imported when the verb is called, so that start-up costs what is used."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from tunebook import api
from tunebook.cli.helped import add_help

__all__ = ["SETTINGS", "Verbs"]

_WIDEST, _NARROWEST = 80, 24  # columns of the help
_WIDTH = max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size().columns)) - 2
SETTINGS: dict[str, Any] = {
    "context_settings": {"help_option_names": ["-h", "--help"], "terminal_width": _WIDTH},
    "rich_markup_mode": None,  # plain help: the formatted one imports a Markdown parser, which takes long
    "pretty_exceptions_enable": False,
}
_ANY_NUMBER = -1


@dataclass(frozen=True)
class _Verb:
    """A verb before its module is imported.

    Attributes:
        module: the module in this package whose ``register`` adds the verb.
        summary: the first sentence of the verb's help.
        tool: the tool whose stage alone the verb does; empty for all stages.
    """

    module: str
    summary: str
    tool: str = ""


_VERBS = {
    "design": _Verb("design", "Plan an experiment: verify its resources, estimate its cost, and write the plan."),
    "import": _Verb("import_", "Make a plan from an experiment_summary.yaml."),
    "check": _Verb("check", "Read the plan and the site settings, verify them, and print every setting in effect."),
    "scaffold": _Verb(
        "scaffold",
        "Write the run directories that the plan asks for: configurations and scripts, training then evaluation.",
    ),
    "setup-finetune": _Verb(
        "setup_finetune", "Derive a run's configuration and script again from the settings that you edited."
    ),
    "run": _Verb("run", "Run the jobs that are not completed: trainings, and each evaluation after its own training."),
    "status": _Verb("status", "Show the state of every training and evaluation."),
    "cancel": _Verb("status", "End the queued and running jobs."),
    "analyze": _Verb("analyze", "Compare the trained runs: write tables, statistics and reports to `analysis/`."),
    "site": _Verb("site", "Show or write the site settings: `site [DIRECTORY]`, `site init`."),
    "tools": _Verb("tools", "List the tools that a plan can name, installed or not, with their versions."),
    "explain": _Verb("explain", "Explain a kind of errors: what it means, and what to do."),
    "demo": _Verb(
        "demo", "Fine-tune and evaluate a small real model on this machine, from the plan to the comparison."
    ),
}
_OF_ONE_TOOL = {
    "scaffold": "Write the configurations and scripts of {tool} only.",
    "run": "Run the jobs of {tool} only.",
}
"""Verbs of which there is one more for each tool, behind the verb itself."""


class Verbs(TyperGroup):
    """All verbs; the installed tools are looked up when verbs are listed, or when none of tunebook's own is meant."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._verbs = dict(_VERBS)
        self._knows_tools = False
        add_help("", self)
        self._announce()

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names of all verbs in their order."""
        self._add_tools()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Returns the verb with the first sentence of its help, for lists."""
        if cmd_name not in self.commands:
            self._add_tools()
        return super().get_command(ctx, cmd_name)

    def get_params(self, ctx: Any) -> Any:
        """Returns the options before the verb."""
        return _sparing(super().get_params(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Returns the verb that is called, with its parameters."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is None or command is None:
            return name, command, rest
        return name, self.loaded(name), rest

    def loaded(self, name: str) -> Any:
        """Returns a verb with its parameters; imports its module."""
        verb = self._verbs[name]
        module = import_module(f"tunebook.cli.{verb.module}")
        app = typer.Typer(**SETTINGS)
        if verb.tool:
            module.register_tool(app, verb.tool)
        else:
            module.register(app)
        command: Any = get_group(app).commands[name]
        add_help(name, command, tool=verb.tool)
        own_parameters = command.get_params
        command.get_params = lambda ctx: _sparing(own_parameters(ctx))
        return command

    def _add_tools(self) -> None:
        if self._knows_tools:
            return
        self._knows_tools = True
        self._verbs = dict(_with_tools(api.tool_names()))
        self._announce()

    def _announce(self) -> None:
        self.commands.clear()
        for name, verb in self._verbs.items():
            self.add_command(TyperCommand(name, help=verb.summary))


def _with_tools(tools: tuple[str, ...]) -> Iterator[tuple[str, _Verb]]:
    for name, verb in _VERBS.items():
        yield name, verb
        for tool in tools if name in _OF_ONE_TOOL else ():
            yield f"{name}-{tool}", _Verb(verb.module, _OF_ONE_TOOL[name].format(tool=tool), tool)


def _sparing(parameters: list[Any]) -> list[Any]:
    """Has options that are not given stay as they are; Typer would load Pydantic, as much as all the rest, for that."""
    for parameter in parameters:
        if not isinstance(parameter.process_value, partial):
            parameter.process_value = partial(_process_value, parameter, parameter.process_value)
    return parameters


def _process_value(parameter: Any, convert: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    if value is not None or parameter.required:
        return convert(ctx, value)
    if parameter.multiple or parameter.nargs == _ANY_NUMBER:
        value = ()
    return value if parameter.callback is None else parameter.callback(ctx, parameter, value)
