"""Two other validators, held to what JSON Schema says; shared by tests, not a test itself.

`jsonschema` gets exact numbers (decimals and fractions instead of floats) and patterns translated from ECMA 262 to
Python's `re`, so that what is left are its own faults. `jsonschema_rs` is taken as it is. Where a rule says that one
of them can not know, it says nothing (None): a pattern that `re` has no words for, numbers of more than 15 digits or
from 10^15 on for `jsonschema_rs`, instances too deep for `jsonschema`.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import jsonschema
import jsonschema_rs
import referencing.exceptions
from jsonschema import validators
from jsonschema_specifications import REGISTRY as SPECIFICATIONS

DRAFTS = {
    "4": (jsonschema.Draft4Validator, jsonschema_rs.Draft4Validator),
    "6": (jsonschema.Draft6Validator, jsonschema_rs.Draft6Validator),
    "7": (jsonschema.Draft7Validator, jsonschema_rs.Draft7Validator),
    "2019-09": (jsonschema.Draft201909Validator, jsonschema_rs.Draft201909Validator),
    "2020-12": (jsonschema.Draft202012Validator, jsonschema_rs.Draft202012Validator),
}
PYTHON_FORMATS = {"date", "ipv4", "ipv6", "uuid"}  # those that jsonschema checks without other packages, and strictly
PYTHON_CHECKER = jsonschema.FormatChecker(PYTHON_FORMATS)


FIRST_DRAFT = {  # of formats that draft 4 does not have
    **dict.fromkeys(["json-pointer", "uri-reference", "uri-template"], "6"),
    **dict.fromkeys(["date", "time", "idn-email", "idn-hostname", "iri", "iri-reference"], "7"),
    **dict.fromkeys(["regex", "relative-json-pointer"], "7"),
    **dict.fromkeys(["duration", "uuid"], "2019-09"),
}
ORDER = list(DRAFTS)


@PYTHON_CHECKER.checks("date", ValueError)
def _is_date(text: Any) -> bool:
    """Python's calendar begins with year 1; that of RFC 3339 with year 0, which is as long as 2000 was."""
    if isinstance(text, str):
        if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return False
        datetime.date.fromisoformat(text.replace("0000", "2000", 1) if text.startswith("0000") else text)
    return True


CHECKED_FORMATS = {
    "date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6", "uri",
    "uri-reference", "iri", "iri-reference", "uuid", "uri-template", "json-pointer", "relative-json-pointer", "regex",
}  # fmt: skip
SPACES = "\\t\\n\\x0b\\x0c\\r \\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff"


def draft_of(schema: Any, default: str) -> str:
    """The draft that a schema says it is written in."""
    named = schema.get("$schema", "") if isinstance(schema, dict) else ""
    return next((draft for draft in DRAFTS if f"draft-0{draft}" in named or f"draft/{draft}" in named), default)


class UntranslatableError(Exception):
    """A pattern that `re` has no words for."""


@cache
def python_pattern(pattern: str) -> str:
    """An ECMA 262 pattern (flag u) in the language of `re`."""
    out, i, in_class = [], 0, False
    while i < len(pattern):
        char = pattern[i]
        if char == "\\":
            i += 1
            if i == len(pattern):
                raise UntranslatableError(pattern)
            word = pattern[i]
            if word in "sS":
                if in_class and word == "S":
                    raise UntranslatableError(pattern)
                out.append(SPACES if in_class else f"[{'^' if word == 'S' else ''}{SPACES}]")
            elif word in "dDwWbBntrfvx0" or word in "^$\\.*+?()[]{}|/-":
                out.append("/" if word == "/" else "\\x00" if word == "0" else "\\" + word)
            elif word == "u" and re.fullmatch("[0-9a-fA-F]{4}", pattern[i + 1 : i + 5]) and pattern[i + 1] not in "dD":
                out.append("\\u")
            else:
                raise UntranslatableError(pattern)
        elif in_class:
            if char == "]":
                in_class = False
            out.append("\\[" if char == "[" else char)
        elif char == "[":
            in_class = True
            out.append(char)
            if pattern[i + 1 : i + 2] == "]" or pattern[i + 1 : i + 3] == "^]":
                raise UntranslatableError(pattern)
        elif char == "$":
            out.append("\\Z")
        elif char == ".":
            out.append("[^\\n\\r\\u2028\\u2029]")
        elif char == "(" and pattern[i + 1 : i + 2] == "?" and pattern[i + 2 : i + 3] not in ":=!":
            raise UntranslatableError(pattern)
        else:
            out.append(char)
        i += 1
    found = "(?a:" + "".join(out) + ")"
    try:
        re.compile(found)
    except re.error as error:
        raise UntranslatableError(pattern) from error
    return found


def _formats(schema: Any) -> Iterator[str]:
    """Every format that is named somewhere in the schema."""
    for key, value in (
        schema.items() if isinstance(schema, dict) else enumerate(schema) if isinstance(schema, list) else ()
    ):
        if key == "format" and isinstance(value, str):
            yield value
        else:
            yield from _formats(value)


def _strings(value: Any) -> Iterator[str]:
    """Every string in a value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from _strings(item)


def exact(text: str | bytes) -> Any:
    """JSON text with its numbers as they are written."""
    return json.loads(text, parse_float=Decimal)


def _multiple_of(_validator: Any, factor: Any, instance: Any, _schema: Any) -> Any:
    if (
        isinstance(instance, (int, Decimal))
        and not isinstance(instance, bool)
        and Fraction(instance) % Fraction(factor)
    ):
        yield jsonschema.ValidationError(f"{instance} is not a multiple of {factor}")


def _is_integer(_checker: Any, instance: Any) -> bool:
    if isinstance(instance, Decimal):
        return Fraction(instance).denominator == 1
    return isinstance(instance, int) and not isinstance(instance, bool)


def _is_whole(_checker: Any, instance: Any) -> bool:
    """What draft 4 calls an integer: it has no fraction, not even of zeros."""
    return isinstance(instance, int) and not isinstance(instance, bool)


def _translate(schema: Any) -> Any:
    """The schema with its patterns in the language of `re`; goes into values too, where such keys are rare enough."""
    if isinstance(schema, list):
        return [_translate(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {}
    for key, value in schema.items():
        if key == "pattern" and isinstance(value, str):
            out[key] = python_pattern(value)
        elif key == "patternProperties" and isinstance(value, dict):
            out[key] = {python_pattern(pattern): _translate(item) for pattern, item in value.items()}
        elif key in ("enum", "const"):
            out[key] = value
        else:
            out[key] = _translate(value)
    return out


class Oracles:
    """What the two validators say of texts under one schema. Neither goes to the network for a reference."""

    def __init__(self, schema: Any, *, draft: str = "2020-12", formats: bool = False) -> None:
        text = schema if isinstance(schema, str) else json.dumps(schema)
        self.draft = draft_of(schema, draft)
        python_class, rust_class = DRAFTS[self.draft]
        self.excuse = ""
        # jsonschema does not check every format: what it lets pass may still not fit.
        self.lenient = formats and bool(set(_formats(exact(text))) & CHECKED_FORMATS - PYTHON_FORMATS)
        # Under these keywords it may be the other way round.
        self.turns = any(f'"{keyword}"' in text for keyword in ("not", "oneOf", "if"))
        self.python: Any = None
        try:
            cls = validators.extend(
                python_class,
                {"multipleOf": _multiple_of},
                type_checker=python_class.TYPE_CHECKER.redefine(
                    "integer", _is_whole if self.draft == "4" else _is_integer
                ),
            )
            self.python = cls(
                _translate(exact(text)), format_checker=PYTHON_CHECKER if formats else None, registry=SPECIFICATIONS
            )
        except UntranslatableError as error:
            self.excuse = f"pattern {error}"
        # To jsonschema_rs a "." in a pattern is anything but a line feed; to ECMA 262 other line ends are none either.
        self.dots = bool(re.search(r"[^\\]\.", text)) and "attern" in text
        # Whether a boundary is one is a matter of ASCII to ECMA 262, and of Unicode to jsonschema_rs.
        self.boundaries = bool(re.search(r"\\\\[bB]", text))
        # jsonschema_rs checks a format from the draft on that defines it.
        names = set(_formats(exact(text))) if formats else set()
        since = [ORDER.index(FIRST_DRAFT.get(name, "4")) for name in names]
        # It refuses labels with "--" in the third and fourth place, which are reserved; to RFC 1123 they are labels.
        self.hosts = bool(names & {"hostname", "email"})
        # It limits what stands before the "@" as SMTP does; the grammar that JSON Schema names for addresses does not.
        # What stands before " <" it takes for a name, inside quotes too.
        self.emails = bool(names & {"email", "idn-email"})
        self.early = max(since, default=0) > ORDER.index(self.draft)
        self.rust: Any = None
        try:
            if re.search(r"\\\\[<>]", text):  # ends of words to it, and characters to ECMA 262
                raise ValueError("a pattern that jsonschema_rs reads otherwise")
            self.rust = rust_class(json.loads(text), validate_formats=formats, offline=True)
        except (ValueError, jsonschema_rs.ValidationError) as error:
            self.excuse = str(error)

        # Of 2019-09 they read unevaluatedItems as 2020-12 has it, where "contains" evaluates items.
        if self.draft == "2019-09" and '"contains"' in text and '"unevaluatedItems"' in text:
            self.python = self.rust = None
            self.excuse = "contains beside unevaluatedItems"
        # Of 2019-09 jsonschema takes members for evaluated by a boolean "additionalProperties" only.
        if self.draft == "2019-09" and '"additionalProperties"' in text and '"unevaluatedProperties"' in text:
            self.python = None
            self.excuse = "additionalProperties beside unevaluatedProperties"

    def verdict(self, text: str | bytes) -> bool | None:
        """What those that know say together; None when they disagree, or none knows."""
        said = {self.ask_python(text), self.ask_rust(text)} - {None}
        return said.pop() if len(said) == 1 else None

    def ask_python(self, text: str | bytes) -> bool | None:
        if self.python is None:
            return None
        try:
            fits = bool(self.python.is_valid(exact(text)))
        except (RecursionError, ArithmeticError, referencing.exceptions.Unresolvable):
            return None
        except TypeError:  # jsonschema 4 wants no boolean as "items" beside "unevaluatedItems" of 2019-09
            if self.draft != "2019-09":
                raise
            return None
        return None if self.lenient and (fits or self.turns) else fits

    def ask_rust(self, text: str | bytes) -> bool | None:
        if self.rust is None or not _is_small(text):
            return None
        value = json.loads(text)
        if self.dots and any(re.search("[\r\u2028\u2029]", string) for string in _strings(value)):
            return None
        if self.boundaries and not all(string.isascii() for string in _strings(value)):
            return None
        if self.emails and any(len(s.rpartition("@")[0]) > 64 or " <" in s for s in _strings(value)):
            return None
        if self.hosts and any(re.search(r"(^|\.)..--", string) for string in _strings(value)):
            return None
        fits = bool(self.rust.is_valid(value))
        return None if self.early and (fits or self.turns) else fits


def _is_small(text: str | bytes) -> bool:
    """Does a 64-bit number tell every number here from its neighbours? jsonschema_rs rounds the others."""
    good = True

    def check(word: str) -> float:
        nonlocal good
        mantissa, _, exponent = word.lower().partition("e")
        digits = mantissa.replace(".", "").lstrip("-0").rstrip("0")
        good = good and len(digits) <= 15 and len(mantissa) < 250 and len(exponent.lstrip("+-0")) < 3
        good = good and abs(float(word)) < 1e15
        return float(word)

    def check_int(word: str) -> int:
        nonlocal good
        good = good and -(2**63) <= int(word) < 2**64
        return int(word)

    json.loads(text, parse_float=check, parse_int=check_int)
    return good
