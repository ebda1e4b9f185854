"""What masks let through is valid: random walks end in instances that two other validators accept.

Schemas are made by chance (_generate.py), and taken from the corpus that ART_MASKBENCH_DATA names;
ART_MASKBENCH_SAMPLE says how many of those (0: all of them), ART_WALKS how many rounds. Walks start at the beginning or
in the middle of a valid instance and choose uniformly among the tokens of the mask, or now and then among those that
close something, in both property orders and all whitespace modes; the shortest completion ends them when their budget
is used up. `jsonschema` and `jsonschema_rs` judge the text; _oracles.py says, by rule, when one of them can not know.
"""

from __future__ import annotations

import json
import os
from functools import partial
from typing import Any

import pytest
from _corpus import Subject, compare, entries, needs_corpus
from _differential import Options, make
from _recursive import check as check_recursive
from _walks import SMALL, no_duplicates, spell, walk

from agentrt import Constraint

SAMPLE = int(os.environ.get("ART_MASKBENCH_SAMPLE", "40")) or 1_000_000
ROUNDS = int(os.environ.get("ART_WALKS", "1"))
GENERATED = int(os.environ.get("ART_GENERATED_SAMPLE", "300"))
BUDGETS = [0, 10, 40, 120, 400]
MODES: list[dict[str, Any]] = [
    {"property_order": order, "whitespace": whitespace}
    for order in ("any", "schema")
    for whitespace in ("any", "compact", 1, "spaced")
]


@pytest.mark.parametrize("draft", ["2020-12", "7"])
@pytest.mark.parametrize("part", range(4))
def test_generated_schemas(draft: str, part: int) -> None:
    """Validator, matcher and masks say what two other validators say, of instances and of walks."""
    first = part * 10_000
    wrong = {}
    for seed in range(first, first + GENERATED):
        case = make(seed, Options(draft=draft))
        said = case.check()
        if said:
            wrong[seed] = f"{said}; schema {json.dumps(case.schema)}"
    assert wrong == {}


def walk_all(subject: Subject) -> None:
    """Walks in all modes."""
    constraints = subject.attempt(
        "", lambda: [(mode, Constraint(subject.schema, SMALL.vocab, **mode)) for mode in MODES]
    )
    if not constraints:
        return
    draw = subject.draw
    valid = [test["data"] for test in subject.tests if test["valid"]] or [None]
    for mode, constraint in constraints * ROUNDS:
        start = spell(draw.choice(valid), draw).encode() if draw.random() < 0.5 else b""
        budget, lead = draw.choice(BUDGETS), draw.choice([0, 0.4])
        start = start[: draw.randint(0, len(start))]
        text = subject.attempt(f"{mode}", partial(walk, SMALL, constraint, draw, budget, lead=lead, start=start))
        if text is None:
            continue
        json.loads(text, object_pairs_hook=no_duplicates)
        subject.counts["walks"] += 1
        oracles = subject.oracles
        said = {
            "validate": subject.schema.validate(text),
            "python": oracles.ask_python(text),
            "rust": oracles.ask_rust(text),
        }
        for name, verdict in said.items():
            subject.counts[f"{name}: {verdict}"] += 1
        if False in said.values():
            subject.wrong.append(f"{subject.name} {mode}: {said} of {text!r}")


@needs_corpus
@pytest.mark.timeout(7200)
def test_corpus() -> None:
    wrong, counts = compare(walk_all, entries(SAMPLE, salt="sound"))
    print(json.dumps(counts, indent=1))
    assert wrong == []


@pytest.mark.parametrize("begin", [0, 100, 200, 300])
@pytest.mark.parametrize("dense", [False, True])
def test_recursive_arrays_lead_to_an_end(begin: int, dense: bool) -> None:
    said = {seed: check_recursive(seed, dense=dense) for seed in range(begin, begin + 100)}
    assert {seed: text for seed, text in said.items() if text} == {}
