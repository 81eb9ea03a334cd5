"""Writing the site settings: the text reads back as the same values, or the values are refused."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunebook.core.site import SETTINGS, Environment, Site, line_of, read_assignments, site_of, values_of
from tunebook.core.site_file import site_text
from tunebook.core.site_reading import parse_site
from tunebook.errors import PlanError

TYPED = {
    "gpus": st.integers(0, 64).map(str),
    "cpus": st.integers(1, 256).map(str),
    "mem": st.sampled_from(["32G", "500M", "1T"]),
    "time": st.sampled_from(["0:59:00", "2-00:00:00", "30"]),
    "gpu_type": st.sampled_from(["a100", "nvidia_a100_1g.5gb"]),
    "gpu_syntax": st.sampled_from(["--gres", "--gpus", "--gpus-per-node"]),
}
HOSTILE = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["`", "``a`", "a|b", "$(touch /tmp/x)", "**x**: y", "none", "-", "<x>", "a ✓", " a", "[a](b)", "a\nb"]
    ),
)


VALUES = {item.key: TYPED.get(item.key, HOSTILE) for item in SETTINGS} | {
    "modules": st.lists(HOSTILE, max_size=3).map("\n".join),
    "training": st.tuples(st.sampled_from(["conda:", "venv:", ""]), HOSTILE).map("".join),
}
PAIRS = st.sampled_from(sorted(VALUES)).flatmap(lambda key: st.tuples(st.just(key), VALUES[key]))
TABLES = {"Partitions seen": [["a"], ["| `x`\n- **Account**: no"]]}


@given(st.lists(PAIRS, max_size=5).map(dict), st.booleans())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_values_read_back_or_are_refused(wanted: dict[str, str], has_slurm: bool) -> None:
    try:
        text = site_text(wanted, has_slurm=has_slurm, tables=TABLES)
    except PlanError:
        return  # which values are refused is tested below
    parsed = parse_site(text)
    site, problems = parsed.site, (*parsed.errors, *parsed.warnings)
    assert problems == ()
    assert values_of(site) == values_of(site_of(wanted))
    assert text == site_text(wanted, has_slurm=has_slurm, tables=TABLES)


@pytest.mark.parametrize(
    "value", ["la`b", "``", "a|b", "$(x)", 'it\'s "quoted"', "**bold**", "é ✓ x", "<a", "&amp;", "\\"]
)
def test_hostile_values_are_read_back_unchanged(value: str) -> None:
    text = site_text(
        {"cluster": value, "scratch": f"/s/{value}", "training": f"venv:{value}", "modules": f"ml '{value}'"}
    )
    site = parse_site(text).site
    assert (site.cluster, site.scratch, site.training.venv) == (value, f"/s/{value}", value)
    assert site.modules == (f"ml '{value}'",)


@pytest.mark.parametrize("value", ["none", "-", "(x)", "<x>", " padded", "two\nlines", "\x1b[31m", "ends ✓"])
def test_a_value_that_would_not_read_back_is_refused_by_name(value: str) -> None:
    with pytest.raises(PlanError) as caught:
        site_text({"account": value, "gpus": "two"})
    assert [problem.message.partition(" is ")[0] for problem in caught.value.problems] == ["Account", "Default GPUs"]


def test_an_environment_that_would_be_refused_is_not_written() -> None:
    with pytest.raises(PlanError, match="must be one word, the name of a conda environment"):
        site_text({"evaluation": "0 0"})


def test_different_environments_are_written_per_stage() -> None:
    text = site_text({"training": "tt", "evaluation": "/venvs/ev"})
    site = parse_site(text).site
    assert (site.training, site.evaluation) == (Environment(conda_env="tt"), Environment(venv="/venvs/ev"))
    assert "Default conda" not in text


def test_each_setting_knows_its_line() -> None:
    text = site_text({"account": "lab", "evaluation": "venv:/v", "modules": "module load x"})
    site = parse_site(text).site
    lines = text.splitlines()
    for key, content in {"account": "`lab`", "evaluation": "`/v`", "modules": "module load x"}.items():
        assert content in lines[(line_of(site, key) or 0) - 1]
    assert line_of(site, "training") is None


def test_assignments_name_settings_and_modules_may_be_repeated() -> None:
    given = read_assignments(("models-dir=/m", "modules=module load a", "modules=module load b", "account="))
    assert given == {"models_dir": "/m", "modules": "module load a\nmodule load b", "account": ""}
    with pytest.raises(ValueError, match="did you mean `account`"):
        read_assignments(("acount=x",))
    with pytest.raises(ValueError, match="KEY=VALUE"):
        read_assignments(("account",))


def test_nothing_set_is_a_site_without_settings() -> None:
    parsed = parse_site(site_text({}, has_slurm=False))
    site, problems = parsed.site, (*parsed.errors, *parsed.warnings)
    assert problems == ()
    assert values_of(site) == values_of(Site())


def test_without_slurm_the_file_has_the_number_of_gpus_only() -> None:
    local, cluster = site_text({}, has_slurm=False), site_text({}, has_slurm=True)
    assert "**Default GPUs**" in local
    assert "**Output base directory**" in local
    for label in ("Account", "Partition", "Default CPUs", "GPU request syntax"):
        assert f"**{label}**" in cluster
        assert f"**{label}**" not in local
    assert "- **Account**: `lab`" in site_text({"account": "lab"}, has_slurm=False)


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("conda:tt", Environment(conda_env="tt")),
        ("venv:/v", Environment(venv="/v")),
        ("venv:own", Environment(venv="own")),
        ("/v/bin", Environment(venv="/v/bin")),
        ("tt", Environment(conda_env="tt")),
        # An environment may have any of these names.
        ("venv", Environment(conda_env="venv")),
        ("conda", Environment(conda_env="conda")),
        ("lab:tt", Environment(conda_env="lab:tt")),
        ("/v/lab:tt", Environment(venv="/v/lab:tt")),
    ],
)
def test_an_environment_is_a_path_a_name_or_says_which_of_them_it_is(text: str, environment: Environment) -> None:
    assert site_of({"training": text}).training == environment


def test_the_environment_of_a_tool_is_written_and_read_back() -> None:
    values = read_assignments(("training=conda:tt", "environment.lm-eval=venv:/venvs/lm", "environment.trl=trl"))
    text = site_text(values)
    assert "- **lm-eval virtual environment**: `/venvs/lm`\n" in text
    assert parse_site(text).site.tool_environments == {
        "lm-eval": Environment(venv="/venvs/lm"),
        "trl": Environment(conda_env="trl"),
    }
    with pytest.raises(PlanError, match="trl conda environment is `0 0`"):
        site_text({"environment.trl": "0 0"})
