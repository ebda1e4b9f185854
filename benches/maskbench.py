"""What do constraints cost on real schemas and real tokenizers, from the schema's text to the last mask?

    python benches/maskbench.py CORPUS.jsonl.gz TOKENIZER... [--schemas 600] [--order any|schema] [--json]

CORPUS    lines {"name", "schema", "tests": [{"valid", "data"}]}: the files of guidance-ai/jsonschemabench,
          maskbench/data, one a line. Taken in the order of the sha1 of their names, so that a sample is a random one.
TOKENIZER a GGUF file with or without weights (those of llama.cpp's models/ggml-vocab-*.gguf), or a tekken.json.

For each schema: text to first mask (TTFM), then every token of every valid instance, one mask and one accept, each
timed alone, the call from Python included (empty calls: the line `floor`). Instances are cut into tokens greedily,
longest first: not what the tokenizer would do, but tokens of the same sizes. A schema passes when it compiles and every
instance comes out as the corpus says. When another process interrupted a call, its processor time is taken instead.
Memory is the growth of the resident set since before the vocabulary was made, at its largest, all schemas one after the
other (Linux). Not measured: the model, other engines.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import gzip
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path
from typing import Any

from mask_cases import cut
from vocab_files import read_vocabulary

from agentrt import AgentrtError, Constraint, Matcher, Vocab

clock, cpu_clock = time.perf_counter_ns, time.thread_time_ns


class Series:
    """Times of one kind of call, in microseconds."""

    def __init__(self) -> None:
        self.values = array("d")

    def call(self, function: Any, *args: Any) -> Any:
        switches = resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw
        cpu = cpu_clock()
        start = clock()
        found = function(*args)
        took = clock() - start
        cpu = cpu_clock() - cpu
        interrupted = resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw != switches
        self.values.append((min(cpu, took) if interrupted else took) / 1000)
        return found

    def summary(self) -> dict[str, float]:
        ordered = sorted(self.values)
        last = len(ordered) - 1
        at = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
        found = {"n": float(len(ordered)), "avg": sum(ordered) / len(ordered)}
        return found | {name: ordered[int(last * share)] for name, share in at.items()}


def load_corpus(path: str, n: int) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        documents = [json.loads(line) for line in lines]
    documents.sort(key=lambda document: hashlib.sha1((document["name"] + ".json").encode()).digest())
    return documents[: n or None]


def resident_mib(*, trimmed: bool = False) -> float:
    """Memory of this process; trimmed: after what was freed went back to the system, where that can be asked for."""
    if trimmed and hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def milliseconds(function: Any, *args: Any, **kwargs: Any) -> tuple[float, Any]:
    """The fastest of three calls, and what the last one gave."""
    times = []
    for _ in range(3):
        start = clock()
        found = function(*args, **kwargs)
        times.append((clock() - start) / 1e6)
    return min(times), found


class Run:
    """All schemas with one vocabulary."""

    def __init__(self, tokenizer: str, order: str) -> None:
        tokens, eos = read_vocabulary(tokenizer)
        self.ids = {token: i for i, token in enumerate(tokens) if token and i != eos}
        self.longest = max(map(len, self.ids))
        self.order = order
        gc.collect()
        self.memory_before = self.memory_peak = resident_mib(trimmed=True)
        self.set_up, self.vocab = milliseconds(Vocab, tokens, eos=eos)
        with tempfile.TemporaryDirectory() as folder:
            self.vocab.save(Path(folder) / "vocab")
            self.open, _ = milliseconds(Vocab.open, Path(folder) / "vocab")
        self.mask = bytearray((len(tokens) + 31) // 32 * 4)
        self.ttfm, self.masks, self.accepts, self.both, self.floor = (Series() for _ in range(5))
        self.refused: list[str] = []
        self.wrong: list[str] = []
        self.n_schemas = 0

    def first_mask(self, text: str) -> Matcher:
        constraint = Constraint(text, self.vocab, property_order=self.order)
        matcher = constraint.matcher()
        matcher.fill_mask(self.mask)
        return matcher

    def schema(self, document: dict[str, Any]) -> None:
        self.n_schemas += 1
        text = json.dumps(document["schema"])
        for _ in range(20):
            self.floor.call(bytes)
        try:
            matcher = self.ttfm.call(self.first_mask, text)
            for test in document["tests"]:
                if self.instance(matcher, test["data"], measured=test["valid"]) != test["valid"]:
                    self.wrong.append(document["name"])
                    break
        except AgentrtError:
            self.refused.append(document["name"])
        self.memory_peak = max(self.memory_peak, resident_mib())

    def instance(self, matcher: Matcher, data: Any, *, measured: bool) -> bool:
        matcher.reset()
        for token in cut(json.dumps(data, ensure_ascii=False).encode(), self.ids, self.longest):
            if measured:
                self.masks.call(matcher.fill_mask, self.mask)
                if not self.mask[token >> 3] >> (token & 7) & 1:
                    return False
                taken = self.accepts.call(matcher.accept, token)
                self.both.values.append(self.masks.values[-1] + self.accepts.values[-1])
            else:
                taken = matcher.accept(token)
            if not taken:
                return False
        if measured:
            self.masks.call(matcher.fill_mask, self.mask)
        return matcher.is_complete

    def result(self, name: str) -> dict[str, Any]:
        return {
            "tokenizer": name,
            "tokens": len(self.vocab),
            "set-up ms": self.set_up,
            "open ms": self.open,
            "vocabulary MiB": self.vocab.memory / 2**20,
            "peak MiB above": self.memory_peak - self.memory_before,
            "schemas": self.n_schemas,
            "passing": self.n_schemas - len(self.wrong) - len(self.refused),
            "wrong": self.wrong,
            "refused": self.refused,
            "ttfm ms": {key: value / (1 if key == "n" else 1000) for key, value in self.ttfm.summary().items()},
            "mask us": self.masks.summary(),
            "mask + accept us": self.both.summary(),
            "floor us": self.floor.summary(),
        }


def show(result: dict[str, Any]) -> str:
    rows = [f"{result['tokenizer']}: {result['tokens']:,} tokens"]
    rows.append(
        f"  set-up {result['set-up ms']:.0f} ms, from a file {result['open ms']:.1f} ms; "
        f"{result['vocabulary MiB']:.1f} MiB, with all schemas at most {result['peak MiB above']:.0f} MiB above Python"
    )
    rows.append(
        f"  {result['passing']} of {result['schemas']} schemas pass; {len(result['refused'])} refused, "
        f"{len(result['wrong'])} wrong {' '.join(result['wrong'][:5])}"
    )
    for name in ("ttfm ms", "mask us", "mask + accept us", "floor us"):
        found = result[name]
        figures = "  ".join(f"{key} {found[key]:.3g}" for key in ("avg", "p50", "p99", "p99.9", "max"))
        rows.append(f"  {name:18} {figures}  ({found['n']:,.0f})")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("corpus")
    parser.add_argument("tokenizers", nargs="+")
    parser.add_argument("--schemas", type=int, default=600, help="0: all of them")
    parser.add_argument("--order", choices=["any", "schema"], default="any")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if len(args.tokenizers) > 1:  # each in a process of its own, so that none finds the others' memory
        options = ["--schemas", str(args.schemas), "--order", args.order, *(["--json"] if args.json else [])]
        for tokenizer in args.tokenizers:
            subprocess.run([sys.executable, __file__, args.corpus, tokenizer, *options], check=True)
        return
    documents = load_corpus(args.corpus, args.schemas)
    gc.collect()
    gc.freeze()
    gc.disable()
    run = Run(args.tokenizers[0], args.order)
    for document in documents:
        run.schema(document)
    result = run.result(Path(args.tokenizers[0]).stem)
    print(json.dumps(result) if args.json else show(result), flush=True)


if __name__ == "__main__":
    main()
