"""Makes what the plan names: words_5L.json and a tiny model with random weights, in this directory."""

import json
from pathlib import Path

from tunebook.demo.data import capitalization_data
from tunebook.demo.tiny_model import write_tiny_model

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Writes the data and the model."""
    words = capitalization_data(splits={"train": 40, "validation": 8, "test": 16})
    (HERE / "words_5L.json").write_text(json.dumps(words, indent=1) + "\n", encoding="utf-8")
    write_tiny_model(HERE / "models" / "tiny-llama")


if __name__ == "__main__":
    main()
