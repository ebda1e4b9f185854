"""Random schemas of recursive arrays whose items differ, for hours: do completions and masks lead to an end?

    python tests/fuzz/recursive.py [--seconds 600] [--seed 0] [--dense]

What fails is printed with its seed and schema.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from _recursive import check, make


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dense", action="store_true", help="schemas that ask for many items of several kinds")
    args = parser.parse_args()
    end, seed, failures = time.monotonic() + args.seconds, args.seed, 0
    while time.monotonic() < end:
        said = check(seed, dense=args.dense)
        if said:
            failures += 1
            print(json.dumps({"seed": seed, "schema": make(seed, args.dense), "said": said}), flush=True)
        seed += 1
    print(f"seeds {args.seed} to {seed - 1}, {failures} failures")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
