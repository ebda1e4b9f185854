"""Schemas and instances by chance, for comparing engines; shared by tests, not a test itself.

Alphabets are small, so that things meet. A schema takes a few groups of keywords that bear on each other (`properties`
beside `patternProperties`, `contains` beside `uniqueItems`, bounds beside `multipleOf`), combinators nest them, and
references make them recursive. Instances are made from the same keys and values, led by the schema, so that a good part
of them fits or nearly does.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

KEYS = ["a", "b", "ab", "c", "x-1", "é", ""]
STRINGS = ["", "a", "b", "ab", "ba", "aab", "abc", "x-1", "é", "😀", "1", "12", "a b", "\n", '"', "2020-02-29", "::1"]
NUMBERS: list[Any] = [0, 1, 2, 3, 5, 6, 10, -1, -7, 0.5, 1.5, 2.25, -0.25, 100, 1.0, 3.0, 12345678901, 1e-7]
MULTIPLES: list[Any] = [1, 2, 3, 5, 0.5, 0.25, 1.5, 4]
PATTERNS = [
    "a", "^a", "b$", "^ab?$", "^[ab]*$", "^[a-c]{1,2}$", "^(a|bc)+$", "^.$", "^x-", "[0-9]", "^[^a]*$", "^(?!a)",
    "^(?=.*b)a", "^$", "a|b", "^a|b$", "\\d+", "^\\w+$", "\\bab", "^\\S*$", "^(aa)*$", "^é?$", "^.{2,3}$",
]  # fmt: skip
FORMATS = ["date", "ipv4", "uuid", "ipv6", "date-time", "hostname", "email"]
TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]
SCALARS: list[Any] = [None, True, False, *NUMBERS, *STRINGS]


class Maker:
    """Makes schemas of a draft: before 2020-12 with lists as `items`, before 2019-09 with `dependencies`.

    Keywords that a draft does not know are there now and then all the same, and must be ignored.

    focus:  a keyword of arrays or objects that is to come often.
    """

    def __init__(self, draw: random.Random, *, draft: str = "2020-12", formats: bool = False, focus: str = "") -> None:
        self.draw = draw
        self.draft = draft
        self.tuples = draft != "2020-12"  # "items" may be a list
        self.old = draft in ("4", "6", "7")
        self.formats = formats
        self.focus = focus
        self.defs: list[str] = []
        self.level = 0  # definitions below this one may be referred to without going into a value first

    def takes(self, keyword: str, chance: float) -> bool:
        """Does the keyword come? In its focus, nearly always."""
        return self.draw.random() < (0.9 if keyword == self.focus else chance)

    # --- schemas

    def document(self) -> Any:
        """A whole schema."""
        draw = self.draw
        self.defs = [f"d{i}" for i in range(draw.choice([0, 0, 0, 1, 2]))]
        self.level = len(self.defs)
        schema = self.schema(draw.choice([1, 2, 2, 3]))
        if not isinstance(schema, dict):
            schema = {"allOf": [schema]}
        if self.defs:
            place = "definitions" if self.old else "$defs"
            schema[place] = {}
            for i, name in enumerate(self.defs):
                self.level = i
                schema[place][name] = self.schema(draw.choice([1, 2]))
        return in_draft_4(schema) if self.draft == "4" else schema

    def schema(self, depth: int, *, inside: bool = False) -> Any:
        """A schema; inside: for a part of a value, so that any reference may stand here."""
        draw = self.draw
        roll = draw.random()
        if roll < 0.04:
            return draw.choice([True, True, {}, False])
        out: dict[str, Any] = {}
        names = self.defs if inside else self.defs[: self.level]
        if names and draw.random() < 0.25:
            out["$ref"] = f"#/{'definitions' if self.old else '$defs'}/{draw.choice(names)}"
            if self.old or draw.random() < 0.5:
                return out
        kind = draw.choice(["string", "number", "object", "object", "object", "array", "array", "value", "any"])
        if self.focus and draw.random() < 0.5:
            kind = next((kind for kind, words in LEADS.items() if self.focus in words), kind)
        if draw.random() < (0.75 if kind != "any" else 0.3):
            out["type"] = self.types(kind)
        groups = {"string": self.string, "number": self.number, "value": self.value}.get(kind)
        if groups:
            groups(out)
        elif kind == "object":
            self.object(out, depth)
        elif kind == "array":
            self.array(out, depth)
        if kind == "any" or draw.random() < 0.15:
            for group in draw.sample([self.string, self.number], draw.choice([0, 1])):
                group(out)
        if depth > 0 and draw.random() < 0.45:
            self.combine(out, depth - 1, inside)
        return out

    def types(self, kind: str) -> Any:
        draw = self.draw
        one = {"number": draw.choice(["number", "integer"])}.get(kind, kind)
        if one not in TYPES:
            one = draw.choice(TYPES)
        if draw.random() < 0.25:
            return list({one: 1} | dict.fromkeys(draw.sample(TYPES, draw.choice([1, 2])), 1))
        return one

    def value(self, out: dict[str, Any]) -> None:
        draw = self.draw
        if draw.random() < 0.3:
            out["const"] = self.json(1)
        else:
            values = [self.json(draw.choice([0, 0, 1])) for _ in range(draw.randint(1, 4))]
            out["enum"] = [v for i, v in enumerate(values) if not any(same(v, w) for w in values[:i])]

    def string(self, out: dict[str, Any]) -> None:
        draw = self.draw
        if draw.random() < 0.4:
            out["minLength"] = draw.choice([0, 1, 2, 3])
        if draw.random() < 0.4:
            out["maxLength"] = draw.choice([0, 1, 2, 3, 5])
        if draw.random() < 0.5:
            out["pattern"] = draw.choice(PATTERNS)
        if self.formats and draw.random() < 0.2:
            out["format"] = draw.choice(FORMATS)

    def number(self, out: dict[str, Any]) -> None:
        draw = self.draw
        for keyword, chance in (
            ("minimum", 0.4),
            ("maximum", 0.4),
            ("exclusiveMinimum", 0.15),
            ("exclusiveMaximum", 0.15),
        ):
            if draw.random() < chance:
                out[keyword] = draw.choice(NUMBERS)
        if draw.random() < 0.3:
            out["multipleOf"] = draw.choice(MULTIPLES)

    def object(self, out: dict[str, Any], depth: int) -> None:
        draw = self.draw
        deeper = depth - 1

        def sub() -> Any:
            return (
                self.schema(deeper, inside=True)
                if deeper >= 0
                else draw.choice([True, {}, {"type": draw.choice(TYPES)}, False])
            )

        if draw.random() < 0.7:
            out["properties"] = {key: sub() for key in draw.sample(KEYS, draw.randint(1, 3))}
        if self.takes("required", 0.5):
            likely = list(out.get("properties", KEYS)) if draw.random() < 0.8 else KEYS
            out["required"] = draw.sample(likely, min(len(likely), draw.choice([1, 1, 2])))
        if self.takes("patternProperties", 0.25):
            out["patternProperties"] = {p: sub() for p in draw.sample(PATTERNS, draw.choice([1, 1, 2]))}
        if draw.random() < 0.3:
            out["additionalProperties"] = draw.choice([False, False, sub()])
        if self.takes("propertyNames", 0.12):
            out["propertyNames"] = draw.choice(
                [{"maxLength": 1}, {"pattern": draw.choice(PATTERNS)}, {"enum": draw.sample(KEYS, 3)}, {"minLength": 1}]
            )
        if self.takes("minProperties", 0.2):
            out["minProperties"] = draw.choice([0, 1, 2, 3])
        if self.takes("maxProperties", 0.2):
            out["maxProperties"] = draw.choice([0, 1, 2, 3])
        if draw.random() < 0.15:
            needs = {key: draw.sample(KEYS, draw.choice([1, 2])) for key in draw.sample(KEYS, draw.choice([1, 2]))}
            out["dependencies" if self.old else "dependentRequired"] = needs
        if draw.random() < 0.1 and not (self.old and "dependencies" in out):
            out["dependencies" if self.old else "dependentSchemas"] = {draw.choice(KEYS): sub_object(sub())}
        if not self.old and draw.random() < 0.12:
            out["unevaluatedProperties"] = draw.choice([False, False, sub()])

    def array(self, out: dict[str, Any], depth: int) -> None:
        draw = self.draw
        deeper = depth - 1

        def sub() -> Any:
            return (
                self.schema(deeper, inside=True)
                if deeper >= 0
                else draw.choice([True, {"type": draw.choice(TYPES)}, {"const": 1}])
            )

        if draw.random() < 0.3:
            out["items" if self.tuples else "prefixItems"] = [sub() for _ in range(draw.choice([1, 2]))]
            if draw.random() < 0.5:
                out["additionalItems" if self.tuples else "items"] = draw.choice([False, sub()])
        elif draw.random() < 0.7:
            out["items"] = sub()
        if self.takes("minItems", 0.3):
            out["minItems"] = draw.choice([0, 1, 2])
        if self.takes("maxItems", 0.3):
            out["maxItems"] = draw.choice([0, 1, 2, 3])
        if self.takes("uniqueItems", 0.3):
            out["uniqueItems"] = draw.random() < 0.9
        if self.takes("contains", 0.25):
            out["contains"] = sub()
            if not self.old and draw.random() < 0.4:
                out["minContains"] = draw.choice([0, 1, 2])
            if not self.old and draw.random() < 0.4:
                out["maxContains"] = draw.choice([1, 2])
        if not self.old and draw.random() < 0.12:
            out["unevaluatedItems"] = draw.choice([False, False, sub()])

    def combine(self, out: dict[str, Any], depth: int, inside: bool) -> None:
        draw = self.draw

        def sub() -> Any:
            return self.schema(depth, inside=inside)

        kind = draw.choice(["allOf", "anyOf", "anyOf", "oneOf", "oneOf", "not", "if"])
        if kind == "not":
            out["not"] = sub()
        elif kind == "if":
            out["if"] = sub()
            for word in ("then", "else"):
                if draw.random() < 0.7:
                    out[word] = sub()
        else:
            out[kind] = [sub() for _ in range(draw.choice([1, 2, 2, 3]))]

    # --- values

    def json(self, depth: int) -> Any:
        """A value that has nothing to do with any schema."""
        draw = self.draw
        roll = draw.random()
        if depth <= 0 or roll < 0.5:
            return draw.choice(SCALARS)
        if roll < 0.75:
            return [self.json(depth - 1) for _ in range(draw.choice([0, 1, 2, 2, 3]))]
        return {key: self.json(depth - 1) for key in draw.sample(KEYS, draw.choice([0, 1, 2, 3]))}

    def instance(self, root: Any, schema: Any | None = None, depth: int = 5) -> Any:
        """A value made along the schema; it may well not fit."""
        draw = self.draw
        schema = root if schema is None else schema
        if not isinstance(schema, dict) or depth <= 0 or draw.random() < 0.05:
            return self.json(2)
        if "$ref" in schema and draw.random() < 0.8:
            place, name = str(schema["$ref"]).removeprefix("#/").split("/")
            return self.instance(root, root[place][name], depth - 1)
        for keyword in ("allOf", "anyOf", "oneOf"):
            if keyword in schema and draw.random() < 0.5:
                return self.instance(root, draw.choice(schema[keyword]), depth - 1)
        if "then" in schema and draw.random() < 0.3:
            return self.instance(root, schema["then"], depth - 1)
        if "const" in schema and draw.random() < 0.9:
            return schema["const"]
        if "enum" in schema and draw.random() < 0.9:
            return draw.choice(schema["enum"])
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if not kinds:
            kinds = [kind for kind, words in LEADS.items() if words & schema.keys()] or TYPES
        makers: dict[str, Callable[[], Any]] = {
            "null": lambda: None,
            "boolean": lambda: draw.random() < 0.5,
            "integer": lambda: self.some_number(schema, whole=True),
            "number": lambda: self.some_number(schema, whole=False),
            "string": lambda: draw.choice(STRINGS)
            if draw.random() < 0.8
            else "".join(draw.choices("abc1é", k=draw.randint(0, 4))),
            "array": lambda: self.some_array(root, schema, depth),
            "object": lambda: self.some_object(root, schema, depth),
        }
        return makers[draw.choice(kinds)]()

    def some_number(self, schema: dict[str, Any], *, whole: bool) -> Any:
        draw = self.draw
        near = [schema[k] for k in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum") if k in schema]
        if near and draw.random() < 0.6:
            found = draw.choice(near) + draw.choice([0, 1, -1, 2, 0.5])
        elif "multipleOf" in schema and draw.random() < 0.7:
            found = schema["multipleOf"] * draw.randint(-4, 12)
        else:
            found = draw.choice(NUMBERS)
        return int(found) if whole and draw.random() < 0.9 else found

    def some_array(self, root: Any, schema: dict[str, Any], depth: int) -> list[Any]:
        draw = self.draw
        prefix = schema.get("prefixItems", schema["items"] if isinstance(schema.get("items"), list) else [])
        rest = schema.get("additionalItems" if prefix and self.tuples else "items", True)
        size = max(min(draw.randint(0, 4), schema.get("maxItems", 4)), schema.get("minItems", 0))
        if draw.random() < 0.1:
            size = draw.randint(0, 4)
        if rest is False and prefix and draw.random() < 0.8:
            size = min(size, len(prefix))
        out = []
        for i in range(size):
            lead = prefix[i] if i < len(prefix) else rest
            if "contains" in schema and draw.random() < 0.4:
                lead = schema["contains"]
            if schema.get("uniqueItems") and out and draw.random() < 0.15:
                out.append(draw.choice(out))
            else:
                out.append(self.instance(root, lead, depth - 1))
        return out

    def some_object(self, root: Any, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        draw = self.draw
        known = schema.get("properties", {})
        keys = [key for key in known if draw.random() < 0.6]
        keys += [key for key in schema.get("required", []) if draw.random() < 0.93]
        if draw.random() < (0.1 if schema.get("additionalProperties") is False else 0.4):
            keys += draw.sample(KEYS, draw.choice([1, 1, 2]))
        for key, needs in {**schema.get("dependentRequired", {}), **schema.get("dependencies", {})}.items():
            if key in keys and isinstance(needs, list) and draw.random() < 0.8:
                keys += needs
        keys = list(dict.fromkeys(keys))
        draw.shuffle(keys)
        least = schema.get("minProperties", 0)
        while len(keys) < least and draw.random() < 0.8:
            keys = list(dict.fromkeys([*keys, draw.choice(KEYS)]))
        rest = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties", True)]
        return {key: self.instance(root, known.get(key, draw.choice(rest)), depth - 1) for key in keys}


LEADS = {
    "string": {"minLength", "maxLength", "pattern", "format"},
    "number": {"minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"},
    "array": {"items", "prefixItems", "contains", "uniqueItems", "minItems", "maxItems"},
    "object": {"properties", "required", "patternProperties", "additionalProperties", "minProperties", "maxProperties"},
}


PARTS = {  # keywords of draft 4 whose values are schemas, lists of schemas or objects of schemas
    "one": {"not", "additionalItems", "additionalProperties", "items"},
    "many": {"allOf", "anyOf", "oneOf", "items"},
    "named": {"properties", "patternProperties", "definitions", "dependencies"},
}


def in_draft_4(schema: Any) -> Any:
    """The same in draft 4, which has no boolean schemas and writes excluded bounds in its own way."""
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    out: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in ("exclusiveMinimum", "exclusiveMaximum"):
            bound = keyword.removeprefix("exclusive").lower()
            if bound not in schema:
                out[bound] = value
            out[keyword] = True
        elif keyword in PARTS["many"] and isinstance(value, list):
            out[keyword] = [in_draft_4(part) for part in value]
        elif keyword in PARTS["one"]:
            out[keyword] = in_draft_4(value)
        elif keyword in PARTS["named"]:
            out[keyword] = {k: part if isinstance(part, list) else in_draft_4(part) for k, part in value.items()}
        else:
            out[keyword] = value
    return out


def sub_object(schema: Any) -> Any:
    """A schema that says something of objects more often than of others."""
    return {"properties": {"a": schema}} if isinstance(schema, dict) and "properties" not in schema else schema


def same(a: Any, b: Any) -> bool:
    """JSON's equality: numbers by value, and no number is a boolean."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return (type(a) in (int, float) and type(b) in (int, float) and a == b) or (type(a) is type(b) and a == b)


def mutated(value: Any, draw: random.Random) -> Any:
    """The value with one thing changed."""
    maker = Maker(draw)
    if isinstance(value, dict) and value and draw.random() < 0.85:
        out = dict(value)
        key = draw.choice(list(out))
        roll = draw.random()
        if roll < 0.3:
            del out[key]
        elif roll < 0.5:
            out[draw.choice(KEYS)] = maker.json(1)
        else:
            out[key] = mutated(out[key], draw)
        return out
    if isinstance(value, list) and value and draw.random() < 0.85:
        items = list(value)
        at = draw.randrange(len(items))
        roll = draw.random()
        if roll < 0.25:
            del items[at]
        elif roll < 0.5:
            items.insert(at, items[at] if roll < 0.4 else maker.json(1))
        else:
            items[at] = mutated(items[at], draw)
        return items
    if isinstance(value, str) and draw.random() < 0.6:
        return draw.choice([value + "x", value[:-1], value.upper(), value[::-1], "é" + value])
    if isinstance(value, (int, float)) and not isinstance(value, bool) and draw.random() < 0.6:
        return draw.choice([value + 1, -value, value * 2, value + 0.5, str(value)])
    return maker.json(1)
