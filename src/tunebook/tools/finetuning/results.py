"""The results of tools that fine-tune: the settings that a training used are in ``setup_finetune.yaml``."""

from __future__ import annotations

from pathlib import Path

import yaml

from tunebook.artifacts.text_files import read_readable
from tunebook.tools.finetuning.setup import SETUP
from tunebook.tools.results import TrainingResults, UsedSettings
from tunebook.tools.runtime.yaml_reading import load_yaml

__all__ = ["FinetuningResults", "text_of"]


class FinetuningResults(TrainingResults):
    """The results of trainings with a setup file."""

    def read_settings(self, run_directory: Path) -> UsedSettings:
        """Reads ``setup_finetune.yaml``."""
        try:
            document = load_yaml(text_of(run_directory / SETUP))
        except yaml.YAMLError:
            document = None
        if not isinstance(document, dict):
            return UsedSettings(SETUP)
        values = {str(key): value for key, value in document.items()}
        if "learning_rate" in values:  # the file may use another name
            values["lr"] = values.pop("learning_rate")
        return UsedSettings(SETUP, values)


def text_of(path: Path) -> str:
    """The text of a file; empty if it cannot be read."""
    try:
        return read_readable(path) or ""
    except OSError:
        return ""
