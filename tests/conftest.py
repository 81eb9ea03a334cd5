"""Fixtures of several test modules: the example's plan, and plans made from it."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.bash_jobs import Experiment, experiment_at
from support.plans import EXAMPLE
from support.slurm_cluster import Cluster, cluster_at, empty_queue, why_not
from tunebook.disk import plan_file
from tunebook.disk.plan_file import Patience

# A shell that starts the tests in the background makes them ignore Ctrl-C, which tests of interruption send.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Times are shown in this machine's zone.
os.environ["TZ"] = "UTC"
time.tzset()

# The variables of a person's shell must not reach the jobs and the tools under test.
for _name in ("HF_HUB_OFFLINE", "INSPECT_LOG_DIR", "WANDB_MODE", "TUNEBOOK_TAG"):
    os.environ.pop(_name, None)


_LONG = ("end_to_end", "run", "stress")  # folders whose files take minutes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first, so that no process is left alone with one at the end."""
    items.sort(key=lambda item: item.path.parent.name not in _LONG)


# Tiny models are not faster with several threads, and the tests' own processes share the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def _no_editor() -> Iterator[None]:
    """Nobody else saves the plans of most tests, and the tests have just written them: nothing is waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_file, "PATIENCE", Patience(quiet_s=0.0, end_s=0.0))
        yield


@pytest.fixture
def page() -> str:
    """The text of the example's plan."""
    return (EXAMPLE / "experiment_summary.md").read_text()


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """A copy of the example, in a directory whose name needs quoting everywhere."""
    directory = tmp_path / 'it\'s $HOME; "a" sweep'
    shutil.copytree(EXAMPLE, directory)
    return directory


@pytest.fixture
def edited(page: str) -> Callable[..., str]:
    """Makes a plan with replacements; each must be possible."""

    def edit(*pairs: tuple[str, str]) -> str:
        text = page
        for old, new in pairs:
            assert old in text, f"the example has no {old!r}"
            text = text.replace(old, new)
        return text

    return edit


@pytest.fixture(scope="session")
def plain_slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running SLURM without accounting."""
    if reason := why_not():
        pytest.skip(reason)
    with cluster_at(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def accounted_slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running SLURM with accounting, which forgets jobs soon: then only ``sacct`` knows them."""
    if reason := why_not(accounting=True):
        pytest.skip(reason)
    with cluster_at(tmp_path_factory.mktemp("cluster"), accounting=True, min_job_age=2) as cluster:
        yield cluster


@pytest.fixture(params=["without accounting", "with accounting"])
def cluster(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """One cluster and then the other, with nothing in its queue."""
    running: Cluster = request.getfixturevalue(
        "accounted_slurm" if request.param == "with accounting" else "plain_slurm"
    )
    with empty_queue(running, monkeypatch) as empty:
        yield empty


@pytest.fixture
def experiment_on_slurm(cluster: Cluster, tmp_path: Path) -> Iterator[Experiment]:
    """An experiment without jobs yet, in a directory whose name needs quoting."""
    assert cluster.conf.is_file()
    with experiment_at(tmp_path / 'it\'s a "sweep"') as made:
        yield made
