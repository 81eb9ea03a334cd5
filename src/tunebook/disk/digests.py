"""Computes the digests of texts, data sets and models, byte for byte as a job's script does (``prologue.sh``).

The digest of an input is the SHA-256 of its material: of a text without the lines and paths that do not matter, of a
data file's bytes, or of a list of a directory's files.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence

from tunebook.disk.read import open_regular

__all__ = [
    "digest_of",
    "directory_list",
    "file_digest",
    "listed_files",
    "model_list",
    "part_digest",
    "place_of_script",
    "text_material",
]

_CHUNK = 1 << 20
_PART = 1 << 20
_PLACE = b"\nexperiment="
_LONGEST_PLACE = 1 << 15  # bytes; paths have at most 4,096, each in quotes of its own at most
_HEADER_LINE = re.compile(rb"^#SBATCH.*\n?", re.MULTILINE)  # a line ends at a line feed only
_ENDS = (b"/", b"'", b'"', b"@", b" ", b",", b";", b":", b")", b"]", b"}", b"\n")
"""The bytes that may follow a path: ``/data/words`` is not part of ``/data/words2``."""
_WHOLE = (".json", ".jinja", ".txt", ".model", ".py")
_NOT_OF_THE_MODEL = ".md"
_TEMPLATES = "additional_chat_templates"


def digest_of(material: bytes) -> str:
    """The SHA-256 in hexadecimal."""
    return hashlib.sha256(material).hexdigest()


def text_material(raw: bytes, *, inputs: Sequence[bytes], experiment: bytes) -> bytes:
    """A text without what does not matter: ``#SBATCH`` lines, and the places of inputs and of the experiment.

    Args:
        inputs: the paths of the job's inputs, in their order, as the job's script names them; so is ``experiment``.
    """
    text = _HEADER_LINE.sub(b"", raw).replace(b"\0", b"")
    for number, path in enumerate(inputs, start=1):
        text = _with_name(text, path, b"<input %d>" % number)
    return _with_name(text, experiment, b"<experiment>")


def place_of_script(script: bytes) -> bytes | None:
    """The experiment's directory as a job's script names it; ``None`` if the script names none."""
    _, found, rest = script.partition(_PLACE)
    if not found or rest[:1].isspace():
        return None
    words = shlex.shlex(os.fsdecode(rest[:_LONGEST_PLACE]), posix=True)
    words.whitespace_split, words.commenters = True, ""
    try:
        word = words.get_token()  # a quoted path may have line breaks
    except ValueError:
        return None  # the quotes are open
    return None if word is None else os.fsencode(word)


def _with_name(text: bytes, path: bytes, name: bytes) -> bytes:
    if path not in text:
        return text
    for end in _ENDS:
        text = text.replace(path + end, name + end)
    return text


def file_digest(path: str) -> str:
    """The digest of a file's bytes.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with open_regular(path) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def part_digest(path: str) -> str:
    """The digest of a file's first and last MiB, one after the other."""
    digest = hashlib.sha256()
    with open_regular(path) as stream:
        digest.update(stream.read(_PART))
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _PART))
        digest.update(stream.read(_PART))
    return digest.hexdigest()


def listed_files(directory: str) -> Iterator[str]:
    """The files below a directory in the order of their names, without hidden ones; links are followed.

    Raises:
        OSError: a directory cannot be read.
    """
    for path in _entries(directory):
        if os.path.isdir(path):  # noqa: PTH112
            yield from listed_files(path)
        elif os.path.isfile(path):  # noqa: PTH113
            yield path


def _entries(directory: str) -> list[str]:
    names = [name for name in os.listdir(directory) if not name.startswith(".")]  # noqa: PTH208
    return [f"{directory}/{name}" for name in sorted(names, key=os.fsencode)]


def directory_list(directory: str, digest: Callable[[str], str]) -> bytes:
    """A data set's directory as a list: the digest and the name of each file.

    Args:
        digest: :func:`file_digest`, or a function that remembers its results.
    """
    parts: list[bytes] = []
    for path in listed_files(directory):
        name = path.removeprefix(f"{directory}/")
        parts.append(f"{digest(path)} ".encode() + os.fsencode(name) + b"\0")
    return b"".join(parts)


def model_list(directory: str, whole: Callable[[str], str], part: Callable[[str], str]) -> bytes:
    """A model's directory as a list: digest, size and name of each file in it; empty if there is no file.

    Configurations, tokenizers and templates are read in full (``whole``); weights, which may have many gigabytes, only
    at their beginning and their end (``part``).
    """
    parts: list[bytes] = []
    paths = _entries(directory)
    templates = f"{directory}/{_TEMPLATES}"
    if os.path.isdir(templates):  # noqa: PTH112
        paths += _entries(templates)
    for path in paths:
        if path.endswith(_NOT_OF_THE_MODEL) or not os.path.isfile(path):  # noqa: PTH113
            continue
        digest = whole(path) if path.endswith(_WHOLE) else part(path)
        size = os.stat(path).st_size  # noqa: PTH116
        parts.append(f"{digest} {size} ".encode() + os.fsencode(path.removeprefix(f"{directory}/")) + b"\0")
    return b"".join(parts)
