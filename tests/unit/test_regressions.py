"""What comparing with other validators, and walking at random, has found: each once, made as small as it goes."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from _walks import SMALL, Tokens, walk

from agentrt import Constraint, LimitExceeded, Schema, SchemaError, memory_in_use

UNEVALUATED_NONE = {"items": {}, "unevaluatedItems": False}
HAS_TWO_AND_ONE = {"minItems": 2, "uniqueItems": True, "contains": {"const": 1}, "maxContains": 1}
INSTANCES: list[tuple[str, Any, Any, bool]] = [
    # `contains` was looked for among the items of `prefixItems` only.
    ("2020-12", {"prefixItems": [{"type": "array"}], "contains": {"type": "null"}}, [[], None], True),
    (
        "2020-12",
        {"prefixItems": [{}, {"const": 1}], "contains": {"type": "object"}, "minContains": 2},
        [{}, 1, {}],
        True,
    ),
    ("7", {"items": [{"type": "string"}], "contains": {"type": "number"}}, ["", 1.5], True),
    # Nothing is left unevaluated beside `items`.
    ("2020-12", {"anyOf": [{"not": UNEVALUATED_NONE}, {"const": 1}]}, [], False),
    ("2020-12", {"anyOf": [{"oneOf": [{}, UNEVALUATED_NONE]}, {"const": 1}]}, [1], False),
    ("2020-12", {"if": {"items": {}, "unevaluatedItems": {}}, "then": {"type": "object"}}, [], False),
    # Three conditions on an array of its own, inside `contains`.
    ("2020-12", {"items": {"type": "array"}, "contains": HAS_TWO_AND_ONE}, [["", 1]], True),
    # Numbers of eleven digits beside a step that they must not have.
    ("2020-12", {"type": "integer", "not": {"multipleOf": 5}}, 12345678901, True),
    ("7", {"type": "integer", "oneOf": [{}, {"multipleOf": 1.5}]}, 12345678901, True),
    # Members whose key is their value, and characters of small numbers, left no trace in digests.
    ("2020-12", {"uniqueItems": True}, [{}, {"": ""}, {"a": "a"}], True),
    ("2020-12", {"uniqueItems": True}, ["\x02", "\x02\x00"], True),
    # Items that equal the array before them did, too.
    ("2020-12", {"uniqueItems": True}, [[[], []], [[], [[]], []]], True),
    ("2020-12", {"uniqueItems": True}, [[[]], [[[]], [[]]], [[], []]], True),
    # Exponents were not tried for numbers that must differ.
    ("2020-12", {"prefixItems": [{}, {"enum": [1e-7]}], "uniqueItems": True}, [True, 1e-7], True),
]
# What was decided of other types was forgotten when arrays turned out to have not enough items that differ.
INSTANCES.append(
    (
        "7",
        {
            "items": {"type": "null"},
            "minItems": 2,
            "if": {
                "if": {"properties": {"x": {"type": "array"}}, "dependencies": {"a": [""]}},
                "then": {"type": "array", "uniqueItems": True},
                "else": {"oneOf": [{"minProperties": 2}]},
            },
            "else": {"dependencies": {"x": {}}},
        },
        {"x": []},
        True,
    )
)
EMPTY_OBJECTS = {"items": {"type": "object", "unevaluatedProperties": False}}
EMPTY_ARRAYS = {"type": "array", "maxItems": 0}
PAIRS = {"const": {"": 1, "ab": True}}
AT_MOST_ONE = {"items": {"maxItems": 1}, "uniqueItems": True}
TWO_ONES = {"type": "array", "items": {"const": 1}, "uniqueItems": True, "contains": {}, "minContains": 2}
X_UP_TO_3 = {
    "type": "object",
    "properties": {"x-1": {"type": "integer", "maximum": 3}},
    "required": ["x-1"],
    "unevaluatedProperties": False,
}
FIVE = {
    "type": "object",
    "properties": {"n": {"enum": [1, 2, 3, 4, 5]}},
    "required": ["n"],
    "additionalProperties": False,
}
BITS = {"items": {"type": "boolean"}, "minItems": 3, "maxItems": 3}
# One member at most, with a name that patterns do not leave: no end of the other alternatives.
B_NOT_ONLY_A = {
    "propertyNames": {"pattern": "b"},
    "maxProperties": 1,
    "not": {"patternProperties": {"^a$": {"type": "null"}}},
}
INSTANCES.append(("2020-12", {"anyOf": [{"type": "object", **B_NOT_ONLY_A}, {"required": ["b"]}]}, {"b": 1}, True))
ONE_LONG = {"uniqueItems": True, "minItems": 2, "contains": {"minLength": 3, "pattern": "^(?!a)"}, "maxContains": 1}
NAMES = {"type": "object", "propertyNames": {"enum": ["b", "é", "c"]}}
TWO = {"type": "array", "uniqueItems": True, "minItems": 2}
SMALL_NUMBERS = {"type": ["number", "null", "array"], "maximum": 0.5, "exclusiveMaximum": 0.5}
NO_OR_THREE = {"anyOf": [{"type": "object", "minProperties": 3}, {"type": "object", "maxProperties": 0}]}
CLOSED = {"type": "object", "additionalProperties": False}
BEGINS_WITH_A = {"propertyNames": {"pattern": "^a"}}
ORDERED = {"property_order": "schema"}
SPACED = {"whitespace": "spaced"}
PREFIXES: list[tuple[Any, dict[str, Any], bytes]] = [
    # The mask let begin what would have repeated an item.
    ({"items": {"maxLength": 3}, "uniqueItems": True}, ORDERED, b'["a \\u0062", "a '),
    ({"items": {"maxLength": 1}, "uniqueItems": True}, {}, b'["1", "'),
    ({"items": {"enum": ["if", "else"]}, "uniqueItems": True}, {}, b'["if", "'),
    (ONE_LONG, {}, b'[1,"  "\t,\t"'),
    # Where items may, or must, be equal, the mask did not let one begin again.
    ({"items": {"enum": ["ba"]}, "not": {"uniqueItems": True}}, {}, b'["ba", "b'),
    ({"items": {"enum": ["ba"]}, "oneOf": [{"uniqueItems": True}, {}]}, {}, b'["ba", "'),
    # Looking ahead, no space was written after a comma.
    (TWO, SPACED, b"[0E+"),
    ({"prefixItems": [{"type": "object", "additionalProperties": False}], **TWO}, SPACED, b"[{"),
    # Names ran out, in schema order.
    ({**NAMES, "additionalProperties": {"minProperties": 3, **NAMES}}, {**ORDERED, **SPACED}, b'{"\\u00e9": {"c'),
    ({**NAMES, **NO_OR_THREE}, {**ORDERED, "whitespace": "compact"}, b'{"\xc3\xa9'),
    # Numbers that only fit with an exponent, where items must differ.
    ({"items": {"type": "number", "maximum": 1e-07}, "uniqueItems": True}, {"whitespace": 1}, b"[-101,\n6.12312365"),
    ({"items": SMALL_NUMBERS, "uniqueItems": True}, {}, b"[null,\n\n4.79752100"),
    ({"items": {"enum": [11, 2, 3]}, "uniqueItems": True}, {}, b"[1."),
    # The cheapest end of an item that is a container repeated one that was there.
    ({"items": {"maxLength": 1}, "uniqueItems": True}, {}, b"[{}\n,\n{\n"),
    ({"items": {"type": "array", "items": {"type": "boolean"}, "maxItems": 1}, **TWO}, {}, b"[[],[true],["),
    (
        {"items": {"properties": {"a": {"enum": ["x", "y", "xy"]}}, "additionalProperties": False}, **TWO},
        {},
        b'[{"a":"x"},{"a":"x',
    ),
    ({**NAMES, "properties": {"é": {}}, "minProperties": 3}, ORDERED, b'{"\\u0062'),
    # A name of one alternative was invented again for another one.
    ({"type": "object", "minProperties": 3, "dependentSchemas": {"x-1": {"properties": {"a": {}}}}}, {}, b'{"'),
    # Keys that only an alternative without room for them would have taken.
    ({"type": "object", "anyOf": [{"required": ["x"], "maxProperties": 1}, BEGINS_WITH_A]}, {}, b'{"F'),
    ({"type": "object", "oneOf": [{"required": [""]}, BEGINS_WITH_A]}, ORDERED, b'{"F'),
    (
        {"not": {"properties": {"": {"propertyNames": {"enum": []}}}, "propertyNames": {"minLength": 1}}},
        ORDERED,
        b'{"F',
    ),
    # An item was begun, or its last part, that could only repeat another.
    ({"items": PAIRS, "uniqueItems": True}, {}, b'[\t{ "\\u0061b":true, ""\t:1 },\t{ "'),
    ({"items": {"prefixItems": [{}], "items": False}, "uniqueItems": True}, {}, b"[[1.0],[\r\n  1"),
    (AT_MOST_ONE, {}, b"[[0.5\t],[\r\n  0.5"),
    ({"uniqueItems": True, "contains": {"type": "integer"}}, {"whitespace": 1}, b'[{"\n:":0.0, ":{":0e'),
    ({"items": X_UP_TO_3, "minItems": 1, "uniqueItems": True}, {"whitespace": 1}, b'[{"x-1" :\t0} ,\n{"x-1":0\n'),
    ({"items": FIVE, "uniqueItems": True}, {}, b'[{"n":1},{"n":2},{"n":3},{"n":5},{"n'),
    ({"items": {"items": BITS, **TWO}, "uniqueItems": True}, {}, b"[[[true,true,true],[true,true,false]],[[true,tr"),
    ({"items": {"patternProperties": {"^[ab]$": {"const": 1}}, **CLOSED}, **TWO}, {}, b'[{"a":1},{"a":1,"b":1},{"'),
    ({"items": {"pattern": "^(a|b.*)$"}, "uniqueItems": True}, {}, b'["a","'),
    ({"items": {"multipleOf": 0.25}, "uniqueItems": True}, {}, b"[1.0"),
    ({"items": {"const": 1}, "uniqueItems": True, "minContains": 2}, {}, b"[1"),
    ({"type": "array", "items": {"type": "array"}, "contains": {"minItems": 2, "uniqueItems": True}}, {}, b"["),
    # An array was taken to go on without end whose first item has no value.
    ({"items": {"prefixItems": [False], "items": {"const": 1}}, "uniqueItems": True}, {}, b"[[],"),
    # Of an item that is short of a value, the completion wrote others first.
    (
        {
            "items": {"uniqueItems": True},
            "anyOf": [{"items": {"const": 1}, "uniqueItems": True}, {"prefixItems": [{"const": 1}]}],
        },
        {},
        b"[1,",
    ),
    ({"items": {"type": "string", "minLength": 2, "pattern": "^a|b$"}, **TWO}, {}, b'["=b","='),
    ({"items": {"type": "array", "items": {"const": 1}}, **TWO}, ORDERED, b"[[],"),
    ({"items": {"enum": ["a b", ""]}, "uniqueItems": True}, {}, b'["","'),
    # A key came twice in the completion, where only another alternative declares it.
    ({"minProperties": 3, "oneOf": [{}, {"required": ["x", ""]}]}, SPACED, b'{"\xc2\x88": "\xed\x82\xbe", "'),
    # In schema order another name was offered that was needed later.
    (
        {
            "type": "object",
            "properties": {"a": {}, "é": {}},
            "propertyNames": {"enum": ["a", "é", "c"]},
            "minProperties": 3,
        },
        ORDERED,
        b'{"a": true,"c',
    ),
    # Of keys whose languages may begin with anything only beginnings were tried.
    ({"items": {"type": "object", "propertyNames": {"pattern": "ab$"}}, **TWO}, {}, b"[{},"),
    # Numbers with a fraction or an exponent were ended as if they could be integers of draft 4.
    (
        {
            "$schema": "http://json-schema.org/draft-04/schema#",
            "type": "number",
            "anyOf": [{"type": "integer", "maximum": 5}, {"multipleOf": 5}],
        },
        {},
        b"-1E+",
    ),
]
A_OR_BS = {"patternProperties": {"^(a|b+)$": {"enum": [1, 2]}}, "additionalProperties": False, "maxProperties": 1}
PREFIXES += [  # A key among endlessly many was begun that could not go on and only repeated an item.
    ({"items": A_OR_BS, "uniqueItems": True}, {}, b'[{"a":1},{"a":2},{"a'),
    ({"items": A_OR_BS, "uniqueItems": True}, {}, b'[{"bb":1},{"a":2},{"bb":2},{"bb'),
    ({"items": {"items": A_OR_BS, "maxItems": 1}, "uniqueItems": True}, {}, b'[[{"a":1}],[{"a":2}],[{"a'),
    (
        {"items": {"properties": {"x": A_OR_BS}, **CLOSED}, "uniqueItems": True},
        {},
        b'[{"x":{"a":1}},{"x":{"a":2}},{"x":{"a',
    ),
]
X_AND_A = {"properties": {"x": {"const": 1}}, "patternProperties": {"^a$": {"const": 1}}, "minProperties": 1, **CLOSED}
# Not enough values for items that must differ.
UNSATISFIABLE: list[Any] = [
    {**EMPTY_OBJECTS, **TWO},
    {
        "type": "array",
        "uniqueItems": True,
        "contains": EMPTY_OBJECTS["items"],
        "minContains": 2,
        "unevaluatedItems": False,
    },
    {
        "type": "array",
        "prefixItems": [EMPTY_ARRAYS, {"const": []}],
        "contains": {"type": "integer"},
        "uniqueItems": True,
    },
    TWO_ONES,
    {"type": "object", "properties": {"a": TWO_ONES}, "required": ["a"]},
    {"items": {"items": {"enum": ["a", "b"]}, **TWO, "maxItems": 2}, **TWO, "minItems": 3},
    {"items": FIVE, **TWO, "minItems": 6},
    {"items": {"pattern": "^[ab]{2}$", "type": "string"}, **TWO, "minItems": 5},
    {"prefixItems": [{"enum": [1, 2]}, {"enum": [1, 2]}, {"enum": [1, 2]}], **TWO, "minItems": 3},
    # An item behind one that may be anything was not compared with those behind it.
    {"type": "array", "prefixItems": [{}, {}], "uniqueItems": True, "contains": {"const": 1}, "minContains": 2},
    # Items that differ only by an array that is to be filled with them were taken to be there.
    {
        "$id": "urn:a",
        "$ref": "#/$defs/a",
        "$defs": {"a": {"type": "array", **TWO, "items": {"type": "array", "items": {"$ref": "#/$defs/a"}}}},
    },
    {
        "$id": "urn:a",
        "$ref": "#/$defs/a",
        "$defs": {
            "a": {"anyOf": [{"$ref": "#/$defs/b"}, {"$ref": "#/$defs/b"}]},
            "b": {
                "type": "array",
                **TWO,
                "items": {
                    "prefixItems": [{"const": 1}],
                    "items": {"$ref": "#/$defs/a"},
                    "type": "array",
                    "minItems": 2,
                },
            },
        },
    },
    # An item that has to come behind others was taken for one that may come alone.
    {
        "type": "array",
        "items": {"enum": [1, 2]},
        "uniqueItems": True,
        "not": {"prefixItems": [True, True], "items": {"type": "string"}},
    },
]


FORCED: list[tuple[Any, bytes, bytes]] = [
    # What can only be written as an escape is no other spelling of what can be written plainly.
    ({"enum": ["12", '"']}, b'"', b""),
    ({"enum": ["12", "\n"]}, b'"', b""),
    ({"type": "string", "pattern": "^[\\\\a]$"}, b'"', b""),
    ({"enum": ["12", "1\t"]}, b'"', b"1"),
    ({"required": ["ab"], "propertyNames": {"enum": ["ab", '"']}, "type": "object"}, b'{"', b""),
    ({"enum": ["12"]}, b'"', b'12"'),
]


@pytest.mark.parametrize(("schema", "prefix", "forced"), FORCED)
def test_forced(schema: Any, prefix: bytes, forced: bytes) -> None:
    matcher = Constraint(schema).matcher()
    assert matcher.accept_bytes(prefix) == len(prefix)
    assert matcher.forced() == forced


def test_long_steps_are_refused() -> None:
    """A multipleOf of 400 digits took 12 seconds to compile."""
    digits = "1234567890" * 6
    assert Constraint(f'{{"type": "integer", "multipleOf": {digits}}}').matcher().shortest_completion() == b"0"
    with pytest.raises(LimitExceeded, match="ARTI_DEC_STEP_DIGITS_MAX"):
        Constraint(f'{{"type": "integer", "multipleOf": {digits}1}}')
    parts = [{"multipleOf": 10**17 + i} for i in (1, 3, 7, 9)]
    with pytest.raises(LimitExceeded, match="ARTI_DEC_STEP_DIGITS_MAX"):
        Constraint({"type": "integer", "allOf": parts})


def test_patterns_beside_leap_seconds() -> None:
    """Which offset makes second 60 right takes a state for every minute of the day; patterns met each of them."""
    stamp = {"type": "string", "format": "date-time", "pattern": r"\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"}
    matcher = Constraint(stamp, SMALL.vocab).matcher()
    for text, valid in ((b'"2016-01-05T16:51:00Z"', True), (b'"2016-12-31T23:59:60Z"', True), (b'"2016-12-31t', False)):
        matcher.reset()
        assert (matcher.accept_bytes(text) == len(text)) == valid
    with pytest.raises(SchemaError, match="no value fits"):
        Constraint({"type": "string", "format": "time", "pattern": ":5Z"})
    leap = Constraint({"type": "string", "format": "time", "pattern": "60"}, SMALL.vocab).matcher()
    for minute in range(0, 1440, 7):
        offset = (minute - 1439) % 1440
        for wrong in (0, 1):
            hour, rest = divmod((offset + wrong) % 1440, 60)
            leap.reset()
            text = f'"{minute // 60:02}:{minute % 60:02}:60+{hour:02}:{rest:02}"'.encode()
            assert (leap.accept_bytes(text) == len(text)) == (not wrong)


@pytest.mark.parametrize(("draft", "schema", "instance", "valid"), INSTANCES)
def test_instance(draft: str, schema: Any, instance: Any, valid: bool) -> None:
    text = json.dumps(instance).encode()
    checker = Schema(schema, default_draft=draft)
    assert checker.validate(text) == valid
    matcher = Constraint(checker, SMALL.vocab).matcher()
    assert (matcher.accept_bytes(text) == len(text) and matcher.is_complete) == valid


@pytest.mark.parametrize(("schema", "options", "prefix"), PREFIXES)
def test_state(schema: Any, options: dict[str, Any], prefix: bytes) -> None:
    """A state has a mask that is not empty, is what is allowed, and a way to its end."""
    matcher = Constraint(schema, SMALL.vocab, **options).matcher()
    prefix = prefix[: matcher.accept_bytes(prefix)]
    mask = bytearray(SMALL.n_bytes)
    matcher.fill_mask(mask)
    ids = SMALL.allowed(mask)
    assert ids
    assert ids == [i for i in range(len(SMALL.tokens)) if matcher.allows(i)]
    rest = matcher.shortest_completion()
    assert options.get("whitespace") == "spaced" or rest.startswith(matcher.forced())
    assert Schema(schema).validate(prefix + rest)
    assert matcher.accept_bytes(rest) == len(rest)
    assert matcher.is_complete


@pytest.mark.parametrize("text", [b'[{"a":1},{"x":1,"a":1}]', b'[{"a":1},{"x":1},{"x":1,"a":1}]'])
def test_barred_first_only(text: bytes) -> None:
    """A name that would repeat an item if it came next may come later; in schema order that is not the same."""
    matcher = Constraint({"items": X_AND_A, "uniqueItems": True}, SMALL.vocab, property_order="schema").matcher()
    assert matcher.accept_bytes(text) == len(text)
    assert matcher.is_complete


@pytest.mark.parametrize(
    ("values", "begun", "rest"),
    [([10, 2, 1], b"[1, 1.0", b"e1]"), ([1, 10.5, 1000], b"[1, 1.0", b"e3]"), ([1, 1e40, 3], b"[1, 1", b".0e40]")],
)
def test_needed_exponent(values: list[float], begun: bytes, rest: bytes) -> None:
    """What is left of a list only fits with an exponent: it was tried after a thousand zeros."""
    matcher = Constraint({"items": {"enum": values}, "uniqueItems": True}, SMALL.vocab).matcher()
    assert matcher.accept_bytes(begun) == len(begun)
    assert matcher.shortest_completion() == rest


@pytest.mark.parametrize("schema", UNSATISFIABLE)
def test_unsatisfiable(schema: Any) -> None:
    with pytest.raises(SchemaError, match="no value fits"):
        Constraint(schema, SMALL.vocab)
    optional = Constraint({"type": "object", "properties": {"a": schema}}, SMALL.vocab).matcher()
    assert optional.accept_bytes(b'{"a"') == 3


@pytest.mark.parametrize(
    ("counted", "completion"),
    [
        ([{"type": "integer"}], b"[0]"),
        ([{"type": "integer"}, {"contains": {"enum": [1, None, True]}, "minContains": 3}], b"[1,true,null]"),
        ([{"not": {"enum": [1, True, None]}}, {"contains": {"enum": [None, 0]}, "minContains": 2}], b"[0,null]"),
        ([{"enum": [1, 2]}, {"contains": {"enum": [1, None]}, "minContains": 2}], b"[1,null]"),
        (
            [
                {"contains": {}, "minContains": 3},
                {"contains": {"enum": [1, "a", True, 0]}, "minContains": 2, "maxContains": 2},
                {"contains": {"type": "boolean"}, "minContains": 2},
            ],
            b"[true,1,false]",
        ),
    ],
)
def test_completions_of_counted_items(counted: list[Any], completion: bytes) -> None:
    """An item that is counted by several conditions is, and one that is counted by none comes last."""
    conditions = [c if "contains" in c else {"contains": c} for c in counted]
    matcher = Constraint({"type": "array", "uniqueItems": True, "allOf": conditions}).matcher()
    assert matcher.shortest_completion() == completion


@pytest.mark.parametrize(
    "schema",
    [
        {"items": FIVE, **TWO, "minItems": 5},
        {"items": {"pattern": "^[ab]{2}$", "type": "string"}, **TWO, "minItems": 4},
        {"items": {"enum": [1, 2, 3]}, "contains": {"enum": [3, 4]}, **TWO, "minItems": 3},
        {"prefixItems": [{"enum": [1, 2]}, {"const": 1}], **TWO},
        {"prefixItems": [{"enum": ["a", "b", "c"]}, {"enum": ["a", "b"]}, {"const": "a"}], **TWO, "minItems": 3},
    ],
)
def test_items_to_the_last(schema: Any) -> None:
    """Where the values are just enough, walks use them all."""
    for seed in range(20):
        text = walk(SMALL, Constraint(schema, SMALL.vocab), random.Random(seed), 40)
        assert Schema(schema).validate(text)


def _texts(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern}


def test_values_that_are_too_many_to_list() -> None:
    """ARTI_VALUES_MAX, at the cap and one past it; no limit where the number is plain."""
    words, one_more = _texts("^[0-9a-f]{3}$"), _texts("^([0-9a-f]{3}|x)$")
    Constraint({"items": words, **TWO, "minItems": 4096}, SMALL.vocab)
    with pytest.raises(SchemaError, match="no value"):
        Constraint({"items": words, **TWO, "minItems": 4097}, SMALL.vocab)
    Constraint({"items": one_more, **TWO, "minItems": 4097}, SMALL.vocab)
    with pytest.raises(LimitExceeded, match="ARTI_VALUES"):
        Constraint({"items": one_more, **TWO, "minItems": 4098}, SMALL.vocab)
    Constraint({"items": _texts("^[a-z]{3}$"), **TWO, "minItems": 17_576}, SMALL.vocab)
    Constraint({"items": {"type": "string"}, **TWO, "minItems": 1_000_000}, SMALL.vocab)
    bounded = {"type": "integer", "minimum": 1, "maximum": 50_000}
    Constraint({"items": bounded, **TWO, "minItems": 49_000}, SMALL.vocab)


@pytest.mark.parametrize(
    ("items", "prefix"),
    [
        ({"maxLength": 0}, b'["'),
        ({"const": "::"}, b'["::'),
        ({"enum": [100, "\n"]}, b'["\\n'),
        ({"enum": [1.5, "::1", -7]}, b'["\\u003a:1'),
        ({"minLength": 2, "maxLength": 3, "pattern": "^(aa)*$"}, b'["\\u0061a'),
    ],
)
def test_tokens_that_begin_a_string_with_no_texts_left(items: Any, prefix: bytes) -> None:
    """The next item may be of many types, but the token opens a string."""
    letters = [bytes([byte]) for byte in range(0x20, 0x7F)]
    tokens = Tokens([b"", *letters, b'","', b'", "', b'"]', b'",1', b'","a', b'",{'], eos=0)
    matcher = Constraint({"type": "array", "items": items, "uniqueItems": True}, tokens.vocab).matcher()
    assert matcher.accept_bytes(prefix) == len(prefix)
    mask = bytearray(tokens.n_bytes)
    matcher.fill_mask(mask)
    assert tokens.allowed(mask) == [i for i in range(len(tokens.tokens)) if matcher.allows(i)]


RECORD = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
    "required": ["id", "name"],
}
FLAG = {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}


@pytest.mark.parametrize(
    ("items", "n", "average"),
    [
        ({}, 2100, 5),
        ({"type": "string"}, 2100, 5),
        (_texts("^[A-Z]{3}-[0-9]{6}$"), 2100, 14),
        ({"type": "string", "minLength": 300}, 300, 304),
        ({"type": "integer"}, 2100, 5),
        ({"type": "integer", "minimum": 0, "maximum": 4000}, 2100, 5),
        ({"type": "integer", "minimum": 0, "maximum": 2099}, 2100, 5),
        ({"multipleOf": 0.5, "type": "number"}, 2100, 5),
        ({"enum": [f"s{i}" for i in range(2500)]}, 2100, 8),
        ({"enum": list(range(1000))}, 900, 4),
        ({"type": "object"}, 2100, 11),
        ({"type": "array"}, 2100, 7),
        (RECORD, 1500, 23),
        (FLAG, 1500, 20),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2, "uniqueItems": True}, 300, 9),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 40, "uniqueItems": True}, 20, 160),
    ],
)
def test_completions_with_many_items_that_differ(items: dict[str, Any], n: int, average: int) -> None:
    """Each is found where the one before was, so that time and length are in proportion to the number of items."""
    schema = {"type": "array", "items": items, "minItems": n, "uniqueItems": True}
    completion = Constraint(schema).matcher().shortest_completion()
    assert Schema(json.dumps(schema)).validate(completion)
    assert len(completion) < n * average


def test_values_that_go_on_by_recursion() -> None:
    """They are there, as many as one likes, once one of them needs no other."""
    inner = {"anyOf": [{"const": 1}, {"type": "array", "maxItems": 1, "items": {"$ref": "#/$defs/b"}}]}
    schema = {"type": "array", **TWO, "minItems": 6, "items": {"$ref": "#/$defs/b"}, "$defs": {"b": inner}}
    assert Constraint(schema).matcher().shortest_completion() == b"[1,[],[1],[[]],[[1]],[[[]]]]"
    # One that is filled with others of its kind looked as short as what it is filled with.
    filled = {"type": "array", **TWO, "minItems": 3, "items": {"anyOf": [{"$ref": "#/$defs/b"}, {"const": 1}]}}
    other = {"type": "array", "minItems": 6, "items": {"items": {"const": 2}}}
    schema = {"$ref": "#/$defs/b", "$defs": {"b": {"anyOf": [filled, other]}}}
    assert Constraint(schema).matcher().shortest_completion() == b"[0,0,0,0,0,0]"
    # Pairs of ones were told apart by spelling the second one at length.
    ones = {"type": "array", "minItems": 2, "items": {"const": 1}}
    schema = {"type": "array", **TWO, "items": {"type": "array", "minItems": 2, "items": ones}}
    assert Constraint(schema).matcher().shortest_completion() == b"[[[1,1],[1,1]],[[1,1],[1,1,1]]]"


@pytest.mark.parametrize(
    "schema",
    [
        {"uniqueItems": True, "not": {"prefixItems": [True] * 400, "items": {"const": 1}}},
        {"uniqueItems": True, "contains": {"type": "integer"}, "minContains": 100},
        {"uniqueItems": True, "prefixItems": [{"type": "integer"}] * 300, "items": False, "minItems": 300},
    ],
)
def test_completions_of_arrays_that_are_long_for_a_reason(schema: dict[str, Any]) -> None:
    """Where each item that is lacking has more values than there are items, no combination has to be looked for."""
    schema = {"type": "array", **schema}
    completion = Constraint(schema).matcher().shortest_completion()
    assert Schema(json.dumps(schema)).validate(completion)


@pytest.mark.parametrize("order", ["schema", "any"])
def test_completions_give_lacking_objects_the_members_that_count(order: str) -> None:
    """In schema order the shortest other object, {"":0}, was taken again and again, which `contains` does not count."""
    named = {"type": "object", "propertyNames": {"minLength": 1}}
    schema = {"type": "array", "uniqueItems": True, "contains": named, "minContains": 2}
    matcher = Constraint(schema, property_order=order).matcher()
    assert matcher.accept_bytes(b"[{},") == 4
    assert matcher.shortest_completion() == b'{"a":0}]'


def _recursive(**defs: Any) -> dict[str, Any]:
    return {"$ref": "#/$defs/d", "$defs": defs}


DISTINCT = {"uniqueItems": True, "items": {"$ref": "#/$defs/d"}}
ARRAY_OF_ONE = {"type": "array", "maxItems": 1, "items": {"$ref": "#/$defs/d"}}


@pytest.mark.parametrize(
    ("schema", "completion"),
    [
        # `not e` is plainly true, but its alternatives were looked at one by one, until the count of values gave up.
        (
            _recursive(
                d={"type": "array", **DISTINCT, "not": {"$ref": "#/$defs/e"}},
                e={"items": {"prefixItems": [{"type": "string"}]}, "not": {}},
            ),
            b"[]",
        ),
        # What had to differ was an array with others in it, of which the second one had to differ, and so on.
        (
            _recursive(
                d={
                    "type": "array",
                    "uniqueItems": True,
                    "minItems": 3,
                    "items": {"type": ["array", "boolean"], "items": {"$ref": "#/$defs/d"}},
                }
            ),
            b"[[],true,false]",
        ),
        (_recursive(d={**DISTINCT, "type": ["array", "null"], "minItems": 4}), None),
        (
            _recursive(d={**DISTINCT, "minItems": 3, "not": {"items": False, "required": ["a"]}}),
            b"{}",
        ),
        (
            _recursive(
                d={
                    "uniqueItems": True,
                    "not": {"maxItems": 3},
                    "items": {"type": "array", "prefixItems": [{"type": "array", "items": {"$ref": "#/$defs/d"}}]},
                }
            ),
            b"[[],[[]],[[],0],[[],1]]",
        ),
        (
            _recursive(
                d={"uniqueItems": True, "not": {"$ref": "#/$defs/e"}}, e={**DISTINCT, "items": {"$ref": "#/$defs/e"}}
            ),
            b"[[0,0]]",
        ),
        (
            {
                "type": "array",
                "uniqueItems": True,
                "minItems": 9,
                "items": {"$ref": "#/$defs/d"},
                "$defs": {"d": ARRAY_OF_ONE},
            },
            b"[" + b",".join(b"[" * n + b"]" * n for n in range(1, 10)) + b"]",
        ),
    ],
)
def test_completions_in_recursive_arrays(schema: dict[str, Any], completion: bytes | None) -> None:
    """There is one behind every beginning of it, and of the ways a walk takes."""
    constraint = Constraint(schema, SMALL.vocab, whitespace="compact")
    first = constraint.matcher().shortest_completion()
    assert completion in (None, first)
    draw = random.Random(5)
    for text in (first, *(walk(SMALL, constraint, draw, 12) for _ in range(6))):
        for n in range(len(text) + 1):
            matcher = constraint.matcher()
            assert matcher.accept_bytes(text[:n]) == n
            assert Schema(schema).validate(text[:n] + matcher.shortest_completion())


def _of_objects(unique: bool) -> dict[str, Any]:
    value = {"properties": {"a": {"type": ["array", "null"], "maxItems": 0}}, "type": "object"}
    value["additionalProperties"] = {"$ref": "#/$defs/d"}
    items = {"type": "array", "items": value, "uniqueItems": True, "minItems": 3}
    return {"type": "array", "items": items, "uniqueItems": unique, "minItems": 4}


def _tagged(kind: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": {"type": kind}, "b": {"const": "x"}}, "required": ["a", "b"]}


TWO_IN_ORDER = {"type": "object", "required": ["b", ""]}


@pytest.mark.parametrize(
    ("schema", "order", "text", "completion"),
    [
        # The completion aimed at what `contains` asks, which ranks members in another way than all of the schema.
        (
            {
                "type": "array",
                "items": {"items": {"required": [""]}, "contains": {}},
                "contains": {"type": "array", "items": {"type": "object", "required": ["b"]}, "uniqueItems": True},
            },
            "schema",
            b"",
            b'[[{"":0,"b":0}]]',
        ),
        # Where the object was used up, the other values were taken to be.
        (
            {"type": "array", "uniqueItems": True, "contains": {"enum": ["a", {}]}, "minContains": 2},
            "schema",
            b"",
            b'[{},"a"]',
        ),
        # Items that are asked to be equal: they were written in another order, or as others than those before.
        ({"items": TWO_IN_ORDER, "not": {"uniqueItems": True}}, "schema", b"", b'[{"b":0,"":0},{"b":0,"":0}]'),
        (
            {"items": {"type": "array", "uniqueItems": True, "minItems": 4}, "not": {"uniqueItems": True}},
            "any",
            b"[[0,0.1,1,2],",
            b"[0,1,2,3],[0,1,2,3]]",
        ),
        # Of other keys, the shortest was taken, whatever its value had to hold.
        *(
            (
                {
                    "type": "object",
                    "properties": {"b": {"$ref": "#"}, "a": {"$ref": "#"}},
                    "additionalProperties": {
                        "type": "array",
                        "items": {"$ref": "#"},
                        "uniqueItems": True,
                        "minItems": 3,
                    },
                },
                order,
                b'{"{":[',
                b'{},{"a":{}},{"b":{}}]}',
            )
            for order in ("schema", "any")
        ),
        # What one item more costs was guessed without those that must not be counted.
        (
            _recursive(
                d={
                    "type": "array",
                    "items": {
                        "type": ["array", "null"],
                        "items": {"$ref": "#/$defs/d"},
                        "contains": {"maxItems": 4},
                        "maxContains": 1,
                    },
                    "uniqueItems": True,
                }
            ),
            "any",
            b"[null,[[[[],",
            None,
        ),
        # The first item has to be another than the cheapest, for the third one.
        (
            _recursive(
                d={
                    "type": "array",
                    "items": {"type": "array", "items": {"minItems": 3, "anyOf": [{"$ref": "#/$defs/d"}]}},
                    "prefixItems": [{"$ref": "#/$defs/d"}, True],
                    "uniqueItems": True,
                }
            ),
            "any",
            b"[[[[]],[],",
            None,
        ),
        # .. and that array is begun already: all up to its end has to be searched for.
        (
            _recursive(
                d={
                    "type": ["array", "null"],
                    "prefixItems": [{"$ref": "#/$defs/e"}, True],
                    "items": {"uniqueItems": True, "$ref": "#/$defs/e"},
                    "uniqueItems": True,
                    "minItems": 3,
                },
                e={"type": ["array", "null"], "contains": {"$ref": "#/$defs/d"}, "minContains": 2},
            ),
            "any",
            b"[[null,null],[null,null,null],null,[null,[[[n",
            None,
        ),
        # Second items looked as if `contains` counted them, whatever they were: all numbers were tried first.
        *(
            (
                _recursive(
                    d={
                        "type": "array",
                        "items": {
                            "type": "array",
                            "prefixItems": [{"type": "integer"}, second],
                            "items": {"$ref": "#/$defs/d"},
                            "contains": {"type": "array"},
                        },
                        "uniqueItems": True,
                        "minItems": 2,
                    }
                ),
                "any",
                b"",
                b"[[0,[]],[1,[]]]",
            )
            for second in ({"items": False}, {"type": ["array", "integer"], "items": False})
        ),
        # What came last was the same again, and a member was added that nobody asked for.
        *(
            (
                {"type": "array", "uniqueItems": True, "minItems": 3, "items": _tagged(value)},
                order,
                b"",
                b'[{"a":%b,"b":"x"},{"a":%b,"b":"x"},{"a":%b,"b":"x"}]' % values,
            )
            for order in ("schema", "any")
            for value, values in (("integer", (b"0", b"1", b"2")), ("string", (b'""', b'"a"', b'"b"')))
        ),
        # .. but not where that would leave room for less: what follows can differ as well, and in fewer bytes.
        (
            {
                "type": "array",
                "uniqueItems": True,
                "minItems": 2,
                "items": {"type": "array", "minItems": 2, "prefixItems": [{"type": "object"}, {"type": "integer"}]},
            },
            "any",
            b"",
            b"[[{},0],[{},1]]",
        ),
        # After [true,false the third item to be counted had to be an array with such items, of which the third one ...
        (
            _recursive(
                d={
                    "type": "array",
                    "prefixItems": [{}, {}],
                    "items": {
                        "type": ["array", "boolean"],
                        "items": {"$ref": "#/$defs/d"},
                        "contains": {"contains": {"$ref": "#/$defs/counted"}, "minContains": 3},
                    },
                    "uniqueItems": True,
                    "minItems": 2,
                },
                counted={"type": ["array", "boolean"], "items": {"$ref": "#/$defs/d"}, "minItems": 1},
            ),
            "any",
            b"[true,{},false,",
            b"[[[[0,1]],true,false]]]",
        ),
        # .. or had to be one in which the second item can not be the shortest.
        *(
            (
                _recursive(
                    d={
                        "prefixItems": [{"type": "null"}, {"type": ["array", "integer"]}],
                        "items": {"$ref": "#/$defs/d"},
                        "uniqueItems": True,
                        "contains": {"type": ["array", "null"], "minItems": 3},
                        "minContains": 2,
                    }
                ),
                order,
                b'[null,0,{"',
                b'":0},[null,[0,0,0],0]]',
            )
            for order in ("schema", "any")
        ),
        # Other members were not taken to hold all that they must; other orders of three items were not found.
        *(
            (_recursive(d=_of_objects(unique)), "any", b"", completion)
            for unique, completion in (
                (False, b"[" + b",".join([b'[{},{"a":[]},{"a":null}]'] * 4) + b"]"),
                (
                    True,
                    b'[[{},{"a":[]},{"a":null}],[{"a":[]},{},{"a":null}],'
                    b'[{"a":[]},{"a":null},{}],[{},{"a":null},{"a":[]}]]',
                ),
            )
        ),
        # A fourth item is enough to differ from what has three; the third was made to differ, deeper and deeper.
        (
            _recursive(
                d={
                    "type": "array",
                    "uniqueItems": True,
                    "contains": {"type": "array", "items": {"$ref": "#/$defs/pair"}, "minItems": 3},
                    "minContains": 2,
                },
                pair={
                    "type": "array",
                    "prefixItems": [
                        {"type": "array", "items": {"$ref": "#/$defs/e"}, "uniqueItems": True, "minItems": 1}
                    ],
                    "items": {"$ref": "#/$defs/e"},
                    "uniqueItems": True,
                    "minItems": 2,
                },
                e={
                    "type": ["array", "null"],
                    "uniqueItems": True,
                    "contains": {"type": "array", "items": {"$ref": "#/$defs/d"}},
                    "minContains": 3,
                },
            ),
            "any",
            b"",
            b"[[%b],[%b]]" % (b",".join([b"[[null],null]"] * 3), b",".join([b"[[null],null]"] * 4)),
        ),
        # What lacked, [0,0,0,0], was not what its own items ask for; that was no reason to go on without it.
        (
            {
                "type": "array",
                "items": {
                    "type": "array",
                    "items": {"type": "array", "items": {"type": "integer"}},
                    "contains": {"type": "array", "uniqueItems": True, "minItems": 4},
                },
                "uniqueItems": True,
                "minItems": 2,
            },
            "any",
            b"[[[1,0,0",
            b"],[0,1,2,3]],[[0,1,2,3]]]",
        ),
        # Two values have to be others than the cheapest: the first of what the last is, and the first of that.
        (
            _recursive(
                d={
                    "type": ["array", "boolean"],
                    "prefixItems": [
                        {
                            "type": ["array", "boolean"],
                            "prefixItems": [{"uniqueItems": True, "minItems": 4}],
                            "items": {"$ref": "#/$defs/d"},
                            "minItems": 4,
                            "contains": {
                                "type": "array",
                                "items": {"type": "array", "items": {"$ref": "#/$defs/d"}},
                            },
                        },
                        True,
                    ],
                    "items": {"$ref": "#/$defs/d"},
                    "uniqueItems": True,
                    "minItems": 4,
                }
            ),
            "any",
            b"[true,",
            b"0,false,[[[[],[true],[true,true],[false]],true,true,true],0,true,false]]",
        ),
        # Items of one kind looked short because null, which is there, is of that kind.
        (
            _recursive(
                d={
                    "items": {"type": ["array", "null"], "uniqueItems": True, "minItems": 4},
                    "uniqueItems": True,
                    "minItems": 4,
                    "contains": {"$ref": "#/$defs/d"},
                    "maxContains": 3,
                }
            ),
            "any",
            b"[",
            b"null,[0,1,2,3],[0,4,5,6],[0,7,8,9]]",
        ),
        # An array that could end, but not as what has to be there, was taken for a repetition until it did.
        *(
            (
                _recursive(
                    d={
                        "type": "array",
                        "items": {"enum": [[], [[]], False]},
                        "prefixItems": [{"enum": [1]}, {"$ref": "#/$defs/few"}],
                        "uniqueItems": True,
                        "contains": {
                            "type": ["array", "boolean"],
                            "items": {
                                "type": "array",
                                "items": {"$ref": "#/$defs/few"},
                                "uniqueItems": True,
                                "minItems": 2,
                            },
                            "uniqueItems": True,
                            "contains": {"$ref": "#/$defs/d"},
                        },
                        "minContains": 2,
                        "maxContains": 2,
                    },
                    few={"uniqueItems": True, "maxItems": 3},
                ),
                order,
                b"[1,[[{",
                b"},0],[1,true,false]],false]",
            )
            for order in ("schema", "any")
        ),
        # One array within another looked shorter than two items that are equal, over and over.
        (
            _recursive(
                d={
                    "type": ["array", "null"],
                    "items": {"$ref": "#/$defs/d"},
                    "not": {"type": "array", "items": {"type": "null"}, "uniqueItems": True},
                }
            ),
            "schema",
            b"[[nul",
            b"l,null,null]]",
        ),
        # Arrays of four different ones, of which two in another order are asked for.
        (
            _recursive(
                d={"type": "array", "items": {"$ref": "#/$defs/e"}, "uniqueItems": True},
                e={
                    "type": ["array", "boolean"],
                    "items": {
                        "type": "array",
                        "items": {
                            "type": "array",
                            "items": {"$ref": "#/$defs/d"},
                            "uniqueItems": True,
                            "minItems": 4,
                        },
                        "not": {"$ref": "#/$defs/d"},
                    },
                    "minItems": 2,
                    "uniqueItems": True,
                },
            ),
            "any",
            b"[true,false,",
            None,
        ),
    ],
)
def test_completions_of_what_has_to_differ(
    schema: dict[str, Any], order: str, text: bytes, completion: bytes | None
) -> None:
    matcher = Constraint(schema, property_order=order, whitespace="compact").matcher()
    assert matcher.accept_bytes(text) == len(text)
    rest = matcher.shortest_completion()
    assert completion in (None, rest)
    assert matcher.accept_bytes(rest) == len(rest)
    assert matcher.is_complete
    assert Schema(schema).validate(text + rest)


def test_keys_lead_out_of_what_must_not_hold_them() -> None:
    """An object with a member is one of many that differ, but the array around it is not counted any more then."""
    inner = {"items": {"enum": [{}, [], 1]}, "prefixItems": [True], "uniqueItems": True, "minContains": 2}
    schema = _recursive(d={**inner, "contains": {"type": "array", "prefixItems": [True, {"$ref": "#/$defs/d"}]}})
    for text, rest in ((b"[[0,[[[]],1,{", b"},[]]],[]]"), (b"[[0,[[[]],{", b"},[]]],[]]"), (b"[{", None)):
        matcher = Constraint(schema, SMALL.vocab, whitespace="compact").matcher()
        assert matcher.accept_bytes(text) == len(text) if rest else matcher.accept_bytes(text) < len(text)
        assert rest in (None, matcher.shortest_completion())
        assert matcher.accept_bytes(b'"') == 0


def test_completions_keep_no_memory() -> None:
    """What the end of each of their containers costs was kept until the next token."""
    schema = {"type": "array", "uniqueItems": True, "minItems": 50, "items": {"type": "object"}}
    matcher = Constraint(schema).matcher()
    assert matcher.accept_bytes(b"[{},") == 4
    first = matcher.shortest_completion()
    before = memory_in_use()
    for _ in range(100):
        assert matcher.shortest_completion() == first
    assert memory_in_use() == before


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        # A list of values that was cut short when fewer were wanted: too few to be counted on, but not taken up again.
        (
            {
                "$ref": "#/$defs/first",
                "$defs": {
                    "d": {
                        "type": ["array", "null"],
                        "prefixItems": [{"$ref": "#/$defs/first"}],
                        "items": {"type": "array", "items": {"$ref": "#/$defs/pair"}, "uniqueItems": True},
                        "uniqueItems": True,
                    },
                    "pair": {"type": "array", "minItems": 2, "$ref": "#/$defs/d", "items": {"$ref": "#/$defs/d"}},
                    "first": {
                        "items": {"$ref": "#/$defs/d"},
                        "uniqueItems": True,
                        "anyOf": [{"type": "null"}, {"not": {"items": {"items": {"$ref": "#/$defs/d"}}}}],
                    },
                },
            },
            b"[null,[[[],null,[null,[[null,[]]]]]]]",
        ),
        # What members may hold was still being decided when objects were listed, and that was taken for all of them.
        (
            {
                "$ref": "#/$defs/d",
                "$defs": {
                    "d": {
                        "prefixItems": [
                            {
                                "type": "array",
                                "items": {"contains": {"$ref": "#/$defs/d"}},
                                "oneOf": [{"$ref": "#/$defs/e"}],
                            }
                        ],
                        "required": ["b"],
                        "additionalProperties": {
                            "type": "array",
                            "items": {"type": "object"},
                            "uniqueItems": True,
                            "minItems": 3,
                        },
                    },
                    "e": {
                        "items": {"$ref": "#/$defs/e"},
                        "not": {"type": "array", "prefixItems": [{"$ref": "#/$defs/d"}]},
                        "properties": {
                            "a": {
                                "items": {"$ref": "#/$defs/d"},
                                "uniqueItems": True,
                                "contains": {"$ref": "#/$defs/e"},
                                "minContains": 0,
                                "maxContains": 1,
                            },
                            "b": {"$ref": "#/$defs/d"},
                        },
                    },
                },
            },
            b'{"b":[{},{"a":0},{"c":0}]}',
        ),
    ],
)
def test_values_that_are_there(schema: dict[str, Any], text: bytes) -> None:
    """They were taken not to be, and what leads to them was refused."""
    assert Schema(schema).validate(text)
    matcher = Constraint(schema, whitespace="compact").matcher()
    assert matcher.accept_bytes(text) == len(text)


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {"$ref": "#"}},
        {"not": {"not": {"$ref": "#"}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"not": {"$ref": "#"}}}},
        {"anyOf": [{"type": "string"}, {"allOf": [{"$ref": "#"}]}]},
        {"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"oneOf": [{"$ref": "#/$defs/a"}]}}},
        {"if": True, "then": {"$ref": "#"}},
        {"dependentSchemas": {"a": {"$ref": "#"}}},
    ],
)
def test_schemas_that_never_get_to_a_part(schema: dict[str, Any]) -> None:
    """What they mean is undefined: under `oneOf` they were taken one way, elsewhere the other way."""
    with pytest.raises(SchemaError, match="leads back to itself"):
        Schema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        _recursive(
            d={
                "contains": {
                    "items": {"not": {"items": {"$ref": "#/$defs/d"}}, "oneOf": [{"$ref": "#/$defs/d"}]},
                    "uniqueItems": True,
                }
            }
        ),
        {
            "type": "array",
            "contains": {"items": {"not": {"uniqueItems": True, "maxItems": 9}, "contains": {"const": 1}}},
        },
    ],
)
def test_counted_items_are_refused_at_once(schema: dict[str, Any]) -> None:
    """What `contains` asks of an item was not expanded before an output got there."""
    with pytest.raises(SchemaError, match="not supported"):
        Constraint(schema)


def test_equal_items_among_the_first_are_refused() -> None:
    """They were looked for behind `prefixItems` only, where none fits, so that [1, 1] was rejected."""
    alternatives = [{"items": {"const": 1}}, {"uniqueItems": True}]
    schema = {"prefixItems": [True, True], "items": {"multipleOf": 1.5}, "oneOf": alternatives}
    with pytest.raises(SchemaError, match="the negation of"):
        Schema(schema).validate(b"[1,1]")
