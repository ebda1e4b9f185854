"""A loaded model: text and typed values from prompts, sessions with a KV cache, tokens.

    with agentrt.load() as model:
        print(model.generate([{"role": "user", "content": "Name three fruits."}], max_tokens=60).text)

Python is entered once per event of a generation, never once per token: decoding, sampling, constraints and the cutting
of text into deltas happen in the C core, with the GIL released.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, cast

import msgspec

from . import engines, models
from ._core import allocator, check, ffi, lib, new_error
from .errors import AgentrtError, ArgumentError, BusyError, ForkedError, StateError
from .messages import Message, StopReason, Usage

if TYPE_CHECKING:
    from ._typed import Output
    from .chatmodel import TurnRequest
    from .constraint import Constraint, Vocab
    from .events import TurnEvent
    from .tools import Tool
    from .turn import Chat

__all__ = ["Generation", "Model", "ModelCaps", "Session", "TextStream", "load"]

EV_TEXT = int(lib.ART_EV_TEXT)
EV_REASONING = int(lib.ART_EV_REASONING)
EV_CALL_START = int(lib.ART_EV_CALL_START)
EV_CALL_ARGS = int(lib.ART_EV_CALL_ARGS)
EV_CALL_END = int(lib.ART_EV_CALL_END)

_OK = int(lib.ART_OK)
_MORE = int(lib.ART_MORE)
_DONE = int(lib.ART_DONE)
_STOPS: dict[int, StopReason] = {
    lib.ART_STOP_EOS: "stop",
    lib.ART_STOP_STRING: "stop",
    lib.ART_STOP_COMPLETE: "stop",
    lib.ART_STOP_LENGTH: "max_tokens",
    lib.ART_STOP_CANCELLED: "cancelled",
    lib.ART_STOP_CONTEXT: "context",
}

_CONSTRAINTS_MAX = 32  # compiled schemas that a model remembers
_IDLE_SESSIONS_MAX = 2  # sessions kept between generations, for their KV caches
_WORTH_KEEPING = 512  # tokens of a cache that a generation does not cut away as long as another session may be made
_WORTH_COPYING = 16  # tokens in common that are copied to the new session rather than evaluated again

Prompt = str | Sequence[int] | Iterable[Message | Mapping[str, Any]]


class ModelCaps(msgspec.Struct, frozen=True):
    """What a model and its engine can do.

    bos, eos, eot:  token ids, -1 for none.
    can_copy:       sessions can be forked; can_save: and written to a file.
    many_sessions:  several at once.
    """

    n_vocab: int
    n_ctx_train: int
    bos: int
    eos: int
    eot: int
    add_bos: bool
    can_copy: bool
    can_save: bool
    many_sessions: bool


def load(
    path: str | os.PathLike[str] | None = None,
    *,
    engine: str = "auto",
    n_ctx: int = 0,
    n_batch: int = 0,
    n_threads: int = 0,
    n_gpu_layers: int = 0,
    use_mmap: bool = True,
    model_type: str = "",
    chat_template: str | None = None,
    call_format: str | None = None,
) -> Model:
    """A model, ready to use.

    path:          a GGUF file, `hf://owner/repository/file`, the name of a model in the cache, or None for the default
                   model, which is fetched once (see `agentrt.models`).
    engine:        "auto" or "llama.cpp" for the first libllama that is found (see `agentrt.engines`), the path of
                   one, or "ctransformers".
    n_ctx:         tokens of a session; 0: what the model was trained with, at most 4096.
    n_batch:       most prompt tokens evaluated at once; 0: 512.
    n_threads:     0: the physical cores that are free; see `cpu_count`.
    n_gpu_layers:  layers on the GPU; -1: all. 0 leaves GPU backends alone, which also starts faster.
    use_mmap:      map the file rather than read it, where the engine lets it be chosen.
    model_type:    ctransformers only: the architecture of a file that is no GGUF.
    chat_template: instead of the one in the file.
    call_format:   instead of the one that the template suggests, for example "hermes".

    Raises: ModelError for a missing, damaged or unsupported file or engine.
    """
    return Model(
        models.resolve(path),
        engines.open_library(engines.select(engine)),
        n_ctx=n_ctx,
        n_batch=n_batch,
        n_threads=n_threads,
        n_gpu_layers=n_gpu_layers,
        use_mmap=use_mmap,
        model_type=model_type,
        chat_template=chat_template,
        call_format=call_format,
    )


class Generation(msgspec.Struct, frozen=True):
    """What `Model.generate` gives.

    text:         with a schema, the value's JSON.
    stop_reason:  "stop" (the model's own end, a stop string, or the value is complete), "max_tokens" or "context".
                  With a schema the value is valid in every case.
    value:        see `output`.
    """

    text: str
    usage: Usage
    stop_reason: StopReason
    value: Any = None

    @property
    def output(self) -> Any:
        """The value that `schema` asked for: typed when that was a type, else plain JSON values; None without one."""
        if isinstance(self.value, msgspec.UnsetType):
            raise AgentrtError(f"the generation ended without a value: {self.stop_reason}")
        return self.value


class Model:
    """A model in memory. Use it as a context manager, or close it; see `load`.

    Threads: any number may generate at once where the engine has many sessions, each on a session of its own.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        library: engines.Library,
        *,
        n_ctx: int = 0,
        n_batch: int = 0,
        n_threads: int = 0,
        n_gpu_layers: int = 0,
        use_mmap: bool = True,
        model_type: str = "",
        chat_template: str | None = None,
        call_format: str | None = None,
    ) -> None:
        self.path = os.fspath(path)
        self._library = library
        self._context = _context_params(n_ctx, n_batch, n_threads)
        self._template = chat_template
        self._call_format = call_format
        self._lock = threading.RLock()
        self._closed = False
        self._idle: list[Session] = []
        self._sessions: set[Session] = set()
        self._constraints: OrderedDict[Any, tuple[Output, Constraint]] = OrderedDict()
        self._vocab: Vocab | None = None
        self._chat: Chat | None = None
        params = ffi.new("art_model_params *")
        lib.art_model_defaults(params)
        params.n_gpu_layers = n_gpu_layers
        params.n_ctx = self._context.n_ctx
        params.use_mmap = use_mmap
        self._ptr = library.load(self.path, params, model_type)
        caps = ffi.new("art_engine_caps *")
        check(lib.art_model_caps(self._ptr, caps, ffi.NULL))
        self.caps = ModelCaps(
            n_vocab=caps.n_vocab,
            n_ctx_train=caps.n_ctx_train,
            bos=caps.bos,
            eos=caps.eos,
            eot=caps.eot,
            add_bos=bool(caps.add_bos),
            can_copy=bool(caps.can_copy),
            can_save=bool(caps.can_save),
            many_sessions=bool(caps.many_contexts),
        )

    def __repr__(self) -> str:
        state = "closed" if self._closed else self._library.info.kind
        return f"<agentrt.Model {os.path.basename(self.path)} ({state})>"

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model and all its sessions; what is being generated in other threads is cancelled first."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            sessions, self._sessions = self._sessions, set()
            self._idle.clear()
        for session in sessions:
            session.close()
        ffi.release(self._ptr)

    @property
    def engine(self) -> engines.EngineInfo:
        """The engine that runs it."""
        return self._library.info

    # ------------------------------------------------------------ generation

    def generate(
        self,
        prompt: Prompt,
        *,
        schema: Any = None,
        max_tokens: int = 0,
        property_order: str = "schema",
        whitespace: str | int = "spaced",
        **options: Any,
    ) -> Generation:
        """Text, or a value, from a prompt.

        prompt:      text to be continued as it is (control tokens in it are recognised), messages, which are put
                     through the model's chat template, or token ids. For an answer to a question give messages.
        schema:      what the output must be: a type, a JSON Schema (dict or JSON text) or a Schema; see
                     `Generation.output`. The output is valid always: `max_tokens` makes it end in time.
        max_tokens:  of new tokens; 0: until the context is full.
        property_order, whitespace:  as Constraint takes them. Models write the order they are shown, and JSON as they
                     were trained on it.
        options:     see `Session.start`: temperature, top_k, top_p, min_p, repetition_penalty, frequency_penalty,
                     presence_penalty, penalty_last_n, logit_bias, seed, stop.

        Raises: ModelError when the prompt does not fit into the context, LimitExceeded when max_tokens is too small for
                any value that fits the schema, BusyError when the engine has one session only and it is in use.
        """
        stream = self.stream(
            prompt,
            schema=schema,
            max_tokens=max_tokens,
            property_order=property_order,
            whitespace=whitespace,
            **options,
        )
        with stream:
            for _ in stream:
                pass
        return stream.generation

    def stream(
        self,
        prompt: Prompt,
        *,
        schema: Any = None,
        max_tokens: int = 0,
        property_order: str = "schema",
        whitespace: str | int = "spaced",
        **options: Any,
    ) -> TextStream:
        """The same as pieces of text: a context manager and an iterator, with `.usage` and the rest afterwards.

        Leaving the context early ends the generation.
        """
        output = constraint = None
        if schema is not None:
            if options.get("stop"):
                raise ArgumentError("stop strings would cut a value: give either schema or stop")
            output, constraint = self._constraint(schema, property_order, whitespace)
        tokens = self._prompt_tokens(prompt)
        session = self._take(tokens)
        try:
            session.start(tokens, constraint=constraint, max_tokens=max_tokens, **options)
            return TextStream(self, session, output)
        except BaseException:
            self._give_back(session)
            raise

    def turn(self, request: TurnRequest) -> Generator[TurnEvent, None, None]:
        """One turn of a conversation with tools, for the agent loop; see `ChatModel`."""
        from .turn import turn

        return turn(self, request)

    def warm(
        self,
        messages: Sequence[Message],
        *,
        examples: Sequence[Message] = (),
        tools: Sequence[Tool] = (),
        file: str | os.PathLike[str] | None = None,
    ) -> None:
        """Evaluate what conversations begin with ahead of them; see `Agent.warm`."""
        from .turn import warm

        warm(self, messages, examples=examples, tools=tools, file=file)

    def reset(self) -> None:
        """Forget the KV caches of idle sessions."""
        with self._lock:
            idle = list(self._idle)
        for session in idle:
            session.reset()

    def _constraint(self, schema: Any, property_order: str, whitespace: str | int) -> tuple[Output, Constraint]:
        from ._typed import Output
        from .constraint import Constraint

        key = (_schema_key(schema), property_order, whitespace)
        with self._lock:
            known = self._constraints.get(key)
            if known is not None:
                self._constraints.move_to_end(key)
                return known
        output = Output(schema)
        made = output, Constraint(output.schema, self.vocab, property_order=property_order, whitespace=whitespace)
        with self._lock:
            self._constraints[key] = made
            while len(self._constraints) > _CONSTRAINTS_MAX:
                self._constraints.popitem(last=False)
        return made

    def _prompt_tokens(self, prompt: Prompt) -> Sequence[int]:
        if isinstance(prompt, str):
            tokens = self.tokenize(prompt, special=True)
            if self.caps.add_bos and self.caps.bos >= 0 and tokens[:1] != [self.caps.bos]:
                tokens.insert(0, self.caps.bos)
            return tokens
        items = list(prompt)
        if items and isinstance(items[0], int):
            return cast("list[int]", items)
        return self.chat.prompt([Message.of(item) for item in cast("list[Message | Mapping[str, Any]]", items)])

    # ------------------------------------------------------------ sessions

    def session(self, *, n_ctx: int = 0, n_batch: int = 0, n_threads: int = 0) -> Session:
        """A session of your own, with sizes other than the model's where they are given. Close it."""
        ctx = self._context
        params = _context_params(n_ctx or ctx.n_ctx, n_batch or ctx.n_batch, n_threads or ctx.n_threads)
        made = Session(self, params)
        with self._lock:
            if not self._closed:
                self._sessions.add(made)
                return made
        made.close()
        raise StateError("the model is closed")

    @contextmanager
    def borrow(self, tokens: Sequence[int]) -> Iterator[Session]:
        """An idle session whose KV cache has most of *tokens* already, or a new one, for the time of the context."""
        session = self._take(tokens)
        try:
            yield session
        finally:
            self._give_back(session)

    def _take(self, tokens: Sequence[int]) -> Session:
        self._check_open()
        wanted = _ids_bytes(tokens)
        best: Session | None = None
        best_common = -1
        with self._lock:
            for session in self._idle:
                common = _common_prefix(session.transcript_bytes(), wanted)
                if common > best_common:
                    best, best_common = session, common
            few = len(self._idle) < _IDLE_SESSIONS_MAX and self.caps.many_sessions
            if best is not None and not (few and best.n_tokens - best_common > _WORTH_KEEPING):
                self._idle.remove(best)
                return best
        try:
            fresh = self.session()
        except StateError as error:
            if self.caps.many_sessions or self._closed:
                raise
            raise BusyError(f"{error}: wait until the running generation has ended") from error
        if best is not None and self.caps.can_copy and best_common > _WORTH_COPYING:
            self._copy_prefix(fresh, best, best_common)
        return fresh

    def _copy_prefix(self, fresh: Session, known: Session, n_tokens: int) -> None:
        """Take a shared beginning, such as a system message, over from another session, unless it is in use by now."""
        try:
            fresh.fork(known, n_tokens)
        except (BusyError, StateError):
            fresh.reset()

    def _give_back(self, session: Session) -> None:
        dropped: Session | None = None
        with self._lock:
            if session.is_closed:
                return
            if not self._closed:
                self._idle.append(session)
                if len(self._idle) > _IDLE_SESSIONS_MAX:
                    dropped = self._idle.pop(0)
            else:
                dropped = session
        if dropped is not None:
            dropped.close()
        self._library.pass_on_log()

    def _forget(self, session: Session) -> None:
        with self._lock:
            self._sessions.discard(session)
            if session in self._idle:
                self._idle.remove(session)

    # ------------------------------------------------------------ tokens

    def tokenize(self, content: str, *, special: bool = False) -> list[int]:
        """Token ids of a text.

        special:  control tokens in the text are recognised; leave it off for text that you do not control.
        """
        self._check_open()
        data = content.encode()
        n, err = ffi.new("size_t *"), new_error()
        cap = len(data) + 8
        while True:
            ids = ffi.new("int32_t[]", cap)
            check(lib.art_model_tokenize(self._ptr, data, len(data), special, ids, cap, n, err), err)
            if n[0] <= cap:
                return list(ffi.unpack(ids, n[0]))
            cap = int(n[0])

    def token_bytes(self, token: int, *, special: bool = False) -> bytes:
        """The bytes that a token adds to the text; b"" for control tokens unless `special`."""
        self._check_open()
        n, err = ffi.new("size_t *"), new_error()
        cap = 64
        while True:
            buf = ffi.new("uint8_t[]", cap)
            check(lib.art_model_token_bytes(self._ptr, token, special, buf, cap, n, err), err)
            if n[0] <= cap:
                return bytes(ffi.buffer(buf, n[0]))
            cap = int(n[0])

    def detokenize(self, tokens: Iterable[int], *, special: bool = False) -> str:
        """The text of tokens; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(self.token_bytes(token, special=special) for token in tokens).decode("utf-8", "replace")

    @property
    def vocab(self) -> Vocab:
        """The model's tokens as constraints need them; built at the first use, in tens of milliseconds."""
        with self._lock:
            if self._vocab is None:
                from .constraint import Vocab

                self._check_open()
                out, err = ffi.new("art_vocab **"), new_error()
                check(lib.art_model_vocab(self._ptr, out, err), err)
                self._vocab = Vocab.lent(ffi.gc(out[0], lib.art_vocab_free), None)
            return self._vocab

    def meta(self, key: str) -> str | None:
        """The text of a metadata entry of the model file, or None."""
        self._check_open()
        n, err = ffi.new("size_t *"), new_error()
        name, cap = key.encode(), 256
        while True:
            buf = ffi.new("char[]", cap)
            check(lib.art_model_meta(self._ptr, name, buf, cap, n, err), err)
            if n[0] < cap:
                return bytes(ffi.buffer(buf, n[0])).decode("utf-8", "replace") if n[0] else None
            cap = int(n[0]) + 1

    @property
    def chat_template(self) -> str | None:
        """The Jinja text that turns messages into a prompt, or None."""
        return self._template if self._template is not None else self.meta("tokenizer.chat_template")

    @property
    def chat(self) -> Chat:
        """Template, call format and the transcripts of this model's conversations."""
        with self._lock:
            if self._chat is None:
                from .turn import Chat

                self._chat = Chat(self, template=self._template, call_format=self._call_format)
            return self._chat

    def _check_open(self) -> None:
        if self._closed:
            raise StateError("the model is closed")


# ---------------------------------------------------------------- session


class Session:
    """A transcript of tokens with its KV cache, and one request at a time on it; made by `Model.session`.

    The next request's prompt may be anything: what it has in common with the transcript's beginning is not evaluated
    again.
    Threads: one at a time, a second one gets BusyError; `cancel` may be called from any.
    """

    def __init__(self, model: Model, params: Any) -> None:
        self._model = model
        self._pid = os.getpid()
        self._inside = threading.Lock()
        self._self = ffi.new_handle(self)
        self._deadline = math.inf
        self._raised: BaseException | None = None
        self._event = ffi.new("art_event *")
        self._err = new_error()
        self._n = ffi.new("size_t *")
        self._closed = False
        self.stop: StopReason | None = None
        model._check_open()
        out = ffi.new("art_session **")
        check(lib.art_session_new(model._ptr, params, allocator(), out, self._err), self._err)
        self._ptr = ffi.gc(out[0], lib.art_session_free)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the session; a request that another thread runs on it is cancelled first."""
        if self._closed:
            return
        self._closed = True
        if os.getpid() == self._pid:
            lib.art_session_cancel(self._ptr)
            with self._inside:
                ffi.release(self._ptr)
        self._model._forget(self)

    @property
    def is_closed(self) -> bool:
        return self._closed

    @contextmanager
    def _entered(self) -> Iterator[Any]:
        if not self._inside.acquire(blocking=False):
            self._fail_to_enter()
        try:
            if self._closed:
                raise StateError("the session is closed")
            yield self._ptr
        finally:
            self._inside.release()

    def _fail_to_enter(self) -> NoReturn:
        if os.getpid() != self._pid:
            raise ForkedError("the session was made by another process: load the model again after the fork")
        raise BusyError("the session is in use by another thread")

    def start(
        self,
        tokens: Sequence[int],
        *,
        constraint: Constraint | None = None,
        max_tokens: int = 0,
        deadline: float = math.inf,
        stop: str | Sequence[str] = (),
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        frequency_penalty: float = 0.0,
        presence_penalty: float = 0.0,
        penalty_last_n: int = 64,
        logit_bias: Mapping[int, float] | None = None,
        seed: int | None = None,
        flush_ms: int = 0,
        close_early: bool = True,
        fast_forward: bool = True,
    ) -> None:
        """Begin a request; nothing is evaluated yet.

        tokens:       the whole prompt.
        max_tokens:   of new tokens; 0: until the context is full.
        deadline:     `time.monotonic()` after which the request is cancelled, also in the middle of an evaluation.
        stop:         texts that end the answer and are not part of it; they do not apply to values and arguments.
        temperature:  0 takes the likeliest token always. The filters top_k, top_p and min_p apply after it, in that
                      order; penalties look at the transcript's last `penalty_last_n` tokens. The reference is
                      docs/sampling.md.
        logit_bias:   token id to what is added to its logit; -inf bans it.
        seed:         same seed, same build, same tokens; None: a random one.
        flush_ms:     join the text of this many milliseconds into one event.
        close_early:  with a constraint, end the output in time for max_tokens, so that it is valid always.
        fast_forward: append what the constraint dictates without sampling.

        Raises: ModelError when the prompt does not fit into the context, ArgumentError, LimitExceeded.
        """
        params = ffi.new("art_generate_params *")
        lib.art_generate_defaults(params)
        sample = params.sample
        sample.temperature, sample.top_k, sample.top_p, sample.min_p = temperature, top_k, top_p, min_p
        sample.repetition_penalty = repetition_penalty
        sample.frequency_penalty, sample.presence_penalty = frequency_penalty, presence_penalty
        sample.penalty_last_n = penalty_last_n
        sample.seed = int.from_bytes(os.urandom(8), "little") if seed is None else seed & 0xFFFFFFFFFFFFFFFF
        if logit_bias:
            bias = ffi.new("art_bias[]", [(int(token), float(value)) for token, value in logit_bias.items()])
            sample.bias, sample.n_bias = bias, len(logit_bias)
        texts = [ffi.from_buffer(s.encode()) for s in ([stop] if isinstance(stop, str) else stop)]
        stops = ffi.new("art_str[]", [(ffi.cast("char *", s), len(s)) for s in texts])
        params.stops, params.n_stops = stops, len(texts)
        params.max_tokens = max_tokens
        params.flush_ms = flush_ms
        params.close_early, params.fast_forward = close_early, fast_forward
        self._deadline = deadline
        self._raised = None
        # Signal handlers run in the main thread, when Python is entered: without this Ctrl-C would wait for the engine.
        if deadline < math.inf or threading.current_thread() is threading.main_thread():
            params.poll, params.poll_ud = lib.agentrt_poll, self._self
        ids = ffi.from_buffer("int32_t[]", _ids_bytes(tokens))
        with self._entered() as ptr:
            if constraint is not None:
                params.matcher = constraint.new_matcher()  # the session takes it over
            self.stop = None
            check(lib.art_session_start(ptr, ids, len(ids), params, self._err), self._err)

    def events(self) -> Iterator[tuple[int, int, str]]:
        """What happens, as (EV_* kind, tool index, text); `stop` and `usage` tell the rest when it is over.

        Raises: KeyboardInterrupt and whatever else signal handlers raise, also during an evaluation; ModelError.
        """
        event, err, step, unpack = self._event, self._err, lib.art_session_next, ffi.unpack
        enter, leave = self._inside.acquire, self._inside.release
        timed = self._deadline < math.inf
        while True:
            if not enter(False):  # what _entered() does, without a context manager for every token
                self._fail_to_enter()
            try:
                if self._closed:
                    raise StateError("the session is closed")
                status = step(self._ptr, event, err)
                if status == _OK:
                    occurred = event.kind, event.tool, unpack(event.data, event.len).decode() if event.len else ""
                elif status == _DONE:
                    stop = event.stop
            finally:
                leave()
            if self._raised is not None:
                raised, self._raised = self._raised, None
                self.stop = "cancelled"
                raise raised
            if status == _OK:
                yield occurred
            elif status == _DONE:
                self.stop = _STOPS[stop]
                return
            elif status != _MORE:
                check(status, err)
            if timed and time.monotonic() >= self._deadline:
                self.cancel()

    def cancel(self) -> None:
        """End the running request soon, also in the middle of an evaluation; `stop` is "cancelled" then. Any thread."""
        if not self._closed:
            lib.art_session_cancel(self._ptr)

    def reset(self) -> None:
        """Forget the transcript and its cache."""
        with self._entered() as ptr:
            check(lib.art_session_reset(ptr, self._err), self._err)

    def fork(self, other: Session, n_tokens: int) -> None:
        """Become a copy of the first *n_tokens* of another session of the same model, cache included, in
        milliseconds."""
        with self._entered() as ptr, other._entered() as source:
            check(lib.art_session_fork(ptr, source, n_tokens, self._err), self._err)

    def save(self) -> bytes:
        """The evaluated part of the transcript with its cache, for `load` on the same model, engine build and machine
        kind."""
        with self._entered() as ptr:
            status = lib.art_session_save(ptr, ffi.NULL, 0, self._n, self._err)
            if status != lib.ART_E_LIMIT:
                check(status, self._err)
            buf = bytearray(self._n[0])
            room = ffi.from_buffer("uint8_t[]", buf)
            check(lib.art_session_save(ptr, room, len(buf), self._n, self._err), self._err)
            return bytes(memoryview(buf)[: self._n[0]])

    def load(self, data: bytes) -> None:
        """Continue from what `save` gave. Load only what you saved yourself: the engine trusts it."""
        with self._entered() as ptr:
            check(lib.art_session_load(ptr, ffi.from_buffer("uint8_t[]", data), len(data), self._err), self._err)

    def transcript_bytes(self) -> bytes:
        """The transcript as 32-bit integers of this machine's byte order."""
        with self._entered() as ptr:
            ids = lib.art_session_tokens(ptr, self._n)
            return bytes(ffi.buffer(ids, self._n[0] * 4))

    @property
    def tokens(self) -> list[int]:
        """The transcript: the last prompt and what was generated after it."""
        return memoryview(self.transcript_bytes()).cast("i").tolist()

    @property
    def n_tokens(self) -> int:
        with self._entered() as ptr:
            lib.art_session_tokens(ptr, self._n)
            return int(self._n[0])

    @property
    def n_ctx(self) -> int:
        with self._entered() as ptr:
            return int(lib.art_session_n_ctx(ptr))

    @property
    def usage(self) -> Usage:
        """Of the last request, so far."""
        u = ffi.new("art_usage *")
        with self._entered() as ptr:
            lib.art_session_usage(ptr, u)
        return Usage(
            prompt_tokens=u.prompt_tokens,
            cached_tokens=u.cached_tokens,
            completion_tokens=u.completion_tokens,
            forced_tokens=u.forced_tokens,
            prefill_ms=u.prefill_ms,
            decode_ms=u.decode_ms,
            total_ms=u.total_ms,
        )


def _poll(ud: Any) -> int:
    """Called by the core now and then during an evaluation. Entering Python is what lets signal handlers run."""
    session: Session = ffi.from_handle(ud)
    return int(time.monotonic() >= session._deadline)


def _poll_raised(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
    """A signal handler raised in `_poll`: the evaluation is cancelled, and `Session.events` raises it."""
    session: Session = ffi.from_handle(traceback.tb_frame.f_locals["ud"])
    session._raised = error


ffi.def_extern(name="agentrt_poll", error=1, onerror=_poll_raised)(_poll)


# ---------------------------------------------------------------- stream


class TextStream:
    """The deltas of a generation: a context manager and an iterator; made by `Model.stream`."""

    def __init__(self, model: Model, session: Session, output: Output | None) -> None:
        self._model = model
        self._session: Session | None = session
        self._events = session.events()
        self._output = output
        self._parts: list[str] = []
        self._usage: Usage | None = None
        self._stop: StopReason | None = None

    def __enter__(self) -> TextStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            for kind, _, data in self._events:
                if kind == EV_TEXT:
                    self._parts.append(data)
                    return data
        except BaseException:
            self.close()
            raise
        self.close()
        raise StopIteration

    def close(self) -> None:
        """End the generation where it is; the rest of the object stays usable."""
        session, self._session = getattr(self, "_session", None), None
        if session is None:
            return
        try:
            self._usage = session.usage
            self._stop = session.stop or "cancelled"
        except (StateError, BusyError, ForkedError):  # closed with its model, or left behind by a fork
            self._stop = "cancelled"
        self._events = iter(())
        self._model._give_back(session)

    @property
    def text(self) -> str:
        """All deltas so far."""
        return "".join(self._parts)

    @property
    def usage(self) -> Usage:
        if self._session is not None:
            return self._session.usage
        return self._usage or Usage()

    @property
    def stop_reason(self) -> StopReason | None:
        """Why it ended; None while it runs, "cancelled" when it was left early."""
        return self._stop

    @property
    def generation(self) -> Generation:
        """The whole result, after the end."""
        if self._stop is None:
            raise StateError("the generation is still running")
        value: Any = None
        if self._output is not None:
            value = msgspec.UNSET if self._stop == "cancelled" else self._output.decode(self.text)
        return Generation(self.text, self.usage, self._stop, value)

    @property
    def output(self) -> Any:
        """See `Generation.output`."""
        return self.generation.output


# ---------------------------------------------------------------- helpers


def _context_params(n_ctx: int, n_batch: int, n_threads: int) -> Any:
    for name, value in (("n_ctx", n_ctx), ("n_batch", n_batch), ("n_threads", n_threads)):
        if not 0 <= value < 1 << 31:
            raise ArgumentError(f"{name} is out of range: {value}")
    params = ffi.new("art_context_params *")
    params.n_ctx, params.n_batch, params.n_threads = n_ctx, n_batch, n_threads
    return params


def _ids_bytes(tokens: Sequence[int]) -> bytes:
    import array

    try:
        return array.array("i", tokens).tobytes()
    except (OverflowError, TypeError) as error:
        raise ArgumentError(f"tokens must be integers of 32 bits: {error}") from error


def _common_prefix(a: bytes, b: bytes) -> int:
    """How many 32-bit integers two byte strings begin with in common."""
    n = min(len(a), len(b)) // 4
    low, high = 0, n
    while low < high:
        middle = (low + high + 1) // 2
        if a[low * 4 : middle * 4] == b[low * 4 : middle * 4]:
            low = middle
        else:
            high = middle - 1
    return low


def _schema_key(schema: Any) -> Any:
    """Equal keys stand for the same schema: text for dicts, as their order matters, else the object itself."""
    if isinstance(schema, Mapping):
        return msgspec.json.encode(schema)
    try:
        hash(schema)
    except TypeError as error:
        raise ArgumentError(
            f"a schema is a type, a dict, JSON text or a Schema, not {type(schema).__name__}"
        ) from error
    return schema


def cpu_count() -> int:
    """Physical cores that this process may use, less the load others put on them; at least 1."""
    return int(lib.art_cpu_count())
