"""What a stream yields. One class an event, told apart with isinstance() or match."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from .messages import CallRecord, Reply, StopReason, ToolCall, Usage

__all__ = [
    "Done",
    "Event",
    "ReasoningDelta",
    "TextDelta",
    "ToolArgsDelta",
    "ToolCallEnd",
    "ToolCallStart",
    "ToolResult",
    "TurnEnd",
    "TurnEvent",
]


class TextDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the answer; with `output=` a piece of its JSON."""

    text: str


class ReasoningDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the model's reasoning."""

    text: str


class ToolCallStart(msgspec.Struct, frozen=True, gc=False):
    """The model chose a tool; its arguments follow."""

    id: str
    name: str


class ToolArgsDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the arguments' JSON."""

    id: str
    json: str


class ToolCallEnd(msgspec.Struct, frozen=True):
    """The call is complete; it is made when the model's turn ends."""

    call: ToolCall


class ToolResult(msgspec.Struct, frozen=True):
    """The tool was called."""

    record: CallRecord


class Done(msgspec.Struct, frozen=True):
    """The run is over. Always the last event."""

    reply: Reply[Any]


class TurnEnd(msgspec.Struct, frozen=True):
    """The model's turn is over: the last event of `ChatModel.turn`, not passed on to the user."""

    stop: StopReason = "stop"
    usage: Usage = Usage()


Event: TypeAlias = TextDelta | ReasoningDelta | ToolCallStart | ToolArgsDelta | ToolCallEnd | ToolResult | Done
TurnEvent: TypeAlias = TextDelta | ReasoningDelta | ToolCallStart | ToolArgsDelta | ToolCallEnd | TurnEnd
