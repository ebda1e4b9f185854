"""Masks and sampling where the logits are: on an NVIDIA GPU, with no round trip to the host.

    batch = agentrt.cuda.prepare(SampleParams(temperature=0.8, top_p=0.95, seed=seeds), rows=64, vocab=128256)
    result = agentrt.cuda.sample(logits, masks, batch)       # result.ids, result.logprobs: on the device
    agentrt.cuda.apply_masks(logits, masks)                  # in place, for programs that sample themselves

Tensors are anything with `__dlpack__` (torch, cupy, jax) or `__cuda_array_interface__` (cupy, numba), and are never
copied. docs/sampling.md defines what is drawn, docs/gpu.md has the rest: masks, captured graphs, streams, the cache.

Nothing is opened before the first call. The driver is libcuda.so.1 or what AGENTRT_LIBCUDA names; the kernels are
compiled at first use, by NVRTC, and kept. Every function may be called from any thread.
"""

from __future__ import annotations

import operator
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

from . import _kernels
from ._core import check, ffi, lib, new_error, text
from .errors import AgentrtError, ArgumentError, DeviceError, StateError

__all__ = [
    "EMPTY",
    "INVALID",
    "NAN",
    "Array",
    "Batch",
    "DeviceInfo",
    "Result",
    "SampleParams",
    "apply_masks",
    "devices",
    "is_available",
    "prepare",
    "sample",
]

EMPTY = int(lib.ART_CUDA_EMPTY)
"""In a result's ids: nothing was allowed, so there is no token."""
NAN = int(lib.ART_CUDA_NAN)
"""In a result's ids: there was a NaN or +inf among the logits, so there is no token."""
INVALID = int(lib.ART_CUDA_INVALID)
"""In a result's ids: mask_rows led nowhere, so there is no token."""

_CPU, _CUDA, _CUDA_HOST, _CUDA_MANAGED = 1, 2, 3, 13  # DLDeviceType
_INT, _UINT, _FLOAT, _BFLOAT = 0, 1, 2, 4  # DLDataTypeCode
_LEGACY_STREAM, _PER_THREAD_STREAM = 1, 2
_LOGITS = {
    (_FLOAT, 32): lib.ART_CUDA_FLOAT32,
    (_FLOAT, 16): lib.ART_CUDA_FLOAT16,
    (_BFLOAT, 16): lib.ART_CUDA_BFLOAT16,
}
_FOR_SAMPLE, _FOR_MASKS, _FOR_ROWS = (
    int(part) for part in (lib.ART_CUDA_FOR_SAMPLE, lib.ART_CUDA_FOR_MASKS, lib.ART_CUDA_FOR_ROWS)
)
_PART_NAMES = ("float32 logits", "float16 logits", "bfloat16 logits", "masks", "batches")
_KIND_CODES = {"i": _INT, "u": _UINT, "f": _FLOAT}
_CODE_NAMES = {_INT: "int", _UINT: "uint", _FLOAT: "float", _BFLOAT: "bfloat", 5: "complex", 6: "bool"}
_BATCHES_KEPT = 16


# ---------------------------------------------------------------- driver


class _Driver:
    """The opened driver, and which devices have which parts of the kernels."""

    def __init__(self, path: str | None = None) -> None:
        path = path or os.environ.get("AGENTRT_LIBCUDA") or None
        out, err = ffi.new("art_cuda **"), new_error()
        check(lib.art_cuda_open(ffi.NULL if path is None else os.fsencode(path), ffi.NULL, out, err), err)
        self.pointer = ffi.gc(out[0], lib.art_cuda_free)
        self.loading = threading.Lock()
        self.ready: set[tuple[int, int]] = set()  # device, part; grows under `loading`
        self.lock = threading.Lock()
        self.kept: OrderedDict[tuple[int, int, int, int, int], _Kept] = OrderedDict()  # under lock

    def ready_for(self, device: int, part: int, stream: int) -> Any:
        """The `art_cuda *`, whose kernels of this part are there for this device."""
        if (device, part) not in self.ready:
            with self.loading:
                if (device, part) not in self.ready:
                    if self.is_capturing(device, stream):
                        raise StateError(
                            f"the kernels for {_PART_NAMES[part]} are not loaded yet, and can not be while a graph is "
                            "captured: call once before"
                        )
                    _kernels.load(self.pointer, device, part)
                    self.ready.add((device, part))
        return self.pointer

    def is_capturing(self, device: int, stream: int) -> bool:
        return bool(lib.art_cuda_is_capturing(self.pointer, device, stream) == 1)


_driver: _Driver | None = None
_driver_lock = threading.Lock()


def _open() -> _Driver:
    global _driver  # noqa: PLW0603  # one driver a process, opened when it is first needed
    found = _driver
    if found is None:
        with _driver_lock:
            if _driver is None:
                _driver = _Driver()
            found = _driver
    return found


class DeviceInfo(NamedTuple):
    """A GPU.

    capability:    NVIDIA's compute capability, (9, 0) for example.
    memory_total:  bytes.
    """

    name: str
    capability: tuple[int, int]
    n_multiprocessors: int
    memory_total: int


def devices() -> tuple[DeviceInfo, ...]:
    """The GPUs that this process may use, in CUDA's order.

    Raises: DeviceError: there is no driver, or no device, or the driver is too old; the message says which.
    """
    cuda = _open().pointer
    info, err = ffi.new("art_cuda_device *"), new_error()
    found = []
    for i in range(lib.art_cuda_device_count(cuda)):
        check(lib.art_cuda_device_info(cuda, i, info, err), err)
        found.append(DeviceInfo(text(info.name), (info.major, info.minor), info.n_sm, int(info.memory_total)))
    return tuple(found)


def is_available() -> bool:
    """Is there a driver with a device? Kernels are not compiled for this."""
    try:
        _open()
    except DeviceError:
        return False
    return True


# ---------------------------------------------------------------- streams


def _handle(stream: Any) -> int:
    """The CUstream that an object stands for."""
    if isinstance(stream, int) and not isinstance(stream, bool):
        handle = stream
    elif hasattr(stream, "__cuda_stream__"):
        found = stream.__cuda_stream__
        handle = int((found() if callable(found) else found)[1])
    elif hasattr(stream, "cuda_stream"):  # torch
        handle = int(stream.cuda_stream)
    elif hasattr(stream, "ptr"):  # cupy
        handle = int(stream.ptr)
    else:
        raise ArgumentError(f"stream: a CUstream as int or a stream of torch or cupy, not {type(stream).__name__}")
    if handle < 0:
        raise ArgumentError(f"stream: {handle} is no stream")
    return handle or _LEGACY_STREAM


def _current_stream(tensor: Any, device: int) -> int | None:
    """The stream on which a tensor's own library works now; None when it has no such notion."""
    home = type(tensor).__module__.partition(".")[0]
    module = sys.modules.get(home)
    if home == "torch" and module is not None:
        return int(module.cuda.current_stream(device).cuda_stream) or _LEGACY_STREAM
    if home == "cupy" and module is not None:
        return int(module.cuda.get_current_stream().ptr) or _LEGACY_STREAM
    return None


def _lending(tensor: Any, device: int) -> AbstractContextManager[Any]:
    """Makes a tensor's device the current one of its library: torch lends nothing else."""
    module = sys.modules.get("torch") if type(tensor).__module__.partition(".")[0] == "torch" else None
    if module is None or module.cuda.current_device() == device:
        return nullcontext()
    return module.cuda.device(device)  # type: ignore[no-any-return]


# ---------------------------------------------------------------- tensors


def _type_name(t: Any) -> str:
    return f"{_CODE_NAMES.get(t.code, f'type {t.code} of ')}{t.bits}"


def _dlpack_device(name: str, tensor: Any) -> tuple[int, int]:
    try:
        kind, device = tensor.__dlpack_device__()
        return int(kind), int(device)
    except Exception as error:
        raise ArgumentError(f"{name}: {type(tensor).__name__} does not say which device it is on: {error}") from error


class _Lent:
    """Tensors of a call, and what has to be given back when it is over."""

    __slots__ = ("driver", "stream", "taken")

    def __init__(self, driver: _Driver) -> None:
        self.driver = driver
        self.stream = 0
        self.taken: list[tuple[Any, int]] = []

    def __enter__(self) -> _Lent:
        return self

    def __exit__(self, *_: object) -> None:
        for managed, is_versioned in self.taken:
            lib.art_dlpack_free(managed, is_versioned)

    def logits(self, tensor: Any, stream: Any) -> Any:
        """The first tensor: it decides which stream is used when the caller does not say."""
        if stream is not None:
            self.stream = _handle(stream)
            return self.read("logits", tensor)
        if not hasattr(tensor, "__dlpack_device__"):
            interface = getattr(tensor, "__cuda_array_interface__", None)
            given = interface.get("stream") if isinstance(interface, Mapping) else None
            self.stream = _handle(given) if given else _LEGACY_STREAM
            return self.read("logits", tensor)
        kind, device = _dlpack_device("logits", tensor)
        current = _current_stream(tensor, device) if kind in (_CUDA, _CUDA_MANAGED) else None
        self.stream = current or _LEGACY_STREAM
        return self.read("logits", tensor)

    def read(self, name: str, tensor: Any) -> Any:
        """An `art_tensor *` of what was passed, ordered after the work of its producer."""
        out = ffi.new("art_tensor *")
        if hasattr(tensor, "__dlpack_device__") and hasattr(tensor, "__dlpack__"):
            self._dlpack(name, tensor, out)
        elif hasattr(tensor, "__cuda_array_interface__"):
            self._array_interface(name, tensor, out)
        else:
            raise ArgumentError(f"{name}: {type(tensor).__name__} has neither __dlpack__ nor __cuda_array_interface__")
        if out.device_type not in (_CPU, _CUDA, _CUDA_HOST, _CUDA_MANAGED):
            raise ArgumentError(f"{name}: on a device of type {out.device_type} (DLPack), which is not CUDA's")
        return out

    def _dlpack(self, name: str, tensor: Any, out: Any) -> None:
        kind, device = _dlpack_device(name, tensor)
        options: dict[str, Any] = {}
        lending: AbstractContextManager[Any] = nullcontext()
        if kind in (_CUDA, _CUDA_MANAGED):
            lending = _lending(tensor, device)
            in_order = _current_stream(tensor, device) == self.stream  # then there is nothing to wait for
            options["stream"] = -1 if in_order else self.stream
        try:
            with lending:
                try:
                    capsule = tensor.__dlpack__(max_version=(1, 0), **options)
                except TypeError:  # a producer from before versions
                    capsule = tensor.__dlpack__(**options)
        except AgentrtError:
            raise
        except Exception as error:
            raise ArgumentError(f"{name}: {type(tensor).__name__} can not be lent by DLPack: {error}") from error
        is_versioned = ffi.new("int *")
        managed = lib.agentrt_capsule_take(id(capsule), is_versioned)
        if managed == ffi.NULL:
            raise ArgumentError(f"{name}: __dlpack__ gave no DLPack capsule, or one that was consumed before")
        self.taken.append((managed, is_versioned[0]))
        err = new_error()
        if lib.art_dlpack_read(managed, is_versioned[0], out, err):
            raise ArgumentError(f"{name}: {text(err.msg)}")

    def _array_interface(self, name: str, tensor: Any, out: Any) -> None:
        try:
            about = tensor.__cuda_array_interface__
            shape, typestr = tuple(about["shape"]), str(about["typestr"])
            address, is_read_only = about["data"]
            strides, stream = about.get("strides"), about.get("stream")
            item = int(typestr[2:])
        except AgentrtError:
            raise
        except Exception as error:
            raise ArgumentError(f"{name}: __cuda_array_interface__ can not be read: {error}") from error
        if about.get("mask") is not None:
            raise ArgumentError(f"{name}: masked arrays are not supported")
        if typestr[1] not in _KIND_CODES or typestr[0] not in "<|" or len(shape) > 4:
            raise ArgumentError(f"{name}: an array of type {typestr} with {len(shape)} dimensions")
        out.address, out.is_read_only = address or 0, bool(is_read_only)
        out.code, out.bits, out.lanes, out.ndim = _KIND_CODES[typestr[1]], 8 * item, 1, len(shape)
        step = item
        for i in reversed(range(len(shape))):
            in_bytes = strides[i] if strides is not None else step
            if in_bytes % item:
                raise ArgumentError(f"{name}: a stride of {in_bytes} bytes between elements of {item}")
            out.shape[i], out.strides[i] = shape[i], in_bytes // item
            step *= shape[i]
        out.device_type, device, err = _CUDA, ffi.new("uint32_t *"), new_error()
        if out.address:
            try:
                check(lib.art_cuda_device_of(self.driver.pointer, out.address, device, err), err)
            except ArgumentError as error:
                raise ArgumentError(f"{name}: {error}") from None
        out.device_id = device[0]
        if stream and self.stream and _handle(stream) != self.stream:
            err = new_error()
            check(lib.art_cuda_order(self.driver.pointer, device[0], _handle(stream), self.stream, err), err)


def _rows_of(name: str, t: Any, *, ndim: int, writable: bool = False) -> None:
    """Shape and layout that all tensors share: so many dimensions, the last one without gaps."""
    shape = tuple(t.shape[0 : t.ndim])
    if t.ndim != ndim:
        raise ArgumentError(f"{name}: {ndim} dimensions are needed, not the shape {shape}")
    if t.lanes != 1:
        raise ArgumentError(f"{name}: vectors of {t.lanes} as elements")
    if t.shape[ndim - 1] > 1 and t.strides[ndim - 1] != 1:
        axis = "vocabulary axis" if ndim == 2 and name == "logits" else "last axis"
        raise ArgumentError(f"{name}: the {axis} is not contiguous: its stride is {t.strides[ndim - 1]} elements")
    if writable and t.is_read_only:
        raise ArgumentError(f"{name}: read-only")


def _to_call(lent: _Lent, call: Any, logits: Any, masks: Any, mask_rows: Any, stream: Any, *, in_place: bool) -> None:
    """Fill what sample() and apply_masks() have in common."""
    t = lent.logits(logits, stream)
    dtype = _LOGITS.get((t.code, t.bits))
    if dtype is None:
        raise ArgumentError(f"logits: float32, float16 or bfloat16 are needed, not {_type_name(t)}")
    _rows_of("logits", t, ndim=2, writable=in_place)
    if t.device_type not in (_CUDA, _CUDA_MANAGED):
        raise ArgumentError("logits: in host memory; they have to be on a CUDA device")
    call.logits, call.logits_stride, call.dtype = t.address, t.strides[0], dtype
    call.device, call.n_rows, call.n_vocab, call.stream = t.device_id, t.shape[0], t.shape[1], lent.stream
    if masks is None:
        if mask_rows is not None:
            raise ArgumentError("mask_rows: given without masks")
        return
    words = (call.n_vocab + 31) // 32
    m = lent.read("masks", masks)
    if (m.code, m.bits) not in ((_INT, 32), (_UINT, 32)):
        raise ArgumentError(f"masks: int32 is needed, not {_type_name(m)}")
    _rows_of("masks", m, ndim=2)
    if m.shape[1] != words:
        raise ArgumentError(f"masks: {m.shape[1]} words a row; a vocabulary of {call.n_vocab} takes {words}")
    call.masks, call.masks_stride, call.n_masks = m.address, m.strides[0], m.shape[0]
    _same_device("masks", m, call, host_too=True)
    if mask_rows is None:
        if call.n_masks != call.n_rows:
            raise ArgumentError(f"masks: {call.n_masks} rows for {call.n_rows} rows of logits (or give mask_rows)")
        return
    r = lent.read("mask_rows", mask_rows)
    if (r.code, r.bits) != (_INT, 32):
        raise ArgumentError(f"mask_rows: int32 is needed, not {_type_name(r)}")
    _rows_of("mask_rows", r, ndim=1)
    if r.shape[0] != call.n_rows:
        raise ArgumentError(f"mask_rows: {r.shape[0]} entries for {call.n_rows} rows of logits")
    call.mask_rows = r.address
    _same_device("mask_rows", r, call, host_too=True)


def _same_device(name: str, t: Any, call: Any, *, host_too: bool = False) -> None:
    if t.device_type in (_CPU, _CUDA_HOST):
        if not host_too:
            raise ArgumentError(f"{name}: in host memory; it has to be on device {call.device}, like the logits")
    elif t.device_id != call.device:
        raise ArgumentError(f"{name}: on device {t.device_id}; the logits are on device {call.device}")


# ---------------------------------------------------------------- results


class Array:
    """A one-dimensional array in a GPU's memory, for other libraries to take over: torch.from_dlpack(array).

    Read it on the stream on which it was computed, or through `__dlpack__` or `__cuda_array_interface__`, which take
    care of that. The memory is used again when this object and all that was made of it are gone.
    """

    __slots__ = ("_bits", "_code", "_cuda", "_offset", "_pointer", "_stream", "device", "size")

    def __init__(
        self, cuda: Any, pointer: Any, offset: int, device: int, size: int, code: int, bits: int, stream: int
    ) -> None:
        self._cuda, self._pointer, self._offset = cuda, pointer, offset
        self._code, self._bits, self._stream = code, bits, stream
        self.device = device
        self.size = size

    def __len__(self) -> int:
        return self.size

    @property
    def shape(self) -> tuple[int]:
        return (self.size,)

    @property
    def dtype(self) -> str:
        """ "int32", "int64" or "float32"."""
        return f"{_CODE_NAMES[self._code]}{self._bits}"

    @property
    def address(self) -> int:
        """Of the first element, on the device."""
        return int(lib.art_cuda_array_address(self._pointer)) + self._offset

    def __repr__(self) -> str:
        return f"Array({self.dtype}[{self.size}] on device {self.device})"

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        kind = {_INT: "i", _UINT: "u", _FLOAT: "f"}[self._code]
        return {
            "shape": (self.size,),
            "typestr": f"<{kind}{self._bits // 8}",
            "data": (self.address, False),
            "strides": None,
            "version": 3,
            "stream": self._stream,
        }

    def __dlpack_device__(self) -> tuple[int, int]:
        return (_CUDA, self.device)

    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        if copy or (dl_device is not None and tuple(dl_device) != self.__dlpack_device__()):
            raise BufferError("agentrt's arrays are lent where they are, without a copy")
        err = new_error()
        if stream != -1:
            reader = _LEGACY_STREAM if stream is None else _handle(stream)
            if reader != self._stream:
                check(lib.art_cuda_order(self._cuda, self.device, self._stream, reader, err), err)
        is_versioned = max_version is not None and max_version[0] >= 1
        out, given = ffi.new("void **"), list[Any]()
        check(
            lib.art_dlpack_new(
                self._pointer, self._offset, self.device, self._code, self._bits, self.size, is_versioned, out, err
            ),
            err,
        )
        if not lib.agentrt_capsule_give(id(given), out[0], is_versioned):
            lib.art_dlpack_free(out[0], is_versioned)
            raise MemoryError("a DLPack capsule")
        return given[0]


class Result(NamedTuple):
    """What sample() chose.

    ids:       a token a row; EMPTY, NAN or INVALID (all negative) where there is none.
    logprobs:  the token's log-probability under the model (docs/sampling.md); NaN where there is no token.

    Both are `Array`, or what was given as `out`. The work may still be going on.
    """

    ids: Any
    logprobs: Any


def _new_result(cuda: Any, device: int, n: int, stream: int) -> Result:
    out, err = ffi.new("art_cuda_array **"), new_error()
    check(lib.art_cuda_array_new(cuda, device, stream, 8 * n, out, err), err)
    pointer = ffi.gc(out[0], lib.art_cuda_array_free)
    return Result(
        Array(cuda, pointer, 0, device, n, _INT, 32, stream),
        Array(cuda, pointer, 4 * n, device, n, _FLOAT, 32, stream),
    )


def _use_result(lent: _Lent, call: Any, out: Any) -> None:
    try:
        ids, logprobs = out
    except (TypeError, ValueError):
        raise ArgumentError("out: a pair of tensors, or a Result, is needed") from None
    i = lent.read("out's ids", ids)
    if (i.code, i.bits) not in ((_INT, 32), (_INT, 64)):
        raise ArgumentError(f"out's ids: int32 or int64 is needed, not {_type_name(i)}")
    p = lent.read("out's logprobs", logprobs)
    if (p.code, p.bits) != (_FLOAT, 32):
        raise ArgumentError(f"out's logprobs: float32 is needed, not {_type_name(p)}")
    for name, t in (("out's ids", i), ("out's logprobs", p)):
        _rows_of(name, t, ndim=1, writable=True)
        if t.shape[0] != call.n_rows:
            raise ArgumentError(f"{name}: {t.shape[0]} elements for {call.n_rows} rows of logits")
        _same_device(name, t, call)
    call.ids, call.ids_64, call.logprobs = i.address, i.bits == 64, p.address


# ---------------------------------------------------------------- parameters


@dataclass(frozen=True, slots=True)
class SampleParams:
    """How tokens are drawn (docs/sampling.md). One value for all rows, or a sequence with one a row.

    seed:            where it is one number, row i uses seed + i, so that equal rows do not draw alike.
    step:            how many draws were made before. Seed and step decide the draw, whatever else is in the batch.
    logit_bias:      by token; -inf bans it.
    history:         each row's transcript, for the penalties.
    penalty_last_n:  how many of its last tokens they look at.
    """

    temperature: float | Sequence[float] = 0.0
    top_k: int | Sequence[int] = 0
    top_p: float | Sequence[float] = 1.0
    min_p: float | Sequence[float] = 0.0
    seed: int | Sequence[int] = 0
    step: int | Sequence[int] = 0
    repetition_penalty: float | Sequence[float] = 1.0
    frequency_penalty: float | Sequence[float] = 0.0
    presence_penalty: float | Sequence[float] = 0.0
    penalty_last_n: int | Sequence[int] = 64
    logit_bias: Mapping[int, float] | Sequence[Mapping[int, float] | None] | None = None
    history: Sequence[Sequence[int]] | None = None

    def __post_init__(self) -> None:
        """Copy what could change, so that equal values stay equal."""
        for name in (*_SAMPLE_FIELDS, "seed", "step"):
            value = getattr(self, name)
            number = operator.index if name in _INTEGERS else float
            try:
                copied = tuple(map(number, value)) if isinstance(value, Iterable) else number(value)
            except (TypeError, ValueError):
                raise ArgumentError(f"{name}: a number or a sequence of numbers is needed, not {value!r}") from None
            object.__setattr__(self, name, copied)
        if self.logit_bias is not None:
            copied_bias = _copied_bias(self.logit_bias)
            object.__setattr__(self, "logit_bias", copied_bias)
        if self.history is not None:
            object.__setattr__(self, "history", tuple(tuple(map(operator.index, row)) for row in self.history))


def _copied_bias(given: Any) -> Any:
    if isinstance(given, Mapping):
        return {operator.index(token): float(bias) for token, bias in given.items()}
    return tuple(_copied_bias(one) if one else None for one in given)


_INTEGERS = frozenset({"top_k", "penalty_last_n", "seed", "step"})
_SAMPLE_FIELDS = (
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repetition_penalty",
    "frequency_penalty",
    "presence_penalty",
    "penalty_last_n",
)
_UINT64 = (1 << 64) - 1


def _per_row(name: str, value: Any, n: int) -> list[Any]:
    if not isinstance(value, tuple):
        return [value] * n
    if len(value) != n:
        raise ArgumentError(f"{name}: {len(value)} values for {n} rows")
    return list(value)


def _biases(params: SampleParams, n: int) -> list[Mapping[int, float]]:
    given = params.logit_bias
    if given is None or isinstance(given, Mapping):
        return [given or {}] * n
    if len(given) != n:
        raise ArgumentError(f"logit_bias: {len(given)} values for {n} rows")
    return [bias or {} for bias in given]


def _to_rows(params: SampleParams, n: int) -> tuple[Any, list[Any]]:
    """An `art_cuda_row_params[]`, and what it points to."""
    rows = ffi.new("art_cuda_row_params[]", n)
    columns = {name: _per_row(name, getattr(params, name), n) for name in _SAMPLE_FIELDS}
    steps = _per_row("step", params.step, n)
    seeds = _per_row("seed", params.seed, n)
    if isinstance(params.seed, int):
        seeds = [seed + i for i, seed in enumerate(seeds)]
    biases = _biases(params, n)
    histories = params.history or [()] * n
    if len(histories) != n:
        raise ArgumentError(f"history: {len(histories)} values for {n} rows")
    kept: list[Any] = []
    for i in range(n):
        row = rows[i]
        try:
            for name, column in columns.items():
                setattr(row.sample, name, column[i])
            row.sample.seed, row.step = int(seeds[i]) & _UINT64, steps[i]
            if biases[i]:
                kept.append(ffi.new("art_bias[]", list(biases[i].items())))
                row.sample.bias, row.sample.n_bias = kept[-1], len(biases[i])
            if histories[i]:
                kept.append(ffi.new("int32_t[]", list(histories[i])))
                row.history, row.n_history = kept[-1], len(histories[i])
        except (TypeError, OverflowError) as error:
            raise ArgumentError(f"row {i}: {error}") from None
    return rows, kept


def _bias_max(params: SampleParams, n: int) -> int:
    return max(map(len, _biases(params, n)), default=0)


def _history_max(params: SampleParams, n: int) -> int:
    """Tokens that the penalties of some row look at; 0 without penalties."""
    penalties = (
        _per_row("repetition_penalty", params.repetition_penalty, n),
        _per_row("frequency_penalty", params.frequency_penalty, n),
        _per_row("presence_penalty", params.presence_penalty, n),
        _per_row("penalty_last_n", params.penalty_last_n, n),
    )
    last = [n_last for r, f, p, n_last in zip(*penalties, strict=True) if r != 1.0 or f != 0.0 or p != 0.0]
    return max(last, default=0)


class Batch:
    """Sampling parameters of a batch in a GPU's memory, made by prepare().

    Every sample() with it draws each row's next number and moves the row's step on, on the device, so the call can be
    captured into a graph and replayed. Calls with one batch belong on one stream, or have to be ordered by events.

    rows, vocab, device:  what it was made for; sample() takes logits of as many rows or fewer.
    steps:                the rows' steps, an int64 Array that is live: reading it shows them, writing sets them.
    """

    __slots__ = ("_driver", "_pointer", "device", "rows", "steps", "vocab")

    def __init__(self, driver: _Driver, *, rows: int, vocab: int, device: int, bias_max: int, history_max: int) -> None:
        out, err = ffi.new("art_cuda_batch **"), new_error()
        cuda = driver.ready_for(device, _FOR_ROWS, _LEGACY_STREAM)
        try:
            status = lib.art_cuda_batch_new(cuda, device, rows, vocab, bias_max, history_max, out, err)
        except (TypeError, OverflowError) as error:
            raise ArgumentError(f"rows, vocab, bias_max or history_max: {error}") from None
        check(status, err)
        self._driver = driver
        self._pointer = ffi.gc(out[0], lib.art_cuda_batch_free)
        self.rows, self.vocab, self.device = rows, vocab, device
        steps = ffi.gc(lib.art_cuda_batch_steps(self._pointer), lib.art_cuda_array_free)
        self.steps = Array(cuda, steps, 0, device, rows, _INT, 64, _LEGACY_STREAM)

    def set(self, params: SampleParams, *, first: int = 0, rows: int | None = None, stream: Any = None) -> None:
        """Give rows new parameters, in the stream's order: a request that joins a running batch, for example.

        rows:    how many from `first` on; None: all that follow.
        stream:  as for sample(); None: the legacy default stream.

        Raises: StateError: logit_bias or history while a graph is captured.
        """
        n = self.rows - first if rows is None else rows
        if first < 0 or n < 0 or first + n > self.rows:
            raise ArgumentError(f"rows {first} .. {first + n} of a batch of {self.rows}")
        values, kept = _to_rows(params, n)
        err = new_error()
        handle = _LEGACY_STREAM if stream is None else _handle(stream)
        check(lib.art_cuda_batch_set(self._pointer, first, n, values, handle, err), err)
        del kept


def prepare(
    params: SampleParams | None = None,
    *,
    rows: int,
    vocab: int,
    device: int = 0,
    bias_max: int | None = None,
    history_max: int | None = None,
) -> Batch:
    """Parameters in a GPU's memory, for many steps. Waits for the device; sample() with it does not.

    bias_max, history_max:  room for later set() calls; None: what params need.

    Raises: DeviceError: no driver, device or compiler, or it failed; ArgumentError.
    """
    params = SampleParams() if params is None else params
    batch = Batch(
        _open(),
        rows=rows,
        vocab=vocab,
        device=device,
        bias_max=_bias_max(params, rows) if bias_max is None else bias_max,
        history_max=_history_max(params, rows) if history_max is None else history_max,
    )
    values, kept = _to_rows(params, rows)
    err = new_error()
    check(lib.art_cuda_batch_set(batch._pointer, 0, rows, values, _LEGACY_STREAM, err), err)
    check(lib.art_cuda_synchronize(batch._driver.pointer, device, err), err)  # so that any stream finds them
    del kept
    return batch


@dataclass(slots=True)
class _Kept:
    """A batch for calls that bring their parameters along, on one stream."""

    batch: Batch
    params: SampleParams
    bias_max: int
    history_max: int
    lock: threading.Lock = field(default_factory=threading.Lock)


def _kept_for(driver: _Driver, key: tuple[int, int, int, int, int], params: SampleParams) -> _Kept:
    """The batch for (device, stream, thread, rows, vocab), with room for these parameters, set or not."""
    with driver.lock:
        found = driver.kept.get(key)
        if found is not None:
            driver.kept.move_to_end(key)
    if found is not None and _same(params, found.params):
        return found
    device, _, _, rows, vocab = key
    bias_max, history_max = _bias_max(params, rows), _history_max(params, rows)
    if found is not None and found.bias_max >= bias_max and found.history_max >= history_max:
        return found
    batch = Batch(driver, rows=rows, vocab=vocab, device=device, bias_max=bias_max, history_max=history_max)
    made = _Kept(batch, SampleParams(), bias_max, history_max)
    with driver.lock:
        driver.kept[key] = made
        while len(driver.kept) > _BATCHES_KEPT:
            driver.kept.popitem(last=False)
    return made


_FIELDS = tuple(f.name for f in fields(SampleParams) if f.name != "step")


def _same(a: SampleParams, b: SampleParams) -> bool:
    """Is the batch of one right for the other? A step that is one number comes with the call."""
    if a is b:
        return True
    if a.step != b.step and not (isinstance(a.step, int) and isinstance(b.step, int)):
        return False
    return all(getattr(a, name) == getattr(b, name) for name in _FIELDS)


# ---------------------------------------------------------------- calls


def sample(
    logits: Any,
    masks: Any = None,
    params: SampleParams | Batch | None = None,
    out: Any = None,
    stream: Any = None,
    *,
    mask_rows: Any = None,
) -> Result:
    """Queue the choice of one token a row. Nothing is copied to the host and nothing waits.

    logits:     [rows, vocab], float32, float16 or bfloat16; rows may lie apart. Must live until the work is done, as
                must everything else that is passed.
    masks:      [rows, ceil(vocab / 32)] int32, bit i % 32 of word i // 32 is token i; on the same device, or in pinned
                host memory, from where it is copied on the stream. None: everything is allowed.
    params:     SampleParams; or a Batch, which moves on by a step. None: greedy.
    out:        (ids, logprobs): int32 or int64, and float32, to write to. None: new arrays.
    stream:     CUstream as int, or a stream of torch or cupy. None: the one on which the logits' library works now.
    mask_rows:  int32, one a row, on the device or in pinned memory: which row of masks holds for it; negative:
                everything is allowed, and no mask is read or copied.

    While a graph is captured, params have to be a Batch and out has to be given: a replay then uses the same memory.

    Raises: ArgumentError names the tensor and what is wrong with it; DeviceError; StateError.
    """
    driver = _open()
    call, err = ffi.new("art_cuda_call *"), new_error()
    with _Lent(driver) as lent:
        _to_call(lent, call, logits, masks, mask_rows, stream, in_place=False)
        if out is not None:
            _use_result(lent, call, out)
        if (out is None or not isinstance(params, Batch)) and driver.is_capturing(call.device, call.stream):
            raise StateError("while a graph is captured, params have to be a Batch (prepare()) and out is needed")
        cuda = driver.ready_for(call.device, _FOR_SAMPLE + call.dtype, call.stream)
        if out is None:
            out = _new_result(cuda, call.device, call.n_rows, call.stream)
            call.ids, call.logprobs = out.ids.address, out.logprobs.address
        if isinstance(params, Batch):
            check(lib.art_cuda_sample(params._pointer, call, err), err)
        elif call.n_rows:
            _sample_once(driver, call, SampleParams() if params is None else params)
    return out if isinstance(out, Result) else Result(*out)


def _sample_once(driver: _Driver, call: Any, params: SampleParams) -> None:
    """With parameters that come along: they are sent only when they are others than those of the last call."""
    call.keep_steps = 1
    one_step = isinstance(params.step, int)
    if one_step:
        call.step = params.step
    thread = threading.get_ident() if call.stream == _PER_THREAD_STREAM else 0  # each thread has its own
    kept = _kept_for(driver, (call.device, call.stream, thread, call.n_rows, call.n_vocab), params)
    err = new_error()
    with kept.lock:
        if not _same(params, kept.params):
            kept.batch.set(replace(params, step=0) if one_step else params, stream=call.stream)
            kept.params = params
        check(lib.art_cuda_sample(kept.batch._pointer, call, err), err)


def apply_masks(logits: Any, masks: Any, *, mask_rows: Any = None, stream: Any = None) -> None:
    """Queue the writing of -inf over the logits that are not allowed, in place.

    Parameters and errors as for sample(); masks in pinned host memory are read where they are.
    """
    driver = _open()
    if masks is None:
        raise ArgumentError("masks: there are none")
    call, err = ffi.new("art_cuda_call *"), new_error()
    with _Lent(driver) as lent:
        _to_call(lent, call, logits, masks, mask_rows, stream, in_place=True)
        cuda = driver.ready_for(call.device, _FOR_MASKS, call.stream)
        check(lib.art_cuda_apply_masks(cuda, call, err), err)
