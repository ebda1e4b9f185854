"""What `agentrt schema check` finds out: support, cost, and instances that show what a schema allows."""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from ._core import lib
from .constraint import Constraint, Schema, Vocab
from .errors import LimitExceeded, SchemaError

__all__ = ["Report", "check"]

_WALK_BYTES = 120  # after so many random bytes an instance is closed


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """supported:     whether the schema can be held to.
    draft:         that it was read as.
    reason, pointer, keyword: what is in the way, and where; place: that in a text which is not JSON.
    conflict:      when no value fits: the keywords that can not hold together, by pointer, with their values.
    keywords:      how often each keyword is used.
    ignored:       members of schemas that ask for nothing: neither keywords nor annotations of any draft, by pointer.
    annotations:   values of "format" that are no defined format, by pointer.
    refused_late:  parts that are refused when an output gets there.
    empty:         schema objects that no value fits.
    compile_ms:    parsing and preparing.
    first_mask_ms: with a vocabulary: until the first mask is there; tokens: of the vocabulary.
    parts, alternatives, states: what the schema comes to when everything is looked at.
    memory:        bytes that this takes.
    shortest:      a shortest instance; instances: random ones.
    """

    supported: bool
    draft: str = ""
    reason: str = ""
    pointer: str = ""
    keyword: str = ""
    place: str = ""
    conflict: dict[str, str] = {}
    keywords: dict[str, int] = {}
    ignored: list[str] = []
    annotations: list[str] = []
    refused_late: list[str] = []
    empty: list[str] = []
    compile_ms: float = 0.0
    first_mask_ms: float | None = None
    tokens: int = 0
    parts: int = 0
    alternatives: int = 0
    states: int = 0
    memory: int = 0
    shortest: str = ""
    instances: list[str] = []

    def lines(self) -> Iterator[str]:
        """The report for a person."""
        if self.supported:
            but = ", but for parts that are refused when it gets there:" if self.refused_late else ""
            yield f"supported: every keyword is held to while the output is written{but}"
            yield from _listed("", self.refused_late)
        else:
            yield f"refused:   {self.reason}"
        yield from _listed("draft", [self.draft] if self.draft else [])
        if not self.supported:
            if self.conflict:
                yield from _listed("conflict", [f"{at}: {value}" for at, value in self.conflict.items()])
            else:
                yield from _listed("keyword", [self.keyword] if self.keyword else [])
                yield from _listed("where", [self.place or self.pointer or "the root of the schema"])
        used = ", ".join(f"{name} {n}" if n > 1 else name for name, n in self.keywords.items())
        yield from _listed("keywords", [used] if used else [])
        yield from _listed("ignored", [f"{at}: no keyword that is known" for at in self.ignored])
        yield from _listed("", [f"{at}: a format that only annotates" for at in self.annotations])
        yield from _listed("empty", self.empty)
        if not self.supported:
            return
        mask = ""
        if self.first_mask_ms is not None:
            mask = f", first mask over {self.tokens:,} tokens after {self.first_mask_ms:.2f} ms"
        yield f"cost:      compiled in {self.compile_ms:.2f} ms{mask}"
        yield (
            f"           {self.parts} parts with {self.alternatives} alternatives and {self.states} states; "
            f"{self.memory / 1024:.0f} KiB when all of it is used"
        )
        yield f"shortest:  {self.shortest}"
        yield from _listed("random", self.instances)


def _listed(name: str, items: list[str], most: int = 12) -> Iterator[str]:
    for i, item in enumerate(items[:most]):
        yield f"{name + ':' if i == 0 and name else '':11}{item}"
    if len(items) > most:
        yield f"{'':11}and {len(items) - most} more"


def check(text: bytes, *, vocab: Vocab | None = None, instances: int = 3, seed: int = 0) -> Report:
    """Look at the schema that *text* is, in UTF-8."""
    text = text.removeprefix(b"\xef\xbb\xbf")  # some editors begin files with this mark
    document = _parsed(text)
    about = _about(document)
    start = time.perf_counter()
    try:
        schema = Schema(text)
        constraint = Constraint(schema, vocab, whitespace="compact")
        compile_ms = (time.perf_counter() - start) * 1e3
        first_mask_ms = None
        if vocab is not None:
            start = time.perf_counter()
            constraint.matcher().fill_mask(bytearray((len(vocab) + 31) // 32 * 4))
            first_mask_ms = (time.perf_counter() - start) * 1e3
        shortest = constraint.matcher().shortest_completion().decode()
        survey = schema.survey()
    except (SchemaError, LimitExceeded) as error:
        return Report(
            supported=False,
            reason=error.reason if isinstance(error, SchemaError) else str(error),
            draft=error.draft,
            pointer=error.pointer,
            keyword=error.keyword,
            place=_line(text, error.pos) if error.code == lib.ART_E_SYNTAX else "",
            conflict=_values(document, error.conflict) if isinstance(error, SchemaError) else {},
            **about,
        )
    draw = random.Random(seed)
    walked = []
    for _ in range(instances):
        with contextlib.suppress(SchemaError, LimitExceeded):  # what is refused late is told as such
            walked.append(_instance(constraint, draw))
    return Report(
        supported=True,
        draft=survey.draft,
        refused_late=[str(error) for error in survey.refused_late],
        empty=[f"{error.pointer}: {error.reason}" for error in survey.empty],
        compile_ms=compile_ms,
        first_mask_ms=first_mask_ms,
        tokens=0 if vocab is None else len(vocab),
        parts=survey.parts,
        alternatives=survey.alternatives,
        states=survey.states,
        memory=survey.memory,
        shortest=shortest,
        instances=list(dict.fromkeys(walked)),
        **about,
    )


# ---------------------------------------------------------------- the document

_ONE = {"additionalProperties", "propertyNames", "contains", "not", "if", "then", "else", "additionalItems",
        "unevaluatedItems", "unevaluatedProperties"}  # fmt: skip
_SEVERAL = {"allOf", "anyOf", "oneOf", "prefixItems", "items"}
_NAMED = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"}
_ASSERTING = {"type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum",
          "maxLength", "minLength", "pattern", "format", "maxItems", "minItems", "uniqueItems", "maxContains",
          "minContains", "maxProperties", "minProperties", "required", "dependentRequired", "$ref", "$dynamicRef",
          "$recursiveRef"}  # fmt: skip
_SILENT = {"$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary", "$comment", "title",
           "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "contentEncoding",
           "contentMediaType", "contentSchema", "$defs", "definitions"}  # fmt: skip
_FORMATS = {"date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6",
            "uri", "uri-reference", "iri", "iri-reference", "uuid", "uri-template", "json-pointer",
            "relative-json-pointer", "regex"}  # fmt: skip


def _parsed(text: bytes) -> Any:
    """The document; True, of which there is nothing to tell, for one that Python does not read."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return True


def _line(text: bytes, pos: int) -> str:
    """Where a byte is, as editors count."""
    before = text[:pos].decode("utf-8", "replace")
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def _about(document: Any) -> dict[str, Any]:
    """Keywords, what is ignored and what only annotates, as far as the document itself tells."""
    keywords: dict[str, int] = {}
    ignored, annotations = [], []
    todo = [("", document)]
    while todo:
        at, schema = todo.pop()
        if not isinstance(schema, dict):
            continue
        for name, value in schema.items():
            here = f"{at}/{_escaped(name)}"
            if name in _NAMED and isinstance(value, dict):
                todo += [(f"{here}/{_escaped(key)}", below) for key, below in reversed(value.items())]
            elif name in _SEVERAL and isinstance(value, list):
                todo += [(f"{here}/{i}", below) for i, below in reversed(list(enumerate(value)))]
            elif name in _ONE or name == "items":
                todo.append((here, value))
            if name in _SILENT:
                continue
            if name not in _ONE | _SEVERAL | _NAMED | _ASSERTING:
                ignored.append(here)
                continue
            keywords[name] = keywords.get(name, 0) + 1
            if name == "format" and value not in _FORMATS:
                annotations.append(f"{here} {value!r}")
    keywords = dict(sorted(keywords.items(), key=lambda item: (-item[1], item[0])))
    return {"keywords": keywords, "ignored": ignored, "annotations": annotations}


def _escaped(key: str) -> str:
    """A step of a pointer; lone surrogates, which no text has, as question marks."""
    return key.replace("~", "~0").replace("/", "~1").encode("utf-8", "replace").decode()


def _values(document: Any, pointers: tuple[str, ...]) -> dict[str, str]:
    """The values at pointers, shortened."""
    found = {}
    for pointer in pointers:
        value = document
        try:
            for step in pointer.split("/")[1:]:
                key = step.replace("~1", "/").replace("~0", "~")
                value = value[int(key)] if isinstance(value, list) else value[key]
            said = json.dumps(value)
        except (LookupError, ValueError, TypeError):  # in another document
            said = "(in the registry)"
        found[pointer or "the root"] = said if len(said) <= 60 else said[:57] + "..."
    return found


# ---------------------------------------------------------------- instances

# What random text is made of: mostly letters, so that strings are pleasant to read, and all of JSON's own characters.
_LETTERS = b"abcdefghijklmnopqrstuvwxyz"
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@+ "
_STRUCTURE = b'{}[],:"tfn'


def _instance(constraint: Constraint, draw: random.Random) -> str:
    """A walk over bytes that are allowed, closed by a shortest completion."""
    matcher = constraint.matcher()
    written = bytearray()
    while len(written) < _WALK_BYTES:
        forced = matcher.forced()
        if forced:
            matcher.accept_bytes(forced)
            written += forced
            continue
        if matcher.is_complete and draw.random() < 0.5:
            break
        byte = _draw_byte(matcher, draw)
        if byte is None:
            break
        written += byte
    written += matcher.shortest_completion()
    return written.decode("utf-8", "replace")


def _draw_byte(matcher: Any, draw: random.Random) -> bytes | None:
    """Take one allowed byte: structure as often as letters, so that values end."""
    groups = [_STRUCTURE, _LETTERS, _PLAIN]
    draw.shuffle(groups)
    for group in (*groups, bytes(range(0x20, 0x7F)), bytes(range(0x100))):
        for code in draw.sample(group, len(group)):
            byte = bytes([code])
            if matcher.accept_bytes(byte):
                return byte
    return None
