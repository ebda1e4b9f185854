"""Random schemas and instances through three validators and our masks, for as long as one likes.

    python tests/fuzz/differential.py [--seconds 600] [--seed 0] [--draft 2020-12] [--formats] [--walks 2]
        [--focus uniqueItems]

For each schema: do Schema.validate, the matcher fed token by token (its mask, allows and accept agreeing), `jsonschema`
and `jsonschema_rs` say the same of instances led by the schema, and do the latter two take what walks over the masks
write? Are completions, forced bytes and masks right at every state of other walks? A schema that is called
unsatisfiable must have no instance that the others take. What fails is made smaller and printed with the seed that
gives it; the last lines count what was compared, and where the other two disagree.
"""

from __future__ import annotations

import argparse
import collections
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from _differential import Options, make, shrink


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1 << 62, help="schemas at most")
    parser.add_argument("--draft", default="2020-12", choices=["4", "6", "7", "2019-09", "2020-12"])
    parser.add_argument("--formats", action="store_true", help="with the formats that all know")
    parser.add_argument("--focus", default="", help="a keyword that comes often")
    parser.add_argument("--walks", type=int, default=2)
    parser.add_argument("--fail-fast", action="store_true")
    parser.add_argument("--disagreements", action="store_true", help="print where the other two disagree")
    args = parser.parse_args()
    options = Options(
        draft=args.draft,
        formats=args.formats,
        focus=args.focus,
        walks=args.walks,
        disagreements=args.disagreements,
    )
    counts: collections.Counter[str] = collections.Counter()
    failures, begin, seed, slowest = 0, time.monotonic(), args.seed, (0.0, 0)
    while time.monotonic() - begin < args.seconds and seed - args.seed < args.count:
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
            if args.fail_fast:
                break
        seed += 1
    print(f"seeds {args.seed} to {seed - 1}, {time.monotonic() - begin:.0f} s")
    print(f"slowest schema: {slowest[0]:.2f} s, seed {slowest[1]}")
    for name, count in counts.most_common():
        print(f"{count:9,} {name}")
    print(f"{failures} failures")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
