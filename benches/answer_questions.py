"""How often does the default model answer a question rightly with the demo's tools, constrained and unconstrained?

    python benches/answer_questions.py [--model PATH] [--out results.json]

Workload: the forty questions of questions.py, greedy decoding, the nine tools of examples/demo_tools.py. Three ways, on
the same prompt tokens:

    required       as in the demo: the first turn is held to a call, `tool_choice="required"`
    auto           the model decides whether to call; a call is held to its schema once it has begun
    unconstrained  no constraint at all; what the model writes is parsed, and its call made, if it is one

Counted: a call was made and is well formed (a known tool, arguments that fit its schema); it is the right call (tool
and arguments); the final text has the right answer. Not measured: speed, other models, questions that no tool answers.
The tools' wording and examples were chosen while looking at these questions: expect somewhat less on others.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "examples")]

import agentrt
import demo
from questions import QUESTIONS, Question


class Outcome(msgspec.Struct):
    question: str
    tool: str | None
    arguments: dict[str, Any] | None
    answer: str
    is_well_formed: bool
    is_right_call: bool
    is_right_answer: bool
    seconds: float


def judge(question: Question, calls: list[tuple[str, dict[str, Any]]], answer: str, seconds: float) -> Outcome:
    tool, arguments = calls[0] if calls else (None, None)
    plain = answer.lower().replace(",", "") + " "
    return Outcome(
        question.text,
        tool,
        arguments,
        answer,
        bool(calls),
        tool == question.tool and arguments == question.arguments,
        any(text in plain for text in question.answer),
        round(seconds, 2),
    )


def held(agent: agentrt.Agent, question: Question, choice: str) -> Outcome:
    start = time.monotonic()
    reply = agent.run(question.text, tool_choice=choice)
    calls = [(record.name, record.args) for record in reply.calls if record.call is not None]
    return judge(question, calls, reply.text, time.monotonic() - start)


def parse_call(agent: agentrt.Agent, text: str) -> agentrt.ToolCall | None:
    """The first call in free text, if it is well formed: a known tool with arguments that fit its schema."""
    found = re.search(r"<tool_call>\s*\[?\s*(\{.*)", text, re.DOTALL)
    if not found:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(found[1])
        tool = agent.tools[value["name"]]
        arguments = json.dumps(value["arguments"])
        if not tool.schema.validate(arguments.encode()):
            return None
    except (ValueError, KeyError, TypeError):
        return None
    return agentrt.ToolCall("call_1", value["name"], arguments)


def free(model: agentrt.Model, agent: agentrt.Agent, question: Question) -> Outcome:
    start = time.monotonic()
    messages = [agentrt.Message("system", demo.SYSTEM), agentrt.Message("user", question.text)]

    def write() -> str:
        prompt = model.chat.prompt(messages, examples=agent.examples, tools=agent.tool_list)
        return model.generate(prompt, max_tokens=120, temperature=0).text

    answer = write()
    call = parse_call(agent, answer)
    if call is not None:
        tool = agent.tools[call.name]
        try:
            result = str(tool.call(tool.decode(call.arguments)))
        except Exception as error:  # as in the agent, the model sees it
            result = str(error)
        messages += [agentrt.Message("assistant", calls=(call,)), agentrt.Message("tool", result, name=call.name)]
        answer = write()
    calls = [] if call is None else [(call.name, call.args)]
    return judge(question, calls, answer, time.monotonic() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", help="path of a GGUF file; default: the default model")
    parser.add_argument("--out", type=Path, help="write every outcome as JSON")
    args = parser.parse_args()
    with agentrt.load(args.model, n_ctx=4096) as model:
        agent = demo.make_agent(model)
        outcomes = {
            "required": [held(agent, q, "required") for q in QUESTIONS],
            "auto": [held(agent, q, "auto") for q in QUESTIONS],
            "unconstrained": [free(model, agent, q) for q in QUESTIONS],
        }
        print(f"{Path(model.path).name} on {model.engine.kind}, {len(QUESTIONS)} questions")
    print("\n| way | well-formed call | right call | right answer | s a question |\n|---|---:|---:|---:|---:|")
    for way, rows in outcomes.items():
        formed = sum(row.is_well_formed for row in rows)
        call = sum(row.is_right_call for row in rows)
        answer = sum(row.is_right_answer for row in rows)
        print(f"| {way} | {formed} | {call} | {answer} | {sum(row.seconds for row in rows) / len(rows):.1f} |")
    if args.out:
        args.out.write_bytes(msgspec.json.format(msgspec.json.encode(outcomes)))


if __name__ == "__main__":
    main()
