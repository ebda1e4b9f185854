"""What `agentrt schema check` finds out: support, cost, and instances that show what a schema allows."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from .constraint import Constraint, Schema, Vocab
from .errors import LimitExceeded, SchemaError

__all__ = ["Report", "check"]

_WALK_BYTES = 120  # after so many random bytes an instance is closed


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """supported:     whether the schema can be held to.
    reason, pointer, keyword: what is in the way, and where.
    compile_ms:    parsing and preparing.
    first_mask_ms: with a vocabulary: until the first mask is there.
    memory:        bytes that the schema and its tables hold after the instances were made.
    shortest:      a shortest instance; instances: random ones.
    """

    supported: bool
    reason: str = ""
    pointer: str = ""
    keyword: str = ""
    compile_ms: float = 0.0
    first_mask_ms: float | None = None
    memory: int = 0
    shortest: str = ""
    instances: list[str] = []

    def lines(self) -> Iterator[str]:
        """The report for a person."""
        if not self.supported:
            yield f"refused: {self.reason}"
            if self.keyword:
                yield f"keyword: {self.keyword}"
            yield f"where:   {self.pointer or 'the root of the schema'}"
            return
        yield "supported: every keyword is held to while the output is written"
        mask = "" if self.first_mask_ms is None else f", first mask after {self.first_mask_ms:.2f} ms"
        yield f"cost:      compiled in {self.compile_ms:.2f} ms{mask}, {self.memory / 1024:.0f} KiB"
        yield f"shortest:  {self.shortest}"
        for i, instance in enumerate(self.instances):
            yield f"{'random:' if i == 0 else '':11}{instance}"


def check(text: str, *, vocab: Vocab | None = None, instances: int = 3, seed: int = 0) -> Report:
    """Look at the schema that *text* is."""
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
        draw = random.Random(seed)
        walked = [_instance(constraint, draw) for _ in range(instances)]
    except SchemaError as error:
        return Report(supported=False, reason=error.reason, pointer=error.pointer, keyword=error.keyword)
    except LimitExceeded as error:
        return Report(supported=False, reason=str(error))
    return Report(
        supported=True,
        compile_ms=compile_ms,
        first_mask_ms=first_mask_ms,
        memory=schema.memory,
        shortest=shortest,
        instances=list(dict.fromkeys(walked)),
    )


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
