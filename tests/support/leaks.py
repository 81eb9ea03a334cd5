"""Secrets of a person's shell, made up, and the search for them in every file of an experiment."""

from __future__ import annotations

import zipfile
from pathlib import Path

__all__ = ["SECRETS", "files_with_secrets"]

_NAMES = (
    *("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "WANDB_API_KEY"),
    *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN", "GOOGLE_API_KEY", "AZUREAI_API_KEY"),
    *("MISTRAL_API_KEY", "TOGETHER_API_KEY", "COMET_API_KEY", "LAB_PASSWORD"),
)
_COMMON = "tunebook-made-up-secret"

SECRETS = {name: f"{_COMMON}-{name.lower()}" for name in _NAMES}
"""Variables with values that nothing else contains."""


def files_with_secrets(folder: Path) -> list[str]:
    """The files below a folder, and the members of archives there, that contain one of the values."""
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = str(path.relative_to(folder))
        if _COMMON in name or _COMMON.encode() in path.read_bytes():
            found.append(name)
        elif zipfile.is_zipfile(path):
            found += [f"{name}: {member}" for member in _members_with_secrets(path)]
    return found


def _members_with_secrets(archive: Path) -> list[str]:
    if archive.suffix == ".eval":  # newer logs are compressed as only inspect-ai can read
        from inspect_ai.log import read_eval_log

        return ["the log"] if _COMMON in read_eval_log(str(archive)).model_dump_json() else []
    with zipfile.ZipFile(archive) as opened:
        return [item for item in opened.namelist() if _COMMON.encode() in opened.read(item)]
