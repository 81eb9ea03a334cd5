"""Who made an experiment, and under which license others may use it: the texts of ``## Overview`` as values."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["LICENSES", "Author", "License", "read_authors", "read_license"]

_ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://[^\s<>()]+")
_REMARK = re.compile(r"\(([^()]*)\)")
_COMMAS = re.compile(r",(?![^()]*\))|\band\b(?![^()]*\))")
_SEMICOLONS = re.compile(r";(?![^()]*\))")

LICENSES = (
    *("CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0", "CC-BY-NC-ND-4.0"),
    *("ODC-By-1.0", "ODbL-1.0", "PDDL-1.0", "MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause"),
    *("GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "LGPL-3.0-or-later"),
    *("AGPL-3.0-only", "AGPL-3.0-or-later", "EUPL-1.2", "MPL-2.0", "Unlicense"),
)
"""Identifiers of SPDX that a plan can name; any other license is named by its address."""


@dataclass(frozen=True)
class Author:
    """A person; ``orcid`` is the bare identifier, and ``affiliation`` is free text. Both are empty if not given."""

    name: str
    orcid: str = ""
    affiliation: str = ""


@dataclass(frozen=True)
class License:
    """Terms of use.

    Attributes:
        text: as the plan names them.
        address: of their text; empty if the license is not known.
    """

    text: str
    address: str = ""


def read_authors(text: str) -> tuple[Author, ...]:
    """``Ada Lovelace (0000-0002-1825-0097, University of London); Grace Hopper`` as authors.

    Authors are separated by semicolons, otherwise by commas or ``and``. Parentheses belong to the author:
    an ORCID iD, and an affiliation.
    """
    separator = _SEMICOLONS if _SEMICOLONS.search(text) else _COMMAS
    return tuple(_author(part.strip()) for part in separator.split(text) if part.strip())


def _author(text: str) -> Author:
    found = _ORCID.search(text)
    orcid = found[1].upper() if found else ""
    rest = _ORCID.sub("", text)
    remarks = [part.strip() for remark in _REMARK.findall(rest) for part in remark.split(",")]
    name = " ".join(_REMARK.sub(" ", rest).split())
    return Author(name or orcid, orcid, ", ".join(filter(None, remarks)))


def read_license(text: str) -> License:
    """A license by its identifier in SPDX or by an address; without either its address stays empty."""
    address = _ADDRESS.search(text)
    if address is not None:
        return License(text, address[0])
    for identifier in LICENSES:
        if _key(identifier) == _key(text):
            return License(identifier, f"https://spdx.org/licenses/{identifier}")
    return License(text)


def _key(text: str) -> str:
    """``CC BY 4.0`` and ``CC-BY-4.0`` are one license."""
    return re.sub(r"[\s_-]+", "-", text.strip().lower())
