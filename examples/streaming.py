"""Everything that happens in a run, as it happens; synchronous and asynchronous.

python examples/streaming.py
"""

from __future__ import annotations

import asyncio

import agentrt
from demo_tools import convert, multiply


def show(agent: agentrt.Agent, question: str) -> None:
    with agent.stream(question) as stream:
        for event in stream.events():
            print(type(event).__name__, event if not isinstance(event, agentrt.Done) else event.reply.stop_reason)


async def first_words(agent: agentrt.Agent, question: str, n: int) -> str:
    """Leaving the stream stops the model."""
    words = ""
    async with agent.astream(question) as stream:
        async for delta in stream:
            words += delta
            if len(words.split()) >= n:
                break
    return words


with agentrt.load() as model:
    show(agentrt.Agent(model, tools=[multiply, convert], max_tokens=100), "What is 12 times 9?")
    print(asyncio.run(first_words(agentrt.Agent(model), "Tell me of the sea.", 5)))
