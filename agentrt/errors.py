"""The exceptions of agentrt.

Every one is an `AgentrtError` and, where a builtin fits, that builtin too, so that callers may catch either.
"""

from __future__ import annotations

__all__ = [
    "AgentrtError",
    "ArgumentError",
    "BusyError",
    "Cancelled",
    "DeviceError",
    "ForkedError",
    "LimitExceeded",
    "ModelError",
    "ModelRetry",
    "OutOfMemory",
    "SchemaError",
    "StateError",
    "ToolError",
]


def _place(pointer: str, keyword: str) -> str:
    """A place in a schema, as it stands behind a message."""
    at = " at ".join(part for part in (keyword, pointer or ("the root" if keyword else "")) if part)
    return f" ({at})" if at else ""


class AgentrtError(Exception):
    """Base of all.

    code:  the C core's status (`ART_E_*`), 0 when the error did not come from there.
    pos:   byte offset in the input that the error is about; 0 when not applicable.
    """

    code: int = 0
    pos: int = 0


class ArgumentError(AgentrtError, ValueError):
    """A parameter is out of its documented range."""


class StateError(AgentrtError, RuntimeError):
    """Not possible in the object's present state: closed, ended, or not started."""


class OutOfMemory(AgentrtError, MemoryError):
    """The allocator refused."""


class ModelError(AgentrtError, RuntimeError):
    """A model file, its engine or its context failed: missing, unreadable, not what it claims to be, or too small."""


class DeviceError(AgentrtError, RuntimeError):
    """A GPU, its driver or its compiler is missing, too old, or failed.

    log:  the compiler's messages; "" when it is not about compiling.
    """

    log: str = ""


class SchemaError(AgentrtError, ValueError):
    """A schema can not be used.

    draft:    the draft it was read as, for example "2020-12"; "" when that was not reached.
    pointer:  JSON Pointer to the offending place in the schema ("" is the root).
    keyword:  the keyword, or "".
    reason:   what is wrong, without the place.
    conflict: when no value fits: pointers to keywords that can not hold together, none of which can be missed.
    """

    conflict: tuple[str, ...] = ()

    def __init__(
        self, reason: str, *, draft: str = "", pointer: str = "", keyword: str = "", code: int = 0, pos: int = 0
    ) -> None:
        super().__init__(reason + _place(pointer, keyword))
        self.reason = reason
        self.draft = draft
        self.pointer = pointer
        self.keyword = keyword
        self.code = code
        self.pos = pos


class ToolError(AgentrtError, RuntimeError):
    """A tool can not be registered, or failed in a way that the model can not help.

    tool:  the tool's name.
    """

    def __init__(self, message: str, *, tool: str = "") -> None:
        super().__init__(message)
        self.tool = tool


class LimitExceeded(AgentrtError, RuntimeError):
    """A budget ran out.

    which:  the limit's name, for example "steps" or "tokens".
    used:   how much was used, or None when it is not known.
    cap:    the limit, or None when it is not known.
    draft, pointer, keyword: where in a schema, when it is about one (see SchemaError).
    """

    def __init__(
        self,
        message: str = "",
        *,
        which: str = "",
        used: float | None = None,
        cap: float | None = None,
        draft: str = "",
        pointer: str = "",
        keyword: str = "",
        code: int = 0,
    ) -> None:
        super().__init__((message or f"limit {which!r} exceeded: used {used}, cap {cap}") + _place(pointer, keyword))
        self.which = which
        self.used = used
        self.cap = cap
        self.draft = draft
        self.pointer = pointer
        self.keyword = keyword
        self.code = code


class Cancelled(AgentrtError, RuntimeError):
    """The work was cancelled, by the caller or by leaving a stream early."""


class BusyError(AgentrtError, RuntimeError):
    """The object is in use by another thread."""


class ForkedError(AgentrtError, RuntimeError):
    """The object was made by another process (this one is a fork of it)."""


class ModelRetry(AgentrtError):
    """Raised by a tool to talk back to the model.

    hint:  what the model should do differently; it becomes the call's result.
    """

    def __init__(self, hint: str) -> None:
        super().__init__(hint)
        self.hint = hint
