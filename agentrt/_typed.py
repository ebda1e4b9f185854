"""JSON Schemas of Python types, in the form that suits a model that writes them, and the way back to Python values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from .errors import ArgumentError

if TYPE_CHECKING:
    from .constraint import Schema

__all__ = ["Output", "decode_lenient", "schema_of"]

_BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_REF = "#/$defs/"


def schema_of(tp: Any) -> dict[str, Any]:
    """JSON Schema of a type, through msgspec; objects with named members admit no others.

    Definitions that are used once are written where they are used, and titles are left out: a model reads this.

    Raises: TypeError, NameError for a type that msgspec has no schema for.
    """
    schema: dict[str, Any] = msgspec.json.schema(tp)
    return tidy(schema)


def tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """What `schema_of` does to msgspec's schema."""
    definitions: dict[str, dict[str, Any]] = schema.pop("$defs", {})
    for node in [schema, *definitions.values()]:
        for part in _nodes(node):
            _close(part)
    for name, definition in definitions.items():
        if definition.get("title") == name.rpartition(".")[2] or "title" in definition:
            del definition["title"]
    for name in list(definitions):
        users = [
            part for node in [schema, *definitions.values()] for part in _nodes(node) if part.get("$ref") == _REF + name
        ]
        inside = any(part.get("$ref") == _REF + name for part in _nodes(definitions[name]))
        if len(users) == 1 and not inside:
            user, definition = users[0], definitions.pop(name)
            del user["$ref"]
            for key, value in definition.items():
                user.setdefault(key, value)
    if definitions:
        schema["$defs"] = definitions
    return schema


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """The schema and its sub-schemas, as far as msgspec writes them."""
    pending = [schema]
    while pending:
        node = pending.pop()
        if not isinstance(node, dict):
            continue
        yield node
        pending += node.get("properties", {}).values()
        pending += node.get("anyOf", ())
        pending += node.get("prefixItems", ())
        pending += (node.get("items"), node.get("additionalProperties"))


def _close(node: dict[str, Any]) -> None:
    if "properties" in node:
        node.setdefault("additionalProperties", False)
    if node.get("contentEncoding") == "base64":
        node.setdefault("pattern", _BASE64)
    node.pop("discriminator", None)


def decode_lenient(text: bytes | str, tp: Any) -> Any:
    """*text* as *tp*, where JSON Schema's integers may be written 1.0 or 1e2, which msgspec does not take for an int.

    Raises: msgspec.DecodeError, of which msgspec.ValidationError is a kind.
    """
    return msgspec.convert(_integral(msgspec.json.decode(text)), tp)


def _integral(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_integral(item) for item in value]
    if isinstance(value, dict):
        return {key: _integral(item) for key, item in value.items()}
    return value


class Output:
    """What `output=` asked for: a type, a JSON Schema (dict or JSON text) or a Schema.

    schema:      compiled.
    parameters:  the schema as a dict.
    decode:      JSON text to the value; plain JSON values when a schema was given rather than a type.
    """

    __slots__ = ("__weakref__", "decode", "parameters", "schema")

    decode: Callable[[str], Any]

    def __init__(self, wanted: Any) -> None:
        from .constraint import Schema

        if isinstance(wanted, Schema):
            self.schema: Schema = wanted
            self.parameters: dict[str, Any] = {}
            self.decode = msgspec.json.decode
        elif isinstance(wanted, (str, bytes)):
            self.parameters = msgspec.json.decode(wanted)
            self.schema = Schema(self.parameters)
            self.decode = msgspec.json.decode
        elif isinstance(wanted, Mapping):
            self.parameters = dict(wanted)
            self.schema = Schema(self.parameters)
            self.decode = msgspec.json.decode
        else:
            try:
                self.parameters = schema_of(wanted)
                decoder = msgspec.json.Decoder(wanted)
            except (TypeError, NameError) as error:
                raise ArgumentError(f"output: {error}") from error
            self.schema = Schema(self.parameters)

            def decode(text: str) -> Any:
                try:
                    return decoder.decode(text)
                except msgspec.ValidationError:
                    return decode_lenient(text, wanted)

            self.decode = decode
