"""Real-world schemas and their instances (the public half of maskbench), through Schema.validate and a constraint.

ART_MASKBENCH_DATA names maskbench-public.jsonl.gz; ART_MASKBENCH_SAMPLE says how many schemas are taken (0: all of
them). What does not come out as the corpus says stands in tests/data/corpus.json, by name and with the reason; a test
fails when something else fails, and when something listed there passes.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from _corpus import entries, needs_corpus

from agentrt import AgentrtError, Constraint, Schema

EXPECTED = Path(__file__).parent.parent / "data" / "corpus.json"
KNOWN: dict[str, str] = json.loads(EXPECTED.read_text(encoding="utf-8"))
SAMPLE = int(os.environ.get("ART_MASKBENCH_SAMPLE", "300")) or 1_000_000


def verdict(entry: dict[str, Any]) -> str:
    """'' when the schema is held to and all of its tests come out right."""
    try:
        schema = Schema(json.dumps(entry["schema"]))
        matcher = Constraint(schema).matcher()
        wrong = []
        for i, test in enumerate(entry["tests"]):
            text = json.dumps(test["data"], ensure_ascii=False)
            accepted = schema.validate(text)
            if accepted != test["valid"]:
                wrong.append(f"test {i} {'accepted' if accepted else 'rejected'}")
            matcher.reset()
            taken = matcher.accept_bytes(text.encode())
            if (taken == len(text.encode()) and matcher.is_complete) != accepted:
                wrong.append(f"test {i}: the matcher says otherwise than the validator")
    except AgentrtError as error:
        return f"{type(error).__name__}: {error}"
    return ", ".join(wrong)


@needs_corpus
def test_corpus() -> None:
    seen = set()
    failed = {}
    for entry in entries(SAMPLE):
        seen.add(entry["name"])
        said = verdict(entry)
        if said:
            failed[entry["name"]] = said
    assert {name: said for name, said in failed.items() if name not in KNOWN} == {}, "not listed as known"
    assert {name for name in KNOWN if name in seen and name not in failed} == set(), "listed as known, but right"


@pytest.mark.parametrize("name", KNOWN)
def test_known_failures_have_reasons(name: str) -> None:
    assert len(KNOWN[name]) > 10
