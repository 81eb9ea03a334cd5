"""The ledger, ``.tunebook/ledger.jsonl``: records every submission before and after each step; only appended to."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tunebook.core.input_digests import InputDigests, digests_from_word
from tunebook.core.jobs import JobState
from tunebook.core.json_text import UNFIT, parse_json
from tunebook.core.paths import LEDGER
from tunebook.disk.append import append_lines
from tunebook.disk.read import open_regular
from tunebook.disk.schema import LineSchema

__all__ = ["INTERRUPTED", "Event", "EventKind", "Ledger", "LedgerEntry", "LedgerReader", "read_ledger", "record"]

_LOCK = threading.Lock()
_SCHEMA = LineSchema(LEDGER, version=1)
_LONGEST_LINE = 1 << 20
INTERRUPTED = frozenset({"PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "RESTART"})
"""First words of the reasons after which a job is submitted again without being asked."""


class EventKind(Enum):
    """What happened to a submission.

    ``CANCELLED`` is recorded before the executor is called, so that the job may still run. ``REFUSED``: the executor
    did not take it. Only ``ENDED`` means that it is over.
    """

    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    RUNNING = "running"
    ENDED = "ended"
    CANCELLED = "cancelled"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the ledger; an empty value is unknown, or was recorded by an earlier line of the same tag.

    Attributes:
        time: ISO 8601 with the time zone, of the monitor's clock; ``started`` and ``ended`` are the job's own.
        tag: the submission.
        job: the job's name.
        executor: the executor's name.
        host: the host that alone can see the job; empty if any can ask for it.
        output: the file with the job's output.
        inputs: the digests of the job's inputs when it was submitted, as one word; :attr:`LedgerEntry.inputs` reads it.
    """

    time: str
    tag: str
    job: str
    event: EventKind
    job_id: str = ""
    executor: str = ""
    host: str = ""
    output: str = ""
    inputs: str = ""
    state: JobState | None = None
    reason: str = ""
    started: str = ""
    ended: str = ""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """The ledger's record of one submission.

    Attributes:
        number: submissions are numbered in their order; a higher number came later.
        last: the latest event, completed with the values of earlier events of the same tag.
        submitted: time of the first event.
        cancelled: whether tunebook set out to cancel it, successfully or not.
        interruptions: how many submissions directly before it were interrupted (:data:`INTERRUPTED`).
    """

    number: int
    last: Event
    submitted: str
    cancelled: bool = False
    interruptions: int = 0

    @property
    def inputs(self) -> InputDigests:
        """The digests of the job's inputs when it was submitted."""
        return digests_from_word(self.last.inputs)

    @property
    def is_open(self) -> bool:
        """Whether no end was recorded: the job may still run."""
        return self.last.event is not EventKind.ENDED

    @property
    def place(self) -> str:
        """The executor, and the host that alone can see the job if there is such a host, in words."""
        if not self.last.host:
            return self.last.executor
        return f"{self.last.executor} on {self.last.host}"

    def is_of(self, executor: str, host: str) -> bool:
        """Whether this executor on this host can be asked for the job."""
        return (self.last.executor, self.last.host) == (executor, host)

    @property
    def was_interrupted(self) -> bool:
        """Whether the cluster or a restart of the machine ended it, through no fault of its own."""
        return not self.is_open and not self.cancelled and self.last.reason.partition(" ")[0] in INTERRUPTED


@dataclass(frozen=True)
class Ledger:
    """The latest submission of each job, by the job's name.

    Attributes:
        unreadable: how many lines could not be read; a line torn by a crash loses nothing, since the next run asks the
            executor.
    """

    entries: Mapping[str, LedgerEntry] = field(default_factory=lambda: MappingProxyType({}))
    unreadable: int = 0


def record(experiment: Path, *events: Event) -> None:
    """Appends events, and returns when they are on the disk. A torn last line is closed first.

    Raises:
        OSError: they could not be written; then the step that they record must not be taken.
    """
    lines = b"".join(_line(event) for event in events)
    with _LOCK:
        append_lines(experiment / LEDGER, lines, within=experiment, head=_SCHEMA.head, durable=True)


def _line(event: Event) -> bytes:
    document: dict[str, Any] = {key: value for key, value in asdict(event).items() if value}
    document["event"] = event.event.value
    if event.state is not None:
        document["state"] = event.state.value
    return json.dumps(document).encode() + b"\n"


def read_ledger(experiment: Path) -> Ledger:
    """Returns the latest submission of each job; an empty ledger without a file."""
    return LedgerReader(experiment).read()


class LedgerReader:
    """Follows a ledger to which others may append; each call reads only new lines.

    A submission that was refused does not count: the one before it is the latest again.
    """

    def __init__(self, experiment: Path) -> None:
        self._path = experiment / LEDGER
        self._offset = 0
        self._lines = 0
        self._unreadable = 0
        self._torn = 0
        self._format = _SCHEMA.version
        self._is_inside_line = False
        self._submissions: dict[str, _Submission] = {}
        self._tags: dict[str, list[str]] = {}

    def read(self) -> Ledger:
        """The latest submission of every job."""
        self._read_new_lines()
        latest = {job: self._submissions[tags[-1]].entry() for job, tags in self._tags.items() if tags}
        return Ledger(MappingProxyType(latest), self._unreadable + self._torn)

    def latest(self, job: str) -> LedgerEntry | None:
        """The latest submission of one job."""
        self._read_new_lines()
        tags = self._tags.get(job)
        if not tags:
            return None
        return self._submissions[tags[-1]].entry()

    def every(self) -> tuple[LedgerEntry, ...]:
        """Every submission that was not refused, in the order in which they began."""
        self._read_new_lines()
        return tuple(submission.entry() for submission in self._submissions.values())

    def submissions(self) -> dict[str, int]:
        """Returns how many times each job was submitted, by the job's name; refused submissions do not count."""
        self._read_new_lines()
        return {job: len(tags) for job, tags in self._tags.items()}

    def _read_new_lines(self) -> None:
        try:
            stream = open_regular(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return
        with stream:
            stream.seek(self._offset)
            self._torn = 0
            while piece := stream.readline(_LONGEST_LINE):
                is_ended = piece.endswith(b"\n")
                if not is_ended and len(piece) < _LONGEST_LINE:  # torn, or still being written: it is read again
                    self._torn = int(not self._is_inside_line and bool(piece.strip()))
                    return
                self._offset += len(piece)
                self._take(piece, is_ended=is_ended)

    def _take(self, piece: bytes, *, is_ended: bool) -> None:
        """Takes a line, or a piece of a line that is longer than any event."""
        if self._is_inside_line:
            self._is_inside_line = not is_ended
        elif is_ended:
            self._fold(piece)
        else:
            self._lines += 1
            self._unreadable += 1
            self._is_inside_line = True

    def _fold(self, line: bytes) -> None:
        document = _document(line)
        named = _SCHEMA.named_by(document)
        if named is not None:
            self._format = named
            return
        self._lines += 1
        values = _values(document, self._format)
        if values is None:
            self._unreadable += bool(line.strip())
            return
        job, tag = values["job"], values["tag"]
        tags = self._tags.setdefault(job, [])
        if values["event"] is EventKind.REFUSED:
            self._submissions.pop(tag, None)
            self._tags[job] = [other for other in tags if other != tag]
            return
        if tag in self._submissions:
            self._submissions[tag].take(values)
            return
        before = self._submissions[tags[-1]].entry() if tags else None
        interruptions = 0
        if before is not None and before.was_interrupted:
            interruptions = before.interruptions + 1
        tags.append(tag)
        self._submissions[tag] = _Submission(self._lines, values, interruptions)


class _Submission:
    """The lines of one submission together; its entry is made when somebody asks for it."""

    __slots__ = ("_cancelled", "_entry", "_interruptions", "_number", "_submitted", "_values")

    def __init__(self, number: int, values: dict[str, Any], interruptions: int) -> None:
        self._number = number
        self._values = values
        self._submitted = values["time"]
        self._interruptions = interruptions
        self._cancelled = values["event"] is EventKind.CANCELLED
        self._entry: LedgerEntry | None = None

    def take(self, values: Mapping[str, Any]) -> None:
        """Takes a later line: its values replace those that are known; an empty one replaces none."""
        self._values.update((key, value) for key, value in values.items() if value)
        self._cancelled = self._cancelled or values["event"] is EventKind.CANCELLED
        self._entry = None

    def entry(self) -> LedgerEntry:
        """The submission as it is known now."""
        if self._entry is None:
            last = Event(**self._values)
            self._entry = LedgerEntry(self._number, last, self._submitted, self._cancelled, self._interruptions)
        return self._entry


def _document(line: bytes) -> Any:
    """A line's document; ``None`` for a line that has none."""
    try:
        return parse_json(line.decode())
    except ValueError:
        return None


def _values(document: Any, version: int) -> dict[str, Any] | None:
    """The values of an event's line, of the types that :class:`Event` has; ``None`` if it is not an event."""
    try:
        document = _SCHEMA.upgraded(document, version)
        values = {key: _OF_FIELD[key](value) for key, value in document.items() if key in _OF_FIELD}
    except UNFIT:
        return None
    return values if values.keys() >= _NEEDED else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value)


def _shared_text(value: object) -> str:
    """A text that many submissions have, kept once."""
    return sys.intern(_text(value))


_OF_FIELD: dict[str, Callable[[Any], Any]] = {item.name: _text for item in fields(Event)}
_OF_FIELD |= dict.fromkeys(("job", "executor", "host", "reason", "inputs"), _shared_text)
_OF_FIELD["event"] = {kind.value: kind for kind in EventKind}.__getitem__
_OF_FIELD["state"] = {state.value: state for state in JobState}.__getitem__
_NEEDED = frozenset({"time", "tag", "job", "event"})
