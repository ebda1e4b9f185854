"""ScriptedModel holds its script to what a constrained model could write."""

import pytest

from agentrt import Agent, SchemaError
from agentrt.testing import ScriptedModel, ScriptError, call


def pick(color: str, n: int = 1) -> str:
    """Pick."""
    return color * n


@pytest.mark.parametrize(
    ("turns", "options", "words"),
    [
        ([call("pick")], {}, "forbids"),
        ([call("pick", color="red", n="two")], {}, "forbids"),
        ([call("pick", color="red", size=3)], {}, "forbids"),
        ([call("choose", color="red")], {}, "none of the tools"),
        ([call("pick", color="red")], {"tool_choice": "none"}, "tool_choice"),
        (["text"], {"tool_choice": "required"}, "tool_choice"),
        (["text"], {"tool_choice": "pick"}, "tool_choice"),
        (["text"], {"output": int}, "does not fit"),
        (['"text"'], {"output": int}, "does not fit"),
        ([call("pick", color="red")], {}, "1 turns"),
        ([], {}, "0 turns"),
    ],
)
def test_what_a_constrained_model_could_not_write(turns, options, words):
    with pytest.raises(ScriptError, match=words):
        Agent(ScriptedModel(turns), tools=[pick]).run("?", **options)


def test_reset_starts_again():
    model = ScriptedModel(["a", "b"])
    agent = Agent(model)
    assert [agent.run("?").text, agent.run("?").text] == ["a", "b"]
    assert len(model.requests) == 2
    model.reset()
    assert model.requests == []
    assert agent.run("?").text == "a"


def test_several_calls_in_one_turn():
    model = ScriptedModel([[call("pick", color="a"), call("pick", color="b", n=2)], "done"])
    reply = Agent(model, tools=[pick]).run("?")
    assert [record.value for record in reply.calls] == ["a", "bb"]
    assert [record.call.id for record in reply.calls] == ["call_1", "call_2"]
    assert reply.usage.completion_tokens == 3


def test_script_errors_are_assertions():
    with pytest.raises(AssertionError):
        Agent(ScriptedModel([])).run("?")
    assert not issubclass(ScriptError, SchemaError)
