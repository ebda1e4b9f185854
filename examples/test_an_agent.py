"""How to test a program that has an agent in it: a scripted model, no weights, no network.

pytest examples/test_an_agent.py
"""

from __future__ import annotations

from agentrt import Agent, ModelRetry
from agentrt.testing import ScriptedModel, call

STOCK = {"tea": 3, "coffee": 0}


def order(item: str, quantity: int) -> str:
    """Order an item.

    Args:
        item: Name of the item.
        quantity: How many.
    """
    if STOCK.get(item, 0) < quantity:
        raise ModelRetry(f"only {STOCK.get(item, 0)} of {item} are left")
    STOCK[item] -= quantity
    return f"ordered {quantity} {item}"


def test_the_model_is_told_what_is_left() -> None:
    model = ScriptedModel(
        [call("order", item="tea", quantity=5), call("order", item="tea", quantity=3), "Done: 3 tea."]
    )
    reply = Agent(model, tools=[order]).run("Order five teas, or as many as there are.")
    assert [record.content for record in reply.calls] == ["only 3 of tea are left", "ordered 3 tea"]
    assert reply.text == "Done: 3 tea."
    assert STOCK["tea"] == 0
