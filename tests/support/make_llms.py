"""Makes docs/llms.txt (https://llmstxt.org), the list of the documentation's pages for language models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["llms_text"]

_HEAD = """\
# tunebook

> tunebook turns an experiment's plan, a Markdown file that people read, into fine-tuned and evaluated language models:
> it writes run directories with configurations and scripts, runs the jobs on this machine or on SLURM, and reports the
> results with statistics.

- Order: `tunebook design`, `check`, `scaffold`, `run`, `analyze`; `status` at any time. With `--json` each prints one
  document: `ok`, `exit_code`, `data`, `warnings`, `errors` (message, file, line, hint).
- Exit codes: 0 done, 1 failed, 2 usage, 3 the plan or the site settings are wrong, 4 unfinished or edited files were
  kept, 130, 143 and 129 interrupted.
- Change the plan, never a generated file.
- Agents: `tunebook skills install` writes skills, `tunebook mcp` is an MCP server.
"""
_SECTIONS = {
    "": "Start",
    "tutorial": "Tutorial",
    "tutorials": "Tutorials",
    "how-to": "How-to",
    "reference": "Reference",
}
_LAST = "Optional"  # pages that may be left out where space is short
_LONGEST = 250


def llms_text(docs: Path) -> str:
    """The file's text: one line for each page, with its title and its first sentence."""
    pages: dict[str, list[Path]] = {}
    for page in sorted(docs.rglob("*.md")):
        folder = page.relative_to(docs).parts[0] if page.parent != docs else ""
        pages.setdefault(_SECTIONS.get(folder, _LAST), []).append(page)
    sections = [name for name in (*dict.fromkeys(_SECTIONS.values()), _LAST) if name in pages]
    return _HEAD + "".join(f"\n## {name}\n\n{''.join(_lines(pages[name], docs))}" for name in sections)


def _lines(pages: list[Path], docs: Path) -> Iterator[str]:
    for page in pages:
        text = page.read_text()
        title = re.search(r"^# (.+)$", text, re.MULTILINE)
        name = title[1] if title else page.stem
        line = f"- [{name.replace('`', '')}]({page.relative_to(docs)})"
        sentence = _first_sentence(text)
        yield f"{line}: {sentence}\n" if sentence else f"{line}\n"


def _first_sentence(text: str) -> str:
    """The first sentence below the title, without links; shortened if it is long, empty if there is none."""
    head = text.partition("\n## ")[0]
    blocks = re.sub(r"^```.*?^```", "", head, flags=re.MULTILINE | re.DOTALL).split("\n\n")
    paragraphs = [block for block in map(_after_title, blocks) if re.match(r"[A-Za-z`*\[]", block)]
    words = " ".join(paragraphs[0].split()) if paragraphs else ""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", words).replace("**", "")
    sentence = re.split(r"(?<=[.?!]) ", words, maxsplit=1)[0].rstrip(":")
    return sentence if len(sentence) <= _LONGEST else f"{sentence[: _LONGEST - 1]}…"


def _after_title(block: str) -> str:
    return re.sub(r"^#+ .*\n?", "", block.strip()).strip()
