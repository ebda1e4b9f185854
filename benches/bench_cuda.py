"""What do a mask and a sample cost on a GPU, and are they right?

    python benches/bench_cuda.py all [--seconds 540] [--out FILE.jsonl] [--plot FILE.svg]
    python benches/bench_cuda.py table             microseconds for mask + sample, beside others
    python benches/bench_cuda.py loop              a captured decode loop, with and without constraints
    python benches/bench_cuda.py random            random cases against the definition
    python benches/bench_cuda.py sanitizer         `random` under compute-sanitizer
    python benches/bench_cuda.py examples          the examples that use a GPU

Needs a CUDA device and torch; xgrammar and flashinfer are compared with where they are installed. Every part stops by
itself when its --seconds are over, what matters most comes first, and every result is a line of JSON in --out as soon
as it is there. `all` runs each part in a process of its own, within its share of the time, so that one that fails or
hangs costs no other; it ends with the bars. `--fake` uses the stand-in for the driver (tests/fake_cuda) for what can
do with it, to try this file: its times mean nothing.

table   Batch 1 to 512, vocabulary 32k to 262k, bfloat16 and float32; temperature 0.8 with top-p 0.95, and greedy; half
        of the tokens allowed, by chance. All contenders are interleaved; medians of the time on the device. The
        processor queues each call while the device is kept waiting, so queueing is not in it; it stands in brackets,
        with a ! where the device did not wait long enough. Cold: the caches were overwritten before. `copy` is a
        device-to-device copy of as many bytes as logits and masks have; its bandwidth counts bytes read and bytes
        written, that of the others one read of logits and masks. Contenders that overwrite logits have their own, in
        which a mask writes the same each time.
        Bars: batch 512 x 128k at 60 % of the copy's bandwidth or more, and 3 times as fast as xgrammar + torch; batch 1
        not slower than any contender.
loop    Batch 64, a model of a few ms a step; the two loops interleaved; medians. Bar: within 2 %.
random  Shapes, types, layouts, masks and parameters by chance. Greedy ids are equal to numpy's; a drawn token is one
        that the definition (docs/sampling.md) can draw, up to rounding at the edge of a filter; log-probabilities
        agree; draws among equal weights are uniform. The checking is done by other processes.

The exit status is 0, or 3 when a bar was missed; any other is a failure. Not measured: models, tokenizers, the making
of masks.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentrt import cuda
from agentrt.cuda import SampleParams, prepare

ROOT = Path(__file__).resolve().parents[1]
# What the bars are about comes first.
SHAPES = (
    (512, 128_256),
    (1, 128_256),
    *((b, 128_256) for b in (64, 8, 256)),
    *((b, v) for v in (32_000, 262_144) for b in (1, 512, 64, 8, 256)),
)
QUICK_SHAPES = ((1, 3000), (8, 3000))
DTYPES = ("bfloat16", "float32")
KINDS = {"top-p": SampleParams(temperature=0.8, top_p=0.95, seed=1), "greedy": SampleParams()}
BANDWIDTH_SHARE, TIMES_FASTER, LOOP_SHARE = 0.60, 3.0, 0.02
# Parts of `all` and their shares of its time. The first one is there to fail early.
SHARES = {"smoke": 0.08, "table": 0.30, "loop": 0.12, "random": 0.14, "sanitizer": 0.26, "examples": 0.10}
MISSED = 3
WAIT_CYCLES = 1_500_000  # of the device, while a call is queued


# ---------------------------------------------------------------- results


@dataclass
class Run:
    """One part's time and where its results go."""

    seconds: float
    out: str | None
    seed: int
    quick: bool
    fake: bool
    plot: str | None

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.lines: list[dict[str, Any]] = []

    @property
    def left(self) -> float:
        return self.seconds - (time.monotonic() - self.began)

    def write(self, **line: Any) -> None:
        self.lines.append(line)
        if self.out:
            with open(self.out, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def bar(self, name: str, found: float | None, wanted: str, met: bool, where: str) -> None:
        self.write(kind="bar", name=name, found=found, wanted=wanted, met=met, where=where)
        shown = "" if found is None else f" {found:.4g}"
        print(f"{'met   ' if met else 'MISSED'} {name}:{shown} ({wanted}) {where}", flush=True)


# ---------------------------------------------------------------- machines


@dataclass
class Timed:
    """Medians, in microseconds: on the device, to queue; how long the device was kept waiting meanwhile."""

    us: float
    queue_us: float
    wait_us: float
    rounds: int

    @property
    def is_late(self) -> bool:
        """The device had to wait for the processor, so that this is no time of the device alone."""
        return self.queue_us > self.wait_us


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
            wide = torch.zeros(array.shape[0], array.shape[1] + row_gap, dtype=host.dtype, device="cuda")
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

    def times(
        self, calls: dict[str, Callable[[], Any]], *, rounds: int, seconds: float, cold: bool
    ) -> dict[str, Timed]:
        """Each call interleaved with the others, for so many rounds or seconds."""
        torch = self.torch
        found: dict[str, list[tuple[Any, Any, Any, float]]] = {name: [] for name in calls}
        for call in calls.values():
            for _ in range(3):
                call()
        torch.cuda.synchronize()
        began = time.monotonic()
        for n in range(rounds):
            if n >= 5 and time.monotonic() - began > seconds:
                break
            for name, call in calls.items():
                if cold:
                    self.clear_caches()
                asleep, begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(3))
                asleep.record()
                torch.cuda._sleep(WAIT_CYCLES)  # the device waits until everything is queued
                begin.record()
                start = time.perf_counter()
                call()
                queued = time.perf_counter() - start
                end.record()
                found[name].append((asleep, begin, end, queued))
            torch.cuda.synchronize()
        return {
            name: Timed(
                statistics.median(1e3 * begin.elapsed_time(end) for _, begin, end, _ in runs),
                statistics.median(1e6 * queued for _, _, _, queued in runs),
                statistics.median(1e3 * asleep.elapsed_time(begin) for asleep, begin, _, _ in runs),
                len(runs),
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

    def times(
        self, calls: dict[str, Callable[[], Any]], *, rounds: int, seconds: float, cold: bool
    ) -> dict[str, Timed]:
        found: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(2):
            for name, call in calls.items():
                start = time.perf_counter()
                call()
                self.gpu.flush()
                found[name].append(1e6 * (time.perf_counter() - start))
        return {name: Timed(statistics.median(runs), 0.0, 0.0, len(runs)) for name, runs in found.items()}


# ---------------------------------------------------------------- table


def contenders(machine: Any, kind: str, logits: Any, masks: Any, batch: Any, out: Any) -> dict[str, Callable[[], Any]]:
    """Ways to do the same, those that are installed."""
    calls: dict[str, Callable[[], Any]] = {"agentrt": lambda: cuda.sample(logits, masks, batch, out)}
    if machine.is_fake:
        return calls
    torch = machine.torch
    n_bytes = logits.numel() * logits.element_size() + masks.numel() * 4
    source = torch.zeros(n_bytes, dtype=torch.uint8, device="cuda")
    target = torch.zeros_like(source)
    calls["copy"] = lambda: target.copy_(source)
    params, own = KINDS[kind], logits.clone()

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
            apply_token_bitmask_inplace(own, masks)
            return torch_sample(own)

        calls["xgrammar + torch"] = xgrammar_torch
    except ImportError:

        def masks_torch() -> Any:
            cuda.apply_masks(own, masks)
            return torch_sample(own)

        calls["agentrt masks + torch"] = masks_torch
    try:
        from flashinfer import sampling
    except ImportError:
        return calls
    if kind == "top-p":

        def masks_flashinfer() -> Any:
            cuda.apply_masks(own, masks)
            p = sampling.softmax(own, temperature=params.temperature)
            return sampling.top_p_sampling_from_probs(p, params.top_p)

        calls["agentrt masks + flashinfer"] = masks_flashinfer
    return calls


def working(calls: dict[str, Callable[[], Any]]) -> dict[str, Callable[[], Any]]:
    """Those that run here; another project's failure is its own."""
    good = {}
    for name, call in calls.items():
        try:
            call()
        except Exception as error:
            if name == "agentrt":
                raise
            print(f"{name} does not run: {type(error).__name__}: {error}", flush=True)
        else:
            good[name] = call
    return good


def table(machine: Any, run: Run) -> None:
    rng = np.random.default_rng(5)
    rows: list[dict[str, Any]] = []
    shapes = QUICK_SHAPES if run.quick or run.fake else SHAPES
    each = run.seconds / (len(shapes) * len(DTYPES) * len(KINDS) * 2)
    print(f"# {machine.name}\n")
    print("| batch | vocabulary | type | kind | cache | contender: us on the device (us to queue), GB/s |")
    print("|---:|---:|---|---|---|---|")
    for i, (n, vocab) in enumerate(shapes):
        if i and run.left <= 0:
            print(f"{len(shapes) - i} shapes were left out for want of time")
            break
        words = rng.integers(-(2**31), 2**31, (n, (vocab + 31) // 32), dtype=np.int64).astype(np.int32)
        masks = machine.put(words)
        out = (machine.put(np.zeros(n, np.int64)), machine.put(np.zeros(n, np.float32)))
        x = 3 * rng.standard_normal((n, vocab), np.float32)
        for dtype in DTYPES:
            logits = machine.put(x, dtype=dtype)
            n_bytes = x.size * (2 if dtype == "bfloat16" else 4) + words.nbytes
            for kind, params in KINDS.items():
                batch = prepare(params, rows=n, vocab=vocab)
                calls = working(contenders(machine, kind, logits, masks, batch, out))
                for cache in ("warm", "cold"):
                    found = machine.times(calls, rounds=40, seconds=each, cold=cache == "cold")
                    row = {
                        "kind": "row", "batch": n, "vocab": vocab, "dtype": dtype, "sampling": kind, "cache": cache,
                        "bytes": n_bytes, "us": {name: t.us for name, t in found.items()},
                        "queue_us": {name: t.queue_us for name, t in found.items()},
                        "late": [name for name, t in found.items() if t.is_late], "rounds": found["agentrt"].rounds,
                    }  # fmt: skip
                    rows.append(row)
                    run.write(**row)
                    print(f"| {n} | {vocab} | {dtype} | {kind} | {cache} | {describe(row)} |", flush=True)
    for bar in table_bars(rows):
        run.bar(*bar)
    if run.plot:
        plot(rows, run.plot)


def bandwidth(row: dict[str, Any], name: str) -> float:
    """GB/s: one read of logits and masks; of a copy, bytes read and written."""
    return float(row["bytes"] * (2 if name == "copy" else 1) / row["us"][name] / 1e3)


def describe(row: dict[str, Any]) -> str:
    return "; ".join(
        f"{name}: {us:.1f} ({row['queue_us'][name]:.1f}{'!' * (name in row['late'])}), {bandwidth(row, name):.0f}"
        for name, us in row["us"].items()
    )


def table_bars(rows: list[dict[str, Any]]) -> list[tuple[str, float, str, bool, str]]:
    """Name, what was found, what is wanted, whether that is met, and where."""
    bars = []
    for row in rows:
        where = f"{row['batch']} x {row['vocab']} {row['dtype']} {row['sampling']} {row['cache']}"
        ours, others = row["us"]["agentrt"], {k: v for k, v in row["us"].items() if k not in ("agentrt", "copy")}
        if (row["batch"], row["vocab"]) == (512, 128_256):
            share = bandwidth(row, "agentrt") / bandwidth(row, "copy")
            wanted = f">= {BANDWIDTH_SHARE}"
            bars.append(("share of the copy's bandwidth", share, wanted, share >= BANDWIDTH_SHARE, where))
            if "xgrammar + torch" in others:
                times = others["xgrammar + torch"] / ours
                bars.append(("times xgrammar + torch", times, f">= {TIMES_FASTER}", times >= TIMES_FASTER, where))
        if row["batch"] == 1 and others:
            best = min(others, key=lambda name: others[name])
            share = ours / others[best]
            bars.append(("batch 1, part of the fastest other's time", share, "<= 1", share <= 1, f"{where}, {best}"))
    return bars


def plot(rows: list[dict[str, Any]], file: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    kinds, vocabs = sorted({r["sampling"] for r in rows}), sorted({r["vocab"] for r in rows})
    figure, axes = plt.subplots(len(kinds), len(vocabs), figsize=(5 * len(vocabs), 4 * len(kinds)), squeeze=False)
    for i, kind in enumerate(kinds):
        for j, vocab in enumerate(vocabs):
            wanted = (kind, vocab, "cold", "bfloat16")
            some = [r for r in rows if (r["sampling"], r["vocab"], r["cache"], r["dtype"]) == wanted]
            for name in sorted({name for r in some for name in r["us"]}):
                points = sorted((r["batch"], r["us"][name]) for r in some if name in r["us"])
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


@dataclass
class Cases:
    """Rows of one call, by chance."""

    x: np.ndarray
    allowed: np.ndarray
    params: list[dict[str, Any]]
    dtype: str
    row_gap: int
    pinned: bool
    seeds: list[int]
    step: int


def make_cases(seed: int, number: int) -> Cases:
    """The same for the same numbers, so that processes need not send them to each other."""
    rng = np.random.default_rng((seed, number))
    n = int(rng.integers(1, 257))
    vocab = int(rng.choice([rng.integers(1, 70), rng.integers(70, 1100), rng.integers(1100, 5000)]))
    dtype = str(rng.choice(["float32", "float16", "bfloat16"]))
    x = rng.choice([0.0, 0.5, 3.0, 20.0]).astype(np.float32) * rng.standard_normal((n, vocab), np.float32)
    if rng.random() < 0.3:
        x = np.round(x)  # ties
    x[rng.random((n, vocab), np.float32) < rng.choice([0.0, 0.0, 0.5])] = -np.inf
    params = [
        {
            "temperature": float(np.float32(rng.choice([0.0, 0.3, 1.0, 2.5]))),
            "top_k": int(rng.choice([0, 0, 1, 3, 50])),
            "top_p": float(np.float32(rng.choice([1.0, 1.0, 0.95, 0.5, 0.01]))),
            "min_p": float(np.float32(rng.choice([0.0, 0.0, 0.05, 0.9]))),
        }
        for _ in range(n)
    ]
    return Cases(
        x=as_stored(x, dtype),
        allowed=rng.random((n, vocab), np.float32) < rng.choice([0.01, 0.5, 1.0], (n, 1)),
        params=params,
        dtype=dtype,
        row_gap=int(rng.choice([0, 0, 1, 8])),
        pinned=bool(rng.random() < 0.2),
        seeds=rng.integers(0, 2**63, n).tolist(),
        step=int(rng.integers(0, 1000)),
    )


def sample_cases(machine: Any, c: Cases) -> tuple[np.ndarray, np.ndarray]:
    padded = np.pad(c.allowed, ((0, 0), (0, -c.allowed.shape[1] % 32)))
    words = np.packbits(padded, axis=1, bitorder="little").view(np.int32)
    columns = {name: tuple(one[name] for one in c.params) for name in c.params[0]}
    params = SampleParams(**columns, seed=tuple(c.seeds), step=c.step)
    logits, masks = machine.put(c.x, dtype=c.dtype, row_gap=c.row_gap), machine.put(words, pinned=c.pinned)
    result = cuda.sample(logits, masks, params)  # the masks live until the results are here
    return machine.get(result.ids), machine.get(result.logprobs)


def count_wrong(seed: int, number: int, ids: np.ndarray, logprobs: np.ndarray) -> int:
    c = make_cases(seed, number)
    return sum(
        not right(x, allowed, p, int(token), float(logprob))
        for x, allowed, p, token, logprob in zip(c.x, c.allowed, c.params, ids, logprobs, strict=True)
    )


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


def random_cases(machine: Any, run: Run, n_cases: int) -> None:
    done = wrong = number = 0
    under_way: deque[Future[int]] = deque()
    n_workers = max(1, (os.cpu_count() or 2) - 1)
    with ProcessPoolExecutor(n_workers, mp_context=multiprocessing.get_context("spawn")) as workers:
        while done < n_cases and (run.left > 0 or not number):
            ids, logprobs = sample_cases(machine, make_cases(run.seed, number))
            under_way.append(workers.submit(count_wrong, run.seed, number, ids, logprobs))
            done, number = done + len(ids), number + 1
            while len(under_way) > 4 * n_workers:
                wrong += under_way.popleft().result()
        wrong += sum(one.result() for one in under_way)
    n, vocab = 512, 64
    x, counts = machine.put(np.zeros((n, vocab), np.float32)), np.zeros(vocab)
    batch = prepare(SampleParams(temperature=1.0, seed=run.seed), rows=n, vocab=vocab)
    for _ in range(20):
        counts += np.bincount(machine.get(cuda.sample(x, None, batch).ids), minlength=vocab)
    mean = counts.mean()
    z = (float(((counts - mean) ** 2 / mean).sum()) - (vocab - 1)) / (2 * (vocab - 1)) ** 0.5
    where = f"{done} cases, {run.seconds - run.left:.0f} s"
    run.bar("random cases, wrong", wrong, "0", wrong == 0, where)
    run.bar("uniform draws, deviation", abs(z), "<= 5", abs(z) <= 5, "20 x 512 rows of 64 tokens")


def sanitizer(run: Run, n_cases: int) -> None:
    tool = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    if not Path(tool).exists():
        run.bar("compute-sanitizer", None, "clean", False, "it is not installed")
        return
    checks = ("memcheck", "racecheck", "initcheck")
    for i, check in enumerate(checks):
        seconds = run.left / (len(checks) - i)
        command = [tool, "--tool", check, "--error-exitcode", "99", "--target-processes", "application-only"]
        if check != "initcheck":  # which has to see everybody's writes
            command += ["--kernel-name", "kns=art_"]
        command += [sys.executable, __file__, "random", "--seconds", str(0.6 * seconds), "--seed", str(run.seed + i)]
        command += ["--cases", str(n_cases), *["--fake"] * run.fake]
        env = {**os.environ, "PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}  # so that ends of tensors are ends of memory
        output, status = run_bounded(command, seconds, env)
        lines = [line.strip("= ") for line in output.splitlines() if "SUMMARY" in line or "random cases" in line]
        run.bar(f"compute-sanitizer {check}", None, "clean", status == 0, "; ".join(lines) or output[-400:])


def run_bounded(command: list[str], seconds: float, env: dict[str, str] | None = None) -> tuple[str, int]:
    """What it wrote and its exit status; 124 when its time was over."""
    try:
        done = subprocess.run(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as late:
        shown = late.stdout.decode(errors="replace") if isinstance(late.stdout, bytes) else late.stdout or ""
        return f"{shown}\nstopped after {seconds:.0f} s", 124
    return done.stdout, done.returncode


def examples(run: Run) -> None:
    for name in ("torch_decode_loop.py", "hf_generate.py"):
        output, status = run_bounded([sys.executable, str(ROOT / "examples" / name)], run.left / 2)
        print(output)
        on_gpu = status == 0 and "on cuda" in output
        run.bar(f"examples/{name}", None, "runs on the GPU", on_gpu, " ".join(output.splitlines()[-1:])[-300:])


# ---------------------------------------------------------------- the loop


def loop(machine: Any, run: Run) -> None:
    """Step times of the example's loop over a larger model, with and without constraints."""
    torch = machine.torch
    for folder in (ROOT / "examples", ROOT / "benches"):
        sys.path.insert(0, str(folder))
    from bench_masks import SCHEMA, VOCAB
    from torch_decode_loop import GpuLoop, TinyModel

    from agentrt import Constraint

    n, width, depth = (4, 32, 1) if run.quick else (64, 4096, 24)
    vocab = VOCAB

    class Model(TinyModel):
        """With as many layers as it takes for a few milliseconds."""

        def __init__(self) -> None:
            super().__init__(len(vocab), width)
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

        def fill(self) -> None:
            pass

    def step_ms(one: Any, steps: int) -> float:
        begin = time.perf_counter()
        for _ in range(steps):
            one.start_choose()
            one.start_forward()
            one.wait_for_tokens()
            for matcher, token in zip(one.matchers, one.tokens.tolist(), strict=True):
                if matcher is None:
                    continue
                if not matcher.accept(token):
                    raise RuntimeError(f"{token} is no token that may come next")
                if matcher.is_ended:
                    matcher.reset()
            one.fill()
        one.close()
        return 1e3 * (time.perf_counter() - begin) / steps

    device = torch.device("cuda", 0)
    torch.manual_seed(3)
    with device:  # where billions of random weights are made at once
        model = Model().requires_grad_(False)
    constraint = Constraint(SCHEMA, vocab)
    held = GpuLoop(model, [constraint.matcher() for _ in range(n)], len(vocab), device)
    free = Free(model, [None] * n, len(vocab), device)
    steps = 3 if run.quick else 50
    for one in (held, free):
        one.start_forward()
        one.fill()
        step_ms(one, steps)
    times: dict[str, list[float]] = {"free": [], "constrained": []}
    while len(times["free"]) < 3 or (len(times["free"]) < 25 and run.left > 0 and not run.quick):
        times["constrained"].append(step_ms(held, steps))
        times["free"].append(step_ms(free, steps))
    medians = {name: statistics.median(runs) for name, runs in times.items()}
    run.write(kind="loop", batch=n, vocab=len(vocab), ms=times)
    more = medians["constrained"] / medians["free"] - 1
    where = f"{medians['free']:.3f} ms a step free, {medians['constrained']:.3f} ms constrained"
    run.bar("a constrained step takes longer by", more, f"< {LOOP_SHARE}", more < LOOP_SHARE, where)


# ---------------------------------------------------------------- all of it


def run_part(part: str, run: Run, n_cases: int) -> None:
    if part == "sanitizer":
        sanitizer(run, n_cases)
    elif part == "examples":
        examples(run)
    else:
        machine = FakeMachine() if run.fake else TorchMachine()
        if part == "table":
            table(machine, run)
        elif part == "loop":
            loop(machine, run)
        else:
            random_cases(machine, run, min(n_cases, 5000) if part == "smoke" else n_cases)


def run_all(run: Run, options: list[str]) -> None:
    """Each part in a process of its own; then the bars, and what became of the parts."""
    run.write(kind="about", machine=platform.node(), python=platform.python_version(), began=time.time())
    parts = {name: share for name, share in SHARES.items() if not run.fake or name in ("smoke", "table", "random")}
    share_left = sum(parts.values())
    for part, share in parts.items():
        seconds = max(5.0, run.left * share / share_left)  # what earlier parts did not use goes to later ones
        share_left -= share
        print(f"\n== {part}, {seconds:.0f} s", flush=True)
        began = time.monotonic()
        # A part stops by itself; what it needs to start and to finish its last step is taken off before.
        command = [sys.executable, __file__, part, "--seconds", str(max(1.0, seconds - 15)), *options]
        output, status = run_bounded(command, seconds + 20)
        print(output, flush=True)
        run.write(
            kind="part", name=part, status=status, seconds=time.monotonic() - began,
            end="" if status in (0, MISSED) else output[-2000:],
        )  # fmt: skip


def summary(lines: list[dict[str, Any]]) -> str:
    """The worst of each bar, and the parts that did not come to their end."""
    rows = ["| bar | wanted | worst found | met | where |", "|---|---|---:|---|---|"]
    bars = [line for line in lines if line["kind"] == "bar"]
    for name in dict.fromkeys(bar["name"] for bar in bars):
        some = [bar for bar in bars if bar["name"] == name]
        low_is_bad = some[0]["wanted"].startswith(">")
        worst = sorted(some, key=lambda bar: (bar["met"], (bar["found"] or 0.0) * (1 if low_is_bad else -1)))[0]
        found = "" if worst["found"] is None else f"{worst['found']:.4g}"
        met = f"{sum(bar['met'] for bar in some)} of {len(some)}"
        rows.append(f"| {name} | {worst['wanted']} | {found} | {met} | {worst['where']} |")
    failed = [line for line in lines if line["kind"] == "part" and line["status"] not in (0, MISSED)]
    rows += [f"part {line['name']} ended with status {line['status']}: {line['end'][-300:]}" for line in failed]
    return "\n".join(rows)


def all_met(lines: list[dict[str, Any]]) -> bool:
    parts_ended = all(line["status"] in (0, MISSED) for line in lines if line["kind"] == "part")
    return parts_ended and all(line["met"] for line in lines if line["kind"] == "bar")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["all", *SHARES])
    parser.add_argument("--seconds", type=float, default=540.0)
    parser.add_argument("--cases", type=int, default=1_000_000, help="of `random`, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", help="append results there, a line of JSON each")
    parser.add_argument("--plot", help="draw the table there (needs matplotlib)")
    parser.add_argument("--quick", action="store_true", help="small shapes and models")
    parser.add_argument("--fake", action="store_true", help="use the stand-in for the driver")
    args = parser.parse_args()
    if args.part != "all":
        run = Run(args.seconds, args.out, args.seed, args.quick, args.fake, args.plot)
        run_part(args.part, run, args.cases)
        return 0 if all_met(run.lines) else MISSED
    out = Path(args.out or "bench_cuda.jsonl")
    first = len(out.read_text(encoding="utf-8").splitlines()) if out.exists() else 0
    options = ["--out", str(out), "--seed", str(args.seed), "--cases", str(args.cases)]
    options += ["--quick"] * args.quick + ["--fake"] * args.fake + (["--plot", args.plot] if args.plot else [])
    run_all(Run(args.seconds, str(out), args.seed, args.quick, args.fake, args.plot), options)
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()[first:]]
    print(f"\n{summary(lines)}\n\nall results: {out}")
    return 0 if all_met(lines) else MISSED


if __name__ == "__main__":
    sys.exit(main())
