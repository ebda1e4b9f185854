"""What `agentrt bench` measures: one model on this machine, as a user meets it. Figures of one run; repeat on a quiet
machine before comparing."""

from __future__ import annotations

import os
import platform
import sys
import time
from typing import TYPE_CHECKING

import msgspec

from .agent import Agent
from .errors import ArgumentError

if TYPE_CHECKING:
    from .model import Model

__all__ = ["Result", "measure"]

_TOKENS_MIN = 32
_STORY = "Once upon a time, in a small town by the sea, there lived a clockmaker who"
_RECORDS = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 3, "maxLength": 20},
            "age": {"type": "integer", "minimum": 0, "maximum": 120},
            "city": {"enum": ["Athens", "Berlin", "Cairo", "Delhi"]},
        },
        "required": ["name", "age", "city"],
        "additionalProperties": False,
    },
}


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Speeds in tokens a second, times in milliseconds; memory in bytes, None where the system does not tell.

    forced_share:  of the constrained tokens, the part that the schema dictated and that was not sampled.
    agent:         a question with a tool: the model calls it and answers, all in all.
    """

    model: str
    machine: str
    prefill_tokens_per_s: float
    first_token_ms: float
    unconstrained_tokens_per_s: float
    constrained_tokens_per_s: float
    forced_share: float
    agent_tokens_per_s: float
    agent_ms: float
    agent_steps: int
    peak_memory: int | None

    def title(self) -> str:
        return f"{self.model} on {self.machine}"

    def rows(self) -> list[tuple[str, str, str]]:
        rows = [
            ("prefill", f"{self.prefill_tokens_per_s:.1f}", "tokens/s"),
            ("first token of a short prompt", f"{self.first_token_ms:.0f}", "ms"),
            ("unconstrained", f"{self.unconstrained_tokens_per_s:.1f}", "tokens/s"),
            ("constrained", f"{self.constrained_tokens_per_s:.1f}", "tokens/s"),
            ("of these forced", f"{100 * self.forced_share:.0f}", "%"),
            ("agent with one tool", f"{self.agent_tokens_per_s:.1f}", "tokens/s"),
            ("its whole run", f"{self.agent_ms:.0f}", f"ms in {self.agent_steps} turns"),
        ]
        if self.peak_memory is not None:
            rows.append(("peak memory", f"{self.peak_memory / 1e6:.0f}", "MB"))
        return rows


def multiply(a: int, b: int) -> int:
    """Multiply two integers."""
    return a * b


def measure(model: Model, *, n_tokens: int, n_prompt: int) -> Result:
    """Run each part once after a warm-up.

    n_tokens:  at least 32, or the constrained part could not write one record.
    """
    from .model import cpu_count

    if n_tokens < _TOKENS_MIN or n_prompt < 1:
        raise ArgumentError(f"bench: at least {_TOKENS_MIN} tokens and 1 prompt token")

    model.generate("Hello", max_tokens=2)
    # Prompts differ from their first word on, so that no part profits from the KV cache of another.
    long_prompt = "Counting:" + "".join(f" {n}," for n in range(n_prompt))
    prefill = model.generate(model.tokenize(long_prompt)[:n_prompt], max_tokens=1).usage
    free = model.generate(_STORY, max_tokens=n_tokens).usage
    held = model.generate("People, as JSON:", schema=_RECORDS, max_tokens=n_tokens).usage
    start = time.perf_counter()
    with model.stream("Yesterday I met", max_tokens=1) as deltas:
        for _ in deltas:
            break
    first_ms = (time.perf_counter() - start) * 1e3
    start = time.perf_counter()
    reply = Agent(model, tools=[multiply], tool_choice="multiply", max_tokens=128).run("What is 12 times 12?")
    agent_s = time.perf_counter() - start
    return Result(
        model=os.path.basename(model.path),
        machine=f"{platform.machine()}, {cpu_count()} free cores, {model.engine.kind}",
        prefill_tokens_per_s=_rate(prefill.prompt_tokens - prefill.cached_tokens, prefill.prefill_ms),
        first_token_ms=first_ms,
        unconstrained_tokens_per_s=_rate(free.completion_tokens, free.total_ms - free.prefill_ms),
        constrained_tokens_per_s=_rate(held.completion_tokens, held.total_ms - held.prefill_ms),
        forced_share=held.forced_tokens / max(held.completion_tokens, 1),
        agent_tokens_per_s=_rate(reply.usage.completion_tokens, agent_s * 1e3),
        agent_ms=agent_s * 1e3,
        agent_steps=reply.steps,
        peak_memory=_peak_memory(),
    )


def _rate(n_tokens: int, ms: float) -> float:
    return n_tokens / ms * 1e3 if ms > 0 else 0.0


def _peak_memory() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
