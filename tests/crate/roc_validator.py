"""Validates a crate with roc-validator, without a network: the vocabulary of RO-Crate comes from the package rocrate.

It needs Rich 13, and tunebook's other packages a newer one, so that it has an environment of its own. Prints a JSON
document: the findings, each with its severity, and the number of checks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import rocrate
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.utils.http import HttpRequester


def _answer(_: object, url: str, **__: Any) -> Any:
    """What the network would answer: the vocabulary, and for any other address nothing."""
    from requests import Response

    answer = Response()
    answer.status_code, answer.url = 404, url
    if url.startswith("https://w3id.org/ro/crate/"):
        answer.status_code, answer.headers["Content-Type"] = 200, "application/ld+json"
        answer._content = (Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()
    return answer


def main(crate: str, profile: str) -> None:
    HttpRequester.get = _answer
    settings = ValidationSettings(
        rocrate_uri=Path(crate),
        profile_identifier=profile,
        requirement_severity=Severity.RECOMMENDED,
        no_cache=True,
    )
    result = services.validate(settings)
    findings = [
        {"severity": issue.severity.name, "check": issue.check.identifier, "message": str(issue.message)}
        for issue in result.get_issues()
    ]
    sys.stdout.write(json.dumps({"checks": len(result.executed_checks), "findings": findings}, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
