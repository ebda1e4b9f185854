"""An agent that answers a question with small tools on a local model, shown while it happens.

    python examples/demo.py                          three questions of ours
    python examples/demo.py "What is 37 times 481?"  a question of yours

The default model has 135 million parameters. It can not calculate, and it does not have to: every call that it writes
is held to the tool's schema while it is written, the tools do the work, and the examples in demo_tools.py show it how.
"""

import sys

import agentrt
from agentrt import models
from demo_tools import TOOLS

QUESTIONS = (
    "What is 37 times 481?",
    "How many pounds are 70 kilograms?",
    "On which day of the week was 2000-02-29?",
)
SYSTEM = "You answer questions with the help of functions."


def make_agent(model: agentrt.Model, *, tool_choice: str = "required") -> agentrt.Agent:
    """Small models need examples, and limits in case they lose their way."""
    return agentrt.Agent(
        model, tools=TOOLS, system=SYSTEM, tool_choice=tool_choice, max_steps=4, max_tokens=200, max_repeats=1
    )


def show(agent: agentrt.Agent, question: str) -> None:
    """Print every event of one run as it comes."""
    print(f"\n> {question}")
    has_text = False
    with agent.stream(question) as stream:
        for event in stream.events():
            if isinstance(event, agentrt.ToolCallStart):
                print(f"  call    {event.name} ", end="", flush=True)
            elif isinstance(event, agentrt.ToolArgsDelta):
                print(event.json, end="", flush=True)
            elif isinstance(event, agentrt.ToolResult):
                print(f"\n  result  {event.record.content}")
            elif isinstance(event, agentrt.TextDelta):
                print(event.text if has_text else f"  answer  {event.text}", end="", flush=True)
                has_text = True
            elif isinstance(event, agentrt.Done):
                usage = event.reply.usage
                print(
                    f"\n  [{event.reply.stop_reason}; {usage.prompt_tokens} prompt tokens, "
                    f"{usage.cached_tokens} of them cached; {usage.completion_tokens} new, "
                    f"{usage.forced_tokens} of them forced; {usage.total_ms / 1000:.1f} s]"
                )


def main() -> int:
    questions = [" ".join(sys.argv[1:])] if len(sys.argv) > 1 else QUESTIONS
    try:
        with agentrt.load(n_ctx=4096) as model:
            agent = make_agent(model)
            prefix = models.cache_dir().parent / "demo.prefix"
            if not prefix.exists():
                print("reading tools and examples, at the first start only ...", file=sys.stderr)
            agent.warm(prefix)
            for question in questions:
                show(agent, question)
    except agentrt.AgentrtError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
