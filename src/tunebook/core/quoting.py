"""Values on their way into a shell, an ``#SBATCH`` line or an OmegaConf text: quoted, or refused."""

from __future__ import annotations

import re
import shlex

__all__ = ["SBATCH_MARKS", "SBATCH_WORD", "escape_interpolation", "sbatch_value", "shell_word"]

SBATCH_WORD = re.compile(r"[\w.,:/+=@%&|*!()\[\]~-]+")
SBATCH_MARKS = "_ . , : / + = @ % & | * ! ( ) [ ] ~ -"
_INTERPOLATION = re.compile(r"(?<!\\)(\\*)\$\{")


def shell_word(value: str) -> str:
    """The value as one word of a POSIX shell.

    Raises:
        ValueError: it contains a NUL character, which no shell can pass on.
    """
    if "\0" in value:
        raise ValueError("a value contains a NUL character, which no shell can pass on")
    return shlex.quote(value)


def sbatch_value(option: str, value: str) -> str:
    """The value for an ``#SBATCH`` line, where no quoting works in all versions of SLURM.

    Raises:
        ValueError: it is empty, or contains white space, a quote, ``$`` or a control character.
    """
    if not SBATCH_WORD.fullmatch(value):
        raise ValueError(
            f"{option} is `{value}`; a value on an #SBATCH line may contain only letters, digits and {SBATCH_MARKS}"
        )
    return value


def escape_interpolation(text: str) -> str:
    r"""The text so that OmegaConf reads it unchanged: ``${`` is an interpolation there, ``\${`` is not.

    Backslashes in front of an escaped ``${`` are doubled, as OmegaConf's grammar asks.
    """
    return _INTERPOLATION.sub(lambda match: match[1] * 2 + "\\${", text)
