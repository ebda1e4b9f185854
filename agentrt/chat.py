"""Chat templates: the Jinja programs that come with a model and turn a conversation into its prompt.

A template is untrusted code that runs in jinja2's immutable sandbox: it can not reach Python objects, and ranges and
text are bounded, but a hostile one can still take time. jinja2 (extra `agentrt[llama]`) is loaded with the first
template.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import ModelError
from .messages import Message

__all__ = ["ChatTemplate"]

_SOURCE_MAX = 1 << 20  # bytes of a template
_TEXT_MAX = 16 << 20  # characters of a rendered prompt
_PRODUCT_MAX = 1 << 24  # of a multiplication inside a template, so also of a repeated text


class ChatTemplate:
    """A compiled template.

    source:  Jinja text, in the dialect that Hugging Face's tokenizers use.
    bos_token, eos_token: what the template finds under these names.
    now:     the clock of `strftime_now`, read once, so that a prompt's beginning stays the same for as long as the
             template lives and the KV cache of it stays valid.

    Raises: ModelError for a template that does not compile; ImportError without jinja2.
    Threads: immutable.
    """

    def __init__(
        self, source: str, *, bos_token: str = "", eos_token: str = "", now: datetime.datetime | None = None
    ) -> None:
        if len(source) > _SOURCE_MAX:
            raise ModelError(f"the chat template has {len(source)} characters, at most {_SOURCE_MAX} are taken")
        self.source = source
        self._globals = {"bos_token": bos_token, "eos_token": eos_token}
        self._template = _compile(source, now or datetime.datetime.now())

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
    ) -> str:
        """The prompt.

        tools:   in the form {"type": "function", "function": {...}}; a template may ignore them.
        Raises:  ModelError when the template refuses the conversation or fails.
        """
        import jinja2

        parts: list[str] = []
        n_chars = 0
        try:
            for part in self._template.generate(
                messages=[as_template_message(message) for message in messages],
                tools=list(tools) if tools else None,
                add_generation_prompt=add_generation_prompt,
                **self._globals,
            ):
                parts.append(part)
                n_chars += len(part)
                if n_chars > _TEXT_MAX:
                    raise ModelError(f"the model's chat template writes more than {_TEXT_MAX} characters")
        except jinja2.TemplateError as error:
            raise ModelError(f"the model's chat template refuses the conversation: {error.message}") from error
        except (TypeError, ValueError, LookupError, ArithmeticError, OverflowError, RecursionError) as error:
            raise ModelError(f"the model's chat template failed: {type(error).__name__}: {error}") from error
        return "".join(parts)


def as_template_message(message: Message) -> dict[str, Any]:
    """The form that templates know; absent members are absent, because templates test for them."""
    out: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.calls:
        out["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.args}}
            for call in message.calls
        ]
    if message.call_id:
        out["tool_call_id"] = message.call_id
    if message.name:
        out["name"] = message.name
    if message.reasoning:
        out["reasoning_content"] = message.reasoning
    return out


def _environment(now: datetime.datetime) -> Any:
    """jinja2's sandbox with what templates expect to find."""
    try:
        import jinja2
        import jinja2.ext
        import jinja2.sandbox
    except ImportError as error:
        raise ImportError("chat templates need jinja2: pip install 'agentrt[llama]', or pip install jinja2") from error

    class Environment(jinja2.sandbox.ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset(("*", "**"))

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if operator == "**" or _size(left) * _size(right) > _PRODUCT_MAX:
                raise jinja2.TemplateError(f"the operator {operator} would make too large a value")
            return super().call_binop(context, operator, left, right)

    def raise_exception(message: object) -> None:
        raise jinja2.TemplateError(str(message))

    environment = Environment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = now.strftime
    return environment


def _compile(source: str, now: datetime.datetime) -> Any:
    environment = _environment(now)
    import jinja2

    try:
        return environment.from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise ModelError(f"the model's chat template does not compile: line {error.lineno}: {error.message}") from error
    except (RecursionError, MemoryError, ValueError) as error:
        raise ModelError(f"the model's chat template does not compile: {type(error).__name__}") from error


def _size(value: object) -> int:
    """How large a factor is: an integer by its value, since it may repeat the other one; others by their length."""
    if isinstance(value, int):
        return abs(value)
    return len(value) if isinstance(value, (str, bytes, list, tuple)) else 1


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """As `transformers` does it: jinja2's own escapes characters that mean something to HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
