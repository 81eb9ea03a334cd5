"""The report's sentences carry the numbers of the tables, the verdicts of the tests, and the right direction."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from support.made_logs import MadeTask, Written, analyzed
from support.recomputation import sign_flip_p
from support.ten_kinds import KINDS

Analyzed = Callable[[str], Written]
FEW = ["models_tasks_epochs", "crossover", "single_run", "risk", "scorers_and_reducers"]
MANY = ["factorial_with_seeds", "two_hundred_runs", "lower_is_better", "incomplete_and_unbalanced", "all_at_chance"]
WITHOUT_SEEDS = ["models_tasks_epochs", "lower_is_better", "all_at_chance", "crossover", "risk", "scorers_and_reducers"]
WITH_SEEDS = ["factorial_with_seeds", "two_hundred_runs", "incomplete_and_unbalanced"]


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("+", ""))


def headline(report: Written, task: str) -> str:
    table = report["evaluations"]
    return str(table[table["task"] == task]["measure"].dropna().iloc[0])


def tasks(report: Written) -> list[str]:
    return list(dict.fromkeys(report["evaluations"]["task"]))


def final(report: Written, task: str, against: str) -> pd.DataFrame:
    """The comparisons of the last epochs by the headline measure."""
    table = report["comparisons"]
    own = table[(table["task"] == task) & (table["measure"] == headline(report, task)) & (table["against"] == against)]
    return own[own["epoch"] == own.groupby("run")["epoch"].transform("max")]


def directories(report: Written) -> dict[str, str]:
    """Run to the short name that sentences use."""
    return dict(zip(report["runs"]["run"], report["runs"]["directory"], strict=True))


# --- against the base model ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FEW)
def test_each_run_is_stated_with_its_own_numbers(written: Analyzed, kind: str) -> None:
    report = written(kind)
    short = directories(report)
    seen = 0
    for task in tasks(report):
        for row in final(report, task, "base").itertuples():
            text = report.sentence("base", f"{short[row.run]} scores", f" on {task} ({row.measure}),")
            assert f"{short[row.run]} scores {100 * row.value:.1f} % (95 % interval" in text
            word = "higher" if row.difference > 0 else "lower"
            verdict = f"significantly {word} than" if row.significant else f"{word} than"
            if row.difference == 0:
                verdict = "the same as"
            assert f", {verdict} its base model {row.other} with {100 * row.other_value:.1f} %" in text
            found = re.search(r": ([+−]?[\d.]+) points \(95 % interval ([−\d.]+) to ([−\d.]+)", text)
            assert found is not None
            expected = (row.difference, row.difference_low, row.difference_high)
            assert [number(part) for part in found.groups()] == pytest.approx([100 * x for x in expected], abs=0.051)
            assert ("p < 0.001" if row.p_holm < 0.001 else f"p = {row.p_holm:.3f}") in text
            assert f"n = {row.n}." in text
            assert ("could be chance" in text) == (not row.significant and row.difference != 0)
            seen += 1
    assert seen == len(report.sentences("base"))


@pytest.mark.parametrize("kind", MANY)
def test_many_runs_are_counted_by_whether_they_improved(written: Analyzed, kind: str) -> None:
    report = written(kind)
    table = final(report, "cap", "base")
    lower_is_better = kind == "lower_is_better"
    is_gain = (table["difference"] < 0) if lower_is_better else (table["difference"] > 0)
    better, worse = (table["significant"] & is_gain).sum(), (table["significant"] & ~is_gain).sum()
    text = report.sentence("base", f"Of {len(table)} runs")
    assert f"{better} improved significantly on their base model and {worse} got significantly worse" in text
    unclear = len(table) - better - worse
    assert (f"for {unclear} no difference was detected" in text) == (unclear > 0)
    assert f"Holm's correction over {len(table)} tests" in text
    assert f"on cap ({headline(report, 'cap')})" in text


# --- the best ------------------------------------------------------------------------------------------------------


def best_sentence(report: Written, task: str) -> str:
    return report.sentence("best", f" on {task} ({headline(report, task)}):")


@pytest.mark.parametrize("kind", WITHOUT_SEEDS)
def test_the_run_with_the_best_score_is_named_and_the_worse_ones_are_worse(written: Analyzed, kind: str) -> None:
    report = written(kind)
    short = directories(report)
    lower_is_better = kind == "lower_is_better"
    for task in tasks(report):
        table = report["evaluations"]
        own = table[(table["task"] == task) & (table["measure"] == headline(report, task)) & table["epoch"].notna()]
        last = own[own["epoch"] == own["epoch"].max()].set_index("run")["score"]
        best = last.idxmin() if lower_is_better else last.idxmax()
        text = best_sentence(report, task)
        extreme = "lowest (best)" if lower_is_better else "highest"
        assert f"{short[best]} has the {extreme} score on {task}" in text
        others = final(report, task, "best")
        assert set(others["other"]) == {best}
        different = others[others["significant"]]
        gain = (different["difference"] > 0) if lower_is_better else (different["difference"] < 0)
        assert gain.all()
        worse = r"([^.]*?) (?:is|are) significantly (?:higher \(worse\)|lower)"
        _assert_named(text, [short[run] for run in different["run"]], worse, "run")
        unclear = others[~others["significant"].astype(bool)]
        _assert_named(text, [short[run] for run in unclear["run"]], _UNCLEAR, "run")


_UNCLEAR = r"No difference from it was detected for ([^:]*):"


def _assert_named(text: str, names: list[str], pattern: str, noun: str) -> None:
    """The sentence names all of a few, and counts many."""
    found = re.search(pattern, text)
    if not names:
        assert found is None, text
        return
    assert found is not None, text
    if len(names) > 4:
        assert found[1].strip() == f"{len(names)} other {noun}s"
    else:
        assert all(name in found[1] for name in names), (names, found[1])


@pytest.mark.parametrize("kind", WITH_SEEDS)
def test_the_setting_with_the_best_mean_over_seeds_is_named(written: Analyzed, kind: str) -> None:
    report = written(kind)
    cells = {run.name: run.cells for run in KINDS[kind]().runs}
    table = report["evaluations"].dropna(subset=["score", "epoch"])
    setting = table["run"].map(lambda run: ", ".join(f"{c} {v}" for c, v in cells[run].items() if c != "Seed"))
    means = table.groupby(setting)["score"].agg(["mean", "size"])
    best = means["mean"].idxmax()
    text = best_sentence(report, "cap")
    assert text.startswith(f"Of {len(means)} settings, {best} has the highest mean score on cap (exactly): ")
    assert f"{100 * means['mean'].max():.1f} % (95 % interval" in text
    assert f", over {means['size'][best]} seeds." in text
    assert "generalizes to retraining, not to new test samples" in text


def test_at_chance_nothing_is_significant_and_nothing_is_called_none(written: Analyzed) -> None:
    report = written("all_at_chance")
    assert not report["comparisons"]["significant"].any()
    assert not report["effects"]["significant"].dropna().any()
    for text in (*report.sentences("effect", "interaction", "trend"), best_sentence(report, "cap")):
        assert "detected" in text
    assert not any("significantly" in text for text in report.sentences("best", "effect", "trend"))
    assert not [item for item in report.analysis.findings if item.significant]


def test_a_single_run_has_no_best_and_no_effect(written: Analyzed) -> None:
    report = written("single_run")
    assert report.sentences("best", "effect", "trend", "interaction", "seeds") == []
    assert report["effects"].empty


# --- effects and trends --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*WITH_SEEDS, "lower_is_better", "all_at_chance", "crossover"])
def test_effects_are_stated_as_their_tests_decide_with_the_best_level_first(written: Analyzed, kind: str) -> None:
    report = written(kind)
    table = report["effects"]
    table = table[table["measure"] == headline(report, "cap")]
    lower_is_better = kind == "lower_is_better"
    for effect, rows in table[table["kind"] == "main effect"].groupby("effect"):
        text = report.sentence("effect", f"{effect} on cap" if not rows["significant"].iloc[0] else f"{effect} makes")
        assert ("makes a difference" in text) == bool(rows["significant"].iloc[0])
        for row in rows.itertuples():
            value = f"{row.estimated_mean:.4g}" if lower_is_better else f"{100 * row.estimated_mean:.1f} %"
            assert f"{value} at {row.level}" in text
        if rows["significant"].iloc[0]:
            best = rows.loc[rows["estimated_mean"].idxmin() if lower_is_better else rows["estimated_mean"].idxmax()]
            worst = rows.loc[rows["estimated_mean"].idxmax() if lower_is_better else rows["estimated_mean"].idxmin()]
            assert f"best at {best.level}, worst at {worst.level}" in text


@pytest.mark.parametrize("kind", [*WITH_SEEDS, "lower_is_better", "all_at_chance"])
def test_trends_rise_and_fall_with_their_slopes(written: Analyzed, kind: str) -> None:
    report = written(kind)
    table = report["effects"]
    table = table[table["measure"] == headline(report, "cap")]
    rows = list(table[table["kind"] == "trend"].itertuples())
    assert rows
    for row in rows:
        (bend,) = table[(table["kind"] == "departure") & (table["effect"] == row.effect)].itertuples()
        if row.significant and bend.significant:
            way = "upwards" if row.difference > 0 else "downwards"
            text = report.sentence("trend", f"go {way} with {row.effect} on average, but not on a straight line:")
        elif row.significant:
            verb = "rise" if row.difference > 0 else "fall"
            text = report.sentence("trend", f"{verb} with {row.effect}:")
        else:
            text = report.sentence("trend", "No trend", f"over {row.effect} was detected:")
        size = f"{row.difference:+.4g}" if kind == "lower_is_better" else f"{100 * row.difference:+.1f} points"
        assert size.replace("-", "−") + f" per {row.levels_compared}" in text


# --- epochs and samples ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["cap", "low"])
def test_the_change_over_epochs_is_that_of_each_samples_mean(written: Analyzed, task: str) -> None:
    report = written("models_tasks_epochs")
    runs = [run.name for run in KINDS["models_tasks_epochs"]().runs]
    before, after = (report.scored.table(task, "exactly", runs, epoch).mean(axis=1) for epoch in (0, 2))
    text = report.sentence("epochs", f" on {task} ")
    assert f"improves from {100 * before.mean():.1f} % to {100 * after.mean():.1f} %" in text
    p = sign_flip_p(after - before)
    assert ("p < 0.001" if p < 0.001 else f"p = {p:.3f}") in text


@pytest.mark.parametrize("kind", ["factorial_with_seeds", "crossover", "single_run", "incomplete_and_unbalanced"])
def test_samples_that_fine_tuning_fixed_or_broke_are_counted(written: Analyzed, kind: str) -> None:
    report = written(kind)
    base = report.scored.of("cap", "exactly", "tiny_base", -1)
    scored = report["evaluations"].dropna(subset=["score", "epoch"])["run"]
    values = pd.DataFrame({run: report.scored.of("cap", "exactly", run) for run in scored}).reindex(base.index)
    fixed = (values.sub(base, axis=0) > 0).any(axis=1).sum()
    broke = (values.sub(base, axis=0) < 0).any(axis=1).sum()
    common = values.dropna()
    failed = ((common.sum(axis=1) == 0) & (base[common.index] == 0)).sum()
    text = report.sentence("samples")
    assert f"fixed {fixed} samples and broke {broke}," in text
    if failed:
        assert f"ll runs failed on {failed} of the {len(common)} samples" in text
    else:
        assert f"t least one run answered each of the {len(common)} samples" in text


def test_missing_runs_make_the_design_unbalanced_with_their_counts(written: Analyzed) -> None:
    report = written("incomplete_and_unbalanced")
    text = report.sentence("caution", "The design is unbalanced on cap")
    for cell in ("64 × 1e-5: 1", "4 × 1e-4: 2", "16 × 1e-4: 2"):
        assert cell in text
    assert not report.analysis.balanced


def test_more_samples_are_recommended_by_the_power_of_the_paired_test(written: Analyzed) -> None:
    report = written("crossover")
    table = final(report, "cap", "best")
    row: Any = table[~table["significant"].astype(bool)].iloc[0]
    error = (row.difference_high - row.difference_low) / 2 / 1.96
    wanted = row.n * ((1.96 + 0.8416) * error / abs(row.difference)) ** 2
    (text,) = [text for text in report.analysis.next_steps if "more samples" in text]
    found = re.search(r"about (\d+) samples would show it", text)
    assert found is not None
    assert int(found[1]) == pytest.approx(wanted, rel=0.1)


# --- a measure without a direction ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The experiment with several scorers, whose headline is a grade of which nobody said what is better."""
    made = replace(KINDS["scorers_and_reducers"](), tasks=(MadeTask(measure="judge"),))
    folder: Path = tmp_path_factory.mktemp("judged")
    return analyzed(folder, made)


def test_without_a_direction_nothing_is_better_or_best(judged: Written) -> None:
    texts = [*judged.sentences("base", "best", "effect", "trend", "interaction", "seeds", "epochs")]
    texts += judged.analysis.next_steps
    assert texts
    for text in texts:
        assert not re.search(r"\b(improve\w*|best at|worst|worse|the best run|got better)\b", text), text
    table = judged["comparisons"]
    assert "best" not in set(table[table["measure"] == "judge"]["against"])
    assert "no run is called the best" in judged.sentence("best")
