"""How model families write tool calls, and what a chat template does by itself.

A `CallFormat` says how a call looks on the wire; it becomes the dialogue constraint that holds the model to it. What
a template can render is found out by rendering small conversations with it (`Traits.of`), not by guessing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from .chat import ChatTemplate
from .errors import ArgumentError, ModelError
from .messages import Message, ToolCall
from .tools import Tool

__all__ = ["FORMATS", "CallFormat", "Traits", "detect", "tool_line"]


class CallFormat(msgspec.Struct, frozen=True, kw_only=True):
    """The wire format of calls: begin, then calls, then end.

        begin name_prefix NAME args_prefix ARGUMENTS call_suffix { separator name_prefix ... } end

    separator:  between the calls of one list; empty: each call has a begin and end of its own, `between` apart.
    reasoning:  opening and closing tag, both empty when the family has none.
    calls_max:  most calls in one turn; 0 is the core's default.
    """

    name: str
    begin: str
    name_prefix: str = '{"name": "'
    args_prefix: str = '", "arguments": '
    call_suffix: str = "}"
    separator: str = ""
    between: str = ""
    end: str = ""
    reasoning: tuple[str, str] = ("", "")
    calls_max: int = 0

    def write(self, calls: Sequence[ToolCall]) -> str:
        """The calls as the model would have written them."""
        written = [
            f"{self.name_prefix}{call.name}{self.args_prefix}{call.arguments}{self.call_suffix}" for call in calls
        ]
        if self.separator:
            return f"{self.begin}{self.separator.join(written)}{self.end}"
        return self.between.join(f"{self.begin}{one}{self.end}" for one in written)

    @property
    def markers(self) -> tuple[str, ...]:
        """Texts that mean something to the model and that content must not be able to forge."""
        texts = (self.begin.strip(), self.end.strip(), *self.reasoning, "<tool_response>", "</tool_response>")
        return tuple(text for text in texts if len(text) > 2)


HERMES = CallFormat(
    name="hermes",
    begin="<tool_call>",
    name_prefix='\n{"name": "',
    call_suffix="}\n",
    between="\n",
    end="</tool_call>",
)
SMOLLM2 = CallFormat(name="smollm2", begin="<tool_call>[\n", separator=",\n", end="\n]</tool_call>")
NEMOTRON = CallFormat(name="nemotron", begin="<TOOLCALL>[", separator=", ", end="]</TOOLCALL>")

FORMATS: Mapping[str, CallFormat] = {f.name: f for f in (HERMES, SMOLLM2, NEMOTRON)}


def detect(template: str, override: str | CallFormat | None = None) -> CallFormat:
    """The format of a model, from the text of its chat template.

    override:  a format, or the name of one of FORMATS, that is taken instead.
    A template that names no markers that we know gets Hermes, the most widespread: the constraint sees to it that the
    model writes it, and the system message tells it how.
    """
    if isinstance(override, CallFormat):
        return override
    if override is not None:
        if override not in FORMATS:
            raise ArgumentError(f"there is no call format {override!r}, only {', '.join(FORMATS)}")
        return FORMATS[override]
    if "<TOOLCALL>" in template:
        return NEMOTRON
    if "SmolLM" in template and "tool" not in template:
        return SMOLLM2
    if "<think>" in template:
        return msgspec.structs.replace(HERMES, reasoning=("<think>", "</think>"))
    return HERMES


_PROBE = "q7Zk2v"  # stands in no template


class Traits(msgspec.Struct, frozen=True):
    """What a chat template does with the parts of a conversation.

    tools:    it lists `tools`.
    calls:    it writes the `tool_calls` of an assistant message.
    results:  it takes messages of role "tool".
    system:   it takes a system message.
    """

    tools: bool
    calls: bool
    results: bool
    system: bool

    @classmethod
    def of(cls, template: ChatTemplate) -> Traits:
        user = Message("user", "a")
        asked = Message("assistant", calls=(ToolCall("call_0001", _PROBE, "{}"),))
        result = Message("tool", _PROBE, call_id="call_0001", name="f")
        function = {"name": _PROBE, "description": "b", "parameters": {"type": "object", "properties": {}}}

        def shows(*messages: Message, tools: Sequence[Mapping[str, Any]] | None = None) -> bool:
            try:
                return _PROBE in template.render(messages, tools=tools)
            except ModelError:
                return False

        return cls(
            tools=shows(user, tools=[{"type": "function", "function": function}]),
            calls=shows(user, asked),
            results=shows(user, msgspec.structs.replace(asked, calls=(ToolCall("call_0001", "f", "{}"),)), result),
            system=shows(Message("system", _PROBE), user),
        )


def tools_for_template(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """The form of `tools` that templates know."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
        for tool in tools
    ]


def tools_for_system(tools: Sequence[Tool], call_format: CallFormat, demonstrated: Collection[str] = ()) -> str:
    """What the system message says of the tools where the template says nothing. Short: every conversation pays for it.

    demonstrated:  names of tools that an example shows. Their parameters are left out, and with any the format of a
                   call: fewer tokens, and the default model makes five more right calls of the forty in
                   benches/questions.py.
    """
    lines = ["You can call these tools:"]
    lines += [f"{t.name}: {t.description}" if t.name in demonstrated and t.description else tool_line(t) for t in tools]
    if not demonstrated:
        call = call_format.write([ToolCall("", "tool", '{"parameter": "value"}')])
        lines += ["A call is written like this:", call]
    return "\n".join(lines)


def tool_line(tool: Tool) -> str:
    """One line for a model to read: `add(a, b: number): Add two numbers.`"""
    required = tool.parameters.get("required", ())
    groups: list[tuple[list[str], str]] = []
    for name, schema in tool.parameters["properties"].items():
        shown = name if name in required else f"{name}?"
        kind = _type_text(schema, tool.parameters, 0)
        if groups and groups[-1][1] == kind:
            groups[-1][0].append(shown)
        else:
            groups.append(([shown], kind))
    parameters = ", ".join(f"{', '.join(names)}: {kind}" for names, kind in groups)
    return f"{tool.name}({parameters}): {tool.description}" if tool.description else f"{tool.name}({parameters})"


_ENUM_CHARS_MAX = 200
_NESTING_MAX = 3


def _type_text(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> str:
    if depth > _NESTING_MAX:
        return "any"
    if "$ref" in schema:
        return _type_text(root["$defs"][schema["$ref"].rpartition("/")[2]], root, depth + 1)
    if "enum" in schema:
        listed = "|".join(v if isinstance(v, str) else msgspec.json.encode(v).decode() for v in schema["enum"])
        return listed if len(listed) <= _ENUM_CHARS_MAX else "text"
    if "const" in schema:
        return msgspec.json.encode(schema["const"]).decode()
    if "anyOf" in schema:
        return " or ".join(_type_text(one, root, depth + 1) for one in schema["anyOf"])
    kind = schema.get("type", "any")
    if kind == "string":
        return str(schema.get("format", "text"))
    if kind == "array":
        items = schema.get("items")
        return f"list of {_type_text(items, root, depth + 1)}" if isinstance(items, dict) else "list"
    if kind == "object" and "properties" in schema:
        members = schema["properties"].items()
        return "{" + ", ".join(f"{name}: {_type_text(one, root, depth + 1)}" for name, one in members) + "}"
    return str(kind)
