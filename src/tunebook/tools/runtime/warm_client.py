"""Asks the process that several evaluations share to run a module in a copy of itself.

The variable ``TUNEBOOK_SERVICE`` names a file of :mod:`tunebook.tools.runtime.warm_evaluations`, which is that process.

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

__all__ = ["KIND", "ask", "read_message", "shared_process", "write_message"]

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


def shared_process() -> socket.socket | None:
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


def ask(connection: socket.socket, module: str, arguments: Sequence[str], *, model: dict[str, Any]) -> int:
    """Has a copy of the shared process do what ``python -P -m MODULE ARGUMENT …`` does here, and returns its exit code.

    Args:
        connection: as :func:`shared_process` returns it.
        model: the arguments of the model's loader.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    document = {"module": module, "arguments": list(arguments), "directory": os.getcwd(), "model": model}  # noqa: PTH109
    document["environment"] = dict(os.environ)
    with connection:
        try:
            write_message(connection, document, [sys.stdout.fileno(), sys.stderr.fileno()])
            answer, _ = read_message(connection)
        except (OSError, ValueError):
            sys.stderr.write("tunebook: the process that evaluations share has died\n")
            return 1
    return int(answer["code"])
