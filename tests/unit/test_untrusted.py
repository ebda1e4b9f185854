"""Schemas made to hurt: all end soon, in a constraint that can be used or in an error that says what and where."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from _corpus import EOS, small_tokens

from agentrt import AgentrtError, Constraint, LimitExceeded, Schema, SchemaError, Vocab

TOKENS = small_tokens()
VOCAB = Vocab(TOKENS, eos=len(TOKENS) + EOS)
SECONDS = 4.0  # of this process, on a slow and busy machine; alone on a core each takes less than one


def numbered(n: int, name: str = "x") -> list[str]:
    return [f"{name}{i}" for i in range(n)]


def nest(keyword: str, depth: int) -> Any:
    schema: Any = {"type": "integer", "minimum": depth}
    for i in range(depth):
        schema = {keyword: [schema, {"maximum": i, "not": schema}]}
    return schema


def chain(n: int, step: Any, last: Any) -> Any:
    """Definitions of which each asks step(reference to the next one)."""
    defs = {f"x{i}": step({"$ref": f"#/$defs/x{i + 1}"}, i) for i in range(n)}
    return {"$ref": "#/$defs/x0", "$defs": {**defs, f"x{n}": last}}


def require(ref: Any, i: int) -> Any:
    return {"type": "object", "required": ["a"], "properties": {"a": ref}}


CASES: dict[str, Any] = {
    "wide allOf": {"allOf": [{"minimum": i} for i in range(20_000)]},
    "allOf of references": {
        "allOf": [{"$ref": f"#/$defs/{x}"} for x in numbered(20_000)],
        "$defs": {x: {"minProperties": 1} for x in numbered(20_000)},
    },
    "wide oneOf": {"oneOf": [{"minimum": i} for i in range(3000)]},
    "wide oneOf of objects": {
        "oneOf": [{"properties": {x: {"type": "string"}}, "required": [x[-1]]} for x in numbered(1000)]
    },
    "oneOf of constants": {"oneOf": [{"const": {"a": i, "b": [i]}} for i in range(1500)]},
    "nested oneOf": nest("oneOf", 8),
    "nested anyOf": nest("anyOf", 10),
    "nested allOf": nest("allOf", 10),
    "many anyOf": {
        "allOf": [{"anyOf": [{"required": [x]}, {"minProperties": 3}, {"maxProperties": 9}]} for x in numbered(40)]
    },
    "many anyOf that contradict": {
        "type": "object",
        "maxProperties": 3,
        "allOf": [{"anyOf": [{"required": [c + x]} for c in "abc"]} for x in numbered(40)],
    },
    "many if": {
        "type": "object",
        "allOf": [
            {"if": {"properties": {x: {"const": 1}}}, "then": {"required": ["b" + x]}, "else": {"required": ["c" + x]}}
            for x in numbered(20)
        ],
    },
    "many parts of that kind": {
        "type": "object",
        "required": numbered(30),
        "properties": {
            x: {"allOf": [{"anyOf": [{"required": [x + y]}, {"minProperties": 3}]} for y in numbered(40)]}
            for x in numbered(30)
        },
    },
    "dependentSchemas in a ring": {
        "type": "object",
        "dependentSchemas": {
            x: {"required": [f"x{(i * 7 + 1) % 40}"], "properties": {"b": {"minimum": i}}}
            for i, x in enumerate(numbered(40))
        },
    },
    "negations of negations": chain(60, lambda ref, i: {"not": {"oneOf": [ref, {"not": ref, "minimum": i}]}}, {}),
    "doubling allOf": chain(60, lambda ref, i: {"allOf": [ref, ref]}, {"type": "object"}),
    "doubling anyOf": chain(
        40, lambda ref, i: {"anyOf": [ref, {"allOf": [ref, {"required": [f"k{i}"]}]}]}, {"minProperties": 1}
    ),
    "doubling oneOf": chain(
        40, lambda ref, i: {"oneOf": [ref, {"allOf": [ref, {"required": [f"k{i}"]}]}]}, {"minProperties": 1}
    ),
    "long chain of references": chain(30_000, lambda ref, i: ref, {"type": "null"}),
    "long chain of required members": chain(10_000, require, {"type": "null"}),
    "recursive $dynamicRef": {
        "$id": "http://a.test/",
        "$dynamicAnchor": "n",
        "type": "object",
        "required": ["x"],
        "properties": {"x": {"$dynamicRef": "#n"}},
    },
    "many dynamic scopes": {
        "$id": "http://r.test/",
        "$dynamicAnchor": "n",
        "allOf": [{"$ref": x} for x in numbered(12)],
        "$defs": {
            x: {
                "$id": x,
                "$dynamicAnchor": "n",
                "properties": {"k": {"$dynamicRef": "#n"}, **{y: {"$ref": y} for y in numbered(12)}},
            }
            for x in numbered(12)
        },
    },
    "recursion in place under unevaluatedProperties": {
        "$ref": "#/$defs/a",
        "$defs": {
            "a": {
                "dependentSchemas": {"c": {"$ref": "#/$defs/b"}},
                "unevaluatedProperties": {},
                "anyOf": [{"$ref": "#/$defs/b"}, {"type": "object"}],
            },
            "b": {
                "dependentSchemas": {"d": {"$ref": "#/$defs/a"}},
                "unevaluatedProperties": {"type": "string"},
                "anyOf": [{"$ref": "#/$defs/a"}, {"required": ["q"]}],
            },
        },
    },
    "many anchors": {
        "$defs": {x: {"$anchor": x} for x in numbered(20_000)},
        "anyOf": [{"$ref": f"#{x}"} for x in numbered(20_000)],
    },
    "many identifiers": {
        "$defs": {x: {"$id": f"http://a.test/{x}"} for x in numbered(4000)},
        "$ref": "http://a.test/x9",
    },
    "huge enum": {"enum": numbered(300_000)},
    "huge enums that have one value in common": {
        "allOf": [{"enum": numbered(50_000)}, {"enum": [f"x{i}" for i in range(49_999, 99_999)]}]
    },
    "huge enum but for one value": {"enum": numbered(20_000), "not": {"enum": numbered(19_999)}},
    "huge enum of numbers": {"enum": list(range(200_000))},
    "huge enum of objects": {"enum": [{"a": i} for i in range(20_000)]},
    "huge excluded enum": {"type": "string", "not": {"enum": numbered(20_000)}},
    "huge constant": {"const": {x: list(range(20)) for x in numbered(10_000)}},
    "deep constant": '{"const":' + "[" * 400 + "]" * 400 + "}",
    "a million properties": '{"properties":{' + ",".join(f'"p{i}":{{}}' for i in range(1_000_000)) + "}}",
    "many required properties": {
        "type": "object",
        "properties": {x: {"type": "integer"} for x in numbered(50_000)},
        "required": numbered(50_000),
    },
    "many patterns that contradict": {
        "type": "object",
        "patternProperties": {f"^a{{{i}}}b*c{{{i % 7}}}$": {"type": ["string", "null"][i % 2]} for i in range(60)},
        "minProperties": 2,
    },
    "very many patterns": {"patternProperties": {f"^{x}.*y": {"minimum": 1} for x in numbered(1000)}},
    "many conditions on some member": {
        "type": "object",
        "allOf": [{"not": {"patternProperties": {f"^.{{{i}}}": {"type": "string"}}}} for i in range(8)],
        "minProperties": 9,
    },
    "many members to invent": {"type": "object", "minProperties": 1_000_000},
    "many items": {"type": "array", "minItems": 4_000_000_000, "items": {"type": "object", "required": ["a"]}},
    "many characters": {"type": "string", "minLength": 4_000_000_000},
    "many characters of a pattern": {"type": "string", "pattern": "^(ab)*$", "minLength": 999_999_999},
    "many counted items": {"type": "array", "contains": {"const": 1}, "minContains": 1_000_000},
    "many counters": {
        "type": "array",
        "allOf": [{"contains": {"const": i}, "minContains": 9, "maxContains": 20} for i in range(6)],
    },
    "pattern that backtracks": {"type": "string", "pattern": "^(([a-z])+.)+[A-Z]([a-z])+$", "minLength": 30},
    "patterns with many states": {
        "type": "string",
        "allOf": [{"pattern": "^.*a.{25}$"}, {"pattern": "^.*b.{24}$"}, {"not": {"pattern": "^.*c.{23}$"}}],
    },
    "many patterns at once": {"type": "string", "allOf": [{"pattern": f".*{chr(97 + i)}b.*"} for i in range(24)]},
    "many lookaheads": {"type": "string", "pattern": "^" + "".join(f"(?=.*{chr(97 + i)})" for i in range(20))},
    "nested repetitions": {"pattern": "((((((a{1,9}){1,9}){1,9}){1,9}){1,9}){1,9}){1,9}"},
    "long pattern": {"pattern": "|".join(numbered(8000))},
    "number of many digits": '{"minimum":1' + "0" * 100_000 + "}",
    "number with a huge exponent": '{"type":"integer","minimum":1e999999999,"multipleOf":7}',
    "number with a tiny exponent": '{"multipleOf":1e-999999999}',
    "many multiples": {"type": "number", "allOf": [{"multipleOf": 10**30 + 2 * i + 1} for i in range(2000)]},
    "unevaluatedProperties beside many anyOf": {
        "type": "object",
        "allOf": [
            {"anyOf": [{"properties": {x: {"type": "string"}}, "required": [x]}, {"properties": {"b" + x: {}}}]}
            for x in numbered(14)
        ],
        "unevaluatedProperties": False,
    },
    "deep": '{"items":' * 600 + "{}" + "}" * 600,
    "duplicate keyword": '{"type":"object","type":"string"}',
    "not UTF-8": b'{"title":"\xff\xfe"}',
    "zero byte": b'{"title":"a\0b"}',
    "pattern that is not UTF-8": b'{"pattern":"\xed\xa0\x80"}',
    "lone surrogate": b'{"properties":{"\\ud800":{"const":"\\udc00"}},"required":["\\ud800"],"type":"object"}',
}


@pytest.mark.parametrize("name", CASES)
def test_ends_soon(name: str) -> None:
    case = CASES[name]
    text = case if isinstance(case, (str, bytes)) else json.dumps(case)
    said = None
    start = time.process_time()
    try:
        schema = Schema(text)
        matcher = Constraint(schema, VOCAB).matcher()
        mask = bytearray((len(VOCAB) + 31) // 32 * 4)
        assert matcher.fill_mask(mask) > 0
        matcher.accept_bytes(b'{"a":[')
        if not matcher.is_complete:
            assert matcher.fill_mask(mask) > 0
        assert schema.memory <= 64 << 20
    except (SchemaError, LimitExceeded) as error:
        said = str(error)
    assert said is None or len(said) > 10
    assert time.process_time() - start < SECONDS


def test_errors_are_the_same_every_time() -> None:
    schema = json.dumps(CASES["many anyOf that contradict"])
    said = set()
    for _ in range(3):
        with pytest.raises(AgentrtError) as caught:
            Constraint(schema)
        said.add(str(caught.value))
    assert len(said) == 1
