"""From the kernels' source to machine code for one device: found in the cache, or compiled and put there.

That happens in parts, so that the first call waits for what it needs alone: sampling by type of the logits, masks,
and the parameters' rows.

The source comes with the package. Compiling takes NVRTC (NVIDIA's run-time compiler), or nothing but the driver where
the package was built with nvcc and has PTX too.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ._core import check, ffi, lib, new_error, text
from .errors import AgentrtError, DeviceError

__all__ = ["PARTS", "load"]

_log = logging.getLogger("agentrt.cuda")

_MAGIC = b"agentrt cuda code 1\n"
_LOG_BYTES = 1 << 16
_OPTIONS = ("--std=c++17",)

PARTS = ("f32", "f16", "bf16", "masks", "rows")
"""By art_cuda_part: what is compiled, kept and loaded apart."""
_NVRTC_NAMES = ("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so")


# ---------------------------------------------------------------- source


def source_folder() -> Path:
    """Where the kernels are: in the package, or in the source tree that it is used from."""
    here = Path(__file__).resolve().parent
    for folder in (here / "_cuda", here.parent / "csrc" / "cuda"):
        if any(folder.glob("*.cu")):
            return folder
    raise DeviceError(f"{here / '_cuda'}: the kernels' source is not there; this installation of agentrt is damaged")


def sources(folder: Path) -> list[tuple[str, str]]:
    """Names and texts of the kernels (first) and of the headers they include."""
    files = [*sorted(folder.glob("*.cu")), *sorted(folder.glob("*.h"))]
    return [(file.name, file.read_text(encoding="utf-8")) for file in files if not file.stem.endswith("_cpu")]


def _digest(files: list[tuple[str, str]], how: str) -> str:
    hashed = hashlib.sha256(how.encode())
    for name, body in files:
        hashed.update(f"\0{name}\0{len(body)}\0{body}".encode())
    return hashed.hexdigest()[:24]


# ---------------------------------------------------------------- compilers


def nvrtc_candidates() -> Iterator[str]:
    """Paths and names to try: AGENTRT_NVRTC alone when it is set, else NVIDIA's wheels, CUDA's folders, the system."""
    named = os.environ.get("AGENTRT_NVRTC")
    if named:
        yield named
        return
    try:
        spec = importlib.util.find_spec("nvidia")
    except (ImportError, ValueError):
        spec = None
    folders = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    wheels = [folder / place / "lib" for folder in folders for place in ("cu13", "cuda_nvrtc", "cu12")]
    roots = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda"]
    toolkits = [Path(root) / "lib64" for root in roots if root]
    for folder in (*wheels, *toolkits):
        for name in _NVRTC_NAMES:
            if (folder / name).exists():
                yield str(folder / name)
    yield from _NVRTC_NAMES


def _version_of(path: str) -> tuple[int, int]:
    """An NVRTC's version and the newest architecture it knows (0: it does not say)."""
    version, newest, err = ffi.new("uint32_t *"), ffi.new("uint32_t *"), new_error()
    check(lib.art_nvrtc_version(os.fsencode(path), version, newest, err), err)
    return int(version[0]), int(newest[0])


def find_nvrtc(driver_version: int) -> list[tuple[str, int, int]]:
    """What can be used, best first: path, version, newest architecture.

    One of the driver's CUDA version or an older one makes code that the driver is sure to take, so newer ones come
    last.
    """
    found: list[tuple[str, int, int]] = []
    refused: list[str] = []
    for path in nvrtc_candidates():
        try:
            version, newest = _version_of(path)
        except AgentrtError as error:
            refused.append(str(error))
            continue
        if all(version != known for _, known, _ in found):
            found.append((path, version, newest))
    if not found:
        raise DeviceError(
            "NVRTC, which compiles the kernels, is not there: pip install nvidia-cuda-nvrtc, or set AGENTRT_NVRTC to "
            f"the path of libnvrtc ({'; '.join(dict.fromkeys(refused))})"
        )
    return sorted(found, key=lambda one: (one[1] > driver_version, -one[1]))


def _taken(code: Any) -> bytes:
    """The bytes of an `art_cuda_code *`, which is freed."""
    n = ffi.new("size_t *")
    try:
        return bytes(ffi.buffer(lib.art_cuda_code_bytes(code, n), n[0]))
    finally:
        lib.art_cuda_code_free(code)


def _checked(status: int, err: Any, log: Any) -> None:
    """check(), with the compiler's messages."""
    try:
        check(status, err)
    except DeviceError as error:
        error.log = text(log)
        if error.log:
            error.args = (f"{error.args[0]}\n{error.log.strip()}",)
        raise


def compile_options(part: int) -> tuple[str, ...]:
    return (*_OPTIONS, f"-DART_CUDA_PART={part}")


def compile_source(path: str, files: list[tuple[str, str]], architecture: str, part: int) -> bytes:
    """Machine code ("sm_90") or PTX ("compute_90") by one NVRTC.

    Raises: DeviceError, whose `log` has the compiler's messages.
    """
    options = [f"--gpu-architecture={architecture}", *compile_options(part)]
    kept = [ffi.new("char[]", s.encode()) for s in options]
    bodies = [(ffi.new("char[]", name.encode()), ffi.new("char[]", body.encode())) for name, body in files]
    out, err, log = ffi.new("art_cuda_code **"), new_error(), ffi.new("char[]", _LOG_BYTES)
    status = lib.art_nvrtc_compile(
        os.fsencode(path),
        ffi.new("art_cuda_file[]", bodies),
        len(bodies),
        ffi.new("char *[]", kept),
        len(kept),
        architecture.startswith("compute_"),
        ffi.NULL,
        log,
        _LOG_BYTES,
        out,
        err,
    )
    _checked(status, err, log)
    return _taken(out[0])


def assemble(cuda: Any, device: int, ptx: bytes) -> bytes:
    """Machine code from PTX, by the driver."""
    out, err, log = ffi.new("art_cuda_code **"), new_error(), ffi.new("char[]", _LOG_BYTES)
    body = ptx if ptx.endswith(b"\0") else ptx + b"\0"
    status = lib.art_cuda_assemble(
        cuda, device, ffi.from_buffer("uint8_t[]", body), len(body), log, _LOG_BYTES, out, err
    )
    _checked(status, err, log)
    return _taken(out[0])


# ---------------------------------------------------------------- cache


def cache_dir() -> Path:
    """Where machine code is kept: agentrt/cuda in $XDG_CACHE_HOME, or in ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base and os.path.isabs(base) else Path.home() / ".cache") / "agentrt" / "cuda"


def read_cached(file: Path) -> bytes | None:
    """The code in a cache file; None when there is none, when others could have written it, or when it is damaged."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with open(handle, "rb") as stream:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
            _log.warning("%s: not used, as it is not a file of this user alone", file)
            return None
        whole = stream.read()
    head = len(_MAGIC) + 32
    code = whole[head:]
    if not whole.startswith(_MAGIC) or hashlib.sha256(code).digest() != whole[len(_MAGIC) : head]:
        _log.warning("%s: damaged; it is made again", file)
        return None
    return code


def write_cached(file: Path, code: bytes) -> None:
    """Put code into the cache, as a whole or not at all. A cache that can not be written is no error."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=file.name, suffix=".tmp", dir=file.parent)  # 0600
        try:
            with open(handle, "wb") as stream:
                stream.write(_MAGIC + hashlib.sha256(code).digest() + code)
            os.replace(temporary, file)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        _log.warning("%s: can not be written, so the kernels are compiled at the next start again: %s", file, error)


# ---------------------------------------------------------------- all of it


def _ways(cuda: Any, device: int, part: int, sm: int) -> Iterator[tuple[Path, Any]]:
    """Cache files and the functions that make what belongs into them, in the order in which they are tried."""
    folder = source_folder()
    files = sources(folder)
    driver = int(lib.art_cuda_driver_version(cuda))

    def cached(how: str, options: str) -> Path:
        return cache_dir() / f"{_digest(files, options)}-{PARTS[part]}-{how}-sm{sm}-driver{driver}.cubin"

    prebuilt = folder / f"kernels-{PARTS[part]}.ptx"
    if prebuilt.exists():
        ptx = prebuilt.read_bytes()
        yield cached("ptx", hashlib.sha256(ptx).hexdigest()), lambda: assemble(cuda, device, ptx)
    for path, version, newest in find_nvrtc(driver):
        file = cached(f"nvrtc{version}", " ".join(compile_options(part)))
        if newest and sm > newest:  # a device that came after this compiler: the driver finishes the work

            def through_ptx(path: str = path, newest: int = newest) -> bytes:
                return assemble(cuda, device, compile_source(path, files, f"compute_{newest}", part))

            yield file, through_ptx
        else:
            yield file, lambda path=path: compile_source(path, files, f"sm_{sm}", part)


def load(cuda: Any, device: int, part: int) -> None:
    """Give a device one part of its kernels.

    Raises: DeviceError: no way to compile them works; the message has all that were tried.
    Cost:   a second or two when they have to be compiled, milliseconds when they are in the cache.
    """
    if sys.byteorder != "little":
        raise DeviceError("the kernels are for little-endian machines")
    info, err = ffi.new("art_cuda_device *"), new_error()
    check(lib.art_cuda_device_info(cuda, device, info, err), err)
    tried: list[DeviceError] = []
    for file, make in _ways(cuda, device, part, int(info.major) * 10 + int(info.minor)):
        for from_cache in (True, False):
            try:
                code = read_cached(file) if from_cache else make()
                if code is None:
                    continue
                check(lib.art_cuda_load(cuda, device, part, ffi.from_buffer("uint8_t[]", code), len(code), err), err)
            except AgentrtError as error:
                if error.code not in (lib.ART_E_DEVICE, lib.ART_E_FORMAT):
                    raise
                _log.debug("%s: %s", file, error)
                if not from_cache:
                    failed = DeviceError(str(error))
                    failed.log = getattr(error, "log", "")
                    tried.append(failed)
                continue
            if not from_cache:
                write_cached(file, code)
            return
    if len(tried) == 1:
        raise tried[0]
    failed = DeviceError("the kernels can not be compiled:\n" + "\n".join(map(str, tried)))
    failed.log = "\n".join(one.log for one in tried if one.log)
    raise failed
