"""A GPU for tests on machines without one: tests/fake_cuda, built on the spot, and tensors in its memory."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "fake_cuda"
KERNELS = ROOT / "csrc" / "cuda"


def build(folder: Path) -> tuple[Path, Path]:
    """libcuda and libnvrtc, made anew when a source is newer."""
    if not FOLDER.is_dir():
        pytest.skip("not a source tree")
    cc, cxx = shutil.which("cc"), shutil.which("c++")
    if not cc or not cxx:
        pytest.skip("a C and a C++ compiler are needed")
    folder.mkdir(parents=True, exist_ok=True)
    common = ["-O2", "-g", "-fPIC", "-D_GNU_SOURCE", "-Wall", "-Wextra"]
    driver, nvrtc, objects = folder / "libcuda.so.1", folder / "libnvrtc.so.12", [folder / "driver.o", folder / "cpu.o"]
    jobs = [
        (objects[0], [cc, "-std=c11", *common, "-c", str(FOLDER / "fake_cuda.c")]),
        (objects[1], [cxx, "-std=c++17", "-ffp-contract=off", *common, "-c", str(KERNELS / "art_cuda_cpu.cpp")]),
        (driver, [cxx, "-shared", *map(str, objects), "-lpthread", "-lm"]),
        (nvrtc, [cc, "-std=c11", *common, "-shared", str(FOLDER / "fake_nvrtc.c")]),
    ]
    newest = max(file.stat().st_mtime for file in [*FOLDER.iterdir(), *KERNELS.iterdir()])
    if nvrtc.exists() and driver.exists() and min(nvrtc.stat().st_mtime, driver.stat().st_mtime) > newest:
        return driver, nvrtc
    for out, command in jobs:
        done = subprocess.run([*command, "-o", str(out)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return driver, nvrtc


class FakeGpu:
    """The stand-in for the driver, as tests steer it."""

    def __init__(self, driver: Path, nvrtc: Path) -> None:
        self.lib = ctypes.CDLL(str(driver))
        self.nvrtc = ctypes.CDLL(str(nvrtc))
        self.lib.fake_violations.restype = ctypes.c_char_p
        self.lib.fake_context_new.restype = ctypes.c_void_p
        self.lib.fake_is_live.argtypes = [ctypes.c_uint64]
        self.lib.fake_capture_begin.argtypes = [ctypes.c_void_p]
        self.lib.cuMemAlloc_v2.argtypes = [ctypes.POINTER(ctypes.c_uint64), ctypes.c_size_t]
        self.lib.cuMemFree_v2.argtypes = [ctypes.c_uint64]
        self.lib.cuMemHostAlloc.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t, ctypes.c_uint]
        self.lib.cuCtxPushCurrent_v2.argtypes = [ctypes.c_void_p]
        self.lib.cuDevicePrimaryCtxRetain.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int]

    def violations(self) -> str:
        return self.lib.fake_violations().decode()

    def count(self, function: str) -> int:
        return int(self.lib.fake_count(function.encode()))

    def fail(self, function: str, result: int, after: int = 0) -> None:
        self.lib.fake_fail(function.encode(), result, after)

    def compiles(self) -> int:
        return int(self.nvrtc.fake_nvrtc_compiles())

    def flush(self) -> None:
        self.lib.fake_flush()

    def push(self, context: int) -> None:
        assert self.lib.cuCtxPushCurrent_v2(context) == 0

    def pop(self) -> None:
        assert self.lib.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p())) == 0

    def primary(self, device: int) -> int:
        context = ctypes.c_void_p()
        assert self.lib.cuDevicePrimaryCtxRetain(ctypes.byref(context), device) == 0
        return int(context.value or 0)

    def allocate(self, n_bytes: int, device: int) -> int:
        address = ctypes.c_uint64()
        self.push(self.primary(device))
        assert self.lib.cuMemAlloc_v2(ctypes.byref(address), n_bytes) == 0
        self.pop()
        return int(address.value)

    def free(self, address: int, device: int) -> None:
        self.push(self.primary(device))
        assert self.lib.cuMemFree_v2(address) == 0
        self.pop()

    def allocate_pinned(self, n_bytes: int) -> int:
        address = ctypes.c_void_p()
        assert self.lib.cuMemHostAlloc(ctypes.byref(address), n_bytes, 0) == 0
        return int(address.value or 0)


def as_numpy(address: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Memory of the fake GPU, which is memory of this process."""
    n = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_uint8 * n).from_address(address), dtype=dtype).reshape(shape)


class DLDevice(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int32), ("id", ctypes.c_int32))


class DLTensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", DLDevice),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Managed(ctypes.Structure):
    _fields_ = (("tensor", DLTensor), ("owner", ctypes.c_void_p), ("deleter", DELETER))


class ManagedVersioned(ctypes.Structure):
    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("owner", ctypes.c_void_p),
        ("deleter", DELETER),
        ("flags", ctypes.c_uint64),
        ("tensor", DLTensor),
    )


new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype = ctypes.py_object
new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
capsule_pointer.restype = ctypes.c_void_p
capsule_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
capsule_name = ctypes.pythonapi.PyCapsule_GetName
capsule_name.restype = ctypes.c_char_p
capsule_name.argtypes = [ctypes.py_object]

_CODES = {"i": 0, "u": 1, "f": 2, "V": 4}  # V: bfloat16, which numpy lacks
_lent: dict[int, Any] = {}  # managed tensors that nobody has deleted yet


@DELETER
def _delete(managed: int) -> None:
    _lent.pop(managed)


def n_lent() -> int:
    return len(_lent)


class Tensor:
    """An array in the fake GPU's memory, or in pinned host memory, that is lent by DLPack.

    versioned:  lends new capsules when it is asked for them; else it is from before them.
    """

    def __init__(
        self,
        gpu: FakeGpu,
        data: np.ndarray,
        *,
        device: int = 0,
        pinned: bool = False,
        bfloat16: bool = False,
        row_gap: int = 0,
        versioned: bool = True,
        read_only: bool = False,
    ) -> None:
        data = np.ascontiguousarray(data)
        self.gpu, self.device, self.pinned = gpu, device, pinned
        self.shape = data.shape
        self.kind, self.item = ("V" if bfloat16 else data.dtype.kind), data.dtype.itemsize
        padded = (*data.shape[:-1], data.shape[-1] + row_gap) if data.ndim == 2 else data.shape
        self.strides = (padded[-1], 1) if data.ndim == 2 else (1,)
        self.n_bytes = max(1, int(np.prod(padded)) * self.item)
        self.address = gpu.allocate_pinned(self.n_bytes) if pinned else gpu.allocate(self.n_bytes, device)
        self.whole = as_numpy(self.address, padded, data.dtype)
        self.array = self.whole[:, : data.shape[1]] if data.ndim == 2 else self.whole
        self.array[...] = data
        self.versioned, self.read_only = versioned, read_only
        self.device_type: int = 3 if pinned else 2
        self.streams: list[Any] = []

    def free(self) -> None:
        self.gpu.free(self.address, self.device)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (self.device_type, self.device)

    def __dlpack__(self, *, stream: Any = None, **options: Any) -> Any:
        if options and not self.versioned:
            raise TypeError(f"unexpected {options}")
        self.streams.append(stream)
        versioned = self.versioned and options.get("max_version") is not None
        n = len(self.shape)
        shape, strides = (ctypes.c_int64 * n)(*self.shape), (ctypes.c_int64 * n)(*self.strides)
        tensor = DLTensor(
            self.address,
            DLDevice(self.device_type, self.device),
            n,
            _CODES[self.kind],
            8 * self.item,
            1,
            shape,
            strides,
            0,
        )
        managed: Any
        if versioned:
            managed = ManagedVersioned(1, 1, None, _delete, int(self.read_only), tensor)
        else:
            managed = Managed(tensor, None, _delete)
        address = ctypes.addressof(managed)
        _lent[address] = (managed, shape, strides)
        self.capsule = new_capsule(address, b"dltensor_versioned" if versioned else b"dltensor", None)
        return self.capsule


class InterfaceTensor:
    """The same by `__cuda_array_interface__`."""

    def __init__(self, tensor: Tensor, **changes: Any) -> None:
        self.tensor = tensor
        self.__cuda_array_interface__ = {
            "shape": tensor.shape,
            "typestr": f"<{tensor.kind}{tensor.item}",
            "data": (tensor.address, False),
            "strides": tuple(s * tensor.item for s in tensor.strides),
            "version": 3,
            **changes,
        }


def result_array(array: Any) -> np.ndarray:
    """What an agentrt.cuda.Array holds."""
    return as_numpy(array.address, array.shape, array.dtype)


def environment(driver: Path, nvrtc: Path, cache: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("FAKE_")},
        "AGENTRT_LIBCUDA": str(driver),
        "AGENTRT_NVRTC": str(nvrtc),
        "XDG_CACHE_HOME": str(cache),
    }
