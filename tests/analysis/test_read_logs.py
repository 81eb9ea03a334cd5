"""Logs of any evaluation tool are read once, and again only when their file changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tunebook.analysis.collect.read_logs import LogReader
from tunebook.core.measures import Direction
from tunebook.core.plan import EvaluationTask
from tunebook.tools.results import EvaluationResults, LoggedMetric, LogHeader, LogReadings, LogSubject, Samples


class LineResults(EvaluationResults):
    """A tool whose log is one line: the score of one sample; it counts how often it is asked to read."""

    package = "lines"

    def __init__(self) -> None:
        self.read: list[str] = []

    def log_files(self, run_directory: Path) -> Sequence[Path]:
        return sorted(run_directory.glob("*.log"))

    def read_headers(self, logs: Sequence[Path]) -> LogReadings[LogHeader]:
        self.read += [f"header {path.name}" for path in logs]
        header = LogHeader(
            "success",
            "2026-01-02T10:00:00+00:00",
            "m",
            "t",
            samples=1,
            completed=1,
            metrics={"exact": (LoggedMetric("mean", 0.5, is_mean=True), LoggedMetric("rmse", 2.0, note="it is odd"))},
            directions={"exact": Direction.LOWER},
            reducer="max",
        )
        torn = {path: "it is empty" for path in logs if not path.read_text()}
        return LogReadings({path: header for path in logs if path not in torn}, torn)

    def read_samples(self, logs: Sequence[Path]) -> LogReadings[Samples]:
        self.read += [f"samples {path.name}" for path in logs]
        found = {}
        for path in logs:
            score = float(path.read_text())
            found[path] = Samples(
                ids=("1",),
                repeats=(1,),
                prompts=("p",),
                targets=("t",),
                answers=("a",),
                errors=("",),
                values={"exact": (score,), "other": (None,)},
                letters={"exact": "N"},
                cut=(True,),
                tokens=9,
                metadata={"region": ("north",), "age": (None,)},
                score_metadata={"exact/probabilities": ({"A": 0.25, "é": [1, None]},), "exact/text": (None,)},
            )
        return LogReadings(found)

    def subject_of(self, log: LogHeader, tasks: Sequence[EvaluationTask]) -> LogSubject:
        return LogSubject(tasks[0].name) if log.task == "t" else LogSubject(None)


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.log").write_text("1")
    (tmp_path / "run" / "b.log").write_text("0.5")
    (tmp_path / "run" / "torn.log").write_text("")
    return tmp_path


def scores(experiment: Path, tool: LineResults, *, use_cache: bool = True) -> dict[str, float | None]:
    reader = LogReader(experiment, {"lines": tool}, use_cache=use_cache)
    logs, unreadable = reader.headers(dict.fromkeys(tool.log_files(experiment / "run"), "lines"))
    assert [(log.path, log.why) for log in unreadable] == [("run/torn.log", "it is empty")]
    for log in logs:
        assert log.header.metrics["exact"][1] == LoggedMetric("rmse", 2.0, note="it is odd")
        assert (log.header.directions, log.header.reducer) == ({"exact": Direction.LOWER}, "max")
    samples, torn = reader.samples(logs)
    assert torn == ()
    for found in samples.values():
        assert found.tokens == 9
        assert found.values["other"] == (None,)
        assert (found.letters, found.cut) == ({"exact": "N"}, (True,))
        assert found.metadata == {"region": ("north",), "age": (None,)}
        assert found.score_metadata["exact/probabilities"] == ({"A": 0.25, "é": [1, None]},)
        assert found.score_metadata["exact/text"] == (None,)
    return {path: found.values["exact"][0] for path, found in samples.items()}


def test_only_changed_and_torn_logs_are_read_again(experiment: Path) -> None:
    first, again = LineResults(), LineResults()
    assert scores(experiment, first) == {"run/a.log": 1.0, "run/b.log": 0.5}
    assert scores(experiment, again) == {"run/a.log": 1.0, "run/b.log": 0.5}
    assert again.read == ["header torn.log"]
    (experiment / "run" / "a.log").write_text("0.25")
    assert scores(experiment, again) == {"run/a.log": 0.25, "run/b.log": 0.5}
    assert again.read[1:] == ["header a.log", "header torn.log", "samples a.log"]


def test_without_a_cache_nothing_is_written_and_all_is_read(experiment: Path) -> None:
    tool = LineResults()
    scores(experiment, tool, use_cache=False)
    scores(experiment, tool, use_cache=False)
    assert tool.read.count("samples a.log") == 2
    assert not (experiment / ".tunebook").exists()


def test_a_cache_of_another_version_is_not_used(experiment: Path) -> None:
    scores(experiment, LineResults())
    cache = experiment / ".tunebook" / "analysis" / "headers.json"
    cache.write_text(cache.read_text().replace('"version": ', '"version": 1'))
    tool = LineResults()
    assert scores(experiment, tool) == {"run/a.log": 1.0, "run/b.log": 0.5}
    assert "header a.log" in tool.read
