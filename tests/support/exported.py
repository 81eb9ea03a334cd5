"""A finished experiment without a training, for tests of archives; and what an archive says of its files."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.eval_logs import write_log
from support.played_programs import play_programs
from support.sweeps import write_curve
from support.tiny_model import build_tiny_model, write_tiny_experiment
from tunebook import api
from tunebook.errors import ExitCode

__all__ = ["METADATA", "OVERVIEW", "entities", "files_in", "finished_experiment", "wrong_files"]

METADATA = "ro-crate-metadata.json"
OVERVIEW = "- **Authors:** Ada Lovelace (0000-0002-1825-0097, University of London); Bob\n- **License:** CC-BY-4.0\n"
_SCORES = {"rank4": "CCII", "rank16": "CCCI", "SmolLM2-135M_base": "CIII"}


def finished_experiment(root: Path, *, site: str = "", overview: str = OVERVIEW) -> Path:
    """Two trainings and a base model whose jobs were played; with the curves, checkpoints and logs of real ones.

    Args:
        site: further lines of the site settings.
    """
    build_tiny_model(root / "tiny model")
    here = root / "sweep"
    write_tiny_experiment(here, root / "tiny model", ("- **Created:**", f"{overview}- **Created:**"))
    venv = play_programs(root / "venv")
    (here / "claude.local.md").write_text(f"# Site\n- **Virtual environment:** `{venv}`\n{site}")
    assert api.scaffold(here).exit_code is ExitCode.DONE
    report = api.run(here, api.RunOptions(executor="local", slots=2, poll_s=0.05))
    assert report.exit_code is ExitCode.DONE
    for job in report.jobs:
        _leave_results(here, job.job)
    return here


def _leave_results(here: Path, job: Any) -> None:
    folder = job.directory.partition("/")[0]
    if job.metrics:
        write_curve(Path(job.metrics))
        for checkpoint in job.checkpoints:
            (Path(checkpoint) / "adapter_model.safetensors").write_bytes(bytes(range(256)) * 64)
            (Path(checkpoint) / "adapter_config.json").write_text('{"r": 4}')
    else:
        model = f"hf/{folder}" if job.epoch is None else f"hf/{folder}_epoch{job.epoch}"
        log = here / folder / "eval" / "logs" / "2099-01-02T10-00_capitalization.eval"
        write_log(log, model=model, values=_SCORES[folder], created="2099-01-02T10:00:00+00:00")


def entities(archive: Path) -> dict[str, dict[str, Any]]:
    """The entities of an archive's description by their identifier."""
    if archive.is_dir():
        text = (archive / METADATA).read_text()
    else:
        with zipfile.ZipFile(archive) as opened:
            text = opened.read(METADATA).decode()
    return {entity["@id"]: entity for entity in json.loads(text)["@graph"]}


def files_in(archive: Path) -> dict[str, bytes]:
    """Each file of an archive with its content."""
    if archive.is_dir():
        files = (path for path in archive.rglob("*") if path.is_file())
        return {str(path.relative_to(archive)): path.read_bytes() for path in files}
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def wrong_files(archive: Path) -> Iterator[str]:
    """Files that are not described, are described but missing, or have another size or digest than it says."""
    from urllib.parse import unquote

    found = files_in(archive)
    described = {}
    for identifier, entity in entities(archive).items():
        if "File" in entity["@type"]:
            described[unquote(identifier)] = entity
    yield from found.keys() ^ described.keys() ^ {METADATA}
    for path in found.keys() & described.keys():
        digest = hashlib.sha256(found[path]).hexdigest()
        if (described[path]["sha256"], described[path]["contentSize"]) != (digest, str(len(found[path]))):
            yield path
