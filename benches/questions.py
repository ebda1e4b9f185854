"""Forty questions that the demo's tools answer: the question, the right call, and what a right answer says.

`answer` holds alternatives of which one must occur in the final text, compared in lower case and without commas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Question:
    text: str
    tool: str
    arguments: dict[str, Any]
    answer: tuple[str, ...]


def q(text: str, tool: str, arguments: dict[str, Any], *answer: str) -> Question:
    return Question(text, tool, arguments, answer)


QUESTIONS = (
    # arithmetic
    q("What is 37 times 481?", "multiply", {"a": 37, "b": 481}, "17797"),
    q("What is 12.5 plus 99?", "add", {"a": 12.5, "b": 99}, "111.5"),
    q("What is 5000 minus 1234?", "subtract", {"a": 5000, "b": 1234}, "3766"),
    q("Divide 1001 by 7.", "divide", {"a": 1001, "b": 7}, "143"),
    q("What is the product of 12 and 144?", "multiply", {"a": 12, "b": 144}, "1728"),
    q("Add 1.5 and 2.25.", "add", {"a": 1.5, "b": 2.25}, "3.75"),
    q("What is 86 divided by 4?", "divide", {"a": 86, "b": 4}, "21.5"),
    q("Subtract 19 from 100.", "subtract", {"a": 100, "b": 19}, "81"),
    q("How much is 250 times 16?", "multiply", {"a": 250, "b": 16}, "4000"),
    q("What is the sum of 777 and 333?", "add", {"a": 777, "b": 333}, "1110"),
    q("Multiply 19 by 21.", "multiply", {"a": 19, "b": 21}, "399"),
    q("What is 1024 minus 24?", "subtract", {"a": 1024, "b": 24}, "1000"),
    q("I buy 8 books at 15 dollars each. How much is 8 times 15?", "multiply", {"a": 8, "b": 15}, "120"),
    q("Split 360 into 5 equal parts: what is 360 divided by 5?", "divide", {"a": 360, "b": 5}, "72"),
    # percentages
    q("What is 15 percent of 80?", "percent_of", {"percent": 15, "value": 80}, "12"),
    q("How much is 20% of 350?", "percent_of", {"percent": 20, "value": 350}, "70"),
    q("What is 7.5 percent of 200?", "percent_of", {"percent": 7.5, "value": 200}, "15"),
    q("The bill is 60 dollars. What is 18 percent of 60?", "percent_of", {"percent": 18, "value": 60}, "10.8"),
    # units
    q("How many miles are 42 kilometers?", "convert", {"value": 42, "source": "kilometers", "target": "miles"}, "26.1"),
    q("Convert 98.6 fahrenheit to celsius.", "convert", {"value": 98.6, "source": "fahrenheit", "target": "celsius"},
      "37 "),
    q("How many pounds are 70 kilograms?", "convert", {"value": 70, "source": "kilograms", "target": "pounds"},
      "154.32"),
    q("How many feet are 10 meters?", "convert", {"value": 10, "source": "meters", "target": "feet"}, "32.81"),
    q("Convert 5 gallons to liters.", "convert", {"value": 5, "source": "gallons", "target": "liters"}, "18.93"),
    q("How many centimeters are 12 inches?", "convert", {"value": 12, "source": "inches", "target": "centimeters"},
      "30.48"),
    q("What is 25 celsius in fahrenheit?", "convert", {"value": 25, "source": "celsius", "target": "fahrenheit"}, "77"),
    q("Convert 100 miles to kilometers.", "convert", {"value": 100, "source": "miles", "target": "kilometers"},
      "160.93"),
    q("How many kilograms are 200 pounds?", "convert", {"value": 200, "source": "pounds", "target": "kilograms"},
      "90.72"),
    q("How many inches are 3 feet?", "convert", {"value": 3, "source": "feet", "target": "inches"}, "36"),
    # dates
    q("On which day of the week was 2000-02-29?", "weekday", {"date": "2000-02-29"}, "tuesday"),
    q("What day of the week is 2026-11-22?", "weekday", {"date": "2026-11-22"}, "sunday"),
    q("Which weekday was 1969-07-20?", "weekday", {"date": "1969-07-20"}, "sunday"),
    q("What weekday will 2030-01-01 be?", "weekday", {"date": "2030-01-01"}, "tuesday"),
    q("How many days are there between 2026-01-01 and 2026-12-25?", "days_between",
      {"start": "2026-01-01", "end": "2026-12-25"}, "358"),
    q("How many days is it from 2024-02-01 to 2024-03-01?", "days_between",
      {"start": "2024-02-01", "end": "2024-03-01"}, "29"),
    q("How many days lie between 1999-12-31 and 2000-01-31?", "days_between",
      {"start": "1999-12-31", "end": "2000-01-31"}, "31"),
    q("Count the days from 2025-06-01 to 2025-09-01.", "days_between", {"start": "2025-06-01", "end": "2025-09-01"},
      "92"),
    q("Which date is 30 days after 2026-03-15?", "date_after", {"date": "2026-03-15", "days": 30}, "2026-04-14"),
    q("What date is 100 days after 2025-01-01?", "date_after", {"date": "2025-01-01", "days": 100}, "2025-04-11"),
    q("Which date is 7 days after 2024-02-26?", "date_after", {"date": "2024-02-26", "days": 7}, "2024-03-04"),
    q("What is the date 365 days after 2027-05-05?", "date_after", {"date": "2027-05-05", "days": 365}, "2028-05-04"),
)  # fmt: skip

assert len(QUESTIONS) == 40
