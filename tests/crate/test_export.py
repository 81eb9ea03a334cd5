"""What `tunebook export` writes: every file with its digest, every job as an action, nothing that should stay."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from support.command_line import tunebook
from support.exported import METADATA, entities, files_in, finished_experiment, wrong_files
from support.scaffolding import replace
from tunebook import api
from tunebook.disk.digests import digest_of, file_digest, model_list, part_digest
from tunebook.errors import ConflictError, ExitCode, LinkError, UsageError

CRATE_1_1 = "https://w3id.org/ro/crate/1.1"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished, and not changed by any test."""
    return finished_experiment(tmp_path_factory.mktemp("export it"))


@pytest.fixture
def own(tmp_path: Path, experiment: Path) -> Path:
    """A copy that a test may change."""
    subprocess.run(["cp", "-a", str(experiment), str(tmp_path / "sweep")], check=True)
    return tmp_path / "sweep"


@pytest.fixture(scope="module")
def crate(experiment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive as a directory, written with the defaults."""
    target = tmp_path_factory.mktemp("crate") / "crate"
    api.export(experiment, api.ExportOptions(to=target))
    return target


def exported(experiment: Path, **options: Any) -> tuple[Path, api.ExportReport]:
    report = api.export(experiment, api.ExportOptions(to=experiment.parent / "crate", **options))
    return report.path, report


def warnings_of(report: api.ExportReport) -> str:
    return "\n".join(str(warning) for warning in report.warnings)


def test_the_command_writes_a_whole_archive_beside_the_experiment_and_says_what_is_in_it(own: Path) -> None:
    done = tunebook(own, "export")
    assert done.returncode == 0, done.stderr
    archive = own.parent / "sweep-crate.zip"
    assert f"The archive: {archive}" in done.stdout
    assert "3 evaluation logs" in done.stdout
    assert "2 training curves" in done.stdout
    assert "Jobs: 5 completed" in done.stdout
    assert "words.json" in done.stdout.partition("Not in the archive")[2]
    assert "prompts, targets and answers" in done.stderr
    assert list(wrong_files(archive)) == []


def test_the_document_for_programs_says_the_same(own: Path) -> None:
    done = tunebook(own, "export", "--to", str(own.parent / "other.zip"), "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"], document["command"]) == (0, True, "export")
    data = document["data"]
    assert data["archive"] == str(own.parent / "other.zip")
    assert data["files"] == len(files_in(own.parent / "other.zip")) - 1  # its description is not counted
    assert data["states"] == {"completed": 5}
    assert sum(data["contents"].values()) == data["files"]
    assert {item["kind"] for item in data["left_out"]} == {"weights", "model", "data"}


def test_every_file_of_a_directory_is_described_with_its_size_and_digest(crate: Path) -> None:
    assert list(wrong_files(crate)) == []
    plan = entities(crate)["experiment_summary.md"]
    assert plan["encodingFormat"] == "text/markdown"
    assert {"rank4/finetune.yaml", "rank4/provenance.json", "cap_task.py"} <= entities(crate).keys()


def test_the_librarys_reader_opens_it_again(crate: Path) -> None:
    from rocrate.rocrate import ROCrate

    opened = ROCrate(crate)
    assert (opened.name, opened.license["name"]) == ("sweep", "CC-BY-4.0")
    assert opened.license.id == "https://spdx.org/licenses/CC-BY-4.0"
    assert [author["name"] for author in opened.root_dataset["author"]] == ["Ada Lovelace", "Bob"]
    assert opened.root_dataset["author"][0].id == "https://orcid.org/0000-0002-1825-0097"
    assert opened.root_dataset["author"][0]["affiliation"]["name"] == "University of London"
    assert len(opened.data_entities) == len(files_in(crate)) - 1 + 3  # and the directory of each run


def test_the_root_has_what_ro_crate_requires(crate: Path) -> None:
    found = entities(crate)
    descriptor, root = found[METADATA], found["./"]
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": CRATE_1_1}
    assert root["@type"] == "Dataset"
    assert root["description"].startswith("How well does a 135M model")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", root["datePublished"])
    assert json.loads((crate / METADATA).read_text())["@context"][0] == f"{CRATE_1_1}/context"


def test_every_reference_leads_to_an_entity(crate: Path) -> None:
    found = entities(crate)

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [value["@id"]]
        return [each for item in value for each in references(item)] if isinstance(value, list) else []

    for entity in found.values():
        for key, value in entity.items():
            if not key.startswith("@") and entity["@id"] != METADATA:
                assert set(references(value)) <= found.keys(), f"{entity['@id']}: {key}"


def test_each_job_is_an_action_with_its_inputs_its_results_and_its_times(crate: Path) -> None:
    found = entities(crate)
    mentioned = {item["@id"] for item in found["./"]["mentions"]}
    actions = {name: entity for name, entity in found.items() if entity["@type"] == "CreateAction"}
    assert mentioned == actions.keys()
    assert len(actions) == 5
    training, evaluation = actions["#job-rank4/finetune"], actions["#job-rank4/eval/capitalization_epoch0"]
    assert training["actionStatus"] == "http://schema.org/CompletedActionStatus"
    assert training["startTime"] <= training["endTime"] <= evaluation["endTime"]
    inputs = [found[item["@id"]]["name"] for item in training["object"]]
    assert inputs == ["finetune.yaml", "finetune.slurm", "words.json", "tiny model"]
    results = [found[item["@id"]] for item in training["result"]]
    assert [item["name"] for item in results] == ["metrics.jsonl", "epoch_0"]
    assert results[1]["@id"] in {item["@id"] for item in evaluation["object"]}  # the checkpoint is evaluated


def test_the_instrument_is_the_tool_with_the_versions_of_its_environment(crate: Path) -> None:
    found = entities(crate)
    recorded = json.loads((crate / "rank4" / "provenance.json").read_text())["jobs"]["rank4/finetune"]["versions"]
    tool = found[found["#job-rank4/finetune"]["instrument"]["@id"]]
    assert (tool["name"], tool["softwareVersion"]) == ("torchtune", recorded["packages"]["torchtune"])
    assert f"torch=={recorded['packages']['torch']}" in tool["softwareRequirements"]
    assert f"python {recorded['python']}" in tool["description"]


def test_weights_and_data_are_left_out_with_sizes_and_the_digests_that_tunebook_knows(
    experiment: Path, crate: Path
) -> None:
    assert not [path for path in files_in(crate) if "epoch_0/" in path or "words.json" in path or "model" in path]
    record = json.loads((crate / ".tunebook" / "archive.json").read_text())
    left_out = {item["path"]: item for item in record["left_out"]}
    checkpoint = str(experiment / "rank4" / "artifacts" / "epoch_0")
    assert (left_out[checkpoint]["files"], left_out[checkpoint]["size"]) == (2, 256 * 64 + 8)
    assert left_out[checkpoint]["sha256"] == digest_of(model_list(checkpoint, file_digest, part_digest))
    inputs = json.loads((crate / "rank4" / "provenance.json").read_text())["jobs"]["rank4/finetune"]["inputs"]
    known = {item["kind"]: item["sha256"] for item in inputs}
    assert left_out["words.json"]["sha256"] == known["data"]
    assert left_out[str(experiment.parent / "tiny model")]["sha256"] == known["model"]


def test_with_weights_and_with_data_include_them(own: Path) -> None:
    crate, report = exported(own, weights=True, data=True)
    assert (crate / "words.json").read_bytes() == (own / "words.json").read_bytes()
    weights = "rank16/artifacts/epoch_0/adapter_model.safetensors"
    assert (crate / weights).read_bytes() == (own / weights).read_bytes()
    assert {item.kind for item in report.left_out} == {"model"}
    found = entities(crate)
    results = {item["@id"] for item in found["#job-rank16/finetune"]["result"]}
    assert results == {"rank16/artifacts/metrics.jsonl", "rank16/artifacts/epoch_0/"}
    assert list(wrong_files(crate)) == []


def test_files_that_tunebook_does_not_know_stay_out_unless_a_person_names_them(own: Path) -> None:
    (own / "interviews.csv").write_text("name,answer\n")
    (own / "notes").mkdir()
    (own / "notes" / "first.md").write_text("a note")
    (own / "notes" / "first.docx").write_text("a note")
    (own / ".env").write_text("HF_TOKEN=x")
    crate, report = exported(own)
    assert set(report.unknown) == {"interviews.csv", "notes/"}
    assert "interviews.csv" in warnings_of(report)
    assert not {"interviews.csv", "notes/first.md", ".env"} & files_in(crate).keys()
    crate, report = exported(own, include=("notes/*.md",), overwrite=True)
    assert "notes/first.md" in files_in(crate)
    assert not {"interviews.csv", "notes/first.docx"} & files_in(crate).keys()
    crate, _ = exported(own, include=("notes",), overwrite=True)
    assert {"notes/first.md", "notes/first.docx"} <= files_in(crate).keys()


def test_a_pattern_that_fits_nothing_is_an_error_and_writes_nothing(own: Path) -> None:
    with pytest.raises(UsageError, match=r"`--include intervews\.csv` fits no file"):
        exported(own, include=("notes", "intervews.csv"))
    assert not (own.parent / "crate").exists()


def test_a_data_set_that_a_person_names_is_in_the_archive_and_not_left_out(own: Path) -> None:
    (own / METADATA).write_text("{}")
    os.utime(own / "words.json", (0, 5e9))
    crate, report = api_zip(own, include=("words.json", METADATA))
    assert files_in(crate)["words.json"] == (own / "words.json").read_bytes()
    assert "words.json" not in {item.path for item in report.left_out}
    assert list(wrong_files(crate)) == []


def api_zip(experiment: Path, **options: Any) -> tuple[Path, api.ExportReport]:
    report = api.export(experiment, api.ExportOptions(to=experiment.parent / "crate.zip", **options))
    return report.path, report


def test_a_plan_without_authors_and_license_is_exported_with_a_warning_that_names_it(own: Path) -> None:
    text = (own / "experiment_summary.md").read_text()
    (own / "experiment_summary.md").write_text(re.sub(r"- \*\*(Authors|License):.*\n", "", text))
    crate, report = exported(own)
    assert "experiment_summary.md: the plan names no authors" in warnings_of(report)
    assert "experiment_summary.md: the plan states no license" in warnings_of(report)
    found = entities(crate)
    assert "all rights are reserved" in found[found["./"]["license"]["@id"]]["name"]


def test_an_unknown_license_is_a_warning_with_its_line(own: Path) -> None:
    replace(own / "experiment_summary.md", "CC-BY-4.0", "the usual one")
    _, report = exported(own)
    line = (own / "experiment_summary.md").read_text().split("\n").index("- **License:** the usual one") + 1
    assert f"experiment_summary.md:{line}: the license `the usual one` is not known" in warnings_of(report)


def test_an_unfinished_experiment_is_exported_and_the_archive_says_what_is_missing(own: Path) -> None:
    (own / "rank16" / "eval" / "capitalization_epoch0.outcome.json").unlink()
    outcome = own / "rank4" / "finetune.outcome.json"
    outcome.write_text(outcome.read_text().replace('"exit_code": 0', '"exit_code": 9'))
    crate, report = exported(own)
    assert report.exit_code is ExitCode.DONE
    assert "rank16/eval/capitalization_epoch0" in report.unfinished
    assert "rank4/finetune" in report.unfinished
    assert "jobs are not completed" in warnings_of(report)
    found = entities(crate)
    assert "were not completed when this was exported" in found["./"]["description"]
    action = found["#job-rank4/finetune"]
    assert action["actionStatus"] == "http://schema.org/FailedActionStatus"
    assert "exit code 9" in action["error"]


def test_a_report_that_is_older_than_the_results_is_a_warning(own: Path) -> None:
    assert "no report" in warnings_of(exported(own)[1])
    (own / "analysis").mkdir()
    (own / "analysis" / "report.html").write_text("<p>")
    assert "report" not in warnings_of(exported(own, overwrite=True)[1]).replace("and the report contain", "")
    os.utime(own / "analysis" / "report.html", (1, 1))
    crate, report = exported(own, overwrite=True)
    assert "jobs have ended since" in warnings_of(report)
    assert "analysis/report.html" in files_in(crate)


def test_results_outside_of_the_experiment_are_brought_into_the_archive(tmp_path: Path) -> None:
    site = f"- **Output base directory:** `{tmp_path / 'scratch'}`\n"
    own = finished_experiment(tmp_path, site=site)
    assert not (own / "rank4" / "artifacts").exists()
    crate, _ = exported(own, weights=True)
    assert {"rank4/artifacts/metrics.jsonl", "rank4/artifacts/epoch_0/adapter_config.json"} <= files_in(crate).keys()
    jobs = json.loads((crate / ".tunebook" / "manifest.json").read_text())["jobs"]
    training = next(job for job in jobs if job["name"] == "rank4/finetune")
    assert training["metrics"] == "rank4/artifacts/metrics.jsonl"
    assert training["checkpoints"] == ["rank4/artifacts/epoch_0"]
    assert [job.state.value for job in api.status(crate).jobs] == ["completed"] * 5


def test_a_link_that_leads_out_is_refused_and_nothing_is_written(own: Path) -> None:
    (own.parent / "elsewhere").mkdir()
    (own / "rank4" / "eval" / "logs" / "more").symlink_to(own.parent / "elsewhere")
    with pytest.raises(LinkError, match="leads out of the experiment"):
        exported(own)
    assert sorted(path.name for path in own.parent.iterdir()) == ["elsewhere", "sweep"]


def test_nothing_is_overwritten_without_being_asked_and_no_strangers_directory_ever(own: Path) -> None:
    crate, _ = exported(own)
    (crate / "mine.txt").write_text("mine")
    with pytest.raises(ConflictError, match="exists"):
        exported(own)
    exported(own, overwrite=True)
    assert not (crate / "mine.txt").exists()
    (own.parent / "thesis").mkdir()
    (own.parent / "thesis" / "chapter.md").write_text("years of work")
    with pytest.raises(ConflictError, match="is not replaced"):
        api.export(own, api.ExportOptions(to=own.parent / "thesis", overwrite=True))
    assert (own.parent / "thesis" / "chapter.md").read_text() == "years of work"


@pytest.mark.parametrize("place", ["here.zip", "rank4/crate"])
def test_an_archive_inside_of_the_experiment_is_refused(own: Path, place: str) -> None:
    with pytest.raises(UsageError, match="in the experiment's own directory"):
        api.export(own, api.ExportOptions(to=own / place))


def test_a_missing_directory_is_named(own: Path) -> None:
    done = tunebook(own, "export", "--to", "../no/such/place.zip")
    assert done.returncode == ExitCode.USAGE
    assert "does not exist" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["crate", "crate.zip"])
def test_a_killed_export_leaves_no_archive_and_the_next_one_removes_what_it_left(own: Path, name: str) -> None:
    target = own.parent / name
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom tunebook import api\n"
        "def kill(number):\n    if number == 9: os.kill(os.getpid(), signal.SIGKILL)\n"
        "api.export(Path(sys.argv[1]), api.ExportOptions(to=Path(sys.argv[2])), progress=kill)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(own), str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not target.exists()
    left = [path.name for path in own.parent.iterdir() if path.name.startswith(f".{name}.")]
    assert len(left) == 1
    api.export(own, api.ExportOptions(to=target))
    assert sorted(path.name for path in own.parent.iterdir()) == sorted(["sweep", name])
    assert list(wrong_files(target)) == []


def test_an_error_on_the_way_leaves_nothing(own: Path) -> None:
    def fail(number: int) -> None:
        if number == 9:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        api.export(own, api.ExportOptions(to=own.parent / "crate.zip"), progress=fail)
    assert [path.name for path in own.parent.iterdir()] == ["sweep"]


def test_files_are_copied_piece_by_piece(own: Path) -> None:
    size = 1 << 26
    output = next((own / "rank4").glob("*.out"))
    with output.open("wb") as file:
        for _ in range(size >> 16):
            file.write(b"a line of an output\n" * 3276 + b"0123456789abcdef")
    api.export(own, api.ExportOptions(to=own.parent / "first.zip"))  # imports
    tracemalloc.start()
    api.export(own, api.ExportOptions(to=own.parent / "crate.zip"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size / 4
    assert list(wrong_files(own.parent / "crate.zip")) == []


VALIDATOR = os.environ.get("TUNEBOOK_ROC_VALIDATOR", "")


@pytest.mark.skipif(not VALIDATOR, reason="roc-validator needs an environment of its own: see `make test-crate`")
@pytest.mark.parametrize("profile", ["ro-crate-1.1", "process-run-crate-0.5"])
def test_roc_validator_finds_nothing_that_is_required(crate: Path, profile: str) -> None:
    script = Path(__file__).with_name("roc_validator.py")
    command = [f"{VALIDATOR}/bin/python", str(script), str(crate), profile]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["checks"] > 50
    assert [finding for finding in result["findings"] if finding["severity"] == "REQUIRED"] == []
