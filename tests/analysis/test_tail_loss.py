"""The loss at the end of a training: the mean of the last tenth of its steps."""

from __future__ import annotations

import json
from pathlib import Path

from support.plans import parse_plan
from tunebook.analysis.collect.experiment import training_of
from tunebook.analysis.collect.source import source_of
from tunebook.core.site import Site


def test_the_loss_at_the_end_is_the_mean_of_the_last_tenth_of_the_steps(tmp_path: Path, page: str) -> None:
    losses = [*([9.0] * 18), 2.0, 1.0]
    metrics = tmp_path / "run" / "artifacts" / "metrics.jsonl"
    metrics.parent.mkdir(parents=True)
    lines = [json.dumps({"step": step, "epoch": 0, "loss": loss}) for step, loss in enumerate(losses, 1)]
    metrics.write_text("\n".join(lines) + "\n")
    training = training_of(source_of(tmp_path, parse_plan(page).plan, Site()), "run", None)
    assert (training.first_loss, training.tail_loss, training.final_loss) == (9.0, 1.5, 1.0)
