"""A type goes in and a value of that type comes out, valid by construction.

python examples/typed_output.py
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import msgspec

import agentrt


@dataclasses.dataclass
class Ticket:
    """What a support desk needs to know of a message."""

    topic: Literal["billing", "delivery", "account", "other"]
    urgency: Annotated[int, msgspec.Meta(ge=1, le=5)]
    summary: Annotated[str, msgspec.Meta(max_length=80)]


MESSAGE = "I was charged twice for order 1138 and need the money back before Friday."

with agentrt.load() as model:
    agent = agentrt.Agent(model, system="Sort the customer's message.")
    ticket = agent.run(MESSAGE, output=Ticket).output
    print(ticket)

    # Without an agent, on a plain prompt:
    words = model.generate("Three colours as a JSON list:", schema=list[Literal["red", "green", "blue"]], max_tokens=40)
    print(words.output)
