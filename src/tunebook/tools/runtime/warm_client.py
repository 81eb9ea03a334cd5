"""Runs a module for an evaluation job: in a copy of the process that several evaluations share, or by itself.

``python -P -m tunebook.tools.runtime.warm_client [--model FILE] MODULE ARGUMENT …`` does what ``python -P -m MODULE
ARGUMENT …`` does. If the variable ``TUNEBOOK_SERVICE`` names a file of
:mod:`tunebook.tools.runtime.warm_evaluations`, the module runs there, and only there once it has been asked for.

Runs inside jobs, and needs nothing of tunebook and nothing but Python's own library.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["KIND", "main", "read_message", "write_message"]

KIND = "warm evaluations"
_LENGTH = struct.Struct("!Q")
_STREAMS = 2


def write_message(connection: socket.socket, document: dict[str, Any], streams: Sequence[int] = ()) -> None:
    """Sends a document, and open files with it."""
    content = json.dumps(document).encode()
    socket.send_fds(connection, [_LENGTH.pack(len(content))], list(streams))
    connection.sendall(content)


def read_message(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Receives a document and the files that came with it.

    Raises:
        ValueError: the other side ended before it had sent all of it.
    """
    head, streams, _, _ = socket.recv_fds(connection, _LENGTH.size, _STREAMS)
    head += _rest(connection, _LENGTH.size - len(head))
    content = _rest(connection, _LENGTH.unpack(head)[0])
    return json.loads(content), streams


def _rest(connection: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        part = connection.recv(size - len(content))
        if not part:
            raise ValueError("the connection ended")
        content += part
    return content


def _connection() -> socket.socket | None:
    """The connection to the shared process; ``None`` if there is none that can be reached."""
    file = os.environ.get("TUNEBOOK_SERVICE")
    if not file:
        return None
    try:
        service = json.loads(Path(file).read_text(encoding="utf-8"))
        if service.get("kind") != KIND:
            return None
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(service["socket"])
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return connection


def main(arguments: Sequence[str]) -> int:
    """``[--model FILE] MODULE ARGUMENT …``: the file has the arguments of the model's loader."""
    model = None
    if arguments[:1] == ["--model"]:
        model = json.loads(Path(arguments[1]).read_text(encoding="utf-8"))
        arguments = arguments[2:]
    module, *rest = arguments
    connection = _connection()
    sys.stdout.flush()
    sys.stderr.flush()
    if connection is None:
        os.execv(sys.executable, [sys.executable, "-P", "-m", module, *rest])  # noqa: S606  this very Python
    document = {"module": module, "arguments": rest, "directory": os.getcwd(), "model": model}  # noqa: PTH109
    document["environment"] = dict(os.environ)
    with connection:
        try:
            write_message(connection, document, [sys.stdout.fileno(), sys.stderr.fileno()])
            answer, _ = read_message(connection)
        except (OSError, ValueError):
            sys.stderr.write("tunebook: the process that evaluations share has died\n")
            return 1
    return int(answer["code"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
