"""The loop on scripted models: every way a run can go and end."""

import dataclasses
import threading
import time
import weakref
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrt import (
    Agent,
    AgentrtError,
    ArgumentError,
    ChatModel,
    Done,
    Example,
    LimitExceeded,
    Message,
    ModelRetry,
    ReasoningDelta,
    StateError,
    TextDelta,
    ToolArgsDelta,
    ToolCall,
    ToolCallEnd,
    ToolCallStart,
    ToolError,
    ToolResult,
    Usage,
    tool,
)
from agentrt.events import TurnEnd
from agentrt.testing import ScriptedModel, call


def multiply(a: int, b: int) -> int:
    """Multiply two integers."""
    return a * b


def fail(reason: str) -> str:
    """Fail."""
    raise ValueError(reason)


@dataclasses.dataclass
class Trip:
    city: str
    days: int


def two_turns() -> ScriptedModel:
    return ScriptedModel([call("multiply", a=37, b=481), "37 times 481 is 17797."])


def test_a_tool_is_called_and_its_result_fed_back():
    model = two_turns()
    reply = Agent(model, tools=[multiply], system="Be brief.").run("What is 37 times 481?")
    assert reply.text == "37 times 481 is 17797."
    assert reply.stop_reason == "stop"
    assert reply.output is None
    assert reply.steps == 2
    (record,) = reply.calls
    assert (record.name, record.args, record.value, record.error) == ("multiply", {"a": 37, "b": 481}, 17797, None)
    assert reply.messages == (
        Message("system", "Be brief."),
        Message("user", "What is 37 times 481?"),
        Message("assistant", calls=(ToolCall("call_1", "multiply", '{"a":37,"b":481}'),)),
        Message("tool", "17797", call_id="call_1", name="multiply"),
        Message("assistant", "37 times 481 is 17797."),
    )
    assert [request.messages for request in model.requests] == [reply.messages[:2], reply.messages[:4]]


def test_stream_yields_text_and_events():
    model = ScriptedModel([call("multiply", a=2, b=3), ["It ", "is ", "6."]])
    agent = Agent(model, tools=[multiply])
    with agent.stream("?") as stream:
        assert list(stream) == ["It ", "is ", "6."]
    assert stream.reply.text == "It is 6."
    model.reset()
    with agent.stream("?") as stream:
        events = list(stream.events())
    made = ToolCall("call_1", "multiply", '{"a":2,"b":3}')
    assert events == [
        ToolCallStart("call_1", "multiply"),
        ToolArgsDelta("call_1", made.arguments),
        ToolCallEnd(made),
        ToolResult(stream.reply.calls[0]),
        TextDelta("It "),
        TextDelta("is "),
        TextDelta("6."),
        Done(stream.reply),
    ]


def test_run_is_a_fold_over_stream():
    for turns in (
        [call("multiply", a=2, b=3), "6"],
        ["hello"],
        [[call("multiply", a=1, b=1), call("fail", reason="x")], "y"],
    ):
        agent = Agent(ScriptedModel(turns), tools=[multiply, fail])
        streamed = Agent(ScriptedModel(turns), tools=[multiply, fail]).stream("?")
        list(streamed.events())
        ran = agent.run("?")
        assert ran.messages == streamed.reply.messages
        assert (ran.text, ran.usage, ran.stop_reason) == (
            streamed.reply.text,
            streamed.reply.usage,
            streamed.reply.stop_reason,
        )


def test_a_conversation_continues():
    model = ScriptedModel(["Hello.", call("multiply", a=2, b=2), "4"])
    agent = Agent(model, tools=[multiply], system="s")
    first = agent.run("Hi")
    second = agent.run("2 times 2?", messages=first.messages)
    assert second.messages[: len(first.messages)] == first.messages
    assert [m.role for m in second.messages] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    restored = msgspec.json.decode(msgspec.json.encode(second.messages), type=tuple[Message, ...])
    assert restored == second.messages
    third = Agent(ScriptedModel([call("multiply", a=1, b=1), "1"]), tools=[multiply]).run("?", messages=second.messages)
    assert third.calls[0].call.id == "call_2"


def test_messages_may_be_chat_dicts():
    model = ScriptedModel(["ok"])
    history = [
        {"role": "user", "content": "2 times 3?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "x", "type": "function", "function": {"name": "multiply", "arguments": {"a": 2}}}],
        },
        {"role": "tool", "content": "6", "tool_call_id": "x", "name": "multiply"},
    ]
    Agent(model).run("So?", messages=history)
    assert model.requests[0].messages[1].calls == (ToolCall("x", "multiply", '{"a":2}'),)
    with pytest.raises(ArgumentError, match="role"):
        Agent(model).run("So?", messages=[{"role": "king", "content": ""}])
    with pytest.raises(ArgumentError, match="content"):
        Agent(model).run("So?", messages=[{"role": "user", "content": [1]}])


def test_a_tool_that_raises_becomes_a_result():
    reply = Agent(ScriptedModel([call("fail", reason="no such file"), "It failed."]), tools=[fail]).run("?")
    (record,) = reply.calls
    assert record.content == "error: ValueError: no such file"
    assert isinstance(record.error, ValueError)
    assert record.error.__traceback__ is not None
    assert reply.messages[2].content == record.content
    assert reply.stop_reason == "stop"


def test_a_tool_talks_back():
    def convert(unit: str) -> str:
        raise ModelRetry("use km or mi")

    reply = Agent(ScriptedModel([call("convert", unit="parsec"), "ok"]), tools=[convert]).run("?")
    assert reply.calls[0].content == "use km or mi"
    assert isinstance(reply.calls[0].error, ModelRetry)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_is_raised(error):
    def stop() -> None:
        raise error

    stream = Agent(ScriptedModel([call("stop"), "never"]), tools=[stop]).stream("?")
    with pytest.raises(error):
        list(stream)
    assert stream.reply.stop_reason == "error"
    assert stream.reply.messages[-1] == Message("tool", "not called: error", call_id="call_1", name="stop")


def test_a_result_without_a_json_form_is_the_tools_error():
    def thing() -> object:
        return object()

    (record,) = Agent(ScriptedModel([call("thing"), "ok"]), tools=[thing]).run("?").calls
    assert isinstance(record.error, TypeError)
    assert "object" in record.content


def test_long_results_are_cut_and_it_is_said():
    @tool(max_result=20)
    def short() -> str:
        return "y" * 50

    def long() -> str:
        return "x" * 9000

    model = ScriptedModel([[call("long"), call("short")], "ok"])
    reply = Agent(model, tools=[long, short]).run("?")
    first, second = reply.calls
    assert first.value == "x" * 9000
    assert first.content == "x" * 8000 + "\n[cut: the first 8000 of 9000 characters]"
    assert second.content == "y" * 20 + "\n[cut: the first 20 of 50 characters]"


class Loose:
    """A model that writes what it likes."""

    def __init__(self, *calls: tuple[str, str]) -> None:
        self.calls = list(calls)

    def turn(self, request: Any) -> Any:
        if self.calls:
            yield ReasoningDelta("hm")
            yield ToolCallEnd(ToolCall(f"call_{request.n_calls + 1}", *self.calls.pop(0)))
        else:
            yield TextDelta("done")
        yield TurnEnd("stop", Usage(completion_tokens=1))


def test_what_the_model_does_wrong_goes_back_to_it():
    model = Loose(("nothing", "{}"), ("multiply", '{"a": 1}'), ("multiply", "{"), ("multiply", '{"a": "x", "b": 1}'))
    assert isinstance(model, ChatModel)
    reply = Agent(model, tools=[multiply]).run("?")
    assert [record.content[:25] for record in reply.calls] == [
        "error: there is no tool '",
        "error: invalid arguments:",
        "error: invalid arguments:",
        "error: invalid arguments:",
    ]
    assert "missing required field `b`" in reply.calls[1].content
    assert reply.messages[1].reasoning == "hm"
    assert reply.text == "done"


def test_typed_output_together_with_tools():
    model = ScriptedModel([call("multiply", a=1, b=3), '{"city": "Rome", "days": 3}'])
    reply = Agent(model, tools=[multiply]).run("Plan.", output=Trip)
    assert reply.output == Trip("Rome", 3)
    assert reply.text == '{"city": "Rome", "days": 3}'
    assert model.requests[0].output.parameters["additionalProperties"] is False


@pytest.mark.parametrize(
    ("output", "text", "value"),
    [
        (list[int], "[1, 2.0]", [1, 2]),
        ({"type": "integer"}, "5", 5),
        ('{"type": "boolean"}', "true", True),
        (int | None, "null", None),
        (None, "free", None),
    ],
)
def test_output_forms(output, text, value):
    assert Agent(ScriptedModel([text])).run("?", output=output).output == value


def test_output_of_a_type_without_schema():
    agent = Agent(ScriptedModel([]))
    for wrong in (complex, 3, [1]):
        with pytest.raises(ArgumentError, match="output"):
            agent.run("?", output=wrong)


def test_an_output_type_is_compiled_once():
    model = ScriptedModel(["[]"] * 4)
    agent = Agent(model)
    for output in (list[int], list[int], {"type": "array"}, {"type": "array"}):
        agent.run("?", output=output)
    first, second, third, fourth = (request.output for request in model.requests)
    assert first is second
    assert third is fourth


def test_a_run_without_its_value_says_so():
    agent = Agent(ScriptedModel([call("multiply", a=1, b=1)]), tools=[multiply], max_steps=1)
    reply = agent.run("?", output=Trip)
    assert reply.stop_reason == "max_steps"
    with pytest.raises(LimitExceeded, match="max_steps") as caught:
        _ = reply.output
    assert caught.value.which == "max_steps"
    with Agent(ScriptedModel([["{", "}"]])).stream("?", output=dict) as stream:
        pass
    with pytest.raises(AgentrtError, match="cancelled"):
        _ = stream.reply.output


def test_max_steps():
    turns = [call("multiply", a=n, b=n) for n in range(5)]
    reply = Agent(ScriptedModel(turns), tools=[multiply], max_steps=3).run("?")
    assert (reply.stop_reason, reply.steps, len(reply.calls)) == ("max_steps", 3, 3)


def test_max_tokens_is_never_exceeded():
    agent = Agent(ScriptedModel([["a"] * 50]), max_tokens=10)
    reply = agent.run("?")
    assert (reply.stop_reason, reply.text, reply.usage.completion_tokens) == ("max_tokens", "a" * 10, 10)
    turns = [*[call("multiply", a=n, b=n) for n in range(4)], ["b"] * 50]
    reply = Agent(ScriptedModel(turns), tools=[multiply], max_tokens=10).run("?")
    assert (reply.stop_reason, reply.text, reply.usage.completion_tokens) == ("max_tokens", "b" * 6, 10)


def test_calls_of_a_turn_that_was_cut_are_not_made():
    class Cut:
        def turn(self, request: Any) -> Any:
            yield ToolCallEnd(ToolCall("call_1", "multiply", '{"a":1,"b":1}'))
            yield TurnEnd("max_tokens")

    reply = Agent(Cut(), tools=[multiply]).run("?")
    assert (reply.stop_reason, reply.calls) == ("max_tokens", ())
    assert reply.messages[-1] == Message("tool", "not called: max_tokens", call_id="call_1", name="multiply")


def test_max_seconds():
    def nap() -> None:
        time.sleep(0.02)

    reply = Agent(ScriptedModel([call("nap")] * 100), tools=[nap], max_seconds=0.1, max_repeats=1000).run("?")
    assert reply.stop_reason == "max_seconds"
    assert len(reply.calls) < 20

    class Slow:
        def turn(self, request: Any) -> Any:
            for _ in range(1000):
                time.sleep(0.01)
                yield TextDelta("x")

    start = time.monotonic()
    reply = Agent(Slow(), max_seconds=0.05).run("?")
    assert time.monotonic() - start < 10
    assert reply.stop_reason == "max_seconds"
    assert set(reply.text) == {"x"}


def test_a_tool_that_never_returns():
    release = threading.Event()
    threads: list[threading.Thread] = []

    @tool(timeout=0.05)
    def forever() -> None:
        threads.append(threading.current_thread())
        release.wait()

    start = time.monotonic()
    reply = Agent(ScriptedModel([call("forever"), "gave up"]), tools=[forever]).run("?")
    assert time.monotonic() - start < 10
    assert reply.text == "gave up"
    assert isinstance(reply.calls[0].error, TimeoutError)
    assert reply.calls[0].content == "error: TimeoutError: forever did not return within 0.05 s"
    assert threads[0].is_alive()
    assert threads[0].daemon
    release.set()
    threads[0].join()


def test_a_time_out_does_not_outlast_the_run():
    release = threading.Event()

    @tool(timeout=60)
    def forever() -> None:
        release.wait()

    start = time.monotonic()
    reply = Agent(ScriptedModel([call("forever"), "never"]), tools=[forever], max_seconds=0.1).run("?")
    assert time.monotonic() - start < 10
    assert reply.stop_reason == "max_seconds"
    release.set()


def test_a_tool_in_time_and_one_that_raises_in_its_thread():
    @tool(timeout=5)
    def quick(x: int) -> int:
        if x < 0:
            raise ValueError("negative")
        return x

    reply = Agent(ScriptedModel([[call("quick", x=1), call("quick", x=-1)], "ok"]), tools=[quick]).run("?")
    assert [record.content for record in reply.calls] == ["1", "error: ValueError: negative"]


def test_coroutine_tools_in_a_synchronous_run():
    import asyncio

    async def double(x: int) -> int:
        """Double."""
        await asyncio.sleep(0)
        return 2 * x

    @tool(timeout=0.05)
    async def forever() -> None:
        await asyncio.sleep(60)

    turns = [[call("double", x=4), call("forever")], "ok"]
    reply = Agent(ScriptedModel(turns), tools=[double, forever]).run("?")
    assert reply.calls[0].value == 8
    assert isinstance(reply.calls[1].error, TimeoutError)

    async def inside() -> Any:
        return Agent(ScriptedModel([call("double", x=5), "ok"]), tools=[double]).run("?")

    assert asyncio.run(inside()).calls[0].value == 10


def test_leaving_the_stream_stops_the_run():
    made: list[int] = []

    def count(x: int) -> int:
        made.append(x)
        return x

    model = ScriptedModel([["a", "b", "c"], call("count", x=1), "never"])
    with Agent(model, tools=[count]).stream("?") as stream:
        for text in stream:
            assert text == "a"
            break
    assert stream.reply.stop_reason == "cancelled"
    assert stream.reply.text == "a"
    assert stream.reply.messages[-1] == Message("assistant", "a")
    assert list(stream) == []

    model = ScriptedModel([[call("count", x=1), call("count", x=2)], "never"])
    with Agent(model, tools=[count]).stream("?") as stream:
        for event in stream.events():
            if isinstance(event, ToolResult):
                break
    assert made == [1]
    assert stream.reply.messages[-1].content == "not called: cancelled"
    assert len(model.requests) == 1


def test_a_stream_that_is_never_iterated():
    model = ScriptedModel(["x"])
    with Agent(model).stream("?") as stream:
        pass
    assert stream.reply.stop_reason == "cancelled"
    assert model.requests == []


def test_the_reply_is_there_afterwards():
    stream = Agent(ScriptedModel(["x"])).stream("?")
    with pytest.raises(StateError, match="not over"):
        _ = stream.reply
    list(stream)
    assert stream.reply.text == "x"
    stream.close()
    assert stream.reply.text == "x"


def test_cancel_from_another_thread():
    started = threading.Event()

    class Endless:
        closed = False

        def turn(self, request: Any) -> Any:
            try:
                while True:
                    started.set()
                    yield TextDelta("x")
            finally:
                self.closed = True

    model = Endless()
    stream = Agent(model).stream("?")
    thread = threading.Thread(target=lambda: (started.wait(), stream.cancel()))
    thread.start()
    list(stream)
    thread.join()
    assert stream.reply.stop_reason == "cancelled"
    assert model.closed


def test_what_the_model_raises_is_raised_with_the_turn_closed():
    class Broken:
        def turn(self, request: Any) -> Any:
            yield TextDelta("half")
            raise OSError("gone")

    stream = Agent(Broken()).stream("?")
    with pytest.raises(OSError, match="gone"):
        list(stream)
    assert stream.reply.stop_reason == "error"
    assert stream.reply.text == "half"


def test_tool_choice():
    def choices(**kwargs: Any) -> list[str]:
        model = ScriptedModel([call("multiply", a=1, b=1), "1"])
        Agent(model, tools=[multiply, fail], **kwargs).run("?")
        return [request.tool_choice for request in model.requests]

    assert choices() == ["auto", "auto"]
    assert choices(tool_choice="required") == ["required", "auto"]
    assert choices(tool_choice="multiply") == ["multiply", "auto"]
    model = ScriptedModel(["no", "no"])
    agent = Agent(model, tools=[multiply], tool_choice="none")
    agent.run("?")
    agent.run("?", tool_choice="auto")
    assert [request.tool_choice for request in model.requests] == ["none", "auto"]
    with pytest.raises(ArgumentError, match="divide"):
        Agent(model, tools=[multiply], tool_choice="divide")
    with pytest.raises(ArgumentError, match="required"):
        Agent(model, tool_choice="required")


def test_repeated_calls_are_noticed():
    turns = [*[call("multiply", a=2, b=2)] * 4, "enough"]
    model = ScriptedModel(turns)
    reply = Agent(model, tools=[multiply]).run("?")
    assert [record.repeats for record in reply.calls] == [0, 1, 2, 3]
    assert reply.messages[2].content == "4"
    assert reply.messages[4].content == "4\n[The same call gave the same result before.]"
    assert [request.tool_choice for request in model.requests] == ["auto"] * 4 + ["none"]
    assert reply.text == "enough"


def test_other_results_are_no_repetition():
    results = iter(range(10))

    def poll() -> int:
        return next(results)

    model = ScriptedModel([*[call("poll")] * 6, "done"])
    reply = Agent(model, tools=[poll]).run("?")
    assert {record.repeats for record in reply.calls} == {0}
    assert model.requests[-1].tool_choice == "auto"


def test_examples_precede_every_conversation_and_are_not_part_of_it():
    mine = Example("6 times 7?", {"a": 6, "b": 7}, result="42", answer="It is 42.")
    theirs = Example("1 times 1?", {"a": 1, "b": 1}, result="1", answer="1.", tool="multiply")
    model = ScriptedModel(["ok"])
    marked = tool(examples=[mine])(lambda a, b: a)
    marked.__name__, marked.__annotations__ = "multiply", {"a": int, "b": int}
    reply = Agent(model, tools=[marked], examples=[theirs], system="s").run("?")
    examples = model.requests[0].examples
    assert [m.role for m in examples] == ["user", "assistant", "tool", "assistant"] * 2
    assert examples[1].calls == (ToolCall("example_1", "multiply", '{"a": 6, "b": 7}'),)
    assert examples[5].calls[0].id == "example_2"
    assert reply.messages == (Message("system", "s"), Message("user", "?"), Message("assistant", "ok"))
    with pytest.raises(ToolError, match="divide"):
        Agent(model, tools=[marked], examples=[msgspec.structs.replace(theirs, tool="divide")])


def test_warming_is_the_models_business():
    Agent(ScriptedModel([])).warm("nowhere/at/all")
    asked: list[Any] = []

    class Warm(ScriptedModel):
        def warm(self, messages: Any, **rest: Any) -> None:
            asked.append((messages, rest))

    agent = Agent(Warm([]), tools=[multiply], system="s")
    agent.warm("file")
    assert asked == [
        ((Message("system", "s"),), {"examples": (), "tools": agent.tool_list, "file": "file"}),
    ]


def test_what_is_no_model():
    with pytest.raises(ArgumentError, match="turn"):
        Agent("gpt")  # type: ignore[arg-type]


def test_runs_leave_nothing_for_the_cycle_collector():
    import gc

    agent = Agent(two_turns(), tools=[multiply])
    gc.collect()
    gc.disable()
    try:
        stream = agent.stream("?")
        list(stream)
        run = weakref.ref(stream._run)
        del stream
        assert run() is None
    finally:
        gc.enable()


def test_many_runs_of_one_agent_at_once():
    class Echo:
        def turn(self, request: Any) -> Any:
            if request.messages[-1].role == "user":
                number = int(request.messages[-1].content)
                yield ToolCallEnd(ToolCall("call_1", "multiply", f'{{"a": {number}, "b": 10}}'))
            else:
                yield TextDelta(request.messages[-1].content)
            yield TurnEnd()

    agent = Agent(Echo(), tools=[multiply])
    texts: dict[int, str] = {}

    def work(n: int) -> None:
        texts[n] = agent.run(str(n)).text

    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {n: str(10 * n) for n in range(20)}


def turns_of_any_model() -> Any:
    """What a model may do in a turn, sensible or not: (events before the end, how it ends)."""
    texts = st.text(max_size=4).map(TextDelta)
    names = st.sampled_from(["multiply", "fail", "nothing"])
    arguments = st.sampled_from(['{"a": 1, "b": 2}', '{"reason": "x"}', "{}", "{", "[]", '{"a": 1e9, "b": 0.5}'])
    calls = st.builds(lambda name, text: ToolCallEnd(ToolCall("", name, text)), names, arguments)
    ends = st.sampled_from(["stop", "stop", "stop", "max_tokens", "context", "cancelled"])
    return st.tuples(st.lists(st.one_of(texts, calls), max_size=4), ends)


@given(st.lists(turns_of_any_model(), min_size=1, max_size=6), st.integers(1, 5), st.integers(0, 30))
def test_every_run_ends_in_a_conversation_that_can_go_on(turns, max_steps, leave_after):
    class Whatever:
        def turn(self, request: Any) -> Any:
            events, end = turns[len(request.messages) % len(turns)]
            n = request.n_calls
            for event in events:
                if isinstance(event, ToolCallEnd):
                    n += 1
                    yield ToolCallEnd(msgspec.structs.replace(event.call, id=f"call_{n}"))
                else:
                    yield event
            yield TurnEnd(end, Usage(completion_tokens=len(events)))

    with Agent(Whatever(), tools=[multiply, fail], max_steps=max_steps, max_tokens=20).stream("?") as stream:
        for n, _ in enumerate(stream.events()):
            if n == leave_after:
                break
    reply = stream.reply
    assert reply.stop_reason != "error"
    assert reply.steps <= max_steps
    waiting: list[str] = []
    seen: set[str] = set()
    for message in reply.messages[1:]:
        if message.role == "tool":
            assert message.call_id == waiting.pop(0)
        else:
            assert not waiting
            assert message.role == "assistant"
        for call_made in message.calls:
            assert call_made.id not in seen
            seen.add(call_made.id)
            waiting.append(call_made.id)
    assert not waiting
    assert len(reply.calls) <= len(seen)
