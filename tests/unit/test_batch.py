"""Masks of a whole batch."""

from __future__ import annotations

import sys
import threading

import pytest

from agentrt import Constraint, Matcher, Vocab
from agentrt.batch import MaskPool
from agentrt.errors import AgentrtError, ArgumentError, LimitExceeded

VOCAB = Vocab([*(bytes([b]) for b in range(256)), b'{"', b'":', b""], eos=258)
WORDS = (len(VOCAB) + 31) // 32
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


def matchers(n: int) -> list[Matcher | None]:
    constraint = Constraint(SCHEMA, VOCAB)
    made: list[Matcher | None] = []
    for i in range(n):
        matcher = constraint.matcher()
        matcher.accept_bytes([b"", b"{", b'{"a":', b'{"a":1'][i % 4])
        made.append(None if i % 5 == 4 else matcher)
    return made


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_rows_are_the_matchers_masks(threads: int) -> None:
    pool = MaskPool(threads)
    assert pool.threads >= 1
    made = matchers(21)
    buffer = bytearray(21 * WORDS * 4)
    for _ in range(3):
        pool.fill(made, buffer)
    alone = bytearray(WORDS * 4)
    for i, matcher in enumerate(made):
        if matcher is None:
            alone[:] = b"\xff" * len(alone)
        else:
            matcher.fill_mask(alone)
        assert buffer[i * WORDS * 4 : (i + 1) * WORDS * 4] == alone
    pool.fill([], buffer)


def test_wrong_arguments() -> None:
    pool = MaskPool(2)
    one = Constraint(SCHEMA, VOCAB).matcher()
    with pytest.raises(ArgumentError, match="is not 3 rows"):
        pool.fill([one, None, None], bytearray(100))
    with pytest.raises(ArgumentError, match="listed twice"):
        pool.fill([one, one], bytearray(2 * WORDS * 4))
    with pytest.raises(AgentrtError, match=r"matcher 1: .*words"):
        pool.fill([None, one], bytearray(2 * 4))
    with pytest.raises((BufferError, ValueError, TypeError)):
        pool.fill([one], bytes(WORDS * 4))
    with pytest.raises(LimitExceeded):
        MaskPool(1000)
    with pytest.raises(ArgumentError):
        MaskPool(-1)


def test_python_goes_on_meanwhile() -> None:
    """The interpreter's lock is not held while masks are filled: with no switches by time, that is the only way on."""
    pool, made = MaskPool(1), matchers(64)
    buffer = bytearray(64 * WORDS * 4)
    begin, ran = threading.Event(), []
    thread = threading.Thread(target=lambda: (begin.wait(), ran.append(True)))
    thread.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000.0)
    try:
        begin.set()
        for _ in range(20_000):
            pool.fill(made, buffer)
            if ran:
                break
        seen = bool(ran)
    finally:
        sys.setswitchinterval(interval)
        thread.join()
    assert seen
