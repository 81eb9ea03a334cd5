"""What may reach a shell, an ``#SBATCH`` line or a YAML value, and how it is written there."""

from __future__ import annotations

import re
import shlex

__all__ = ["escape_interpolation", "sbatch_value", "shell_word"]

_SBATCH = re.compile(r"[\w.,:/+=@%&|*!()\[\]~-]+")
_INTERPOLATION = re.compile(r"(\\*)\$\{")


def shell_word(value: str) -> str:
    """The value as one word of a POSIX shell.

    Raises:
        ValueError: it holds a NUL character, which no shell can carry.
    """
    if "\0" in value:
        raise ValueError("a value holds a NUL character, which no shell can carry")
    return shlex.quote(value)


def sbatch_value(option: str, value: str) -> str:
    """The value as it may stand on an ``#SBATCH`` line, which knows no quoting that all versions of SLURM agree on.

    Raises:
        ValueError: it holds white space, a quote or a control character.
    """
    if not _SBATCH.fullmatch(value):
        raise ValueError(f"`{value}` cannot stand on an #SBATCH line as {option}: no white space and no quotes there")
    return value


def escape_interpolation(text: str) -> str:
    r"""The text so that OmegaConf reads it as it is: ``${`` is an interpolation there, ``\${`` is not.

    Backslashes in front of an escaped ``${`` are doubled, as OmegaConf's grammar asks.
    """
    return _INTERPOLATION.sub(lambda match: match[1] * 2 + "\\${", text)
