"""Formats that need the whole text: A-labels are decoded in validation and not generated, and labels are in NFC."""

from __future__ import annotations

import json
import random
import unicodedata
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
    apart = "e\u0301@e\u0301.de"  # the official test suite does not ask addresses for NFC
    assert schema.validate(json.dumps([apart]))
    assert not schema.validate(json.dumps(["a@xn--e-xbb"]))
    matcher = Constraint({"type": "string", "format": "idn-email"}).matcher()
    assert matcher.accept_bytes(json.dumps(apart, ensure_ascii=False).encode()) == len(apart.encode()) + 2
    assert matcher.is_complete


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


def composing() -> list[list[str]]:
    """Characters that NFC is about, by script: what composes, what it composes to, and marks."""
    scripts: dict[int, set[str]] = {}
    for cp in range(0x80, 0x20000):
        c = chr(cp)
        parts = unicodedata.normalize("NFD", c)
        composed = c != parts and unicodedata.normalize("NFC", parts) == c and not 0xAC00 <= cp <= 0xD7A3
        for one in {c, *parts} if composed else {c} if unicodedata.combining(c) else ():
            scripts.setdefault(cp >> 7, set()).add(one.lower())
    return [sorted(one for one in found if len(one) == 1) for found in scripts.values()]


def test_normalisation() -> None:
    """A label that fits is in NFC, and one that could be written fits. Older tables agree on what they have."""
    draw = random.Random(7)
    pools = composing()
    schema, matcher = (
        Schema({"format": "idn-hostname"}),
        Constraint({"type": "string", "format": "idn-hostname"}).matcher(),
    )
    fits = written = refused = 0
    for _ in range(4000):
        pool = draw.choice(pools)
        starters = [c for c in pool if not unicodedata.category(c).startswith("M")] or ["a"]
        label = draw.choice(starters) + "".join(draw.choices(pool, k=draw.randint(0, 3)))
        if draw.random() < 0.5:
            label = unicodedata.normalize("NFC", label)
        text = json.dumps(label, ensure_ascii=False)
        normal = unicodedata.is_normalized("NFC", label)
        valid = schema.validate(text)
        if valid:
            assert normal, ascii(label)
            fits += 1
        elif not normal and schema.validate(json.dumps(unicodedata.normalize("NFC", label))):
            refused += 1
        matcher.reset()
        if matcher.accept_bytes(text.encode()) == len(text.encode()) and matcher.is_complete:
            assert valid, ascii(label)
            written += 1
    assert fits > 2000
    assert written > 0.5 * fits  # most of these are piles of marks
    assert refused > 100


LABELS = """
b\u00fccher ελλάδα россия việtnam nɛ́ नमस्ते क़्य বাংলা ড়াক தமிழ் ශ්\u200dරී ไทย
ปู่ ກຸ້ງ မြန်မာ့် ភាសា 한국 日本 が مصر ישראל հայ საქ ትግር
"""


@pytest.mark.parametrize("label", LABELS.split())
def test_labels_that_can_be_written(label: str) -> None:
    assert unicodedata.is_normalized("NFC", label)
    text = json.dumps(label, ensure_ascii=False).encode()
    schema = {"type": "string", "format": "idn-hostname"}
    assert Schema(schema).validate(text)
    matcher = Constraint(schema).matcher()
    assert matcher.accept_bytes(text) == len(text)
    assert matcher.is_complete


@pytest.mark.parametrize(
    ("schema", "whole", "apart"),
    [
        ({"format": "idn-hostname"}, True, False),
        ({"not": {"format": "idn-hostname"}}, False, True),
        ({"if": {"format": "idn-hostname"}, "then": {"maxLength": 1}, "else": {"minLength": 3}}, True, False),
        ({"oneOf": [{"format": "idn-hostname"}, {"pattern": "^e"}]}, True, True),
        ({"oneOf": [{"format": "idn-hostname"}, {"pattern": "^[^e]"}]}, False, False),
        ({"format": "hostname"}, False, False),
        ({"format": "iri-reference"}, True, True),
    ],
    ids=str,
)
def test_normalisation_under_other_keywords(schema: dict[str, Any], whole: bool, apart: bool) -> None:
    compiled = Schema(schema)
    assert compiled.validate('"\u00e9"') == whole
    assert compiled.validate('"e\u0301"') == apart
    assert compiled.validate('"\\u00e9"') == whole
    assert compiled.validate('"e\\u0301"') == apart


def test_only_a_labels_can_not_be_written() -> None:
    schema = {"type": "object", "properties": {"a": {**HOST, "pattern": "^xn--"}}, "required": ["a"]}
    assert Schema(schema).validate(json.dumps({"a": "xn--tda"}))
    matcher = Constraint(schema).matcher()
    with pytest.raises(SchemaError):
        matcher.accept_bytes(b'{"a":"')
    with pytest.raises(SchemaError):
        matcher.shortest_completion()


def test_one_of_a_domain_name_and_a_length() -> None:
    """What belongs to just one of the two: names of four characters or more, and short texts that are no names."""
    schema = Schema({"type": "string", "oneOf": [{"format": "idn-hostname"}, {"maxLength": 3}]})
    texts = {"bücher": True, "b--c.d": True, "abc": False, "": True, "a b": True, "a bc": False, "-": True}
    for text, valid in texts.items():
        raw = json.dumps(text, ensure_ascii=False).encode()
        assert schema.validate(raw) == valid, text
        matcher = Constraint(schema).matcher()
        assert (matcher.accept_bytes(raw) == len(raw) and matcher.is_complete) == valid, text
