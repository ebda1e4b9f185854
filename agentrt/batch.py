"""Masks of a whole batch: one row of a buffer for each sequence, filled by several threads.

pool = MaskPool()
pool.fill([m0, m1, None, m3], buffer)       # None: that sequence may write anything
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._core import check, ffi, lib, new_error
from .constraint import Matcher
from .errors import AgentrtError, ArgumentError

__all__ = ["MaskPool"]


class MaskPool:
    """Threads that fill masks; they sleep between calls.

    threads:  how many work on a call, the caller's own included; 0: a thread for each core that is free.

    Threads: one call at a time, a second one raises BusyError. While a call is going on, the interpreter's lock is not
    held, so Python goes on in other threads.
    """

    __slots__ = ("_bound", "_err", "_failed", "_pointer")

    def __init__(self, threads: int = 0) -> None:
        out, self._err = ffi.new("art_mask_pool **"), new_error()
        try:
            status = lib.art_mask_pool_new(threads, ffi.NULL, out, self._err)
        except OverflowError:
            raise ArgumentError(f"threads: {threads}") from None
        check(status, self._err)
        self._pointer = ffi.gc(out[0], lib.art_mask_pool_free)
        self._failed = ffi.new("size_t *")
        self._bound: tuple[Any, Any, int] = (None, None, 0)

    @property
    def threads(self) -> int:
        return int(lib.art_mask_pool_threads(self._pointer))

    def fill(self, matchers: Sequence[Matcher | None], buffer: Any) -> None:
        """Write the mask of matchers[i] to row i of buffer: bit i % 32 of 32-bit word i // 32 is token i.

        matchers:  each one once; None: all ones.
        buffer:    writable and contiguous, len(matchers) rows of equal length, each at least ceil(len(vocab) / 32)
                   words; pinned memory too, where it has Python's buffer interface (`tensor.numpy()`). The pool keeps
                   it until another one is given.

        Raises: the first error of a matcher, naming its index; the other rows are filled.
        """
        n = len(matchers)
        if self._bound[0] is not buffer:
            n_bytes = memoryview(buffer).nbytes
            words = ffi.from_buffer("uint8_t[]", buffer, require_writable=True)
            self._bound = (buffer, ffi.cast("uint32_t *", words), n_bytes)
        _, address, n_bytes = self._bound
        if not n:
            return
        if n_bytes % (4 * n):
            raise ArgumentError(f"a buffer of {n_bytes} bytes is not {n} rows of 32-bit words")
        if len({id(matcher) for matcher in matchers if matcher is not None}) != n - sum(m is None for m in matchers):
            raise ArgumentError("a matcher is listed twice")
        pointers = ffi.new("art_matcher *[]", [ffi.NULL if m is None else m._ptr for m in matchers])
        n_words = n_bytes // 4 // n
        status = lib.art_mask_pool_fill(
            self._pointer, pointers, n, address, n_words, n_words, ffi.NULL, self._failed, self._err
        )
        if status:
            try:
                check(status, self._err)
            except AgentrtError as error:
                if self._failed[0] < n:
                    error.args = (f"matcher {self._failed[0]}: {error}",)
                raise
