"""Schemas with instances from the maskbench corpus, and a small vocabulary; shared by tests, not a test itself."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from _oracles import Oracles

from agentrt import AgentrtError, Schema

T = TypeVar("T")
DATA = os.environ.get("ART_MASKBENCH_DATA", "")
needs_corpus = pytest.mark.skipif(not DATA, reason="ART_MASKBENCH_DATA does not name maskbench-public.jsonl.gz")


def entries(n: int, *, salt: str = "") -> Iterator[dict[str, Any]]:
    """n entries {name, schema, tests}, the same ones every time: those whose salted names hash lowest."""
    with gzip.open(DATA, "rt", encoding="utf-8") as lines:
        parsed = [json.loads(line) for line in lines]
    parsed.sort(key=lambda entry: hashlib.sha1((salt + entry["name"]).encode()).digest())
    yield from parsed[:n]


@dataclass(slots=True)
class Subject:
    """One schema of the corpus, and what comes of comparing it with two other validators."""

    name: str
    tests: list[dict[str, Any]]  # {data, valid}
    schema: Schema
    oracles: Oracles
    draw: random.Random
    counts: Counter[str]  # over all subjects
    wrong: list[str] = field(default_factory=list)

    def attempt(self, what: str, call: Callable[[], T]) -> T | None:
        """The result; None when the schema is refused after all (counted), or an assertion fails (wrong)."""
        try:
            return call()
        except AgentrtError as error:
            self.counts[f"refused: {error}"] += 1
        except AssertionError as error:
            self.wrong.append(f"{self.name} {what}: {error}")
        return None


def compare(check: Callable[[Subject], None], sample: Iterable[dict[str, Any]]) -> tuple[list[str], Counter[str]]:
    """What is wrong, and what was compared, over entries of the corpus."""
    wrong: list[str] = []
    counts: Counter[str] = Counter()
    for entry in sample:
        counts["schemas"] += 1
        try:
            schema = Schema(json.dumps(entry["schema"]))
        except AgentrtError:
            counts["refused schemas"] += 1
            continue
        oracles = Oracles(entry["schema"], formats=True)
        subject = Subject(entry["name"], entry["tests"], schema, oracles, random.Random(entry["name"]), counts)
        check(subject)
        wrong += subject.wrong
    return wrong, counts


def small_tokens() -> list[bytes]:
    """All bytes, and tokens that straddle everything that JSON is made of, like a real tokenizer's."""
    words = [
        '{"', '":', '": ', '", "', '","', '"}', '"},', '"]', '"],', '"}]', '": "', '":"', '": {', '": [', '":[', '":{"',
        "[]", "{}", "[{", "}]", "},", "],", ", ", ",\n", "{\n", "\n", "\n  ", "  ", "    ", "\t", " \n", "}\n", '\\"',
        "\\n", "\\u", "\\u00", "\\u00e9", "\\\\", '\\",', "\\ud83d\\ude00", "true", "false", "null", "tru", "rue",
        "ull", "-1", "0.", ".5", "e-", "E+", "10", "123", "00", "1e5", "0}", "1,", "12]", "name", "type", "id", "the ",
        " a", "string", "value", "http", "://", "2020-", "-01", "T00:", ":00Z", "@", ".com", "abc", "ABC", "xyz123",
        'a"', 'b":', 'd": "', 'x", ', "é", "中文", "😀", 'ñ"', '日"}', "_", "--", "x" * 20,
    ]  # fmt: skip
    tokens = [bytes([b]) for b in range(256)]
    tokens += [word.encode() for word in words]
    tokens += ["é".encode()[:1], "中".encode()[:2], "中".encode()[1:], "😀".encode()[:3], "😀".encode()[2:] + b'"']
    tokens += [b"", b"", b"</s>"]
    return list(tokens)


EOS = -1  # index into small_tokens()
