"""Makes what the plan names: questions.json, cap_task.py and two tiny models with random weights."""

import json
from pathlib import Path

from tunebook.demo.data import capitalization_data, task_source
from tunebook.demo.tiny_model import write_tiny_model

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Writes the data, the task, the base model and a model that stands for one that somebody else trained."""
    questions = {
        split: [{**record, "input": f"Capitalize the given word: {record['input']}"} for record in records]
        for split, records in capitalization_data(splits={"test": 80}).items()
    }
    (HERE / "questions.json").write_text(json.dumps(questions, indent=1) + "\n", encoding="utf-8")
    (HERE / "cap_task.py").write_text(task_source(), encoding="utf-8")
    write_tiny_model(HERE / "models" / "tiny-llama")
    write_tiny_model(HERE / "models" / "letters-v2", seed=8)


if __name__ == "__main__":
    main()
