"""Numbers that are generated are numbers that parsers hold: finite as IEEE doubles, whatever the tokens are.

Masks, allows() and forced text keep to that unless the schema demands more; accept() and validation take all of JSON.
"""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest
from _walks import SMALL, Tokens, check_states, feed

from agentrt import Constraint, Matcher, Schema, SchemaError

TOKENS = [bytes([b]) for b in b"0123456789-+.eE, []"]
TOKENS += [
    b"00",
    b"999",
    b"e3",
    b"E30",
    b"e300",
    b"e-3",
    b"e+309",
    b"5e9",
    b"1.5e",
    b"0.0",
    b"00000",
    b"9" * 60,
    b"0" * 90,
]
EOS = len(TOKENS)
NUMERIC = Tokens([*TOKENS, b""], EOS)
VOCAB = NUMERIC.vocab

SCHEMAS: dict[str, Any] = {
    "any": {"type": "number"},
    "integer": {"type": "integer"},
    "from 0": {"type": "number", "minimum": 0},
    "below 0": {"exclusiveMaximum": 0, "type": "number"},
    "above 0": {"exclusiveMinimum": 0, "type": "number"},
    "between": {"exclusiveMinimum": 0, "exclusiveMaximum": 1, "type": "number"},
    "not 0": {"type": "number", "not": {"const": 0}},
    "cents": {"type": "number", "multipleOf": 0.01},
    "odd": {"type": "integer", "not": {"multipleOf": 2}},
    "multiple": {"type": "number", "multipleOf": 281474976710656},
    "large": {"type": "number", "minimum": 1e90},
    "either": {"anyOf": [{"type": "integer", "maximum": 5}, {"type": "number", "minimum": 100}]},
}


def allowed(matcher: Matcher) -> list[int]:
    mask = bytearray(NUMERIC.n_bytes)
    matcher.fill_mask(mask)
    return NUMERIC.allowed(mask)


def walk(constraint: Constraint, draw: random.Random, steps: int) -> bytes:
    """Follow masks, with a liking for digits and exponents; then the shortest end."""
    matcher = constraint.matcher()
    weights = [1.0 if t[:1].isalnum() else 0.3 for t in TOKENS]
    text = b""
    for _ in range(steps):
        ids = [i for i in allowed(matcher) if i != EOS]
        for i in range(EOS):
            assert matcher.allows(i) == (i in ids), (text, TOKENS[i])
        if not ids:
            break
        token = draw.choices(ids, [weights[i] for i in ids])[0]
        assert matcher.accept(token)
        text += TOKENS[token]
    end = matcher.shortest_completion()
    assert matcher.accept_bytes(end) == len(end), (text, end)
    assert matcher.is_complete, (text, end)
    return text + end


@pytest.mark.parametrize("name", SCHEMAS)
def test_generated_numbers_are_finite(name: str) -> None:
    constraint, schema, draw = Constraint(SCHEMAS[name], VOCAB), Schema(SCHEMAS[name]), random.Random(name)
    for round_ in range(150):
        text = walk(constraint, draw, 4 + round_ % 9)
        assert schema.validate(text), text
        assert math.isfinite(float(text)), text
        if name in ("above 0", "between"):
            assert float(text) > 0, text
        if name == "below 0":
            assert float(text) < 0, text


def test_numbers_within_arrays_are_finite() -> None:
    schema = {"type": "array", "items": {"type": "number"}, "uniqueItems": True, "minItems": 2}
    constraint, draw = Constraint(schema, VOCAB), random.Random(3)
    for round_ in range(100):
        text = walk(constraint, draw, 5 + round_ % 20)
        assert Schema(schema).validate(text)
        assert all(math.isfinite(value) for value in json.loads(text)), text


@pytest.mark.parametrize("prefix", [b"1e500", b"9" * 400, b"1e99999", b"-7e+309"])
def test_accept_takes_more_and_goes_on(prefix: bytes) -> None:
    matcher = Constraint({"type": "number"}, VOCAB).matcher()
    assert matcher.accept_bytes(prefix) == len(prefix)
    assert matcher.is_complete
    ids = allowed(matcher)
    assert EOS in ids
    assert b"0" in {TOKENS[i] for i in ids if i != EOS}
    unfinished = Constraint({"type": "number"}, VOCAB).matcher()
    assert unfinished.accept_bytes(b"9" * 400 + b"e") == 401
    assert any(unfinished.allows(i) for i in range(EOS))
    assert unfinished.accept_bytes(unfinished.shortest_completion()) > 0
    assert unfinished.is_complete


@pytest.mark.parametrize(
    ("schema", "shortest"),
    [({"minimum": 1e300, "multipleOf": 1e300}, b"1e300"), ({"const": 1.5e308}, b"1.5e308")],
)
def test_a_schema_may_demand_more(schema: dict[str, Any], shortest: bytes) -> None:
    matcher = Constraint({"type": "number", **schema}).matcher()
    assert matcher.shortest_completion() == shortest


def test_beyond_doubles_on_demand() -> None:
    matcher = Constraint('{"type": "number", "minimum": 1e400}', VOCAB).matcher()
    assert matcher.shortest_completion() == b"1e400"
    for byte in b"1e40":
        token = TOKENS.index(bytes([byte]))
        assert matcher.allows(token)
        assert matcher.accept(token)


DRAFT_4 = "http://json-schema.org/draft-04/schema#"


@pytest.mark.parametrize(
    ("schema", "taken", "refused"),
    [
        ({"not": {"type": "integer"}}, ["3.0", "3.5", "1e2", "-0.0", "null"], ["3", "-0", "0", "12"]),
        ({"oneOf": [{"type": "integer"}, {"minimum": 2}]}, ["1", "2.0", "5.5", "3e1"], ["5", "1.0", "0.5"]),
        (
            {"type": "number", "not": {"type": "integer"}, "minimum": 3, "maximum": 3},
            ["3.0", "3.00", "3e0"],
            ["3", "4.0"],
        ),
        ({"multipleOf": 2, "not": {"type": ["integer", "string"]}}, ["4.0", "2e1", "[]"], ["4", "3.0", '"a"']),
        ({"anyOf": [{"type": "integer", "minimum": 10}, {"not": {"type": "integer"}}]}, ["12", "1.5", "12.0"], ["9"]),
    ],
)
def test_integers_of_draft_4_are_told_by_their_spelling(
    schema: dict[str, Any], taken: list[str], refused: list[str]
) -> None:
    """`not` and the branches of a `oneOf` are the exact complement, in validation and in masks."""
    compiled = Schema(json.dumps({"$schema": DRAFT_4, **schema}))
    constraint = Constraint(compiled, SMALL.vocab)
    draw = random.Random(4)
    for text in taken + refused:
        assert compiled.validate(text) == (text in taken), text
        assert (feed(SMALL, constraint, text.encode(), draw) == "") == (text in taken), text
    for _ in range(20):
        check_states(SMALL, constraint, compiled, draw)
    with pytest.raises(SchemaError, match="no value fits"):
        Constraint({"$schema": DRAFT_4, "type": "integer", "not": {"type": "integer"}})
