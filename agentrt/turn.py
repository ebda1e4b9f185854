"""One turn of a chat on a real model: from messages to prompt tokens, to a constraint, to events.

The transcript is kept as tokens and only grows: what the model wrote is never rendered or tokenised again, and the
prompt of a turn begins with all tokens of the turn before, so that the KV cache serves all but the newest messages.

Content can not forge structure: control tokens in a message's text, and the tags of the call format, are split before
tokenising, so that they reach the model as ordinary characters.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
import weakref
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from .chat import ChatTemplate
from .errors import LimitExceeded, ModelError, StateError
from .events import ReasoningDelta, TextDelta, ToolArgsDelta, ToolCallEnd, ToolCallStart, TurnEnd, TurnEvent
from .formats import CallFormat, Traits, detect, tools_for_system, tools_for_template
from .messages import Message, StopReason, ToolCall

if TYPE_CHECKING:
    from ._typed import Output
    from .chatmodel import TurnRequest
    from .constraint import Constraint
    from .model import Model, Session
    from .tools import Tool

__all__ = ["Chat", "turn", "warm"]

_TRANSCRIPTS_MAX = 16  # conversations whose tokens are remembered
_TURNS_MAX = 32  # constraints for turns with the same tools, choice and output
_GUARD_ROUNDS_MAX = 8
# Models write properties in the order they are shown, and JSON as they were trained on it.
_STYLE: dict[str, Any] = {"property_order": "schema", "whitespace": "spaced"}
_SENTINEL = "q7Zk2v"  # stands in no template


class Transcript(msgspec.Struct, frozen=True):
    """The tokens of a conversation up to the end of the model's last turn."""

    head: tuple[Any, ...]
    messages: tuple[Message, ...]
    tokens: tuple[int, ...]


class Chat:
    """What a model needs to hold conversations: template, call format, and the transcripts so far.

    Raises: ModelError when the model has no chat template.
    Threads: any number.
    """

    def __init__(
        self, model: Model, *, template: str | None = None, call_format: str | CallFormat | None = None
    ) -> None:
        source = template if template is not None else model.meta("tokenizer.chat_template")
        if not source:
            raise ModelError(
                "the model has no chat template, so it can not take messages or run an agent: give it a text prompt, or"
                " load it with chat_template="
            )
        self._model = weakref.ref(model)  # which owns this object
        self.template = ChatTemplate(
            source, bos_token=_token_text(model, model.caps.bos), eos_token=_token_text(model, model.caps.eos)
        )
        self.format = detect(source, call_format)
        self.traits = Traits.of(self.template)
        self._transcripts: deque[Transcript] = deque(maxlen=_TRANSCRIPTS_MAX)
        self._turns: dict[tuple[Any, ...], Constraint | None] = {}
        self._parts: weakref.WeakKeyDictionary[Tool | Output, Constraint] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    @property
    def model(self) -> Model:
        model = self._model()
        if model is None:
            raise StateError("the model is gone")
        return model

    def prompt(
        self, messages: Sequence[Message], *, examples: Sequence[Message] = (), tools: Sequence[Tool] = ()
    ) -> list[int]:
        """The tokens of a conversation, up to where the model's answer begins."""
        head = (tuple(examples), tuple(tools))
        known = self._longest_transcript(head, messages)
        if known is not None:
            tokens = self._continuation(known, messages, examples, tools)
            if tokens is not None:
                return tokens
        text, guard = self._render(messages, examples, tools)
        return self._tokenize(text, guard)

    def head(self, messages: Sequence[Message], *, examples: Sequence[Message], tools: Sequence[Tool]) -> list[int]:
        """The tokens that all conversations begin with, whatever is asked after *messages*."""
        one, other = (
            self.prompt([*messages, Message("user", question)], examples=examples, tools=tools) for question in "ab"
        )
        n_common = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
        return one[:n_common]

    def remember(
        self, messages: Sequence[Message], examples: Sequence[Message], tools: Sequence[Tool], tokens: Iterable[int]
    ) -> None:
        """Keep the tokens of a conversation that the model has just ended with *messages*' last."""
        transcript = Transcript((tuple(examples), tuple(tools)), tuple(messages), tuple(tokens))
        with self._lock:
            self._transcripts.append(transcript)

    def constraint(self, request: TurnRequest) -> tuple[Constraint | None, tuple[Tool, ...]]:
        """What the turn may be, and the tools that its events count."""
        choice = request.tool_choice
        tools = request.tools
        if choice not in ("auto", "required", "none"):
            tools = tuple(tool for tool in tools if tool.name == choice)
            choice = "required"
        if choice == "none":
            tools = ()
        key = (tools, choice, request.output)
        with self._lock:
            if key not in self._turns:
                while len(self._turns) >= _TURNS_MAX:
                    del self._turns[next(iter(self._turns))]
                self._turns[key] = self._make_constraint(request.output, tools, choice)
            return self._turns[key], tools

    def _part(self, of: Tool | Output) -> Constraint:
        """A tool's arguments or a value. What a constraint has learnt serves all turns that it is part of."""
        from .constraint import Constraint

        if of not in self._parts:
            self._parts[of] = Constraint(of.schema, self.model.vocab, **_STYLE)
        return self._parts[of]

    def _make_constraint(self, output: Output | None, tools: tuple[Tool, ...], choice: str) -> Constraint | None:
        from .constraint import Constraint

        value = None if output is None else self._part(output)
        if not tools and not any(self.format.reasoning):
            return value
        call_format = self.format
        return Constraint.dialog(
            self.model.vocab,
            [(tool.name, self._part(tool)) for tool in tools],
            begin=call_format.begin,
            name_prefix=call_format.name_prefix,
            args_prefix=call_format.args_prefix,
            call_suffix=call_format.call_suffix,
            separator=call_format.separator,
            between=call_format.between,
            end=call_format.end,
            begin_token=self._single_token(call_format.begin),
            end_token=self._single_token(call_format.end),
            reasoning=call_format.reasoning,
            calls_max=call_format.calls_max,
            choice=choice,
            value=value,
        )

    def _single_token(self, marker: str) -> int:
        """The control token that is the marker, or -1: then the marker is text."""
        ids = self.model.tokenize(marker, special=True)
        return ids[0] if len(ids) == 1 and not self.model.token_bytes(ids[0], special=False) else -1

    def _longest_transcript(self, head: tuple[Any, ...], messages: Sequence[Message]) -> Transcript | None:
        with self._lock:
            known = [
                t
                for t in self._transcripts
                if len(t.messages) < len(messages)
                and t.messages[-1] == messages[len(t.messages) - 1]
                and t.head == head
                and t.messages == tuple(messages[: len(t.messages)])
            ]
        return max(known, key=lambda t: len(t.messages), default=None)

    def _continuation(
        self, known: Transcript, messages: Sequence[Message], examples: Sequence[Message], tools: Sequence[Tool]
    ) -> list[int] | None:
        """The known tokens and those of what came after; None when the template does not let them be told apart."""
        n = len(known.messages)
        marked = [*messages[: n - 1], Message("assistant", _SENTINEL), *messages[n:]]
        try:
            text, guard = self._render(marked, examples, tools, n_known=n)
        except ModelError:
            return None
        _, found, after = text.partition(_SENTINEL)
        if not found or _SENTINEL in after:
            return None
        new = self._tokenize(after, guard)
        if new and new[0] == known.tokens[-1]:  # the end-of-turn token, which the model wrote itself
            del new[0]
        return [*known.tokens, *new]

    def _arranged(
        self, messages: Sequence[Message], examples: Sequence[Message], tools: Sequence[Tool]
    ) -> list[Message]:
        """The messages in a form that the template can render."""
        system, rest = "", list(messages)
        if rest and rest[0].role == "system":
            system = rest.pop(0).content
        if tools and not self.traits.tools:
            demonstrated = {call.name for message in examples for call in message.calls}
            listed = tools_for_system(tools, self.format, demonstrated)
            system = f"{system}\n\n{listed}" if system else listed
        arranged: list[Message] = []
        if system and self.traits.system:
            arranged.append(Message("system", system))
        for message in (*examples, *rest):
            self._arrange(message, arranged)
        if system and not self.traits.system:
            for i, message in enumerate(arranged):
                if message.role == "user":
                    arranged[i] = msgspec.structs.replace(message, content=f"{system}\n\n{message.content}")
                    break
        return arranged

    def _arrange(self, message: Message, arranged: list[Message]) -> None:
        if message.calls and not self.traits.calls:
            written = self.format.write(message.calls)
            content = f"{message.content}\n{written}" if message.content else written
            arranged.append(msgspec.structs.replace(message, content=content, calls=()))
        elif message.role == "tool" and not self.traits.results:
            content = f"<tool_response>\n{message.content}\n</tool_response>"
            if arranged and arranged[-1].role == "user":
                content = f"{arranged.pop().content}\n{content}"
            arranged.append(Message("user", content))
        else:
            arranged.append(message)

    def _render(
        self, messages: Sequence[Message], examples: Sequence[Message], tools: Sequence[Tool], n_known: int = 0
    ) -> tuple[str, str]:
        """The prompt's text, and the character that stands in it where content was split and nowhere else.

        n_known:  messages whose text is not needed, as their tokens are known.
        """
        guard = _unused_character(messages)
        guarded = [*messages[:n_known], *(self._guarded(message, guard) for message in messages[n_known:])]
        text = self.template.render(
            self._arranged(guarded, examples, tools), tools=tools_for_template(tools) if self.traits.tools else None
        )
        opening = self.format.reasoning[0]
        if opening and text.rstrip().endswith(opening):  # the model opens it, where the constraint sees it
            text = text.rstrip().removesuffix(opening)
        return text, guard

    def _guarded(self, message: Message, guard: str) -> Message:
        if message.role == "system":
            return message
        return msgspec.structs.replace(
            message,
            content=self._guarded_text(message.content, guard),
            reasoning=self._guarded_text(message.reasoning, guard),
            calls=tuple(
                msgspec.structs.replace(call, arguments=self._guarded_text(call.arguments, guard))
                for call in message.calls
            ),
        )

    def _guarded_text(self, text: str, guard: str) -> str:
        """*text* with *guard* inside everything that could be taken for structure."""
        for _ in range(_GUARD_ROUNDS_MAX):
            found = {marker for piece in text.split(guard) for marker in self._markers_in(piece)}
            if not found:
                return text
            for marker in sorted(found, key=len, reverse=True):
                text = text.replace(marker, f"{marker[0]}{guard}{marker[1:]}")
        raise ModelError("a message's text can not be kept apart from the model's control tokens")

    def _markers_in(self, text: str) -> set[str]:
        found = {marker for marker in self.format.markers if marker in text}
        special = self.model.tokenize(text, special=True)
        if special != self.model.tokenize(text, special=False):
            for token in set(special):
                if not self.model.token_bytes(token, special=False):
                    found.add(_token_text(self.model, token))
        found.discard("")
        return {marker for marker in found if len(marker) > 1 and marker in text}

    def _tokenize(self, text: str, guard: str) -> list[int]:
        return [token for piece in text.split(guard) for token in self.model.tokenize(piece, special=True)]


def _token_text(model: Model, token: int) -> str:
    return model.token_bytes(token, special=True).decode("utf-8", "replace") if token >= 0 else ""


def _unused_character(messages: Sequence[Message]) -> str:
    """A character of the private use area that no message has."""
    used = set[str]()
    for message in messages:
        for text in (message.content, message.reasoning, *(call.arguments for call in message.calls)):
            if not text.isascii():
                used.update(text)
    for code in range(0xE000, 0xF900):
        if chr(code) not in used:
            return chr(code)
    raise ModelError("the messages use up all private characters of Unicode")


def turn(model: Model, request: TurnRequest) -> Generator[TurnEvent, None, None]:
    """What `ChatModel.turn` promises, on a session of the model."""
    from ._core import lib
    from .model import EV_CALL_ARGS, EV_CALL_END, EV_CALL_START, EV_REASONING, EV_TEXT

    chat = model.chat
    constraint, tools = chat.constraint(request)
    tokens = chat.prompt(request.messages, examples=request.examples, tools=request.tools)
    text: list[str] = []
    reasoning: list[str] = []
    arguments: list[str] = []
    calls: list[ToolCall] = []
    with model.borrow(tokens) as session, request.cancel.linked(session.cancel):
        try:
            session.start(
                tokens,
                constraint=constraint,
                max_tokens=request.max_tokens,
                deadline=request.deadline,
                **request.options,
            )
        except LimitExceeded:  # what must be written does not fit into the tokens that are left
            yield TurnEnd("max_tokens")
            return
        except ModelError as error:
            if error.code != lib.ART_E_CONTEXT or request.messages[-1].role == "user":
                raise
            yield TurnEnd("context")  # tool results filled it: what the run has so far is not lost
            return
        for kind, tool, data in session.events():
            if kind == EV_TEXT:
                text.append(data)
                yield TextDelta(data)
            elif kind == EV_REASONING:
                reasoning.append(data)
                yield ReasoningDelta(data)
            elif kind == EV_CALL_START:
                arguments.clear()
                yield ToolCallStart(f"call_{request.n_calls + len(calls) + 1}", tools[tool].name)
            elif kind == EV_CALL_ARGS:
                arguments.append(data)
                yield ToolArgsDelta(f"call_{request.n_calls + len(calls) + 1}", data)
            elif kind == EV_CALL_END:
                call = ToolCall(f"call_{request.n_calls + len(calls) + 1}", tools[tool].name, "".join(arguments))
                calls.append(call)
                yield ToolCallEnd(call)
        said = Message("assistant", "".join(text), tuple(calls), reasoning="".join(reasoning))
        chat.remember((*request.messages, said), request.examples, request.tools, session.tokens)
        stop: StopReason = session.stop or "cancelled"
        if stop == "cancelled" and not request.cancel.is_set and time.monotonic() >= request.deadline:
            stop = "max_seconds"
        usage = session.usage
    yield TurnEnd(stop, usage)


_PREFIX_MAGIC = b"agentrt prefix 1\n"


def warm(
    model: Model,
    messages: Sequence[Message],
    *,
    examples: Sequence[Message],
    tools: Sequence[Tool],
    file: str | os.PathLike[str] | None,
) -> None:
    """Have a session of the model evaluate what all conversations begin with, or load it from *file*; write it there
    when it was not there, or was of something else. See `Agent.warm`."""
    head = model.chat.head(messages, examples=examples, tools=tools)
    if not head:
        return
    with model.borrow(head) as session:
        saves = file is not None and model.caps.can_save
        if saves and file is not None and _load_prefix(session, Path(file), _prefix_key(model, head)):
            return
        session.start(head, max_tokens=1)
        for _ in session.events():
            pass
        if saves and file is not None:
            _save_prefix(session, Path(file), _prefix_key(model, head))


def _prefix_key(model: Model, head: Sequence[int]) -> bytes:
    """Other model file, engine or tokens: other key."""
    about = os.stat(model.path)
    parts = (os.path.basename(model.path), about.st_size, about.st_mtime_ns, model.engine.path, model.engine.version)
    return hashlib.sha256(repr((parts, list(head))).encode()).hexdigest().encode() + b"\n"


def _load_prefix(session: Session, file: Path, key: bytes) -> bool:
    try:
        with open(file, "rb") as source:
            if source.read(len(_PREFIX_MAGIC) + len(key)) != _PREFIX_MAGIC + key:
                return False
            session.load(source.read())
    except (FileNotFoundError, ModelError):  # not there yet, or damaged: it will be written
        return False
    return True


def _save_prefix(session: Session, file: Path, key: bytes) -> None:
    """Written under another name first, so that no reader ever finds half of it. Only the user may read it."""
    handle, part = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with open(handle, "wb") as target:
            target.writelines((_PREFIX_MAGIC, key, session.save()))
        os.replace(part, file)
    except BaseException:
        os.unlink(part)
        raise
