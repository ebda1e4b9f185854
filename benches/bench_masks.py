"""What do masks cost, the call from Python included?

A vocabulary of 100,000 made-up tokens (words, numbers, punctuation and what straddles JSON's structure, by a fixed
seed), six places in an output that are typical, and the ways to ask: a mask, one token, accepting, the shortest end.
Each place is reached once and measured again and again, so this is the cost of states that were met before; the first
mask of a new schema is a case of its own. Not measured: real tokenizers (benches/native/bench_masks.c), models.

    pytest benches/bench_masks.py --benchmark-only
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from agentrt import Constraint, Matcher, Schema, Vocab

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 40},
        "free": {"type": "string"},
        "id": {"type": "string", "pattern": "^[a-z]{2}-[0-9]{4,8}$"},
        "n": {"type": "integer", "minimum": 1, "maximum": 5000},
        "kind": {"enum": ["alpha", "beta", "gamma"]},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    },
    "required": ["name", "n"],
}
PLACES = {
    "start": b"",
    "key": b'{"',
    "free string": b'{"free": "some ',
    "bounded string": b'{"name": "some ',
    "pattern": b'{"id": "ab-12',
    "integer": b'{"n": 4',
    "after a value": b'{"n": 41',
    "structure": b'{"tags": ["a"',
}


def make_vocab() -> Vocab:
    draw = random.Random(1)
    letters = "etaoinshrdlucmfwypvbgkqjxz"
    tokens = {bytes([b]) for b in range(256)}
    tokens |= {str(n).encode() for n in range(1000)}
    tokens |= {
        s.encode() for s in ('{"', '":', '": "', '","', '"}', '"},', "},", "],", "[]", "{}", ', "', '\\"', "\\n", "  ")
    }
    while len(tokens) < 100_000:
        word = "".join(draw.choices(letters, weights=range(26, 0, -1), k=draw.randint(2, 9)))
        shape = draw.choice(("{}", " {}", " {}", "{}_", ".{}", " {}s", "{}ing", "{}."))
        tokens.add((shape.format(draw.choice((word, word, word.title(), word.upper())))).encode())
        if draw.random() < 0.01:
            tokens.add(f'{word}"'.encode())
    return Vocab([*sorted(tokens), b""], eos=len(tokens))


VOCAB = make_vocab()


@pytest.fixture(params=PLACES)
def matcher(request: pytest.FixtureRequest) -> Matcher:
    found = Constraint(SCHEMA, VOCAB).matcher()
    text = PLACES[request.param]
    assert found.accept_bytes(text) == len(text)
    return found


def test_mask(benchmark: Any, matcher: Matcher) -> None:
    buffer = bytearray((len(VOCAB) + 31) // 32 * 4)
    assert benchmark(matcher.fill_mask, buffer) == 2


def test_allows(benchmark: Any, matcher: Matcher) -> None:
    token = next(i for i in range(len(VOCAB)) if matcher.allows(i))
    assert benchmark(matcher.allows, token)


def test_accept_and_rollback(benchmark: Any, matcher: Matcher) -> None:
    token = next(i for i in range(len(VOCAB)) if matcher.allows(i))

    def step() -> None:
        matcher.accept(token)
        matcher.rollback(1)

    benchmark(step)


def test_shortest_completion(benchmark: Any, matcher: Matcher) -> None:
    assert benchmark(matcher.shortest_completion)


def test_first_mask(benchmark: Any) -> None:
    buffer = bytearray((len(VOCAB) + 31) // 32 * 4)
    assert benchmark(lambda: Constraint(SCHEMA, VOCAB).matcher().fill_mask(buffer)) == 2


def test_validate(benchmark: Any) -> None:
    schema = Schema(SCHEMA)
    text = b'{"name": "a name", "n": 12, "id": "ab-1234", "tags": ["a", "b", "c"], "kind": "beta"}'
    assert benchmark(schema.validate, text)


def test_vocabulary(benchmark: Any) -> None:
    tokens = [VOCAB[i] for i in range(len(VOCAB))]
    assert len(benchmark.pedantic(Vocab, (tokens,), rounds=5)) == len(tokens)
