"""The words that name how to install an extra: they fit where this tunebook came from."""

from __future__ import annotations

import json
import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from tunebook.tools.job_script import shell_body
from tunebook.tools.runtime import installing
from tunebook.tools.runtime.installing import install_anywhere, install_here, install_into, own_source

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tunebook"
WHERE = "(PATH is a checkout or a wheel of tunebook)"


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Lets tunebook and plug-ins have another origin, in a plain environment; returns the file that says which."""

    class Distribution:
        @staticmethod
        def read_text(_: str) -> str | None:
            path = tmp_path / "direct_url.json"
            return path.read_text() if path.exists() else None

    def distribution(name: str) -> type[Distribution]:
        if name == "pyarrow":  # which is not installed
            raise PackageNotFoundError(name)
        return Distribution

    monkeypatch.setattr(installing, "distribution", distribution)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return tmp_path / "direct_url.json"


def test_the_checkout_of_these_tests_is_named() -> None:
    assert own_source() == str(ROOT)
    assert install_here("tunebook[trl]") == f"pip install -e '{ROOT}[trl]'"
    assert install_into("tunebook[trl]", "tunebook[torchtune]") == f"pip install '{ROOT}[trl]' or '{ROOT}[torchtune]'"


def test_a_wheel_is_named_as_long_as_it_exists(origin: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "it's" / "tunebook-1-py3-none-any.whl"
    origin.write_text(json.dumps({"url": wheel.as_uri(), "archive_info": {}}))
    assert install_here("tunebook[trl]") == f"pip install 'PATH[trl]' {WHERE}"
    wheel.parent.mkdir()
    wheel.touch()
    assert shlex.split(install_here("tunebook[trl]")) == ["pip", "install", f"{wheel}[trl]"]


def test_a_repository_is_named_with_its_commit(origin: Path) -> None:
    vcs = {"vcs": "git", "commit_id": "abc"}
    origin.write_text(json.dumps({"url": "https://example.org/tunebook", "vcs_info": vcs}))
    assert install_into("tunebook[trl]") == "pip install 'tunebook[trl] @ git+https://example.org/tunebook@abc'"


def test_a_plug_in_that_no_index_has_is_named_by_its_directory(origin: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "my plugin"
    origin.write_text(json.dumps({"url": plugin.as_uri(), "dir_info": {"editable": True}}))
    assert install_into("my-plugin") == "pip install my-plugin"
    plugin.mkdir()
    assert shlex.split(install_into("my-plugin[extra]")) == ["pip", "install", f"{plugin}[extra]"]
    assert install_anywhere("my-plugin") == "pip install 'my-plugin'"  # files go to other machines


@pytest.mark.parametrize("text", [None, "", "no JSON", "[]", '{"url": 1}'])
def test_an_unknown_origin_is_left_to_the_person(origin: Path, text: str | None) -> None:
    if text is not None:
        origin.write_text(text)
    assert install_here("tunebook[trl]") == f"pip install 'PATH[trl]' {WHERE}"
    assert install_here("pyarrow") == "pip install pyarrow"


def test_programs_that_keep_an_environment_per_tool_have_their_own_command(origin: Path, tmp_path: Path) -> None:
    origin.write_text(json.dumps({"url": tmp_path.as_uri()}))
    (tmp_path / "uv-receipt.toml").touch()
    assert install_here("tunebook[trl]") == f"uv tool install --force '{tmp_path}[trl]'"
    assert install_here("pyarrow") == f"uv tool install --force --with pyarrow {tmp_path}"
    (tmp_path / "pipx_metadata.json").touch()
    assert install_here("tunebook[trl]") == f"pipx install --force '{tmp_path}[trl]'"
    assert install_here("pyarrow") == "pipx inject tunebook pyarrow"


@pytest.mark.parametrize(
    ("name", "extra"),
    [("finetune", "torchtune"), ("train_trl", "trl"), ("evaluate", "inspect"), ("evaluate_lm_eval", "lm-eval")],
)
def test_scripts_have_the_words_that_name_no_path(name: str, extra: str) -> None:
    words = f"this environment lacks tunebook[{extra}]: {install_anywhere(f'tunebook[{extra}]')}"
    assert f'fail "{words}"' in shell_body(name)


def test_no_other_module_has_words_of_its_own() -> None:
    own_words = re.compile(r"pip install (\S*tunebook|')")
    found = [path for path in sorted(SOURCE.rglob("*.py")) if own_words.search(path.read_text())]
    assert found == [SOURCE / "tools" / "runtime" / "installing.py"]
