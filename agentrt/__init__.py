"""agentrt puts an agent into your program: a local model, tools that are plain functions, typed answers.

with agentrt.load() as model:
    agent = agentrt.Agent(model, tools=[multiply])
    print(agent.run("What is 37 times 481?").text)

Names are loaded when they are first used, so that importing agentrt costs next to nothing.
"""

from __future__ import annotations

from ._version import __version__

TYPE_CHECKING = False  # which type checkers take for true; loading typing takes longer than all else here
if TYPE_CHECKING:
    from typing import Any

    from . import testing as testing
    from .agent import Agent
    from .aio import AsyncStream
    from .chatmodel import ChatModel
    from .constraint import Constraint, Matcher, Schema, Vocab, limit_memory, memory_in_use
    from .errors import (
        AgentrtError,
        ArgumentError,
        BusyError,
        Cancelled,
        DeviceError,
        ForkedError,
        LimitExceeded,
        ModelError,
        ModelRetry,
        OutOfMemory,
        SchemaError,
        StateError,
        ToolError,
    )
    from .events import (
        Done,
        Event,
        ReasoningDelta,
        TextDelta,
        ToolArgsDelta,
        ToolCallEnd,
        ToolCallStart,
        ToolResult,
    )
    from .messages import CallRecord, Message, Reply, StopReason, ToolCall, Usage
    from .model import Generation, Model, Session, load
    from .stream import Stream
    from .tools import Example, Tool, tool

_HOME = {
    "agent": ("Agent",),
    "aio": ("AsyncStream",),
    "chatmodel": ("ChatModel",),
    "constraint": ("Constraint", "Matcher", "Schema", "Vocab", "limit_memory", "memory_in_use"),
    "errors": (
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
    ),
    "events": (
        "Done",
        "Event",
        "ReasoningDelta",
        "TextDelta",
        "ToolArgsDelta",
        "ToolCallEnd",
        "ToolCallStart",
        "ToolResult",
    ),
    "messages": ("CallRecord", "Message", "Reply", "StopReason", "ToolCall", "Usage"),
    "model": ("Generation", "Model", "Session", "load"),
    "stream": ("Stream",),
    "tools": ("Example", "Tool", "tool"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Agent",
    "AgentrtError",
    "ArgumentError",
    "AsyncStream",
    "BusyError",
    "CallRecord",
    "Cancelled",
    "ChatModel",
    "Constraint",
    "DeviceError",
    "Done",
    "Event",
    "Example",
    "ForkedError",
    "Generation",
    "LimitExceeded",
    "Matcher",
    "Message",
    "Model",
    "ModelError",
    "ModelRetry",
    "OutOfMemory",
    "ReasoningDelta",
    "Reply",
    "Schema",
    "SchemaError",
    "Session",
    "StateError",
    "StopReason",
    "Stream",
    "TextDelta",
    "Tool",
    "ToolArgsDelta",
    "ToolCall",
    "ToolCallEnd",
    "ToolCallStart",
    "ToolError",
    "ToolResult",
    "Usage",
    "Vocab",
    "__version__",
    "limit_memory",
    "load",
    "memory_in_use",
    "testing",
    "tool",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _MODULE_OF:
        value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    elif name == "testing":
        value = import_module(".testing", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
