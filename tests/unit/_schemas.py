"""Schemas that have a bit of everything; shared by tests, not a test itself."""

from __future__ import annotations

from typing import Any

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
