"""Writes a JSON file whole: a job that is killed meanwhile leaves the earlier file, or none.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["write_whole_json"]


def write_whole_json(path: Path, document: Mapping[str, Any]) -> None:
    """Writes the document under another name, which then becomes the file's."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    part.replace(path)
