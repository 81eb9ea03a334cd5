"""The files beside a script that it imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunebook.tools.imported_files import imported_files


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root / "task.py"


def names(root: Path, script: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in imported_files(script)]


def test_imports_are_followed_through_modules_and_packages(tmp_path: Path) -> None:
    files = {
        "task.py": "import json, scoring\nfrom helpers.text import clean\n\ndef later():\n    import late\n",
        "scoring.py": "import task\nfrom base import *\n",
        "base.py": "",
        "late.py": "",
        "unused.py": "",
        "helpers/__init__.py": "",
        "helpers/text.py": "from . import tables\nfrom .deep.inner import x\n",
        "helpers/tables.py": "",
        "helpers/deep/inner.py": "from ..tables import y\n",
    }
    found = ["base.py", "helpers/__init__.py", "helpers/deep/inner.py", "helpers/tables.py", "helpers/text.py"]
    assert names(tmp_path, write(tmp_path, files)) == [*found, "late.py", "scoring.py"]


@pytest.mark.parametrize("text", ["import (", "x = '\0'", "import torch\nimport os.path\n", "é = 1\nimport é\n"])
def test_a_script_that_imports_nothing_beside_it_or_is_no_python_has_no_files(tmp_path: Path, text: str) -> None:
    assert names(tmp_path, write(tmp_path, {"task.py": text})) == []
    assert imported_files(tmp_path / "missing.py") == ()


def test_a_changed_script_is_read_again(tmp_path: Path) -> None:
    script = write(tmp_path, {"task.py": "import one\n", "one.py": "", "three.py": ""})
    assert names(tmp_path, script) == ["one.py"]
    script.write_text("import three\n")
    assert names(tmp_path, script) == ["three.py"]
