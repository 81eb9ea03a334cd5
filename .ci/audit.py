"""Asks whether a pinned package has a known flaw, and searches every tracked file for tokens and private keys.

Without a network the first question has no answer: that is printed, and is no failure. A flaw that is accepted for a
reason has a line in ``.ci/accepted-flaws.txt``: its identifier, then the reason.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import RegexBasedDetector

from tunebook.core.secrets import KNOWN_TOKEN

_ROOT = Path(__file__).parents[1]
_PINS = _ROOT / "constraints.txt"
_ACCEPTED = _ROOT / ".ci" / "accepted-flaws.txt"
_PROBES = {
    "pypi": Request("https://pypi.org/pypi/jinja2/3.1.2/json"),
    "osv": Request(
        "https://api.osv.dev/v1/query",
        data=b'{"package": {"name": "jinja2", "ecosystem": "PyPI"}, "version": "3.1.2"}',
    ),
}
_WAIT_S = 25
# The first two find no tokens by form. The others are slow, and for services that have nothing to do with tunebook.
_LEFT_OUT = {
    *("KeywordDetector", "IPPublicDetector"),
    *("CloudantDetector", "IbmCloudIamDetector", "IbmCosHmacDetector", "SoftlayerDetector"),
}
_GIT = shutil.which("git") or "git"
_SAMPLE = "token: ghp_" + 36 * "x"
_MADE_UP = re.compile(r"made-up|EXAMPLE|abcdefgh|0123456789", re.IGNORECASE)


def main() -> int:
    """Returns 1 if a package has a flaw that is not accepted, or a file has a secret."""
    flaws = _flaws_of_packages()
    secrets = list(_secrets_in_files())
    for line in (*flaws, *secrets):
        print(line)
    return 1 if flaws or secrets else 0


def _flaws_of_packages() -> list[str]:
    source = next((name for name, request in _PROBES.items() if _answers(request)), None)
    if source is None:
        print("dependency audit: skipped: no network: neither PyPI nor OSV answers about known flaws here")
        return []
    found = _flaws(source)
    if found is None:
        print(f"dependency audit: skipped: {source} did not answer about all packages within {_WAIT_S} s")
        return []
    accepted = {line.split()[0] for line in _ACCEPTED.read_text().splitlines() if line.strip()}
    print(f"dependency audit: {len(found)} known flaws by {source}, {len(accepted)} accepted in {_ACCEPTED.name}")
    return [f"{package}: {name} ({fix})" for package, name, fix in found if name not in accepted]


def _answers(request: Request) -> bool:
    """Whether a service knows of the flaws of a package that has some."""
    try:
        with urlopen(request, timeout=5) as answer:  # noqa: S310  both addresses are below
            document: dict[str, Any] = json.load(answer)
    except (OSError, ValueError):
        return False
    return bool(document.get("vulnerabilities") or document.get("vulns"))


def _flaws(source: str) -> list[tuple[str, str, str]] | None:
    """Package, identifier and fix of each known flaw; ``None`` without an answer."""
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", source, "--requirement", str(_PINS)]
    command += ["--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "3"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_WAIT_S, check=False)
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return [
        (f"{package['name']} {package['version']}", flaw["id"], f"fixed in {', '.join(flaw['fix_versions']) or 'none'}")
        for package in packages
        for flaw in package.get("vulns", [])
    ]


def _secrets_in_files() -> Iterator[str]:
    rules = _rules()
    if not list(_secrets(_SAMPLE, rules)):
        yield "the secret scan does not find its own sample"
    listed = subprocess.run([_GIT, "ls-files", "-z"], cwd=_ROOT, capture_output=True, text=True, check=True).stdout
    count = 0
    for name in filter(None, listed.split("\0")):
        try:
            text = (_ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue  # an image; a file that was removed and is still listed
        count += 1
        for line, kind in _secrets(text, rules):
            yield f"{name}:{line}: {kind}"
    print(f"secret scan: {count} files, {len(rules)} forms of secrets")


def _rules() -> list[tuple[str, re.Pattern[str]]]:
    """Tokens by their form; a search by entropy or by a variable's name would report digests and tests."""
    rules = [("token", KNOWN_TOKEN)]
    for kind in get_mapping_from_secret_type_to_class().values():
        if issubclass(kind, RegexBasedDetector) and kind.__name__ not in _LEFT_OUT:
            rules += [(kind.secret_type, rule) for rule in kind.denylist]
    return rules


def _secrets(text: str, rules: list[tuple[str, re.Pattern[str]]]) -> Iterator[tuple[int, str]]:
    lines = text.splitlines()
    for kind, rule in rules:
        for hit in rule.finditer(text):
            number = text.count("\n", 0, hit.start()) + 1
            if not _MADE_UP.search(lines[number - 1]):
                yield number, kind


if __name__ == "__main__":
    sys.exit(main())
