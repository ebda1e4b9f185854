"""The values that a conversation is made of. They hold data and nothing else: frozen, comparable, ready for JSON.

`msgspec.json.encode(reply.messages)` writes a conversation, `msgspec.json.decode(text, type=tuple[Message, ...])`
reads it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, Literal, TypeVar, cast

import msgspec

from .errors import AgentrtError, ArgumentError, LimitExceeded

__all__ = ["CallRecord", "Message", "Reply", "Role", "StopReason", "ToolCall", "Usage"]

T = TypeVar("T")

Role = Literal["system", "user", "assistant", "tool"]

StopReason = Literal["stop", "max_steps", "max_tokens", "max_seconds", "context", "cancelled", "error"]
"""Why a run ended: "stop" is the model's own end; "max_*" are the agent's limits; "context" is the model's full
context; "error" is an exception, which the caller saw."""


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """A call as the model wrote it.

    arguments:  JSON text of an object.
    """

    id: str
    name: str
    arguments: str

    @property
    def args(self) -> dict[str, Any]:
        """The arguments as plain JSON values."""
        return cast("dict[str, Any]", msgspec.json.decode(self.arguments))


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of a conversation.

    calls:    tool calls that an assistant message asks for.
    call_id:  of a tool message: the call it answers; `name` is the tool's name then.
    """

    role: Role
    content: str = ""
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    name: str = ""
    reasoning: str = ""

    @classmethod
    def of(cls, value: Message | Mapping[str, Any]) -> Message:
        """A Message from one, or from a dict in the widespread chat form (`role`, `content`, `tool_calls`, ...)."""
        if isinstance(value, Message):
            return value
        role, content = value.get("role"), value.get("content")
        if role not in ("system", "user", "assistant", "tool"):
            raise ArgumentError(f"a message needs a role of system, user, assistant or tool, not {role!r}")
        if content is not None and not isinstance(content, str):
            raise ArgumentError(f"the content of a message is text, not {type(content).__name__}")
        calls = tuple(_call_of(call, n) for n, call in enumerate(value.get("tool_calls") or ()))
        return cls(
            role=role,
            content=content or "",
            calls=calls,
            call_id=value.get("tool_call_id") or "",
            name=value.get("name") or "",
            reasoning=value.get("reasoning_content") or "",
        )


def _call_of(value: Mapping[str, Any], n: int) -> ToolCall:
    function = value.get("function", value)
    arguments = function.get("arguments", {})
    if not isinstance(arguments, str):
        arguments = msgspec.json.encode(arguments).decode()
    return ToolCall(id=value.get("id") or f"call_{n + 1}", name=function["name"], arguments=arguments)


def messages_of(values: Iterable[Message | Mapping[str, Any]]) -> list[Message]:
    """A list of Messages from Messages and chat dicts."""
    return [Message.of(value) for value in values]


class Usage(msgspec.Struct, frozen=True):
    """What something cost: one generation, or all turns of a run together.

    cached_tokens:  prompt tokens that were in the KV cache already.
    forced_tokens:  new tokens that the constraint dictated, appended without sampling.
    prefill_ms, decode_ms:  time inside the engine, before and after the end of the prompt.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    forced_tokens: int = 0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0
    total_ms: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.forced_tokens + other.forced_tokens,
            self.prefill_ms + other.prefill_ms,
            self.decode_ms + other.decode_ms,
            self.total_ms + other.total_ms,
        )


class CallRecord(msgspec.Struct, frozen=True):
    """A tool call that was made, and what came of it.

    value:    what the tool returned, whole; None when it failed.
    content:  the text that the model was given as the result.
    error:    the exception that the tool or the decoding of its arguments raised; None when all went well.
    repeats:  how often the same tool had given the same result for the same arguments before in this run.
    seconds:  wall time of the tool.
    """

    call: ToolCall
    content: str
    value: Any = None
    error: Exception | None = None
    repeats: int = 0
    seconds: float = 0.0

    @property
    def name(self) -> str:
        return self.call.name

    @property
    def args(self) -> dict[str, Any]:
        return self.call.args


class Reply(msgspec.Struct, Generic[T], frozen=True):
    """What a run came to. Also there when a limit ended it: `stop_reason` tells, the rest holds what there is.

    text:      the model's last answer; with `output=` the JSON text of the value.
    calls:     every tool call of the run, in order.
    messages:  the whole conversation; give it to the next run to continue.
    value:     the typed value, or UNSET when the run ended before there was one; see `output`.
    """

    text: str
    calls: tuple[CallRecord, ...]
    usage: Usage
    stop_reason: StopReason
    messages: tuple[Message, ...]
    steps: int
    value: T | msgspec.UnsetType

    @property
    def output(self) -> T:
        """The typed value that `output=` asked for; None when nothing was asked for.

        Raises: LimitExceeded when a limit ended the run before the value was there; AgentrtError when something
        else did.
        """
        if isinstance(self.value, msgspec.UnsetType):
            if self.stop_reason.startswith("max_") or self.stop_reason == "context":
                raise LimitExceeded(f"the run ended without a value: {self.stop_reason}", which=self.stop_reason)
            raise AgentrtError(f"the run ended without a value: {self.stop_reason}")
        return self.value
