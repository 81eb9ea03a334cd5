"""No secret gets into an archive: from the site settings, module lines, scripts, outputs, logs, or the environment."""

from __future__ import annotations

import gzip
import json
import pickle
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest

from support.command_line import tunebook
from support.eval_logs import write_log
from support.exported import entities, files_in, finished_experiment, wrong_files
from support.leaks import SECRETS, files_with_secrets
from support.scaffolding import replace
from tunebook import api
from tunebook.errors import ExitCode, VerificationError

pytestmark = pytest.mark.filterwarnings("ignore")  # inspect-ai uses what pandas will remove

HF = "hf_" + "Abcdefghijklmnopqrstuvwxyz012345"
PASSWORD = "correct-horse-battery"  # noqa: S105
MODULES = f"\n## Modules\n```bash\nexport LAB_PASSWORD={PASSWORD}\nmodule load cuda/12\nexport HF_TOKEN={HF}\n```\n"


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """An experiment whose site settings, scripts, outputs and records got secrets in the meantime."""
    own = finished_experiment(tmp_path)
    with (own / "claude.local.md").open("a") as site:
        site.write(MODULES)
    script = own / "rank4" / "finetune.slurm"
    script.write_text(script.read_text() + f"export HF_TOKEN={HF}\nexport WANDB_API_KEY={SECRETS['WANDB_API_KEY']}\n")
    output = next((own / "rank16").glob("*.out"))
    output.write_text(f"+ export LAB_PASSWORD={PASSWORD}\nlogged in with {SECRETS['HF_TOKEN']}\n")
    (own / "analysis").mkdir()
    (own / "analysis" / "report.html").write_text(f"<p>the prompt was: my key is {SECRETS['OPENAI_API_KEY']}</p>")
    with (own / ".tunebook" / "submissions.jsonl").open("a") as record:
        record.write(json.dumps({"tag": "x", "settings": [{"value": f"export LAB_PASSWORD={PASSWORD}"}]}) + "\n")
    return own


@pytest.mark.parametrize("name", ["crate", "crate.zip"])
def test_no_file_of_an_archive_has_a_secret(leaky: Path, name: str) -> None:
    crate = leaky.parent / name
    done = tunebook(leaky, "export", "--to", str(crate), "--json")
    assert done.returncode == 0, done.stderr
    for path, content in files_in(crate).items():
        for secret in (HF, PASSWORD, *SECRETS.values()):
            assert secret.encode() not in content, f"{path} has {secret}"
    assert not (crate.is_dir() and files_with_secrets(crate))
    expected = {"claude.local.md", "rank4/finetune.slurm", "analysis/report.html", ".tunebook/submissions.jsonl"}
    assert expected <= set(json.loads(done.stdout)["data"]["redacted"])
    assert "removed secrets" in done.stdout
    assert HF not in done.stdout + done.stderr
    assert list(wrong_files(crate)) == []


LOGIN = "bob:hunter2hunter2"
PROXY = "made-up:proxypassword"
OF_A_SAMPLE = "postgres://made-up:secret@localhost"


def test_passwords_in_addresses_are_removed_and_those_in_samples_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = finished_experiment(tmp_path)
    monkeypatch.setenv("HTTPS_PROXY", f"http://{PROXY}@proxy:8080")
    (own / "rank4" / "install.log").write_text(f"Looking in indexes: https://{LOGIN}@pypi.org/simple\n")
    (own / "analysis").mkdir()
    report = f"answered: {OF_A_SAMPLE}; via http://{PROXY}@proxy:8080\n"
    (own / "analysis" / "report.md").write_text(report)
    crate = tmp_path / "crate"
    done = api.export(own, api.ExportOptions(to=crate))
    assert set(done.redacted) == {"rank4/install.log", "analysis/report.md"}
    files = files_in(crate)
    assert files["rank4/install.log"] == b"Looking in indexes: https://REMOVED@pypi.org/simple\n"
    assert files["analysis/report.md"] == f"answered: {OF_A_SAMPLE}; via http://REMOVED@proxy:8080\n".encode()


def test_the_description_of_an_archive_has_no_secret(tmp_path: Path) -> None:
    own = finished_experiment(tmp_path)
    replace(own / "experiment_summary.md", "How well does a 135M model", f"With {HF}: how well does a 135M model")
    crate = tmp_path / "crate"
    api.export(own, api.ExportOptions(to=crate))
    assert entities(crate)["./"]["description"].startswith("With REMOVED: how well")
    assert [path for path, content in files_in(crate).items() if HF.encode() in content] == []


def test_secrets_are_found_as_json_and_addresses_write_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = finished_experiment(tmp_path)
    secret = 'pässword"with\\marks'  # noqa: S105
    monkeypatch.setenv("LAB_PASSWORD", secret)
    written = [json.dumps(secret), json.dumps(secret, ensure_ascii=False), quote(secret, safe="")]
    (own / "rank4" / "job.log").write_text("\n".join(written))
    api.export(own, api.ExportOptions(to=tmp_path / "crate"))
    assert (tmp_path / "crate" / "rank4" / "job.log").read_text() == '"REMOVED"\n"REMOVED"\nREMOVED'


def test_the_rest_of_a_file_with_a_secret_stays_and_others_are_copied_byte_for_byte(leaky: Path) -> None:
    crate = leaky.parent / "crate"
    assert tunebook(leaky, "export", "--to", str(crate)).returncode == 0
    site = (leaky / "claude.local.md").read_text().replace(PASSWORD, "REMOVED").replace(HF, "REMOVED")
    assert (crate / "claude.local.md").read_text() == site
    assert (crate / "rank4" / "provenance.json").read_bytes() == (leaky / "rank4" / "provenance.json").read_bytes()
    assert (crate / "rank16" / "finetune.slurm").read_bytes() == (leaky / "rank16" / "finetune.slurm").read_bytes()
    before, after = (json.loads(tunebook(place, "status", "--json").stdout)["data"] for place in (leaky, crate))
    assert after["counts"] == before["counts"]
    found = [api.analyze(place, api.AnalyzeOptions(write=False)).summary.deviations for place in (leaky, crate)]
    assert found[0] == found[1]
    assert found[1][0].subject == "rank4/finetune.slurm"  # edited, in both


def test_a_secret_in_an_evaluation_log_ends_the_export(tmp_path: Path) -> None:
    own = finished_experiment(tmp_path)
    log = own / "rank4" / "eval" / "logs" / "2099-01-02T11-00_capitalization.eval"
    write_log(log, model="hf/rank4_epoch0", values="CC", prompts=["a", f"my token is {SECRETS['HF_TOKEN']}"])
    done = tunebook(own, "export")
    assert done.returncode == ExitCode.FAILED
    assert "2099-01-02T11-00_capitalization.eval" in done.stderr
    assert "contains a token or a password" in done.stderr
    assert SECRETS["HF_TOKEN"] not in done.stderr + done.stdout
    assert sorted(path.name for path in own.parent.iterdir()) == ["sweep", "tiny model", "venv"]


def test_a_torn_log_cannot_be_searched_and_is_named(tmp_path: Path) -> None:
    own = finished_experiment(tmp_path)
    log = own / "rank4" / "eval" / "logs" / "2099-01-02T10-00_capitalization.eval"
    torn = log.with_name("2099-01-02T09-00_capitalization.eval")
    torn.write_bytes(log.read_bytes()[:2000])
    done = tunebook(own, "export", "--to", str(tmp_path / "crate"))
    assert done.returncode == 0
    assert "could not be searched for secrets: rank4/eval/logs/2099-01-02T09-00_capitalization.eval" in done.stderr
    assert "rank4/eval/logs/2099-01-02T09-00_capitalization.eval" in entities(tmp_path / "crate")


def test_a_token_in_the_pickled_settings_of_a_trainer_ends_the_export(tmp_path: Path) -> None:
    own = finished_experiment(tmp_path)
    (own / "rank4" / "artifacts" / "epoch_0" / "training_args.bin").write_bytes(pickle.dumps({"hub_token": HF}))
    with pytest.raises(VerificationError, match="contains a token"):
        api.export(own, api.ExportOptions(to=tmp_path / "crate", weights=True))
    api.export(own, api.ExportOptions(to=tmp_path / "crate"))


def test_packed_and_damaged_files_cannot_be_searched_and_are_named(tmp_path: Path) -> None:
    own = finished_experiment(tmp_path)
    (own / "notes.gz").write_bytes(gzip.compress(HF.encode()))
    log = next((own / "rank4" / "eval" / "logs").glob("*.eval"))
    content = bytearray(log.read_bytes())
    with zipfile.ZipFile(log) as archive:
        start = archive.infolist()[0].header_offset + 100
    content[start : start + 40] = bytes(40)
    damaged = log.with_name("2099-01-02T09-00_capitalization.eval")
    damaged.write_bytes(content)
    done = api.export(own, api.ExportOptions(to=tmp_path / "crate", include=("notes.gz",)))
    (warning,) = [warning.message for warning in done.warnings if "could not be searched" in warning.message]
    assert "notes.gz" in warning
    assert damaged.name in warning


def test_a_module_line_with_a_secret_is_none_any_more_in_the_archive(leaky: Path) -> None:
    crate = leaky.parent / "crate"
    assert tunebook(leaky, "export", "--to", str(crate)).returncode == 0
    replace(crate / "claude.local.md", "module load cuda/12", "module load cuda/13")
    checked = json.loads(tunebook(crate, "check", "--json").stdout)
    assert not [error for error in checked["errors"] if "secret" in error["message"]]
