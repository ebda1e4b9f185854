"""Random schemas and instances through three validators and our masks, for as long as one likes.

    python tests/fuzz/differential.py [--seconds 600] [--seed 0] [--draft 2020-12 | 7] [--formats] [--walks 2]

For each schema: do Schema.validate, the matcher fed token by token (its mask, allows and accept agreeing), `jsonschema`
and `jsonschema_rs` say the same of instances led by the schema, and do the latter two take what walks over the masks
write? A schema that is called unsatisfiable must have no instance that the others take. What fails is made smaller and
printed with the seed that gives it; the last lines count what was compared, and where the other two disagree.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from _generate import Maker, mutated
from _oracles import Oracles
from _walks import SMALL, feed, no_duplicates, spell, walk

from agentrt import AgentrtError, Constraint, Schema, SchemaError

INSTANCES = 12


def is_unsatisfiable(error: AgentrtError) -> bool:
    return (
        "UNSATISFIABLE" in str(getattr(error, "code", ""))
        or "no value" in str(error)
        or "can not be satisfied" in str(error)
    )


class Case:
    """One schema with its instances; `check` says what is wrong with it, or ''."""

    def __init__(self, schema: Any, instances: list[Any], seed: int, options: argparse.Namespace) -> None:
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
            return self.check_instances(oracles, schema, constraint, draw) or self.check_walks(
                oracles, schema, walked, draw
            )
        except AgentrtError as error:
            self.counts[f"refused late: {type(error).__name__}"] += 1
            return ""
        except AssertionError as error:
            return f"{modes}: {error}"

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


def make(seed: int, options: argparse.Namespace) -> Case:
    draw = random.Random(seed)
    maker = Maker(draw, draft=options.draft, formats=options.formats)
    schema = maker.document()
    instances = []
    for _ in range(INSTANCES):
        instance = maker.instance(schema)
        instances.append(instance if draw.random() < 0.6 else mutated(instance, draw))
    return Case(schema, instances, seed, options)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1 << 62, help="schemas at most")
    parser.add_argument("--draft", default="2020-12", choices=["2020-12", "7"])
    parser.add_argument("--formats", action="store_true", help="with the formats that all know")
    parser.add_argument("--walks", type=int, default=2)
    parser.add_argument("--fail-fast", action="store_true")
    parser.add_argument("--disagreements", action="store_true", help="print where the other two disagree")
    options = parser.parse_args()
    counts: collections.Counter[str] = collections.Counter()
    failures, begin, seed, slowest = 0, time.monotonic(), options.seed, (0.0, 0)
    while time.monotonic() - begin < options.seconds and seed - options.seed < options.count:
        case = make(seed, options)
        start = time.process_time()
        said = case.check()
        slowest = max(slowest, (time.process_time() - start, seed))
        counts += case.counts
        counts["schemas"] += 1
        if said:
            failures += 1
            case = shrink(case)
            found = {"seed": seed, "schema": case.schema, "instances": case.instances, "said": case.check() or said}
            print(json.dumps(found, ensure_ascii=False), flush=True)
            if options.fail_fast:
                break
        seed += 1
    print(f"seeds {options.seed} to {seed - 1}, {time.monotonic() - begin:.0f} s")
    print(f"slowest schema: {slowest[0]:.2f} s, seed {slowest[1]}")
    for name, count in counts.most_common():
        print(f"{count:9,} {name}")
    print(f"{failures} failures")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
