"""Fixtures of the tests of tools: a tiny model, and an experiment with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.tiny_model import build_tiny_model, write_tiny_experiment


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that no test changes for longer than it runs."""
    return build_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
def tiny_experiment(tmp_path: Path, tiny_model: Path) -> Path:
    """Two trainings and a base model."""
    directory = tmp_path / "experiment"
    write_tiny_experiment(directory, tiny_model)
    return directory
