"""Nothing valid is refused, and nothing invalid accepted, however it is written.

Valid instances come from the corpus that ART_MASKBENCH_DATA names (ART_MASKBENCH_SAMPLE schemas of it; 0: all), from
hypothesis-jsonschema, and from the schemas of _generate.py; invalid ones are those with one thing changed that
`jsonschema_rs` refuses. Each is spelled with its members in a random order, random whitespace and escapes, cut into
tokens at random, and must be taken token by token (mask, allows and accept agreeing), or not.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

import hypothesis_jsonschema
import pytest
from _corpus import Subject, compare, entries, needs_corpus
from _generate import mutated
from _oracles import Oracles
from _schemas import SCHEMAS
from _walks import SMALL, feed, spell
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.utils import many

from agentrt import Constraint

SAMPLE = int(os.environ.get("ART_MASKBENCH_SAMPLE", "40")) or 1_000_000
SPELLINGS = 2
MUTANTS = 3
TEXT_MAX = 4000  # longer instances are not spelled
# What hypothesis-jsonschema can not make instances of, or only by trying for long.
NOT_GENERATED = {"recursive", "tuple", "two patterns", "unevaluated"}
QUIET = settings(
    max_examples=25, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.mark.skipif(not hasattr(many, "more"), reason="hypothesis-jsonschema does not know this version of hypothesis")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(SCHEMAS.keys() - NOT_GENERATED))
def test_instances_of_hypothesis_jsonschema(name: str) -> None:
    constraint = Constraint(SCHEMAS[name], SMALL.vocab)
    oracles = Oracles(SCHEMAS[name], formats=True)

    @QUIET
    @given(hypothesis_jsonschema.from_schema(SCHEMAS[name]), st.integers(0, 1 << 30))
    def check(instance: Any, seed: int) -> None:
        draw = random.Random(seed)
        text = spell(instance, draw)
        refused = feed(SMALL, constraint, text.encode(), draw)
        assert (refused == "") == oracles.verdict(text), f"{text}: {refused or 'accepted'}"

    check()


def feed_all(subject: Subject) -> None:
    """Every spelling of every test, and of mutants of them."""
    constraint = subject.attempt("", lambda: Constraint(subject.schema, SMALL.vocab))
    if constraint is None:
        return
    draw, counts = subject.draw, subject.counts

    def check(kind: str, instance: Any, valid: bool | None) -> None:
        text = spell(instance, draw)
        if len(text) > TEXT_MAX:
            counts["too long"] += 1
            return
        if valid is None:
            valid = subject.oracles.verdict(text)
            if valid is None:
                counts["mutated, the other two disagree or do not know"] += 1
                return
        refused = subject.attempt(f"{kind}, of {text}", lambda: feed(SMALL, constraint, text.encode(), draw, masks=0.2))
        if refused is None:
            return
        counts[f"{kind}, {'valid' if valid else 'invalid'}"] += 1
        if (refused == "") != valid or subject.schema.validate(text) != valid:
            subject.wrong.append(f"{subject.name} {kind}: {refused or 'accepted'}, but valid: {valid}: {text}")

    for test in subject.tests:
        if not any(c in json.dumps(test["data"]) for c in ("\\ud8", "\\udc")):
            for _ in range(SPELLINGS):
                check("as given", test["data"], test["valid"])
        for _ in range(MUTANTS):
            check("mutated", mutated(test["data"], draw), None)


@needs_corpus
@pytest.mark.timeout(7200)
def test_corpus() -> None:
    wrong, counts = compare(feed_all, entries(SAMPLE, salt="complete"))
    print(json.dumps(counts, indent=1))
    assert wrong == []
