"""The public namespace ``tunebook.api``: complete, sorted, typed and lazy."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import fields, is_dataclass
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path

import pytest

from tunebook import api

VERBS = (
    "analyze",
    "analyze_together",
    "cancel",
    "check",
    "demo",
    "design",
    "run",
    "scaffold",
    "setup_finetune",
    "site",
    "site_init",
    "skills",
    "skills_install",
)
VERB_MODULES = (
    "agent_skills",
    "analyze_report",
    "analyzing",
    "demonstration",
    "designing",
    "importing",
    "running",
    "scaffolding",
    "sites",
)
OPTIONS = [name for name in api.__all__ if name.endswith("Options")]


def imports_for_type_checkers() -> dict[str, str]:
    """Name to module of the imports under ``TYPE_CHECKING``."""
    tree = ast.parse(Path(api.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.name: node.module or ""
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }


def test_names_are_sorted_and_each_can_be_imported() -> None:
    assert api.__all__ == sorted(set(api.__all__))
    for name in api.__all__:
        assert getattr(api, name) is not None
    assert set(api.__all__) <= set(dir(api))


def test_type_checkers_see_the_same_names_from_the_same_modules() -> None:
    found = imports_for_type_checkers()
    assert sorted(found) == api.__all__
    for name, module in found.items():
        assert getattr(import_module(module), name) is getattr(api, name)


@pytest.mark.parametrize("module", VERB_MODULES)
def test_everything_public_of_a_module_of_verbs_is_there(module: str) -> None:
    public: list[str] = import_module(f"tunebook.api.{module}").__all__
    assert set(public) <= set(api.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'fly'"):
        vars(api)["__getattr__"]("fly")


def test_the_namespace_imports_no_room_before_a_name_is_used() -> None:
    code = "import sys\nfrom tunebook import api\nprint(*sorted(name for name in sys.modules if 'tunebook' in name))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["tunebook", "tunebook.api", "tunebook.errors"]


def test_rooms_stay_modules_for_programs_that_resolve_dotted_paths() -> None:
    """Torchtune finds the components of a configuration with ``getattr``, from ``tunebook`` on."""
    code = "import tunebook.api as api\napi.tools\nimport tunebook\nprint(type(tunebook.tools).__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "module"


@pytest.mark.parametrize("name", OPTIONS)
def test_options_are_frozen_keyword_only_and_have_defaults(name: str) -> None:
    kind = getattr(api, name)
    assert is_dataclass(kind)
    assert vars(kind)["__dataclass_params__"].frozen
    assert all(item.kw_only for item in fields(kind))
    assert getattr(api, name)() == getattr(api, name)()


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_takes_a_directory_and_at_most_one_other_positional_argument(verb: str) -> None:
    parameters = list(signature(getattr(api, verb)).parameters.values())
    positional = [item.name for item in parameters if item.kind is Parameter.POSITIONAL_OR_KEYWORD]
    assert positional[0] in {"directory", "directories", "run_directory"}
    assert positional[1:] in ([], ["options"])
    assert all(item.kind is not Parameter.VAR_KEYWORD for item in parameters)
