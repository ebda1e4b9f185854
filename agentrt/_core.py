"""The door to the C core: the only module that imports `agentrt._ffi`.

The modules above take `ffi`, `lib` and `check` from here.
"""

from __future__ import annotations

from typing import Any, NoReturn

from agentrt import _ffi
from agentrt._ffi import ffi, lib
from agentrt.errors import (
    AgentrtError,
    ArgumentError,
    BusyError,
    Cancelled,
    DeviceError,
    ForkedError,
    LimitExceeded,
    ModelError,
    OutOfMemory,
    SchemaError,
    StateError,
)

__all__ = [
    "DRAFTS",
    "MatcherCalls",
    "allocator",
    "check",
    "exception",
    "ffi",
    "lib",
    "limit_memory",
    "memory_in_use",
    "new_error",
    "text",
]

if not lib.agentrt_calls_add(id(_ffi)):
    raise MemoryError
MatcherCalls = _ffi.MatcherCalls

DRAFTS = {4: "4", 6: "6", 7: "7", 2019: "2019-09", 2020: "2020-12"}

_SIMPLE: dict[int, type[AgentrtError]] = {
    lib.ART_E_ARG: ArgumentError,
    lib.ART_E_NOMEM: OutOfMemory,
    lib.ART_E_STATE: StateError,
    lib.ART_E_BUSY: BusyError,
    lib.ART_E_FORKED: ForkedError,
    lib.ART_E_IO: ModelError,
    lib.ART_E_FORMAT: ModelError,
    lib.ART_E_ENGINE: ModelError,
    lib.ART_E_CONTEXT: ModelError,
    lib.ART_E_CANCELLED: Cancelled,
    lib.ART_E_DEVICE: DeviceError,
}


class _Budget:
    """The budget that objects made from now on share; None: there is none."""

    pointer: Any = None


def limit_memory(max_bytes: int) -> None:
    """Hold all vocabularies, schemas, constraints, matchers and sessions made from now on to so many bytes together.

    max_bytes:  0, as at the start: no limit.

    What does not fit any more raises LimitExceeded (OutOfMemory where it can not be told apart) and leaves the rest as
    it was. Models and their contexts are the inference library's and do not count. Objects made before stay with the
    limit that they were made under.
    """
    if max_bytes == 0:
        _Budget.pointer = None
        return
    out, err = ffi.new("art_budget **"), new_error()
    check(lib.art_budget_new(max(0, max_bytes), ffi.NULL, out, err), err)
    _Budget.pointer = ffi.gc(out[0], lib.art_budget_free)


def memory_in_use() -> int:
    """Bytes that count towards limit_memory(); 0 without a limit."""
    return int(lib.art_budget_used(_Budget.pointer)) if _Budget.pointer is not None else 0


def allocator() -> Any:
    """What C functions get as `alloc`."""
    return ffi.NULL if _Budget.pointer is None else lib.art_budget_alloc(_Budget.pointer)


def new_error() -> Any:
    """A cleared `art_error *` for the `err` parameter of a C function."""
    return ffi.new("art_error *")


def text(chars: Any) -> str:
    """A NUL-terminated C string as str."""
    return str(ffi.string(chars).decode("utf-8", "replace"))


def exception(err: Any) -> AgentrtError:
    """The exception that an `art_error` stands for."""
    try:
        _raise(err.code, err)
    except AgentrtError as error:
        return error


def check(status: int, err: Any = None) -> int:
    """Raise what a C status stands for; progress statuses (below 10) are returned.

    err:  the `art_error *` that was given to the call, or None when it takes none.
    """
    if status < lib.ART_E_ARG:
        return status
    _raise(status, err)


def _raise(status: int, err: Any) -> NoReturn:
    message, pos = text(lib.art_status_name(status)), 0
    draft = pointer = keyword = ""
    if err is not None and err.code == status:
        message, pos = text(err.msg), int(err.pos)
        draft, pointer, keyword = DRAFTS.get(err.draft, ""), text(err.path), text(err.keyword)
    if lib.ART_E_SYNTAX <= status < lib.ART_E_IO:
        raise SchemaError(message, draft=draft, pointer=pointer, keyword=keyword, code=status, pos=pos)
    if status == lib.ART_E_LIMIT:
        raise LimitExceeded(message, which="core", draft=draft, pointer=pointer, keyword=keyword, code=status)
    error = _SIMPLE.get(status, AgentrtError)(message)
    error.code, error.pos = status, pos
    raise error
