"""The last boundary: an error that nothing else expected is a bug in tunebook, and a person reads what to do."""

from __future__ import annotations

import os
import platform
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from tunebook import __version__, api
from tunebook.core.paths import PLAN_FILE, STATE_DIRECTORY
from tunebook.errors import TunebookError

__all__ = ["bug_report"]

_HINT = "report it with that file, which names no secrets but shows paths; nothing that was completed is lost"
_HINT_WITHOUT_FILE = "report it with these words; nothing that was completed is lost"


def bug_report(error: BaseException, *, arguments: Sequence[str]) -> TunebookError:
    """Writes the traceback into a file, and makes the message that says where it is."""
    words = f"this is a bug in tunebook: {_summary(error)}"
    path = _written(_report(error, arguments), arguments)
    if path is None:
        return TunebookError(f"{words}, raised {_place(error)}", hint=_HINT_WITHOUT_FILE)
    return TunebookError(f"{words}; the traceback was written to {path}", hint=_HINT)


def _summary(error: BaseException) -> str:
    name = type(error).__name__
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # noqa: BLE001  an error may fail at saying what it is
        lines = []
    return f"{name}: {lines[0][:300]}" if lines else name


def _report(error: BaseException, arguments: Sequence[str]) -> str:
    try:
        raised = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001  such as no memory for it
        raised = f"{_summary(error)}, raised {_place(error)}\n"
    head = f"tunebook {__version__}, Python {platform.python_version()}, {platform.platform()}"
    return f"{head}\narguments: {list(arguments)!r}\n\n{raised}"


def _place(error: BaseException) -> str:
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return "at an unknown place"
    code = last.tb_frame.f_code
    return f"in {code.co_name} ({Path(code.co_filename).name}:{last.tb_lineno})"


def _written(text: str, arguments: Sequence[str]) -> Path | None:
    """The file with the text, in the first place that can be written; ``None`` if there is none."""
    name = f"bug-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    for folder in _folders(arguments):
        path = folder / name
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(text)
        except (OSError, ValueError):
            continue
        return path
    return None


def _folders(arguments: Sequence[str]) -> Iterator[Path]:
    """The experiment's state directory, if it has one, and the directory for temporary files."""
    for given in [*(argument for argument in arguments if not argument.startswith("-")), "."]:
        try:
            experiment = Path(given).absolute()
            folder = experiment / STATE_DIRECTORY
            if (
                (experiment / PLAN_FILE).is_file()
                and folder.is_dir()
                and not api.link_out([STATE_DIRECTORY], experiment)
            ):
                yield folder
        except (OSError, ValueError):
            continue
    yield Path(tempfile.gettempdir())
