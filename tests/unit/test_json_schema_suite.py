"""The official JSON Schema test suite, drafts 4 to 2020-12, through Schema.validate.

ART_JSON_SCHEMA_SUITE names a checkout of json-schema-org/JSON-Schema-Test-Suite, or a tar.gz of its `tests` and
`remotes` folders; the latter are the registry. What does not come out as the suite says stands in
tests/data/json_schema_suite.json, by name and with the reason; a test fails when something else fails, and when
something listed there passes.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentrt import AgentrtError, Schema

DRAFTS = {"draft4": "4", "draft6": "6", "draft7": "7", "draft2019-09": "2019-09", "draft2020-12": "2020-12"}
EXPECTED = Path(__file__).parent.parent / "data" / "json_schema_suite.json"
SUITE = os.environ.get("ART_JSON_SCHEMA_SUITE", "")
REMOTE = "http://localhost:1234/"


def _documents() -> Iterator[tuple[str, bytes]]:
    """Every JSON file below `tests` and `remotes`, by its path from there."""
    source = Path(SUITE)
    if source.is_dir():
        for folder in ("tests", "remotes"):
            for path in sorted((source / folder).rglob("*.json")):
                yield path.relative_to(source).as_posix(), path.read_bytes()
        return
    with tarfile.open(source) as archive:
        for member in sorted(archive.getmembers(), key=lambda m: m.name):
            parts = member.name.split("/")
            start = next((i for i, part in enumerate(parts) if part in ("tests", "remotes")), None)
            file = archive.extractfile(member) if member.isfile() and member.name.endswith(".json") else None
            if file is not None and start is not None:
                yield "/".join(parts[start:]), file.read()


def _load() -> tuple[dict[str, Any], dict[str, bytes]]:
    if not SUITE:
        return {}, {}
    tests, remotes = {}, {}
    for name, text in _documents():
        folder, _, rest = name.partition("/")
        if folder == "remotes":
            remotes[REMOTE + rest] = text
        elif rest.split("/")[0] in DRAFTS:
            tests[rest] = json.loads(text)
    return tests, remotes


TESTS, REMOTES = _load()
KNOWN: dict[str, str] = json.loads(EXPECTED.read_text(encoding="utf-8")) if EXPECTED.exists() else {}


def run_file(name: str) -> tuple[set[str], int]:
    """Names of what came out wrong, and how many tests there were. A refused schema is wrong as a group."""
    draft = DRAFTS[name.split("/")[0]]
    wrong: set[str] = set()
    total = 0
    for group in TESTS[name]:
        total += len(group["tests"])
        place = f"{name} | {group['description']}"
        text = json.dumps(group["schema"])
        registry = REMOTES if "http" in text else {}
        try:
            schema = Schema(
                text,
                registry=registry,
                default_draft=draft,
                formats="assert" if "/optional/format" in name else "annotate",
            )
        except AgentrtError:
            wrong.add(place)
            continue
        for test in group["tests"]:
            try:
                good = schema.validate(json.dumps(test["data"])) == test["valid"]
            except AgentrtError:
                good = False
            if not good:
                wrong.add(f"{place} | {test['description']}")
    return wrong, total


@pytest.mark.skipif(not TESTS, reason="ART_JSON_SCHEMA_SUITE does not name the JSON Schema test suite")
@pytest.mark.parametrize("name", sorted(TESTS))
def test_file(name: str) -> None:
    wrong, total = run_file(name)
    assert total
    known = {key for key in KNOWN if key.split(" | ")[0] == name}
    assert wrong - known == set(), "failed, and not listed as known"
    assert known - wrong == set(), "listed as known, but passes"


def test_known_failures_have_reasons() -> None:
    assert all(len(reason) > 10 for reason in KNOWN.values())
    if TESTS:
        assert {key.split(" | ")[0] for key in KNOWN} <= set(TESTS)
