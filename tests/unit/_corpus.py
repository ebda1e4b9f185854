"""Schemas with instances from the maskbench corpus, and a small vocabulary; shared by tests, not a test itself."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

DATA = os.environ.get("ART_MASKBENCH_DATA", "")
needs_corpus = pytest.mark.skipif(not DATA, reason="ART_MASKBENCH_DATA does not name maskbench-public.jsonl.gz")


def entries(n: int, *, salt: str = "") -> Iterator[dict[str, Any]]:
    """n entries {name, schema, tests}, the same ones every time: those whose salted names hash lowest."""
    with gzip.open(DATA, "rt", encoding="utf-8") as lines:
        parsed = [json.loads(line) for line in lines]
    parsed.sort(key=lambda entry: hashlib.sha1((salt + entry["name"]).encode()).digest())
    yield from parsed[:n]


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
