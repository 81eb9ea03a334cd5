"""The description of a crate, ``ro-crate-metadata.json``: what is in it, and who made it under which license.

It follows RO-Crate 1.1 and the profile Process Run Crate 0.5, in which every job is an action.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from tunebook.core.authorship import Author, License, read_authors, read_license
from tunebook.core.plan import Plan, Run, RunType
from tunebook.core.plan.settings import run_settings
from tunebook.crate.values import CrateFile, Kind
from tunebook.disk.archive_record import LeftOut
from tunebook.disk.copied import Copied

__all__ = ["METADATA", "Graph"]

METADATA = "ro-crate-metadata.json"
_VERSION = "1.1"
_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_TERMS = {"sha256": "http://schema.org/sha256"}  # not yet in the vocabulary of RO-Crate 1.1
_CODE = frozenset({Kind.SCRIPT})
_TYPES = {
    ".md": "text/markdown",
    ".html": "text/html",
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".py": "text/x-python",
    ".slurm": "application/x-sh",
    ".sh": "application/x-sh",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".pdf": "application/pdf",
    ".tex": "application/x-tex",
    ".eval": "application/zip",
    ".parquet": "application/vnd.apache.parquet",
}
_ANY_TYPE = "application/octet-stream"
_PLAIN = frozenset({".log", ".out", ".err", ".txt", ".sha256"})
_NO_LICENSE = License("no license is stated: all rights are reserved", "#no-license")


class Graph:
    """Collects the entities of a crate; those of RO-Crate's library, which holds them together.

    Args:
        description: what the experiment is about, in a few sentences.
        written: ISO 8601 with the time zone.
    """

    def __init__(self, plan: Plan, *, description: str, written: str) -> None:
        from rocrate.rocrate import ROCrate

        self._crate = ROCrate(version=_VERSION)
        self._crate.metadata.extra_terms.update(_TERMS)
        self._place: dict[str, str] = {}  # absolute path to the entity that stands for it
        root = self._crate.root_dataset
        root["name"], root["description"], root["datePublished"] = plan.name, description, written
        profile = {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
        root["conformsTo"] = self.context(_PROFILE, profile)
        authors = read_authors(plan.authors.text) if plan.authors else ()
        if authors:
            root["author"] = [self._author(number, author) for number, author in enumerate(authors, start=1)]
        root["license"] = self._license(read_license(plan.license.text) if plan.license else _NO_LICENSE)

    def context(self, identifier: str, properties: Mapping[str, Any]) -> dict[str, str]:
        """Adds an entity that is not a file, and returns the reference to it."""
        from rocrate.model import ContextEntity

        self._crate.add(ContextEntity(self._crate, identifier, properties=dict(properties)))
        return {"@id": identifier}

    def _author(self, number: int, author: Author) -> dict[str, str]:
        properties: dict[str, Any] = {"@type": "Person", "name": author.name}
        if author.affiliation:
            organization = {"@type": "Organization", "name": author.affiliation}
            properties["affiliation"] = self.context(f"#organization-{number}", organization)
        identifier = f"https://orcid.org/{author.orcid}" if author.orcid else f"#author-{number}"
        return self.context(identifier, properties)

    def _license(self, found: License) -> dict[str, str]:
        properties = {"@type": "CreativeWork", "name": found.text, "description": found.text}
        return self.context(found.address or "#license", properties)

    def add_file(self, file: CrateFile, copied: Copied) -> None:
        """Adds a file of the crate with its size and its digest."""
        from rocrate.model import File

        suffix = PurePosixPath(file.path).suffix
        properties: dict[str, Any] = {
            "name": PurePosixPath(file.path).name,
            "description": file.kind.value,
            "contentSize": str(copied.size),
            "sha256": copied.sha256,
        }
        properties["encodingFormat"] = "text/plain" if suffix in _PLAIN else _TYPES.get(suffix, _ANY_TYPE)
        if file.kind in _CODE:
            properties["@type"] = ["File", "SoftwareSourceCode"]
        entity = self._crate.add(File(self._crate, dest_path=file.path, properties=properties))
        self._place[file.source] = entity.id

    def add_run(self, plan: Plan, run: Run, directory: str) -> None:
        """Adds the directory of a run, with the parameters of its training."""
        settings = run_settings(plan, run) if run.type is RunType.FINE_TUNED else {}
        shown = [f"{key} {value}" for key, value in settings.items() if value is not None]
        kind = f"{run.type.value} run of the model {run.model}"
        self.add_folder(directory, f"Run {run.name}", f"{kind}: {', '.join(shown)}" if shown else kind)

    def add_folder(self, path: str, name: str, description: str, *, source: str = "") -> None:
        """Adds a directory of the crate; ``source`` is the absolute path that it stands for."""
        from rocrate.model import Dataset

        properties = {"name": name, "description": description}
        entity = self._crate.add(Dataset(self._crate, dest_path=path, properties=properties))
        if source:
            self._place[source] = entity.id

    def add_left_out(self, item: LeftOut, source: str) -> None:
        """Adds what is not in the crate as something that is only described."""
        identifier = f"#{item.kind}-{len(self._place)}"
        properties: dict[str, Any] = {"@type": "CreativeWork", "name": os.path.basename(item.path.rstrip("/"))}  # noqa: PTH119
        found = f"{item.files} files, {item.size} bytes" if item.files else "it was not found when this was exported"
        properties["description"] = f"not in this crate: {item.kind} at {item.path}; {found}"
        if item.files:
            properties |= {"contentSize": str(item.size), "identifier": f"sha256:{item.sha256}"}
        self.context(identifier, properties)
        self._place[source] = identifier

    def reference(self, source: str) -> dict[str, str] | None:
        """The reference to what stands for an absolute path; ``None`` if the crate does not mention it."""
        identifier = self._place.get(source)
        return {"@id": identifier} if identifier else None

    def mention(self, action: Mapping[str, str]) -> None:
        """Has the crate name an action as one of its own."""
        self._crate.root_dataset.append_to("mentions", dict(action))

    def pieces(self) -> Iterator[bytes]:
        """The text of the file, an entity a line."""
        document = self._crate.metadata.generate()
        context = json.dumps(document["@context"], ensure_ascii=False)
        yield f'{{\n"@context": {context},\n"@graph": ['.encode()
        separator = "\n"
        for entity in document["@graph"]:
            yield f"{separator}{json.dumps(entity, ensure_ascii=False)}".encode("utf-8", "replace")
            separator = ",\n"
        yield b"\n]\n}\n"
