"""Real usage that the type checkers must accept, and the types they must see."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Annotated, Any, Literal

import msgspec
from typing_extensions import assert_type

import agentrt
from agentrt import cuda, testing
from agentrt.batch import MaskPool


@dataclasses.dataclass
class Trip:
    city: str
    days: int


def multiply(a: int, b: int) -> int:
    """Multiply two integers."""
    return a * b


@agentrt.tool
def convert(value: float, unit: Literal["km", "mi"]) -> float:
    return value


@agentrt.tool(
    name="pick",
    timeout=2.0,
    examples=[agentrt.Example("Pick three.", {"n": 3}, result="3", answer="Three.")],
)
async def choose(n: Annotated[int, msgspec.Meta(ge=1)]) -> int:
    raise agentrt.ModelRetry("pick another")


assert_type(convert(1.0, "km"), float)

script = testing.ScriptedModel([testing.call("multiply", a=37, b=481), ["It is ", "17797."]])
model: agentrt.ChatModel = script
agent = agentrt.Agent(
    model,
    tools=[multiply, convert, choose, agentrt.Tool(multiply, name="times")],
    system="Be brief.",
    tool_choice="auto",
    max_steps=4,
    max_tokens=100,
    max_seconds=10.0,
    options={"temperature": 0.5},
)

reply = agent.run("What is 37 times 481?")
assert_type(reply, agentrt.Reply[None])
assert_type(reply.text, str)
assert_type(reply.usage.cached_tokens, int)
assert_type(reply.calls, tuple[agentrt.CallRecord, ...])
assert_type(agent.run("Plan.", output=Trip).output, Trip)
assert_type(agent.run("Plan.", output=list[int]).output, list[int])
assert_type(agent.run("Plan.", output={"type": "string"}).output, Any)
agent.run("And then?", messages=reply.messages)
agent.run("And then?", messages=[{"role": "user", "content": "Hi"}], tool_choice="multiply")

with agent.stream("?") as stream:
    for delta in stream:
        assert_type(delta, str)
assert_type(stream.reply, agentrt.Reply[None])

with agent.stream("?", output=Trip) as typed:
    for event in typed.events():
        match event:
            case agentrt.TextDelta(text):
                assert_type(text, str)
            case agentrt.ToolResult(record):
                assert_type(record.error, Exception | None)
            case agentrt.Done():
                pass
assert_type(typed.reply.output, Trip)


async def main() -> None:
    assert_type(await agent.arun("?", output=Trip), agentrt.Reply[Trip])
    async with agent.astream("?") as stream:
        async for delta in stream:
            assert_type(delta, str)
    async with agent.astream("?") as stream:
        async for event in stream.events():
            if isinstance(event, agentrt.ToolCallStart):
                assert_type(event.name, str)


def with_a_real_model() -> None:
    with agentrt.load("model.gguf", n_ctx=2048, n_threads=2) as real:
        assert_type(real, agentrt.Model)
        agentrt.Agent(real, tools=[multiply]).run("?")
        generation = real.generate("Once", max_tokens=20, temperature=0, seed=3)
        assert_type(generation.text, str)
        assert_type(generation.usage, agentrt.Usage)
        with real.stream([{"role": "user", "content": "?"}], schema=Trip) as deltas:
            for text in deltas:
                assert_type(text, str)


asyncio.run(main())

try:
    agentrt.Schema({"type": "integer", "minimum": 3, "maximum": 2})
except agentrt.SchemaError as error:
    assert_type(error.pointer, str)
except agentrt.AgentrtError:
    pass


def gpu(logits: Any, masks: Any, matchers: list[agentrt.Matcher | None]) -> None:
    pool = MaskPool(2)
    pool.fill(matchers, bytearray(4 * len(matchers)))
    params = cuda.SampleParams(temperature=(0.5, 1.0), seed=7, logit_bias=[{1: 2.0}, None])
    batch = cuda.prepare(params, rows=2, vocab=32)
    batch.set(cuda.SampleParams(), first=1, rows=1)
    assert_type(cuda.sample(logits, masks, batch, mask_rows=None), cuda.Result)
    assert_type(cuda.sample(logits).ids, Any)
    cuda.apply_masks(logits, masks, stream=5)
    assert_type(batch.steps.dtype, str)
    assert_type([device.capability for device in cuda.devices()], list[tuple[int, int]])
