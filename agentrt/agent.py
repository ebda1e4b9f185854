"""The agent loop: check limits, ask the model, run tools, append, repeat."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import msgspec

from ._calls import run_call
from ._typed import Output
from .chatmodel import CancelToken, ChatModel, TurnRequest
from .errors import ArgumentError
from .events import (
    Done,
    Event,
    ReasoningDelta,
    TextDelta,
    ToolCallEnd,
    ToolResult,
    TurnEnd,
)
from .messages import CallRecord, Message, Reply, StopReason, ToolCall, Usage, messages_of
from .tools import Example, Tool, demonstrations, register

if TYPE_CHECKING:
    import asyncio

    from typing_extensions import TypedDict, Unpack

    from .aio import AsyncStream
    from .stream import Stream

    class _More(TypedDict, total=False):
        """What the overloads of a run have in common."""

        messages: Iterable[Message | Mapping[str, Any]]
        tool_choice: str | None


__all__ = ["Agent"]

T = TypeVar("T")

_CHOICES = ("auto", "required", "none")
_OUTPUTS_MAX = 32  # compiled output types that an agent remembers


class Agent:
    """A model with tools and a task.

    tools:        functions or `Tool` objects; what is wrong with one is raised here.
    examples:     demonstrations, after those that the tools bring along; not part of `Reply.messages`.
    system:       the system message.
    tool_choice:  whether to call: "auto", "required" or the name of a tool (then the first turn of a run calls it, the
                  rest is "auto"), or "none".
    max_steps, max_tokens, max_seconds:
                  limits of one run: turns of the model, new tokens, wall time. Reaching one is not an error: the run
                  ends, `Reply.stop_reason` names the limit and the rest of the reply is what there is. Tokens are never
                  exceeded. Seconds are checked at every event; a tool without `timeout` is waited for.
    max_result:   most characters of a tool's result that the model sees; the cut is said in the text, the whole value
                  is in `Reply.calls`.
    max_repeats:  after so many repetitions of a call that gave the same result the model has to answer without tools.
    options:      sampling, as the model's `generate` takes it: temperature, seed, ...

    Threads: any number of runs may be under way at once.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        tools: Sequence[Tool | Callable[..., Any]] = (),
        system: str | None = None,
        examples: Sequence[Example] = (),
        tool_choice: str = "auto",
        max_steps: int = 32,
        max_tokens: int = 4096,
        max_seconds: float = 300.0,
        max_result: int = 8000,
        max_repeats: int = 3,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if not callable(getattr(model, "turn", None)):
            raise ArgumentError(f"{type(model).__name__} is no chat model: it has no turn()")
        self.model = model
        self.tools: Mapping[str, Tool] = register(tools)
        self.tool_list: tuple[Tool, ...] = tuple(self.tools.values())
        self.examples: tuple[Message, ...] = demonstrations(self.tools, examples)
        self.system = system
        self.tool_choice = self._checked(tool_choice)
        self.max_steps = max_steps
        self.max_tokens = max_tokens
        self.max_seconds = max_seconds
        self.max_result = max_result
        self.max_repeats = max_repeats
        self.options: Mapping[str, Any] = dict(options or {})
        self._outputs: dict[Any, Output] = {}

    @overload
    def run(self, prompt: str, *, output: None = None, **more: Unpack[_More]) -> Reply[None]: ...
    @overload
    def run(self, prompt: str, *, output: type[T], **more: Unpack[_More]) -> Reply[T]: ...
    @overload
    def run(self, prompt: str, *, output: Any, **more: Unpack[_More]) -> Reply[Any]: ...
    def run(
        self,
        prompt: str,
        *,
        messages: Iterable[Message | Mapping[str, Any]] = (),
        output: Any = None,
        tool_choice: str | None = None,
    ) -> Reply[Any]:
        """Answer *prompt*, calling tools on the way.

        messages:  a conversation to continue, for example `reply.messages`.
        output:    what the answer must be: a type (the value is in `Reply.output`), a JSON Schema or a Schema.
        Raises:    what the model raises; tools' exceptions go to the model and into `Reply.calls`.
        """
        return self._start(prompt, messages, output, tool_choice).fold()

    @overload
    def stream(self, prompt: str, *, output: None = None, **more: Unpack[_More]) -> Stream[None]: ...
    @overload
    def stream(self, prompt: str, *, output: type[T], **more: Unpack[_More]) -> Stream[T]: ...
    @overload
    def stream(self, prompt: str, *, output: Any, **more: Unpack[_More]) -> Stream[Any]: ...
    def stream(
        self,
        prompt: str,
        *,
        messages: Iterable[Message | Mapping[str, Any]] = (),
        output: Any = None,
        tool_choice: str | None = None,
    ) -> Stream[Any]:
        """The same as a context manager: iterate it for pieces of text, or `.events()` for everything.

        Leaving the context before the end stops the work.
        """
        from .stream import Stream

        return Stream(self._start(prompt, messages, output, tool_choice))

    @overload
    async def arun(self, prompt: str, *, output: None = None, **more: Unpack[_More]) -> Reply[None]: ...
    @overload
    async def arun(self, prompt: str, *, output: type[T], **more: Unpack[_More]) -> Reply[T]: ...
    @overload
    async def arun(self, prompt: str, *, output: Any, **more: Unpack[_More]) -> Reply[Any]: ...
    async def arun(
        self,
        prompt: str,
        *,
        messages: Iterable[Message | Mapping[str, Any]] = (),
        output: Any = None,
        tool_choice: str | None = None,
    ) -> Reply[Any]:
        """`run` in a thread of its own; cancelling the task stops the work. `async def` tools run in this event loop,
        plain functions in the thread."""
        from .aio import arun

        return await arun(self._start(prompt, messages, output, tool_choice))

    @overload
    def astream(self, prompt: str, *, output: None = None, **more: Unpack[_More]) -> AsyncStream[None]: ...
    @overload
    def astream(self, prompt: str, *, output: type[T], **more: Unpack[_More]) -> AsyncStream[T]: ...
    @overload
    def astream(self, prompt: str, *, output: Any, **more: Unpack[_More]) -> AsyncStream[Any]: ...
    def astream(
        self,
        prompt: str,
        *,
        messages: Iterable[Message | Mapping[str, Any]] = (),
        output: Any = None,
        tool_choice: str | None = None,
    ) -> AsyncStream[Any]:
        """`stream` for `async with` and `async for`."""
        from .aio import AsyncStream

        return AsyncStream(self._start(prompt, messages, output, tool_choice))

    def warm(self, file: str | os.PathLike[str] | None = None) -> None:
        """Evaluate now what every run begins with (system message, tools, examples), so that the first run starts as
        fast as later ones.

        file:  keep the result there, and take it from there the next time, which takes milliseconds instead of seconds.
               It is written anew when the model, its engine or the agent have changed. Some 25 MB for 1,000 tokens of a
               small model. Keep it where only you can write: the engine trusts its content.
        Models that have nothing to evaluate, such as scripted ones, ignore it.
        """
        warm = getattr(self.model, "warm", None)
        if warm is not None:
            messages = () if self.system is None else (Message("system", self.system),)
            warm(messages, examples=self.examples, tools=self.tool_list, file=file)

    def _start(
        self, prompt: str, messages: Iterable[Message | Mapping[str, Any]], output: Any, tool_choice: str | None
    ) -> Run[Any]:
        conversation = messages_of(messages)
        if self.system is not None and (not conversation or conversation[0].role != "system"):
            conversation.insert(0, Message("system", self.system))
        conversation.append(Message("user", prompt))
        choice = self.tool_choice if tool_choice is None else self._checked(tool_choice)
        return Run(self, conversation, None if output is None else self._output(output), choice)

    def _output(self, wanted: Any) -> Output:
        """Compiled once for each type or schema; dicts are told apart by their text, as their order matters."""
        key = msgspec.json.encode(wanted) if isinstance(wanted, Mapping) else wanted
        try:
            known = self._outputs.get(key)
        except TypeError as error:
            raise ArgumentError(f"output: a type, a JSON Schema or a Schema, not {type(wanted).__name__}") from error
        if known is None:
            while len(self._outputs) >= _OUTPUTS_MAX:
                self._outputs.pop(next(iter(self._outputs), None), None)
            known = self._outputs[key] = Output(wanted)
        return known

    def _checked(self, tool_choice: str) -> str:
        if tool_choice not in _CHOICES and tool_choice not in self.tools:
            raise ArgumentError(f"tool_choice is auto, required, none or the name of a tool, not {tool_choice!r}")
        if tool_choice == "required" and not self.tools:
            raise ArgumentError("tool_choice is required, but the agent has no tools")
        return tool_choice


class Run(Generic[T]):
    """One run under way: the loop and what it has gathered.

    loop:   the event loop that coroutine tools run in; None outside of asyncio.
    reply:  what the run came to, once it is over, also when it was left early or failed.
    """

    def __init__(self, agent: Agent, messages: list[Message], output: Output | None, tool_choice: str) -> None:
        self.agent = agent
        self.messages = messages
        self.output = output
        self.tool_choice = tool_choice
        self.cancel = CancelToken()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.in_tool = False
        self.reply: Reply[T] | None = None
        self._deadline = time.monotonic() + agent.max_seconds
        self._stop: StopReason | None = None
        self._open: list[ToolCall] = []
        self._records: list[CallRecord] = []
        self._seen: dict[tuple[str, str, str], int] = {}
        self._n_calls = sum(len(message.calls) for message in messages)
        self._steps = 0
        self._usage = Usage()
        self._text = ""

    def fold(self) -> Reply[T]:
        """Run to the end."""
        for _ in self.events():
            pass
        assert self.reply is not None
        return self.reply

    def events(self) -> Generator[Event, None, None]:
        try:
            while self._stop is None and not self._limit_reached():
                yield from self._ask()
                while self._stop is None and self._open and not self._out_of_time():
                    yield self._run_tool(self._open[0])
        except GeneratorExit:
            self._stop = "cancelled"
            raise
        except BaseException:
            self._stop = "error"
            raise
        finally:
            self.reply = self._make_reply()
        yield Done(self.reply)

    def _limit_reached(self) -> bool:
        if self._steps >= self.agent.max_steps:
            self._stop = "max_steps"
        elif self._usage.completion_tokens >= self.agent.max_tokens:
            self._stop = "max_tokens"
        return self._out_of_time() or self._stop is not None

    def _out_of_time(self) -> bool:
        if self.cancel.is_set:
            self._stop = "cancelled"
        elif time.monotonic() >= self._deadline:
            self._stop = "max_seconds"
        else:
            return False
        return True

    def _ask(self) -> Generator[Event, None, None]:
        """One turn of the model, appended to the messages. Leaves the calls to make in `_open`, or why to end."""
        turn = self.agent.model.turn(
            TurnRequest(
                tuple(self.messages),
                self.agent.examples,
                self.agent.tool_list,
                self.tool_choice,
                self.output,
                self.agent.max_tokens - self._usage.completion_tokens,
                self._deadline,
                self.cancel,
                self._n_calls,
                self.agent.options,
            )
        )
        self._steps += 1
        if self.tool_choice != "none":
            self.tool_choice = "auto"
        text: list[str] = []
        reasoning: list[str] = []
        stop: StopReason = "stop"
        monotonic, deadline, cancel = time.monotonic, self._deadline, self.cancel
        try:
            for event in turn:
                if isinstance(event, TextDelta):
                    text.append(event.text)
                elif isinstance(event, TurnEnd):
                    stop = event.stop
                    self._usage += event.usage
                    break
                elif isinstance(event, ToolCallEnd):
                    self._open.append(event.call)
                elif isinstance(event, ReasoningDelta):
                    reasoning.append(event.text)
                yield event
                if cancel.is_set:
                    stop = "cancelled"
                    break
                if monotonic() >= deadline:
                    stop = "max_seconds"
                    break
        finally:
            turn.close()
            self._text = "".join(text)
            self._n_calls += len(self._open)
            self.messages.append(Message("assistant", self._text, tuple(self._open), "", "", "".join(reasoning)))
        if stop != "stop" or not self._open:
            self._stop = stop

    def _run_tool(self, call: ToolCall) -> ToolResult:
        tool = self.agent.tools.get(call.name)
        if tool is None:
            record = CallRecord(call, f"error: there is no tool {call.name!r}, only {', '.join(self.agent.tools)}")
        else:
            self.in_tool = True
            try:
                record = run_call(
                    tool,
                    call,
                    max_result=self.agent.max_result,
                    deadline=self._deadline,
                    cancel=self.cancel,
                    loop=self.loop,
                )
            finally:
                self.in_tool = False
        content = record.content
        key = (call.name, call.arguments, content)
        repeats = self._seen.get(key, 0)
        self._seen[key] = repeats + 1
        if repeats:
            record = msgspec.structs.replace(record, repeats=repeats)
            content += "\n[The same call gave the same result before.]"
            if repeats >= self.agent.max_repeats:
                self.tool_choice = "none"
        del self._open[0]
        self._records.append(record)
        self.messages.append(Message("tool", content, (), call.id, call.name))
        return ToolResult(record)

    def _make_reply(self) -> Reply[T]:
        assert self._stop is not None
        for call in self._open:  # every call has a result, or the conversation could not be continued
            self.messages.append(Message("tool", f"not called: {self._stop}", (), call.id, call.name))
        value: Any = None
        if self.output is not None:
            value = self._decode(self._text) if self._stop in ("stop", "max_tokens") else msgspec.UNSET
        return Reply(
            self._text, tuple(self._records), self._usage, self._stop, tuple(self.messages), self._steps, value
        )

    def _decode(self, text: str) -> Any:
        assert self.output is not None
        try:
            return self.output.decode(text)
        except msgspec.DecodeError:
            return msgspec.UNSET
