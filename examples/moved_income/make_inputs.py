"""Makes what the plan names: income_condensed.json and a tiny model with random weights, in this directory.

The people are invented. A table of six facts per person becomes text, and the income the answer: 1 above 50,000.
"""

import json
import math
import random
from itertools import islice
from pathlib import Path

from tunebook.demo.tiny_model import write_tiny_model

HERE = Path(__file__).resolve().parent
SPLITS = {"train": 320, "validation": 40, "test": 120}
EDUCATION = ("no degree", "high school", "bachelor", "master")
WORK = ("private", "public", "own business")
REGION = ("north", "south", "east", "west")


def main() -> None:
    """Writes the data and the model."""
    draw = random.Random(14)  # noqa: S311  people that anyone can invent again
    drawn: dict[str, dict[str, str]] = {}
    while len(drawn) < sum(SPLITS.values()):
        record = person(draw)
        drawn.setdefault(record["input"], record)  # nobody is in two splits
    records = iter(drawn.values())
    people = {split: list(islice(records, count)) for split, count in SPLITS.items()}
    (HERE / "income_condensed.json").write_text(json.dumps(people, indent=1) + "\n", encoding="utf-8")
    write_tiny_model(HERE / "models" / "tiny-llama")


def person(draw: random.Random) -> dict[str, str]:
    """One row of the table as a record: its text, the answer, and the columns that scores are compared by."""
    age, hours = draw.randint(18, 79), draw.randint(10, 60)
    sex, education = draw.choice(("women", "men")), draw.randrange(len(EDUCATION))
    score = 1.3 * (education - 1.5) + 0.08 * (hours - 38) + 0.03 * (age - 45) + 0.5 * (sex == "men")
    is_high = draw.random() < 1 / (1 + math.exp(-score))
    facts = {
        "Education": EDUCATION[education],
        "Hours": str(hours),
        "Age": str(age),
        "Sex": sex,
        "Work": draw.choice(WORK),
        "Region": draw.choice(REGION),
    }
    text = "\n".join(f"{name}: {value}" for name, value in facts.items())
    decade = f"{age // 20 * 20}-{age // 20 * 20 + 19}"
    return {"input": f"{text}\nIncome above 50,000?", "output": str(int(is_high)), "sex": sex, "age_group": decade}


if __name__ == "__main__":
    main()
