"""Models for tests: `ScriptedModel` answers from a script, so that every path of an agent runs offline."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, TypeAlias

import msgspec

from .chatmodel import TurnRequest
from .errors import AgentrtError
from .events import TextDelta, ToolArgsDelta, ToolCallEnd, ToolCallStart, TurnEnd, TurnEvent
from .messages import StopReason, ToolCall, Usage

__all__ = ["Call", "ScriptError", "ScriptedModel", "call"]


class ScriptError(AgentrtError, AssertionError):
    """The script does not fit what the model was asked: its end was passed, or a constrained model could not have
    written the turn."""


class Call(msgspec.Struct, frozen=True):
    """A scripted tool call; `arguments` is JSON text."""

    name: str
    arguments: str


def call(name: str, /, **args: Any) -> Call:
    """A turn (or a part of one) in which the model calls a tool."""
    return Call(name, msgspec.json.encode(args).decode())


Turn: TypeAlias = str | Call | Sequence[Call] | Sequence[str]


class ScriptedModel:
    """A model without weights: its turns are given.

    turns:  each one a text, a list of texts (the deltas of one answer), a `call`, or a list of calls. With `output=`
            a text is the value's JSON.
    What a constrained model could not write is a ScriptError: an unknown tool, arguments or a value that break the
    schema, a call where tool_choice forbids it, text where it demands one.

    requests:  every TurnRequest so far.
    Usage counts every delta and every call as one token; `max_tokens` holds.
    Threads: runs may follow each other in any thread, but not overlap.
    """

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.turns: tuple[Turn, ...] = tuple(turns)
        self.requests: list[TurnRequest] = []
        self._checked: set[tuple[int, int]] = set()
        self._next = 0

    def reset(self) -> None:
        """Start again with the first turn and forget the requests."""
        self._next = 0
        self.requests.clear()

    def turn(self, request: TurnRequest) -> Generator[TurnEvent, None, None]:
        self.requests.append(request)
        if self._next >= len(self.turns):
            raise ScriptError(f"the script has {len(self.turns)} turns, and the model is asked for another")
        turn = self.turns[self._next]
        self._next += 1
        if isinstance(turn, str):
            return self._say(request, (turn,))
        if isinstance(turn, Call):
            return self._call(request, (turn,))
        if turn and isinstance(turn[0], Call):
            return self._call(request, turn)  # type: ignore[arg-type]
        return self._say(request, turn)  # type: ignore[arg-type]

    def _say(self, request: TurnRequest, deltas: Sequence[str]) -> Generator[TurnEvent, None, None]:
        if request.tools and request.tool_choice not in ("auto", "none"):
            raise ScriptError(f"the script has text where tool_choice is {request.tool_choice!r}")
        if request.output is not None and not request.output.schema.validate("".join(deltas).encode()):
            raise ScriptError(f"the script's value does not fit the schema: {''.join(deltas)}")
        stop: StopReason = "stop"
        n_tokens = len(deltas)
        if n_tokens > request.max_tokens:
            stop, n_tokens = "max_tokens", request.max_tokens
            deltas = deltas[:n_tokens]
        for text in deltas:
            yield TextDelta(text)
        yield TurnEnd(stop, Usage(0, 0, n_tokens))

    def _call(self, request: TurnRequest, calls: Sequence[Call]) -> Generator[TurnEvent, None, None]:
        for n, scripted in enumerate(calls, request.n_calls + 1):
            self._check(request, scripted)
            id = f"call_{n}"
            yield ToolCallStart(id, scripted.name)
            yield ToolArgsDelta(id, scripted.arguments)
            yield ToolCallEnd(ToolCall(id, scripted.name, scripted.arguments))
        yield TurnEnd("stop", Usage(0, 0, len(calls)))

    def _check(self, request: TurnRequest, scripted: Call) -> None:
        """Could a constrained model have written this call? Answered once per tool and call."""
        choice = request.tool_choice
        if choice == "none" or (choice not in ("auto", "required") and choice != scripted.name):
            raise ScriptError(f"the script calls {scripted.name!r} where tool_choice is {choice!r}")
        for tool in request.tools:
            if tool.name == scripted.name:
                break
        else:
            raise ScriptError(f"the script calls {scripted.name!r}, which is none of the tools")
        key = (id(tool), id(scripted))
        if key not in self._checked:
            if not tool.schema.validate(scripted.arguments.encode()):
                raise ScriptError(f"the schema of {scripted.name!r} forbids the script's {scripted.arguments}")
            self._checked.add(key)
