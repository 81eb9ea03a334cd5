"""The files with which a small model gets the tokenizer and the generation settings of the real one."""

from __future__ import annotations

from pathlib import Path

__all__ = ["TOKENIZER_FILES", "link_tokenizer"]

TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "merges.txt", "chat_template.jinja", "generation_config.json"),
)


def link_tokenizer(real: Path, directory: Path) -> None:
    """Links the real model's files into the small one's directory, in place of the small one's own."""
    for name in TOKENIZER_FILES:
        (directory / name).unlink(missing_ok=True)
        if (real / name).is_file():
            (directory / name).symlink_to((real / name).resolve())
