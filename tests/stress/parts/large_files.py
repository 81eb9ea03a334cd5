"""Files of a job, of a data set and of tunebook itself that are far larger than memory should be.

The quick half reads files of some megabytes and compares the peak of Python's own allocations with a bound; the long
half runs the command line on files of a gigabyte and more, and compares the peak of resident memory.
"""

from __future__ import annotations

import json
import shutil
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from stress.limits import tunebook
from stress.part import Outcome, Part, Setting
from stress.sweep import complete, write_sweep
from tunebook.artifacts.metrics import read_metrics
from tunebook.artifacts.outcome import read_outcome
from tunebook.artifacts.output import last_lines
from tunebook.artifacts.proof import read_proof
from tunebook.artifacts.provenance import read_provenance
from tunebook.artifacts.result import read_result
from tunebook.artifacts.text_files import read_lines
from tunebook.artifacts.versions import read_versions
from tunebook.core.paths import INPUTS, LEDGER, PROOF, PROVENANCE
from tunebook.disk.input_record import InputRecord
from tunebook.disk.inputs import InputReader
from tunebook.disk.json_lines import read_documents
from tunebook.disk.ledger import read_ledger
from tunebook.tools.datasets import read_dataset_facts
from tunebook.tools.inspect.log_completions import completions
from tunebook.tools.inspect.results import InspectResults
from tunebook.tools.lm_eval.log_files import read_task_samples
from tunebook.tools.runtime.data_files import DataReader
from tunebook.tools.torchtune.results import parse_job_output
from tunebook.tools.train_overlap import Overlaps

__all__ = ["PART"]

_MIB = 1 << 20
_GIB = 1 << 30
_LOG = "eval/logs/2026-01-01T12-30_capitalization.eval"
_MOST_MIB = 250  # of resident memory beyond what the same command needs for small files
_MOST_S = 240


def _line(**values: Any) -> bytes:
    return json.dumps(values).encode() + b"\n"


def _sparse(path: Path, size: int, end: bytes = b"") -> Path:
    """One endless line of zeros, which takes no room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.truncate(size)
        stream.seek(size)
        stream.write(end)
    return path


def _repeated(path: Path, block: bytes, size: int, *, start: bytes = b"", end: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(start)
        while stream.tell() < size:
            stream.write(block)
        stream.write(end)
    return path


def _with_member(log: Path, name: str, size: int, *, stated: int | None = None) -> Path:
    """Replaces a file in a log by so many spaces; ``stated`` is the size that the archive gives for it."""
    old = log.rename(log.with_suffix(".old"))
    with zipfile.ZipFile(old) as before, zipfile.ZipFile(log, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as after:
        for member in before.infolist():
            if member.filename != name:
                after.writestr(member.filename, before.read(member))
        with after.open(name, "w", force_zip64=True) as stream:
            for _ in range(size // _MIB):
                stream.write(b" " * _MIB)
        if stated is not None:
            after.getinfo(name).file_size = stated
    old.unlink()
    return log


def _write_log(path: Path, **columns: Any) -> Path:
    from support.eval_logs import write_log

    given = {"model": "hf/run0_epoch0", "values": ["C", "I", "C", "C"], "task_file": "cap.py"} | columns
    return write_log(path, created="2026-01-01T12:30:00+00:00", **given)


_METRICS = b"".join(
    _line(step=step, epoch=0, loss=1.5, lr=1e-4, time="2026-01-01T10:00:00+00:00") for step in range(1, 5_001)
)
_EVENTS = b"".join(
    _line(
        time="2026-01-01T10:00:00+00:00", tag=f"tag{number}", job="run0/finetune", event="running", output="x" * 2_000
    )
    for number in range(50)
)


@dataclass(frozen=True)
class _Read:
    """A reading in this process; ``mebibytes`` may be allocated by it."""

    name: str
    mebibytes: float
    write: Callable[[Path], Any]
    read: Callable[[Any], Any]
    wanted: Callable[[Any], bool]


def _readings() -> Iterator[_Read]:
    error = b"\nRuntimeError: out of memory\n"
    yield _Read(
        "an output of one line",
        1,
        lambda folder: _sparse(folder / "job.out", 256 * _MIB, error),
        lambda path: last_lines(str(path)),
        lambda lines: lines[-1:] == ["RuntimeError: out of memory"],
    )
    yield _Read(
        "an output that torchtune printed",
        2,
        lambda folder: _sparse(folder / "job.out", 32 * _MIB, b"\nStep 1 | loss:1.0\n"),
        _torchtune_steps,
        lambda steps: steps == (1,),
    )
    yield _Read(
        "metrics of one line",
        2,
        lambda folder: _sparse(folder / "metrics.jsonl", 32 * _MIB),
        read_metrics,
        lambda metrics: metrics.unreadable == 1,
    )
    yield _Read(
        "metrics of too many steps",
        2,
        lambda folder: _repeated(folder / "metrics.jsonl", _METRICS, 4 * _MIB),
        lambda path: read_metrics(path, most=1_000),
        lambda metrics: len(metrics.records) == 1_000 and metrics.unreadable > 1_000,
    )
    yield from _records()
    yield from _documents()
    yield from _logs()
    yield from _data()


def _torchtune_steps(path: Path) -> tuple[int, ...]:
    return parse_job_output(read_lines(path, longest=10_000, newline=None)).curve.steps


def _records() -> Iterator[_Read]:
    yield _Read(
        "a ledger",
        2,
        lambda folder: _repeated(folder / LEDGER, _EVENTS, 8 * _MIB).parents[1],
        read_ledger,
        lambda ledger: ledger.entries["run0/finetune"].last.tag == "tag49",
    )
    yield _Read(
        "a ledger of one line",
        4,
        lambda folder: _sparse(folder / LEDGER, 32 * _MIB, b"\n" + _EVENTS).parents[1],
        read_ledger,
        lambda ledger: ledger.unreadable == 1 and "run0/finetune" in ledger.entries,
    )
    inputs = b"".join(
        _line(sha256=f"{number:064}", path="run0/finetune.yaml", text="x" * 50_000) for number in range(40)
    )
    yield _Read(
        "the record of inputs",
        2,
        lambda folder: _repeated(folder / INPUTS, inputs, 8 * _MIB).parents[1],
        lambda folder: InputRecord(folder, InputReader(folder)).get(f"{39:064}"),
        lambda found: len(found.text) == 50_000,
    )
    yield _Read(
        "documents in one line",
        56,
        lambda folder: _sparse(folder / "x.jsonl", 64 * _MIB, b'\n{"a": 1}\n'),
        lambda path: list(read_documents(path)),
        lambda found: found == [{"a": 1}],
    )


def _documents() -> Iterator[_Read]:
    readers: dict[str, Callable[[Path], Any]] = {
        "x.outcome.json": read_outcome,
        "x.result.json": read_result,
        "x.versions.json": read_versions,
        PROOF: lambda path: read_proof(path.parent),
        PROVENANCE: lambda path: read_provenance(path.parent),
    }
    for name, read in readers.items():
        yield _Read(name, 1, partial(_sparse_document, name=name), read, lambda found: not found)


def _sparse_document(folder: Path, *, name: str) -> Path:
    return _sparse(folder / name, _GIB)


def _logs() -> Iterator[_Read]:
    for name, size, stated in (("header.json", 64, None), ("header.json", 64, 100), ("summaries.json", 160, None)):
        yield _Read(
            f"a log whose {name} {'is long' if stated is None else 'is longer than it says'}",
            24,
            partial(_log_with_member, name=name, size=size * _MIB, stated=stated),
            lambda log: InspectResults().read_headers([log]).unreadable.get(log, ""),
            lambda why: "has more than" in why,
        )
    yield _Read(
        "a log of long samples",
        8,
        lambda folder: _write_log(folder / _LOG, values=["C"] * 24, prompts=["p" * _MIB] * 24),
        lambda log: sum(1 for _ in completions(log)),
        lambda count: count == 24,
    )
    yield _Read(
        "a log in JSON",
        8,
        lambda folder: _sparse(folder / "2026-01-01T12-30_x.json", _GIB),
        lambda log: InspectResults().read_headers([log]).unreadable.get(log, ""),
        lambda why: "convert it" in why,
    )
    yield _Read("samples of lm-eval", 2, _lm_eval_log, read_task_samples, lambda samples: len(samples.ids) == 100)


def _log_with_member(folder: Path, *, name: str, size: int, stated: int | None) -> Path:
    return _with_member(_write_log(folder / _LOG), name, size, stated=stated)


def _lm_eval_log(folder: Path) -> Path:
    results = {"configs": {"t": {}}, "results": {"t": {"acc,none": 1.0}}}
    file = folder / "x_2026-01-01T12-30-00.json"
    file.write_text(json.dumps(results))
    lines = []
    for number in range(100):
        request = {"gen_args_0": {"arg_0": "p" * 80_000, "arg_1": {}}}
        row = {"doc_id": number, "doc": {}, "target": "x", "arguments": request, "filtered_resps": ["x"]}
        lines.append(_line(**row, filter="none", metrics=["acc"], acc=1.0))
    (folder / "samples_t_2026-01-01T12-30-00.jsonl").write_bytes(b"".join(lines))
    return file


def _data() -> Iterator[_Read]:
    example = _line(input="x" * 4_000, output="y")
    yield _Read(
        "examples in lines",
        2,
        lambda folder: _repeated(folder / "data.jsonl", example, 16 * _MIB),
        lambda path: sum(1 for _ in DataReader(path).examples()),
        lambda count: count > 4_000,
    )
    yield _Read(
        "examples in a list",
        8,
        lambda folder: _repeated(folder / "data.json", example + b",", 16 * _MIB, start=b"[", end=example + b"]"),
        lambda path: sum(1 for _ in DataReader(path).examples()),
        lambda count: count > 4_000,
    )
    yield _Read(
        "an example without end",
        80,
        lambda folder: _sparse(folder / "data.jsonl", 64 * _MIB),
        lambda path: read_dataset_facts(path).problem,  # type: ignore[union-attr]
        lambda why: "more than" in why,
    )
    yield _Read(
        "a value without end",
        400,
        lambda folder: _repeated(folder / "data.json", b"x" * _MIB, 40 * _MIB, start=b'["'),
        lambda path: read_dataset_facts(path).problem,  # type: ignore[union-attr]
        lambda why: "more than" in why,
    )
    yield _Read(
        "questions among many inputs",
        1,
        lambda folder: _repeated(folder / "data.jsonl", example, 4 * _MIB),
        lambda path: Overlaps(path.parent, use_cache=False).of_file(str(path), "instruct", str(path)),
        lambda found: found.equal == found.asked > 1_000,
    )


def _quick(folder: Path) -> Outcome:
    faults: list[str] = []
    _write_log(folder / "first.eval")  # the memory of libraries is not measured
    InspectResults().read_headers([folder / "first.eval"])
    count = 0
    for number, reading in enumerate(_readings()):
        place = folder / str(number)
        place.mkdir()
        written = reading.write(place)
        tracemalloc.start()
        try:
            found = reading.read(written)
            peak = tracemalloc.get_traced_memory()[1] / _MIB
        finally:
            tracemalloc.stop()
        if not reading.wanted(found):
            faults.append(f"{reading.name}: {found!r:.200}")
        if peak > reading.mebibytes:
            faults.append(f"{reading.name}: {peak:.1f} MiB, and {reading.mebibytes} are enough")
        shutil.rmtree(place)
        count += 1
    return Outcome(figures=f"{count} readings within their bounds", faults=tuple(faults))


@dataclass(frozen=True)
class _Command:
    """A file of a gigabyte, and the commands that meet it."""

    name: str
    write: Callable[[Path], Any]
    verbs: tuple[str, ...]


def _commands() -> Iterator[_Command]:
    yield _Command("nothing", lambda _: None, ("status", "run", "check", "analyze"))
    yield _Command("endless lines and long documents", _sparse_files, ("status", "run", "analyze"))
    yield _Command(
        "metrics",
        lambda sweep: _repeated(sweep / "run0/artifacts/metrics.jsonl", _METRICS, _GIB),
        ("status", "analyze"),
    )
    yield _Command("ledger", lambda sweep: _repeated(sweep / LEDGER, _EVENTS, _GIB), ("status", "run"))
    long = ["p" * _MIB] * 1024
    yield _Command(
        "log of an evaluation",
        lambda sweep: _write_log(sweep / "run0" / _LOG, values=["C"] * 1024, prompts=long, answers=[None] * 1024),
        ("analyze",),
    )
    data = _line(input="x" * 60_000, output="y")
    yield _Command("data", lambda sweep: _repeated(sweep.parent / "data/train.jsonl", data, 2 * _GIB), ("check", "run"))


def _sparse_files(sweep: Path) -> None:
    """Files of one line; the job of the second run is as it was."""
    names = ("slurm-1.out", "finetune.outcome.json", "finetune.versions.json", PROVENANCE, "deviations.jsonl")
    for name in (*names, "artifacts/proof.json", "eval/capitalization_epoch0.result.json", "artifacts/metrics.jsonl"):
        _sparse(sweep / "run0" / name, _GIB)
    _sparse(sweep / LEDGER, _GIB, b"\n")
    _sparse(sweep / INPUTS, _GIB, b"\n")


_ARGUMENTS = {"status": ("status",), "run": ("run", "--dry-run"), "check": ("check",), "analyze": ("analyze",)}


def _long(folder: Path) -> Outcome:
    faults: list[str] = []
    figures: list[str] = []
    needed: dict[str, int] = {}
    for number, command in enumerate(_commands()):
        place = folder / str(number)
        sweep = write_sweep(place)
        complete(sweep)
        for run in ("run0", "run1"):
            _write_log(sweep / run / _LOG, model=f"hf/{run}_epoch0")
        command.write(sweep)
        for verb in command.verbs:
            most = needed.get(verb, 1_000) + _MOST_MIB
            spent = tunebook(_ARGUMENTS[verb], sweep, seconds=_MOST_S, mebibytes=most)
            needed.setdefault(verb, spent.mebibytes)
            figures.append(f"{verb} with {command.name}: {spent.mebibytes} MiB, {spent.seconds:.0f} s")
            if spent.stopped or "Traceback" in spent.output or spent.code < 0:
                faults.append(f"{verb} with {command.name}: {spent.stopped or spent.output[-300:]}")
        shutil.rmtree(place)
    return Outcome(figures="; ".join(figures), faults=tuple(faults))


def _run(setting: Setting) -> Outcome:
    return _quick(setting.folder) if setting.is_quick else _long(setting.folder)


PART = Part(name="large-files", run=_run)
