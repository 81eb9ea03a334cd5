"""A report of samples that were asked several times has the log's own result, and names the reducer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.evaluation_jobs import evaluate_mock
from support.sweeps import Sweep
from tunebook import api


@pytest.mark.filterwarnings("ignore")  # inspect-ai's and pandas' own
def test_the_best_of_several_tries_is_the_score_and_no_deviation(tmp_path: Path) -> None:
    from inspect_ai import Epochs
    from inspect_ai.log import read_eval_log, write_eval_log
    from inspect_ai.scorer import Score, mean, scorer

    @scorer(metrics=[mean()])
    def first_try() -> Any:
        async def score(state: Any, _: Any) -> Score:
            return Score(value=1 if state.epoch == 1 else 0, answer="yes")

        return score

    directory = Sweep((), base=["C"]).write(tmp_path / "tries")
    (place,) = (directory / "tiny_base" / "eval" / "logs").glob("*.eval")
    (made,) = evaluate_mock(tmp_path / "made", scorer=first_try(), epochs=Epochs(3, "max")).glob("*.eval")
    log = read_eval_log(str(made))
    log.eval.model, log.eval.task, log.eval.task_file = "hf/tiny_base", "capitalization", "cap_task.py"
    write_eval_log(log, str(place))
    report = api.analyze(directory, api.AnalyzeOptions())
    (score,) = report.analysis.scores("capitalization")
    assert (score.value, score.n, score.logged, score.logged_note) == (1.0, 2, 1.0, "")
    assert report.analysis.deviations == ()
    assert report.analysis.tasks[0].headline.reducer == "max"
    (written,) = directory.rglob("report.md")
    assert "what the log's reducer, max, makes of its repetitions" in written.read_text()
