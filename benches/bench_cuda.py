"""What do a mask and a sample cost on a GPU, and are they right?

    python benches/bench_cuda.py table [--json FILE] [--plot FILE.svg]   microseconds for mask + sample, beside others
    python benches/bench_cuda.py loop              a captured decode loop, with and without constraints
    python benches/bench_cuda.py random [--cases 1000000]                random cases against the definition
    python benches/bench_cuda.py sanitizer         `random` under compute-sanitizer
    python benches/bench_cuda.py all

Needs a CUDA device and torch; xgrammar and flashinfer are compared with where they are installed. `--fake` runs `table`
and `random` against the stand-in for the driver (tests/fake_cuda) instead, to try this file: its times mean nothing.

table   Batch 1 to 512, vocabulary 32k to 262k, bfloat16 and float32; temperature 0.8 with top-p 0.95, and greedy; half
        of the tokens allowed, by chance. All contenders are interleaved; medians of the time on the device. The
        processor queues each call while the device is kept waiting, so queueing is not in it; it stands in brackets.
        Cold: the caches were overwritten before. `copy` is a device-to-device copy of as many bytes as logits and masks
        have; its bandwidth counts bytes read and bytes written, that of the others one read of logits and masks.
        Contenders that overwrite logits work on a clone, whose time is taken off again.
        Bars: batch 512 x 128k at 60 % of the copy's bandwidth or more, and 3 times as fast as xgrammar + torch; batch 1
        not slower than any contender.
loop    Batch 64, a model of a few ms a step; the two loops interleaved; medians. Bar: within 2 %.
random  Shapes, types, layouts, masks and parameters by chance. Greedy ids are equal to numpy's; a drawn token is one
        that the definition (docs/sampling.md) can draw, up to rounding at the edge of a filter; log-probabilities
        agree; draws among equal weights are uniform.

The exit status says whether all bars were met. Not measured: models, tokenizers, the making of masks.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from agentrt import cuda
from agentrt.cuda import SampleParams, prepare

ROOT = Path(__file__).resolve().parents[1]
BATCHES = (1, 8, 64, 256, 512)
VOCABS = (32_000, 128_256, 262_144)
DTYPES = ("bfloat16", "float32")
KINDS = {"top-p": SampleParams(temperature=0.8, top_p=0.95, seed=1), "greedy": SampleParams()}
BANDWIDTH_SHARE, TIMES_FASTER, LOOP_SHARE = 0.60, 3.0, 0.02


# ---------------------------------------------------------------- machines


class TorchMachine:
    """A device, through torch."""

    is_fake = False

    def __init__(self) -> None:
        import torch

        if not torch.cuda.is_available():
            sys.exit("no CUDA device (torch.cuda.is_available() is false)")
        self.torch = torch
        self.name = torch.cuda.get_device_name()
        properties = torch.cuda.get_device_properties(0)
        cache = getattr(properties, "L2_cache_size", 64 << 20)
        self.scratch = torch.empty(4 * cache, dtype=torch.uint8, device="cuda")

    def put(self, array: np.ndarray, *, dtype: str = "", row_gap: int = 0, pinned: bool = False) -> Any:
        torch = self.torch
        host = torch.from_numpy(np.ascontiguousarray(array))
        if pinned:
            return host.pin_memory()
        if row_gap:
            wide = torch.empty(array.shape[0], array.shape[1] + row_gap, dtype=host.dtype, device="cuda")
            wide[:, : array.shape[1]] = host.cuda()
            host = wide.to(getattr(torch, dtype)) if dtype else wide
            return host[:, : array.shape[1]]
        there = host.cuda()
        return there.to(getattr(torch, dtype)) if dtype else there

    def get(self, array: Any) -> np.ndarray:
        torch = self.torch
        tensor = array if isinstance(array, torch.Tensor) else torch.from_dlpack(array)
        return tensor.cpu().numpy()

    def clear_caches(self) -> None:
        self.scratch.zero_()

    def times(self, calls: dict[str, Callable[[], Any]], *, rounds: int, cold: bool) -> dict[str, tuple[float, float]]:
        """Medians for each: microseconds on the device, microseconds to queue."""
        torch = self.torch
        found: dict[str, list[tuple[Any, Any, float]]] = {name: [] for name in calls}
        for call in calls.values():
            for _ in range(3):
                call()
        torch.cuda.synchronize()
        for _ in range(rounds):
            for name, call in calls.items():
                if cold:
                    self.clear_caches()
                begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
                torch.cuda._sleep(1_000_000)  # the device waits until everything is queued
                begin.record()
                start = time.perf_counter()
                call()
                queued = time.perf_counter() - start
                end.record()
                found[name].append((begin, end, queued))
            torch.cuda.synchronize()
        return {
            name: (
                statistics.median(1e3 * begin.elapsed_time(end) for begin, end, _ in runs),
                statistics.median(1e6 * queued for _, _, queued in runs),
            )
            for name, runs in found.items()
        }


class FakeMachine:
    """The stand-in for the driver: for trying this file out."""

    is_fake = True
    name = "a stand-in, whose times mean nothing"

    def __init__(self) -> None:
        sys.path.insert(0, str(ROOT / "tests" / "unit"))
        import _fake_cuda as fake

        driver, nvrtc = fake.build(ROOT / "build" / "fake_cuda")
        os.environ["AGENTRT_LIBCUDA"], os.environ["AGENTRT_NVRTC"] = str(driver), str(nvrtc)
        self.fake, self.gpu = fake, fake.FakeGpu(driver, nvrtc)

    def put(self, array: np.ndarray, *, dtype: str = "", row_gap: int = 0, pinned: bool = False) -> Any:
        if dtype == "bfloat16":
            bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
            rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
            return self.fake.Tensor(self.gpu, rounded, bfloat16=True, row_gap=row_gap)
        return self.fake.Tensor(self.gpu, array.astype(dtype) if dtype else array, row_gap=row_gap, pinned=pinned)

    def get(self, array: Any) -> np.ndarray:
        self.gpu.flush()
        if isinstance(array, self.fake.Tensor):
            return array.array
        return self.fake.result_array(array).copy()

    def times(self, calls: dict[str, Callable[[], Any]], *, rounds: int, cold: bool) -> dict[str, tuple[float, float]]:
        found: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(rounds):
            for name, call in calls.items():
                start = time.perf_counter()
                call()
                self.gpu.flush()
                found[name].append(1e6 * (time.perf_counter() - start))
        return {name: (statistics.median(runs), 0.0) for name, runs in found.items()}


# ---------------------------------------------------------------- table


def contenders(machine: Any, kind: str, logits: Any, masks: Any, batch: Any, out: Any) -> dict[str, Callable[[], Any]]:
    """Ways to do the same, those that are installed. Those of others overwrite a copy of the logits, as they do."""
    calls: dict[str, Callable[[], Any]] = {"agentrt": lambda: cuda.sample(logits, masks, batch, out)}
    if machine.is_fake:
        return calls
    torch = machine.torch
    n_bytes = logits.numel() * logits.element_size() + masks.numel() * 4
    source = torch.empty(n_bytes, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    calls["copy"] = lambda: target.copy_(source)
    params = KINDS[kind]

    def torch_sample(x: Any) -> Any:
        if kind == "greedy":
            return x.argmax(-1)
        p = torch.softmax(x.float() / params.temperature, -1)
        ranked, order = p.sort(-1, descending=True)
        ranked[ranked.cumsum(-1) - ranked >= params.top_p] = 0.0
        return order.gather(1, torch.multinomial(ranked, 1))

    try:
        from xgrammar import apply_token_bitmask_inplace

        def xgrammar_torch() -> Any:
            x = logits.clone()
            apply_token_bitmask_inplace(x, masks)
            return torch_sample(x)

        calls["xgrammar + torch"] = xgrammar_torch
        calls["clone"] = logits.clone  # what the copy in the line above costs; subtracted in the table
    except ImportError:
        pass
    try:
        import flashinfer

        def masked() -> Any:
            x = logits.clone()
            cuda.apply_masks(x, masks)
            return x

        if kind == "top-p":
            calls["agentrt masks + flashinfer"] = lambda: flashinfer.sampling.top_p_sampling_from_probs(
                torch.softmax(masked().float() / params.temperature, -1), params.top_p
            )
        calls.setdefault("clone", logits.clone)
    except ImportError:
        pass
    return calls


def table(machine: Any, args: argparse.Namespace) -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    rows: list[dict[str, Any]] = []
    shapes = [(b, v) for v in VOCABS for b in BATCHES]
    if args.quick:
        shapes = [(1, 3000), (8, 3000)]
    print(f"# {machine.name}\n")
    print("| batch | vocabulary | type | kind | cache | " + "contender: us on the device (us to queue), GB/s |")
    print("|---:|---:|---|---|---|---|")
    for n, vocab in shapes:
        x = rng.normal(0, 3, (n, vocab)).astype(np.float32)
        masks = machine.put(rng.integers(-(2**31), 2**31, (n, (vocab + 31) // 32), dtype=np.int64).astype(np.int32))
        out = (machine.put(np.zeros(n, np.int64)), machine.put(np.zeros(n, np.float32)))
        for dtype in DTYPES:
            logits = machine.put(x, dtype=dtype)
            n_bytes = x.size * (2 if dtype == "bfloat16" else 4) + n * ((vocab + 31) // 32) * 4
            for kind, params in KINDS.items():
                batch = prepare(params, rows=n, vocab=vocab)
                calls = contenders(machine, kind, logits, masks, batch, out)
                for cache in ("warm", "cold"):
                    found = machine.times(calls, rounds=2 if args.quick else 40, cold=cache == "cold")
                    clone = found.pop("clone", (0.0, 0.0))[0]
                    for name in found:
                        if name not in ("agentrt", "copy"):
                            found[name] = (found[name][0] - clone, found[name][1])
                    row = {"batch": n, "vocab": vocab, "dtype": dtype, "kind": kind, "cache": cache, "bytes": n_bytes,
                           "us": {name: one[0] for name, one in found.items()},
                           "queue_us": {name: one[1] for name, one in found.items()}}  # fmt: skip
                    rows.append(row)
                    print(f"| {n} | {vocab} | {dtype} | {kind} | {cache} | {describe(row)} |", flush=True)
    return rows


def bandwidth(row: dict[str, Any], name: str) -> float:
    """GB/s: one read of logits and masks; of a copy, bytes read and written."""
    return row["bytes"] * (2 if name == "copy" else 1) / row["us"][name] / 1e3


def describe(row: dict[str, Any]) -> str:
    return "; ".join(
        f"{name}: {us:.1f} ({row['queue_us'][name]:.1f}), {bandwidth(row, name):.0f}" for name, us in row["us"].items()
    )


def check_table(rows: list[dict[str, Any]]) -> list[str]:
    """The bars, as sentences; those that were missed begin with MISSED."""
    said = []

    def bar(ok: bool, sentence: str) -> None:
        said.append(f"{'met   ' if ok else 'MISSED'} {sentence}")

    for row in rows:
        where = f"batch {row['batch']} x {row['vocab']} {row['dtype']} {row['kind']} {row['cache']}"
        ours, others = row["us"]["agentrt"], {k: v for k, v in row["us"].items() if k not in ("agentrt", "copy")}
        if (row["batch"], row["vocab"]) == (512, 128_256):
            share = bandwidth(row, "agentrt") / bandwidth(row, "copy")
            bar(share >= BANDWIDTH_SHARE, f"{where}: {100 * share:.0f} % of the copy's bandwidth")
            if "xgrammar + torch" in others:
                times = others["xgrammar + torch"] / ours
                bar(times >= TIMES_FASTER, f"{where}: {times:.1f} times as fast as xgrammar + torch")
        if row["batch"] == 1 and others:
            name = min(others, key=lambda k: others[k])
            bar(ours <= others[name], f"{where}: {ours:.1f} us, {name} {others[name]:.1f} us")
    return said


def plot(rows: list[dict[str, Any]], file: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    kinds, vocabs = sorted({r["kind"] for r in rows}), sorted({r["vocab"] for r in rows})
    figure, axes = plt.subplots(len(kinds), len(vocabs), figsize=(5 * len(vocabs), 4 * len(kinds)), squeeze=False)
    for i, kind in enumerate(kinds):
        for j, vocab in enumerate(vocabs):
            some = [
                r for r in rows if (r["kind"], r["vocab"], r["cache"], r["dtype"]) == (kind, vocab, "cold", "bfloat16")
            ]
            for name in sorted({name for r in some for name in r["us"]}):
                points = [(r["batch"], r["us"][name]) for r in some if name in r["us"]]
                axes[i][j].loglog(*zip(*points, strict=True), marker="o", label=name)
            axes[i][j].set(title=f"{kind}, vocabulary {vocab}, bfloat16, cold", xlabel="batch", ylabel="us")
            axes[i][j].legend()
    figure.tight_layout()
    figure.savefig(file)


# ---------------------------------------------------------------- random cases


def as_stored(x: np.ndarray, dtype: str) -> np.ndarray:
    """The values that a tensor of this type holds."""
    if dtype == "float32":
        return x
    if dtype == "float16":
        return x.astype(np.float16).astype(np.float32)
    bits = x.view(np.uint32)
    return (((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) << 16).astype(np.uint32).view(np.float32)


def kept_by(x: np.ndarray, among: np.ndarray, p: dict[str, Any], slack: float) -> np.ndarray:
    """K of the definition: the tokens of `among` that the filters keep. slack: moves their edges outwards."""
    order = np.argsort(np.where(among, -x, np.inf), kind="stable")[: int(among.sum())]
    order = order[np.isfinite(x[order])]
    keep = np.zeros(len(x), bool)
    if not len(order):
        return keep
    w = np.exp((x[order].astype(np.float64) - float(x[order[0]])) / p["temperature"])
    n = len(order)
    if p["top_k"]:
        n = min(n, p["top_k"])
    before = np.concatenate([[0.0], np.cumsum(w[:n])[:-1]])
    ok = before < p["top_p"] * w[:n].sum() * (1 + slack) + (slack if p["top_p"] < 1 else np.inf)
    ok &= w[:n] >= p["min_p"] * (1 - slack)
    ok[0] = True
    keep[order[:n][ok]] = True
    return keep


def cases(machine: Any, n_cases: int, seed: int) -> Iterator[tuple[int, int]]:
    """Runs cases in batches; yields how many were done and how many were wrong."""
    rng = np.random.default_rng(seed)
    done = 0
    while done < n_cases:
        n = int(rng.integers(1, 257))
        vocab = int(rng.choice([rng.integers(1, 70), rng.integers(70, 1100), rng.integers(1100, 5000)]))
        dtype = str(rng.choice(["float32", "float16", "bfloat16"]))
        x = rng.normal(0, rng.choice([0.0, 0.5, 3.0, 20.0]), (n, vocab)).astype(np.float32)
        if rng.random() < 0.3:
            x = np.round(x)  # ties
        x[rng.random((n, vocab)) < rng.choice([0.0, 0.0, 0.5])] = -np.inf
        x = as_stored(x, dtype)
        allowed = rng.random((n, vocab)) < rng.choice([0.01, 0.5, 1.0], (n, 1))
        words = np.packbits(np.pad(allowed, ((0, 0), (0, -vocab % 32))), axis=1, bitorder="little").view(np.int32)
        p = [
            {
                "temperature": float(np.float32(rng.choice([0.0, 0.3, 1.0, 2.5]))),
                "top_k": int(rng.choice([0, 0, 1, 3, 50])),
                "top_p": float(np.float32(rng.choice([1.0, 1.0, 0.95, 0.5, 0.01]))),
                "min_p": float(np.float32(rng.choice([0.0, 0.0, 0.05, 0.9]))),
            }
            for _ in range(n)
        ]
        columns = {name: tuple(one[name] for one in p) for name in p[0]}
        params = SampleParams(
            **columns, seed=tuple(rng.integers(0, 2**63, n).tolist()), step=int(rng.integers(0, 1000))
        )
        logits = machine.put(x, dtype=dtype, row_gap=int(rng.choice([0, 0, 1, 8])))
        result = cuda.sample(logits, machine.put(words, pinned=bool(rng.random() < 0.2)), params)
        ids, logprobs = machine.get(result.ids), machine.get(result.logprobs)
        wrong = sum(not right(x[i], allowed[i], p[i], int(ids[i]), float(logprobs[i])) for i in range(n))
        done += n
        yield n, wrong


def right(x: np.ndarray, allowed: np.ndarray, p: dict[str, Any], token: int, logprob: float) -> bool:
    possible = allowed & np.isfinite(x)
    if not possible.any():
        return token == cuda.EMPTY
    if token < 0 or not possible[token]:
        return False
    t = p["temperature"] or 1.0
    y = (x.astype(np.float64) - float(x[token])) / t
    expected = -float(np.logaddexp.reduce(y[np.isfinite(y)]))
    if abs(logprob - expected) > 1e-3 * max(1.0, abs(expected)):
        return False
    if p["temperature"] == 0.0:
        return token == int(np.argmax(np.where(possible, x, -np.inf)))
    everything = np.ones(len(x), bool)
    for slack in (0.0, 1e-4):  # where the filters' edge is within rounding, either side of it is right
        inside = kept_by(x, everything, p, slack) & possible
        if not inside.any():
            inside = kept_by(x, possible, p, slack)
        if inside[token]:
            return True
    tight = kept_by(x, everything, {**p, "top_p": p["top_p"] * (1 - 1e-4)}, 0.0) & possible
    return not tight.any() and bool(kept_by(x, possible, p, 1e-4)[token])


def random_cases(machine: Any, args: argparse.Namespace) -> list[str]:
    done = wrong = 0
    begin = time.perf_counter()
    for n, bad in cases(machine, args.cases, args.seed):
        done, wrong = done + n, wrong + bad
    n, vocab = 512, 64
    x, counts = machine.put(np.zeros((n, vocab), np.float32)), np.zeros(vocab)
    batch = prepare(SampleParams(temperature=1.0, seed=args.seed), rows=n, vocab=vocab)
    for _ in range(20):
        counts += np.bincount(machine.get(cuda.sample(x, None, batch).ids), minlength=vocab)
    mean = counts.mean()
    z = (float(((counts - mean) ** 2 / mean).sum()) - (vocab - 1)) / (2 * (vocab - 1)) ** 0.5
    print(f"random: {done} cases, {wrong} wrong; uniform draws: z = {z:.2f}; {time.perf_counter() - begin:.0f} s")
    return [f"MISSED random: {wrong} of {done} cases are wrong"] * bool(wrong) + ["MISSED random: draws"] * (abs(z) > 5)


def sanitizer(args: argparse.Namespace) -> list[str]:
    tool = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    if not Path(tool).exists():
        return ["MISSED sanitizer: compute-sanitizer is not installed"]
    said: list[str] = []
    for check in ("memcheck", "racecheck", "initcheck"):
        command = [tool, "--tool", check, "--error-exitcode", "99"]
        if check != "initcheck":  # which has to see everybody's writes
            command += ["--kernel-name", "kns=art_"]
        command += [sys.executable, __file__, "random", "--cases", str(min(args.cases, 20_000))]
        env = {**os.environ, "PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}  # so that ends of tensors are ends of memory
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        summary = [line for line in done.stdout.splitlines() if "SUMMARY" in line]
        said.append(
            f"{'MISSED' if done.returncode else 'met   '} sanitizer {check}: {' '.join(summary) or done.stderr[-300:]}"
        )
    return said


# ---------------------------------------------------------------- the loop


def loop(machine: Any, args: argparse.Namespace) -> list[str]:
    """Step times of the example's loop over a larger model, with and without constraints."""
    torch = machine.torch
    for folder in (ROOT / "examples", ROOT / "benches"):
        sys.path.insert(0, str(folder))
    from bench_masks import SCHEMA, VOCAB
    from torch_decode_loop import GpuLoop, TinyModel

    from agentrt import Constraint

    n, width, depth = 64, 4096, 24

    class Model(TinyModel):
        """With as many layers as it takes for a few milliseconds."""

        def __init__(self, vocab: int) -> None:
            super().__init__(vocab, width)
            self.layers = torch.nn.ModuleList(torch.nn.Linear(width, 4 * width, bias=False) for _ in range(depth))
            self.back = torch.nn.ModuleList(torch.nn.Linear(4 * width, width, bias=False) for _ in range(depth))

        def forward(self, ids: Any, state: Any, logits: Any) -> None:
            h = self.cell(self.embed(ids.clamp(min=0)), state)
            for up, down in zip(self.layers, self.back, strict=True):
                h = h + down(torch.nn.functional.silu(up(h)))
            state.copy_(torch.nn.functional.normalize(h))
            logits.copy_(self.head(state))

    class Free(GpuLoop):
        def _choose(self) -> None:
            cuda.sample(self.logits, None, self.batch, (self.ids, self.logprobs))
            self.tokens.copy_(self.ids, non_blocking=True)

    def step_ms(one: Any, steps: int) -> float:
        begin = time.perf_counter()
        for _ in range(steps):
            one.start_choose()
            one.start_forward()
            one.wait_for_tokens()
            for matcher, token in zip(one.matchers, one.tokens.tolist(), strict=True):
                if matcher is not None:
                    matcher.accept(token)
                    if matcher.is_ended:
                        matcher.reset()
            if not isinstance(one, Free):
                one.fill()
        one.close()
        return 1e3 * (time.perf_counter() - begin) / steps

    device = torch.device("cuda", 0)
    model = Model(len(VOCAB)).to(device).requires_grad_(False)
    constraint = Constraint(SCHEMA, VOCAB)
    held = GpuLoop(model, [constraint.matcher() for _ in range(n)], len(VOCAB), device)
    free = Free(model, [None] * n, len(VOCAB), device)
    for one in (held, free):
        one.start_forward()
        one.fill()
        step_ms(one, 20)
    times: dict[str, list[float]] = {"constrained": [], "free": []}
    for _ in range(2 if args.quick else 9):
        times["constrained"].append(step_ms(held, 50))
        times["free"].append(step_ms(free, 50))
    medians = {name: statistics.median(runs) for name, runs in times.items()}
    more = medians["constrained"] / medians["free"] - 1
    ok = more < LOOP_SHARE
    sentence = (
        f"loop: {medians['free']:.3f} ms a step free, {medians['constrained']:.3f} constrained: {100 * more:+.2f} %"
    )
    return [f"{'met   ' if ok else 'MISSED'} {sentence}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["table", "loop", "random", "sanitizer", "all"])
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", help="write the table there")
    parser.add_argument("--plot", help="draw the table there (needs matplotlib)")
    parser.add_argument("--quick", action="store_true", help="small shapes and few rounds")
    parser.add_argument("--fake", action="store_true", help="use the stand-in for the driver")
    args = parser.parse_args()
    machine = FakeMachine() if args.fake else TorchMachine()
    said: list[str] = []
    if args.what in ("random", "all"):
        said += random_cases(machine, args)
    if args.what in ("table", "all"):
        rows = table(machine, args)
        said += check_table(rows)
        if args.json:
            Path(args.json).write_text(json.dumps({"device": machine.name, "rows": rows}, indent=1))
        if args.plot:
            plot(rows, args.plot)
    if args.what in ("loop", "all") and not args.fake:
        said += loop(machine, args)
    if args.what in ("sanitizer", "all") and not args.fake:
        said += sanitizer(args)
    print("\n".join(said))
    return 1 if any(sentence.startswith("MISSED") for sentence in said) else 0


if __name__ == "__main__":
    sys.exit(main())
