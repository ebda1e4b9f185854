"""Masks with vocabularies of every kind: equal to asking for each token, sound, and the same from a file.

Made-up vocabularies (_vocabularies.py) always; real ones, files that benches/vocab_files.py reads, when
ART_VOCABULARIES names them (separated as in PATH).
"""

from __future__ import annotations

import os
import random
import sys
from functools import cache
from pathlib import Path

import pytest
from _oracles import Oracles
from _schemas import SCHEMAS
from _vocabularies import MADE_UP
from _walks import Tokens, feed, spell, walk

from agentrt import Constraint, Vocab

FILES = [path for path in os.environ.get("ART_VOCABULARIES", "").split(os.pathsep) if path]
NAMES = [*MADE_UP, *FILES]
PLACES = [
    "anything", "string", "long string", "pattern", "unanchored pattern", "date-time", "number", "enum", "object",
    "pattern properties", "property names", "unique", "recursive", "discriminated",
]  # fmt: skip


@cache
def vocabulary(name: str) -> Tokens:
    if name in MADE_UP:
        return Tokens(*MADE_UP[name]())
    sys.path.insert(0, str(Path(__file__).parents[2] / "benches"))
    from vocab_files import read_vocabulary

    return Tokens(*read_vocabulary(name))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", NAMES, ids=[Path(name).name for name in NAMES])
@pytest.mark.parametrize("place", PLACES)
def test_mask_is_what_is_allowed(name: str, place: str) -> None:
    tokens = vocabulary(name)
    constraint = Constraint(SCHEMAS[place], tokens.vocab)
    draw = random.Random(f"{Path(name).name} {place}")
    mask = bytearray(b"\xff" * tokens.n_bytes)
    for _ in range(3 if name in MADE_UP else 1):
        matcher = constraint.matcher()
        for step in range(draw.randint(4, 16)):
            matcher.fill_mask(mask)
            ids = tokens.allowed(mask)
            if name in MADE_UP or step % 4 == 1:
                assert ids == [i for i in range(len(tokens.tokens)) if matcher.allows(i)]
            ids = [i for i in ids if i != tokens.eos]
            if not ids:
                break
            lead = [i for i in ids if i in tokens.closing] if draw.random() < 0.3 else []
            assert matcher.accept(draw.choice(lead or ids))


@pytest.mark.parametrize("name", NAMES, ids=[Path(name).name for name in NAMES])
@pytest.mark.parametrize("place", PLACES)
def test_walks_are_valid_and_can_be_read_back(name: str, place: str) -> None:
    tokens = vocabulary(name)
    draw = random.Random(f"{Path(name).name} {place}")
    oracles = Oracles(SCHEMAS[place], formats=True)
    for options in ({}, {"whitespace": "spaced", "property_order": "schema"}):
        constraint = Constraint(SCHEMAS[place], tokens.vocab, **options)
        text = walk(tokens, constraint, draw, draw.choice([10, 60, 200]))
        assert oracles.ask_python(text) is not False
        assert oracles.ask_rust(text) is not False
        assert feed(tokens, Constraint(SCHEMAS[place], tokens.vocab), text, draw, masks=0.1) == ""


@pytest.mark.parametrize("name", NAMES, ids=[Path(name).name for name in NAMES])
def test_a_file_gives_the_same_masks(name: str, tmp_path: Path) -> None:
    tokens = vocabulary(name)
    tokens.vocab.save(tmp_path / "vocab")
    opened = Vocab.open(tmp_path / "vocab")
    assert len(opened) == len(tokens.tokens)
    assert all(opened[i] == tokens.tokens[i] for i in range(0, len(opened), 1 + len(opened) // 5000))
    draw = random.Random(name)
    text = spell([{"a": ["é😀", 1.5], "b": "x" * 70}], draw).encode()
    for schema in (True, {"items": {"properties": {"a": {"items": {"type": ["string", "number"]}}}}}):
        here, there = Constraint(schema, tokens.vocab).matcher(), Constraint(schema, opened).matcher()
        one, other = bytearray(tokens.n_bytes), bytearray(tokens.n_bytes)
        for token in tokens.tokenise(text, draw):
            assert here.fill_mask(one) == there.fill_mask(other)
            assert one == other
            assert here.accept(token)
            assert there.accept(token)
        assert here.is_complete
