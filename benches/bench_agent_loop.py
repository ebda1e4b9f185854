"""What does the agent loop cost by itself, without a model?

A scripted model answers at once. Measured: a run of two turns with one tool call (prompt, call, result, answer), a
run of 20 calls, a streamed delta (an answer of 500), registering ten tools. Compared with a hand-written loop that
does the least there is to do. Not measured: prompts, tokens, real models.

    pytest benches/bench_agent_loop.py --benchmark-only
"""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

from agentrt import Agent, Tool
from agentrt.testing import ScriptedModel, call


def multiply(a: int, b: int) -> int:
    """Multiply two integers.

    Args:
        a: The first factor.
        b: The second factor.
    """
    return a * b


def search(
    query: str, status: Literal["open", "paid"], limit: int = 20, tags: list[str] | None = None, total: float = 0.0
) -> str:
    """Search the orders of a shop.

    Args:
        query: Words that the order must contain.
        status: State that the order must be in.
        limit: Largest number of orders to return.
        tags: Labels of which the order must have at least one.
        total: Smallest total in euros.
    """
    return ""


@pytest.mark.parametrize("n_calls", [1, 20])
def test_run(benchmark: Any, n_calls: int) -> None:
    model = ScriptedModel([*(call("multiply", a=n, b=481) for n in range(n_calls)), "done"])
    agent = Agent(model, tools=[multiply])

    def run() -> str:
        model.reset()
        return agent.run("What is 37 times 481?").text

    assert benchmark(run) == "done"


@pytest.mark.parametrize("n_calls", [1, 20])
def test_hand_written_loop(benchmark: Any, n_calls: int) -> None:
    turns = [json.dumps({"a": n, "b": 481}) for n in range(n_calls)]

    def run() -> str:
        messages: list[dict[str, Any]] = [{"role": "user", "content": "What is 37 times 481?"}]
        for arguments in turns:
            messages.append({"role": "assistant", "tool_calls": [{"name": "multiply", "arguments": arguments}]})
            messages.append({"role": "tool", "content": json.dumps(multiply(**json.loads(arguments)))})
        return "done"

    assert benchmark(run) == "done"


@pytest.mark.parametrize("n_deltas", [1, 500])
def test_stream(benchmark: Any, n_deltas: int) -> None:
    model = ScriptedModel([["word "] * n_deltas])
    agent = Agent(model)

    def run() -> int:
        model.reset()
        with agent.stream("?") as stream:
            return sum(1 for _ in stream)

    assert benchmark(run) == n_deltas


def test_register_ten_tools(benchmark: Any) -> None:
    tools = benchmark(lambda: [Tool(search, name=f"search_{n}") for n in range(10)])
    assert len(tools) == 10
