"""Changes single values of ``setup_finetune.yaml`` and nothing else: comments and order stay."""

from __future__ import annotations

import json
from collections.abc import Sequence

import yaml

from tunebook.core.parameters import suggestion
from tunebook.errors import UsageError
from tunebook.tools.base import Shrunk
from tunebook.tools.torchtune.setup_file import SETUP_KEYS, TEXT_KEYS, read_setup, setup_key

__all__ = ["set_values", "smaller_batch"]


def set_values(text: str, assignments: Sequence[str], *, file: str) -> str:
    """The text with each ``key=value`` put in; the result is read back, so that nothing wrong is ever written.

    Raises:
        UsageError: an assignment without ``=``, or an unknown key.
        PlanError: the file, or the new value, cannot be read.
    """
    for assignment in assignments:
        key, separator, value = assignment.partition("=")
        key = setup_key(key.strip())
        if not separator:
            raise UsageError(f"--set {assignment}: write key=value")
        if key not in SETUP_KEYS:
            raise UsageError(f"--set {assignment}: unknown key `{key}`", hint=suggestion(key, SETUP_KEYS))
        text = _replace(text, key, _scalar(key, value))
    read_setup(text, file=file)
    return text


def smaller_batch(text: str, *, file: str) -> Shrunk | None:
    """Batch size and gradient accumulation now, and with a batch of at most half the size.

    The effective batch, which is their product, stays what it is: the larger of the divisors that are small enough is
    taken.

    Returns:
        The settings before and after, or ``None`` if the batch is 1 already.

    Raises:
        PlanError: the file cannot be read.
    """
    setup = read_setup(text, file=file)
    size, steps = setup.batch_size, setup.gradient_accumulation_steps
    smaller = next((number for number in range(size // 2, 0, -1) if size * steps % number == 0), None)
    if smaller is None:
        return None
    before = {"batch_size": size, "gradient_accumulation_steps": steps}
    return Shrunk(before, {"batch_size": smaller, "gradient_accumulation_steps": size * steps // smaller})


def _scalar(key: str, value: str) -> str:
    if key in TEXT_KEYS and value not in {"null", "~"}:
        return json.dumps(value, ensure_ascii=False)
    return value.strip() or "null"


def _replace(text: str, key: str, scalar: str) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)  # its marks count characters, which a C loader's do not promise
    for key_node, node in root.value if isinstance(root, yaml.MappingNode) else ():
        if setup_key(str(key_node.value)) == key:
            start, end = node.start_mark.index, node.end_mark.index
            if text[start:end].endswith("\n"):
                end -= 1
            if isinstance(node, yaml.SequenceNode) and not node.flow_style:
                start, scalar = key_node.end_mark.index, f": {scalar}"  # a list that begins on the next line
            return text[:start] + scalar + text[end:]
    return text.rstrip("\n") + f"\n{key}: {scalar}\n"
