"""Walks over masks, and spellings and tokenisations of values; shared by tests, not a test itself."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import numpy as np
from _corpus import EOS, small_tokens

from agentrt import Constraint, Matcher, Schema, Vocab

HARDLY_FINITE = re.compile(rb"[eE][+-]?[0-9]*[0-9]{3}[^0-9]?$|[0-9.]{250}[^0-9]?$")  # a number at the end of a text


class Tokens:
    """A vocabulary, and what tests ask of it."""

    def __init__(self, tokens: list[bytes], eos: int) -> None:
        self.tokens = tokens
        self.eos = eos
        self.vocab = Vocab(tokens, eos=eos)
        self.n_bytes = (len(tokens) + 31) // 32 * 4
        self.ids: dict[bytes, list[int]] = {}
        for i, token in enumerate(tokens):
            if token and i != eos:
                self.ids.setdefault(token, []).append(i)
        self.longest = max(map(len, self.ids))
        self.closing = {i for i, token in enumerate(tokens) if token[:1] in (b'"', b"]", b"}", b",", b":") and i != eos}

    def allowed(self, mask: bytearray) -> list[int]:
        """The ids whose bits are set."""
        ids: list[int] = np.flatnonzero(np.unpackbits(np.frombuffer(mask, np.uint8), bitorder="little")).tolist()
        assert not ids or ids[-1] < len(self.tokens), "bits past the last token"
        return ids

    def tokenise(self, text: bytes, draw: random.Random) -> list[int]:
        """Some sequence of tokens that spells the text."""
        out, at = [], 0
        while at < len(text):
            fitting = [n for n in range(1, min(self.longest, len(text) - at) + 1) if text[at : at + n] in self.ids]
            size = draw.choice(fitting)
            out.append(draw.choice(self.ids[text[at : at + size]]))
            at += size
        return out


SMALL = Tokens(small_tokens(), len(small_tokens()) + EOS)


def walk(
    tokens: Tokens, constraint: Constraint, draw: random.Random, budget: int, *, lead: float = 0.4, start: bytes = b""
) -> bytes:
    """A random output, closed with the shortest completion when the budget of bytes is used up.

    lead:   how often a choice is made among tokens that begin with what closes something, instead of among all.
    start:  what the output begins with, as far as it is taken.
    """
    matcher, mask = constraint.matcher(), bytearray(tokens.n_bytes)
    written = start[: matcher.accept_bytes(start)]
    end = len(written) + budget
    while len(written) < end:
        count = matcher.fill_mask(mask)
        ids = tokens.allowed(mask)
        assert min(len(ids), 2) == count
        assert ids, f"dead end after {written!r}"
        if tokens.eos in ids:
            assert matcher.is_complete, f"end of sequence allowed after {written!r}"
            if draw.random() < 0.5:
                return written
            ids.remove(tokens.eos)
            if not ids:
                return written
        else:
            assert not matcher.is_complete, f"end of sequence not allowed after {written!r}"
        closing = [i for i in ids if i in tokens.closing] if draw.random() < lead else []
        token = draw.choice(closing or ids)
        assert matcher.accept(token), f"{tokens.tokens[token]!r} is in the mask and refused after {written!r}"
        written += tokens.tokens[token]
    rest = matcher.shortest_completion()
    assert matcher.accept_bytes(rest) == len(rest), f"{rest!r} refused after {written!r}"
    assert matcher.is_complete, f"not complete after {written!r} and {rest!r}"
    return written + rest


def check_states(
    tokens: Tokens,
    constraint: Constraint,
    schema: Schema,
    draw: random.Random,
    *,
    steps: int = 10,
    spaced: bool = False,
) -> int:
    """What must hold at every state of a random walk; the number of states.

    The shortest completion is accepted and valid, what is forced is its beginning (but for spaces, where those are
    written: spaced), the mask is what is allowed, and is empty only at the end.
    """
    matcher, mask, written = constraint.matcher(), bytearray(tokens.n_bytes), b""
    lead = draw.choice([0, 0.5, 0.9])
    for step in range(steps):
        rest = matcher.shortest_completion()
        twin = matcher.copy()
        assert twin.accept_bytes(rest) == len(rest), f"completion {rest!r} refused after {written!r}"
        assert twin.is_complete, f"completion {rest!r} of {written!r} is none"
        assert schema.validate(written + rest), f"completion {rest!r} of {written!r} is not valid"
        forced = matcher.forced()
        assert spaced or rest.startswith(forced), f"{forced!r} is forced after {written!r}, but {rest!r} completes it"
        matcher.fill_mask(mask)
        ids = tokens.allowed(mask)
        if draw.random() < 0.15:
            allowed = [i for i in range(len(tokens.tokens)) if matcher.allows(i)]
            assert ids == allowed, f"mask after {written!r}: {[tokens.tokens[i] for i in {*ids} ^ {*allowed}]}"
        assert ids, f"dead end after {written!r}"
        ids = [i for i in ids if i != tokens.eos]
        if not ids:
            return step + 1
        closing = [i for i in ids if i in tokens.closing] if draw.random() < lead else []
        token = draw.choice(closing or ids)
        assert matcher.accept(token), f"{tokens.tokens[token]!r} is in the mask and refused after {written!r}"
        written += tokens.tokens[token]
    return steps


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For json.loads: an object, whose keys differ."""
    keys = [key for key, _ in pairs]
    assert len(set(keys)) == len(keys), f"duplicate key in {keys}"
    return dict(pairs)


def spell_string(text: str, draw: random.Random) -> str:
    """A JSON string, now and then with escapes that it does not need."""
    out = []
    for char in text:
        if char in '"\\' or ord(char) < 0x20 or draw.random() < 0.1:
            units = char.encode("utf-16-be", "surrogatepass")
            short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "/": "\\/"}.get(char)
            spelled = "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
            if draw.random() < 0.5:
                spelled = spelled.upper().replace("\\U", "\\u")
            out.append(short if short and draw.random() < 0.7 else spelled)
        else:
            out.append(char)
    return '"' + "".join(out) + '"'


def spell(value: Any, draw: random.Random, *, spaces: bool = True, shuffle: bool = True) -> str:
    """JSON text of a value: members in a random order, with random whitespace and escapes."""

    def space() -> str:
        return draw.choice(["", "", "", " ", "\n", "\t", "\r\n  "]) if spaces else ""

    if isinstance(value, dict):
        members = list(value.items())
        if shuffle:
            draw.shuffle(members)
        body = ",".join(
            f"{space()}{spell_string(key, draw)}{space()}:{space()}"
            f"{spell(item, draw, spaces=spaces, shuffle=shuffle)}{space()}"
            for key, item in members
        )
        return "{" + (body or space()) + "}"
    if isinstance(value, list):
        items = [spell(item, draw, spaces=spaces, shuffle=shuffle) for item in value]
        return "[" + (",".join(f"{space()}{item}{space()}" for item in items) or space()) + "]"
    if isinstance(value, str):
        return spell_string(value, draw)
    return json.dumps(value)


def feed(tokens: Tokens, constraint: Constraint, text: bytes, draw: random.Random, *, masks: float = 0.3) -> str:
    """'' when the text is accepted in some tokenisation, else where it was refused.

    The mask, looked up now and then (masks: how often), allows and accept must say the same. Only of numbers that are
    hardly finite as doubles does accept take more than the others offer.
    """
    matcher: Matcher = constraint.matcher()
    mask = bytearray(tokens.n_bytes)
    written = b""
    for token in tokens.tokenise(text, draw):
        allowed = matcher.allows(token)
        if draw.random() < masks:
            matcher.fill_mask(mask)
            in_mask = bool(mask[token >> 3] >> (token & 7) & 1)
            assert in_mask == allowed, f"{tokens.tokens[token]!r} after {written!r}: mask {in_mask}, allows {allowed}"
        taken = matcher.accept(token)
        if taken != allowed:
            said = f"{tokens.tokens[token]!r} after {written!r}: accept {taken}, allows {allowed}"
            assert taken, said
            assert HARDLY_FINITE.search(written + tokens.tokens[token]), said
        if not taken:
            return f"{tokens.tokens[token]!r} refused after {written!r}"
        written += tokens.tokens[token]
    return "" if matcher.is_complete else "not complete"
