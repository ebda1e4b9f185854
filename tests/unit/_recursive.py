"""Random schemas of arrays whose items differ and that hold arrays of their own kind, and what walks over them find;
shared by tests, not a test itself. tests/fuzz/recursive.py runs it for hours.
"""

from __future__ import annotations

import random
from typing import Any

from _walks import SMALL

from agentrt import Constraint, LimitExceeded, Schema, SchemaError, StateError

STEPS = 40
BYTES = b'[],{}":ab01tfn'  # that walks prefer: what structure is made of


class _Maker:
    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.n = draw.randrange(1, 4)

    def often(self, share: float) -> bool:
        return self.draw.random() < share

    def reference(self) -> dict[str, Any]:
        return {"$ref": f"#/$defs/d{self.draw.randrange(self.n)}"}

    def some(self, depth: int) -> Any:
        draw, kind = self.draw, self.draw.random()
        if kind < 0.1:
            return {"type": draw.choice(["string", "integer", "null", "boolean", "array", "object"])}
        if kind < 0.15:
            return draw.choice([True, False, {}])
        if kind < 0.2:
            values = [None, True, False, 0, 1, "a", "b", [], [[]], {}]
            return {"enum": draw.sample(values, draw.randrange(1, 4))}
        return self.reference() if kind < 0.55 or depth > 2 else self.array(depth + 1)

    def array(self, depth: int) -> dict[str, Any]:
        draw, schema = self.draw, {}
        if self.often(0.6):
            schema["type"] = draw.choice(["array", "array", ["array", "null"], ["array", "boolean"], "object"])
        if self.often(0.8):
            schema["items"] = self.some(depth)
        if self.often(0.2):
            schema["prefixItems"] = [self.some(depth) for _ in range(draw.randrange(1, 3))]
        if self.often(0.7):
            schema["uniqueItems"] = True
        for bound in ("minItems", "maxItems"):
            if self.often(0.2):
                schema[bound] = draw.randrange(5)
        if self.often(0.2):
            schema["contains"] = self.some(depth)
            for bound in ("minContains", "maxContains"):
                if self.often(0.4):
                    schema[bound] = draw.randrange(3)
        if self.often(0.25):
            schema["not"] = self.some(depth)
        for keyword in ("anyOf", "oneOf", "allOf"):
            if self.often(0.15):
                schema[keyword] = [self.some(depth) for _ in range(draw.randrange(1, 4))]
        if self.often(0.12):
            schema |= {"if": self.some(depth), "then": self.some(depth)}
        if self.often(0.2):
            schema["properties"] = {key: self.some(depth) for key in draw.choice(["ab", "ba", "a", ""])}
            if self.often(0.5):
                schema["required"] = draw.sample(["a", "b", ""], draw.randrange(1, 3))
            if self.often(0.5):
                schema["additionalProperties"] = self.some(depth)
        return schema

    def schema(self) -> dict[str, Any]:
        return {"$ref": "#/$defs/d0", "$defs": {f"d{i}": self.array(0) for i in range(self.n)}}


class _DenseMaker(_Maker):
    """Fewer schemas without a value, and more that ask for many items of several kinds."""

    def array(self, depth: int) -> dict[str, Any]:
        draw, schema = self.draw, {}
        if self.often(0.8):
            others = [["array", "null"], ["array", "boolean"], ["array", "integer"]]
            schema["type"] = draw.choice(["array", "array", "array", *others])
        if self.often(0.8):
            schema["items"] = self.some(depth)
        if self.often(0.5):
            schema["prefixItems"] = [self.some(depth) for _ in range(draw.randrange(1, 3))]
        if self.often(0.7):
            schema["uniqueItems"] = True
        if self.often(0.5):
            schema["minItems"] = draw.randrange(1, 5)
        if self.often(0.1):
            schema["maxItems"] = draw.randrange(2, 5)
        if self.often(0.4):
            schema["contains"] = self.some(depth)
            if self.often(0.3):
                schema["minContains"] = draw.randrange(4)
            if self.often(0.2):
                schema["maxContains"] = draw.randrange(1, 4)
        if self.often(0.1):
            schema["not"] = self.some(depth)
        for keyword in ("anyOf", "oneOf"):
            if self.often(0.1):
                schema[keyword] = [self.some(depth) for _ in range(draw.randrange(1, 4))]
        if self.often(0.1):
            schema["properties"] = {key: self.some(depth) for key in draw.choice(["ab", "ba", "a"])}
            if self.often(0.5):
                schema["required"] = draw.sample(["a", "b", ""], draw.randrange(1, 3))
            if self.often(0.5):
                schema["additionalProperties"] = self.some(depth)
            if self.often(0.5):
                schema["type"] = "object"
        return schema


def make(seed: int, dense: bool = False) -> dict[str, Any]:
    return (_DenseMaker if dense else _Maker)(random.Random(seed)).schema()


def check(seed: int, walks: int = 2, dense: bool = False) -> str:
    """What is wrong at some state of walks over the schema; "" where nothing is, or it is refused."""
    schema, draw = make(seed, dense), random.Random(seed)
    try:
        validator = Schema(schema)
        order = "schema" if seed % 3 == 0 else "any"
        constraint = Constraint(validator, SMALL.vocab, property_order=order, whitespace="compact")
    except (SchemaError, LimitExceeded):
        return ""
    single = {token[0]: i for i, token in enumerate(SMALL.tokens) if len(token) == 1}
    for _ in range(walks):
        matcher, text = constraint.matcher(), b""
        for _ in range(STEPS):
            try:
                allowed = [byte for byte, token in single.items() if matcher.allows(token)]
                rest = matcher.shortest_completion()
                end = matcher.copy()
                if end.accept_bytes(rest) != len(rest) or not end.is_complete or not validator.validate(text + rest):
                    return f"wrong completion {rest!r} after {text!r}"
            except StateError:
                return f"no completion after {text!r}"
            except (SchemaError, LimitExceeded):  # where a part is too much work to look at ahead
                break
            if not allowed:
                if not matcher.is_complete:
                    return f"dead end after {text!r}"
                break
            byte = draw.choice([byte for byte in allowed if byte in BYTES] or allowed)
            matcher.accept(single[byte])
            text += bytes([byte])
        said = _check_anew(schema, order, text)
        if said:
            return said
    return ""


def _check_anew(schema: dict[str, Any], order: str, text: bytes) -> str:
    """Does a constraint that was asked nothing before say the same?"""
    try:
        matcher = Constraint(schema, SMALL.vocab, property_order=order, whitespace="compact").matcher()
        read = matcher.accept_bytes(text)
        if read < len(text):
            return f"a new constraint reads only {read} bytes of {text!r}"
        matcher.shortest_completion()
    except StateError:
        return f"a new constraint has no completion after {text!r}"
    except (SchemaError, LimitExceeded):
        pass
    return ""
