"""Vocab, Schema, Constraint and Matcher: arguments, errors, sharing, life cycles."""

from __future__ import annotations

import array
import contextlib
import copy
import gc
import inspect
import pickle
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from _corpus import EOS, small_tokens

import agentrt
from agentrt import ArgumentError, BusyError, Constraint, LimitExceeded, Matcher, ModelError, Schema, SchemaError, Vocab

TOKENS = small_tokens()
EOS_ID = len(TOKENS) + EOS
VOCAB = Vocab(TOKENS, eos=EOS_ID)
WORDS = (len(TOKENS) + 31) // 32


def test_vocab() -> None:
    assert len(VOCAB) == len(TOKENS)
    assert VOCAB[65] == b"A"
    assert VOCAB[EOS_ID] == b"</s>"
    assert VOCAB.memory > 0
    with pytest.raises(IndexError):
        VOCAB[len(TOKENS)]
    for eos in (len(TOKENS), -1, [0, 1 << 40]):
        with pytest.raises(ArgumentError):
            Vocab(TOKENS, eos=eos)
    with pytest.raises(ArgumentError):
        Vocab([])
    assert len(Vocab([b"a", b""], eos=[0, 1])) == 2


def test_vocab_files(tmp_path: Path) -> None:
    path = tmp_path / "v.artv"
    VOCAB.save(path)
    twin = Vocab.open(path)
    assert [twin[i] for i in range(len(twin))] == TOKENS
    mask, other = bytearray(WORDS * 4), bytearray(WORDS * 4)
    Constraint({"type": "string"}, VOCAB).matcher().fill_mask(mask)
    Constraint({"type": "string"}, twin).matcher().fill_mask(other)
    assert mask == other
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError):
        Vocab.open(path)
    with pytest.raises(ModelError):
        Vocab.open(tmp_path / "missing")
    with pytest.raises(ModelError):
        VOCAB.save(tmp_path / "no folder" / "v")


@dataclass
class Point:
    x: int
    y: int = 0


@pytest.mark.parametrize(
    "schema",
    ['{"type": "integer"}', b'{"type": "integer"}', bytearray(b'{"type": "integer"}'), {"type": "integer"}, int],
)
def test_schemas_come_in_many_forms(schema: Any) -> None:
    assert Schema(schema).validate(b"3")
    assert not Schema(schema).validate("3.5")


def test_schema_of_a_type() -> None:
    schema = Schema(Point)
    assert schema.validate('{"x": 1, "y": 2}')
    assert not schema.validate('{"y": 2}')
    assert schema.memory > 0


@pytest.mark.parametrize(("schema", "accepts"), [(True, True), (False, False), ({}, True)])
def test_trivial_schemas(schema: Any, accepts: bool) -> None:
    assert Schema(schema).validate("[1]") is accepts


@pytest.mark.parametrize(
    "text", [b"", b"{", b"nul", b"1 1", b'"\xff"', b"[1,]", b'{"a":1,"a":2}', b"01", b"\xef\xbb\xbf1"]
)
def test_text_that_is_not_json_does_not_fit(text: bytes) -> None:
    assert not Schema(True).validate(text)


def test_registry_and_drafts() -> None:
    registry = {"https://x.test/a": {"type": "integer"}, "https://x.test/b": '{"$ref": "a"}'}
    schema = Schema({"$ref": "https://x.test/b"}, registry=registry)
    assert schema.validate("1")
    assert not schema.validate('"1"')
    with pytest.raises(SchemaError) as caught:
        Schema({"properties": {"p": {"$ref": "https://x.test/c"}}})
    assert caught.value.pointer == "/properties/p/$ref" or caught.value.keyword == "$ref"
    old = Schema({"exclusiveMinimum": True, "minimum": 3}, default_draft="4")
    assert not old.validate("3")
    assert Schema({"format": "ipv4"}, formats="annotate").validate('"x"')
    assert not Schema({"format": "ipv4"}).validate('"x"')


@pytest.mark.parametrize(
    "schema",
    [
        '{"type": "strin',
        '{"type": "text"}',
        {"type": 3},
        {"pattern": "("},
        {"minimum": "3"},
        {"$ref": "#/nowhere"},
        {"required": "a"},
        {"x": float("nan")},
        {"x": object()},
    ],
)
def test_bad_schemas_say_where(schema: Any) -> None:
    with pytest.raises(SchemaError) as caught:
        Schema(schema)
    assert isinstance(caught.value, ValueError)
    assert caught.value.reason


def test_errors_name_the_place() -> None:
    with pytest.raises(SchemaError) as caught:
        Schema({"properties": {"a/b": {"items": {"pattern": "[z-a]"}}}})
    error = caught.value
    assert error.pointer.startswith("/properties/a~1b/items")
    assert error.keyword == "pattern"
    assert error.draft == "2020-12"
    assert "pattern" in str(error)


def without(schema: Any, pointer: str) -> Any:
    """A copy of a schema in which a keyword, a required name or a sub-schema that is false does not count."""
    changed = copy.deepcopy(schema)
    *way, last = (step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
    at = changed
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at[step]
    key = int(last) if isinstance(at, list) else last
    if at[key] is False and way[-1:] in (["properties"], ["allOf"]):
        at[key] = True
    else:
        del at[key]
    return changed


NEVER_ENDS = {"type": "object", "required": ["n"], "properties": {"n": {"$ref": "#/$defs/n"}}}
NO_ITEM = {"type": "string", "anyOf": [{"const": 1}, {"format": "date", "maxLength": 3}]}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": 5, "maximum": 9, "allOf": [{"maximum": 4}], "title": "x"},
        {
            "type": "object",
            "required": ["a", "b", "c"],
            "properties": {"a": {"type": "integer", "minimum": 5}, "b": {"pattern": "^x"}, "c": True},
            "allOf": [
                {"properties": {"b": {"type": "string"}}},
                {"properties": {"a": {"maximum": 3}, "c": {"minimum": 1}}},
            ],
        },
        {"$ref": "#/$defs/n", "$defs": {"n": NEVER_ENDS}},
        {"type": "array", "minItems": 1, "items": NO_ITEM},
        {"type": "object", "required": ["k"], "properties": {"k": False}, "additionalProperties": False},
        {"type": "object", "minProperties": 3, "properties": {"a": {}, "b": {}}, "additionalProperties": False},
    ],
)
def test_contradictions_name_their_keywords(schema: Any) -> None:
    with pytest.raises(SchemaError) as caught:
        Constraint(schema)
    error = caught.value
    assert error.conflict == Schema(schema).conflict()
    assert len(error.conflict) >= 2
    assert error.pointer == error.conflict[0]
    assert all(pointer in error.reason for pointer in error.conflict[:3])
    assert error.draft == "2020-12"
    for pointer in error.conflict:  # none can be missed
        Constraint(without(schema, pointer))


def test_a_schema_with_values_has_no_conflict() -> None:
    assert Schema({"type": "string"}).conflict() == ()
    assert Schema(False).conflict() == ("",)


def test_limits_name_the_place() -> None:
    with pytest.raises(LimitExceeded) as caught:
        Schema({"properties": {"a": {"pattern": "(((a{1000}){1000}){1000}){1000}"}}})
    assert (caught.value.pointer, caught.value.keyword, caught.value.draft) == (
        "/properties/a/pattern",
        "pattern",
        "2020-12",
    )


def test_memory_of_all_objects_together() -> None:
    agentrt.limit_memory(2 << 20)
    try:
        kept: list[Constraint] = []
        with pytest.raises(LimitExceeded, match="2097152 bytes for all objects together"):
            kept.extend(Constraint({"type": "string", "pattern": f"^[a-z]{{{i}}}x"}) for i in range(10_000))
        assert 1 << 20 < agentrt.memory_in_use() <= 2 << 20
        assert kept[0].matcher().accept_bytes(b'"x') == 2
        kept.clear()
        gc.collect()
        assert agentrt.memory_in_use() < 1 << 18
    finally:
        agentrt.limit_memory(0)
    assert agentrt.memory_in_use() == 0
    with pytest.raises(ArgumentError):
        agentrt.limit_memory(-1)


def test_what_is_refused_late_names_the_place() -> None:
    """A part that can not be held is met in mid-output; the step fails and the matcher stays where it was."""
    many = {"allOf": [{"anyOf": [{"required": [f"a{i}"]}, {"minProperties": i + 1}]} for i in range(40)]}
    matcher = Constraint({"properties": {"late": many}}, VOCAB).matcher()
    with pytest.raises(LimitExceeded) as caught:
        matcher.accept_bytes(b'{"late":')
    assert (caught.value.pointer, caught.value.draft) == ("/properties/late", "2020-12")
    assert "ARTI_BRANCHES_MAX" in str(caught.value)
    assert matcher.accept_bytes(b"null") == 4


def test_deep_schemas_end_in_an_error() -> None:
    deep: Any = {}
    for _ in range(200_000):
        deep = {"not": deep}
    with pytest.raises((LimitExceeded, SchemaError)):
        Schema(deep)
    while deep:  # Python's own deallocation of this would recurse
        deep = deep.pop("not")
    with pytest.raises(LimitExceeded):
        Schema('{"items":' * 100_000 + "{}" + "}" * 100_000)
    assert not Schema(True).validate(b"[" * 100_000)


@pytest.mark.parametrize(
    "options",
    [
        {"property_order": "alphabetical"},
        {"whitespace": "lots"},
        {"whitespace": -1},
        {"whitespace": None},
        {"default_draft": "3"},
        {"formats": "ignore"},
    ],
)
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        Constraint({}, VOCAB, **options)


def test_options_of_a_schema_belong_to_it() -> None:
    with pytest.raises(ArgumentError):
        Constraint(Schema({}), VOCAB, formats="annotate")


def test_a_constraint_without_vocabulary_takes_bytes() -> None:
    matcher = Constraint({"enum": ["ab", "ac"]}).matcher()
    assert matcher.forced() == b'"a'
    assert matcher.accept_bytes(b'"ab"x') == 4
    assert matcher.is_complete
    with pytest.raises(agentrt.StateError):
        matcher.fill_mask(bytearray(4))
    with pytest.raises(agentrt.StateError):
        matcher.accept(0)


def test_masks_go_into_any_buffer() -> None:
    numpy = pytest.importorskip("numpy")
    matcher = Constraint({"type": "boolean"}, VOCAB).matcher()
    plain = bytearray(WORDS * 4)
    array = numpy.full(WORDS + 3, -1, dtype=numpy.int32)
    assert matcher.fill_mask(plain) == 2
    assert matcher.fill_mask(array) == 2
    assert bytes(plain) == array[:WORDS].tobytes()
    assert not array[WORDS:].any()
    with pytest.raises(ArgumentError):
        matcher.fill_mask(bytearray(WORDS * 4 - 4))
    with pytest.raises((BufferError, TypeError)):
        matcher.fill_mask(bytes(WORDS * 4))
    assert matcher.fill_mask(plain) == 2


def test_a_whole_output() -> None:
    matcher = Constraint({"const": "a"}, VOCAB).matcher()
    mask = bytearray(WORDS * 4)
    assert matcher.shortest_completion() == b'"a"'
    for byte in b'"a"':
        assert matcher.allows(byte)
        assert matcher.accept(byte)
    assert matcher.is_complete
    assert not matcher.accept(ord("x"))
    assert matcher.accept(EOS_ID)
    assert matcher.is_ended
    assert not matcher.is_complete
    assert matcher.fill_mask(mask) == 0
    matcher.rollback(2)
    assert not matcher.is_ended
    assert matcher.accept(ord('"'))
    with pytest.raises(ArgumentError):
        matcher.rollback(9)
    with pytest.raises(ArgumentError):
        matcher.rollback(-1)
    matcher.reset()
    assert matcher.accept_bytes(b'"a"') == 3


def test_copies_are_independent() -> None:
    matcher = Constraint({"enum": [1, 12]}, VOCAB).matcher()
    matcher.accept(ord("1"))
    twin = copy.copy(matcher)
    assert twin.accept(ord("2"))
    assert not twin.accept(ord("2"))
    assert matcher.is_complete
    assert matcher.accept(ord("2"))


def test_everything_keeps_what_it_needs() -> None:
    matcher = Constraint({"type": "integer"}, Vocab(TOKENS, eos=EOS_ID)).matcher()
    gc.collect()
    assert matcher.fill_mask(bytearray(WORDS * 4)) == 2


def test_a_long_completion() -> None:
    matcher = Constraint({"type": "string", "minLength": 5000}, VOCAB).matcher()
    assert len(matcher.shortest_completion()) == 5002


def in_threads(work: Callable[[], None], n: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_two_threads_on_one_matcher() -> None:
    matcher = Constraint({"type": "array", "items": {"type": "string", "pattern": "^[a-z]*$"}}, VOCAB).matcher()
    matcher.accept_bytes(b'["a')
    busy, wrong = [], []

    def hammer() -> None:
        mask = bytearray(WORDS * 4)
        for _ in range(2000):
            try:
                matcher.fill_mask(mask)
                matcher.allows(ord("b"))
            except BusyError as error:
                busy.append(error)
            except Exception as error:
                wrong.append(error)

    in_threads(hammer, 3)
    assert wrong == []
    assert all(error.code == agentrt._core.lib.ART_E_BUSY for error in busy)


def test_threads_that_bring_buffers_of_their_own() -> None:
    """Each keeps its own as long as the core writes to it, whoever else lends the matcher another meanwhile."""
    matcher = Constraint({"type": "array", "items": {"type": "string"}}, VOCAB).matcher()
    want = bytearray(WORDS * 4)
    matcher.fill_mask(want)
    wrong: list[Any] = []

    def hammer() -> None:
        for _ in range(2000):
            mask = bytearray(WORDS * 4)
            with contextlib.suppress(BusyError):
                matcher.fill_mask(mask)
                if mask != want:
                    wrong.append(mask)

    in_threads(hammer, 3)
    assert wrong == []


def test_what_stands_for_a_token() -> None:
    class Index:
        def __index__(self) -> int:
            return ord("1")

    matcher = Constraint({"type": "integer"}, VOCAB).matcher()
    assert matcher.allows(Index())  # type: ignore[arg-type]
    assert matcher.accept(Index())  # type: ignore[arg-type]
    for method in (matcher.accept, matcher.allows):
        assert not method(0xFFFFFFFF)
        for token in (-1, 2**32, 2**64):
            with pytest.raises(OverflowError):
                method(token)
        for other in ("1", 1.0, None, b"1"):
            with pytest.raises(TypeError):
                method(other)  # type: ignore[arg-type]


def test_buffers_of_masks() -> None:
    matcher = Constraint({"type": "integer"}, VOCAB).matcher()
    mask = bytearray(WORDS * 4)
    assert matcher.fill_mask(mask) == 2
    with pytest.raises(BufferError):
        mask.append(0)
    other = array.array("i", bytes(WORDS * 4))
    for _ in range(2):
        assert matcher.fill_mask(other) == 2
        assert matcher.fill_mask(mask) == 2
    assert other.tobytes() == mask
    for wrong, error in ((bytes(mask), (BufferError, TypeError)), (None, TypeError), (bytearray(4), ArgumentError)):
        with pytest.raises(error):
            matcher.fill_mask(wrong)
        assert matcher.fill_mask(mask) == 2
    assert matcher.fill_mask(other) == 2
    mask.append(0)  # nobody holds it any more


def test_a_matcher_that_its_own_buffer_holds_is_collected() -> None:
    class Mask(bytearray):
        matcher: Matcher

    mask = Mask(WORDS * 4)
    mask.matcher = Constraint({"type": "integer"}, VOCAB).matcher()
    mask.matcher.fill_mask(mask)
    gone = weakref.ref(mask)
    del mask
    gc.collect()
    assert gone() is None


def test_the_methods_of_matchers_are_documented() -> None:
    for method, parameter in ((Matcher.fill_mask, "buffer"), (Matcher.accept, "token"), (Matcher.allows, "token")):
        assert method.__doc__
        assert list(inspect.signature(method).parameters) == ["self", parameter]


def test_a_matcher_without_a_constraint() -> None:
    matcher = Matcher.__new__(Matcher)
    for call in (lambda: matcher.accept(1), lambda: matcher.allows(1), lambda: matcher.fill_mask(bytearray(4))):
        with pytest.raises(RuntimeError):
            call()
    with pytest.raises(TypeError):
        pickle.dumps(Constraint(True, VOCAB).matcher())


def test_one_constraint_many_threads() -> None:
    constraint = Constraint({"type": "object", "additionalProperties": {"type": "integer", "minimum": 3}}, VOCAB)
    masks: list[bytes] = []

    def work() -> None:
        matcher, mask = constraint.matcher(), bytearray(WORDS * 4)
        seen = b""
        for byte in b'{"ab": 31, "c": 4}':
            matcher.fill_mask(mask)
            seen += mask
            assert matcher.accept(byte)
        masks.append(seen)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(masks) == 6
    assert len(set(masks)) == 1


def dialog(**options: Any) -> Constraint:
    arguments = Constraint({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"],
                            "additionalProperties": False}, VOCAB, whitespace="compact")  # fmt: skip
    spec: dict[str, Any] = {
        "begin": "<tool_call>",
        "name_prefix": '\n{"name": "',
        "args_prefix": '", "arguments": ',
        "call_suffix": "}\n",
        "between": "\n",
        "end": "</tool_call>",
    }
    return Constraint.dialog(VOCAB, [("add", arguments), ("sub", arguments)], **{**spec, **options})


def test_a_dialogue() -> None:
    matcher = dialog().matcher()
    call = b'<tool_call>\n{"name": "add", "arguments": {"n":12}}\n</tool_call>'
    assert matcher.is_complete
    assert matcher.accept_bytes(b"Let me see. " + call) == 12 + len(call)
    assert matcher.is_complete
    assert matcher.accept(EOS_ID)
    matcher.reset()
    assert matcher.accept_bytes(b'<tool_call>\n{"name": "mul') == 22
    required = dialog(choice="required").matcher()
    assert required.forced() == b'<tool_call>\n{"name": "'
    rest = required.shortest_completion()
    assert required.accept_bytes(rest) == len(rest)
    assert required.is_complete
    mask = bytearray(WORDS * 4)
    none = dialog(choice="none", reasoning=("<think>", "</think>")).matcher()
    assert none.accept_bytes(b"<think>x</think>text <tool_call") == 31
    none.fill_mask(mask)
    assert not mask[ord(">") // 8] >> ord(">") % 8 & 1
    assert mask[ord("m") // 8] >> ord("m") % 8 & 1


def test_bad_dialogues() -> None:
    for options in ({"begin": ""}, {"choice": "maybe"}, {"reasoning": ("<think>", "")}, {"begin_token": len(TOKENS)}):
        with pytest.raises(ArgumentError):
            dialog(**options)
    with pytest.raises(LimitExceeded):
        dialog(calls_max=100_000)


def test_spaced_holds_writing_to_the_spelling_of_json_dumps() -> None:
    vocab = Vocab([bytes([i]) for i in range(256)] + [b"", b',"', b', "', b".0"], eos=256)
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "array", "items": {"type": "number"}}},
        "required": ["a", "b"],
        "additionalProperties": False,
    }
    matcher = Constraint(schema, vocab, property_order="schema", whitespace="spaced").matcher()
    assert matcher.forced() == b'{"a": '
    assert matcher.accept_bytes(b'{"a": 12') == 8
    assert [token for token in (*b"., e", 257, 258, 259) if matcher.allows(token)] == [ord(","), 258]
    assert matcher.accept_bytes(b",") == 1
    assert matcher.forced() == b' "b": ['
    shortest = matcher.shortest_completion()
    assert matcher.accept_bytes(shortest) == len(shortest)
    assert matcher.is_complete


def test_shortest_completion_of_a_member_that_leaves_its_item_uncounted() -> None:
    counted = {"additionalProperties": {"type": "object", "minProperties": 3}, "anyOf": [{"uniqueItems": True}]}
    matcher = Constraint({"type": "array", "contains": counted}).matcher()
    assert matcher.accept_bytes(b'[{"a') == 4
    shortest = matcher.shortest_completion()
    assert shortest == b'":0},0]'
    assert matcher.accept_bytes(shortest) == len(shortest)


def test_shortest_completion_of_integers_that_are_plain() -> None:
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "type": "integer", "minimum": 1e10}
    matcher = Constraint(schema).matcher()
    shortest = matcher.shortest_completion()
    assert shortest == b"10000000000"
    assert matcher.accept_bytes(shortest) == len(shortest)
