"""A model's own files: the chat template that its tokenizer uses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunebook.tools.runtime.model_files import read_chat_template

JINJA = ("chat_template.jinja", "{{ own }}")
TOKENIZER = ("tokenizer_config.json", json.dumps({"chat_template": "{{ configured }}"}))


@pytest.mark.parametrize(
    ("files", "template"),
    [
        ([JINJA], "{{ own }}"),
        ([JINJA, TOKENIZER], "{{ own }}"),
        ([TOKENIZER], "{{ configured }}"),
        ([("tokenizer_config.json", "{}")], ""),
        ([], ""),
    ],
)
def test_a_chat_template_of_its_own_comes_before_the_tokenizers_configuration(
    tmp_path: Path, files: list[tuple[str, str]], template: str | None
) -> None:
    for name, text in files:
        (tmp_path / name).write_text(text)
    assert read_chat_template(tmp_path) == template
