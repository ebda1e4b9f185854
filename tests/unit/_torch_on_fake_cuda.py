"""A CUDA device for torch, out of torch for the processor and the stand-in for the driver (tests/fake_cuda).

    python tests/unit/_torch_on_fake_cuda.py FOLDER PROGRAM [ARGUMENTS]

Runs a program that uses `torch.cuda` where there is neither a device nor a torch that could use one. Tensors of the
device are ordinary ones; what is lent by DLPack says that it is the device's, or pinned. Torch's own work is done at
once, after all that the stand-in has been given. While a graph is captured, torch's operations are recorded, and what
they changed is restored; a replay runs the stand-in's part first, then torch's. So programs are tried out as far as
their calls, their order and their results go: no streams in parallel, no times.

FOLDER: where kernels are kept.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import _fake_cuda as fake
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Stream:
    """Work on every stream runs in the order in which it was given."""

    handles = iter(range(0x7000, 0x10000, 0x10))

    def __init__(self, device: Any = None, *, handle: int | None = None) -> None:
        self.cuda_stream = next(self.handles) if handle is None else handle

    def wait_stream(self, stream: Stream) -> None:
        assert isinstance(stream, Stream)

    def wait_event(self, event: Event) -> None:
        assert isinstance(event, Event)

    def synchronize(self) -> None:
        device.synchronize()


class Event:
    """Times are those of the host's calls."""

    def __init__(self, enable_timing: bool = False) -> None:
        self.enable_timing, self.at = enable_timing, 0.0

    def record(self, stream: Stream | None = None) -> None:
        assert not device.capturing, "an event that is waited for can not be recorded in a graph"
        self.at = time.perf_counter()

    def synchronize(self) -> None:
        device.synchronize()

    def elapsed_time(self, end: Event) -> float:
        assert self.enable_timing
        assert end.enable_timing
        return 1e3 * (end.at - self.at) + 1e-3


class CUDAGraph:
    """What torch and the stand-in were given during a capture."""

    def __init__(self) -> None:
        self.number = -1
        self.operations: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], Any]] = []

    def replay(self) -> None:
        assert self.number >= 0, "replayed before it was captured"
        device.gpu.lib.fake_graph_launch(self.number)
        for operation, args, options, results in self.operations:
            again = operation(*args, **options)
            for old, new in zip(tree_leaves(results), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class Recorder(TorchDispatchMode):
    """The operations of a capture, and what their tensors held before."""

    def __init__(self, graph: CUDAGraph) -> None:
        super().__init__()
        self.graph = graph
        self.before: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self.made: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for one in tree_leaves((args, kwargs)):
            if isinstance(one, torch.Tensor) and one.data_ptr() not in self.made:
                self.before.setdefault(one.data_ptr(), (one, one.clone()))
        out = func(*args, **(kwargs or {}))
        self.made.update(one.data_ptr() for one in tree_leaves(out) if isinstance(one, torch.Tensor))
        self.graph.operations.append((func, args, kwargs or {}, out))
        return out


class Device(TorchFunctionMode):
    """Every tensor is on the processor, whatever was asked for; which are pinned is remembered."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        driver, nvrtc = fake.build(fake.ROOT / "build" / "fake_cuda")
        os.environ.update(fake.environment(driver, nvrtc, folder))
        self.gpu = fake.FakeGpu(driver, nvrtc)
        self.gpu.lib.fake_adopt.argtypes = [ctypes.c_uint64, ctypes.c_uint64, ctypes.c_int]
        self.stream = self.default = Stream(handle=0)
        self.capturing = False
        self.pinned: dict[int, torch.Tensor] = {}  # by address; they live on, so that no other tensor gets it

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not self.capturing:
            self.gpu.flush()
        options = dict(kwargs or {})
        pin = bool(options.pop("pin_memory", False))
        if func is torch.device:
            return func(*args, **options)
        if func is torch.Tensor.pin_memory:
            return self.pin(args[0].clone())
        if func is torch.Tensor.cuda:
            return args[0].clone()
        if func is torch.Tensor.is_pinned:
            return args[0].data_ptr() in self.pinned
        assert not (self.capturing and (pin or func in (torch.Tensor.item, torch.Tensor.tolist, torch.Tensor.cpu)))
        moved = tuple(torch.device("cpu") if is_device(one) else one for one in args)
        if is_device(options.get("device")):
            options["device"] = torch.device("cpu")
        out = func(*moved, **options)
        return self.pin(out) if pin else out

    def pin(self, tensor: torch.Tensor) -> torch.Tensor:
        self.pinned[tensor.data_ptr()] = tensor
        return tensor

    def synchronize(self, *_: Any) -> None:
        assert not self.capturing, "a capture can not be waited for"
        self.gpu.flush()

    def lend(self, tensor: torch.Tensor, **options: Any) -> Any:
        """A capsule that says where the tensor would be."""
        stream = options.get("stream", -1)
        assert stream in (-1, 1) or stream > 2, "as torch: no per-thread stream, and 0 means none"
        assert not tensor.requires_grad
        capsule = lend_on_the_processor(tensor, max_version=options.get("max_version"))
        name = fake.capsule_name(capsule)
        kind = fake.ManagedVersioned if name == b"dltensor_versioned" else fake.Managed
        managed = kind.from_address(fake.capsule_pointer(capsule, name))
        where, index = self.place(tensor)
        managed.tensor.device.type, managed.tensor.device.id = where, index
        storage = tensor.untyped_storage()
        self.gpu.lib.fake_adopt(storage.data_ptr(), storage.nbytes(), 0 if where == 2 else -1)
        return capsule

    def place(self, tensor: torch.Tensor) -> tuple[int, int]:
        return (3, 0) if tensor.untyped_storage().data_ptr() in self.pinned else (2, 0)

    def take(self, array: Any) -> torch.Tensor:
        """torch.from_dlpack() of an agentrt array."""
        array.__dlpack__(stream=self.stream.cuda_stream or 1, max_version=(1, 0))
        self.synchronize()
        return torch.from_numpy(fake.result_array(array).copy())

    @contextmanager
    def on(self, stream: Stream | None) -> Iterator[None]:
        before, self.stream = self.stream, stream or self.stream
        yield
        self.stream = before

    @contextmanager
    def capture(self, graph: CUDAGraph, stream: Stream | None = None) -> Iterator[None]:
        self.synchronize()
        recorder = Recorder(graph)
        with self.on(stream or Stream()), recorder:
            self.gpu.lib.fake_capture_begin(ctypes.c_void_p(self.stream.cuda_stream))
            self.capturing = True
            try:
                yield
            finally:
                self.capturing = False
                graph.number = self.gpu.lib.fake_capture_end()
        for tensor, content in recorder.before.values():
            tensor.copy_(content)

    def install(self) -> None:
        calls = {
            "is_available": lambda: True,
            "current_device": lambda: 0,
            "current_stream": lambda _=None: self.stream,
            "default_stream": lambda _=None: self.default,
            "get_device_name": lambda _=None: "the stand-in, through torch",
            "get_device_properties": lambda _=None: SimpleNamespace(L2_cache_size=1 << 20),
            "synchronize": self.synchronize,
            "stream": self.on,
            "graph": self.capture,
            "device": lambda _=None: nullcontext(),
            "_sleep": lambda cycles: time.sleep(cycles / 2e9),
            "Stream": Stream,
            "Event": Event,
            "CUDAGraph": CUDAGraph,
        }
        for name, call in calls.items():
            assert hasattr(torch.cuda, name), f"torch.cuda has no {name}"
            setattr(torch.cuda, name, call)
        torch.from_dlpack = self.take
        torch.Tensor.__dlpack_device__ = lambda tensor: self.place(tensor)  # type: ignore[method-assign,assignment]
        torch.Tensor.__dlpack__ = lambda tensor, **options: self.lend(tensor, **options)  # type: ignore[method-assign]


def is_device(one: Any) -> bool:
    return (isinstance(one, torch.device) and one.type == "cuda") or (isinstance(one, str) and one.startswith("cuda"))


lend_on_the_processor = torch.Tensor.__dlpack__


if __name__ == "__main__":
    device = Device(Path(sys.argv[1]))
    device.install()
    sys.argv = sys.argv[2:]
    status = 0
    with device:
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
    device.synchronize()
    if device.gpu.violations():
        print(device.gpu.violations(), file=sys.stderr)
        status = 3
    sys.exit(status)
