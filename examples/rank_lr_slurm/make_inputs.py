"""Makes what the plan names: words.json, cap_task.py and a tiny model with random weights, in this directory."""

import json
from pathlib import Path

from tunebook.demo.data import capitalization_data, task_source
from tunebook.demo.tiny_model import write_tiny_model

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Writes the data, the task and the model."""
    (HERE / "words.json").write_text(json.dumps(capitalization_data(), indent=1) + "\n", encoding="utf-8")
    (HERE / "cap_task.py").write_text(task_source(), encoding="utf-8")
    write_tiny_model(HERE / "models" / "tiny-llama")


if __name__ == "__main__":
    main()
