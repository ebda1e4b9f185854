"""What comparing with other validators, and walking at random, has found: each once, made as small as it goes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from _walks import SMALL

from agentrt import Constraint, Schema

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
]


@pytest.mark.parametrize(("draft", "schema", "instance", "valid"), INSTANCES)
def test_instance(draft: str, schema: Any, instance: Any, valid: bool) -> None:
    text = json.dumps(instance).encode()
    checker = Schema(schema, default_draft=draft)
    assert checker.validate(text) == valid
    matcher = Constraint(checker, SMALL.vocab).matcher()
    assert (matcher.accept_bytes(text) == len(text) and matcher.is_complete) == valid
