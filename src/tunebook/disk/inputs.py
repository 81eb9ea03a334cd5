"""Reads the inputs of jobs and computes their digests, as the jobs' scripts do; unchanged files are read once."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tunebook.core.input_digests import UNREADABLE, InputDigests
from tunebook.core.jobs import Job
from tunebook.disk.digest_cache import DigestCache, FileIdentity, file_identity
from tunebook.disk.digests import (
    digest_of,
    directory_list,
    file_digest,
    model_list,
    part_digest,
    place_of_script,
    text_material,
)
from tunebook.disk.read import is_no_file, read_bytes
from tunebook.errors import in_words

__all__ = ["InputReader", "ReadInputs", "texts_digest"]

_LONGEST_TEXT = 1 << 26  # bytes of a configuration or a script; data and models are read piece by piece


@dataclass(frozen=True)
class ReadInputs:
    """The inputs of a job as they are now.

    Attributes:
        problem: the first text that cannot be read, and why; without it the job cannot run.
        unread: paths of data sets and models that cannot be read on this machine.
    """

    digests: InputDigests
    problem: str = ""
    unread: tuple[str, ...] = ()


class InputReader:
    """Computes digests of the inputs of an experiment's jobs, with a cache on disk."""

    def __init__(self, experiment: Path) -> None:
        self._root = str(experiment)
        self._cache = DigestCache(experiment)
        self._other_places: dict[str, None] = {}
        self._path_digests: dict[str, str] = {}

    @property
    def moved_from(self) -> tuple[str, ...]:
        """The directories for which scripts were written that are not this one: the experiment was moved since."""
        return tuple(place for place in self._other_places if not _is_same_place(place, self._root))

    def read(self, job: Job, seen: dict[str, str] | None = None) -> ReadInputs:
        """Reads all inputs of a job.

        Args:
            seen: remembers data sets and models of earlier calls, so that a sweep looks at each of them once.

        Raises:
            OSError: a text cannot be read now.
        """
        contents, problem = self.texts(job)
        shared = {} if seen is None else seen
        contents += [self._once(shared, "data", path, self._data) for path in job.data]
        contents += [self._once(shared, "model", path, self._model) for path in job.models]
        shared_paths = (*job.data, *job.models)
        pairs = zip(shared_paths, contents[len(job.texts) :], strict=True)
        unread = tuple(path for path, digest in pairs if digest == UNREADABLE)
        places = tuple(map(self._path_digest, shared_paths))
        return ReadInputs(InputDigests(tuple(contents), places), problem, unread)

    def texts(self, job: Job) -> tuple[list[str], str]:
        """The digests of the job's texts, and the first of them that cannot be read, with the reason.

        Raises:
            OSError: one of them cannot be read now, and may be as it was.
        """
        contents: list[str] = []
        problem = ""
        seen: dict[str, FileIdentity] = {}  # one look at each file is enough: its content is read after it
        try:
            places = self._places(job, seen)
        except OSError as error:  # the script cannot be read
            _raise_if_passing(error)
            problem, places = in_words(error), (self._root,)
        kind = f"text {digest_of(os.fsencode(chr(0).join(places)))[:16]}"
        for path in job.texts:
            try:
                contents.append(self._text(kind, path, places, seen))
            except OSError as error:
                _raise_if_passing(error)
                contents.append(UNREADABLE)
                problem = problem or in_words(error)
        return contents, problem

    def save(self) -> None:
        """Keeps the digests for the next command."""
        self._cache.save()

    def material(self, job: Job, number: int) -> bytes | None:
        """Returns what the digest of an input is made of; ``None`` for a data file, which is read as it is.

        Raises:
            OSError: the input cannot be read.
        """
        path = self._path(job.inputs[number])
        if number < len(job.texts):
            return _material(path, self._places(job, {}))
        if number >= len(job.texts) + len(job.data):
            return model_list(path, self._whole, self._part)
        if os.path.isdir(path):  # noqa: PTH112
            return directory_list(path, self._whole)
        return None

    def _path(self, path: str) -> str:
        return _joined(self._root, path)

    def _path_digest(self, path: str) -> str:
        if path not in self._path_digests:
            self._path_digests[path] = digest_of(os.fsencode(path))
        return self._path_digests[path]

    def _text(self, kind: str, path: str, places: Sequence[str], seen: dict[str, FileIdentity]) -> str:
        def compute(full: str) -> str:
            return digest_of(_material(full, places))

        full = self._path(path)
        return self._cache.get(f"{kind} {path}", full, compute, _identity_once(full, seen))

    def _places(self, job: Job, seen: dict[str, FileIdentity]) -> tuple[str, ...]:
        """The experiment's directory and the paths of the inputs, as the job's script names them."""
        place = self._root
        if job.script in job.texts:
            full = self._path(job.script)
            place = self._cache.get(f"place {job.script}", full, self._place, _identity_once(full, seen))
            if place != self._root:
                self._other_places[place] = None
        return (place, *[_joined(place, path) for path in job.inputs])

    def _place(self, script: str) -> str:
        """The directory for which a script was written: the experiment may have been moved since."""
        found = place_of_script(_text_bytes(script))
        return self._root if found is None else os.fsdecode(found)

    def _once(self, seen: dict[str, str], kind: str, path: str, read: Callable[[str], str]) -> str:
        key = f"{kind} {path}"
        if key not in seen:
            try:
                seen[key] = read(self._path(path))
            except OSError:
                seen[key] = UNREADABLE
        return seen[key]

    def _data(self, path: str) -> str:
        if os.path.isdir(path):  # noqa: PTH112
            return digest_of(directory_list(path, self._whole))
        return self._whole(path)

    def _model(self, path: str) -> str:
        listed = model_list(path, self._whole, self._part)
        return digest_of(listed) if listed else UNREADABLE

    def _whole(self, path: str) -> str:
        return self._cache.get(f"file {path}", path, file_digest)

    def _part(self, path: str) -> str:
        return self._cache.get(f"part {path}", path, part_digest)


def _raise_if_passing(error: OSError) -> None:
    """Raises an error that says nothing of the file itself: another moment may find it as it was."""
    if not is_no_file(error) and not isinstance(error, PermissionError):
        raise error


def _joined(place: str, path: str) -> str:
    """``os.path.join`` of two paths, for the thousands of a sweep."""
    return path if path.startswith("/") else f"{place.rstrip('/')}/{path}"


def _identity_once(path: str, seen: dict[str, FileIdentity]) -> FileIdentity:
    if path not in seen:
        seen[path] = file_identity(path)
    return seen[path]


def _material(full: str, places: Sequence[str]) -> bytes:
    raw = _text_bytes(full)
    experiment, *inputs = map(os.fsencode, places)
    return text_material(raw, inputs=inputs, experiment=experiment)


def _text_bytes(path: str) -> bytes:
    raw = read_bytes(path, most=_LONGEST_TEXT)
    if raw is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return raw


def _is_same_place(one: str, other: str) -> bool:
    """Whether two paths are one directory, which links may give two names."""
    try:
        return os.path.samefile(one, other)  # noqa: PTH121
    except OSError:
        return False


def texts_digest(experiment: Path, job: Job) -> str:
    """One digest of the job's texts alone, its settings and commands; empty if one of them cannot be read."""
    contents, _ = InputReader(experiment).texts(job)
    return InputDigests(tuple(contents)).combined
