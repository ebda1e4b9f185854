"""The agent on the default model: well-formed calls, reuse of the KV cache, cancelling, limits."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

import agentrt
from agentrt import Agent, Example, ModelError

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def model() -> Iterator[agentrt.Model]:
    try:
        loaded = agentrt.load(os.environ.get("AGENTRT_TEST_MODEL"), n_ctx=2048)
    except (ModelError, ImportError) as error:
        pytest.skip(f"no model: {error}")
    with loaded:
        yield loaded


@agentrt.tool(examples=[Example("What is 6 times 7?", {"a": 6, "b": 7}, result="6 times 7 is 42", answer="It is 42.")])
def multiply(a: int, b: int) -> str:
    """Multiply two integers."""
    return f"{a} times {b} is {a * b}"


class Trip(msgspec.Struct):
    city: Annotated[str, msgspec.Meta(min_length=2, max_length=20)]
    days: Annotated[int, msgspec.Meta(ge=1, le=30)]
    season: Literal["spring", "summer"]


def test_a_question_with_a_tool(model):
    reply = Agent(model, tools=[multiply], tool_choice="required", max_tokens=120).run("What is 37 times 481?")
    assert reply.stop_reason == "stop"
    assert reply.calls[0].name == "multiply"
    assert reply.calls[0].error is None
    assert set(reply.calls[0].args) == {"a", "b"}
    assert reply.usage.forced_tokens > 0


def test_each_turn_finds_the_one_before_it_in_the_cache(model):
    agent = Agent(model, tools=[multiply], tool_choice="required", max_tokens=120)
    first = agent.run("What is 12 times 12?")
    assert first.steps == 2
    ids = model.chat.prompt(first.messages, examples=agent.examples, tools=agent.tool_list)
    second = agent.run("What is 5 times 5?", messages=first.messages, tool_choice="none")
    assert second.steps == 1
    # All but what the second question adds, and the last token, whose logits are needed anew.
    assert second.usage.cached_tokens >= len(ids) - 8
    assert second.usage.prompt_tokens - second.usage.cached_tokens < 40
    third = agent.run("What is 6 times 6?", tool_choice="none")
    assert third.usage.cached_tokens > 60  # the system message and the demonstration


def test_warming_evaluates_ahead_and_keeps_it(model, tmp_path):
    file = tmp_path / "agent.prefix"
    agent = Agent(model, tools=[multiply], system="A system message of its own.", max_tokens=5, tool_choice="none")
    model.reset()
    agent.warm(file)
    assert file.stat().st_mode & 0o077 == 0
    assert [entry.name for entry in tmp_path.iterdir()] == [file.name]
    first = agent.run("What is 2 times 2?")
    assert first.usage.prompt_tokens - first.usage.cached_tokens < 30

    model.reset()
    written = file.stat().st_mtime_ns
    agent.warm(file)
    assert file.stat().st_mtime_ns == written
    again = agent.run("What is 2 times 2?")
    assert again.usage.cached_tokens == first.usage.cached_tokens
    assert again.text == first.text

    other = Agent(model, system="Another one.", max_tokens=5)
    other.warm(file)
    assert file.stat().st_mtime_ns != written
    file.write_bytes(file.read_bytes()[:-100])  # damaged
    model.reset()
    other.warm(file)
    assert other.run("Hello").usage.cached_tokens > 3


def test_stream_and_run_agree(model):
    agent = Agent(model, tools=[multiply], tool_choice="required", max_tokens=80)
    ran = agent.run("What is 3 times 4?")
    with agent.stream("What is 3 times 4?") as stream:
        events = list(stream.events())
    assert stream.reply.messages == ran.messages
    arguments = "".join(event.json for event in events if isinstance(event, agentrt.ToolArgsDelta))
    assert arguments == "".join(record.call.arguments for record in ran.calls)
    text = "".join(event.text for event in events if isinstance(event, agentrt.TextDelta))
    assert text.endswith(ran.text)


def test_typed_output(model):
    reply = Agent(model, max_tokens=60).run("Plan a trip to Rome for three days.", output=Trip)
    assert isinstance(reply.output, Trip)


@pytest.mark.parametrize("max_tokens", [25, 30, 40])
def test_a_value_is_valid_however_few_tokens_there_are(model, max_tokens):
    reply = Agent(model, max_tokens=max_tokens).run("Plan a trip.", output=Trip)
    assert isinstance(reply.output, Trip)
    assert reply.usage.completion_tokens <= max_tokens


def test_too_few_tokens_for_any_value(model):
    reply = Agent(model, max_tokens=3).run("Plan a trip.", output=Trip)
    assert reply.stop_reason == "max_tokens"
    with pytest.raises(agentrt.LimitExceeded):
        _ = reply.output


def test_output_and_tools_together(model):
    agent = Agent(model, tools=[multiply], tool_choice="multiply", max_tokens=150)
    reply = agent.run("What is 2 times 3? Give the number.", output=int)
    assert reply.calls
    assert isinstance(reply.output, int)


def test_no_tool_when_there_is_to_be_none(model):
    reply = Agent(model, tools=[multiply], tool_choice="none", max_tokens=20).run("What is 37 times 481?")
    assert reply.calls == ()


def test_max_seconds_ends_a_generation(model):
    start = time.monotonic()
    reply = Agent(model, max_seconds=0.5, max_tokens=2000).run("Write a very long story about the sea.")
    assert reply.stop_reason in ("max_seconds", "stop")
    assert time.monotonic() - start < 10


def test_cancel_in_prefill(model):
    agent = Agent(model)
    stream = agent.stream("word " * 1500)
    timer = threading.Timer(0.3, stream.cancel)
    timer.start()
    start = time.monotonic()
    list(stream)
    timer.join()
    assert stream.reply.stop_reason in ("cancelled", "stop")
    assert time.monotonic() - start < 20


def test_wait_for_and_leaving_early(model):
    async def main() -> None:
        agent = Agent(model, max_tokens=1500)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(agent.arun("Write a long story about a lighthouse and a storm."), 0.5)
        async with agent.astream("Count to one hundred.") as stream:
            async for _ in stream:
                break
        assert stream.reply.stop_reason == "cancelled"

    asyncio.run(main())
    assert Agent(model, max_tokens=10).run("Hello").text


def test_two_threads_on_one_model(model):
    replies: dict[int, Any] = {}

    def work(n: int) -> None:
        agent = Agent(model, tools=[multiply], tool_choice="required", max_tokens=60)
        replies[n] = agent.run(f"What is {n} times 3?")

    threads = [threading.Thread(target=work, args=(n,)) for n in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {n: bool(reply.calls) for n, reply in replies.items()} == {2: True, 3: True}


def test_a_prompt_longer_than_the_context(model):
    with pytest.raises(ModelError, match=r"context|fit"):
        Agent(model).run("word " * 5000)
    assert Agent(model, max_tokens=5).run("Hello").text


def test_a_result_that_fills_the_context(model):
    def dump() -> str:
        """Read the file."""
        return "word " * 5000

    reply = Agent(model, tools=[dump], tool_choice="dump", max_result=100_000, max_tokens=100).run("Read the file.")
    assert reply.stop_reason == "context"
    assert reply.calls[0].error is None


@pytest.mark.parametrize("call_format", ["hermes", "nemotron"])
def test_other_call_formats(model, call_format):
    with agentrt.load(model.path, n_ctx=1024, call_format=call_format) as other:
        reply = Agent(other, tools=[multiply], tool_choice="required", max_tokens=80).run("What is 3 times 4?")
        prompt = other.detokenize(other.chat.prompt(reply.messages, tools=[agentrt.Tool(multiply)]), special=True)
    assert reply.calls[0].name == "multiply"
    assert reply.calls[0].error is None
    begin, end = {"hermes": ("<tool_call>\n", "\n</tool_call>"), "nemotron": ("<TOOLCALL>[", "]</TOOLCALL>")}[
        call_format
    ]
    call = reply.calls[0].call
    assert f'{begin}{{"name": "multiply", "arguments": {call.arguments}}}{end}' in prompt


TOOLS = '''
def multiply(a: int, b: int) -> int:
    """Multiply two integers."""
    return a * b

TOOLS = [multiply]
'''


def agentrt_command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-m", "agentrt", *arguments],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_the_command_line(model, tmp_path):
    tools = tmp_path / "tools.py"
    tools.write_text(TOOLS)
    done = agentrt_command(
        "run", "What is 37 times 481?", "--model", model.path, "--tools", str(tools), "--tool-choice", "required",
        "--max-tokens", "100", "--json", "--warm", str(tmp_path / "prefix"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    reply = json.loads(done.stdout)
    assert reply["calls"][0]["name"] == "multiply"
    assert reply["usage"]["cached_tokens"] > 0
    plain = agentrt_command("run", "Say hello.", "--model", model.path, "--max-tokens", "8")
    assert plain.returncode == 0
    assert plain.stdout.endswith("\n")


def test_the_bench(model):
    done = agentrt_command("bench", "--model", model.path, "--tokens", "32", "--prompt-tokens", "16", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["constrained_tokens_per_s"] > 0
    assert 0 < result["forced_share"] < 1
    assert result["agent_steps"] >= 1


def test_schema_check_over_a_vocabulary(model, tmp_path):
    file = tmp_path / "schema.json"
    file.write_text('{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}')
    done = agentrt_command("schema", "check", str(file), "--model", model.path, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["first_mask_ms"] > 0


def test_ctrl_c_during_a_generation(model):
    process = subprocess.Popen(
        [sys.executable, "-m", "agentrt", "run", "Write a long story.", "--model", model.path, "--max-tokens", "900"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.read(1)  # it writes
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
