"""`design` takes hypotheses, keeps them as a person writes them, and says what samples and seeds can show."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binom
from statsmodels.stats.power import TTestIndPower

from support.design_inputs import MODEL, inputs_of, make_inputs
from support.plans import plan_of
from support.scaffolding import replace
from tunebook import api
from tunebook.cli.design_show import design_data
from tunebook.core.paths import DESIGN, PLAN_FILE
from tunebook.design.power import ASSUMED_SD, detectable_difference, detectable_over_seeds
from tunebook.errors import UsageError

BASIS: dict[str, Any] = {
    "question": "Does rank matter?",
    "model": {MODEL: f"models/{MODEL}"},
    "dataset": "words.json",
    "task": {"capitalization": "cap_task.py"},
    "factor": {"lora_rank": [8, 16]},
    "seeds": [1, 2, 3],
    "set": {"lr": "1e-4", "batch_size": 4, "epochs": 2, "gpus": 0},
}
GIVEN = ["H1: lora_rank = 16 > lora_rank = 8 — more capacity", {"H2": "rank8 ≠ base"}]


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)


def designed(hypotheses: object = GIVEN, *, update: bool = False, **others: object) -> api.DesignReport:
    given = {"hypotheses": hypotheses, **({} if update else BASIS), **others}
    values = inputs_of(given, updated=Path("exp") if update else None)
    return api.design(Path("exp"), api.DesignOptions(update=update, defaults=True), given=values)


def test_hypotheses_are_written_to_the_plan_and_stored(tmp_path: Path) -> None:
    report = designed()
    assert report.errors == ()
    written = ["H1: lora_rank = 16 > lora_rank = 8 — more capacity", "**H2:** rank8 ≠ base"]
    assert [item.text for item in plan_of(report.text).hypotheses] == written
    assert json.loads((tmp_path / "exp" / DESIGN).read_text())["design"]["hypothesis"] == written
    assert design_data(report)["hypotheses"] == written
    assert "## Hypotheses\n- H1: lora_rank = 16" in report.text


def test_a_hypothesis_that_cannot_be_read_names_its_option() -> None:
    options = {"hypothesis": ["rank16 = rank8"]}
    inputs = api.read_inputs(api.DesignSources(options=options))
    assert [str(problem).startswith("--hypothesis: hypothesis: ") for problem in inputs.problems] == [True]
    assert "within 5 points" in inputs.problems[0].hint
    with pytest.raises(UsageError, match="margin"):
        api.design(Path("exp"), given=inputs)
    assert [problem.message for problem in designed(["rank64 > rank8"]).errors] == [
        "hypothesis `rank64 > rank8`: the plan has no run, model, level or task `rank64`"
    ]


OWN = """\
## Hypotheses

We wrote this first.

- **H1:** rank16 > rank8
  by at least 2 points
  - because of earlier work
* rank16 better than base
"""


def test_an_update_keeps_the_section_as_a_person_wrote_it(tmp_path: Path) -> None:
    text = designed([]).text
    plan = tmp_path / "exp" / PLAN_FILE
    replace(plan, "## Tools\n", f"{OWN}\n## Tools\n")
    again = designed([], update=True)
    assert OWN in again.text
    assert again.text.replace(f"{OWN}\n", "") == text
    replaced = designed(["**H1:** rank16 ≠ rank8", "rank8 > base"], update=True)
    expected = OWN.replace("rank16 > rank8\n  by at least 2 points", "rank16 ≠ rank8") + "- rank8 > base\n"
    assert expected in replaced.text
    assert len(plan_of(replaced.text).hypotheses) == 3
    assert "## Hypotheses" in (tmp_path / "exp" / PLAN_FILE).read_text()


def test_the_summary_says_what_samples_and_seeds_can_show() -> None:
    none, several = designed([]), designed([{"H1": "rank16 > rank8"}, "rank8 > base"], update=True)
    first, samples, seeds = none.power
    assert first.startswith("The plan has no hypotheses, so that every result will be exploratory.")
    assert first.endswith("--update --hypothesis 'H1: lora_rank = 16 > lora_rank = 8'.")
    assert samples.startswith("The 40 samples of capitalization show a difference of about 30.4 points")
    assert "two-sided at a level of 0.05; for right and wrong answers, a base score of 50 %" in samples
    assert seeds.startswith("3 seeds per setting show a difference of about 6.1 points")
    assert "a standard deviation between seeds of 2 points is assumed" in seeds
    assert "one-sided at a level of 0.025, which is 0.05 for 2 hypotheses" in several.power[0]
    unknown = designed([], update=True, task={"capitalization": {"script": "cap_task.py", "dataset": "other.json"}})
    assert "The smallest difference that capitalization can show is not known" in unknown.power[0]


def test_the_smallest_difference_has_a_power_of_80_percent_in_mcnemars_exact_test() -> None:
    n, difference = 400, detectable_difference(400, 0.025)
    assert difference is not None
    power = 0.0
    for discordant in range(150, 251):  # of the pairs, half of which are discordant on average
        least = next(
            heads for heads in range(discordant // 2, discordant) if binom.sf(heads - 1, discordant, 0.5) <= 0.025
        )
        power += binom.pmf(discordant, n, 0.5) * binom.sf(least - 1, discordant, 0.5 + difference)
    assert power == pytest.approx(0.8, abs=0.03)
    assert detectable_difference(5, 0.025) is None
    assert math.isclose(detectable_difference(1600, 0.025) or 0, difference / 2, rel_tol=0.02)


def test_the_smallest_difference_over_seeds_is_that_of_statsmodels() -> None:
    difference = detectable_over_seeds(4, 0.0125)
    assert difference is not None
    power = TTestIndPower().power(difference / ASSUMED_SD, 4, 0.025, alternative="two-sided")
    assert power == pytest.approx(0.8, abs=0.002)
