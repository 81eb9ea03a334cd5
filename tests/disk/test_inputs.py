"""Digests of a job's inputs: what changes them, and that scripts and tunebook compute the same."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tunebook.artifacts.outcome import read_outcome
from tunebook.core.input_digests import InputDigests, changed_inputs, digests_from_word
from tunebook.core.jobs import Job, Resources, Stage
from tunebook.core.site import Environment
from tunebook.disk import digest_cache
from tunebook.disk.inputs import InputReader
from tunebook.tools.job_script import input_path, job_variables, script_text

HOSTILE = 'it\'s & \\a "b" $(id) *[x]?\nnext'
MIB = 1 << 20


def job_at(experiment: Path, *, data: Path, model: Path, texts: tuple[str, ...] = ()) -> Job:
    return Job(
        name="a/train",
        run="a",
        stage=Stage.PREPARATION,
        tool="toy",
        directory="a",
        script="a/train.slurm",
        outcome="a/train.outcome.json",
        texts=("a/config.yaml", "a/train.slurm", *texts),
        data=(input_path(experiment, data),),
        models=(input_path(experiment, model),),
        resources=Resources(time="01:00:00", memory="1G"),
    )


def write_job(experiment: Path, job: Job) -> Job:
    """Writes the configuration and the script, as scaffolding does."""
    (experiment / "a").mkdir(parents=True, exist_ok=True)
    data, model = experiment / job.data[0], experiment / job.models[0]
    (experiment / "a" / "config.yaml").write_text(
        f"data: {data}\nmodel: {model}\noutput: {experiment}/a/out\nlr: 1e-5\n"
    )
    text = script_text(
        job,
        job_name="toy.a",
        modules=(),
        environment=Environment(),
        variables=job_variables(job, experiment),
        body=":\n",
    )
    (experiment / job.script).write_text(text)
    return job


def write_model(directory: Path) -> Path:
    directory.mkdir(parents=True)
    (directory / "config.json").write_text('{"hidden_size": 8}')
    (directory / "tokenizer.json").write_text("{}" * MIB)
    (directory / "model.safetensors").write_bytes(bytes(3 * MIB))
    (directory / "README.md").write_text("a model")
    (directory / "additional_chat_templates").mkdir()
    (directory / "additional_chat_templates" / "tools.jinja").write_text("{{ messages }}")
    return directory


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    return tmp_path / "words"


@pytest.fixture
def job(experiment: Path, tmp_path: Path) -> Job:
    data = tmp_path / "data" / "words.json"
    data.parent.mkdir()
    data.write_text('["one"]')
    return write_job(experiment, job_at(experiment, data=data, model=write_model(tmp_path / "models" / "tiny")))


def of_script(experiment: Path, job: Job) -> InputDigests:
    """The digests that the job's script writes into its outcome."""
    done = subprocess.run(["bash", str(experiment / job.script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outcome = read_outcome(experiment / job.outcome)
    assert outcome is not None
    return outcome.inputs


def of_tunebook(experiment: Path, job: Job) -> InputDigests:
    return InputReader(experiment).read(job).digests


def changed_by(experiment: Path, job: Job, before: InputDigests) -> list[str]:
    return [path.rpartition("/")[2] for path in changed_inputs(job, before, of_tunebook(experiment, job))]


@pytest.mark.parametrize("name", ["words", HOSTILE], ids=["plain", "hostile"])
def test_scripts_and_tunebook_compute_the_same_digests(tmp_path: Path, name: str) -> None:
    experiment = tmp_path / name / "experiment"
    data = tmp_path / name / "data"
    (data / "b c" / HOSTILE).mkdir(parents=True)
    (data / ".cache").mkdir()
    (data / ".cache" / "hidden").write_text("hidden")
    (data / "b c" / HOSTILE / "-n").write_bytes(b"\0\xff\n")
    (data / HOSTILE).write_text("one")
    (data / "Z").write_text("")
    (data / "ä").write_text("umlaut")
    (data / "link").symlink_to("Z")
    (data / "broken").symlink_to("nowhere")
    (data / "linked directory").symlink_to("b c")
    (data / "big").write_bytes(os.urandom(3 * MIB + 1))
    model = write_model(tmp_path / name / "model")
    (model / HOSTILE).write_text("small")
    (model / "empty.bin").write_text("")
    (model / "linked.json").symlink_to("config.json")
    task = tmp_path / name / "task.py"
    task.write_bytes(
        b"#SBATCH --mem=1G\r\nx = '\xff\xc3'\0 # " + os.fsencode(f"{data}/x {data}2 {experiment}") + b"\n\n\n"
    )
    (tmp_path / name / "empty.py").write_text("")
    texts = (str(task), str(tmp_path / name / "empty.py"))
    job = write_job(experiment, job_at(experiment, data=data, model=model, texts=texts))
    here = of_tunebook(experiment, job)
    assert of_script(experiment, job) == here
    assert len(here.contents) == len(set(here.contents)) == 6
    assert "-" not in here.contents


def test_scripts_and_tunebook_agree_on_what_cannot_be_read(experiment: Path, job: Job, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "models" / "tiny")
    lacking = write_job(experiment, replace(job, texts=(*job.texts, "a/missing.py"), data=("words of its own.json",)))
    here = InputReader(experiment).read(lacking)
    assert of_script(experiment, lacking) == here.digests
    assert here.digests.contents[2:] == ("-", "-", "-")
    assert here.problem.endswith("a/missing.py: No such file or directory")
    assert here.unread == (*lacking.data, *lacking.models)
    assert here.digests.combined == ""


def test_a_script_resumes_with_the_same_digest_of_all_inputs_as_tunebook(experiment: Path, job: Job) -> None:
    script = experiment / job.script
    script.write_text(script.read_text() + 'printf %s "$inputs_digest"\n')
    done = subprocess.run(["bash", str(script)], capture_output=True, text=True, check=True)
    assert done.stdout == of_tunebook(experiment, job).combined
    assert len(done.stdout) == 64


def test_requests_for_resources_are_not_part_of_the_science(experiment: Path, job: Job) -> None:
    before = of_tunebook(experiment, job)
    write_job(
        experiment, replace(job, resources=Resources(time="02:00:00", memory="9G", account="lab", partition="gpu"))
    )
    assert "--mem=9G" in (experiment / job.script).read_text()
    assert of_tunebook(experiment, job) == before
    assert of_script(experiment, job) == before


def test_a_moved_experiment_has_the_same_digests(experiment: Path, job: Job, tmp_path: Path) -> None:
    before = of_tunebook(experiment, job)
    moved = tmp_path / "elsewhere" / "words2"
    moved.parent.mkdir()
    experiment.rename(moved)
    assert of_tunebook(moved, job) == before  # with the old paths in its files
    write_job(moved, job)
    assert of_tunebook(moved, job) == before == of_script(moved, job)


def test_data_and_a_model_that_moved_are_the_same_science(experiment: Path, job: Job, tmp_path: Path) -> None:
    before = of_tunebook(experiment, job)
    shutil.copytree(tmp_path / "models" / "tiny", tmp_path / "copied")
    shutil.copy(tmp_path / "data" / "words.json", tmp_path / "same.json")
    moved = write_job(experiment, job_at(experiment, data=tmp_path / "same.json", model=tmp_path / "copied"))
    assert of_tunebook(experiment, moved).contents == before.contents
    assert changed_inputs(moved, before, of_tunebook(experiment, moved)) == ()


@pytest.mark.parametrize(
    "file", ["config.json", "tokenizer.json", "model.safetensors", "additional_chat_templates/tools.jinja", "new.json"]
)
def test_every_change_of_a_model_is_noticed(experiment: Path, job: Job, tmp_path: Path, file: str) -> None:
    before = of_tunebook(experiment, job)
    path = tmp_path / "models" / "tiny" / file
    size = path.stat().st_size if path.exists() else 0
    with path.open("ab") as stream:
        stream.truncate(max(0, size - 1))
        stream.write(b"!")
    assert changed_by(experiment, job, before) == ["tiny"]


def test_a_change_in_the_middle_of_a_tokenizer_is_noticed(experiment: Path, job: Job, tmp_path: Path) -> None:
    tokenizer = tmp_path / "models" / "tiny" / "tokenizer.json"
    tokenizer.write_text("{}" * 2 * MIB)
    before = of_tunebook(experiment, job)
    text = tokenizer.read_text()
    tokenizer.write_text(text[: 2 * MIB] + "[]" + text[2 * MIB + 2 :])
    assert changed_by(experiment, job, before) == ["tiny"]


def test_a_readme_of_a_model_does_not_matter(experiment: Path, job: Job, tmp_path: Path) -> None:
    before = of_tunebook(experiment, job)
    (tmp_path / "models" / "tiny" / "README.md").write_text("news")
    assert of_tunebook(experiment, job) == before


def test_changed_data_settings_and_commands_are_named(experiment: Path, job: Job, tmp_path: Path) -> None:
    before = of_tunebook(experiment, job)
    (tmp_path / "data" / "words.json").write_text('["two"]')
    assert changed_by(experiment, job, before) == ["words.json"]
    config = experiment / "a" / "config.yaml"
    config.write_text(config.read_text().replace("1e-5", "2e-5"))
    script = experiment / job.script
    script.write_text(script.read_text() + "true\n")
    assert changed_by(experiment, job, before) == ["config.yaml", "train.slurm", "words.json"]


def test_what_cannot_be_read_here_is_unchanged_only_at_the_same_place(
    experiment: Path, job: Job, tmp_path: Path
) -> None:
    before = of_tunebook(experiment, job)
    (tmp_path / "data" / "words.json").unlink()
    assert changed_by(experiment, job, before) == []
    other = write_job(experiment, job_at(experiment, data=tmp_path / "other.json", model=tmp_path / "models" / "tiny"))
    assert changed_by(experiment, other, before) == ["other.json"]


def test_digests_come_back_from_the_ledgers_word(experiment: Path, job: Job) -> None:
    digests = of_tunebook(experiment, job)
    assert digests_from_word(digests.word) == digests
    assert not digests_from_word("")


def test_a_file_is_read_once_until_it_changes(
    experiment: Path, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data" / "words.json"
    for path in (data, *experiment.rglob("*"), *(tmp_path / "models").rglob("*")):
        os.utime(path, (1, 1))
    read: list[str] = []
    real = digest_cache.DigestCache.get

    def counting(
        self: digest_cache.DigestCache,
        key: str,
        path: str,
        compute: digest_cache.Compute,
        identity: digest_cache.FileIdentity | None = None,
    ) -> str:
        def counted(full: str) -> str:
            read.append(full)
            return compute(full)

        return real(self, key, path, counted, identity)

    monkeypatch.setattr(digest_cache.DigestCache, "get", counting)
    for _ in range(2):
        reader = InputReader(experiment)
        reader.read(job)
        reader.save()
    assert read.count(str(data)) == 1
    assert len(read) == len(set(read)) + 1  # the script: where it was written for, and its own digest
    data.write_text('["two"]')
    InputReader(experiment).read(job)
    assert read.count(str(data)) == 2


def test_a_file_that_was_just_written_is_read_again(experiment: Path, job: Job, tmp_path: Path) -> None:
    """Its next change may leave size and time as they are."""
    reader = InputReader(experiment)
    before = reader.read(job).digests
    data = tmp_path / "data" / "words.json"
    status = data.stat()
    with data.open("r+") as stream:
        stream.write('["two"]')
    os.utime(data, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert reader.read(job).digests != before
