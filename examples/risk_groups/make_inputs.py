"""Makes what the plan names: movers.json and a tiny model with random weights, in this directory.

The people are invented: who rents, is young and has lived somewhere for a short time moves more often.
"""

import json
import math
import random
from itertools import islice
from pathlib import Path

from tunebook.demo.tiny_model import write_tiny_model

HERE = Path(__file__).resolve().parent
SPLITS = {"train": 480, "validation": 80, "test": 160}


def main() -> None:
    """Writes the data and the model."""
    draw = random.Random(14)  # noqa: S311  people that anyone can invent again
    drawn: dict[str, dict[str, str]] = {}
    while len(drawn) < sum(SPLITS.values()):
        record = person(draw)
        drawn.setdefault(record["input"], record)  # nobody is in two splits
    records = iter(drawn.values())
    people = {split: list(islice(records, count)) for split, count in SPLITS.items()}
    (HERE / "movers.json").write_text(json.dumps(people, indent=1) + "\n", encoding="utf-8")
    write_tiny_model(HERE / "models" / "tiny-llama")


def person(draw: random.Random) -> dict[str, str]:
    """One record: what the model reads, what it should answer, and the groups that scores are compared by."""
    age, years = draw.randint(18, 89), draw.randint(0, 30)
    home, region = draw.choice(("rent", "own")), draw.choice(("north", "south"))
    score = 1.6 * (home == "rent") - 0.04 * (age - 40) - 0.12 * (years - 8) - 0.9
    moved = draw.random() < 1 / (1 + math.exp(-score))
    return {
        "input": f"age {age}, {home}, {years} years here, {region}",
        "output": str(int(moved)),
        "age_group": "18-39" if age < 40 else "40-64" if age < 65 else "65+",  # noqa: PLR2004
        "region": region,
    }


if __name__ == "__main__":
    main()
