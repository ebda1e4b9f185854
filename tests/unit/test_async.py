"""The asynchronous twins do what the synchronous ones do, and do not block the event loop."""

import asyncio
import contextvars
import threading
import time
from typing import Any

import pytest

from agentrt import Agent, Done, StateError, TextDelta, ToolResult, Usage, tool
from agentrt.events import TurnEnd
from agentrt.testing import ScriptedModel, ScriptError, call


def multiply(a: int, b: int) -> int:
    """Multiply two integers."""
    return a * b


def fail() -> None:
    """Fail."""
    raise ValueError("no")


SCRIPTS: dict[str, list[Any]] = {
    "text": ["hello"],
    "deltas": [["a", "b", "c"]],
    "call": [call("multiply", a=2, b=3), "6"],
    "calls": [[call("multiply", a=2, b=3), call("fail")], ["x", "y"]],
    "steps": [call("multiply", a=n, b=n) for n in range(9)],
}


def agent_of(script: str) -> Agent:
    return Agent(ScriptedModel(SCRIPTS[script]), tools=[multiply, fail], max_steps=5)


def essence(reply: Any) -> Any:
    return reply.text, reply.messages, reply.usage, reply.stop_reason, [(r.call, r.content) for r in reply.calls]


@pytest.mark.parametrize("script", SCRIPTS)
def test_run_and_arun(script):
    assert essence(asyncio.run(agent_of(script).arun("?"))) == essence(agent_of(script).run("?"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_stream_and_astream(script):
    with agent_of(script).stream("?") as stream:
        texts = list(stream)

    async def main() -> Any:
        async with agent_of(script).astream("?") as astream:
            return [text async for text in astream], astream.reply

    atexts, reply = asyncio.run(main())
    assert atexts == texts
    assert essence(reply) == essence(stream.reply)


@pytest.mark.parametrize("script", SCRIPTS)
def test_events(script):
    with agent_of(script).stream("?") as stream:
        kinds = [type(event) for event in stream.events()]

    async def main() -> Any:
        async with agent_of(script).astream("?") as astream:
            return [type(event) async for event in astream.events()]

    assert asyncio.run(main()) == kinds
    assert kinds[-1] is Done


def test_errors_of_the_model_arrive():
    async def main() -> None:
        agent = Agent(ScriptedModel([]))
        with pytest.raises(ScriptError):
            await agent.arun("?")
        async with agent.astream("?") as stream:
            with pytest.raises(ScriptError):
                async for _ in stream:
                    pass
        assert stream.reply.stop_reason == "error"

    asyncio.run(main())


def test_coroutine_tools_run_in_the_callers_loop():
    async def main() -> None:
        loop, thread = asyncio.get_running_loop(), threading.get_ident()
        seen = []

        async def where() -> str:
            await asyncio.sleep(0)
            seen.append((asyncio.get_running_loop() is loop, threading.get_ident() == thread))
            return "here"

        def plain() -> bool:
            return threading.get_ident() == thread

        reply = await Agent(ScriptedModel([[call("where"), call("plain")], "ok"]), tools=[where, plain]).arun("?")
        assert seen == [(True, True)]
        assert [record.value for record in reply.calls] == ["here", False]

    asyncio.run(main())


def test_context_variables_reach_tools():
    user = contextvars.ContextVar("user", default="nobody")

    @tool(timeout=5)
    def guarded() -> str:
        return user.get()

    def plain() -> str:
        return user.get()

    async def main() -> None:
        user.set("ann")
        turns = [[call("plain"), call("guarded")], "ok"]
        reply = await Agent(ScriptedModel(turns), tools=[plain, guarded]).arun("?")
        assert [record.value for record in reply.calls] == ["ann", "ann"]

    asyncio.run(main())


class Endless:
    """Writes until it is cancelled, and notes that its turn was closed."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def turn(self, request: Any) -> Any:
        try:
            while not request.cancel.is_set:
                time.sleep(0.001)
                yield TextDelta("x")
            yield TurnEnd("cancelled", Usage())
        finally:
            self.closed.set()


def test_wait_for_cancels_the_generation():
    async def main() -> None:
        model = Endless()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(Agent(model).arun("?"), 0.05)
        assert model.closed.is_set()

    asyncio.run(main())


def test_the_event_loop_keeps_turning():
    async def main() -> None:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.005)
                ticks += 1

        def nap() -> None:
            time.sleep(0.2)

        ticker = asyncio.create_task(tick())
        await Agent(ScriptedModel([call("nap"), "ok"]), tools=[nap]).arun("?")
        ticker.cancel()
        assert ticks > 5

    asyncio.run(main())


def test_a_tool_that_blocks_does_not_hold_up_the_cancellation():
    release = threading.Event()

    def forever() -> None:
        release.wait(30)

    async def main() -> float:
        start = time.monotonic()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(Agent(ScriptedModel([call("forever"), "no"]), tools=[forever]).arun("?"), 0.05)
        return time.monotonic() - start

    assert asyncio.run(main()) < 5
    release.set()


def test_cancelling_cancels_a_coroutine_tool():
    async def main() -> None:
        cancelled = asyncio.Event()

        async def forever() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.set()
                raise

        task = asyncio.create_task(Agent(ScriptedModel([call("forever"), "no"]), tools=[forever]).arun("?"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(cancelled.wait(), 5)

    asyncio.run(main())


def test_a_coroutine_tool_times_out():
    @tool(timeout=0.02)
    async def forever() -> None:
        await asyncio.sleep(60)

    reply = asyncio.run(Agent(ScriptedModel([call("forever"), "ok"]), tools=[forever]).arun("?"))
    assert isinstance(reply.calls[0].error, TimeoutError)
    assert reply.text == "ok"


def test_leaving_the_stream_stops_the_run():
    async def main() -> None:
        model = Endless()
        async with Agent(model).astream("?") as stream:
            async for _ in stream:
                break
            with pytest.raises(StateError):
                _ = stream.reply
        assert model.closed.is_set()
        assert stream.reply.stop_reason == "cancelled"

    asyncio.run(main())


def test_a_slow_consumer_holds_the_run_back():
    made = 0

    class Many:
        def turn(self, request: Any) -> Any:
            nonlocal made
            for _ in range(5000):
                made += 1
                yield TextDelta("x")
            yield TurnEnd()

    async def main() -> None:
        async with Agent(Many()).astream("?") as stream:
            n = 0
            async for _ in stream:
                n += 1
                if n == 1:
                    await asyncio.sleep(0.1)
                    assert made < 2000
        assert n == made == 5000

    asyncio.run(main())


def test_leaving_while_the_run_is_held_back():
    class Many:
        def turn(self, request: Any) -> Any:
            while True:
                yield TextDelta("x")

    async def main() -> None:
        async with Agent(Many()).astream("?") as stream:
            await asyncio.sleep(0.05)
        assert stream.reply.stop_reason == "cancelled"

    asyncio.run(main())


def test_a_stream_that_is_not_used():
    async def main() -> None:
        stream = Agent(ScriptedModel(["x"])).astream("?")
        await stream.aclose()
        assert stream.reply.stop_reason == "cancelled"

    asyncio.run(main())


def test_many_runs_at_once():
    async def nap(n: int) -> int:
        await asyncio.sleep(0.01)
        return n

    async def main() -> None:
        agents = [Agent(ScriptedModel([call("nap", n=n), str(n)]), tools=[nap]) for n in range(20)]
        replies = await asyncio.gather(*(agent.arun("?") for agent in agents))
        assert [reply.text for reply in replies] == [str(n) for n in range(20)]
        assert [reply.calls[0].value for reply in replies] == list(range(20))

    asyncio.run(main())


def test_events_tell_results_apart():
    async def main() -> list[Any]:
        async with agent_of("calls").astream("?") as stream:
            return [event.record.content async for event in stream.events() if isinstance(event, ToolResult)]

    assert asyncio.run(main()) == ["6", "error: ValueError: no"]
