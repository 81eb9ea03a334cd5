"""Runs inside the job: ``python -m toytrainer.train SETTINGS.json``. Needs neither tunebook nor any other package."""

import json
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["train"]


def train(settings: dict[str, Any], output: Path) -> None:
    """Writes ``metrics.jsonl``, one line per step, and a copy of the model as each epoch's checkpoint."""
    output.mkdir(parents=True, exist_ok=True)
    steps, epochs = settings["steps_per_epoch"], settings["epochs"]
    loss = float(settings["first_loss"])
    with (output / "metrics.jsonl").open("w", encoding="utf-8") as metrics:
        for epoch in range(epochs):
            for step in range(epoch * steps + 1, (epoch + 1) * steps + 1):
                loss *= 1 - settings["decay"]
                line = {"step": step, "epoch": epoch, "total_steps": epochs * steps, "loss": loss, "lr": settings["lr"]}
                line["time"] = datetime.now(UTC).isoformat(timespec="milliseconds")
                metrics.write(json.dumps(line) + "\n")
                metrics.flush()
            save(Path(settings["model"]), output / f"epoch_{epoch}")


def save(model: Path, checkpoint: Path) -> None:
    """Copies to a temporary name and renames: a directory with the final name is a whole checkpoint."""
    unfinished = checkpoint.with_name(f"{checkpoint.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(model, unfinished)
    shutil.rmtree(checkpoint, ignore_errors=True)
    os.rename(unfinished, checkpoint)  # noqa: PTH104


if __name__ == "__main__":
    found = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    train(found, Path(found["output"]))
