"""Curves and settings of trainings with torchtune, from every source."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from tunebook.tools.results import TrainingFiles
from tunebook.tools.torchtune.results import TorchtuneResults, parse_job_output, parse_log


def test_torchtunes_own_logs_are_read() -> None:
    """The lines are those of torchtune 0.6.1's DiskLogger and StdoutLogger, and of its progress bar."""
    line = "Step 7 | loss:1.25 lr:2e-05 tokens_per_second_per_gpu:812.5 peak_memory_active:1.5 \n"
    curve = parse_log(["Writing logs to x", line]).curve
    assert (curve.steps, curve.losses, curve.learning_rates) == ((7,), (1.25,), (2e-05,))
    assert (curve.tokens_per_second, curve.memory_gb) == ((812.5,), (1.5,))
    assert parse_job_output([line]).curve == curve
    found = parse_job_output(["1|1|Loss: 2.5:  10%|█ | 1/10", "1|2|Loss: nan: 20%|██ | 2/10"])
    assert (found.curve.steps, found.curve.losses, found.curve.epochs) == ((1, 2), (2.5, None), (0, 0))
    assert found.diverged == 1


def test_settings_are_those_of_the_setup_file_or_none(tmp_path: Path) -> None:
    results = TorchtuneResults()
    setup = tmp_path / "setup_finetune.yaml"
    for text in ("", "a: [", "- 1\n"):
        setup.write_text(text)
        assert results.read_settings(tmp_path).values == {}
    setup.write_text("learning_rate: 0.001\nlora_rank: 8\n")
    assert results.read_settings(tmp_path).values == {"lr": 0.001, "lora_rank": 8}


def test_a_training_that_logged_nothing_has_an_empty_curve(tmp_path: Path) -> None:
    files = TrainingFiles(tmp_path / "metrics.jsonl", tmp_path / "out", tmp_path, ())
    found = TorchtuneResults().read_curve(files)
    assert (found.curve.steps, found.curve.losses, found.diverged) == ((), (), 0)


def test_a_progress_bar_without_an_end_of_line_is_read_in_little_memory(tmp_path: Path) -> None:
    output = tmp_path / "slurm-1.out"
    bar = "".join(f"1|{step}|Loss: 2.5: {'█' * 2_000}\r" for step in range(1, 401))
    output.write_text(bar)
    files = TrainingFiles(tmp_path / "metrics.jsonl", tmp_path / "out", tmp_path, (output,))
    tracemalloc.start()
    found = TorchtuneResults().read_curve(files)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.curve.steps == tuple(range(1, 401))
    assert most < output.stat().st_size / 4


def test_of_an_output_without_end_only_so_many_steps_are_read() -> None:
    line = "Step {} | loss:1.25 lr:2e-05"
    found = parse_job_output([line.format(step) for step in range(1, 8)], most=5)
    assert (found.curve.steps, found.unreadable) == ((1, 2, 3, 4, 5), 2)
    found = parse_job_output([f"1|{step}|Loss: 2.5" for step in range(1, 8)], most=5)
    assert (found.curve.steps, found.unreadable) == ((1, 2, 3, 4, 5), 2)
