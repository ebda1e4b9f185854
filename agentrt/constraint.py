"""JSON Schemas as constraints on what a model writes: vocabularies, schemas, constraints and matchers.

    vocab = Vocab(tokens, eos=2)
    constraint = Constraint({"type": "object", ...}, vocab)
    matcher = constraint.matcher()
    matcher.fill_mask(mask)        # which tokens may come next
    matcher.accept(token)

Nothing here needs an engine or a model. Vocab, Schema and Constraint are immutable and shared between threads; a
Matcher belongs to one thread at a time.
"""

from __future__ import annotations

import itertools
import os
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ._core import DRAFTS, MatcherCalls, allocator, check, exception, ffi, lib, limit_memory, memory_in_use, new_error
from .errors import ArgumentError, LimitExceeded, SchemaError

__all__ = ["Constraint", "Matcher", "Schema", "Survey", "Vocab", "limit_memory", "memory_in_use"]

_DRAFTS = {name: number for number, name in DRAFTS.items()}
_FORMATS = {"assert": lib.ART_FORMATS_ASSERT, "annotate": lib.ART_FORMATS_ANNOTATE}
_ORDERS = {"any": lib.ART_ORDER_ANY, "schema": lib.ART_ORDER_SCHEMA}
_WHITESPACE = {"any": lib.ART_WS_ANY, "compact": lib.ART_WS_COMPACT, "spaced": lib.ART_WS_SPACED}
_CHOICES = {"auto": lib.ART_CHOICE_AUTO, "required": lib.ART_CHOICE_REQUIRED, "none": lib.ART_CHOICE_NONE}
_FORCED_BYTES = 4096
_FINDINGS = 50  # of a survey that are told


def _option(name: str, table: Mapping[str, int], value: Any) -> int:
    found = table.get(value) if isinstance(value, str) else None
    if found is None:
        raise ArgumentError(f"{name} must be one of {', '.join(map(repr, table))}, not {value!r}")
    return found


class Vocab:
    """The tokens of one tokenizer, prepared for masks.

    tokens:  the bytes of each id, b"" for tokens without text (control tokens, unused slots).
    eos:     id or ids that end the output; allowed exactly where a constraint is complete.

    Raises: ArgumentError for an eos that is no token; LimitExceeded.
    Cost:   some 60 ms for 128k tokens; save() and open() make that 3 ms.
    """

    __slots__ = ("_owner", "_ptr")

    def __init__(self, tokens: Sequence[bytes], *, eos: int | Iterable[int] = ()) -> None:
        data = b"".join(tokens)
        if len(data) > 0xFFFFFFFF:
            raise LimitExceeded(which="bytes of all tokens", used=len(data), cap=0xFFFFFFFF)
        offsets = array("I", itertools.accumulate(map(len, tokens), initial=0))
        try:
            ends = array("I", [eos] if isinstance(eos, int) else eos)
        except OverflowError:
            raise ArgumentError(f"eos: {eos!r} is no token id") from None
        out, err = ffi.new("art_vocab **"), new_error()
        status = lib.art_vocab_new(
            ffi.from_buffer("uint8_t[]", data),
            ffi.from_buffer("uint32_t[]", offsets),
            len(tokens),
            ffi.from_buffer("uint32_t[]", ends) if ends else ffi.NULL,
            len(ends),
            allocator(),
            out,
            err,
        )
        check(status, err)
        self._ptr = ffi.gc(out[0], lib.art_vocab_free, size=lib.art_vocab_memory(out[0]))
        self._owner: Any = None

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Vocab:
        """A vocabulary that save() wrote on this kind of machine; mapped, not read.

        Raises: ModelError when there is no such file, or when it is damaged or of another version.
        """
        out, err = ffi.new("art_vocab **"), new_error()
        check(lib.art_vocab_open(os.fsencode(path), allocator(), out, err), err)
        self = cls.__new__(cls)
        self._ptr = ffi.gc(out[0], lib.art_vocab_free, size=lib.art_vocab_memory(out[0]))
        self._owner = None
        return self

    @classmethod
    def lent(cls, pointer: Any, owner: Any) -> Vocab:
        """An `art_vocab *` that *owner* keeps alive."""
        self = cls.__new__(cls)
        self._ptr = pointer
        self._owner = owner
        return self

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file for open(). An old one is replaced as a whole.

        Raises: ModelError when the file can not be written.
        """
        err = new_error()
        check(lib.art_vocab_save(self._ptr, os.fsencode(path), err), err)

    def __len__(self) -> int:
        return int(lib.art_vocab_size(self._ptr))

    def __getitem__(self, token: int) -> bytes:
        """The bytes of a token."""
        if not 0 <= token < len(self):
            raise IndexError(f"token {token} of {len(self)}")
        n = ffi.new("size_t *")
        return bytes(ffi.buffer(lib.art_vocab_token(self._ptr, token, n), n[0]))

    @property
    def memory(self) -> int:
        """Bytes held."""
        return int(lib.art_vocab_memory(self._ptr))


def _json_text(schema: Any) -> bytes:
    """A schema, in any of the forms that are taken, as JSON text."""
    if isinstance(schema, str):
        return schema.encode("utf-8", "surrogatepass")
    if isinstance(schema, (bytes, bytearray, memoryview)):
        return bytes(schema)
    if not isinstance(schema, (Mapping, bool)):
        from ._typed import schema_of

        try:
            schema = schema_of(schema)
        except (TypeError, NameError) as error:
            raise SchemaError(f"no JSON Schema for this type: {error}") from error
    import json

    try:
        return json.dumps(dict(schema) if isinstance(schema, Mapping) else schema, allow_nan=False).encode()
    except RecursionError:
        raise LimitExceeded("the schema is nested too deeply", which="schema depth") from None
    except (TypeError, ValueError) as error:
        raise SchemaError(f"not JSON: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a schema can lead to.

    draft:         of its root, for example "2020-12".
    places:        schema objects that can be reached.
    parts:         combinations of them that are asked of one value; alternatives: of these, by JSON type.
    states:        of the automata of patterns and formats.
    memory:        bytes that the schema holds with all that.
    is_complete:   False: there is more, beyond ART_SURVEY_PARTS_MAX.
    refused_late:  parts that are refused when an output gets there.
    empty:         schema objects that no value fits: an optional member of this kind is never offered.
    """

    draft: str
    places: int
    parts: int
    alternatives: int
    states: int
    memory: int
    is_complete: bool
    refused_late: tuple[SchemaError | LimitExceeded, ...]
    empty: tuple[SchemaError, ...]


class Schema:
    """A JSON Schema, read and its references resolved.

    schema:         JSON text, a dict, True or False, or a type (as msgspec describes it).
    registry:       schemas by URI, for references that lead out of the schema; the drafts' own meta-schemas are known
                    without. Nothing is ever fetched.
    default_draft:  "4", "6", "7", "2019-09" or "2020-12", where "$schema" does not say.
    formats:        "assert" the defined formats, or take them as "annotate"; unknown names are annotations always.
    memory_max:     bytes that the schema and everything derived from it may hold; 0: the default of the core.

    Raises: SchemaError, with draft, pointer, keyword and reason; LimitExceeded.
    """

    __slots__ = ("_ptr",)

    def __init__(
        self,
        schema: Any,
        *,
        registry: Mapping[str, Any] | None = None,
        default_draft: str = "2020-12",
        formats: Literal["assert", "annotate"] = "assert",
        memory_max: int = 0,
    ) -> None:
        text = _json_text(schema)
        opts = ffi.new("art_schema_opts *")
        opts.default_draft = _option("default_draft", _DRAFTS, default_draft)
        opts.formats = _option("formats", _FORMATS, formats)
        opts.memory_max = memory_max
        kept = [(uri.encode(), _json_text(entry)) for uri, entry in (registry or {}).items()]
        resources = ffi.new(
            "art_resource[]",
            [(ffi.from_buffer("char[]", u), len(u), ffi.from_buffer("char[]", t), len(t)) for u, t in kept],
        )
        opts.registry, opts.n_registry = resources, len(kept)
        out, err = ffi.new("art_schema **"), new_error()
        status = lib.art_schema_compile(ffi.from_buffer("char[]", text), len(text), opts, allocator(), out, err)
        check(status, err)
        self._ptr = ffi.gc(out[0], lib.art_schema_free, size=lib.art_schema_memory(out[0]))

    def validate(self, json: bytes | bytearray | memoryview | str) -> bool:
        """Does this JSON text fit the schema? Text that is not JSON does not.

        Raises: SchemaError or LimitExceeded, when only this text leads to a part of the schema that can not be held to.
        """
        text = json.encode("utf-8", "surrogatepass") if isinstance(json, str) else json
        err = new_error()
        status = lib.art_schema_validate(self._ptr, ffi.from_buffer("uint8_t[]", text), len(text), err)
        return bool(check(status, err) == lib.ART_OK)

    def conflict(self) -> tuple[str, ...]:
        """Why no value fits: JSON Pointers to keywords that can not hold together, none of which can be missed.

        What lies deepest in the value comes first. Before the pointer to a keyword in the registry stand its document's
        URI and "#". Empty when there are values that fit.
        """
        n, err = ffi.new("size_t *"), new_error()
        cap = 1024
        while True:
            buf = ffi.new("char[]", cap)
            status = lib.art_schema_conflict(self._ptr, buf, cap, n, err)
            if status != lib.ART_E_LIMIT or n[0] <= cap:
                break
            cap = n[0]
        if check(status, err) != lib.ART_OK:
            return ()
        return tuple(bytes(ffi.buffer(buf, n[0])).decode("utf-8", "surrogatepass").split("\0")[:-1])

    def survey(self) -> Survey:
        """Look at everything the schema can lead to, ahead of any output: for people who write schemas.

        Raises: OutOfMemory.
        Cost:   everything is expanded and stays in memory, which outputs do only as far as they get.
        """
        out, err, n = ffi.new("art_survey *"), new_error(), ffi.new("size_t *")
        findings = ffi.new("art_error[]", _FINDINGS)
        check(lib.art_schema_survey(self._ptr, out, findings, _FINDINGS, n, err), err)
        errors = [exception(findings[i]) for i in range(min(n[0], _FINDINGS))]
        return Survey(
            draft=DRAFTS[out.draft],
            places=out.n_places,
            parts=out.n_parts,
            alternatives=out.n_alternatives,
            states=out.n_states,
            memory=out.memory,
            is_complete=bool(out.is_complete),
            refused_late=tuple(
                error
                for error in errors
                if isinstance(error, (SchemaError, LimitExceeded)) and error.code != lib.ART_E_UNSATISFIABLE
            ),
            empty=tuple(
                error for error in errors if isinstance(error, SchemaError) and error.code == lib.ART_E_UNSATISFIABLE
            ),
        )

    @property
    def memory(self) -> int:
        """Bytes held now; tables grow while the schema is used, up to memory_max."""
        return int(lib.art_schema_memory(self._ptr))


class Constraint:
    """What may be written: values that fit a schema, or the turn of a dialogue (see `dialog`).

    schema:          a Schema, or anything that Schema takes, with its keywords.
    vocab:           the tokens that masks are about; None: only the byte functions of the matcher work.
    property_order:  "any", as JSON Schema has it, or "schema": properties come in the order in which they are declared.
    whitespace:      between JSON tokens: "any", "compact" (none), at most so many characters in a row, or "spaced":
                     the spelling of json.dumps, with one space after commas and colons, and integers without
                     fraction or exponent. That one holds for masks, allows() and forced(); accept() takes what 1 takes.

    Numbers that masks, allows() and forced() lead to are finite as IEEE doubles, unless the schema demands larger ones;
    accept() takes all that fit the schema.

    Raises: SchemaError, also when no value fits (then with its `conflict`); LimitExceeded.
    """

    __slots__ = ("_ptr", "vocab")

    def __init__(
        self,
        schema: Any,
        vocab: Vocab | None = None,
        *,
        property_order: Literal["any", "schema"] | str = "any",
        whitespace: Literal["any", "compact", "spaced"] | str | int = "any",
        **schema_options: Any,
    ) -> None:
        if isinstance(schema, Schema):
            if schema_options:
                raise ArgumentError(f"{', '.join(schema_options)}: given with a Schema, which has its own")
        else:
            schema = Schema(schema, **schema_options)
        opts = ffi.new("art_constraint_opts *")
        opts.property_order = _option("property_order", _ORDERS, property_order)
        if isinstance(whitespace, int) and not isinstance(whitespace, bool):
            if not 0 <= whitespace < 0xFFFF:
                raise ArgumentError(f"whitespace must be between 0 and {0xFFFF - 1}, not {whitespace}")
            opts.whitespace = 1 + whitespace
        else:
            opts.whitespace = _option("whitespace", _WHITESPACE, whitespace)
        out, err = ffi.new("art_constraint **"), new_error()
        status = lib.art_constraint_new(
            schema._ptr, ffi.NULL if vocab is None else vocab._ptr, opts, allocator(), out, err
        )
        try:
            check(status, err)
        except SchemaError as error:
            if status == lib.ART_E_UNSATISFIABLE:
                error.conflict = schema.conflict()
            raise
        self._own(out[0], vocab)

    def _own(self, pointer: Any, vocab: Vocab | None) -> None:
        self._ptr = ffi.gc(pointer, lib.art_constraint_free, size=lib.art_constraint_memory(pointer))
        self.vocab = vocab

    @classmethod
    def dialog(
        cls,
        vocab: Vocab,
        tools: Sequence[tuple[str, Constraint]],
        *,
        begin: str = "",
        name_prefix: str = "",
        args_prefix: str = "",
        call_suffix: str = "",
        separator: str = "",
        between: str = "",
        end: str = "",
        begin_token: int = -1,
        end_token: int = -1,
        reasoning: tuple[str, str] = ("", ""),
        calls_max: int = 0,
        choice: Literal["auto", "required", "none"] | str = "auto",
        value: Constraint | None = None,
    ) -> Constraint:
        """One assistant turn of a chat model: text, calls of tools, or a value.

            turn = [reasoning] ( text | [text] calls | value | calls )
            calls = begin call { separator call } end             one list
                  | begin call end { between begin call end }     when separator is empty
            call = name_prefix NAME args_prefix ARGUMENTS call_suffix

        tools:        names and the constraints of their arguments, over the same vocabulary.
        begin_token, end_token:  ids of control tokens that stand for `begin` and `end`, or -1.
        reasoning:    opening and closing tag; both empty: none.
        calls_max:    most calls in the turn; 0: the default of the core.
        choice:       "auto", "required" (calls only) or "none" (no calls).
        value:        when given, the turn's answer is this instead of text.

        Raises: ArgumentError for a specification that is ambiguous; LimitExceeded.
        """
        kept: list[bytes] = []

        def text(s: str) -> tuple[Any, int]:
            kept.append(s.encode())
            return ffi.from_buffer("char[]", kept[-1]), len(kept[-1])

        spec = ffi.new("art_dialog_spec *")
        fields = {
            "begin": begin,
            "name_prefix": name_prefix,
            "args_prefix": args_prefix,
            "call_suffix": call_suffix,
            "separator": separator,
            "between": between,
            "end": end,
            "reasoning_open": reasoning[0],
            "reasoning_close": reasoning[1],
        }
        for name, string in fields.items():
            setattr(spec, name, text(string))
        spec.begin_token, spec.end_token = begin_token, end_token
        listed = ffi.new("art_dialog_tool[]", [(text(name), args._ptr) for name, args in tools])
        spec.tools, spec.n_tools = listed, len(tools)
        spec.calls_max = calls_max
        spec.choice = _option("choice", _CHOICES, choice)
        if value is not None:
            spec.value = value._ptr
        out, err = ffi.new("art_constraint **"), new_error()
        check(lib.art_constraint_dialog(spec, vocab._ptr, allocator(), out, err), err)
        self = cls.__new__(cls)
        self._own(out[0], vocab)
        return self

    def matcher(self) -> Matcher:
        """A new output. Cheap."""
        return Matcher(self)

    def new_matcher(self) -> Any:
        """An `art_matcher *` that the caller must free or hand to a function that takes it over."""
        out, err = ffi.new("art_matcher **"), new_error()
        check(lib.art_matcher_new(self._ptr, out, err), err)
        return out[0]

    @property
    def memory(self) -> int:
        """Bytes held now, memoised masks included, without the schema's."""
        return int(lib.art_constraint_memory(self._ptr))


_is_complete = lib.art_matcher_is_complete
_REJECTED = int(lib.ART_REJECTED)
_BUSY = int(lib.ART_E_BUSY)


class Matcher(MatcherCalls):
    """One output being written under a constraint. fill_mask(), accept() and allows() are in agentrt/_matcher.h.

    Threads: one at a time; a second one that comes in meanwhile gets BusyError.
    """

    __slots__ = ("_ptr", "constraint")

    def __init__(self, constraint: Constraint) -> None:
        self._own(constraint.new_matcher(), constraint)

    def _own(self, pointer: Any, constraint: Constraint) -> None:
        self._ptr = ffi.gc(pointer, lib.art_matcher_free)
        self.constraint = constraint
        self._attach(int(ffi.cast("uintptr_t", pointer)))

    def _bind(self, buffer: Any) -> tuple[Any, int, int]:
        """The 32-bit words of a buffer: what keeps them where they are, their address, their number."""
        words = ffi.from_buffer("uint32_t[]", buffer, require_writable=True)
        return words, int(ffi.cast("uintptr_t", words)), len(words)

    def accept_bytes(self, data: bytes) -> int:
        """Take bytes for as long as they are allowed; how many were. One step for rollback when any were."""
        n = ffi.new("size_t *")
        status = lib.art_matcher_accept_bytes(self._ptr, ffi.from_buffer("uint8_t[]", data), len(data), n)
        if status > _REJECTED:
            self._fail(status)
        return int(n[0])

    def rollback(self, n: int) -> None:
        """Undo the last n accepts.

        Raises: ArgumentError when there were fewer, or when that is further back than is kept (4096).
        """
        if n < 0:
            raise ArgumentError(f"rollback of {n}")
        if status := lib.art_matcher_rollback(self._ptr, n):
            self._fail(status)

    def forced(self) -> bytes:
        """What every valid continuation begins with, at most 4096 bytes of it.

        Optional whitespace and escaped spellings of the same characters are left out of account.
        """
        buf, n = ffi.new("uint8_t[]", _FORCED_BYTES), ffi.new("size_t *")
        if status := lib.art_matcher_forced(self._ptr, buf, _FORCED_BYTES, n):
            self._fail(status)
        return bytes(ffi.buffer(buf, n[0]))

    @property
    def is_complete(self) -> bool:
        """End of sequence is allowed now."""
        yes = _is_complete(self._ptr)
        if yes < 0:
            self._fail(_BUSY)
        return bool(yes)

    @property
    def is_ended(self) -> bool:
        """An end-of-sequence token was accepted."""
        return bool(lib.art_matcher_is_ended(self._ptr))

    def shortest_completion(self) -> bytes:
        """A shortest valid way to finish from here; b"" when complete."""
        n = ffi.new("size_t *")
        cap = 256
        while True:
            buf = ffi.new("uint8_t[]", cap)
            status = lib.art_matcher_shortest(self._ptr, buf, cap, n)
            if status == 0:
                return bytes(ffi.buffer(buf, n[0]))
            if status != lib.ART_E_LIMIT or n[0] <= cap:
                self._fail(status)
            cap = int(n[0])

    def reset(self) -> None:
        """Back to the beginning of an output."""
        if status := lib.art_matcher_reset(self._ptr):
            self._fail(status)

    def copy(self) -> Matcher:
        """An independent matcher in the same state."""
        out, err = ffi.new("art_matcher **"), new_error()
        check(lib.art_matcher_copy(self._ptr, out, err), err)
        twin = Matcher.__new__(Matcher)
        twin._own(out[0], self.constraint)
        return twin

    __copy__ = copy

    def _fail_fill(self, status: int, error: int) -> None:
        check(status, ffi.cast("art_error *", error))

    def _fail(self, status: int) -> None:
        err = new_error()
        if status != _BUSY:
            lib.art_matcher_error(self._ptr, err)
        check(status, err)
