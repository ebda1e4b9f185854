"""One random schema through three validators and our masks, and making it smaller when it fails; shared by tests, not a
test itself. tests/fuzz/differential.py runs it for hours.
"""

from __future__ import annotations

import collections
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from _generate import Maker, mutated
from _oracles import Oracles
from _walks import SMALL, check_states, feed, no_duplicates, spell, walk

from agentrt import AgentrtError, Constraint, Schema, SchemaError

INSTANCES = 12


def is_unsatisfiable(error: AgentrtError) -> bool:
    return (
        "UNSATISFIABLE" in str(getattr(error, "code", ""))
        or "no value" in str(error)
        or "can not be satisfied" in str(error)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is compared."""

    draft: str = "2020-12"
    formats: bool = False
    focus: str = ""  # a keyword that comes often
    walks: int = 2
    disagreements: bool = False  # print where the other two validators disagree


class Case:
    """One schema with its instances; `check` says what is wrong with it, or ''."""

    def __init__(self, schema: Any, instances: list[Any], seed: int, options: Options) -> None:
        self.schema, self.instances, self.seed, self.options = schema, instances, seed, options
        self.counts: collections.Counter[str] = collections.Counter()

    def check(self) -> str:
        options = self.options
        draw = random.Random(self.seed)
        oracles = Oracles(self.schema, draft=options.draft, formats=options.formats)
        modes: dict[str, Any] = {
            "property_order": draw.choice(["any", "any", "schema"]),
            "whitespace": draw.choice(["any", "compact", 1, "spaced"]),
        }
        try:
            schema = Schema(
                json.dumps(self.schema),
                default_draft=options.draft,
                formats="assert" if options.formats else "annotate",
            )
            constraint = Constraint(schema, SMALL.vocab)
            walked = Constraint(schema, SMALL.vocab, **modes)
        except SchemaError as error:
            self.counts[f"refused: {str(error).partition(':')[0][:40]}"] += 1
            if is_unsatisfiable(error):
                return self.check_empty(oracles)
            return ""
        except AgentrtError as error:
            self.counts[f"refused: {type(error).__name__}"] += 1
            return ""
        try:
            said = self.check_instances(oracles, schema, constraint, draw)
            said = said or self.check_walks(oracles, schema, walked, draw)
            for _ in range(0 if said else options.walks):
                spaced = modes["whitespace"] == "spaced"
                self.counts["states"] += check_states(SMALL, walked, schema, draw, spaced=spaced)
            return said
        except SchemaError as error:
            self.counts[f"refused late: {str(error).partition('(')[0]}"] += 1
            return ""
        except (AgentrtError, AssertionError) as error:
            return f"{modes}: {type(error).__name__}: {error}"

    def check_empty(self, oracles: Oracles) -> str:
        for instance in self.instances:
            text = json.dumps(instance)
            said = (oracles.ask_python(text), oracles.ask_rust(text))
            if True in said and False not in said:
                return f"called unsatisfiable, but {text} fits"
        return ""

    def check_instances(self, oracles: Oracles, schema: Schema, constraint: Constraint, draw: random.Random) -> str:
        for instance in self.instances:
            text = spell(instance, draw)
            ours = schema.validate(text)
            self.counts["instances taken" if ours else "instances refused"] += 1
            python, rust = oracles.ask_python(text), oracles.ask_rust(text)
            if python is not None and rust is not None and python != rust:
                self.counts[f"jsonschema {python}, jsonschema_rs {rust}, ours {ours}"] += 1
                if self.options.disagreements:
                    print(json.dumps({"schema": self.schema, "instance": instance, "python": python, "rust": rust}))
            elif (python if rust is None else rust) not in (ours, None):
                return f"validate says {ours} of {text}, the others say {not ours}"
            refused = feed(SMALL, constraint, text.encode(), draw)
            if (refused == "") != ours:
                return f"validate says {ours} of {text}, the matcher: {refused or 'accepted'}"
        return ""

    def check_walks(self, oracles: Oracles, schema: Schema, constraint: Constraint, draw: random.Random) -> str:
        for _ in range(self.options.walks):
            text = walk(SMALL, constraint, draw, draw.choice([0, 8, 30, 90]), lead=draw.choice([0, 0.4]))
            json.loads(text, object_pairs_hook=no_duplicates)
            self.counts["walks"] += 1
            if not schema.validate(text):
                return f"the walk {text!r} does not validate"
            python, rust = oracles.ask_python(text), oracles.ask_rust(text)
            if (python is False and rust is not True) or (rust is False and python is not True):
                return f"the walk {text!r} does not fit: jsonschema {python}, jsonschema_rs {rust}"
            if False in (python, rust):
                self.counts[f"walk: jsonschema {python}, jsonschema_rs {rust}"] += 1
                if self.options.disagreements:
                    print(json.dumps({"schema": self.schema, "walk": text.decode(), "python": python, "rust": rust}))
        return ""


def smaller(value: Any) -> Iterator[Any]:
    """Values with one thing less."""
    if isinstance(value, dict):
        for key in value:
            yield {k: v for k, v in value.items() if k != key}
        for key, item in value.items():
            for less in smaller(item):
                yield {**value, key: less}
    elif isinstance(value, list):
        for i in range(len(value)):
            yield value[:i] + value[i + 1 :]
        for i, item in enumerate(value):
            for less in smaller(item):
                yield [*value[:i], less, *value[i + 1 :]]
    elif isinstance(value, str) and value:
        yield value[:-1]


def shrink(case: Case, *, seconds: float = 20) -> Case:
    """A smaller case that fails as well (any failure is as good as another)."""
    end = time.monotonic() + seconds

    def fails(schema: Any, instances: list[Any]) -> Case | None:
        try:
            less = Case(schema, instances, case.seed, case.options)
            return less if less.check() else None
        except Exception:  # a schema that is none any more
            return None

    def pass_over(current: Case, candidates: Callable[[Case], Iterator[tuple[Any, list[Any]]]]) -> Case:
        found = True
        while found and time.monotonic() < end:
            found = False
            for schema, instances in candidates(current):
                less = fails(schema, instances)
                if less:
                    current, found = less, True
                    break
                if time.monotonic() > end:
                    break
        return current

    case = pass_over(case, lambda c: ((c.schema, [i]) for i in c.instances) if len(c.instances) > 1 else iter(()))
    case = pass_over(case, lambda c: ((s, c.instances) for s in smaller(c.schema)))
    return pass_over(case, lambda c: ((c.schema, i) for i in smaller(c.instances)))


def make(seed: int, options: Options) -> Case:
    draw = random.Random(seed)
    maker = Maker(draw, draft=options.draft, formats=options.formats, focus=options.focus)
    schema = maker.document()
    instances = []
    for _ in range(INSTANCES):
        instance = maker.instance(schema)
        instances.append(instance if draw.random() < 0.6 else mutated(instance, draw))
    return Case(schema, instances, seed, options)
