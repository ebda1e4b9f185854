"""Call formats: what is written, what templates do by themselves, what a model is told of its tools."""

import datetime
import json
from typing import Literal

import pytest

from agentrt import ArgumentError, Tool, ToolCall

pytest.importorskip("jinja2")

from agentrt.chat import ChatTemplate
from agentrt.formats import (
    FORMATS,
    HERMES,
    NEMOTRON,
    SMOLLM2,
    Traits,
    detect,
    tool_line,
    tools_for_system,
    tools_for_template,
)

CALLS = [ToolCall("1", "add", '{"a": 1}'), ToolCall("2", "sub", "{}")]


def test_one_call():
    assert HERMES.write(CALLS[:1]) == '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'
    assert SMOLLM2.write(CALLS[:1]) == '<tool_call>[\n{"name": "add", "arguments": {"a": 1}}\n]</tool_call>'
    assert NEMOTRON.write(CALLS[:1]) == '<TOOLCALL>[{"name": "add", "arguments": {"a": 1}}]</TOOLCALL>'


def test_two_calls():
    assert HERMES.write(CALLS) == (
        '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>\n'
        '<tool_call>\n{"name": "sub", "arguments": {}}\n</tool_call>'
    )
    assert SMOLLM2.write(CALLS) == (
        '<tool_call>[\n{"name": "add", "arguments": {"a": 1}},\n{"name": "sub", "arguments": {}}\n]</tool_call>'
    )


@pytest.mark.parametrize("call_format", FORMATS.values(), ids=FORMATS)
def test_what_is_written_is_json_inside_the_markers(call_format):
    inner = call_format.write(CALLS[:1])
    assert inner.startswith(call_format.begin)
    assert inner.endswith(call_format.end)
    body = json.loads(inner[len(call_format.begin) : len(inner) - len(call_format.end)].strip())
    assert body == {"name": "add", "arguments": {"a": 1}}


def test_an_unknown_format():
    with pytest.raises(ArgumentError, match="hermes"):
        detect("", "xml")


def test_traits_of_templates():
    def traits(source: str) -> Traits:
        return Traits.of(ChatTemplate(source))

    everything = "{{ tools | tojson }}{% for m in messages %}{{ m.role }}{{ m.content }}{{ m.tool_calls }}{% endfor %}"
    assert traits(everything) == Traits(tools=True, calls=True, results=True, system=True)
    assert traits("{% for m in messages %}{{ m.content }}{% endfor %}") == Traits(
        tools=False, calls=False, results=True, system=True
    )
    users = "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}"
    assert traits(users) == Traits(tools=False, calls=False, results=False, system=False)
    strict = "{% for m in messages if m.role in ('system', 'tool') %}{{ raise_exception('no') }}{% endfor %}"
    assert traits(strict) == Traits(tools=False, calls=False, results=False, system=False)


def convert(
    value: float, unit: Literal["km", "mi"], on: datetime.date | None = None, tags: list[str] | None = None
) -> str:
    """Convert a distance."""
    return ""


def test_tools_as_lines():
    line = tool_line(Tool(convert))
    assert line == (
        "convert(value: number, unit: km|mi, on?: date or null, tags?: list of text or null): Convert a distance."
    )
    text = tools_for_system([Tool(convert)], SMOLLM2)
    assert line in text.splitlines()
    assert SMOLLM2.begin in text
    assert SMOLLM2.end in text
    other = Tool(lambda: "", name="now")
    shown = tools_for_system([Tool(convert), other], SMOLLM2, {"convert"}).splitlines()
    assert shown[1:] == ["convert: Convert a distance.", "now()"]


def test_parameters_of_one_type_share_it():
    def move(x: float, y: float, speed: float = 1.0, name: str = "") -> str:
        return name

    assert tool_line(Tool(move)) == "move(x, y, speed?: number, name?: text)"
    assert tool_line(Tool(lambda: "", name="now")) == "now()"


def test_tools_for_templates():
    (listed,) = tools_for_template([Tool(convert)])
    assert listed["type"] == "function"
    assert listed["function"]["name"] == "convert"
    assert listed["function"]["parameters"]["required"] == ["value", "unit"]
