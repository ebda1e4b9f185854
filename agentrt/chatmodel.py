"""What the agent loop knows of a model: a `ChatModel` that is asked for one turn at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from .messages import Message

if TYPE_CHECKING:
    from ._typed import Output
    from .events import TurnEvent
    from .tools import Tool

__all__ = ["CancelToken", "ChatModel", "TurnRequest"]


class CancelToken:
    """A flag that any thread may set, once and for good.

    Threads: all methods from any thread; linked functions run in the thread that cancels.
    """

    __slots__ = ("_linked", "_lock", "is_set")

    def __init__(self) -> None:
        self.is_set = False
        self._lock = threading.Lock()
        self._linked: list[Callable[[], object]] = []

    def cancel(self) -> None:
        with self._lock:
            if self.is_set:
                return
            self.is_set = True
            linked, self._linked = self._linked, []
        for function in linked:
            function()

    @contextmanager
    def linked(self, function: Callable[[], object]) -> Iterator[None]:
        """Call *function* on cancel while the context lasts; at once when it has happened already."""
        with self._lock:
            now = self.is_set
            if not now:
                self._linked.append(function)
        if now:
            function()
        try:
            yield
        finally:
            with self._lock:
                if function in self._linked:
                    self._linked.remove(function)


class TurnRequest(msgspec.Struct, frozen=True):
    """One question to a model.

    messages:     the conversation so far; the last one is the user's or a tool's.
    examples:     demonstrations: they belong between the system message and the rest.
    tool_choice:  "auto", "required", "none", or the name of the one tool to call.
    output:       what the answer must be, when it is not free text.
    max_tokens:   most new tokens.
    deadline:     `time.monotonic()` after which the turn should end with "max_seconds"; the loop ends it at the next
                  event in any case.
    cancel:       when it is set, the turn should end soon, with "cancelled".
    n_calls:      calls in the conversation so far; the next one's id is call_{n_calls + 1}.
    options:      sampling, as the model's `generate` takes it.
    """

    messages: tuple[Message, ...]
    examples: tuple[Message, ...]
    tools: tuple[Tool, ...]
    tool_choice: str
    output: Output | None
    max_tokens: int
    deadline: float
    cancel: CancelToken
    n_calls: int
    options: Mapping[str, Any]


@runtime_checkable
class ChatModel(Protocol):
    """A model that can answer in a conversation and call tools.

    The generator's last event is TurnEnd. Calls in it are complete JSON that fits the tool's schema; a model that can
    not promise that may pass what it has, the loop checks again. Closing the generator early must free what it holds.
    """

    def turn(self, request: TurnRequest) -> Generator[TurnEvent, None, None]: ...
