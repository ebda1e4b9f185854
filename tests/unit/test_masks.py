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
from _schemas import SCHEMAS
from _walks import SMALL, feed, no_duplicates, spell, walk

from agentrt import ArgumentError, Constraint, Schema, SchemaError

TOKENS, EOS_ID, VOCAB, N_BYTES = SMALL.tokens, SMALL.eos, SMALL.vocab, SMALL.n_bytes

OPTIONS: list[dict[str, Any]] = [{}, {"property_order": "schema"}, {"whitespace": "compact"}, {"whitespace": 1}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", SCHEMAS)
def test_walks_end_in_valid_instances(name: str, options: dict[str, Any]) -> None:
    schema = SCHEMAS[name]
    constraint = Constraint(schema, VOCAB, **options)
    validator = jsonschema.Draft202012Validator(schema)
    checker = Schema(schema)
    draw = random.Random(name)
    for round_ in range(6):
        text = walk(SMALL, constraint, draw, draw.choice([0, 3, 12, 40]) if round_ else 0)
        value = json.loads(text, object_pairs_hook=no_duplicates)
        assert validator.is_valid(value), f"{text!r} does not fit"
        assert checker.validate(text)


@pytest.mark.parametrize("name", SCHEMAS)
def test_mask_equals_asking_for_each_token(name: str) -> None:
    constraint = Constraint(SCHEMAS[name], VOCAB)
    matcher, mask = constraint.matcher(), bytearray(N_BYTES)
    draw = random.Random(name)
    for _ in range(25):
        matcher.fill_mask(mask)
        ids = SMALL.allowed(mask)
        assert ids == [i for i in range(len(TOKENS)) if matcher.allows(i)]
        choices = [i for i in ids if i != EOS_ID]
        if not choices:
            break
        assert matcher.accept(draw.choice(choices))


def random_object(draw: random.Random, depth: int) -> dict[str, Any]:
    """An object schema with declared names, free or patterned other keys, and more of them below."""

    def value() -> Any:
        if depth and draw.random() < 0.3:
            return random_object(draw, depth - 1)
        return draw.choice(
            [
                True,
                {"type": "string"},
                {"type": "integer", "minimum": draw.choice([0, 3]), "maximum": draw.choice([9, 120])},
                {"type": "number", "minimum": 0},
                {"enum": ["a", "ab", "true", 1, None]},
                {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
                {"type": ["boolean", "null"]},
            ]
        )

    names = draw.sample(["a", "ab", "name", "id", "type", "kind", "é", ""], draw.randint(0, 5))
    schema: dict[str, Any] = {"type": "object", "properties": {name: value() for name in names}}
    if names and draw.random() < 0.5:
        schema["required"] = draw.sample(names, draw.randint(1, len(names)))
    if draw.random() < 0.4:
        patterns = ["^a", "b$", "^[a-z]+$", "^x-", "^[ab]{1,2}$", "^$"]
        schema["patternProperties"] = {p: value() for p in draw.sample(patterns, draw.randint(1, 2))}
    if draw.random() < 0.5:
        schema["additionalProperties"] = draw.choice([False, value()])
    if draw.random() < 0.2:
        schema["propertyNames"] = draw.choice(
            [{"maxLength": 3}, {"pattern": "^[a-z]*$"}, {"enum": ["a", "ab", "é", "x"]}]
        )
    if draw.random() < 0.3:
        schema["maxProperties"] = draw.randint(1, 4)
    return schema


@pytest.mark.parametrize("whitespace", ["any", "compact", "spaced", 1, 3], ids=str)
@pytest.mark.parametrize("seed", range(12))
def test_masks_of_random_objects(seed: int, whitespace: str | int) -> None:
    draw = random.Random(f"{seed} {whitespace}")
    schema = random_object(draw, 2)
    order = draw.choice(["any", "schema"])
    try:
        constraint = Constraint(schema, VOCAB, whitespace=whitespace, property_order=order)
    except SchemaError:
        return  # no value fits: some required name is barred
    for _ in range(3):
        matcher, mask = constraint.matcher(), bytearray(N_BYTES)
        for _ in range(25):
            matcher.fill_mask(mask)
            ids = SMALL.allowed(mask)
            assert ids == [i for i in range(len(TOKENS)) if matcher.allows(i)], schema
            assert ids, f"dead end: {schema}"
            quotes = [i for i in ids if b'"' in TOKENS[i] or b":" in TOKENS[i]]
            choice = draw.choice(quotes if quotes and draw.random() < 0.5 else ids)
            assert matcher.accept(choice)
            if choice == EOS_ID:
                break


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_allowed_token_goes_on_with_what_is_forced(name: str) -> None:
    constraint = Constraint(SCHEMAS[name], VOCAB, whitespace="compact")
    matcher, mask = constraint.matcher(), bytearray(N_BYTES)
    draw = random.Random(name)
    for _ in range(25):
        matcher.fill_mask(mask)
        ids = SMALL.allowed(mask)
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
        mask = bytearray(N_BYTES)
        matcher.fill_mask(mask)
        masks.append(mask)
        choices = [i for i in SMALL.allowed(mask) if i != EOS_ID]
        if not choices:
            break
        assert matcher.accept(draw.choice(choices))
    else:
        masks.append(bytearray(N_BYTES))
    for steps in (1, 2, 3):
        if len(masks) <= steps + 1:
            break
        twin = matcher.copy()
        twin.rollback(steps)
        again = bytearray(N_BYTES)
        twin.fill_mask(again)
        assert again == masks[len(masks) - 1 - steps]
    with pytest.raises(ArgumentError):
        matcher.rollback(len(masks))


# --- completeness: any spelling of a valid instance is accepted, in any tokenisation


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
            assert feed(SMALL, constraint, text, draw) == "", text


def test_unsatisfiable_is_an_error() -> None:
    with pytest.raises(SchemaError):
        Constraint({"type": "string", "minLength": 3, "maxLength": 2}, VOCAB)
