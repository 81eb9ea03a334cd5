"""Swaps the files at two paths in one step, and moves a file to a path only while that path is free.

Linux has ``renameat2`` for both. Without it, :func:`exchange` answers ``False``, and :func:`move_new` uses a hard link,
which also fails for a path that is taken.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["exchange", "move_new"]

_HERE = -100  # AT_FDCWD: a relative path is relative to the working directory
_ONLY_NEW = 1  # RENAME_NOREPLACE
_SWAP = 2  # RENAME_EXCHANGE
# The kernel, the file system or a sandbox does not know the flag, or the two paths are on different file systems.
_CANNOT = frozenset({errno.ENOSYS, errno.EINVAL, errno.EXDEV, errno.EOPNOTSUPP, errno.EPERM})


def exchange(first: Path, second: Path) -> bool:
    """Swaps two files; both names exist at every moment.

    Returns:
        Whether they were swapped; ``False`` where the system or the file system cannot do it.

    Raises:
        FileNotFoundError: one of them does not exist.
        OSError: the directory cannot be changed.
    """
    return _rename(first, second, _SWAP)


def move_new(source: Path, target: Path) -> None:
    """Moves a file to a path where nothing is yet.

    Raises:
        FileExistsError: something has that path.
        OSError: the directory cannot be changed.
    """
    if _rename(source, target, _ONLY_NEW):
        return
    os.link(source, target, follow_symlinks=False)
    source.unlink()


def _rename(source: Path, target: Path, flag: int) -> bool:
    renameat2 = _renameat2()
    if renameat2 is None:
        return False
    if renameat2(_HERE, os.fsencode(source), _HERE, os.fsencode(target), flag) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code), str(source), None, str(target))


@functools.cache
def _renameat2() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    function.restype = ctypes.c_int
    return function
