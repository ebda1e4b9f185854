"""Tools: plain functions that a model may call.

Name, docstring and type hints say all that a model needs to know:

    def convert(value: float, unit: Literal["km", "mi"]) -> float:
        '''Convert a distance to metres.

        Args:
            value: The distance.
            unit: Its unit.
        '''

Everything is checked when the tool is registered, that is when a `Tool` is made of the function (an `Agent` does so
for what it is given): what can not be put into a schema fails there.
"""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

import msgspec

from . import _docstring, _typed
from .errors import AgentrtError, SchemaError, ToolError
from .messages import Message, ToolCall

if TYPE_CHECKING:
    from .constraint import Schema

__all__ = ["Example", "Tool", "tool"]

F = TypeVar("F", bound=Callable[..., Any])

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_OPTIONS = "__agentrt_tool__"
_UNSET = msgspec.UNSET


class Example(msgspec.Struct, frozen=True):
    """A demonstration: a question, the call it asks for, the tool's result and the answer.

    The model sees it as an earlier part of the conversation. Small models need one for each tool.

    tool:  the tool's name; not needed where it is the tool's own example.
    """

    question: str
    arguments: Mapping[str, Any]
    result: str
    answer: str
    tool: str = ""


class _Options(msgspec.Struct, frozen=True):
    name: str | None = None
    description: str | None = None
    timeout: float | None = None
    max_result: int | None = None
    examples: tuple[Example, ...] = ()


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
    max_result: int | None = None,
    examples: Sequence[Example] = (),
) -> Callable[[F], F]: ...
def tool(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
    max_result: int | None = None,
    examples: Sequence[Example] = (),
) -> Any:
    """Set the options of a tool; the function stays what it is. Without options the decorator is not needed.

    name:         what the model calls it; the function's name.
    description:  what the model is told; the docstring's text before its first section.
    timeout:      seconds. The call runs in a thread of its own, which is left behind when it does not return in
                  time (an `async def` tool is cancelled instead); the model is told.
    max_result:   most characters of a result; the agent's `max_result`.
    examples:     demonstrations; checked against the schema when the tool is registered.
    """
    options = _Options(name, description, timeout, max_result, tuple(examples))

    def mark(function: F) -> F:
        try:
            setattr(function, _OPTIONS, options)
        except AttributeError:
            raise ToolError(f"{function!r} can not carry options: use agentrt.Tool(function, ...)") from None
        return function

    return mark if function is None else mark(function)


class Tool:
    """A function made ready for a model.

    function:     any callable: function, method, `async def` function, functools.partial (what it binds is hidden),
                  object with `__call__`.
    name, description, timeout, max_result, examples: as for `tool`, and stronger than its options.

    Raises: ToolError for what can not be a tool, naming the tool and the parameter; SchemaError for a schema that
    can not be held to, naming the tool, JSON Pointer and keyword.
    Threads: immutable.
    """

    __slots__ = (
        "__weakref__",
        "_decoder",
        "_defaults",
        "_optional",
        "_positional",
        "_type",
        "description",
        "examples",
        "function",
        "is_async",
        "max_result",
        "name",
        "parameters",
        "schema",
        "timeout",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        timeout: float | None = None,
        max_result: int | None = None,
        examples: Sequence[Example] | None = None,
    ) -> None:
        from .constraint import Constraint, Schema

        if not callable(function):
            raise ToolError(f"a tool is a function, not {type(function).__name__}")
        inner = _inner(function)
        options: _Options = getattr(function, _OPTIONS, None) or getattr(inner, _OPTIONS, None) or _Options()
        summary, described = _docstring.parse(inner.__doc__)
        self.function = function
        self.name: str = name or options.name or str(getattr(inner, "__name__", type(inner).__name__))
        if not _NAME.fullmatch(self.name):
            raise ToolError(f"{self.name!r} can not be the name of a tool: give one with name=", tool=self.name)
        self.description: str = description or options.description or summary
        self.timeout: float | None = timeout if timeout is not None else options.timeout
        self.max_result: int | None = max_result if max_result is not None else options.max_result
        self.is_async: bool = inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(
            getattr(inner, "__call__", None)  # noqa: B004
        )

        found = _parameters(self.name, function, inner)
        fields = [_field(parameter, hint) for parameter, hint in found]
        try:
            self._type: type[msgspec.Struct] = msgspec.defstruct(
                re.sub(r"\W", "_", self.name),
                [field[:3] for field in fields],
                forbid_unknown_fields=True,
                kw_only=True,
            )
            self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(self._type)
            self.parameters: dict[str, Any] = self._json_schema(fields, described)
        except (TypeError, NameError, RecursionError) as error:
            raise self._blamed(found, error) from error
        self._defaults = {p.name: p.default for p, _ in found if p.kind is p.POSITIONAL_ONLY}
        self._optional: bool = any(field[2] is _UNSET for field in fields)
        self._positional: tuple[str, ...] = tuple(p.name for p, _ in found if p.kind is not p.KEYWORD_ONLY)
        try:
            self.schema: Schema = Schema(self.parameters)
            Constraint(self.schema)  # refuses a schema that no value fits
        except SchemaError as error:
            raise SchemaError(
                f"tool {self.name!r}: {error.reason}",
                draft=error.draft,
                pointer=error.pointer,
                keyword=error.keyword,
                code=error.code,
                pos=error.pos,
            ) from None
        self.examples: tuple[Example, ...] = tuple(options.examples if examples is None else examples)
        for example in self.examples:
            self.example_call(example, "")

    def __repr__(self) -> str:
        return f"Tool({self.name!r})"

    @classmethod
    def of(cls, value: Tool | Callable[..., Any]) -> Tool:
        return value if isinstance(value, Tool) else cls(value)

    def decode(self, arguments: str | bytes) -> Any:
        """The arguments as typed values, to be given to `call`.

        Raises: msgspec.DecodeError.
        """
        try:
            return self._decoder.decode(arguments)
        except msgspec.ValidationError:
            return _typed.decode_lenient(arguments, self._type)

    def example_call(self, example: Example, call_id: str) -> ToolCall:
        """The call of a demonstration.

        Raises: ToolError when the schema forbids it.
        """
        arguments = msgspec.json.encode(example.arguments)
        if not self.schema.validate(arguments):
            raise ToolError(
                f"tool {self.name!r}: the schema forbids the arguments of its example {example.question!r}:"
                f" {arguments.decode()}",
                tool=self.name,
            )
        return ToolCall(call_id, self.name, msgspec.json.format(arguments, indent=0).decode())

    def call(self, arguments: Any) -> Any:
        """Call the function with what `decode` gave; a coroutine when `is_async`."""
        if not self._optional and len(self._positional) == len(arguments.__struct_fields__):
            return self.function(*msgspec.structs.astuple(arguments))
        named = {key: value for key, value in msgspec.structs.asdict(arguments).items() if value is not _UNSET}
        positional = []
        for key in self._positional:
            if key in named:
                positional.append(named.pop(key))
            elif key in self._defaults:
                positional.append(self._defaults[key])
            else:  # what follows can be passed by name
                break
        return self.function(*positional, **named)

    def _blamed(self, found: Sequence[tuple[inspect.Parameter, Any]], error: Exception) -> ToolError:
        """Which parameter has no schema."""
        for parameter, hint in found:
            try:
                msgspec.json.schema(hint)
            except (TypeError, NameError, RecursionError) as one:
                reason = str(one).rpartition("\n")[2] or type(one).__name__
                return ToolError(
                    f"tool {self.name!r}, parameter {parameter.name!r}: no JSON Schema for its annotation: {reason}",
                    tool=self.name,
                )
        return ToolError(f"tool {self.name!r}: no JSON Schema for its parameters: {error}", tool=self.name)

    def _json_schema(self, fields: Sequence[tuple[Any, ...]], described: Mapping[str, str]) -> dict[str, Any]:
        schema = msgspec.json.schema(self._type)
        definitions = schema["$defs"]
        top = definitions.pop(schema["$ref"].rpartition("/")[2])
        del top["title"]
        top.setdefault("required", [])
        properties = top["properties"]
        for name, _, _, shown in fields:
            node = properties[name]
            if described.get(name):
                node.setdefault("description", described[name])
            if shown is not _UNSET and shown is not None:
                node.setdefault("default", shown)
        if definitions:
            top["$defs"] = definitions
        return _typed.tidy(top)


def _field(parameter: inspect.Parameter, hint: Any) -> tuple[str, Any, Any, Any]:
    """(name, type, default, the default to show)."""
    if parameter.default is parameter.empty:
        return parameter.name, hint, msgspec.NODEFAULT, _UNSET
    try:
        shown = msgspec.json.decode(msgspec.json.encode(parameter.default))
    except (TypeError, ValueError, msgspec.MsgspecError):
        shown = _UNSET
    return parameter.name, typing.Union[hint, msgspec.UnsetType], _UNSET, shown  # noqa: UP007


def register(values: Sequence[Tool | Callable[..., Any]]) -> dict[str, Tool]:
    """Tools by name, in the order given.

    Raises: ToolError when two have the same name.
    """
    tools: dict[str, Tool] = {}
    for value in values:
        made = Tool.of(value)
        if made.name in tools:
            raise ToolError(f"two tools are named {made.name!r}: give one of them another name=", tool=made.name)
        tools[made.name] = made
    return tools


def demonstrations(tools: Mapping[str, Tool], examples: Sequence[Example]) -> tuple[Message, ...]:
    """The messages of the tools' own examples and of *examples*.

    Raises: ToolError for an example that names none of the tools, or whose call the schema forbids.
    """
    messages: list[Message] = []
    for name, example in [*((t.name, e) for t in tools.values() for e in t.examples), *((e.tool, e) for e in examples)]:
        if name not in tools:
            raise ToolError(f"the example {example.question!r} is of a tool {name!r}, which the agent does not have")
        call_id = f"example_{len(messages) // 4 + 1}"
        messages += (
            Message("user", example.question),
            Message("assistant", calls=(tools[name].example_call(example, call_id),)),
            Message("tool", example.result, call_id=call_id, name=name),
            Message("assistant", example.answer),
        )
    return tuple(messages)


def _inner(function: Any) -> Any:
    """The function that carries the docstring and the type hints."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif inspect.ismethod(function):
            function = function.__func__
        else:
            return function


def _parameters(name: str, function: Any, inner: Any) -> list[tuple[inspect.Parameter, Any]]:
    """The parameters that a model fills in, with their types."""
    plain = inspect.isroutine(inner) or inspect.isclass(inner)
    try:
        signature = inspect.signature(function)
        hints = typing.get_type_hints(inner if plain else type(inner).__call__, include_extras=True)
    except (NameError, AttributeError) as error:
        raise ToolError(f"tool {name!r}: a type hint can not be resolved: {error}", tool=name) from error
    except (TypeError, ValueError) as error:
        raise ToolError(f"tool {name!r}: {error}", tool=name) from error
    bound: set[str] = set()
    while isinstance(function, functools.partial):
        bound |= set(function.keywords)
        function = function.func
    found = []
    for parameter in signature.parameters.values():
        if parameter.name in bound:
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ToolError(
                f"tool {name!r}, parameter {parameter.name!r}: a model can not fill in *args or **kwargs", tool=name
            )
        if parameter.name not in hints:
            raise ToolError(f"tool {name!r}, parameter {parameter.name!r}: it has no type annotation", tool=name)
        found.append((parameter, hints[parameter.name]))
    return found


def encode_result(value: Any) -> str:
    """What a model reads of a tool's result: text as it is, anything else as JSON.

    Raises: TypeError for a value without a JSON form.
    """
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def describe(error: Exception) -> str:
    """What a model reads of an exception."""
    if isinstance(error, msgspec.DecodeError):
        return f"error: invalid arguments: {error}"
    if isinstance(error, AgentrtError):
        return f"error: {error}"
    text = str(error)
    return f"error: {type(error).__name__}: {text}" if text else f"error: {type(error).__name__}"
