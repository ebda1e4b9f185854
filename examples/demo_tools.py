"""Tools for the demonstration: narrow, few parameters, and results that are sentences a small model can repeat.

Each one brings an example along, which a model of this size needs to see what is wanted.

    agentrt run "How many miles are 42 kilometers?" --tools examples/demo_tools.py
"""

from __future__ import annotations

import datetime
from typing import Literal

from agentrt import Example, ModelRetry, tool

Unit = Literal[
    "kilometers",
    "miles",
    "meters",
    "feet",
    "inches",
    "centimeters",
    "kilograms",
    "pounds",
    "celsius",
    "fahrenheit",
    "liters",
    "gallons",
]

# What one unit is in the base unit of its quantity.
_LENGTH = {
    "kilometers": 1000.0,
    "miles": 1609.344,
    "meters": 1.0,
    "feet": 0.3048,
    "inches": 0.0254,
    "centimeters": 0.01,
}
_MASS = {"kilograms": 1.0, "pounds": 0.45359237}
_VOLUME = {"liters": 1.0, "gallons": 3.785411784}


def _example(question: str, answer: str, **arguments: object) -> Example:
    return Example(question, arguments, result=answer, answer=f"{answer}.")


@tool(examples=[_example("What is 6 times 7?", "6 times 7 is 42", a=6, b=7)])
def multiply(a: float, b: float) -> str:
    """Multiply two numbers."""
    return f"{_exact(a)} times {_exact(b)} is {_exact(a * b)}"


@tool(
    examples=[
        _example("How many feet are 3 meters?", "3 meters are 9.84 feet", value=3, source="meters", target="feet"),
        _example(
            "Convert 10 celsius to fahrenheit.",
            "10 celsius are 50 fahrenheit",
            value=10,
            source="celsius",
            target="fahrenheit",
        ),
    ]
)
def convert(value: float, source: Unit, target: Unit) -> str:
    """Convert a value from one unit to another."""
    for factors in (_LENGTH, _MASS, _VOLUME):
        if source in factors and target in factors:
            converted = value * factors[source] / factors[target]
            break
    else:
        if (source, target) == ("celsius", "fahrenheit"):
            converted = value * 9 / 5 + 32
        elif (source, target) == ("fahrenheit", "celsius"):
            converted = (value - 32) * 5 / 9
        elif source == target:
            converted = value
        else:
            raise ModelRetry(f"{source} can not be converted to {target}: use two units of the same quantity")
    return f"{_exact(value)} {source} are {_rounded(converted)} {target}"


@tool(
    examples=[
        _example("On which day of the week was 2024-05-01?", "2024-05-01 is a Wednesday", date="2024-05-01"),
        _example("What day of the week is 2025-03-10?", "2025-03-10 is a Monday", date="2025-03-10"),
    ]
)
def weekday(date: datetime.date) -> str:
    """Tell the day of the week of a date."""
    return f"{date} is a {date:%A}"


@tool(examples=[_example("What is 50 minus 8?", "50 minus 8 is 42", a=50, b=8)])
def subtract(a: float, b: float) -> str:
    """Subtract b from a."""
    return f"{_exact(a)} minus {_exact(b)} is {_exact(a - b)}"


@tool(
    examples=[
        _example(
            "How many days are there from 2024-01-01 to 2024-02-01?",
            "31 days from 2024-01-01 to 2024-02-01",
            start="2024-01-01",
            end="2024-02-01",
        )
    ]
)
def days_between(start: datetime.date, end: datetime.date) -> str:
    """Count the days from a start date to an end date."""
    return f"{(end - start).days} days from {start} to {end}"


@tool(examples=[_example("What is 1.5 plus 20?", "1.5 plus 20 is 21.5", a=1.5, b=20)])
def add(a: float, b: float) -> str:
    """Add two numbers."""
    return f"{_exact(a)} plus {_exact(b)} is {_exact(a + b)}"


@tool(examples=[_example("What is 10 percent of 90?", "10 percent of 90 is 9", percent=10, value=90)])
def percent_of(percent: float, value: float) -> str:
    """Take a percentage of a number."""
    return f"{_exact(percent)} percent of {_exact(value)} is {_exact(percent * value / 100)}"


@tool(
    examples=[
        _example(
            "Which date is 10 days after 2024-12-25?",
            "10 days after 2024-12-25 is 2025-01-04",
            date="2024-12-25",
            days=10,
        )
    ]
)
def date_after(date: datetime.date, days: int) -> str:
    """Tell the date some days after a date."""
    try:
        return f"{days} days after {date} is {date + datetime.timedelta(days=days)}"
    except OverflowError:
        raise ModelRetry("the calendar ends with the year 9999") from None


@tool(examples=[_example("Divide 20 by 8.", "20 divided by 8 is 2.5", a=20, b=8)])
def divide(a: float, b: float) -> str:
    """Divide a by b."""
    if b == 0:
        raise ModelRetry("no number can be divided by 0")
    return f"{_exact(a)} divided by {_exact(b)} is {_exact(a / b)}"


TOOLS = [multiply, convert, weekday, subtract, days_between, add, percent_of, date_after, divide]


def _exact(number: float) -> str:
    """Up to six digits after the point, and none where there is nothing to show."""
    return f"{number:.6f}".rstrip("0").rstrip(".") if abs(number) < 1e15 else f"{number:g}"


def _rounded(number: float) -> str:
    """Two digits after the point, or two that matter for small numbers."""
    if abs(number) >= 1 or number == 0:
        return f"{number:.2f}".rstrip("0").rstrip(".")
    return f"{number:.2g}"
