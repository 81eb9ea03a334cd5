"""Copies without secrets: wherever the pieces of a file are cut, and in archives too."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tunebook.core.secrets import literal_secret, secret_pattern, secrets_of_commands, secrets_of_environment
from tunebook.disk.copied import copy_pieces, has_match, without_matches

SECRET = b"correct-horse-battery"
PATTERN = secret_pattern({SECRET.decode(), "correct-horse"})


@pytest.mark.parametrize("size", [1, 7, 100, 4095, 4096, 4097, 9000, 100_000])
def test_every_match_is_replaced_wherever_the_pieces_are_cut(size: int) -> None:
    parts = [
        SECRET,
        b"x" * 4090,
        SECRET,
        b"correct-",
        b"\n" * 4096,
        b"correct-horse",
        SECRET,
        b"y" * 10,
        b"correct-hors",
    ]
    text = b" ".join([*parts, *parts])
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    found: list[int] = []
    changed = b"".join(without_matches(iter(pieces), PATTERN, found.append))
    assert changed == PATTERN.sub(b"REMOVED", text)
    assert sum(found) == len(PATTERN.findall(text)) == 8


def test_tokens_of_known_forms_are_found_without_being_named() -> None:
    pattern = secret_pattern(())
    assert pattern.sub(b"_", b"use hf_abcdefghijklmnopqrstuvwx now") == b"use _ now"
    begin = b"-----BEGIN OPENSSH PRIVATE KEY-----\n"  # made-up
    key = begin + 40 * (b"A" * 70 + b"\n") + b"-----END OPENSSH PRIVATE KEY-----"  # made-up
    pieces = (text for text in (b"x" * 3000, key[:100], key[100:], b"\n" * 9000))
    assert b"".join(without_matches(pieces, pattern, lambda _: None)) == b"x" * 3000 + b"REMOVED" + b"\n" * 9000
    jwt = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ0ZXN0IiwiZXhwIjoxfQ.c2lnbmF0dXJlLW9mLWEtdGVzdA"  # made-up
    assert pattern.sub(b"_", b"SLURM_JWT=" + jwt + b" end") == b"SLURM_JWT=_ end"
    assert pattern.search(b"risk-sk-4 and task-specific-finetuning-of-models") is None


@pytest.mark.parametrize("size", [1, 7, 4096, 4099])
def test_what_stands_before_a_match_counts_wherever_the_pieces_are_cut(size: int) -> None:
    pattern = secret_pattern((), logins=True)
    text = b"".join(b"x" * before + b"://bob:secret@host task-sk-0123456789abcdef012 " for before in range(30))
    text += b"-" * 9000
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    changed = b"".join(without_matches(iter(pieces), pattern, lambda _: None))
    assert changed == text.replace(b"bob:secret", b"REMOVED").replace(b"sk-0123456789abcdef012", b"REMOVED")


@pytest.mark.parametrize(
    ("text", "logins"),
    [
        ("export PIP_INDEX_URL=https://made-up:hunter22@host/simple", {"made-up:hunter22"}),
        ("export PIP_INDEX_URL=https://$BOB:$SECRET@host/simple", set()),
        ("curl http://localhost:8000/v1/a@b; git clone ssh://git@host:22/x", set()),
        ("pip shows https://bob:****@host", set()),
    ],
)
def test_the_login_of_an_address_is_a_secret(text: str, logins: set[str]) -> None:
    assert secrets_of_commands(text) == logins
    assert bool(literal_secret(text)) is bool(logins)


def test_secrets_are_values_of_names_that_say_so() -> None:
    text = "export A_TOKEN='abcdefgh1' PATH_KEY=/home/me/key B_SECRET=$(cat x) OTHER=abcdefgh2 C_KEY=on\n"
    assert secrets_of_commands(text) == {"abcdefgh1"}
    assert secrets_of_environment({"LAB_PASSWORD": "abcdefgh3", "HOME": "abcdefgh4", "KEY": "short"}) == {"abcdefgh3"}


def test_archives_are_searched_also_as_inspect_packs_them(tmp_path: Path) -> None:
    import zipfile_zstd  # noqa: F401

    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, 93):
        path = tmp_path / f"{method}.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("a", b"nothing " * 1000)
            archive.writestr("b", b"x" * 100_000 + SECRET)
        assert has_match(str(path), PATTERN) is True
        assert has_match(str(path), re.compile(b"something")) is False
    torn = tmp_path / "torn.zip"
    torn.write_bytes((tmp_path / "93.zip").read_bytes()[:-30])
    assert has_match(str(torn), re.compile(b"something")) is None


def test_the_digest_is_that_of_what_was_written() -> None:
    written: list[bytes] = []
    copied = copy_pieces(iter([b"ab", b"", b"c"]), written.append)
    assert (b"".join(written), copied.size) == (b"abc", 3)
    assert copied.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_rows_of_a_parquet_file_are_searched(tmp_path: Path) -> None:
    """Their texts are compressed: the report's tables have the prompts and answers of all samples."""
    path = tmp_path / "samples.parquet"
    answers = [f"the answer of sample {number}" for number in range(3000)]
    table = pa.table({"answer": [*answers, SECRET.decode()]})
    parquet.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False)
    assert SECRET not in path.read_bytes()
    assert has_match(str(path), PATTERN) is True
    assert has_match(str(path), re.compile(b"something")) is False
    path.write_bytes(path.read_bytes()[:200])
    assert has_match(str(path), PATTERN) is None
