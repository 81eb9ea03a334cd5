"""A link that leads out of the experiment, in the place of everything that tunebook owns: nothing outside changes."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from stress.cases import cases
from stress.part import Outcome, Part, Setting
from stress.zygote import Zygote, zygote

__all__ = ["PART"]

_RUN = "rank8_lr1e-5"
_STATE = (
    *("manifest.json", "ledger.jsonl", "inputs.jsonl", "submissions.jsonl", "digests.json", "data.json", "parts"),
    *("lock.run", "lock.run.owner", "lock.scaffold", "lock.scaffold.owner", "lock.analyze", "analysis", "given-up"),
    *("hypotheses.json", "passed_checks.json", "packs", "arrays"),
)
_PLACES = {
    "new": (_RUN, f"{_RUN}/eval", f"{_RUN}/finetune.yaml", "scaffold-experiment.log", "scaffold-torchtune.log"),
    "update": (
        *(_RUN, f"{_RUN}/eval", f"{_RUN}/finetune.yaml", f"{_RUN}/setup_finetune.yaml"),
        *(f"{_RUN}/setup_finetune.yaml.orig", f"{_RUN}/eval/logs", f"{_RUN}/artifacts"),
    ),
    "prune": ("rank64_lr5e-5", "rank64_lr5e-5/eval", "rank64_lr5e-5/finetune.yaml", "rank64_lr5e-5/eval/logs"),
    "run": (
        *("rank8", "rank8/eval", "rank8/finetune.slurm", "rank8/finetune.outcome.json", "rank8/artifacts"),
        *("rank8/provenance.json", "rank8/eval/caps_epoch0.result.json", "run-experiment.log", "run-torchtune.log"),
    ),
    "analyze": (
        "analysis",
        "analysis/report.md",
        "analysis/figures",
        "analysis/runs.parquet",
        "analyze-experiment.log",
    ),
}
_QUICK = {"prune": 3, "run": 3}


def _run(setting: Setting) -> Outcome:
    kept = setting.folder / "kept"
    kept.mkdir()
    tried, refused = 0, 0
    faults: list[str] = []
    with zygote(setting.folder) as commands:
        for case in cases():
            if setting.is_quick and case.name not in _QUICK:
                continue
            places = [*_PLACES[case.name], ".tunebook", *(f".tunebook/{name}" for name in _STATE)]
            if setting.is_quick:
                places = setting.random.sample(places, _QUICK[case.name])
            for place in places:
                for is_dangling in (False, True):
                    experiment = case.make(setting.folder, commands, kept)
                    code, found = _try(experiment, place, commands, case.verb, is_dangling=is_dangling)
                    tried += 1
                    refused += code != 0
                    faults += [f"{case.name}, {place}: {fault}" for fault in found]
    return Outcome(figures=f"{tried} links, {refused} refused", faults=tuple(faults))


def _try(
    experiment: Path, place: str, commands: Zygote, verb: tuple[str, ...], *, is_dangling: bool
) -> tuple[int, list[str]]:
    """Puts a link in a place, and runs a command; what was there is at the link's end."""
    outside = experiment.parent / "outside"
    shutil.rmtree(outside, ignore_errors=True)
    outside.mkdir()
    target, link = outside / "target", experiment / place
    if link.exists() and not is_dangling:
        shutil.move(link, target)
    elif link.is_dir():
        shutil.rmtree(link)
    else:
        link.unlink(missing_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
    before = _content(outside)
    ended = commands.run(verb, experiment)
    faults = []
    if _content(outside) != before:
        faults.append(f"what the link leads to was changed ({ended.text.strip()[-200:]})")
    if "Traceback" in ended.text or "bug in tunebook" in ended.text:
        faults.append(f"a traceback: {ended.text.strip()[-400:]}")
    return ended.code, faults


def _content(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
        found[str(path.relative_to(folder))] = digest
    return found


PART = Part(name="links", run=_run)
