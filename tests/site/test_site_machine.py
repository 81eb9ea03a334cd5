"""Detects settings on a machine: from answers in the shapes of many clusters, and from invented directories."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.played_machine import CONFIG, PARTITIONS, SINFO, conda_environment, program
from tunebook.site.detect import settle
from tunebook.site.detect_slurm import partition_table
from tunebook.site.machine import Candidate, Detected, Machine, Surroundings
from tunebook.slurm.cluster import (
    Accounts,
    Cluster,
    Gpus,
    Partition,
    cluster_of,
    read_accounts,
    read_gpus,
    read_partitions,
)
from tunebook.slurm.programs import read_settings


def cluster(**changes: object) -> Cluster:
    found = cluster_of(read_settings(CONFIG))
    values = {"partitions": read_partitions(SINFO, PARTITIONS), "accounts": Accounts("lab", ("lab", "guests"))}
    return Cluster(found.name, **{"needs_account": found.needs_account, **values, **changes})  # type: ignore[arg-type]


def surroundings(tmp_path: Path, env: Mapping[str, str] | None = None) -> Surroundings:
    for name in ("home", "work", "python"):
        (tmp_path / name).mkdir(exist_ok=True)
    env = {"PATH": str(tmp_path / "bin"), **(env or {})}
    return Surroundings("ada", ("ada", "lab"), tmp_path / "home", tmp_path / "work", env, tmp_path, tmp_path / "python")


def settled(machine: Machine, answers: Mapping[str, str] | None = None) -> dict[str, tuple[Detected, Candidate]]:
    def choose(finding: Detected) -> Candidate:
        answer = (answers or {}).get(finding.key)
        return finding.first if answer is None else Candidate(answer, "answered")

    return {finding.key: (finding, chosen) for finding, chosen in settle(machine, choose)}


@pytest.mark.parametrize(
    ("gres", "expected"),
    [
        ("(null)", ()),
        ("gpu:4", (Gpus("", 4),)),
        ("gpu:a100:4(S:0-1)", (Gpus("a100", 4),)),
        ("gpu:a100:2(S:0,1),gpu:v100:1(S:2)", (Gpus("a100", 2), Gpus("v100", 1))),
        ("shard:8,gpu:h100:8(S:0-7),nvme:1", (Gpus("h100", 8),)),
        ("gpu:nvidia_a100-sxm4-80gb:4(S:1,3,5,7)", (Gpus("nvidia_a100-sxm4-80gb", 4),)),
        ("gpu:1g.5gb:7", (Gpus("1g.5gb", 7),)),
        ("craynetwork:4", ()),
    ],
)
def test_generic_resources_of_many_shapes(gres: str, expected: tuple[Gpus, ...]) -> None:
    assert read_gpus(gres) == expected


def test_a_partition_is_the_most_that_its_nodes_have() -> None:
    cpu, gpu, mig, mixed, old = read_partitions(SINFO, PARTITIONS)
    assert (cpu.is_default, cpu.cpus, cpu.memory_mb, cpu.gpus) == (True, 96, 384000, ())
    assert (gpu.gpus, gpu.cpus, gpu.accounts, gpu.qos) == (
        (Gpus("a100", 4),),
        64,
        ("lab", "physics"),
        ("short", "medium"),
    )
    assert gpu.features == ("a100", "gpu40", "intel", "gpu80", "amd")
    assert (gpu.max_time_min, mig.max_time_min, mig.groups) == (1440.0, None, ("mig-users",))
    assert (mixed.gpus, mixed.denied) == ((Gpus("v100", 4), Gpus("t4", 2)), ("guests",))
    assert not old.is_up


def test_a_default_partition_is_marked_with_a_star_in_some_versions() -> None:
    assert read_partitions("main*|2|100|(null)|gpu:2\n", "")[0].name == "main"


def test_the_reason_why_a_partition_is_closed_is_read() -> None:
    _, gpu, mig, mixed, old = read_partitions(SINFO, PARTITIONS)
    assert gpu.why_not(accounts=["guests"], groups=[]) == "it is for the accounts lab, physics"
    assert gpu.why_not(accounts=["lab"], groups=[]) == ""
    assert gpu.why_not(accounts=[], groups=[]) == ""
    assert mig.why_not(accounts=["lab"], groups=["users"]) == "it is for the groups mig-users"
    assert mixed.why_not(accounts=["guests"], groups=[]) == "the account guests is not allowed there"
    assert old.why_not(accounts=[], groups=[]) == "it is not up"


def test_associations_of_other_clusters_do_not_count() -> None:
    associations = "anycluster|lab|normal,gpu|normal\nother|elsewhere|high|\nanycluster|physics|normal|\n"
    found = read_accounts(
        "ada|elsewhere\n", associations, "lab\nphysics\nroot\n", "normal\ngpu\nhigh\n", cluster="anycluster"
    )
    assert (found.default, found.own, found.own_qos) == ("", ("lab", "physics"), ("normal", "gpu"))
    assert found.all_accounts == ("lab", "physics", "root")


def test_config_says_whether_an_account_is_needed() -> None:
    assert cluster_of(read_settings(CONFIG)) == Cluster("anycluster", needs_account=True)
    none = cluster_of({"AccountingStorageEnforce": "none", "ClusterName": "x", "SelectType": "select/linear"})
    assert (none.needs_account, none.has_gpus_option) == (False, False)


def test_without_gpus_in_the_default_partition_one_with_gpus_is_proposed(tmp_path: Path) -> None:
    found = settled(Machine(surroundings(tmp_path), cluster()))
    finding, chosen = found["partition"]
    assert [item.value for item in finding.candidates] == ["gpu", "mixed"]
    assert finding.question
    assert (chosen.value, chosen.basis) == ("gpu", "4 × a100 per node, up to 1-00:00:00")
    assert found["account"][1].value == "lab"
    assert found["gpus"][1].value == "1"
    assert "constraint" not in found


def test_a_partition_of_several_kinds_asks_for_the_feature(tmp_path: Path) -> None:
    found = settled(Machine(surroundings(tmp_path), cluster()), {"partition": "mixed", "constraint": "v100"})
    finding, _ = found["constraint"]
    assert [item.value for item in finding.candidates] == ["", "v100", "t4"]
    assert found["time"][1] == Candidate("00:30:00", "the longest that mixed allows")


def test_closed_partitions_are_reported_and_not_proposed(tmp_path: Path) -> None:
    closed = cluster(partitions=(Partition("cpu", True), Partition("gpu", gpus=(Gpus("", 1),), accounts=("physics",))))
    finding, chosen = settled(Machine(surroundings(tmp_path), closed))["partition"]
    assert chosen.value == ""
    assert "gpu (it is for the accounts physics)" in finding.missing


def test_a_small_node_bounds_what_a_job_asks_for(tmp_path: Path) -> None:
    small = cluster(partitions=(Partition("main", True, gpus=(Gpus("", 2),), cpus=4, memory_mb=8000),))
    found = settled(Machine(surroundings(tmp_path), small))
    assert (found["cpus"][1].value, found["mem"][1].value) == ("2", "7200M")


def test_an_account_that_cannot_be_found_is_asked_for(tmp_path: Path) -> None:
    several = cluster(accounts=Accounts("", ("lab", "guests")))
    finding, _ = settled(Machine(surroundings(tmp_path), several))["account"]
    assert finding.question
    none = settled(Machine(surroundings(tmp_path), cluster(accounts=None)))["account"][0]
    assert (none.question, none.missing) == ("", "this cluster has no accounting: no account is needed")


def test_no_cluster_is_a_local_site_without_gpus(tmp_path: Path) -> None:
    found = settled(Machine(surroundings(tmp_path)))
    assert found["gpus"][1].value == "0"
    assert not {"account", "partition", "cluster", "gpu_syntax"} & set(found)
    assert all(not finding.question for finding, _ in found.values())


def test_gpus_of_this_machine_are_counted(tmp_path: Path) -> None:
    program(tmp_path, "nvidia-smi", "printf 'GPU 0: NVIDIA A100\\nGPU 1: NVIDIA A100\\n'")
    found = settled(Machine(surroundings(tmp_path, {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"})))
    assert found["gpus"][1] == Candidate("1", "nvidia-smi lists 2 GPU(s)")


def test_scratch_from_the_shell_comes_before_what_is_found(tmp_path: Path) -> None:
    deep = tmp_path / "scratch" / "gpfs" / "LAB" / "ada"
    deep.mkdir(parents=True)
    found = settled(Machine(surroundings(tmp_path), cluster()))
    assert found["scratch"][1] == Candidate(str(deep), "a directory of this user's")
    assert found["output_dir_base"][1].value == str(deep / "tunebook-outputs")
    named = tmp_path / "fast"
    named.mkdir()
    found = settled(Machine(surroundings(tmp_path, {"SCRATCH": str(named), "SCRATCH_OLD": "/gone"}), cluster()))
    assert [item.value for item in found["scratch"][0].candidates] == [str(named), str(deep)]
    assert found["scratch"][0].question == ""


def test_the_models_directory_is_the_one_with_models(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch" / "LAB" / "ada"
    scratch.mkdir(parents=True)
    for name in ("Llama-3.2-1B-Instruct", "Qwen2.5-0.5B"):
        model = tmp_path / "scratch" / "LAB" / "pretrained-llms" / name
        model.mkdir(parents=True)
        (model / "config.json").touch()
        (model / "model.safetensors").touch()
    (tmp_path / "scratch" / "LAB" / "ada" / "project" / "no-model").mkdir(parents=True)
    found = settled(Machine(surroundings(tmp_path), cluster()))["models_dir"][1]
    assert found.value == str(tmp_path / "scratch" / "LAB" / "pretrained-llms")
    assert found.basis == "it contains Llama-3.2-1B-Instruct, Qwen2.5-0.5B"


def test_conda_environments_are_known_by_what_they_hold(tmp_path: Path) -> None:
    envs = tmp_path / "conda" / "envs"
    conda_environment(envs / "plain")
    conda_environment(envs / "tuning", "torchtune", "tunebook")
    conda_environment(tmp_path / "elsewhere" / "judge", "inspect_ai")
    listed = [tmp_path / "conda", envs / "plain", envs / "tuning", tmp_path / "elsewhere" / "judge"]
    told = '{"envs": [' + ", ".join(f'"{path}"' for path in listed) + f'], "envs_dirs": ["{envs}"]}}'
    conda = program(tmp_path, "conda", f"printf '%s' '{told}'")
    here = surroundings(tmp_path, {"CONDA_EXE": str(conda), "PATH": "/usr/bin:/bin"})
    found = settled(Machine(here, cluster()))
    assert found["training"][1] == Candidate("conda:tuning", "has torchtune, tunebook")
    assert found["evaluation"][1].value == f"conda:{tmp_path}/elsewhere/judge"
    assert "modules" not in found


def test_a_tool_that_the_usual_environment_lacks_gets_its_own(tmp_path: Path) -> None:
    """The server has no tunebook: jobs only start it."""
    envs = tmp_path / "envs"
    conda_environment(envs / "both", "torchtune", "inspect_ai", "tunebook")
    conda_environment(envs / "server", "vllm")
    here = surroundings(tmp_path)
    (here.home / ".conda").mkdir()
    (here.home / ".conda" / "environments.txt").write_text(f"{envs}/both\n{envs}/server\n")
    found = settled(Machine(here, cluster()))
    assert found["training"][1].value == found["evaluation"][1].value == "conda:both"
    assert found["environment.vllm"][1] == Candidate("conda:server", "has vllm")
    assert not {"environment.torchtune", "environment.inspect-ai"} & found.keys()


def test_condas_own_list_stands_in_for_a_conda_that_is_not_loaded(tmp_path: Path) -> None:
    conda_environment(tmp_path / "envs" / "both", "torchtune", "inspect_ai")
    here = surroundings(tmp_path, {"LOADEDMODULES": "gcc/12:miniforge/24.3.0"})
    (here.home / ".conda").mkdir()
    (here.home / ".conda" / "environments.txt").write_text(f"{tmp_path}/envs/both\n/gone\n")
    found = settled(Machine(here, cluster()))
    assert found["training"][1].value == found["evaluation"][1].value == "conda:both"
    assert found["modules"][1] == Candidate("module load miniforge/24.3.0", "loaded in this shell")


@pytest.mark.parametrize("variable", ["LMOD_CMD", "MODULES_CMD"])
def test_modules_that_bring_conda_are_listed(tmp_path: Path, variable: str) -> None:
    conda_environment(tmp_path / "envs" / "both", "torchtune", "inspect_ai")
    names = ["/opt/modulefiles:", "anaconda3/", "anaconda3/2024.10", "cuda/12", "anaconda3/2025.12(default)"]
    tool = program(tmp_path, "module-tool", f"printf '%s\\n' {' '.join(map(repr, names))} anaconda3/2025.6 >&2")
    here = surroundings(tmp_path, {variable: str(tool)})
    (here.home / ".conda").mkdir()
    (here.home / ".conda" / "environments.txt").write_text(f"{tmp_path}/envs/both\n")
    finding, chosen = settled(Machine(here, cluster()))["modules"]
    assert chosen.value == "module load anaconda3/2025.12"
    assert finding.question
    assert "module load anaconda3/2024.10" in [item.value for item in finding.candidates]


def test_an_active_virtual_environment_comes_first(tmp_path: Path) -> None:
    for name in ("active", "home/.venvs/other"):
        prefix = tmp_path / name
        (prefix / "lib" / "python3.11" / "site-packages" / "torchtune").mkdir(parents=True)
        (prefix / "bin").mkdir()
        (prefix / "bin" / "activate").touch()
        (prefix / "pyvenv.cfg").touch()
    here = surroundings(tmp_path, {"VIRTUAL_ENV": str(tmp_path / "active")})
    finding, chosen = settled(Machine(here, cluster()))["training"]
    assert (chosen.value, finding.question) == (f"venv:{tmp_path}/active", "")
    idle, _ = settled(Machine(surroundings(tmp_path), cluster()))["training"]
    assert [item.value for item in idle.candidates] == [f"venv:{tmp_path}/home/.venvs/other"]


def test_weights_and_biases_from_the_shell_or_its_settings(tmp_path: Path) -> None:
    here = surroundings(tmp_path, {"WANDB_PROJECT": "caps"})
    (here.home / ".config" / "wandb").mkdir(parents=True)
    (here.home / ".config" / "wandb" / "settings").write_text("[default]\nentity = lab%\nproject = other\n")
    found = settled(Machine(here))
    assert (found["wandb_entity"][1].value, found["wandb_project"][1].value) == ("lab%", "caps")


def test_the_partitions_are_listed_for_people() -> None:
    rows = partition_table(cluster())
    assert rows[1] == ["cpu (default)", "6-00:00:00", "no GPUs", "96", "375 GB", "cascade, ib", ""]
    assert rows[2][2] == "4 × a100 per node"


def test_the_user_and_python_of_this_process_are_known() -> None:
    here = Surroundings.here(Path("work"))
    assert here.user
    assert here.python == Path(sys.prefix)
