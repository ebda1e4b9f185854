"""Functions become tools: schema, typed arguments, errors at registration."""

import dataclasses
import datetime
import enum
import functools
import json
from typing import Annotated, Any, Literal, Optional, TypedDict, Union

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrt import Example, SchemaError, Tool, ToolError, tool
from agentrt._docstring import parse
from agentrt.tools import encode_result, register


class Unit(enum.Enum):
    KM = "km"
    MI = "mi"


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


class Trip(TypedDict):
    city: str
    days: int


class Stop(msgspec.Struct):
    name: str
    at: Point
    children: "list[Stop]" = []


def multiply(a: int, b: int) -> int:
    """Multiply two integers.

    More about it.

    Args:
        a: The first factor.
        b: The second factor,
            on two lines.

    Returns:
        The product.
    """
    return a * b


def test_a_plain_function():
    made = Tool(multiply)
    assert (made.name, made.description) == ("multiply", "Multiply two integers. More about it.")
    assert made.parameters == {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "description": "The first factor."},
            "b": {"type": "integer", "description": "The second factor, on two lines."},
        },
        "required": ["a", "b"],
        "additionalProperties": False,
    }
    assert made.call(made.decode('{"b": 481, "a": 37}')) == 17797


@pytest.mark.parametrize(
    ("hint", "text", "value"),
    [
        (int, "3", 3),
        (int, "3.0", 3),
        (int, "1e2", 100),
        (float, "3", 3.0),
        (bool, "true", True),
        (str, '"a\\u00e9"', "aé"),
        (Literal["a", 1], "1", 1),
        (Optional[int], "null", None),  # noqa: UP045
        (Union[int, str], '"x"', "x"),  # noqa: UP007
        (int | None, "4", 4),
        (list[int], "[1, 2.0]", [1, 2]),
        (dict[str, float], '{"a": 1}', {"a": 1.0}),
        (tuple[int, str], '[1, "a"]', (1, "a")),
        (set[int], "[1, 2]", {1, 2}),
        (Unit, '"mi"', Unit.MI),
        (Point, '{"x": 1}', Point(1.0, 0.0)),
        (Trip, '{"city": "Rome", "days": 2}', {"city": "Rome", "days": 2}),
        (Stop, '{"name": "a", "at": {"x": 1, "y": 2}}', Stop("a", Point(1.0, 2.0))),
        (Annotated[int, msgspec.Meta(ge=1, le=5)], "5", 5),
        (datetime.date, '"2024-02-29"', datetime.date(2024, 2, 29)),
        (bytes, '"YWI="', b"ab"),
        (Any, '{"k": [1]}', {"k": [1]}),
    ],
)
def test_arguments_arrive_typed(hint, text, value):
    def take(x):
        return x

    take.__annotations__["x"] = hint
    made = Tool(take)
    arguments = f'{{"x": {text}}}'
    assert made.schema.validate(arguments.encode())
    got = made.call(made.decode(arguments))
    assert got == value
    assert type(got) is type(value)


def test_named_members_admit_no_others():
    def go(p: Point, t: Trip) -> None: ...

    properties = Tool(go).parameters["properties"]
    assert properties["p"]["additionalProperties"] is False
    assert properties["t"]["additionalProperties"] is False
    assert "title" not in json.dumps(properties)


def test_definitions_that_recurse_stay():
    def go(stop: Stop) -> None: ...

    parameters = Tool(go).parameters
    (name,) = parameters["$defs"]
    assert parameters["properties"]["stop"]["$ref"] == f"#/$defs/{name}"
    assert "$ref" not in parameters["$defs"][name]["properties"]["at"]


def test_what_is_left_out_takes_its_default():
    marker = object()

    def go(a: int, b: int = 2, *, c: str = "c", d: Any = marker, e: list[int] = [1]) -> Any:  # noqa: B006
        return a, b, c, d, e

    made = Tool(go)
    assert made.parameters["required"] == ["a"]
    assert made.parameters["properties"]["b"]["default"] == 2
    assert "default" not in made.parameters["properties"]["d"]
    assert made.call(made.decode('{"a": 1}')) == (1, 2, "c", marker, [1])
    assert made.call(made.decode('{"a": 1, "c": "x", "e": []}')) == (1, 2, "x", marker, [])


def test_positional_only_parameters():
    def go(a: int = 1, b: int = 2, /, c: int = 3) -> Any:
        return a, b, c

    made = Tool(go)
    assert made.call(made.decode('{"b": 5}')) == (1, 5, 3)
    assert made.call(made.decode("{}")) == (1, 2, 3)


def test_no_parameters():
    made = Tool(lambda: "now", name="now")
    assert made.parameters["properties"] == {}
    assert made.call(made.decode("{}")) == "now"
    with pytest.raises(msgspec.ValidationError):
        made.decode('{"a": 1}')


def test_methods_partials_and_callables():
    class Shop:
        def __init__(self) -> None:
            self.sold: list[str] = []

        @tool(name="sell_item", timeout=3)
        def sell(self, item: str) -> str:
            """Sell an item."""
            self.sold.append(item)
            return item

        @staticmethod
        def hello(name: str) -> str:
            """Say hello."""
            return name

        def __call__(self, n: int) -> int:
            """Count."""
            return n

    shop = Shop()
    made = Tool(shop.sell)
    assert (made.name, made.timeout, list(made.parameters["properties"])) == ("sell_item", 3, ["item"])
    made.call(made.decode('{"item": "tea"}'))
    assert shop.sold == ["tea"]
    assert Tool(Shop.hello).description == "Say hello."
    assert Tool(shop, name="count").call(Tool(shop, name="count").decode('{"n": 2}')) == 2

    def convert(value: float, source: str, target: str) -> str:
        return f"{value} {source} {target}"

    bound = Tool(functools.partial(convert, target="km"))
    assert bound.name == "convert"
    assert list(bound.parameters["properties"]) == ["value", "source"]
    assert bound.call(bound.decode('{"value": 1, "source": "mi"}')) == "1.0 mi km"
    assert list(Tool(functools.partial(convert, 1.0)).parameters["properties"]) == ["source", "target"]


def test_async_functions_are_known():
    async def fetch(url: str) -> str:
        return url

    assert Tool(fetch).is_async
    assert Tool(functools.partial(fetch)).is_async
    assert not Tool(multiply).is_async


def test_the_decorator_leaves_the_function_alone():
    @tool(name="times", description="Multiply.", timeout=2.5, max_result=10)
    def product(a: int, b: int) -> int:
        """Not this."""
        return a * b

    assert product(2, 3) == 6
    made = Tool(product)
    assert (made.name, made.description, made.timeout, made.max_result) == ("times", "Multiply.", 2.5, 10)
    assert Tool(product, name="other").name == "other"
    assert tool(multiply) is multiply


def no_annotation(x):
    """Nothing known of x."""


def bad_annotation(good: int, value: complex) -> None: ...


def unresolved(value: "Nowhere") -> None: ...  # noqa: F821


def two_structs(value: Point | Trip) -> None: ...


def star(*values: int) -> None: ...


def stars(**values: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (no_annotation, ["no_annotation", "'x'", "no type annotation"]),
        (bad_annotation, ["bad_annotation", "'value'", "complex"]),
        (unresolved, ["unresolved", "Nowhere"]),
        (two_structs, ["two_structs", "'value'"]),
        (star, ["star", "'values'"]),
        (stars, ["stars", "'values'"]),
        (lambda: 1, ["<lambda>", "name="]),
    ],
)
def test_a_bad_signature_fails_at_registration(function, words):
    with pytest.raises(ToolError) as caught:
        Tool(function)
    for word in words:
        assert word in str(caught.value)


def test_a_bad_schema_fails_at_registration():
    def go(code: Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "("})]) -> None: ...

    with pytest.raises(SchemaError, match="tool 'go'") as caught:
        Tool(go)
    assert caught.value.pointer == "/properties/code/pattern"
    assert caught.value.keyword == "pattern"


def test_a_schema_that_no_value_fits_fails_at_registration():
    def go(count: Annotated[int, msgspec.Meta(ge=5, le=4)]) -> None: ...

    with pytest.raises(SchemaError, match="tool 'go'"):
        Tool(go)


def test_what_is_no_function():
    with pytest.raises(ToolError, match="not int"):
        Tool(3)


def test_two_tools_of_one_name():
    with pytest.raises(ToolError, match="multiply"):
        register([multiply, multiply])


def test_examples_are_checked():
    right = Example("What is 2 times 3?", {"a": 2, "b": 3}, result="6", answer="It is 6.")
    assert Tool(multiply, examples=[right]).examples == (right,)
    wrong = Example("What is 2 times 3?", {"a": "two", "b": 3}, result="6", answer="It is 6.")
    with pytest.raises(ToolError, match="2 times 3"):
        Tool(multiply, examples=[wrong])


def test_results():
    assert encode_result("as it is") == "as it is"
    assert encode_result(17797) == "17797"
    assert encode_result(None) == "null"
    assert encode_result(Point(1, 2)) == '{"x":1,"y":2}'
    with pytest.raises(TypeError):
        encode_result(object())


def test_google_docstring():
    text = """Convert.

    Second paragraph.

    Args:
        value (float): How much: in units.
            Continued.
        unit: The unit.

    Raises:
        ValueError: never.
    """
    assert parse(text) == (
        "Convert. Second paragraph.",
        {"value": "How much: in units. Continued.", "unit": "The unit."},
    )


def test_numpy_docstring():
    text = """Convert.

    Parameters
    ----------
    value : float
        How much.
        Continued.
    source, target : str
        Units.

    Returns
    -------
    float
        Not an argument.
    """
    assert parse(text) == ("Convert.", {"value": "How much. Continued.", "source": "Units.", "target": "Units."})


def test_sphinx_docstring():
    text = """Convert.

    :param value: How much.
        Continued.
    :param str unit: The unit.
    :returns: Something.
    """
    assert parse(text) == ("Convert.", {"value": "How much. Continued.", "unit": "The unit."})


def test_no_docstring():
    assert parse(None) == ("", {})
    assert parse("Note: this is a summary.") == ("Note: this is a summary.", {})


@given(st.text())
def test_any_docstring_parses(text):
    parse(text)


@given(st.text(alphabet="\n :-ABrgs*parm\t()", max_size=60))
def test_any_nearly_right_docstring_parses(text):
    parse("Summary.\n\nArgs:\n" + text)
