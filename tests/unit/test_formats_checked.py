"""Formats that need the whole text: A-labels of host names are decoded in validation, and not generated."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentrt import Constraint, Schema, SchemaError

HOST = {"type": "string", "format": "hostname"}
GOOD, BAD = "www.xn--bcher-kva.de", "xn--X"


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (HOST, True, False),
        ({"type": "string", "not": {"format": "hostname"}}, False, True),
        ({"type": "string", "not": {"not": {"format": "hostname"}}}, True, False),
        ({"oneOf": [{"format": "hostname"}, {"pattern": "xn--"}]}, False, True),
        ({"if": {"format": "hostname"}, "then": {"minLength": 6}, "else": {"maxLength": 4}}, True, False),
        ({"format": "hostname", "pattern": "xn--"}, True, False),
        ({"format": "hostname", "enum": [GOOD, BAD]}, True, False),
        ({"allOf": [{"format": "hostname"}, {"format": "idn-hostname"}]}, True, False),
        ({"format": "idn-hostname", "maxLength": 253}, True, False),
        ({"anyOf": [{"format": "hostname"}, {"format": "uri"}]}, True, False),
        ({"anyOf": [{"allOf": [{"format": "hostname"}]}, {"pattern": "^q"}, {"not": {"pattern": "n"}}]}, True, False),
    ],
    ids=str,
)
def test_validation_decodes(schema: dict[str, Any], good: bool, bad: bool) -> None:
    compiled = Schema(schema)
    assert compiled.validate(json.dumps(GOOD)) == good
    assert compiled.validate(json.dumps(BAD)) == bad
    both = Schema({"type": "array", "prefixItems": [schema, schema]})
    assert both.validate(json.dumps([GOOD, BAD])) == (good and bad)
    assert Schema(schema, formats="annotate").validate(json.dumps([1])) == Schema(schema).validate("[1]")


def test_escapes_are_spelling() -> None:
    assert Schema(HOST).validate(r'"\u0078n--tda"')
    assert not Schema(HOST).validate(r'"\u0078n--X"')
    assert not Schema(HOST).validate(r'"xn--tda\ud800"')
    assert not Schema(HOST).validate('"xn--tda')


def test_addresses() -> None:
    schema = Schema({"items": {"format": "idn-email"}})
    assert schema.validate(json.dumps(["a@xn--tda", "b@\u00fc.de", "\u00fc@x"]))
    assert not schema.validate(json.dumps(["a@xn--X"]))


def test_long_labels() -> None:
    schema = Schema({"format": "idn-hostname"})
    assert schema.validate(json.dumps("\u00fc" * 57))
    assert not schema.validate(json.dumps("\u00fc" * 58))


def test_generation_leaves_them_out() -> None:
    matcher = Constraint(HOST).matcher()
    assert matcher.accept_bytes(b'"xn--bcher-kva"') == len(b'"xn-')
    matcher.reset()
    assert matcher.accept_bytes(b'"xn-1.xna--b.de"') == len(b'"xn-1.xna--b.de"')
    assert matcher.is_complete
    either = Constraint({"type": "string", "anyOf": [{"format": "hostname"}, {"pattern": "^q"}]}).matcher()
    assert either.accept_bytes(b'"xn--bcher-kva"') == len(b'"xn-')
    listed = Constraint({"format": "hostname", "enum": [BAD, GOOD]}).matcher()
    assert listed.shortest_completion() == json.dumps(GOOD).encode()


def test_only_a_labels_can_not_be_written() -> None:
    schema = {"type": "object", "properties": {"a": {**HOST, "pattern": "^xn--"}}, "required": ["a"]}
    assert Schema(schema).validate(json.dumps({"a": "xn--tda"}))
    matcher = Constraint(schema).matcher()
    with pytest.raises(SchemaError):
        matcher.accept_bytes(b'{"a":"')
    with pytest.raises(SchemaError):
        matcher.shortest_completion()
