"""agentrt.cuda without a GPU: a stand-in for the driver keeps CUDA's rules and runs the kernels on the processor."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

np = pytest.importorskip("numpy")
fake = pytest.importorskip("_fake_cuda", reason="tests/unit is not importable")

from agentrt import _kernels, cuda  # noqa: E402
from agentrt.cuda import SampleParams, prepare, sample  # noqa: E402
from agentrt.errors import ArgumentError, DeviceError, LimitExceeded, OutOfMemory, StateError  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the stand-in is built for Linux")

STREAM = 0x5000  # any number is a stream


@pytest.fixture(scope="module")
def built() -> tuple[Path, Path]:
    return fake.build(ROOT / "build" / "fake_cuda")


@pytest.fixture
def gpu(built: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A fresh module state over the stand-in; afterwards no rule may have been broken."""
    for name, value in fake.environment(*built, tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(cuda, "_driver", None)
    found = fake.FakeGpu(*built)
    before = found.violations()
    yield found
    found.flush()
    assert found.violations() == before
    assert found.lib.fake_depth() == 0
    assert fake.n_lent() == 0, "a tensor was not given back"


def masks_of(rows: list[list[int]], vocab: int) -> np.ndarray:
    words = np.zeros((len(rows), (vocab + 31) // 32), np.uint32)
    for i, tokens in enumerate(rows):
        for token in tokens:
            words[i, token // 32] |= np.uint32(1 << token % 32)
    return words.view(np.int32)


def random_logits(rows: int, vocab: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3, (rows, vocab)).astype(np.float32)


def log_softmax(x: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    y = (x.astype(np.float64) - x.max()) / temperature
    return y - np.log(np.exp(y).sum())


# ---------------------------------------------------------------- choosing


def test_greedy_takes_the_first_by_rank_of_what_is_allowed(gpu: Any) -> None:
    x = random_logits(3, 100)
    x[1, [40, 70]] = 50.0  # a tie goes to the smaller id
    allowed = [list(range(0, 100, 3)), [70, 40, 2], [99]]
    result = sample(fake.Tensor(gpu, x), fake.Tensor(gpu, masks_of(allowed, 100)))
    gpu.flush()
    expected = [max(tokens, key=lambda i, row=row: (x[row, i], -i)) for row, tokens in enumerate(allowed)]
    assert fake.result_array(result.ids).tolist() == expected
    np.testing.assert_allclose(
        fake.result_array(result.logprobs), [log_softmax(x[i])[t] for i, t in enumerate(expected)], rtol=2e-5
    )


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("lend", ["dlpack", "old dlpack", "interface"])
def test_types_and_protocols(gpu: Any, dtype: str, lend: str) -> None:
    x = random_logits(4, 77)
    if dtype == "bfloat16":
        if lend == "interface":
            pytest.skip("the array interface has no bfloat16")
        raw = (x.view(np.uint32) >> 16).astype(np.uint16)
        x = (raw.astype(np.uint32) << 16).view(np.float32)
        tensor = fake.Tensor(gpu, raw, bfloat16=True, versioned=lend == "dlpack", row_gap=3)
    else:
        raw = x.astype(dtype)
        x = raw.astype(np.float32)
        tensor = fake.Tensor(gpu, raw, versioned=lend == "dlpack", row_gap=3)
    masks = fake.Tensor(gpu, masks_of([[1, 5, 76]] * 4, 77), versioned=lend == "dlpack")
    lent: Any = (tensor, masks)
    if lend == "interface":
        lent = (fake.InterfaceTensor(tensor), fake.InterfaceTensor(masks))
    result = sample(*lent)
    gpu.flush()
    assert fake.result_array(result.ids).tolist() == [max((1, 5, 76), key=lambda i, r=r: x[r, i]) for r in range(4)]


def test_drawing_follows_the_definition(gpu: Any) -> None:
    """Chi-square of 4,000 draws a row against the distribution that docs/sampling.md defines."""
    vocab, n = 50, 4000
    x = random_logits(1, vocab, seed=3)
    allowed = [i for i in range(vocab) if i % 2]
    p = np.exp(x[0].astype(np.float64) / 0.8)
    order = np.argsort(-x[0], kind="stable")
    kept = order[: int(np.searchsorted(np.cumsum(p[order]), 0.9 * p.sum())) + 1]
    both = [i for i in allowed if i in kept]
    expected = p[both] / p[both].sum() * n
    tensor = fake.Tensor(gpu, np.repeat(x, n // 4, 0))
    masks = fake.Tensor(gpu, masks_of([allowed], vocab))
    rows = fake.Tensor(gpu, np.zeros(n // 4, np.int32))
    batch = prepare(SampleParams(temperature=0.8, top_p=0.9, seed=11), rows=n // 4, vocab=vocab)
    drawn: list[int] = []
    for _ in range(4):
        result = sample(tensor, masks, batch, mask_rows=rows)
        gpu.flush()
        drawn += fake.result_array(result.ids).tolist()
    assert set(drawn) <= set(both)
    counts = np.array([drawn.count(i) for i in both])
    big = expected > 5
    chi2 = float(((counts - expected)[big] ** 2 / expected[big]).sum())
    df = int(big.sum())
    assert chi2 < df + 5 * (2 * df) ** 0.5


def test_seed_and_step_decide_whatever_the_batch(gpu: Any) -> None:
    x = random_logits(8, 300)
    tensor = fake.Tensor(gpu, x)
    params = SampleParams(temperature=1.0, seed=tuple(range(8)), step=5)
    one, two = sample(tensor, None, params), sample(tensor, None, params)
    alone = fake.Tensor(gpu, x[6:7])
    third = sample(alone, None, SampleParams(temperature=1.0, seed=6, step=5))
    later = sample(tensor, None, SampleParams(temperature=1.0, seed=tuple(range(8)), step=6))
    gpu.flush()
    ids = fake.result_array(one.ids).tolist()
    assert ids == fake.result_array(two.ids).tolist()
    assert ids[6] == fake.result_array(third.ids)[0]
    assert ids != fake.result_array(later.ids).tolist()


def test_one_seed_gives_each_row_its_own(gpu: Any) -> None:
    x = np.zeros((64, 1000), np.float32)
    result = sample(fake.Tensor(gpu, x), None, SampleParams(temperature=1.0, seed=4))
    gpu.flush()
    assert len(set(fake.result_array(result.ids).tolist())) > 50


def test_a_batch_moves_on_by_itself(gpu: Any) -> None:
    x = random_logits(5, 200)
    tensor = fake.Tensor(gpu, x)
    batch = prepare(SampleParams(temperature=1.0, seed=9, step=3), rows=5, vocab=200)
    moved = [sample(tensor, None, batch) for _ in range(3)]
    pure = [sample(tensor, None, SampleParams(temperature=1.0, seed=9, step=3 + i)) for i in range(3)]
    gpu.flush()
    for one, other in zip(moved, pure, strict=True):
        assert fake.result_array(one.ids).tolist() == fake.result_array(other.ids).tolist()
    assert fake.result_array(batch.steps).tolist() == [6] * 5


def test_rows_are_replaced_in_a_running_batch(gpu: Any) -> None:
    x = random_logits(40, 100)
    tensor = fake.Tensor(gpu, x)
    batch = prepare(SampleParams(temperature=1.0, seed=1), rows=40, vocab=100)
    sample(tensor, None, batch)
    waits = gpu.count("cuCtxSynchronize"), gpu.count("cuMemAlloc")
    batch.set(SampleParams(temperature=0.0), first=35, rows=2)
    result = sample(tensor, None, batch)
    assert waits == (gpu.count("cuCtxSynchronize"), gpu.count("cuMemAlloc"))
    gpu.flush()
    assert fake.result_array(result.ids)[35:37].tolist() == x[35:37].argmax(1).tolist()
    assert fake.result_array(batch.steps).tolist() == [2] * 35 + [1] * 2 + [2] * 3
    with pytest.raises(ArgumentError, match=r"rows 39 \.\. 41 of a batch of 40"):
        batch.set(SampleParams(), first=39, rows=2)


def test_bias_and_penalties(gpu: Any) -> None:
    x = np.zeros((3, 10), np.float32)
    x[:, 4], x[:, 7] = 2.0, 1.9
    tensor = fake.Tensor(gpu, x)
    banned = sample(tensor, None, SampleParams(logit_bias=({4: -np.inf}, None, {2: 5.0})))
    penal = sample(tensor, None, SampleParams(repetition_penalty=1.5, history=([4], [], [4, 7, 7])))
    gpu.flush()
    assert fake.result_array(banned.ids).tolist() == [7, 4, 2]
    assert fake.result_array(penal.ids).tolist() == [7, 4, 4]
    batch = prepare(SampleParams(frequency_penalty=0.15, history=([], [], [])), rows=3, vocab=10)
    seen = []
    for _ in range(4):  # what was chosen counts from the next step on
        result = sample(tensor, None, batch)
        gpu.flush()
        seen.append(int(fake.result_array(result.ids)[0]))
    assert seen == [4, 7, 4, 7]


def test_rows_without_a_token(gpu: Any) -> None:
    x = random_logits(4, 64)
    x[1, 3] = np.nan
    x[3] = -np.inf
    rows = fake.Tensor(gpu, np.array([0, 1, 9, -1], np.int32))
    masks = fake.Tensor(gpu, masks_of([[], [5]], 64))
    result = sample(fake.Tensor(gpu, x), masks, mask_rows=rows)
    gpu.flush()
    assert fake.result_array(result.ids).tolist() == [cuda.EMPTY, cuda.NAN, cuda.INVALID, cuda.EMPTY]
    assert np.isnan(fake.result_array(result.logprobs)).all()


def test_apply_masks(gpu: Any) -> None:
    for dtype in (np.float32, np.float16):
        x = random_logits(3, 70).astype(dtype)
        tensor = fake.Tensor(gpu, x, row_gap=5)
        tensor.whole[:, 70:] = 7
        rows = fake.Tensor(gpu, np.array([1, -1, 0], np.int32))
        cuda.apply_masks(tensor, fake.Tensor(gpu, masks_of([[0, 69], [33]], 70)), mask_rows=rows)
        gpu.flush()
        kept = [[33], list(range(70)), [0, 69]]
        for i in range(3):
            assert np.flatnonzero(tensor.array[i] != -np.inf).tolist() == kept[i]
            np.testing.assert_array_equal(tensor.array[i][kept[i]], x[i][kept[i]])
        assert (tensor.whole[:, 70:] == 7).all()


# ---------------------------------------------------------------- where masks are


def test_masks_in_pinned_memory_are_copied_on_the_stream(gpu: Any) -> None:
    x = random_logits(6, 96)
    masks = fake.Tensor(gpu, masks_of([[i] for i in range(6)], 96), pinned=True)
    rows = fake.Tensor(gpu, np.array([3, -1, 4, -1, -1, 0], np.int32), pinned=True)
    before = gpu.count("cuMemcpyAsync")
    result = sample(fake.Tensor(gpu, x), masks, mask_rows=rows)
    assert gpu.count("cuMemcpyAsync") - before == 2, "row 0, and rows 3 and 4 together"
    gpu.flush()
    best = x.argmax(1)
    assert fake.result_array(result.ids).tolist() == [3, best[1], 4, best[3], best[4], 0]
    masks.array[...] = masks_of([[50]] * 6, 96)
    result = sample(fake.Tensor(gpu, x), masks)
    cuda.apply_masks(other := fake.Tensor(gpu, x), masks)
    gpu.flush()
    assert fake.result_array(result.ids).tolist() == [50] * 6
    assert (np.isfinite(other.array).sum(1) == 1).all()


def test_nothing_is_copied_waited_for_or_allocated_once_it_runs(gpu: Any) -> None:
    x = fake.Tensor(gpu, random_logits(4, 500))
    masks = fake.Tensor(gpu, masks_of([[1, 2, 3]] * 4, 500))
    params = SampleParams(temperature=0.7, top_p=0.95, seed=3)
    batch = prepare(params, rows=4, vocab=500)
    for step in range(2):
        sample(x, masks, batch)
        sample(x, masks, SampleParams(temperature=0.7, top_p=0.95, seed=3, step=step))
    calls = ("cuMemAlloc", "cuMemFree", "cuMemcpyHtoD", "cuMemcpyAsync", "cuCtxSynchronize", "cuStreamSynchronize")
    before, launches = [gpu.count(name) for name in calls], gpu.count("cuLaunchKernel")
    for step in range(2, 12):
        sample(x, masks, batch)
        sample(x, masks, SampleParams(temperature=0.7, top_p=0.95, seed=3, step=step))
    assert [gpu.count(name) for name in calls] == before
    assert gpu.count("cuLaunchKernel") - launches == 20


# ---------------------------------------------------------------- captured graphs


def test_a_captured_step_is_replayed_with_new_logits_masks_and_numbers(gpu: Any) -> None:
    x = fake.Tensor(gpu, random_logits(3, 128))
    masks = fake.Tensor(gpu, masks_of([list(range(128))] * 3, 128), pinned=True)
    ids, logprobs = fake.Tensor(gpu, np.zeros(3, np.int64)), fake.Tensor(gpu, np.zeros(3, np.float32))
    batch = prepare(SampleParams(temperature=1.0, seed=5), rows=3, vocab=128)
    sample(x, masks, batch, (ids, logprobs), STREAM)  # makes room for the masks
    gpu.flush()
    gpu.lib.fake_capture_begin(STREAM)
    sample(x, masks, batch, (ids, logprobs), STREAM)
    graph = gpu.lib.fake_capture_end()
    assert gpu.lib.fake_graph_size(graph) == 2, "a copy and a kernel"
    for step in range(1, 6):
        x.array[...] = random_logits(3, 128, seed=step)
        allowed = [list(range(i, 128, step + 1)) for i in range(3)]
        masks.array[...] = masks_of(allowed, 128)
        gpu.lib.fake_graph_launch(graph)
        got = ids.array.tolist()
        assert all(token in tokens for token, tokens in zip(got, allowed, strict=True))
        pure = sample(x, masks, SampleParams(temperature=1.0, seed=5, step=step))
        gpu.flush()
        assert fake.result_array(pure.ids).tolist() == got
    assert fake.result_array(batch.steps).tolist() == [6] * 3


def test_kernels_are_not_loaded_while_a_graph_is_captured(gpu: Any) -> None:
    x, half = fake.Tensor(gpu, random_logits(2, 64)), fake.Tensor(gpu, random_logits(2, 64).astype(np.float16))
    masks = fake.Tensor(gpu, masks_of([[1]] * 2, 64))
    out = fake.Tensor(gpu, np.zeros(2, np.int32)), fake.Tensor(gpu, np.zeros(2, np.float32))
    batch = prepare(rows=2, vocab=64)
    sample(x, masks, batch, out, STREAM)
    own = gpu.lib.fake_context_new(0)
    before = gpu.compiles(), gpu.count("cuModuleLoadData")
    gpu.flush()
    gpu.lib.fake_capture_begin(STREAM)
    try:
        with pytest.raises(StateError, match=r"for float16 logits are not loaded yet.*call once before"):
            sample(half, masks, batch, out, STREAM)
        with pytest.raises(StateError, match=r"for masks are not loaded yet.*call once before"):
            cuda.apply_masks(x, masks, stream=STREAM)
        gpu.push(own)
        try:
            with pytest.raises(
                StateError, match=r"for float32 logits are not loaded in this context.*call once before"
            ):
                sample(x, masks, batch, out, STREAM)
        finally:
            gpu.pop()
        assert (gpu.compiles(), gpu.count("cuModuleLoadData")) == before
        sample(x, masks, batch, out, STREAM)  # and nothing is lost
    finally:
        graph = gpu.lib.fake_capture_end()
    assert gpu.lib.fake_graph_size(graph) == 1
    sample(half, masks, batch, out, STREAM)


def test_what_can_not_be_captured_says_so(gpu: Any) -> None:
    x = fake.Tensor(gpu, random_logits(2, 64))
    masks = fake.Tensor(gpu, masks_of([[1]] * 2, 64), pinned=True)
    out = fake.Tensor(gpu, np.zeros(2, np.int32)), fake.Tensor(gpu, np.zeros(2, np.float32))
    batch = prepare(rows=2, vocab=64, bias_max=1)
    sample(x)
    gpu.fail("cuMemAlloc", 900)  # the driver's word for a capture that another thread has begun
    with pytest.raises(StateError, match=r"not while a graph is captured: CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"):
        prepare(rows=5, vocab=64)
    gpu.lib.fake_capture_begin(STREAM)
    try:
        with pytest.raises(StateError, match="params have to be a Batch"):
            sample(x, None, SampleParams(temperature=1.0), out, STREAM)
        with pytest.raises(StateError, match="out is needed"):
            sample(x, None, batch, None, STREAM)
        with pytest.raises(StateError, match="call once before"):
            sample(x, masks, batch, out, STREAM)
        with pytest.raises(StateError, match="can not be set while a graph is captured"):
            batch.set(SampleParams(logit_bias={1: 2.0}), stream=STREAM)
        with pytest.raises(StateError, match="the default stream would join it"):
            sample(x, None, batch, out, 0)
        batch.set(SampleParams(temperature=0.5), stream=STREAM)
        sample(x, None, batch, out, STREAM)
    finally:
        gpu.lib.fake_capture_end()


# ---------------------------------------------------------------- streams and devices


class _Torch:
    """A stream as torch has it."""

    cuda_stream = STREAM


class _Cupy:
    ptr = STREAM


class _CudaPython:
    def __cuda_stream__(self) -> tuple[int, int]:
        return (0, STREAM)


def test_streams(gpu: Any) -> None:
    x = fake.Tensor(gpu, random_logits(2, 64))
    for stream in (STREAM, _Torch(), _Cupy(), _CudaPython()):
        result = sample(x, None, None, None, stream)
        assert x.streams[-1] == STREAM, "the producer is told, and waits for its own work there"
        assert result.ids.__cuda_array_interface__["stream"] == STREAM
    sample(x)
    assert x.streams[-1] == 1
    sample(x, stream=0)
    assert x.streams[-1] == 1
    about = fake.InterfaceTensor(x, stream=STREAM)
    assert sample(about).ids.__cuda_array_interface__["stream"] == STREAM
    before = gpu.count("cuStreamWaitEvent")
    sample(about, stream=0x6000)
    assert gpu.count("cuStreamWaitEvent") == before + 1
    for wrong in ("now", -1, True, 1.5):
        with pytest.raises(ArgumentError, match="stream"):
            sample(x, stream=wrong)


def stub(monkeypatch: pytest.MonkeyPatch, home: str, **functions: Any) -> type:
    """A module of this name, and tensors that seem to be its."""
    from types import ModuleType, SimpleNamespace

    module: Any = ModuleType(home)
    module.cuda = SimpleNamespace(**functions)
    monkeypatch.setitem(sys.modules, home, module)
    return type("Tensor", (fake.Tensor,), {"__module__": home})


def test_the_current_stream_of_torch_and_cupy(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    torch = {
        "current_stream": lambda device: SimpleNamespace(cuda_stream=0x7000 + device),
        "current_device": lambda: 1,
    }
    for home, functions in (("torch", torch), ("cupy", {"get_current_stream": lambda: SimpleNamespace(ptr=0x7001)})):
        x = stub(monkeypatch, home, **functions)(gpu, random_logits(2, 64), device=1)
        assert sample(x).ids.__cuda_array_interface__["stream"] == 0x7001
        assert x.streams == [-1], "it is on that stream already"
        sample(x, None, None, None, 0x7001)
        sample(x, None, None, None, 0x8000)
        assert x.streams == [-1, -1, 0x8000]


def test_torch_lends_only_from_its_current_device(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import contextmanager
    from types import SimpleNamespace

    current = [0]

    @contextmanager
    def device(which: int) -> Iterator[None]:
        before, current[0] = current[0], which
        yield
        current[0] = before

    kind = stub(
        monkeypatch,
        "torch",
        current_stream=lambda device: SimpleNamespace(cuda_stream=0),
        current_device=lambda: current[0],
        device=device,
    )
    lent_from: list[int] = []

    def lend(self: Any, **options: Any) -> Any:
        lent_from.append(current[0])
        return fake.Tensor.__dlpack__(self, **options)

    monkeypatch.setattr(kind, "__dlpack__", lend, raising=False)
    for where in (1, 0):
        sample(kind(gpu, random_logits(2, 64), device=where))
    assert lent_from == [1, 0]
    assert current == [0]


def test_devices(gpu: Any) -> None:
    assert [d.name for d in cuda.devices()] == ["Fake GPU 0", "Fake GPU 1"]
    assert cuda.devices()[1].capability == (9, 0)
    assert cuda.is_available()
    for device in (1, 0):
        x = random_logits(2, 64)
        result = sample(fake.Tensor(gpu, x, device=device))
        assert result.ids.device == device
        assert result.ids.__dlpack_device__() == (2, device)
        gpu.flush()
        assert fake.result_array(result.ids).tolist() == x.argmax(1).tolist()


def test_work_is_done_in_the_context_that_is_current(gpu: Any) -> None:
    x = random_logits(2, 64)
    tensor = fake.Tensor(gpu, x)
    sample(tensor)
    loads = gpu.count("cuModuleLoadData")
    own = gpu.lib.fake_context_new(0)
    gpu.push(own)
    try:
        pushes = gpu.count("cuCtxPushCurrent")
        result = sample(tensor)
        assert gpu.count("cuCtxPushCurrent") == pushes
    finally:
        gpu.pop()
    other = gpu.lib.fake_context_new(1)  # of another device: not used
    gpu.push(other)
    try:
        sample(tensor)
    finally:
        gpu.pop()
    assert gpu.count("cuModuleLoadData") == loads + 1
    gpu.flush()
    assert fake.result_array(result.ids).tolist() == x.argmax(1).tolist()


def test_threads(gpu: Any) -> None:
    """Several threads with batches and streams of their own, and one batch that all of them share."""
    vocab, rounds = 256, 30
    shared = prepare(SampleParams(temperature=1.0, seed=2), rows=4, vocab=vocab)
    x = random_logits(4, vocab)
    found: dict[int, list[list[int]]] = {}
    failures: list[BaseException] = []

    def work(k: int) -> None:
        try:
            tensor = fake.Tensor(gpu, x)
            out = []
            for step in range(rounds):
                out.append(sample(tensor, None, SampleParams(temperature=1.0, seed=k, step=step), None, 0x9000 + k))
                sample(tensor, None, shared, None, STREAM)
            gpu.flush()
            found[k] = [fake.result_array(result.ids).tolist() for result in out]
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    tensor = fake.Tensor(gpu, x)
    for k in range(4):
        for step in (0, rounds - 1):
            again = sample(tensor, None, SampleParams(temperature=1.0, seed=k, step=step))
            gpu.flush()
            assert fake.result_array(again.ids).tolist() == found[k][step]
    assert fake.result_array(shared.steps).tolist() == [4 * rounds] * 4
    assert gpu.compiles() >= 1


# ---------------------------------------------------------------- results


def test_results_are_lent_by_dlpack(gpu: Any) -> None:
    x = fake.Tensor(gpu, random_logits(3, 64))
    result = sample(x, stream=STREAM)
    before = gpu.count("cuStreamWaitEvent")
    for options, name in (({"max_version": (1, 1)}, b"dltensor_versioned"), ({}, b"dltensor")):
        capsule = result.ids.__dlpack__(stream=STREAM, **options)
        assert fake.capsule_name(capsule) == name
        pointer = fake.capsule_pointer(capsule, name)
        kind = fake.ManagedVersioned if options else fake.Managed
        tensor = kind.from_address(pointer).tensor
        assert (tensor.data, tensor.device.type, tensor.ndim) == (result.ids.address, 2, 1)
        assert (tensor.code, tensor.bits, tensor.lanes, tensor.shape[0], tensor.strides[0]) == (0, 32, 1, 3, 1)
        del tensor, capsule  # not consumed: gives its reference back
    assert gpu.count("cuStreamWaitEvent") == before
    result.ids.__dlpack__(stream=0x1234)
    result.ids.__dlpack__()
    result.ids.__dlpack__(stream=-1)
    assert gpu.count("cuStreamWaitEvent") == before + 2, "readers on other streams wait"
    with pytest.raises(BufferError):
        result.ids.__dlpack__(copy=True)
    with pytest.raises(BufferError):
        result.ids.__dlpack__(dl_device=(1, 0))
    assert (len(result.ids), result.ids.shape, result.ids.dtype, result.logprobs.dtype) == (3, (3,), "int32", "float32")
    assert "int32[3] on device 0" in repr(result.ids)


def test_a_consumed_capsule_outlives_the_result(gpu: Any) -> None:
    x = fake.Tensor(gpu, random_logits(3, 64))
    result = sample(x, stream=STREAM)
    address = result.ids.address
    capsule = result.ids.__dlpack__(stream=STREAM)
    managed = fake.Managed.from_address(fake.capsule_pointer(capsule, b"dltensor"))
    rename = ctypes.pythonapi.PyCapsule_SetName
    rename.argtypes = [ctypes.py_object, ctypes.c_char_p]
    used = b"used_dltensor"
    rename(capsule, used)
    del result, capsule
    assert sample(x, stream=STREAM).ids.address != address
    managed.deleter(ctypes.addressof(managed))
    kept = [sample(x, stream=STREAM) for _ in range(3)]
    assert address in [r.ids.address for r in kept], "and is used again afterwards"
    other = sample(x, stream=0x6000)
    assert other.ids.address not in [r.ids.address for r in kept]


def test_out(gpu: Any) -> None:
    x = random_logits(3, 64)
    tensor = fake.Tensor(gpu, x)
    for dtype in (np.int32, np.int64):
        ids, logprobs = fake.Tensor(gpu, np.zeros(3, dtype)), fake.Tensor(gpu, np.zeros(3, np.float32))
        result = sample(tensor, None, None, (ids, logprobs))
        assert result.ids is ids
        gpu.flush()
        assert ids.array.tolist() == x.argmax(1).tolist()
    again = sample(tensor, None, None, sample(tensor))
    gpu.flush()
    assert fake.result_array(again.ids).tolist() == x.argmax(1).tolist()


def test_per_thread_streams_are_not_mixed_up(gpu: Any) -> None:
    x = fake.Tensor(gpu, random_logits(3, 64))
    addresses: list[int] = []

    def work() -> None:
        result = sample(x, None, SampleParams(temperature=1.0), None, 2)
        addresses.append(result.ids.address)

    for _ in range(2):  # freed memory comes back, within a thread
        work()
    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=lambda: (work(), barrier.wait())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert addresses[0] == addresses[1]
    assert len(set(addresses)) == 3
    assert len(cuda._open().kept) == 3


def test_no_rows(gpu: Any) -> None:
    x = fake.Tensor(gpu, np.zeros((2, 64), np.float32))
    x.shape = (0, 64)
    assert len(sample(x).ids) == 0


# ---------------------------------------------------------------- wrong arguments


def lying(tensor: Any, **changes: Any) -> Any:
    """A tensor whose description was changed."""
    for name, value in changes.items():
        setattr(tensor, name, value)
    return tensor


class Refuses:
    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)

    def __dlpack__(self, **_: Any) -> Any:
        raise RuntimeError("Can't export tensors that require gradient")


class Nowhere(Refuses):
    def __dlpack_device__(self) -> tuple[int, int]:
        raise ValueError("Unknown device type meta")


WRONG_LOGITS = [
    (lambda g: object(), "neither __dlpack__ nor"),
    (lambda g: Nowhere(), "does not say which device it is on: Unknown device type meta"),
    (lambda g: Refuses(), "logits: Refuses can not be lent by DLPack: Can't export"),
    (lambda g: fake.Tensor(g, np.zeros((2, 64), np.float64)), "float32, float16 or bfloat16 are needed, not float64"),
    (lambda g: fake.Tensor(g, np.zeros((2, 64), np.int32)), "not int32"),
    (lambda g: fake.Tensor(g, np.zeros(64, np.float32)), "2 dimensions are needed"),
    (lambda g: fake.Tensor(g, np.zeros((2, 64), np.float32), pinned=True), "logits: in host memory"),
    (lambda g: lying(fake.Tensor(g, np.zeros((2, 64), np.float32)), device_type=10), "device of type 10"),
    (lambda g: lying(fake.Tensor(g, np.zeros((64, 2), np.float32)), shape=(2, 64), strides=(1, 2)),
     "the vocabulary axis is not contiguous: its stride is 2"),
    (lambda g: lying(fake.Tensor(g, np.zeros((2, 64), np.float32)), strides=(32, 1)), "rows overlap"),
    (lambda g: lying(fake.Tensor(g, np.zeros((2, 64), np.float32)), shape=(2, 0)), "vocabulary of 0"),
    (lambda g: lying(fake.Tensor(g, np.zeros((2, 64), np.float32)), shape=(20000, 64)), "a batch of 20000 rows"),
    (lambda g: lying(fake.Tensor(g, np.zeros((2, 64), np.float32)), strides=(1 << 28, 1)), "memory ends before"),
    (lambda g: lying(fake.Tensor(g, np.zeros((2, 64), np.float32)), device=7), "no CUDA device 7"),
    (lambda g: lying(fake.Tensor(g, np.zeros((2, 64), np.float32)), device=1), "on device 0, not on device 1"),
    (lambda g: fake.InterfaceTensor(fake.Tensor(g, np.zeros((2, 64), np.float32)), typestr=">f4"), "type >f4"),
    (lambda g: fake.InterfaceTensor(fake.Tensor(g, np.zeros((2, 64), np.float32)), mask=object()), "masked arrays"),
    (lambda g: fake.InterfaceTensor(fake.Tensor(g, np.zeros((2, 64), np.float32)), strides=(3, 3)), "of 3 bytes"),
    (lambda g: fake.InterfaceTensor(fake.Tensor(g, np.zeros((2, 64), np.float32)), data=None), "can not be read"),
    (lambda g: fake.InterfaceTensor(fake.Tensor(g, np.zeros((2, 64), np.float32)), data=(64, False)),
     "it was freed, or it is ordinary host memory"),
]  # fmt: skip


@pytest.mark.parametrize("i", range(len(WRONG_LOGITS)))
def test_wrong_logits(gpu: Any, i: int) -> None:
    make, message = WRONG_LOGITS[i]
    with pytest.raises((ArgumentError, DeviceError), match=message):
        sample(make(gpu))


def test_freed_and_consumed_tensors(gpu: Any) -> None:
    x = fake.Tensor(gpu, np.zeros((2, 64), np.float32))
    x.free()
    with pytest.raises(ArgumentError, match="logits: no memory of CUDA's is there: it was freed"):
        sample(x)
    y = fake.Tensor(gpu, np.zeros((2, 64), np.float32))
    sample(y)
    used = y.capsule

    class Again:
        __dlpack_device__ = y.__dlpack_device__

        def __dlpack__(self, **_: Any) -> Any:
            return used

    with pytest.raises(ArgumentError, match="consumed before"):
        sample(Again())


def test_wrong_masks(gpu: Any) -> None:
    x = fake.Tensor(gpu, random_logits(3, 70))

    def refuse(masks: Any, message: str, **options: Any) -> None:
        with pytest.raises(ArgumentError, match=message):
            sample(x, masks, **options)
        with pytest.raises(ArgumentError, match=message):
            cuda.apply_masks(x, masks, **options)

    good = fake.Tensor(gpu, masks_of([[1]] * 3, 70))
    refuse(fake.Tensor(gpu, np.zeros((3, 3), np.int64)), "masks: int32 is needed, not int64")
    refuse(fake.Tensor(gpu, np.zeros((3, 2), np.int32)), "masks: 2 words a row; a vocabulary of 70 takes 3")
    refuse(fake.Tensor(gpu, np.zeros((2, 3), np.int32)), "masks: 2 rows for 3 rows of logits")
    refuse(fake.Tensor(gpu, np.zeros(9, np.int32)), "masks: 2 dimensions")
    refuse(fake.Tensor(gpu, np.zeros((3, 3), np.int32), device=1), "masks: on device 1; the logits are on device 0")
    ordinary = np.zeros((3, 3), np.int32)
    refuse(ordinary, "masks: no memory of CUDA's is there: .* ordinary host memory")
    refuse(good, "mask_rows: int32", mask_rows=fake.Tensor(gpu, np.zeros(3, np.int64)))
    refuse(good, "mask_rows: 2 entries for 3 rows", mask_rows=fake.Tensor(gpu, np.zeros(2, np.int32)))
    with pytest.raises(ArgumentError, match="mask_rows: given without masks"):
        sample(x, mask_rows=fake.Tensor(gpu, np.zeros(3, np.int32)))
    with pytest.raises(ArgumentError, match="there are none"):
        cuda.apply_masks(x, None)
    with pytest.raises(ArgumentError, match="logits: read-only"):
        cuda.apply_masks(fake.Tensor(gpu, random_logits(3, 70), read_only=True), good)
    many = fake.Tensor(gpu, np.zeros((9, 3), np.int32), pinned=True)
    rows = fake.Tensor(gpu, np.zeros(3, np.int32))
    with pytest.raises(ArgumentError, match="9 rows in host memory; at most as many as the batch's 3"):
        sample(x, many, mask_rows=rows)


def test_wrong_out(gpu: Any) -> None:
    x = fake.Tensor(gpu, random_logits(3, 70))
    ids, logprobs = fake.Tensor(gpu, np.zeros(3, np.int32)), fake.Tensor(gpu, np.zeros(3, np.float32))
    for out, message in (
        (5, "a pair of tensors"),
        ((ids,), "a pair of tensors"),
        ((logprobs, ids), "out's ids: int32 or int64 is needed, not float32"),
        ((ids, ids), "out's logprobs: float32 is needed, not int32"),
        ((fake.Tensor(gpu, np.zeros(2, np.int32)), logprobs), "out's ids: 2 elements for 3 rows"),
        ((fake.Tensor(gpu, np.zeros((3, 1), np.int32)), logprobs), "out's ids: 1 dimensions"),
        ((fake.Tensor(gpu, np.zeros(3, np.int32), device=1), logprobs), "out's ids: on device 1"),
        ((ids, fake.Tensor(gpu, np.zeros(3, np.float32), pinned=True)), "out's logprobs: in host memory"),
        ((ids, fake.Tensor(gpu, np.zeros(3, np.float32), read_only=True)), "out's logprobs: read-only"),
        ((lying(fake.Tensor(gpu, np.zeros(6, np.int32)), shape=(3,), strides=(2,)), logprobs), "not contiguous"),
    ):
        with pytest.raises(ArgumentError, match=message):
            sample(x, None, None, out)


def test_wrong_parameters(gpu: Any) -> None:
    x = fake.Tensor(gpu, random_logits(3, 70))
    for params, message in (
        ({"temperature": -1.0}, "temperature must be in"),
        ({"temperature": (1.0, 2.0)}, "temperature: 2 values for 3 rows"),
        ({"top_p": 0.0}, "top_p must be in"),
        ({"top_k": -1}, "top_k"),
        ({"logit_bias": {70: 1.0}}, "token 70, which is not in the vocabulary"),
        ({"logit_bias": ({1: 1.0},)}, "logit_bias: 1 values for 3 rows"),
        ({"history": ([1], [2])}, "history: 2 values for 3 rows"),
        ({"history": ([1], [2], [70]), "presence_penalty": 1.0}, "token 70 of a history"),
        ({"penalty_last_n": 1 << 40}, "row 0"),
    ):
        with pytest.raises(ArgumentError, match=message):
            sample(x, None, SampleParams(**params))
    with pytest.raises(ArgumentError, match="temperature: a number"):
        SampleParams(temperature="hot")  # type: ignore[arg-type]
    with pytest.raises(LimitExceeded, match="ART_CUDA_PATCHES_MAX"):
        prepare(rows=1, vocab=70, bias_max=100_000)
    batch = prepare(rows=2, vocab=70)
    for tensor, message in (
        (x, "3 rows; the batch was made for 2"),
        (fake.Tensor(gpu, random_logits(2, 64)), "a vocabulary of 70"),
        (fake.Tensor(gpu, random_logits(2, 70), device=1), "the batch is on device 0"),
    ):
        with pytest.raises(ArgumentError, match=message):
            sample(tensor, None, batch)
    with pytest.raises(ArgumentError, match="the batch was made for 0"):
        batch.set(SampleParams(logit_bias={1: 1.0}))
    with pytest.raises(ArgumentError, match="made without a history"):
        batch.set(SampleParams(presence_penalty=1.0))
    for rows, vocab in ((0, 70), (1 << 20, 70), (1, 0), (1, 1 << 30), (-1, 70)):
        with pytest.raises(ArgumentError):
            prepare(rows=rows, vocab=vocab)


def test_values_are_copied(gpu: Any) -> None:
    seeds, bias = [1, 2], {3: 4.0}
    params = SampleParams(seed=seeds, logit_bias=bias, temperature=np.float32(0.5), top_k=np.int64(3))
    seeds.append(3)
    bias.clear()
    assert params.seed == (1, 2)
    assert params.logit_bias == {3: 4.0}
    assert params == SampleParams(seed=(1, 2), logit_bias={3: 4.0}, temperature=0.5, top_k=3)


# ---------------------------------------------------------------- failing devices


def test_failures_of_the_driver(gpu: Any) -> None:
    x = fake.Tensor(gpu, random_logits(2, 64))
    sample(x)
    gpu.fail("cuLaunchKernel", 719)
    with pytest.raises(DeviceError, match=r"art_sample_f32: CUDA_ERROR_LAUNCH_FAILED \(719\): unspecified launch"):
        sample(x)
    gpu.fail("cuMemAlloc", 2)
    with pytest.raises(OutOfMemory, match="OUT_OF_MEMORY"):
        sample(x, stream=0x7777)
    for function in ("cuMemAlloc", "cuMemsetD8", "cuLaunchKernel", "cuCtxSynchronize"):
        gpu.fail(function, 999)
        with pytest.raises(DeviceError, match=r"unknown error \(999\)"):
            prepare(rows=1, vocab=64)
    gc.collect()  # so that no old batch is freed meanwhile
    gpu.fail("cuCtxPushCurrent", 201, after=1)  # the first asks whether a graph is captured
    with pytest.raises(DeviceError, match="can not be made current"):
        sample(x)
    sample(x)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"AGENTRT_LIBCUDA": "/nowhere/libcuda.so.1"}, "no CUDA driver: /nowhere"),
        ({"AGENTRT_LIBCUDA": "libm.so.6"}, "it has no cuInit"),
        ({"FAKE_CUDA_DEVICES": "0"}, "no CUDA device that this process may use"),
        ({"FAKE_CUDA_VERSION": "10020"}, "too old: it serves CUDA 10.2, and 11.2 is needed"),
        ({"FAKE_CUDA_INIT": "803"}, "the CUDA driver does not start"),
    ],
)
def test_no_driver(gpu: Any, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], message: str) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    assert not cuda.is_available()
    for call in (cuda.devices, lambda: prepare(rows=1, vocab=5), lambda: sample(np.zeros((1, 5), np.float32))):
        with pytest.raises(DeviceError, match=message):
            call()


def test_a_fork(gpu: Any) -> None:
    x = fake.Tensor(gpu, random_logits(2, 64))
    sample(x)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            sample(x)
            os.write(write, b"nothing was raised")
        except BaseException as error:
            os.write(write, type(error).__name__.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"ForkedError"
    os.close(read), os.close(write)


# ---------------------------------------------------------------- compiling and the cache


def cached_files() -> list[Path]:
    return sorted(_kernels.cache_dir().glob("*"))


def restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "_driver", None)


def kept_parts() -> list[str]:
    return sorted(file.name.split("-")[1] for file in cached_files())


def test_compiled_once_and_kept(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x = fake.Tensor(gpu, random_logits(2, 64))
    before = gpu.compiles()
    sample(x)
    assert kept_parts() == ["f32", "rows"]
    assert gpu.compiles() == before + 2
    for file in cached_files():
        assert file.name.endswith("-nvrtc12080-sm90-driver12080.cubin")
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
    restart(monkeypatch)
    sample(x)
    assert gpu.compiles() == before + 2
    monkeypatch.setenv("FAKE_NVRTC_VERSION", "12060")
    restart(monkeypatch)
    sample(x)
    assert gpu.compiles() == before + 4
    assert len(cached_files()) == 4


def test_what_is_not_used_is_not_compiled(gpu: Any) -> None:
    before = gpu.compiles()
    prepare(rows=2, vocab=64)
    assert kept_parts() == ["rows"]
    cuda.apply_masks(fake.Tensor(gpu, random_logits(1, 64)), fake.Tensor(gpu, masks_of([[1]], 64)))
    assert kept_parts() == ["masks", "rows"]
    for dtype, part in (("float16", "f16"), ("float32", "f32"), ("float16", "f16")):
        sample(fake.Tensor(gpu, random_logits(2, 64).astype(dtype)))
        assert part in kept_parts()
    raw = (random_logits(2, 64).view(np.uint32) >> 16).astype(np.uint16)
    sample(fake.Tensor(gpu, raw, bfloat16=True))
    assert kept_parts() == sorted(_kernels.PARTS)
    assert gpu.compiles() == before + len(_kernels.PARTS)


def test_threads_that_start_together_compile_once(gpu: Any) -> None:
    tensors = [fake.Tensor(gpu, random_logits(2, 64).astype(dtype)) for dtype in ("float32", "float16")] * 4
    barrier = threading.Barrier(len(tensors))
    failures: list[BaseException] = []

    def work(tensor: Any) -> None:
        try:
            barrier.wait()
            sample(tensor)
        except BaseException as error:
            failures.append(error)

    before = gpu.compiles(), gpu.count("cuModuleLoadData")
    threads = [threading.Thread(target=work, args=(tensor,)) for tensor in tensors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert (gpu.compiles(), gpu.count("cuModuleLoadData")) == (before[0] + 3, before[1] + 3)
    assert kept_parts() == ["f16", "f32", "rows"]


@pytest.mark.parametrize(
    "damage", ["cut", "flipped", "empty", "foreign code", "another part", "writable by others", "a link"]
)
def test_a_damaged_cache_is_made_again(gpu: Any, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    x = fake.Tensor(gpu, random_logits(2, 64))
    before = gpu.compiles()
    sample(x)
    file, _ = sorted(cached_files(), key=lambda one: "-rows-" in one.name)
    good = file.read_bytes()
    if damage == "cut":
        file.write_bytes(good[:-3])
    elif damage == "flipped":
        file.write_bytes(good[:-1] + b"?")
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "foreign code":  # whole, but not for this device
        _kernels.write_cached(file, b"FAKECUBIN sm_70 part 0\nby somebody")
    elif damage == "another part":
        _kernels.write_cached(file, b"FAKECUBIN sm_90 part 1\nby somebody")
    elif damage == "writable by others":
        file.chmod(0o666)
    else:
        moved = file.with_name("moved")
        file.rename(moved)
        file.symlink_to(moved)
    restart(monkeypatch)
    sample(x)
    assert gpu.compiles() == before + 3
    assert file.read_bytes() == good
    assert not file.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_cache_that_can_not_be_written(gpu: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    sample(fake.Tensor(gpu, random_logits(2, 64)))


def test_compile_errors(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x = fake.Tensor(gpu, random_logits(2, 64))
    monkeypatch.setenv("FAKE_NVRTC_FAIL", "1")
    with pytest.raises(DeviceError, match="do not compile: NVRTC_ERROR_COMPILATION") as caught:
        sample(x)
    assert "error: this does not compile for sm_90" in caught.value.log
    assert "error: this does not compile for sm_90" in str(caught.value)
    assert cached_files() == []
    monkeypatch.delenv("FAKE_NVRTC_FAIL")
    monkeypatch.setenv("AGENTRT_NVRTC", "/nowhere/libnvrtc.so")
    with pytest.raises(DeviceError, match=r"pip install nvidia-cuda-nvrtc.*/nowhere"):
        sample(x)
    monkeypatch.setenv("AGENTRT_NVRTC", "libm.so.6")
    with pytest.raises(DeviceError, match="no NVRTC that agentrt can use"):
        sample(x)


def test_a_device_that_is_newer_than_the_compiler(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_CUDA_SM", "120")
    before = gpu.count("cuLinkComplete")
    sample(fake.Tensor(gpu, random_logits(2, 64)))
    assert gpu.count("cuLinkComplete") == before + 2


def test_ptx_that_was_built_beforehand(gpu: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "_cuda"
    folder.mkdir()
    (folder / "art_kernels.cu").write_text("source")
    for i, part in enumerate(_kernels.PARTS):
        (folder / f"kernels-{part}.ptx").write_text(f"// PTX part {i}\n.version 8.0")
    monkeypatch.setattr(_kernels, "source_folder", lambda: folder)
    x = fake.Tensor(gpu, random_logits(2, 64))
    before = gpu.compiles(), gpu.count("cuLinkComplete")
    sample(x)
    assert (gpu.compiles(), gpu.count("cuLinkComplete")) == (before[0], before[1] + 2)
    assert "-ptx-" in cached_files()[0].name
    restart(monkeypatch)
    sample(x)
    assert gpu.count("cuLinkComplete") == before[1] + 2
    (folder / "kernels-f32.ptx").write_text("not PTX at all")  # then NVRTC has to do it
    restart(monkeypatch)
    sample(x)
    assert gpu.compiles() == before[0] + 1


def test_processes_that_start_together_share_a_cache(built: tuple[Path, Path], tmp_path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, 'tests/unit'); import numpy as np, _fake_cuda as fake, agentrt.cuda as cuda;"
        f"gpu = fake.FakeGpu({str(built[0])!r}, {str(built[1])!r});"
        "r = cuda.sample(fake.Tensor(gpu, np.eye(4, 40, dtype=np.float32))); gpu.flush();"
        "print(fake.result_array(r.ids).tolist())"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=fake.environment(*built, tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert (json.loads(out), err) == ([0, 1, 2, 3], "")
    assert len(list((tmp_path / "agentrt" / "cuda").iterdir())) == 2


# ---------------------------------------------------------------- the bench


def test_the_bench_runs(built: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "results.jsonl"
    out.write_text('{"kind": "part", "name": "of an earlier run", "status": 124}\n')
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "benches" / "bench_cuda.py"),
            "all",
            "--fake",
            "--cases",
            "3000",
            "--out",
            str(out),
        ],
        cwd=ROOT,
        env={**fake.environment(*built, tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in out.read_text().splitlines()[1:]]
    assert [(line["name"], line["status"]) for line in lines if line["kind"] == "part"] == [
        ("smoke", 0),
        ("table", 0),
        ("random", 0),
    ]
    assert sum(line["kind"] == "row" for line in lines) == 16
    assert "| random cases, wrong | 0 | 0 | 2 of 2 |" in done.stdout


def test_the_bench_goes_on_when_a_part_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benches"))
    import bench_cuda

    seconds = {}

    def run_bounded(command: list[str], limit: float, env: Any = None) -> tuple[str, int]:
        part = command[2]
        seconds[part] = limit
        return {"table": ("illegal memory access", 134), "loop": ("stopped after 9 s", 124)}.get(part, ("", 0))

    monkeypatch.setattr(bench_cuda, "run_bounded", run_bounded)
    run = bench_cuda.Run(300.0, str(tmp_path / "out"), 1, False, False, None)
    bench_cuda.run_all(run, [])
    run.bar("share", 0.7, ">= 0.6", True, "here")
    run.bar("share", 0.5, ">= 0.6", False, "there")
    run.bar("wrong", 3, "0", False, "somewhere")
    assert list(seconds) == list(bench_cuda.SHARES)
    assert sum(seconds.values()) < 300 * 6  # what a part leaves over goes to the later ones
    lines = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert lines == run.lines
    assert not bench_cuda.all_met(lines)
    text = bench_cuda.summary(lines)
    assert "| share | >= 0.6 | 0.5 | 1 of 2 | there |" in text
    assert "| wrong | 0 | 3 | 0 of 1 | somewhere |" in text
    assert "part table ended with status 134: illegal memory access" in text
    assert "part loop ended with status 124: stopped after 9 s" in text
    assert bench_cuda.all_met([{"kind": "bar", "met": True}, {"kind": "part", "status": bench_cuda.MISSED}])
    assert not bench_cuda.all_met([{"kind": "bar", "met": True}, {"kind": "part", "status": 1}])
    assert not bench_cuda.all_met([{"kind": "bar", "met": False}])


def test_the_bench_runs_itself_under_the_sanitizer(built: tuple[Path, Path], tmp_path: Path) -> None:
    """A program in compute-sanitizer's place: it takes the same options, and does not like racecheck."""
    tool = tmp_path / "compute-sanitizer"
    tool.write_text(
        f"#!{sys.executable}\n"
        "import subprocess, sys\n"
        "options = sys.argv[1 : sys.argv.index(sys.executable)]\n"
        "assert options[::2][:3] == ['--tool', '--error-exitcode', '--target-processes'], options\n"
        "assert ('--kernel-name' in options) == (options[1] != 'initcheck'), options\n"
        "status = subprocess.run(sys.argv[len(options) + 1 :]).returncode\n"
        "print('========= ERROR SUMMARY: 0 errors')\n"
        "sys.exit(99 if options[1] == 'racecheck' else status)\n"
    )
    tool.chmod(0o700)
    out = tmp_path / "results.jsonl"
    environment = {**fake.environment(*built, tmp_path), "PYTHONPATH": str(ROOT)}
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    done = subprocess.run(
        [sys.executable, "benches/bench_cuda.py", "sanitizer", "--fake", "--cases", "300", "--out", str(out)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stdout + done.stderr
    found = {line["name"]: line for line in map(json.loads, out.read_text().splitlines())}
    assert {name: line["met"] for name, line in found.items()} == {
        "compute-sanitizer memcheck": True,
        "compute-sanitizer racecheck": False,
        "compute-sanitizer initcheck": True,
    }
    assert "ERROR SUMMARY: 0 errors" in found["compute-sanitizer memcheck"]["where"]
    assert "random cases, wrong: 0" in found["compute-sanitizer initcheck"]["where"]


def test_a_command_is_bounded() -> None:
    sys.path.insert(0, str(ROOT / "benches"))
    import bench_cuda

    script = "import time; print('begun', flush=True); time.sleep(60)"
    output, status = bench_cuda.run_bounded([sys.executable, "-c", script], 5.0)
    assert status == 124
    assert output.startswith("begun")
    assert "stopped after 5 s" in output
    assert bench_cuda.run_bounded([sys.executable, "-c", "raise SystemExit(7)"], 30.0) == ("", 7)


def test_the_bench_notices_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benches"))
    import bench_cuda

    x = np.array([3.0, 2.0, 1.0, 0.0], np.float32)
    greedy = {"temperature": 0.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
    filtered = {"temperature": 1.0, "top_k": 0, "top_p": 0.6, "min_p": 0.0}  # keeps token 0, of weight 0.64
    every, last = np.ones(4, bool), np.array([False, False, True, True])
    p = log_softmax(x)
    assert bench_cuda.right(x, every, greedy, 0, p[0])
    assert not bench_cuda.right(x, every, greedy, 1, p[1])
    assert not bench_cuda.right(x, every, greedy, 0, p[0] + 0.01)
    assert not bench_cuda.right(x, last, greedy, 0, p[0])
    assert bench_cuda.right(x, every, filtered, 0, p[0])
    assert not bench_cuda.right(x, every, filtered, 1, p[1])
    assert bench_cuda.right(x, last, filtered, 2, p[2])
    assert not bench_cuda.right(x, last, filtered, 3, p[3])
    assert bench_cuda.right(x, ~every, filtered, cuda.EMPTY, 0.0)
    assert not bench_cuda.right(x, ~every, filtered, 0, p[0])
    assert not bench_cuda.right(x, every, filtered, cuda.EMPTY, 0.0)


# ---------------------------------------------------------------- the real compiler, without a device


def real_nvrtc() -> str | None:
    for path in _kernels.nvrtc_candidates():
        try:
            _kernels._version_of(path)
        except DeviceError:
            continue
        return path
    return None


def test_the_kernels_compile_with_nvrtc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTRT_NVRTC", raising=False)
    named = os.environ.get("ART_TEST_NVRTC")
    path = named or real_nvrtc()
    if path is None:
        pytest.skip("NVRTC is not installed: pip install nvidia-cuda-nvrtc, or set ART_TEST_NVRTC")
    _, newest = _kernels._version_of(path)
    files = _kernels.sources(_kernels.source_folder())
    names = (b"art_sample_f32", b"art_sample_f16", b"art_sample_bf16", b"art_masks_f32", b"art_set")
    for part, own in enumerate(names):
        architecture = "sm_90" if part != 1 else f"compute_{newest or 80}"
        code = _kernels.compile_source(path, files, architecture, part)
        assert code[:4] == b"\x7fELF" if architecture.startswith("sm_") else b".version" in code
        assert [name for name in names if name in code] == [own]
        assert len(code) < 150_000 or architecture.startswith("compute_")
    with pytest.raises(DeviceError, match="NVRTC_ERROR_COMPILATION") as caught:
        _kernels.compile_source(path, [("broken.cu", "__global__ void f() { this is not C++ }")], "sm_80", 0)
    assert "broken.cu" in caught.value.log


def test_import_needs_nothing() -> None:
    script = (
        "import sys, agentrt.cuda as c; assert not {'numpy', 'torch', 'ctypes'} & set(sys.modules), sys.modules;"
        "assert c._driver is None"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
