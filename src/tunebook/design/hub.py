"""Commands with which a person downloads a missing model; tunebook downloads nothing."""

from __future__ import annotations

import shlex

from tunebook.core.markdown import code_span
from tunebook.core.naming import is_one_component
from tunebook.tools.base import PreparationTool
from tunebook.tools.known_models import known_model

__all__ = ["how_to_get"]

_OWNERS = {
    "meta-llama": "meta-llama",
    "llama": "meta-llama",
    "qwen": "Qwen",
    "mistral": "mistralai",
    "gemma": "google",
    "phi": "microsoft",
    "smollm": "HuggingFaceTB",
}
_GATED = ("meta-llama", "google")


def how_to_get(name: str, path: str, tool: PreparationTool | None) -> str:
    """The commands that download a model to a path, as inline Markdown; one of them is the tool's own."""
    repository = _repository(name, path)
    target = shlex.quote(path)
    commands = [f"hf download {repository} --local-dir {target}"]
    if tool:
        commands += filter(None, [tool.download_command(repository, target)])
    gated = " (gated: ask for access first, then `hf auth login`)" if repository.split("/")[0] in _GATED else ""
    return ", or ".join(map(code_span, commands)) + gated


def _repository(name: str, path: str) -> str:
    """The Hub's name of a model: as given, else its owner's by the family, else a place to fill in."""
    last = path.rstrip("/").rsplit("/", 1)[-1]
    if name.count("/") == 1:
        return shlex.quote(name)
    model = next((item for item in (name, last) if known_model(item)), last if is_one_component(last) else name)
    owner = next((owner for prefix, owner in _OWNERS.items() if model.lower().startswith(prefix)), "OWNER")
    return shlex.quote(f"{owner}/{model}")
