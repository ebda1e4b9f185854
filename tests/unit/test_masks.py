"""What masks promise: sound, complete, the same as asking token by token, and never a dead end.

The second validator is `jsonschema`, which knows nothing of us. Its `re` patterns are ASCII here, and floats are kept
short, so that its own limits do not show.
"""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema
import pytest
from _corpus import EOS, entries, needs_corpus, small_tokens

from agentrt import AgentrtError, ArgumentError, Constraint, Matcher, Schema, SchemaError, Vocab

TOKENS = small_tokens()
EOS_ID = len(TOKENS) + EOS
VOCAB = Vocab(TOKENS, eos=EOS_ID)
WORDS = (len(TOKENS) + 31) // 32

SCHEMAS: dict[str, Any] = {
    "anything": True,
    "string": {"type": "string"},
    "short string": {"type": "string", "minLength": 2, "maxLength": 4},
    "long string": {"type": "string", "minLength": 70, "maxLength": 75},
    "pattern": {"type": "string", "pattern": "^[a-c]{2,4}-[0-9]+$"},
    "unanchored pattern": {"type": "string", "pattern": "ab", "maxLength": 6},
    "two patterns": {"allOf": [{"type": "string", "pattern": "a"}, {"pattern": "b$"}], "maxLength": 5},
    "not pattern": {"type": "string", "not": {"pattern": "^a"}, "maxLength": 3},
    "date": {"type": "string", "format": "date"},
    "date-time": {"type": "string", "format": "date-time"},
    "uuid": {"type": "string", "format": "uuid"},
    "ipv4": {"type": "string", "format": "ipv4"},
    "integer": {"type": "integer", "minimum": -3, "maximum": 117},
    "number": {"type": "number", "exclusiveMinimum": 0, "maximum": 2.5},
    "multiple": {"type": "number", "multipleOf": 0.25, "minimum": 1, "maximum": 9},
    "multiples": {"allOf": [{"multipleOf": 6}, {"multipleOf": 4}], "type": "integer", "minimum": 1, "maximum": 60},
    "not multiple": {"type": "integer", "not": {"multipleOf": 2}, "minimum": 10, "maximum": 20},
    "enum": {"enum": ["a", "ab", 1, 1.5, None, True, {"k": [1]}, []]},
    "const": {"const": {"b": [1, {"a": "x"}], "a": None}},
    "object": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "id": {"type": "integer"}, "type": {"enum": ["x", "y"]}},
        "required": ["id", "name"],
        "additionalProperties": False,
    },
    "open object": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "maxProperties": 3},
    "typed rest": {"type": "object", "properties": {"a": True}, "additionalProperties": {"type": "boolean"}},
    "min properties": {"type": "object", "minProperties": 2, "maxProperties": 2, "additionalProperties": {"const": 0}},
    "pattern properties": {
        "type": "object",
        "patternProperties": {"^a": {"type": "integer"}, "b$": {"minimum": 5}},
        "additionalProperties": False,
    },
    "property names": {"type": "object", "propertyNames": {"maxLength": 2}, "additionalProperties": {"type": "null"}},
    "dependent": {
        "type": "object",
        "properties": {"a": {"const": 1}, "b": {"const": 2}},
        "dependentRequired": {"a": ["b"]},
        "additionalProperties": False,
    },
    "unevaluated": {
        "allOf": [{"properties": {"a": {"const": 1}}}],
        "type": "object",
        "unevaluatedProperties": False,
    },
    "array": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}, "minItems": 1, "maxItems": 3},
    "tuple": {"type": "array", "prefixItems": [{"const": 1}, {"type": "string"}], "items": False, "minItems": 1},
    "unique": {"type": "array", "uniqueItems": True, "items": {"enum": [1, 2, "a"]}, "minItems": 2},
    "contains": {
        "type": "array",
        "items": {"type": ["integer", "string"], "maxLength": 1, "maximum": 9, "minimum": 0},
        "contains": {"type": "string"},
        "minContains": 1,
        "maxContains": 2,
        "maxItems": 4,
    },
    "any of": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "null"}, "maxItems": 2}]},
    "one of": {"oneOf": [{"multipleOf": 2}, {"multipleOf": 3}], "type": "integer", "minimum": 0, "maximum": 30},
    "not": {"not": {"type": ["string", "object", "array"]}},
    "if": {
        "type": "object",
        "properties": {"kind": {"enum": ["a", "b"]}, "v": True},
        "required": ["kind", "v"],
        "additionalProperties": False,
        "if": {"properties": {"kind": {"const": "a"}}},
        "then": {"properties": {"v": {"type": "boolean"}}},
        "else": {"properties": {"v": {"type": "null"}}},
    },
    "recursive": {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"v": {"type": "boolean"}, "next": {"$ref": "#/$defs/node"}},
                "required": ["v"],
                "additionalProperties": False,
            }
        },
        "$ref": "#/$defs/node",
    },
    "discriminated": {
        "oneOf": [
            {"type": "object", "properties": {"t": {"const": "x"}, "a": {"type": "integer"}}, "required": ["t", "a"]},
            {"type": "object", "properties": {"t": {"const": "y"}, "b": {"type": "boolean"}}, "required": ["t", "b"]},
        ],
        "maxProperties": 2,
    },
}
OPTIONS: list[dict[str, Any]] = [{}, {"property_order": "schema"}, {"whitespace": "compact"}, {"whitespace": 1}]


def allowed(mask: bytearray) -> list[int]:
    bits = int.from_bytes(mask, "little")
    return [i for i in range(len(TOKENS)) if bits >> i & 1]


def walk(constraint: Constraint, draw: random.Random, budget: int) -> bytes:
    """A random output, closed when the budget is used up."""
    matcher, mask = constraint.matcher(), bytearray(WORDS * 4)
    written = b""
    while len(written) < budget:
        count = matcher.fill_mask(mask)
        ids = allowed(mask)
        assert min(len(ids), 2) == count
        assert ids, f"dead end after {written!r}"
        if EOS_ID in ids:
            assert matcher.is_complete
            if draw.random() < 0.5:
                return written
        closing = [i for i in ids if TOKENS[i][:1] in b'"]},:' and i != EOS_ID]
        pool = closing if closing and draw.random() < 0.4 else [i for i in ids if i != EOS_ID]
        if not pool:
            return written
        token = draw.choice(pool)
        assert matcher.accept(token)
        written += TOKENS[token]
    rest = matcher.shortest_completion()
    assert matcher.accept_bytes(rest) == len(rest)
    assert matcher.is_complete
    return written + rest


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    assert len(set(keys)) == len(keys), f"duplicate key in {keys}"
    return dict(pairs)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", SCHEMAS)
def test_walks_end_in_valid_instances(name: str, options: dict[str, Any]) -> None:
    schema = SCHEMAS[name]
    constraint = Constraint(schema, VOCAB, **options)
    validator = jsonschema.Draft202012Validator(schema)
    checker = Schema(schema)
    draw = random.Random(name)
    for round_ in range(6):
        text = walk(constraint, draw, draw.choice([0, 3, 12, 40]) if round_ else 0)
        value = json.loads(text, object_pairs_hook=no_duplicates)
        assert validator.is_valid(value), f"{text!r} does not fit"
        assert checker.validate(text)


@pytest.mark.parametrize("name", SCHEMAS)
def test_mask_equals_asking_for_each_token(name: str) -> None:
    constraint = Constraint(SCHEMAS[name], VOCAB)
    matcher, mask = constraint.matcher(), bytearray(WORDS * 4)
    draw = random.Random(name)
    for _ in range(25):
        matcher.fill_mask(mask)
        ids = allowed(mask)
        assert ids == [i for i in range(len(TOKENS)) if matcher.allows(i)]
        choices = [i for i in ids if i != EOS_ID]
        if not choices:
            break
        assert matcher.accept(draw.choice(choices))


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_allowed_token_goes_on_with_what_is_forced(name: str) -> None:
    constraint = Constraint(SCHEMAS[name], VOCAB, whitespace="compact")
    matcher, mask = constraint.matcher(), bytearray(WORDS * 4)
    draw = random.Random(name)
    for _ in range(25):
        matcher.fill_mask(mask)
        ids = allowed(mask)
        forced = matcher.forced()
        for token in ids:
            text = TOKENS[token]
            if b"\\" not in text:  # another spelling of the same
                assert not forced or (text and text[: len(forced)] == forced[: len(text)])
        choices = [i for i in ids if i != EOS_ID]
        if not choices:
            break
        assert matcher.accept(draw.choice(choices))


@pytest.mark.parametrize("name", SCHEMAS)
def test_rollback_restores_masks(name: str) -> None:
    constraint = Constraint(SCHEMAS[name], VOCAB)
    matcher, draw = constraint.matcher(), random.Random(name)
    masks = []
    for _ in range(15):
        mask = bytearray(WORDS * 4)
        matcher.fill_mask(mask)
        masks.append(mask)
        choices = [i for i in allowed(mask) if i != EOS_ID]
        if not choices:
            break
        assert matcher.accept(draw.choice(choices))
    else:
        masks.append(bytearray(WORDS * 4))
    for steps in (1, 2, 3):
        if len(masks) <= steps + 1:
            break
        twin = matcher.copy()
        twin.rollback(steps)
        again = bytearray(WORDS * 4)
        twin.fill_mask(again)
        assert again == masks[len(masks) - 1 - steps]
    with pytest.raises(ArgumentError):
        matcher.rollback(len(masks))


# --- completeness: any spelling of a valid instance is accepted, in any tokenisation


def spell_string(text: str, draw: random.Random) -> str:
    out = []
    for char in text:
        code = ord(char)
        if char in '"\\' or code < 0x20 or draw.random() < 0.1:
            units = char.encode("utf-16-be", "surrogatepass")
            short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "/": "\\/"}.get(char)
            spelled = "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
            if draw.random() < 0.5:
                spelled = spelled.upper().replace("\\U", "\\u")
            out.append(short if short and draw.random() < 0.7 else spelled)
        else:
            out.append(char)
    return '"' + "".join(out) + '"'


def spell(value: Any, draw: random.Random) -> str:
    """JSON text of a value in a random order, with random whitespace and escapes."""

    def space() -> str:
        return draw.choice(["", "", "", " ", "\n", "\t", "\r\n  "])

    if isinstance(value, dict):
        members = list(value.items())
        draw.shuffle(members)
        body = ",".join(
            f"{space()}{spell_string(key, draw)}{space()}:{space()}{spell(item, draw)}{space()}"
            for key, item in members
        )
        return "{" + (body or space()) + "}"
    if isinstance(value, list):
        return "[" + (",".join(f"{space()}{spell(item, draw)}{space()}" for item in value) or space()) + "]"
    if isinstance(value, str):
        return spell_string(value, draw)
    return json.dumps(value)


def tokenise(text: bytes, draw: random.Random) -> list[int]:
    """Some sequence of tokens that spells the text."""
    starts: dict[int, list[int]] = {}
    for i, token in enumerate(TOKENS):
        if token and i != EOS_ID:
            starts.setdefault(token[0], []).append(i)
    ids, at = [], 0
    while at < len(text):
        fitting = [i for i in starts[text[at]] if text.startswith(TOKENS[i], at)]
        ids.append(draw.choice(fitting))
        at += len(TOKENS[ids[-1]])
    return ids


def feed(constraint: Constraint, text: bytes, draw: random.Random) -> str:
    """'' when the text is accepted, else where it was refused."""
    matcher: Matcher = constraint.matcher()
    mask = bytearray(WORDS * 4)
    written = b""
    for token in tokenise(text, draw):
        if draw.random() < 0.3:
            matcher.fill_mask(mask)
            if token not in allowed(mask):
                return f"{TOKENS[token]!r} not in the mask after {written!r}"
        if not matcher.accept(token):
            return f"{TOKENS[token]!r} refused after {written!r}"
        written += TOKENS[token]
    return "" if matcher.is_complete else "not complete"


INSTANCES: dict[str, list[Any]] = {
    "anything": [None, {"a": [1, {"b": 'q"\\\n\u00e9\U0001f600'}]}, -1.5e-7, "", [[], {}]],
    "string": ["", "\u0000\u001f", "中文 😀", "a/b"],
    "short string": ["ab", "日本語", "😀😀😀😀"],
    "long string": ["x" * 72, "é" * 75],
    "object": [{"id": 1, "name": "x"}, {"name": 'n"', "type": "y", "id": -5}],
    "open object": [{"a": 1, "b": None, "é": [{}]}],
    "pattern properties": [{"a": 3, "ab": 7, "b": 5.5}, {}],
    "enum": ["ab", 1, 1.5, None, True, {"k": [1]}, []],
    "const": [{"a": None, "b": [1, {"a": "x"}]}],
    "contains": [["a", 1, "b"], ["x"]],
    "recursive": [{"v": True, "next": {"v": False, "next": {"v": True}}}],
    "discriminated": [{"t": "x", "a": 4}, {"b": False, "t": "y"}],
    "number": [0.001, 2.5, 1, 1e-9],
}


@pytest.mark.parametrize("name", INSTANCES)
def test_every_spelling_is_accepted(name: str) -> None:
    constraint = Constraint(SCHEMAS[name], VOCAB)
    draw = random.Random(name)
    for instance in INSTANCES[name]:
        for _ in range(8):
            text = spell(instance, draw).encode()
            assert feed(constraint, text, draw) == "", text


# --- the corpus


@needs_corpus
def test_corpus_walks_and_spellings() -> None:
    draw = random.Random(7)
    wrong = []
    for entry in entries(60, salt="walk"):
        try:
            constraint = Constraint(entry["schema"], VOCAB)
        except AgentrtError:
            continue
        checker = Schema(entry["schema"])
        for budget in (0, 60):
            text = walk(constraint, draw, budget)
            json.loads(text, object_pairs_hook=no_duplicates)
            if not checker.validate(text):
                wrong.append((entry["name"], text))
        for test in entry["tests"]:
            if test["valid"] and len(json.dumps(test["data"])) < 3000:
                refused = feed(constraint, spell(test["data"], draw).encode(), draw)
                if refused:
                    wrong.append((entry["name"], refused.encode()))
    assert wrong == []


def test_unsatisfiable_is_an_error() -> None:
    with pytest.raises(SchemaError):
        Constraint({"type": "string", "minLength": 3, "maxLength": 2}, VOCAB)
